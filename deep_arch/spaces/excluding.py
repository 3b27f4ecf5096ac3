"""Excluding: what `without` is given, as exclusions that are checked against the space."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from deep_arch.errors import (
    InvalidDomain,
    NotCountable,
    UnknownAddress,
    ValueOutsideDomain,
    is_kind,
    nearest,
    wrong_kind,
)
from deep_arch.language.dependence import roots
from deep_arch.language.domains import REJECTED
from deep_arch.language.hyperparameters import Independent
from deep_arch.language.late_binding import checked
from deep_arch.spaces.alternatives import Alternatives
from deep_arch.spaces.depths import ENDLESS, can_end
from deep_arch.spaces.exclusions import MOST_VALUES, Exclusion, local_name
from deep_arch.spaces.finding import find
from deep_arch.spaces.place import Place

if TYPE_CHECKING:
    from deep_arch.spaces.space import SearchSpace

_MOST: Final = 3_000
"""Functions that are looked at for what an exclusion means; where there are more, what is not found is let through."""


def exclusions(space: SearchSpace, given: Sequence[Any]) -> tuple[Exclusion, ...]:
    """Return the exclusions that `without` is given.

    Raises:
        BadArgument: what is no name, mapping or predicate.
        UnknownAddress, ValueOutsideDomain: nothing in the space is called so, or has such a value.
        InvalidDomain: a value is to be taken out of an interval.
    """
    met = _Met(space)
    return tuple([exclusion for one in given for exclusion in _of(space, one, met)])


def check(space: SearchSpace) -> None:
    """Check that a sub-space has values left wherever it needs some, and programs.

    Raises:
        InvalidDomain: it has not.
    """
    restrictions, root = space.restrictions, space.program.root
    for address, value in restrictions.fixed.items():
        for hyperparameter in find(space.program, address):
            domain = hyperparameter.domain
            if restrictions.fixes(address, domain) and (
                restrictions.narrowed(hyperparameter, domain, address).accept(value) is REJECTED
            ):
                raise InvalidDomain(
                    f"{address}: is fixed to {value!r}, so that cannot be taken out.\n  Got a sub-space without it.\n"
                    "  Leave it in, or fix another value."
                )
    _Met(space)  # which raises where nothing is left of a domain
    with contextlib.suppress(NotCountable):
        if not can_end(root, ENDLESS if restrictions.deepest is None else restrictions.deepest, restrictions):
            raise nothing_ends(space)


def nothing_ends(space: SearchSpace) -> InvalidDomain:
    """Return the error for a sub-space that has no program."""
    return InvalidDomain(
        f"{space.name}: no program can end without what is taken out.\n  Got {space!r}.\n"
        "  Leave in an alternative of each rule that ends, or raise the limit."
    )


class _Met:
    """The hyperparameters that a space reaches.

    Attributes:
        all: the hyperparameters.
        complete: whether these are all.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.all: dict[Independent, None] = {}
        self.complete = True
        self._alternatives = Alternatives(space.program, space.restrictions)
        fragments, todo = {space.program.root}, [Place(space.program.root, "", None)]
        while todo:
            place = todo.pop()
            for inner in self._inside(place):
                if inner.fragment not in fragments and len(fragments) < _MOST:
                    fragments.add(inner.fragment)
                    todo.append(inner if space.restrictions.at_places else inner._replace(prefix=None))
        self.complete = self.complete and len(fragments) < _MOST

    def _inside(self, place: Place) -> Iterator[Place]:
        fragment = place.fragment
        arguments = [h for call in fragment.live_calls for _, h in call.module.open_arguments]
        for hyperparameter in roots([*arguments, *fragment.config.values()]):
            self.all[hyperparameter] = None
            if not hyperparameter.parents:
                self._alternatives.domain(hyperparameter, place=place)
        for call in fragment.live_calls:
            try:
                if self._alternatives.unfolds(place, call) and not self._alternatives.endless(place, call):
                    yield from [alternative.place for alternative in self._alternatives.of(place, call)]
            except NotCountable:
                self.complete = False


def _of(space: SearchSpace, given: Any, met: _Met) -> Iterator[Exclusion]:
    if is_kind(given, str):
        yield _checked(space, None, given, met)
    elif is_kind(given, Mapping):
        for key, values in given.items():
            yield _checked(space, key, values, met)
    elif callable(given):
        yield Exclusion(None, (), checked(given, f"{space.name}.without"))
    else:
        mend = "Write without('Multiply'), without({'or.which': ['Multiply', 'Add']}) or without(predicate)."
        raise wrong_kind(f"{space.name}.without", "names, a mapping or a function of a point and a value", given, mend)


def _checked(space: SearchSpace, key: str | None, given: Any, met: _Met) -> Exclusion:
    meant = _meant(space, key, met)
    values = _values(meant, given)
    for value in values:
        if met.complete and not any(_has(hyperparameter, value) for hyperparameter in meant):
            raise _no_such_value(space, key, value, meant)
        if key is not None and any(_is_too_long(h) and _has(h, value) for h in meant):
            raise InvalidDomain(
                f"{key}: single values can be taken out where there are at most {MOST_VALUES:,}.\n  Got {value!r}.\n"
                "  Make another domain, or turn an interval into a grid with space.discretize(levels=...)."
            )
    return Exclusion(key, values)


def _meant(space: SearchSpace, key: Any, met: _Met) -> list[Independent]:
    """Return the hyperparameters that a key means."""
    if key is None:
        return [*met.all]
    exclusion = Exclusion(key)
    meant = [h for h in met.all if is_kind(key, str) and exclusion.concerns(h, None)] or find(space.program, key)
    if not meant and (met.complete or not is_kind(key, str) or "/" in key):
        names = [word for h in met.all for word in (local_name(h), h.tag) if word]
        raise UnknownAddress(
            f"{key}: space `{space.name}` has no hyperparameter with this address, name or tag.\n  Got {key!r}.\n"
            "  Take names from `unassigned`; in one, `*` stands for any text." + nearest(key, dict.fromkeys(names))
        )
    return meant


def _values(meant: Iterable[Independent], given: Any) -> tuple[Any, ...]:
    """Return what is to be taken out: one value, or those in a collection that is no value itself."""
    several = is_kind(given, list | tuple | set | frozenset) and not any(_has(h, given) for h in meant)
    return tuple(given) if several else (given,)


def _has(hyperparameter: Independent, value: Any) -> bool:
    return hyperparameter.depending is not None or hyperparameter.domain.accept(value) is not REJECTED


def _is_too_long(hyperparameter: Independent) -> bool:
    return hyperparameter.depending is None and hyperparameter.domain.size > MOST_VALUES


def _no_such_value(space: SearchSpace, key: str | None, value: Any, meant: Sequence[Independent]) -> Exception:
    known = [v for h in meant if not _is_too_long(h) and h.depending is None for v in h.domain.values()]
    where = f"{space.name}.without" if key is None else key
    return ValueOutsideDomain(
        f"{where}: {value!r} is none of the alternatives{'' if key is None else ' there'}.\n"
        f"  Got {value!r} ({type(value).__name__}).\n  Take a value of the choice's domain." + nearest(value, known)
    )
