"""Walking: the functions that a space can unfold to, each once, however many places they stand in.

Unlike counting, which needs every alternative, a walk has an end in every space: of endless or very many alternatives
it follows some, which are the same in each process.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from deep_arch.errors import DeepArchError
from deep_arch.language.dependence import evaluate
from deep_arch.language.domains import Choice, Domain, Integer, Real
from deep_arch.language.fragment import Call, Fragment
from deep_arch.language.holes import HOLE, Holed
from deep_arch.language.hyperparameters import Independent
from deep_arch.language.options import content_key
from deep_arch.language.program import Program
from deep_arch.language.qualified import module_of
from deep_arch.spaces.alternatives import Alternatives, Binding, call_roots
from deep_arch.spaces.place import Place
from deep_arch.spaces.restrictions import Restrictions
from deep_arch.spaces.wording import Wording, shortened

_MOST: Final = 3_000
"""Functions, or hundreds of calls in them, that are walked: half a second, and more than a published space has."""

_MOST_LEVELS: Final = 100
"""Functions inside one another that are walked; more is taken for recursion whose arguments grow."""

_MOST_VALUES: Final = 256
"""Values of one domain, or combinations of values for one call, that are all followed."""

_FEW: Final = 3
"""Values at the beginning of a longer domain that are followed, beside the last."""

_MOST_COPIES: Final = 10
"""Copies of one function that are listed, unless there are never so few; they are all alike."""

_LONGEST: Final = 200
"""Characters of what a line begins with; where functions nest deeper its middle is left out."""


class Met(NamedTuple):
    """A function where it is first met.

    Attributes:
        place: where it stands.
        shown: its address, with the values that led to it where the address does not tell.
        level: how many functions are around it.
        notes: what is known otherwise, or not followed.
    """

    place: Place
    shown: str
    level: int
    notes: list[str]


class Followed(NamedTuple):
    """The values of some hyperparameters that are followed.

    Attributes:
        bindings: the values.
        n_left_out: how many combinations there are beside them.
    """

    bindings: Sequence[Binding]
    n_left_out: float


def domains_of(program: Program) -> list[Domain]:
    """Return the domains of all hyperparameters of a program; none where some depend on values, or there are too many.

    Of what is met at several places one is looked at.
    """
    met = list(Walk(program, Restrictions(), Wording(module_of(program.fn))).met(program.root))
    found = [h for each in met for h in each.place.fragment.hyperparameters if isinstance(h, Independent)]
    is_whole = not any(h.depending for h in found) and not any(
        "followed" in note for each in met for note in each.notes
    )
    return [h.domain for h in found] if is_whole else []


class Walk:
    """A walk over what a program can unfold to within restrictions.

    Attributes:
        alternatives: what is fixed and left open at a place.
    """

    def __init__(self, program: Program, restrictions: Restrictions, words: Wording) -> None:
        self.alternatives = Alternatives(program, restrictions)
        self._restrictions, self._words = restrictions, words
        self._shown: dict[Any, str] = {}

    def met(self, root: Fragment) -> Iterator[Met]:
        """Yield each function once, by the number of rules around it and then breadth first.

        The notes are complete when the walk is.
        """
        now, later = deque([Met(Place(root, "", None), "", 0, [])]), deque[Met]()
        self._shown[self._key(now[0].place)] = ""
        n_left = float(_MOST)
        while now:
            each = now.popleft()
            yield each
            for call in each.place.fragment.calls if n_left > 0 else ():
                for inner in self._new(each, call):
                    (later if inner.place.depth > each.place.depth else now).append(inner)
                    n_left -= 1 + len(inner.place.fragment.calls) / 100
                if n_left <= 0:
                    each.notes.append(f"{each.shown}{call.name}: is the last that is followed, as there are very many")
                    break
            if not now:
                now, later = later, now

    def _new(self, each: Met, call: Call) -> Iterator[Met]:
        """Yield what a call unfolds to that was not met before, and note what was."""
        place, lead = each.place, each.shown if call.home == 0 else str(each.place.up(call.home).prefix)
        for binding in self._followed(each, call):
            try:
                inner = self.alternatives.at(place, call, binding, ()).place
            except Exception as error:  # values that do not fit, which may be excluded in another way
                each.notes.append(f"{lead}{call.name}{self._values(call, binding)}: {type(error).__name__}")
                continue
            marked = not call.module.nested and inner.fragment.label[-1:] != "]"
            values = self._values(call, binding) if marked else ""
            shown = shortened(f"{lead}{call.name}{values}{inner.fragment.ending}", _LONGEST)
            key = self._key(inner)
            if key not in self._shown:
                self._shown[key] = shown
                yield Met(inner, shown, each.level + 1, [])
            elif self._shown[key] != shown:
                each.notes.append(f"{shown} as {self._shown[key] or 'the whole'}")

    def _key(self, place: Place) -> Any:
        """Return what tells a function from others, and from itself at places where other things are fixed or open."""
        restrictions, around = self._restrictions, list[Any]()
        at: Place | None = place if restrictions.fixed or restrictions.predicate else None
        while at is not None:
            prefix = str(at.prefix)
            fixed = [(a[len(prefix) :], content_key(v)) for a, v in restrictions.fixed.items() if a.startswith(prefix)]
            around.append(prefix if restrictions.predicate else frozenset(fixed))
            at = at.parent
        return place.fragment, tuple(around)

    # --- values ------------------------------------------------------------------------------------------------------

    def _followed(self, each: Met, call: Call) -> Sequence[Binding]:
        place, module, most = each.place, call.module, self._restrictions.deepest
        if not module.substitution or any(self.alternatives.left_open(place, h) for h in call_roots(call)):
            return ()
        if most is not None and place.depth + module.deepens > most:
            return ()
        if each.level >= _MOST_LEVELS:
            each.notes.append(f"{each.shown}{call.name}: is nested too deep to be followed")
            return ()
        bindings, n_left_out = self.combinations(place, call_roots(call))
        if module.nested and bindings:
            return [self._longest(call, bindings)]
        if module.order_immaterial:
            return bindings[:1]
        if n_left_out:
            each.notes.append(f"{each.shown}{call.name}: {n_left_out:,} combinations of values more")
        return bindings

    def _longest(self, call: Call, bindings: Sequence[Binding]) -> Binding:
        """Return the values at which there are the most copies that are listed, of which fewer are the beginning."""

        def rank(binding: Binding) -> tuple[bool, int]:
            times = _times(call, binding)
            return 0 <= times <= _MOST_COPIES, times if times <= _MOST_COPIES else -times

        return max(bindings, key=rank)

    def combinations(self, place: Place | None, decisive: Sequence[Independent]) -> Followed:
        """Return values of some hyperparameters, of which those that others' domains depend on come first.

        All combinations, or of very many those in which one value is not the first.
        """
        fixed = {} if place is None else self.alternatives.fixed(place, decisive)
        followed = self._combined([*decisive], fixed, every=True)
        if followed is None:
            followed = self._combined([*decisive], fixed, every=False)
        assert followed is not None, "few values are followed of each"
        return followed

    def _combined(self, decisive: list[Independent], fixed: Binding, every: bool) -> Followed | None:
        """Return combinations of values, all if `every` and they are not too many, else None."""
        found: list[tuple[dict[Independent, Any], bool]] = [({}, False)]
        n_all: float = 1
        for hyperparameter in decisive:
            extended: list[tuple[dict[Independent, Any], bool]] = []
            size: float = 0
            for binding, is_other in found:
                try:
                    values, n = self._listed(hyperparameter, binding, fixed)
                except DeepArchError:  # there is no domain at these values
                    continue
                size = max(size, n)
                taken = values if every or not is_other else values[:1]
                extended += [({**binding, hyperparameter: v}, is_other or i > 0) for i, v in enumerate(taken)]
                if every and len(extended) > _MOST_VALUES:
                    return None
            found, n_all = extended, n_all * size
        return Followed([binding for binding, _ in found], max(n_all - len(found), 0))

    def _listed(self, hyperparameter: Independent, binding: Binding, fixed: Binding) -> tuple[Sequence[Any], float]:
        if hyperparameter in fixed:
            return [fixed[hyperparameter]], 1
        domain = self.alternatives.domain(hyperparameter, binding)
        hole = [HOLE] if isinstance(domain, Holed) else []
        return [*_some(domain), *hole], domain.size + len(hole)

    def _values(self, call: Call, binding: Mapping[Independent, Any]) -> str:
        """Return the values of what decides a call, as text; nothing if nothing does."""
        try:
            given = [f"{k}={self._words.of(evaluate(h, binding))}" for k, h in call.module.open_arguments]
        except DeepArchError:
            given = [f"{h.text}={self._words.of(value)}" for h, value in binding.items()]
        return "{" + ", ".join(given) + "}" if given else ""


def _times(call: Call, binding: Binding) -> int:
    """Return how many copies a call stands for at some values, or -1 where these do not fit."""
    try:
        times = evaluate(call.module.arguments["times"], binding)
    except DeepArchError:
        return -1
    return times if type(times) is int else -1


def _some(domain: Domain) -> Sequence[Any]:
    """Return the values of a domain, or of very many the first and the last."""
    if isinstance(domain, Real):
        return [domain.low, domain.high]
    if domain.size <= _MOST_VALUES or isinstance(domain, Choice):
        return [*domain.values()]
    first = [*itertools.islice(domain.values(), _FEW)]
    return [*first, domain.high] if isinstance(domain, Integer) else [*first, domain.at(int(domain.size) - 1)]
