"""Walking: a space with every alternative kept, from its outputs, on demand.

What flows along the edges is up to an `Algebra`: sets of specs to find the largest weights, tensors to run, costs. A
substitution whose decision is a mixture is unfolded once for each active value, with that value taken for granted
inside, and the algebra mixes what they give. Results are remembered by address, inputs and what was read around them,
so counts share their first copies.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from deep_arch.errors import NotCountable, NotSupported, ShapeMismatch, TooDeep
from deep_arch.language.dependence import domain_at, evaluate, roots
from deep_arch.language.fragment import Call, Fragment
from deep_arch.language.hyperparameters import Independent
from deep_arch.language.scans import Enter, Exit, Scan
from deep_arch.language.selection import Select
from deep_arch.language.values import Reference, Slot
from deep_arch.spaces.alternatives import call_roots
from deep_arch.spaces.mixtures import Mixture
from deep_arch.spaces.place import module_address, slot_address, up
from deep_arch.spaces.space import SearchSpace
from deep_arch.spaces.trampoline import Recursive, run
from deep_arch.supernets.algebra import Algebra, Row

MOST_ORDERS: Final = 1_000
"""Joint values of the decisions of one call that are walked."""

_MOST_RULES: Final = 200
"""Nested applications of rules without a limit; more is taken for recursion without end."""

_MOST_LEVELS: Final = 3_000

_FREE: Final = object()


class Site:
    """One place where a fragment stands, with what its calls gave.

    Attributes:
        env: what the inputs are and the calls gave, None where nothing was asked for yet.
        given: address to value, for the decisions that are taken for granted here.
        parent: the site of the enclosing function.
        caller, call: the site and the call that this one stands for.
        scans: the sites of the scans around this one, which it is the last of if it is the body of one.
    """

    __slots__ = ("call", "caller", "depth", "env", "fragment", "given", "level", "parent", "prefix", "scans")

    def __init__(
        self,
        fragment: Fragment,
        prefix: str,
        inputs: Sequence[Any],
        parent: Site | None,
        caller: Site | None,
        call: Call | None,
        given: dict[str, Any],
    ) -> None:
        self.fragment: Fragment = fragment
        self.prefix: str = prefix
        self.parent: Site | None = parent
        self.caller: Site | None = caller
        self.call: Call | None = call
        self.env: list[Any] = [*inputs, *fragment.blank]
        self.given = given
        self.level: int = 0 if caller is None else caller.level + 1
        deepens = call is not None and call.module.deepens
        self.depth: int = deepens + (0 if caller is None else caller.depth)
        self.scans: tuple[Site, ...] = () if caller is None else caller.scans
        if call is not None and isinstance(call.module, Scan):
            self.scans = (*self.scans, self)


Decide = Callable[[Independent, str, Site], Any]
"""Gives a value for a hyperparameter at an address, or a Mixture; its domain is the one that it has there."""


class Plans:
    """What the walks of one space need to know of each call, found once."""

    def __init__(self) -> None:
        self._known: dict[tuple[Fragment, Call], tuple[list[tuple[Independent, Slot]], list[Any], bool]] = {}

    def of(self, fragment: Fragment, call: Call) -> tuple[list[tuple[Independent, Slot]], list[Any], bool]:
        """Return a call's independent hyperparameters with their slots, its open arguments, and whether these agree."""
        found = self._known.get((fragment, call))
        if found is None:
            decisive = [(h, fragment.slot_of(h)) for h in call_roots(call)]
            arguments: list[Any] = [h for _, h in call.module.open_arguments]
            simple = arguments == [h for h, _ in decisive]
            found = self._known[fragment, call] = (decisive, arguments, simple)
        return found


class Walker:
    """One walk of a space.

    Args:
        space: what is walked.
        algebra: what flows.
        decide: what decides, or relaxes.
        plans: of the space.
        share: from a place's prefix to that of the place which stands for it; see `deep_arch.spaces.positions`.

    Attributes:
        config: what `da.config` attached where the walk came, by name: values, each with a weight or None.
    """

    def __init__(
        self,
        space: SearchSpace,
        algebra: Algebra,
        decide: Decide,
        plans: Plans | None = None,
        share: Callable[[str], str] = str,
    ) -> None:
        self._share = share
        self._program, self._algebra, self._decide = space.program, algebra, decide
        self._counts_calls = getattr(algebra, "counts_calls", False)
        self._restrictions = space.restrictions
        self._plans = Plans() if plans is None else plans
        self._memory: dict[Any, list[tuple[list[Any], Any]]] = {}
        self._reads: list[list[Any]] = []  # what the evaluations in progress read from around them
        self._held: list[Any] = []  # else the identities of inputs would be given out again
        self._ways: dict[tuple[int, int], int] = {}
        self.config: dict[str, list[tuple[Any, Any]]] = {}

    def outputs(self, inputs: Sequence[Any]) -> tuple[Any, ...]:
        """Return what the outputs are for values of the inputs.

        Raises:
            NotCountable: recursion has no end, or too many values decide one call.
            TooDeep: no alternative ends within the space's limit.
        """
        root = Site(self._program.root, "", inputs, None, None, None, {})
        return run(self._outputs(root))

    def _outputs(self, site: Site) -> Recursive[tuple[Any, ...]]:
        found: list[Any] = []
        for name, entry in site.fragment.config.items():
            decisive = [(h, site.fragment.slot_of(h)) for h in roots([entry])]
            rows = self._rows(site, decisive, site.prefix + name)
            self.config[site.prefix + name] = [(row.weight, evaluate(entry, row.binding)) for row in rows]
        for reference in site.fragment.outputs:
            value: Any = self._ready(site, reference)
            if value is None:
                value = yield self._value(site, reference)
            found += value if isinstance(value, tuple) else (value,)
        return tuple(found)

    def _ready(self, site: Site, reference: Reference) -> Any:
        """Return what a reference stands for if it is known and belongs here, else None."""
        levels, index, port = reference
        if levels or port is not None:
            return None
        return site.env[index]

    def _value(self, site: Site, reference: Reference) -> Recursive[Any]:
        levels, index, port = reference
        owner = up(site, levels) if levels else site
        value = owner.env[index]
        if value is None:
            if index < owner.fragment.n_inputs:
                assert owner.caller is not None, "the inputs of the outermost fragment are given"
                assert owner.call is not None, "the inputs of the outermost fragment are given"
                value = yield self._value(owner.caller, owner.call.inputs[index])
            else:
                value = yield self._call(owner, owner.fragment.call_at[index])
            owner.env[index] = value
        value = _port(value, port)
        if levels and self._reads:
            self._held.append(value)
            self._reads[-1].append(("env", owner.prefix, owner.fragment, (index, port), self._algebra.key(value)))
        return value

    def _call(self, site: Site, call: Call) -> Recursive[Any]:
        module = call.module
        home = up(site, call.home) if call.home else site
        address = module_address(home, call)
        arguments = self._plans.of(site.fragment, call)
        rows = self._rows(site, arguments[0], address)
        if module.substitution:
            return (yield self._alternatives(site, call, address, arguments, rows))
        inputs: list[Any] = []
        select = isinstance(module, Select)
        for reference in call.inputs[call.n_inputs :] if select else call.inputs:
            value: Any = self._ready(site, reference)
            if value is None:
                value = yield self._value(site, reference)
            inputs.append(value)
        if select:
            return (yield self._selected(site, call, address, _values(arguments, rows[0]), inputs))
        joint = [(row.weight, _values(arguments, row), row.parts) for row in rows]
        along: list[Any] = []
        if site.scans and self._counts_calls:
            scans = site.scans[:-1] if isinstance(module, Enter | Exit) else site.scans
            for scan in scans:
                along.append((yield self._value(scan, Reference(0, _ends(scan.fragment)[0].index, 0))))
        return self._algebra.leaf(call, address, joint, inputs[: call.n_inputs], inputs[call.n_inputs :], along)

    def _selected(self, site: Site, call: Call, address: str, values: Any, measured: Any) -> Recursive[Any]:
        found: list[Any] = []
        for weight, position in self._algebra.selected(call, address, values, measured):
            found.append((weight, (yield self._value(site, call.inputs[position]))))
        return found[0][1] if len(found) == 1 and found[0][0] is None else self._algebra.mix(found, address)

    # --- decisions -----------------------------------------------------------------------------------------------

    def _rows(self, site: Site, decisive: Sequence[tuple[Independent, Slot]], where: str) -> list[Row]:
        rows = [Row(None, {}, {}, {})]
        for hyperparameter, slot in decisive:
            owner = up(site, slot.levels) if slot.levels else site
            address = slot_address(owner, slot.place)
            known = site.given.get(address, _FREE)
            if self._reads:
                self._reads[-1].append(("given", address, known))
            if known is not _FREE:
                for row in rows:
                    row.binding[hyperparameter] = known
                continue
            rows = [new for row in rows for new in self._decided(hyperparameter, address, owner, row)]
            if len(rows) > 50 * MOST_ORDERS:
                raise _too_many(where, len(rows))
        return rows

    def _decided(self, hyperparameter: Independent, address: str, owner: Site, row: Row) -> list[Row]:
        asked = hyperparameter
        if hyperparameter.depending is not None:
            asked = hyperparameter.depending.narrowed(hyperparameter, domain_at(hyperparameter, row.binding))
        decision = self._decide(asked, address, owner)
        if not isinstance(decision, Mixture):
            row.binding[hyperparameter] = decision
            return [row]
        rows: list[Row] = []
        for position in decision.active:
            own, value = decision.weights[position], decision.values[position]
            weight = own if row.weight is None or own is None else row.weight * own
            binding, given = {**row.binding, hyperparameter: value}, {**row.given, address: value}
            rows.append(Row(weight, binding, given, {**row.parts, address: (position, own)}))
        return rows

    # --- alternatives --------------------------------------------------------------------------------------------

    def _alternatives(self, site: Site, call: Call, address: str, arguments: Any, rows: list[Row]) -> Recursive[Any]:
        if len(rows) == 1 and not rows[0].given:
            return (yield self._unfolded(site, call, address, _values(arguments, rows[0]), site.given))
        rows = [*self._algebra.walked(call, address, rows)]
        if len(rows) > MOST_ORDERS and call.module.order_immaterial:
            raise _too_many(address, len(rows))
        found: list[tuple[Any, Any]] = []
        error: Exception | None = None
        for row in rows:
            try:
                given = {**site.given, **row.given}
                result = yield self._unfolded(site, call, address, _values(arguments, row), given)
                found.append((row.weight, result))
            except (TooDeep, ShapeMismatch) as raised:
                error = error or raised
        if not found or (error is not None and not self._skips(error)):
            assert error is not None, "there is at least one alternative"
            raise error
        return self._algebra.mix(found, address)

    def _skips(self, error: Exception) -> bool:
        """Return whether an alternative with an error is left out where others have none."""
        return isinstance(error, TooDeep) or getattr(self._algebra, "skips", False)

    def _unfolded(self, site: Site, call: Call, address: str, values: Any, given: dict[str, Any]) -> Recursive[Any]:
        self._check_end(site, call, address)
        module: Any = call.module
        fragment = self._program.expand(module, values, len(call.inputs), address)
        prefix = self._share(address + fragment.ending)
        inputs: list[Any] = [None] * len(call.inputs)
        key: Any = None
        if fragment.uses_every_input:
            for i, reference in enumerate(call.inputs):
                inputs[i] = self._ready(site, reference)
                if inputs[i] is None:
                    inputs[i] = yield self._value(site, reference)
            place = self._way(site, call) if self._counts_calls else None
            key = (prefix, fragment, tuple([self._algebra.key(value) for value in inputs]), place)
            for reads, result in self._memory.get(key, ()):
                if all(self._still(read, site, given) for read in reads):
                    if self._reads:
                        self._reads[-1].extend(reads)
                    return result
        self._reads.append([])
        parent = up(site, call.lexical) if call.lexical else site
        inner = Site(fragment, prefix, inputs, parent, site, call, given)
        try:
            loops = isinstance(module, Scan) and hasattr(self._algebra, "loop")
            outputs = yield self._looped(inner, address) if loops else self._outputs(inner)
        finally:
            read = self._reads.pop()
        result = outputs[0] if len(outputs) == 1 else outputs
        reads = [r for r in read if r[0] == "given" or not r[1].startswith(prefix)]
        if self._reads:
            self._reads[-1].extend(reads)
        if key is not None:
            self._memory.setdefault(key, []).append((reads, result))
            self._held.append(inputs)
        return result

    def _looped(self, site: Site, address: str) -> Recursive[tuple[Any, ...]]:
        """Return what a scan gives, whose body is walked anew at each step."""
        enter, exit = _ends(site.fragment)
        inputs: list[Any] = []
        for index in range(site.fragment.n_inputs):
            inputs.append((yield self._value(site, Reference(0, index, None))))
        algebra: Any = self._algebra
        loop = algebra.loop(address, enter.module, exit.module, inputs)
        given = exit.inputs[1 + enter.module.arguments["carry"] :]
        for start in loop.steps:
            step = Site(site.fragment, site.prefix, inputs, site.parent, site.caller, site.call, site.given)
            step.env[enter.index] = (None, *start)
            found: list[Any] = []
            for reference in given:
                found.append((yield self._value(step, reference)))
            loop.take(found)
        results: Sequence[Any] = loop.results()
        site.env[exit.index] = tuple(results) if len(results) > 1 else results[0]
        outputs: tuple[Any, ...] = yield self._outputs(site)
        return outputs

    def _way(self, site: Site, call: Call) -> int:
        """Return a number for the calls that lead here, which are others where a module is called twice."""
        around: list[Call] = [call]
        at: Site | None = site
        while at is not None and at.call is not None:
            around.append(at.call)
            at = at.caller
        way = 0
        for each in reversed(around):
            way = self._ways.setdefault((way, each.index), len(self._ways) + 1)
        return way

    def _still(self, read: Any, site: Site, given: dict[str, Any]) -> bool:
        """Return whether what was read is what would be read from here."""
        if read[0] == "given":
            return given.get(read[1], _FREE) is read[2] or given.get(read[1], _FREE) == read[2]
        _, prefix, fragment, (index, port), key = read
        at: Site | None = site
        while at is not None and (at.prefix != prefix or at.fragment is not fragment):
            at = at.parent
        value = None if at is None else _port(at.env[index], port)
        return value is not None and self._algebra.key(value) == key

    def _check_end(self, site: Site, call: Call, address: str) -> None:
        most, depth = self._restrictions.deepest, site.depth + call.module.deepens
        if most is not None and depth > most:
            raise TooDeep(
                f"{address[-200:]}: rules are nested more deeply than the space's limit, {most}.\n"
                "  Got values that let no alternative end in time.\n  Raise the limit, or choose other values."
            )
        if (most is None and depth > _MOST_RULES) or site.level > _MOST_LEVELS:
            raise NotCountable(
                f"{address[:200]}: a super-network holds every alternative, and these nest without end.\n"
                f"  Got {max(depth, site.level)} functions, each inside the one before.\n"
                "  Decorate the recursive function with @da.rule, and use space.limit(max_depth=...)."
            )


def _ends(scan: Fragment) -> tuple[Call, Call]:
    """Return the calls between which the body of a scan stands."""
    ends = [call for call in scan.calls if isinstance(call.module, Enter | Exit)]
    return ends[0], ends[-1]


def _port(value: Any, port: int | None) -> Any:
    """Return one of several values of a call, or the one that there is."""
    several: bool = port is not None and value.__class__ is tuple
    return value[port] if several else value


def _values(arguments: tuple[Any, list[Any], bool], row: Row) -> tuple[Any, ...]:
    _, hyperparameters, simple = arguments
    if simple:
        return tuple(row.binding.values())
    return tuple([evaluate(h, row.binding) for h in hyperparameters])


def _too_many(where: str, n: int) -> NotSupported:
    return NotSupported(
        f"{where}: too many joint values decide it to keep them all.\n  Got {n:,} and more.\n"
        "  Use smaller domains, fix some with space.fix, or sample paths: supernet.at(space.sample())."
    )
