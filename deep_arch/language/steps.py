"""Steps: what an unfolding does with a frozen fragment, in order.

A step is its kind and its fields, which have names: each branch of the loop in `spaces.unfolding` unpacks those of its
own kind. Slots and inputs of a *near* call are all the fragment's own, and are taken by position; those of a *far* one
are found along the enclosing functions, or its inputs are among several outputs.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from deep_arch.language.dependence import roots
from deep_arch.language.hyperparameters import Dependent, Hyperparameter, Independent
from deep_arch.language.values import Slot

if TYPE_CHECKING:
    from deep_arch.language.fragment import Call, Fragment

LEAF: Final = 0
CHOOSE: Final = 1
SUBSTITUTE: Final = 2
FAR_LEAF: Final = 3
FAR_SUBSTITUTE: Final = 4
REACH: Final = 5
COMPUTE: Final = 6
CONFIGURE: Final = 7
ASK: Final = 8

CALLS: Final = (LEAF, SUBSTITUTE, FAR_LEAF, FAR_SUBSTITUTE)
"""The kinds whose first field is a call."""

Take = Callable[[list[Any]], tuple[Any, ...]] | int | None
"""What takes some places out of a list as a tuple; where it is one, the place itself, and for none None: quicker."""


class Leaf(NamedTuple):
    """Make a node of a near call, which gives one value, at `place`."""

    call: Call
    take_values: Take
    take_inputs: Take
    place: int


class Choose(NamedTuple):
    """Have an own hyperparameter assigned, whose address ends in `suffix`."""

    hyperparameter: Independent
    slot: int
    suffix: str


class Substitute(NamedTuple):
    """Unfold a near call of a substitution, or make a node of it where a value is open."""

    call: Call
    name: str
    take_values: Take
    take_inputs: Take
    expansions: dict[Any, Fragment]


class FarLeaf(NamedTuple):
    """Make a node of a far call."""

    call: Call


class FarSubstitute(NamedTuple):
    """Unfold a far call of a substitution, or make a node of it where a value is open."""

    call: Call
    name: str
    expansions: dict[Any, Fragment]


class Reach(NamedTuple):
    """Have a hyperparameter of an enclosing function assigned, `levels` up."""

    levels: int
    slot: int
    hyperparameter: Independent


class Ask(NamedTuple):
    """Have a hyperparameter assigned, `levels` up, whose domain depends on what stands in slots or for itself."""

    levels: int
    slot: int
    hyperparameter: Independent
    parents: list[Any]


class Compute(NamedTuple):
    """Compute a dependent hyperparameter, `levels` up, from what stands in slots or for itself."""

    levels: int
    slot: int
    dependent: Dependent
    parents: list[Any]


class Configure(NamedTuple):
    """Collect configuration: plain values, and hyperparameters by their slots."""

    entries: dict[str, Any]


Step = tuple[int, tuple[Any, ...]]
"""A kind, and the fields of its class as a plain tuple, which unpacks much faster than a named one."""


def compiled(fragment: Fragment, wanted: Iterable[int], with_config: bool) -> tuple[tuple[Step, ...], set[int]]:
    """Return the steps for the calls that `wanted` depends on, and everything that these use."""
    used = set(wanted)
    for call in reversed(fragment.calls):
        if call.index in used:
            used.update(ref.place for ref in call.inputs if ref.levels == 0)
    config = fragment.config if with_config else {}
    steps = _Compiler(fragment, used, config).steps()
    return tuple([(kind, tuple(fields)) for kind, fields in steps]), used


class _Compiler:
    def __init__(self, fragment: Fragment, used: set[int], config: Mapping[str, Any]) -> None:
        self._fragment, self._used, self._config = fragment, used, config
        live = [call for call in fragment.calls if call.index in used]
        arguments = [h for call in live for _, h in call.module.open_arguments]
        decisive = roots([*arguments, *config.values()])
        self._own = {h.slot for h in decisive if h.owner is fragment}
        self._depending = {h.slot for h in decisive if h.owner is fragment and h.depending is not None}
        self._reached: set[Slot] = set()

    def steps(self) -> Iterator[Step]:
        fragment = self._fragment
        for made in fragment.created:
            if isinstance(made, int):
                hyperparameter = fragment.hyperparameters[made]
                if made in self._own and isinstance(hyperparameter, Independent):
                    if hyperparameter.depending is None:
                        yield CHOOSE, Choose(hyperparameter, made, fragment.suffixes[made])
                    else:
                        yield from self._reach(Slot(0, made))
            elif made.index in self._used:
                for slot in made.arguments:
                    yield from self._reach(slot)
                yield _call_step(made)
        if self._config:
            config = self._config.items()
            entries = {k: fragment.slot_of(v) if isinstance(v, Hyperparameter) else v for k, v in config}
            for slot in entries.values():
                if isinstance(slot, Slot):
                    yield from self._reach(slot)
            yield CONFIGURE, Configure(entries)

    def _reach(self, wanted: Slot) -> Iterator[Step]:
        """Yield what it takes for a slot to hold a value: parents first."""
        fragment, todo = self._fragment, [wanted]
        while todo:
            slot = todo[-1]
            hyperparameter = fragment.owner_at(slot.levels).hyperparameters[slot.place]
            if self._is_known(slot):
                todo.pop()
            elif isinstance(hyperparameter, Independent) and hyperparameter.depending is None:
                yield REACH, Reach(slot.levels, slot.place, hyperparameter)
                self._reached.add(slot)
            else:
                assert isinstance(hyperparameter, Independent | Dependent), "there are no other hyperparameters"
                parents = [fragment.slot_of(p) if isinstance(p, Hyperparameter) else p for p in hyperparameter.parents]
                missing = [p for p in parents if isinstance(p, Slot) and not self._is_known(p)]
                if missing:
                    todo += missing
                    continue
                if isinstance(hyperparameter, Independent):
                    yield ASK, Ask(slot.levels, slot.place, hyperparameter, parents)
                else:
                    yield COMPUTE, Compute(slot.levels, slot.place, hyperparameter, parents)
                self._reached.add(slot)

    def _is_known(self, slot: Slot) -> bool:
        """Return whether a slot is reached, or holds an own hyperparameter that was asked for when it was made."""
        is_own = slot.levels == 0 and slot.place in self._own and slot.place not in self._depending
        return is_own or slot in self._reached


def _call_step(call: Call) -> Step:
    substitution = call.module.substitution
    if not _is_near(call):
        if substitution:
            return FAR_SUBSTITUTE, FarSubstitute(call, call.name, call.module.expansions(len(call.inputs)))
        return FAR_LEAF, FarLeaf(call)
    values, inputs = _taking([s.place for s in call.arguments]), _taking([r.place for r in call.inputs])
    inputs = _nothing if inputs is None else inputs
    if substitution:
        return SUBSTITUTE, Substitute(call, call.name, values, inputs, call.module.expansions(len(call.inputs)))
    return LEAF, Leaf(call, values, inputs, call.index)


def _is_near(call: Call) -> bool:
    near = call.home == 0 and all(slot.levels == 0 for slot in call.arguments)
    near = near and all(ref.levels == 0 and ref.port is None for ref in call.inputs)
    return near and (call.module.substitution or call.module.single)


def _nothing(_: list[Any]) -> tuple[Any, ...]:
    return ()


def _taking(places: Sequence[int]) -> Take:
    if len(places) < 2:
        return places[0] if places else None
    return operator.itemgetter(*places)
