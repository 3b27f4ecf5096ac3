"""Productions: a space's rules as a grammar, whose productions are small programs around further rules.

They are read off the space's own partial states. Where a rule stands and some of its own choices are made, the calls
between its inputs and its outputs are followed backwards: a call of a rule is a hole for a term of that rule, and a
scan is one for a body. Only choices that this needs are made, so that nothing is read twice.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from deep_arch.errors import NotCountable, NotSpecified, NotSupported
from deep_arch.grammars.blocks import Block, Hole, Loop, Nonterminal, Operation, Production
from deep_arch.grammars.terms import closed
from deep_arch.language.dependence import roots
from deep_arch.language.domains import Domain
from deep_arch.language.fragment import Call
from deep_arch.language.modules import Module, Wrapped
from deep_arch.language.scans import Enter, Scan
from deep_arch.language.values import UNSET, Reference
from deep_arch.language.wrapping import made_with
from deep_arch.ops.plain_python import plain_function
from deep_arch.spaces.frames import Frame, Node, Unfolding
from deep_arch.spaces.graph import describe
from deep_arch.spaces.liveness import check_cut
from deep_arch.spaces.place import module_address, up
from deep_arch.spaces.space import SearchSpace
from deep_arch.spaces.trampoline import Recursive, run
from deep_arch.spaces.unfolding import unfold

Meaning: TypeAlias = "Callable[[Module], Callable[..., Any]]"
"""From an operation, with values for its arguments, to the function that it is."""

_MANY: Final = 100_000
"""Values of one choice that are listed."""


def meaning_of(module: Module) -> Callable[..., Any]:
    """Return the function that an operation is in plain Python.

    Raises:
        NotSupported: it has none.
    """
    if (function := plain_function(module)) is not None:
        return function
    if isinstance(module, Wrapped):
        return made_with(module.factory, module.arguments)  # type: ignore[no-any-return]
    raise NotSupported(
        f"{module.base_name}: has no meaning in plain Python, so that it cannot be run on examples.\n"
        f"  Got {module!r}.\n  Give the class a method `to_python(self, *values)`, make the module with "
        "da.wrap(factory), or say what it means: BottomUp(..., meaning=fn)."
    )


class Grammar:
    """The rules of a space, read as they are needed.

    Attributes:
        space: the space.
        meaning: of operations.
        most: the size of the largest programs, where `limit` says it.
        root: the whole space.

    Raises:
        NotSupported: an operation without a meaning; a rule that reads what is around it; a module called twice.
        NotSpecified: what the space leaves open, or shapes decide.
        NotCountable: a choice of endlessly many values.
    """

    def __init__(self, space: SearchSpace, meaning: Meaning = meaning_of) -> None:
        self.space, self.meaning = space, meaning
        self.most = space.restrictions.max_size
        self._restrictions = space.restrictions
        if self.most is not None:  # sizes are the enumeration's; what a rule can become must not depend on its place
            self._restrictions = dataclasses.replace(space.restrictions, max_size=None)
        self._known: dict[Any, Nonterminal] = {}
        self.root = Nonterminal(space.name, 0, self._productions({}, ""))

    def rule(self, frame: Frame, values: Mapping[str, Any]) -> Nonterminal:
        """Return what stands at a frame of a rule, for all places where the same can stand."""
        restrictions, prefix = self._restrictions, frame.prefix
        depth = None if restrictions.max_depth is None else frame.depth
        alone = restrictions.predicate is not None or any(a.startswith(prefix) for a in restrictions.addresses)
        key = (frame.fragment, depth, prefix if alone else None)
        if key not in self._known:
            name = prefix.rstrip("/").rpartition("/")[2]
            self._known[key] = Nonterminal(name, 1, self._productions(values, prefix))
        return self._known[key]

    def _productions(self, around: Mapping[str, Any], prefix: str) -> Iterator[Production]:
        """Yield the productions of what stands at a prefix, where some values lead to it."""
        todo: list[dict[str, Any]] = [{}]
        while todo:
            own = todo.pop()
            values = {**around, **own}
            unfolding = self._unfolded(values)
            try:
                block = _Reading(self, unfolding, unfolding.frames[prefix], values).block()
            except _OpenError as needed:
                domain = self._domain(needed.address, unfolding)
                todo += [{**own, needed.address: value} for value in reversed(list(domain.values()))]
                continue
            yield Production(block, {address[len(prefix) :]: value for address, value in own.items()})

    def _unfolded(self, values: Mapping[str, Any]) -> Unfolding:
        """Unfold the space at some values; unlike its own unfoldings with what outputs do not depend on."""
        choose = self._restrictions.around(lambda _hyperparameter, address, _frame: values.get(address, UNSET))
        unfolding = unfold(self.space.program, choose, self._restrictions.max_depth)
        check_cut(unfolding, self._restrictions)
        return unfolding

    def _domain(self, address: str, unfolding: Unfolding) -> Domain:
        hyperparameter, frame = unfolding.open[address]
        if not self._restrictions.keeps(address, hyperparameter):
            raise NotSpecified(
                f"{address}: is left open, and what depends on it cannot be run on examples.\n"
                f"  Got the space {self.space!r}.\n  Keep it in `where`, or fix it: space.fix({{{address!r}: ...}})."
            )
        domain = self._restrictions.offered(hyperparameter, frame)
        if domain.size > _MANY:
            raise NotCountable(
                f"{address}: too many values to try each.\n  Got {domain}.\n"
                "  Use a smaller domain, fix it, or make a grid of real numbers with space.discretize(levels=...)."
            )
        return domain


class _OpenError(Exception):
    def __init__(self, address: str) -> None:
        self.address = address


@dataclass(eq=False)
class _Scope:
    """A block that is being read: its frame, the scope around a body, and the slots of what was met."""

    block: Block
    frame: Frame
    around: _Scope | None = None
    slots: dict[tuple[int, int], tuple[int, ...]] = field(default_factory=dict[tuple[int, int], tuple[int, ...]])
    captured: dict[int, int] = field(default_factory=dict[int, int])  # slots around the body to slots in it


class _Reading:
    """One production, read off an unfolding in which everything that it needs is decided."""

    def __init__(self, grammar: Grammar, unfolding: Unfolding, home: Frame, values: Mapping[str, Any]) -> None:
        self._grammar, self._home, self._values = grammar, home, values
        frames = [*unfolding.frames.values(), *unfolding.again]
        self._inner = {(id(f.caller.env), f.call.index): f for f in frames if f.caller is not None and f.call}
        self._nodes = {(id(node.frame.env), node.call.index): node for node in unfolding.nodes}
        self._open, self._met = unfolding.open, dict[str, Hole]()

    def block(self) -> Block:
        n = self._home.fragment.n_inputs
        scope = _Scope(Block(n, n_slots=n), self._home)
        block = scope.block
        block.outputs = run(self._all(scope, self._home, _outputs(self._home)))
        block.single = len(block.outputs) == 1
        return block

    def _all(self, scope: _Scope, frame: Frame, references: Any) -> Recursive[tuple[int, ...]]:
        found: list[int] = []
        for reference in references:
            found.append((yield self._value(scope, frame, reference)))
        return tuple(found)

    def _value(self, scope: _Scope, frame: Frame, reference: Reference) -> Recursive[int]:
        """Return the slot of what a reference stands for, once what gives it is in the block."""
        owner = up(frame, reference.levels)
        if not _within(owner, scope.frame):
            if scope.around is None:
                raise self._reads_around(reference, owner)
            outside = yield self._value(scope.around, owner, reference._replace(levels=0))
            if outside not in scope.captured:
                scope.captured[outside] = -1 - len(scope.captured)  # numbered when the body is read
            return scope.captured[outside]
        if reference.place < owner.fragment.n_inputs:
            if owner.env is scope.frame.env:
                return reference.place
            assert owner.caller is not None and owner.call is not None, "only the outermost stands for no call"
            slot: int = yield self._value(scope, owner.caller, owner.call.inputs[reference.place])
            return slot
        key = (id(owner.env), reference.place)
        call, inner = owner.fragment.call_at[reference.place], self._inner.get(key)
        self._check_own(owner, call)
        if inner is not None and not call.module.deepens and not isinstance(call.module, Scan):
            slot = yield self._value(scope, inner, _outputs(inner)[reference.port or 0])
            return slot
        if key not in scope.slots:
            if inner is None:
                scope.slots[key] = yield self._operation(scope, self._nodes[key])
            elif call.module.deepens:
                scope.slots[key] = yield self._hole(scope, owner, call, inner)
            else:
                scope.slots[key] = yield self._loop(scope, owner, call, inner)
        return scope.slots[key][reference.port or 0]

    def _operation(self, scope: _Scope, node: Node) -> Recursive[tuple[int, ...]]:
        call, frame = node.call, node.frame
        for (name, _), slot, value in zip(call.module.open_arguments, call.arguments, node.values, strict=True):
            if value is UNSET:
                raise _OpenError(next(a for a in describe(name, slot, frame).waits_for if a in self._open))
        address = module_address(up(frame, call.home), call)
        if call.module.measures:
            raise NotSpecified(
                f"{address}: depends on the shape of a value, and examples have none.\n  Got {call.module!r}.\n"
                "  Give it a number, or a choice of numbers."
            )
        inputs = yield self._all(scope, frame, call.inputs)
        function = self._grammar.meaning(call.module.resolved(node.values))
        return scope.block.add(Operation(function, inputs, scope.block.slots(node.n_outputs)))

    def _hole(self, scope: _Scope, owner: Frame, call: Call, inner: Frame) -> Recursive[tuple[int, ...]]:
        inputs = yield self._all(scope, owner, call.inputs)
        if inner.prefix in self._met:
            met = self._met[inner.prefix]
            if met.inputs == inputs and met in scope.block.holes:
                return met.outputs
            raise NotSupported(
                f"{inner.prefix.rstrip('/')}: one use of a rule is called on several values, so that its term would "
                "have to do for all.\n  Got two calls of one module.\n  Call the rule once for each: e()(x), e()(y)."
            )
        n = _n_values(owner.env[call.index])
        nonterminal = self._grammar.rule(inner, self._values)
        prefix = inner.prefix[len(self._home.prefix) :]
        hole = self._met[inner.prefix] = Hole(nonterminal, inputs, scope.block.slots(n), prefix)
        return scope.block.add(hole)

    def _loop(self, scope: _Scope, owner: Frame, call: Call, inner: Frame) -> Recursive[tuple[int, ...]]:
        inputs = yield self._all(scope, owner, call.inputs)
        enter, left = inner.fragment.calls[0], inner.fragment.calls[-1]
        assert isinstance(enter.module, Enter), "a scan begins with its entry"
        carry, n = enter.module.carry, len(inputs)
        body = _Scope(Block(n, single=False, n_slots=n), inner, scope)
        body.slots[id(inner.env), enter.index] = (-1, *range(n))
        given = yield self._all(body, inner, left.inputs[1 + carry :])
        _number_captured(body, given)
        of = Nonterminal(call.name, 0, iter([Production(body.block, {})]))
        inputs, outputs = (*inputs, *body.captured), scope.block.slots(len(given))
        loop = Loop(of, inputs, outputs, carry, n - carry, bool(left.module.arguments["reverse"]))
        return scope.block.add(loop if body.block.holes else Operation(closed(loop, body.block), inputs, outputs))

    def _check_own(self, frame: Frame, call: Call) -> None:
        """Raise NotSupported where a call depends on a choice that is made outside of the rule."""
        for hyperparameter in roots([h for _, h in call.module.open_arguments]):
            slot = frame.fragment.slot_of(hyperparameter)
            owner = up(frame, slot.levels)
            address = f"{owner.prefix}{owner.fragment.suffixes[slot.place]}"
            if not _within(owner, self._home) and address not in self._grammar.space.restrictions.fixed:
                raise NotSupported(
                    f"{address}: is shared by applications of rules, so that their terms cannot be found one by one.\n"
                    f"  Got a use of it in {self._home.prefix.rstrip('/')}.\n"
                    f"  Fix it, and search once for each value: space.fix({{{address!r}: ...}})."
                )

    def _reads_around(self, reference: Reference, owner: Frame) -> NotSupported:
        names = owner.fragment.program.input_names if owner.prefix == "" else ()
        what = names[reference.place] if reference.place < len(names) else "a value"
        rule = self._home.prefix.rstrip("/").rpartition("/")[2]
        return NotSupported(
            f"{self._home.prefix.rstrip('/')}: the rule reads what is around it, so that its terms cannot be found "
            f"apart from there.\n  Got a use of {what} of {owner.prefix.rstrip('/') or 'the space'}.\n"
            f"  Give it to the rule as an input: {rule}()(x, {what})."
        )


def _number_captured(body: _Scope, given: tuple[int, ...]) -> None:
    """Give slots to what a body captures, which come after its other inputs, and move all others behind these."""
    block, n, m = body.block, body.block.n_inputs, len(body.captured)

    def moved(slots: tuple[int, ...]) -> tuple[int, ...]:
        return tuple([n - 1 - slot if slot < 0 else slot if slot < n else slot + m for slot in slots])

    block.segments = [[Operation(o.function, moved(o.inputs), moved(o.outputs)) for o in s] for s in block.segments]
    block.holes = [_moved(hole, moved) for hole in block.holes]
    block.outputs, block.n_inputs, block.n_slots = moved(given), n + m, block.n_slots + m


def _moved(hole: Hole | Loop, moved: Callable[[tuple[int, ...]], tuple[int, ...]]) -> Hole | Loop:
    inputs, outputs = moved(hole.inputs), moved(hole.outputs)
    if isinstance(hole, Hole):
        return Hole(hole.of, inputs, outputs, hole.prefix)
    return Loop(hole.of, inputs, outputs, hole.carry, hole.n_sequences, hole.reverse)


def _outputs(frame: Frame) -> list[Reference]:
    """Return references to what a fragment gives, one for each value."""
    found: list[Reference] = []
    for reference in frame.fragment.outputs:
        n = _n_values(up(frame, reference.levels).env[reference.place])
        if reference.port is None and n > 1:
            found += [reference._replace(port=port) for port in range(n)]
        else:
            found.append(reference)
    return found


def _n_values(given: int | tuple[int, ...]) -> int:
    """Return how many values stand where a call's results stand."""
    return 1 if isinstance(given, int) else len(given)


def _within(frame: Frame, home: Frame) -> bool:
    at: Frame | None = frame
    while at is not None and at.env is not home.env:
        at = at.caller
    return at is not None
