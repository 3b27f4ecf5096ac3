"""Unfolding a space with every alternative of its relaxed decisions kept, as one graph that a drawing shows.

An ordinary unfolding follows one alternative of each decision. This one follows them all, side by side, and joins what
they give in one node; what stands at one address with the same inputs in several alternatives, such as the first copy
of a `repeat`, is one node. It is small, since a drawing is: so it walks again what alternatives share, where
`supernets.walking` remembers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, Final, NamedTuple, cast

from deep_arch.errors import ArityMismatch, NotCountable, ValueOutsideDomain, nearest, wrong_kind
from deep_arch.language.dependence import closure, domain_at, evaluate, roots
from deep_arch.language.domains import REJECTED, Domain
from deep_arch.language.fragment import Call, Fragment
from deep_arch.language.hyperparameters import Dependent, Hyperparameter, Independent
from deep_arch.language.program import expansion_key
from deep_arch.language.values import UNSET, Late, Reference, Slot
from deep_arch.measures.naming import candidate_names
from deep_arch.spaces.alternatives import call_roots
from deep_arch.spaces.finding import find, has_address
from deep_arch.spaces.frames import Frame, Node, Unfolding
from deep_arch.spaces.mixtures import Mixture
from deep_arch.spaces.place import module_address, slot_address, up
from deep_arch.spaces.space import SearchSpace
from deep_arch.spaces.trampoline import Recursive, run
from deep_arch.visualization.plan.relaxed import Branch, Forked, Mixed, Passing, Relaxed, call_of, pruned
from deep_arch.visualization.plan.wording import chosen_text

MOST_BOXES: Final = 600
"""Boxes of a super-network beyond which a picture of it tells nothing."""

_MOST_STEPS: Final = 20_000


def relax(space: SearchSpace, mixtures: Mapping[str, Any]) -> Relaxed:
    """Unfold a space with every alternative of its relaxed decisions.

    Args:
        space: what is unfolded.
        mixtures: address to a `Mixture` or a value; what other decisions than these lead to may be among them, and what
            is not stays open.

    Raises:
        UnknownAddress: the space has no such decision.
        ValueOutsideDomain: a value that a decision cannot take.
        NotCountable: too much to draw.
    """
    if not isinstance(mixtures, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise wrong_kind(
            "render_supernet",
            "a mapping from address to a Mixture or a value",
            mixtures,
            "Pass trial.mixtures, or {'conv2d.filters': da.Mixture((16, 32), (0.7, 0.3))}.",
        )
    unfolder = _Unfolder(space, mixtures)
    run(unfolder.whole())
    _check_addresses(space, mixtures, unfolder)
    return pruned(unfolder.relaxed)


def _check_addresses(space: SearchSpace, mixtures: Mapping[str, Any], unfolder: _Unfolder) -> None:
    for address in mixtures:
        if address not in unfolder.met and not (isinstance(address, str) and has_address(space.program, address)):
            raise space.no_such_address(address, unfolder.met)


class _Row(NamedTuple):
    """Joint values of the decisions of a call; UNSET for those that are open or stay relaxed."""

    weight: float
    given: float
    binding: dict[Independent, Any]
    relaxed: dict[str, Any]


_Footprint = dict[int, float]
"""The ids of nodes, each with how much of it reaches the outputs of what it is the footprint of."""


class _Unfolder:
    def __init__(self, space: SearchSpace, mixtures: Mapping[str, Any]) -> None:
        self._space, self._mixtures = space, mixtures
        self._program = space.program
        restrictions = space.restrictions
        self._choose = restrictions.around(self._decision) if restrictions else self._decision
        self.relaxed = Relaxed(Unfolding())
        self.met: dict[str, None] = {}
        self._known: dict[Any, int] = {}
        self._next = self._n_steps = 0

    def whole(self) -> Recursive[None]:
        unfolding, fragment = self.relaxed.unfolding, self._program.root
        self._next = fragment.n_inputs
        env: list[Any] = [*range(fragment.n_inputs), *fragment.blank]
        frame = unfolding.frames[""] = Frame(fragment, "", fragment.unset.copy(), env, None, None, None)
        unfolding.outputs, reach = yield self._fragment(frame, {})
        self.relaxed.reach = reach

    # --- decisions -----------------------------------------------------------------------------------------------

    def _decision(self, hyperparameter: Independent, address: str, _frame: Frame) -> Any:
        if address not in self._mixtures:
            return UNSET
        given, domain = self._mixtures[address], hyperparameter.domain
        if isinstance(given, Mixture):
            return self._accepted(hyperparameter, given, address)
        value = domain.accept(given)
        if value is REJECTED and not self._elsewhere(address, given):
            raise self._space.outside(domain, address, given)
        return UNSET if value is REJECTED else value

    def _accepted(self, hyperparameter: Independent, mixture: Mixture, address: str) -> Any:
        """Return a mixture without the values that others' values or a limit exclude here; UNSET if none is left."""
        kept: dict[int, Any] = {}
        for i, value in enumerate(mixture.values):
            accepted = hyperparameter.domain.accept(value)
            if accepted is not REJECTED:
                kept[i] = accepted
            elif not self._elsewhere(address, value):
                raise self._outside(hyperparameter.domain, value, mixture, address)
        if not kept:
            return UNSET
        active = [position for position, i in enumerate(kept) if i in mixture.active]
        weights = [mixture.numbers[i] if active else 0.0 for i in kept]  # no active position would mean all of them
        return Mixture(tuple(kept.values()), weights, tuple(active))

    def _elsewhere(self, address: str, value: Any) -> bool:
        """Return whether a decision with an address can take a value in some alternative."""
        found = [hyperparameter.made for hyperparameter in find(self._program, address)]
        return any(h.depending is not None or h.domain.accept(value) is not REJECTED for h in found)

    def _outside(self, domain: Domain, value: Any, mixture: Mixture, address: str) -> ValueOutsideDomain:
        close = nearest(value, domain.values()) if domain.size <= _MOST_STEPS else ""
        return ValueOutsideDomain(
            f"{address}: {value!r} is not {domain}.\n"
            f"  Got {value!r} ({type(value).__name__}) in {mixture!r}, for space `{self._space.name}`.\n"
            f"  Mix values of the domain, or check that this mixture was made for this space.{close}"
        )

    def _rows(
        self, frame: Frame, hyperparameters: Iterable[Independent], given: Mapping[str, Any], apart: bool
    ) -> list[_Row]:
        """Return the joint values of some hyperparameters: `apart` for each alternative, else together."""
        rows = [_Row(1.0, 1.0, {}, {})]
        for hyperparameter in hyperparameters:
            slot = frame.fragment.slot_of(hyperparameter)
            rows = [new for row in rows for new in self._decided(frame, hyperparameter, slot, row, given, apart)]
            if len(rows) > MOST_BOXES:
                raise self._too_much(slot_address(up(frame, slot.levels), slot.place))
        return rows

    def _decided(
        self, frame: Frame, hyperparameter: Independent, slot: Slot, row: _Row, given: Mapping[str, Any], apart: bool
    ) -> list[_Row]:
        owner = up(frame, slot.levels)
        address = slot_address(owner, slot.place)
        self.met[address] = None
        if address in given:
            row.binding[hyperparameter] = given[address]
            return [row]
        values, unfolding = owner.values, self.relaxed.unfolding
        values += [UNSET] * (slot.place + 1 - len(values))
        decision = values[slot.place]
        if decision is UNSET:
            decision = self._asked(hyperparameter, address, owner, row)
        if decision is UNSET and row.relaxed and address in self._mixtures:
            return []  # the values of the others leave none of its own
        if isinstance(decision, Mixture):
            self.relaxed.mixtures[address] = decision
        elif decision is not UNSET and values[slot.place] is UNSET:
            values[slot.place] = unfolding.values[address] = decision
        if not apart or not isinstance(decision, Mixture):
            row.binding[hyperparameter] = UNSET if isinstance(decision, Mixture) else decision
            return [row]
        rows: list[_Row] = []
        for i, (value, weight) in enumerate(zip(decision.values, decision.numbers, strict=True)):
            counts = row.weight * weight if i in decision.active else 0.0
            binding, relaxed = {**row.binding, hyperparameter: value}, {**row.relaxed, address: value}
            rows.append(_Row(counts, row.given * weight, binding, relaxed))
        return rows

    def _asked(self, hyperparameter: Independent, address: str, owner: Frame, row: _Row) -> Any:
        unfolding = self.relaxed.unfolding
        if hyperparameter.depending is not None:
            if any(row.binding.get(root, UNSET) is UNSET for root in roots(hyperparameter.parents)):
                if address not in self._mixtures:
                    unfolding.waiting[address] = (hyperparameter, owner)
                return self._mixtures.get(address, UNSET)  # no domain is known yet, so any value may be in it
            hyperparameter = hyperparameter.depending.narrowed(hyperparameter, domain_at(hyperparameter, row.binding))
        decision = self._choose(hyperparameter, address, owner)
        if decision is UNSET:
            unfolding.open[address] = (hyperparameter, owner)
        return decision

    def _settle(self, frame: Frame, hyperparameters: Iterable[Any], given: Mapping[str, Any]) -> _Row:
        """Ask for what some hyperparameters come from, and compute those that are known with it."""
        row = self._rows(frame, roots(hyperparameters), given, apart=False)[0]
        for hyperparameter in closure(hyperparameters):
            if isinstance(hyperparameter, Dependent):
                slot = frame.fragment.slot_of(hyperparameter)
                owner = up(frame, slot.levels)
                addresses = [self._address(frame, root) for root in roots([hyperparameter])]
                if not any(address in given for address in addresses):
                    owner.values.extend([UNSET] * (slot.place + 1 - len(owner.values)))
                    owner.values[slot.place] = _value(hyperparameter, row.binding)
        return row

    @staticmethod
    def _address(frame: Frame, hyperparameter: Hyperparameter) -> str:
        slot = frame.fragment.slot_of(hyperparameter)
        return slot_address(up(frame, slot.levels), slot.place)

    # --- calls ---------------------------------------------------------------------------------------------------

    def _fragment(self, frame: Frame, given: Mapping[str, Any]) -> Recursive[tuple[tuple[int, ...], _Footprint]]:
        self._n_steps += 1
        footprint: _Footprint = {}
        for call in frame.fragment.live_calls:
            if frame.env[call.index] is None:
                _join(footprint, (yield self._call(frame, call, given)))
        self._settle(frame, frame.fragment.config.values(), given)
        outputs: list[Any] = []
        for reference in frame.fragment.outputs:
            found, more = yield self._read(frame, reference, given)
            outputs += found if isinstance(found, tuple) else [found]
            _join(footprint, more)
        return tuple(outputs), footprint

    def _read(self, frame: Frame, reference: Reference, given: Mapping[str, Any]) -> Recursive[tuple[Any, _Footprint]]:
        owner, footprint = up(frame, reference.levels), dict[int, float]()
        if owner.env[reference.place] is None:  # captured, and not used where it was made
            footprint = yield self._call(owner, owner.fragment.call_at[reference.place], given)
        found = owner.env[reference.place]
        if reference.port is not None and isinstance(found, tuple):
            found = found[reference.port]
        return found, footprint

    def _call(self, frame: Frame, call: Call, given: Mapping[str, Any]) -> Recursive[_Footprint]:
        footprint: _Footprint = {}
        inputs: list[int] = []
        for reference in call.inputs:
            found, more = yield self._read(frame, reference, given)
            inputs.append(found)
            _join(footprint, more)
        arguments = [h for _, h in call.module.open_arguments]
        row = self._settle(frame, arguments, given)
        rows = self._rows(frame, call_roots(call), given, apart=True) if call.module.substitution else [row]
        values = [tuple([_value(h, each.binding) for h in arguments]) for each in rows]
        if call.module.substitution and not any(v is UNSET for row_values in values for v in row_values):
            inner = yield self._unfolded(frame, call, tuple(inputs), rows, values, given)
        else:
            taken = values[0] if len(rows) == 1 else (UNSET,) * len(arguments)
            plain = tuple([value for value in taken if not isinstance(value, Late)])
            key = (call, expansion_key(plain) if plain else ())
            inner = {self._add(frame, call, taken, tuple(inputs), self._n_outputs(call, taken), key): 1.0}
        _join(footprint, inner)
        return footprint

    @staticmethod
    def _n_outputs(call: Call, values: tuple[Any, ...]) -> int:
        late = any(value is UNSET or isinstance(value, Late) for value in values)
        if call.module.substitution or (late and not call.module.single):
            return max(call.ports, default=0) + 1
        return 1 if call.module.single else call.module.resolved(values).count_outputs(call.n_inputs)

    def _add(
        self, frame: Frame, call: Call, values: tuple[Any, ...], inputs: tuple[int, ...], n_outputs: int, key: Any
    ) -> int:
        """Add a node, or find the one that is the same in another alternative, and return the id of its first value."""
        key = (frame.prefix, inputs, key)
        first = self._known.get(key)
        if first is None:
            nodes = self.relaxed.unfolding.nodes
            first = self._known[key] = self._next
            nodes.append(Node(call, frame, values, inputs, first, n_outputs))
            self._next += n_outputs
            if len(nodes) > MOST_BOXES or self._n_steps > _MOST_STEPS:
                raise self._too_much(module_address(up(frame, call.home), call))
        frame.env[call.index] = first if n_outputs == 1 else tuple(range(first, first + n_outputs))
        return first

    def _too_much(self, address: str) -> NotCountable:
        return NotCountable(
            f"{address[:200]}: the super-network is too large to draw.\n  Got more than {MOST_BOXES} boxes.\n"
            "  Leave decisions out of the mixtures, which are drawn as one box then, or give some a value: "
            f"{{**mixtures, {address[:200]!r}: value}}."
        )

    # --- alternatives --------------------------------------------------------------------------------------------

    def _unfolded(
        self,
        frame: Frame,
        call: Call,
        inputs: tuple[int, ...],
        rows: Sequence[_Row],
        values: Sequence[tuple[Any, ...]],
        given: Mapping[str, Any],
    ) -> Recursive[_Footprint]:
        """Unfold each alternative, and join what they give."""
        if not any(row.relaxed for row in rows):
            outputs, footprint, _ = yield self._inside(frame, call, inputs, values[0], given)
            frame.env[call.index] = outputs[0] if len(outputs) == 1 else outputs
            return cast("_Footprint", footprint)
        if len(rows) > 1:
            inputs = tuple([self._forked(frame, call, i) for i in inputs])
        total: _Footprint = dict.fromkeys(inputs, 1.0) if len(rows) > 1 else {}
        joined: dict[Any, Branch] = {}  # by what they give, since several values may lead to the same
        for row, taken in zip(rows, values, strict=True):
            outputs, footprint, inner = yield self._inside(frame, call, inputs, taken, {**given, **row.relaxed})
            branch = self._branch(frame, call, taken, row, inner)
            if not any(i in footprint for i in outputs):  # and of no module that others are behind
                outputs, footprint = self._passing(inner, outputs, branch, footprint)
            for i, part in footprint.items():
                total[i] = total.get(i, 0.0) + part * row.weight
            before = joined.get((outputs, branch.text))
            joined[outputs, branch.text] = branch if before is None else before.joined(branch)
        self._told(joined.values())
        self._mixed(frame, call, [*joined.values()], [outputs for outputs, _ in joined], total)
        return total

    def _told(self, branches: Iterable[Branch]) -> None:
        """Keep the weights of alternatives whose addresses tell them, all that lead there together."""
        own: dict[str, Branch] = {}
        for branch in branches:
            own[branch.key] = branch if branch.key not in own else own[branch.key].joined(branch)
        self.relaxed.marked.update({key: branch for key, branch in own.items() if branch.marked})

    def _inside(
        self, frame: Frame, call: Call, inputs: tuple[int, ...], values: tuple[Any, ...], given: Mapping[str, Any]
    ) -> Recursive[tuple[tuple[int, ...], _Footprint, Frame]]:
        address = module_address(up(frame, call.home), call)
        fragment: Fragment = self._program.expand(cast("Any", call.module), values, len(inputs), address)
        prefix, frames = address + fragment.ending, self.relaxed.unfolding.frames
        before = frames.get(prefix)
        own = before.values if before is not None and before.fragment is fragment else fragment.unset.copy()
        env: list[Any] = [*inputs, *fragment.blank]
        inner = Frame(fragment, prefix, own, env, up(frame, call.lexical), frame, call)
        if before is None:
            frames[prefix] = inner
        else:
            self.relaxed.unfolding.again.append(inner)
        outputs, footprint = yield self._fragment(inner, given)
        return outputs, footprint, inner

    def _branch(self, frame: Frame, call: Call, values: tuple[Any, ...], row: _Row, inner: Frame) -> Branch:
        address, key = module_address(up(frame, call.home), call), inner.prefix.rstrip("/")
        names = [name for name, _ in call.module.open_arguments]
        text = chosen_text(names, values, candidate_names(call.module))
        return Branch(text, row.weight, row.given, key, address)

    def _forked(self, frame: Frame, call: Call, taken: int) -> int:
        made = call_of(Forked(), f"{call.name}<", call.home, call.index, 1)
        return self._add(frame, made, (), (taken,), 1, (call, "forked"))

    def _passing(
        self, inner: Frame, outputs: tuple[int, ...], branch: Branch, footprint: _Footprint
    ) -> tuple[tuple[int, ...], _Footprint]:
        """Let a node stand for an alternative that gives what it was given."""
        inner.env.append(None)
        call = call_of(Passing(len(outputs)), f"({branch.text})", 0, len(inner.env) - 1, len(outputs))
        first = self._add(inner, call, (), outputs, len(outputs), (inner.call, branch.text))
        self.relaxed.branches[first] = (branch,)
        return tuple(range(first, first + len(outputs))), {**footprint, first: 1.0}

    def _mixed(
        self, frame: Frame, call: Call, branches: list[Branch], joined: list[tuple[int, ...]], total: _Footprint
    ) -> None:
        address = branches[0].address
        if len({len(outputs) for outputs in joined}) > 1:
            raise ArityMismatch(
                f"{address}: expected as many values from each alternative.\n"
                f"  Got {', '.join([f'{len(o)} from {b.text}' for b, o in zip(branches, joined, strict=True)])}.\n"
                "  Let each function return as many as the others."
            )
        if len(joined) == 1:
            frame.env[call.index] = joined[0][0] if len(joined[0]) == 1 else joined[0]
            return
        inputs = tuple(chain.from_iterable(joined))
        made = call_of(Mixed(len(joined[0])), f"{call.name}+", call.home, call.index, len(inputs))
        first = self._add(frame, made, (), inputs, len(joined[0]), (call, "mixed"))
        self.relaxed.branches[first] = tuple(branches)
        total[first] = 1.0


def _value(hyperparameter: Any, binding: Mapping[Independent, Any]) -> Any:
    if any(binding.get(root, UNSET) is UNSET for root in roots([hyperparameter])):
        return UNSET
    return evaluate(hyperparameter, binding)


def _join(footprint: _Footprint, other: _Footprint) -> None:
    for i, part in other.items():
        footprint[i] = max(footprint.get(i, 0.0), part)
