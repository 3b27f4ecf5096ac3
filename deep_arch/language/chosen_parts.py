"""Parts that are decided: one of several candidates, several of them, or copies of one."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from types import FunctionType, MethodType
from typing import Any

from deep_arch.errors import BadArgument, InvalidDomain, is_kind, wrong_kind
from deep_arch.language.domains import Choice, Domain
from deep_arch.language.expressions import call_pieces
from deep_arch.language.foreign import plain
from deep_arch.language.hyperparameters import Hyperparameter, Independent
from deep_arch.language.part_modules import CopiedParts, OnePart, SeveralParts, record_list
from deep_arch.language.parts import DELETE, Part, candidate_step
from deep_arch.language.recording import Recording
from deep_arch.language.subsets import Permutation, Subset
from deep_arch.language.substitutions import check_keys
from deep_arch.language.values import Value
from deep_arch.language.weighted import Weighted


class OneOf(Part):
    """One of several candidates; see `choice`.

    Attributes:
        candidates: by what chooses them: their positions, or the keys of a dict.
        which: the hyperparameter whose value is such a key.
        given: whether that stands elsewhere too, and is not the choice's own.
    """

    __slots__ = ("candidates", "given", "which")

    def __init__(self, candidates: Mapping[Any, Any], which: Any, given: bool = False) -> None:
        self.candidates, self.which, self.given = dict(candidates), which, given

    def title(self) -> str:
        return "choice"

    def held(self) -> list[tuple[str, Any]]:
        candidates = [(candidate_step(key), value) for key, value in self.candidates.items()]
        return [*candidates, (".which", self.which)] if self.given else candidates

    def holding(self, held: Sequence[Any]) -> Any:
        which, held = (held[-1], held[:-1]) if self.given else (self.which, held)
        if not any(value is DELETE for value in held):
            return OneOf(dict(zip(self.candidates, held, strict=True)), which, self.given)
        kept = {key: value for key, value in zip(self.candidates, held, strict=True) if value is not DELETE}
        if self.given or not kept:
            raise BadArgument(
                f"{self!r}: a choice has {'what its which can name' if self.given else 'a candidate'}.\n"
                "  Got DELETE for it.\n  Put another candidate there, or replace the choice."
            )
        listed = [*self.candidates] == [*range(len(self.candidates))]
        kept = dict(enumerate(kept.values())) if listed else kept
        return OneOf(kept, Independent(Choice(kept), self.which.name, self.which.tag))

    def needs(self) -> list[tuple[str, Any]]:
        return [(".which", self.which)] if self.given else []

    def recorded(self, recording: Recording, path: str) -> Value:
        which = (
            recording.of(self.which)
            if self.given
            else recording.decision(self.which, recording.path(path, self.title()))
        )
        which = self.which if which is None else which
        return recording.call(OnePart(recording, self.candidates, which, path))

    def likeness(self) -> Any:
        return tuple(self.candidates), self.given

    def decided_by(self) -> Any:
        return None if self.given else self.which

    def pieces(self) -> list[Any]:
        listed = [*self.candidates] == [*range(len(self.candidates))]
        candidates: Any = list(self.candidates.values()) if listed else self.candidates
        return call_pieces("choice", [candidates], [("which", self.which)] if self.given else [])


class ManyOf(Part):
    """Several of several candidates, as a list; see `subset` and `permutation`.

    Attributes:
        candidates: in their order.
        taken: the hyperparameter whose value is a tuple of positions.
    """

    __slots__ = ("candidates", "taken")

    def __init__(self, candidates: Iterable[Any], taken: Any) -> None:
        self.candidates, self.taken = tuple(candidates), taken

    def title(self) -> str:
        return str(self.taken.kind.word)

    def held(self) -> list[tuple[str, Any]]:
        return [(f"[{i}]", value) for i, value in enumerate(self.candidates)]

    def holding(self, held: Sequence[Any]) -> Any:
        kept = [value for value in held if value is not DELETE]
        if len(kept) == len(self.candidates):
            return ManyOf(kept, self.taken)
        domain = self.taken.domain
        if isinstance(domain, Permutation):
            made: Domain = Permutation(range(len(kept)))
        else:
            made = Subset(range(len(kept)), domain.length, domain.distinct, domain.ordered)
        return ManyOf(kept, Independent(made, self.taken.name, self.taken.tag))

    def needs(self) -> list[tuple[str, Any]]:
        return []

    def recorded(self, recording: Recording, path: str) -> Value:
        if not self._each_alone():
            taken = recording.decision(self.taken, recording.path(path, self.title()))
            return recording.call(SeveralParts(recording, self.candidates, taken, path))
        candidates, chosen = dict(enumerate(self.candidates)), list[Value]()
        for i in range(self.taken.domain.length):
            place = f"{recording.path(path, self.title())}[{i}]"
            which = recording.hyperparameter(Independent(Choice(candidates), None, self.taken.tag), place)
            chosen.append(recording.call(OnePart(recording, candidates, which, place)))
        return record_list(recording, chosen, path)

    def _each_alone(self) -> bool:
        """Return whether each place is a choice of its own, so that they need not be decided together."""
        domain = self.taken.domain
        return isinstance(domain, Subset) and domain.ordered and not domain.distinct and self.taken.name is None

    def likeness(self) -> Any:
        return len(self.candidates)

    def decided_by(self) -> Any:
        return self.taken

    def pieces(self) -> list[Any]:
        domain = self.taken.domain
        size = [domain.length] if isinstance(domain, Subset) else []
        return call_pieces(self.title(), [list(self.candidates), *size], ())


class Copies(Part):
    """A list of copies of one part, each with hyperparameters of its own; see `copies`."""

    __slots__ = ("part", "times")

    def __init__(self, part: Any, times: Any) -> None:
        self.part, self.times = part, times

    def held(self) -> list[tuple[str, Any]]:
        return [("[]", self.part), (".times", self.times)]

    def holding(self, held: Sequence[Any]) -> Any:
        if any(value is DELETE for value in held):
            raise BadArgument(
                f"{self!r}: has a part and a number of copies.\n  Got DELETE for one of them.\n"
                "  Put something else there, or replace the whole."
            )
        return Copies(*held)

    def needs(self) -> list[tuple[str, Any]]:
        return [(".times", self.times)]

    def recorded(self, recording: Recording, path: str) -> Value:
        times = recording.of(self.times) if isinstance(self.times, Hyperparameter) else self.times
        return recording.call(CopiedParts(recording, self.part, times, path))

    def likeness(self) -> Any:
        return ()

    def pieces(self) -> list[Any]:
        return call_pieces("copies", [self.part, self.times], ())


def chosen(candidates: Any, which: Any, weights: Sequence[float] | None, name: str | None, tag: str | None) -> OneOf:
    """Return the choice between candidates: a dict of them, or several that are chosen by their positions.

    Raises:
        InvalidDomain: no candidates, weights that do not fit, or weights, a name or a tag for what `which` decides.
    """
    items: Any = candidates if is_kind(candidates, Mapping) else enumerate(candidates)
    keyed: dict[Any, Any] = dict(items)
    keyed = {plain(key): value for key, value in keyed.items()}
    if not keyed:
        raise InvalidDomain(
            "choice: expected at least one candidate.\n  Got none.\n  Give a list of candidates, or a dict."
        )
    if which is None:
        keys = tuple(keyed)
        return OneOf(keyed, Independent(Choice(keys) if weights is None else Weighted(keys, weights), name, tag))
    if weights is not None or name is not None or tag is not None:
        raise InvalidDomain(
            "choice: what which decides has no weights, name or tag of its own.\n"
            f"  Got which={which!r} and {'weights' if weights is not None else 'a name or a tag'}.\n"
            "  Give them to the hyperparameter that is which."
        )
    check_keys(which, keyed, "choice", "candidates")
    return OneOf(keyed, which, given=True)


def among_hyperparameters(hyperparameter: Independent) -> Part | None:
    """Return what a choice, subset or permutation of hyperparameters is in a program: one between parts.

    There, each option is decided only where it is chosen. None where the options are computed, or their number is.
    """
    depending = hyperparameter.depending
    listed = None if depending is None else depending.written
    rest = hyperparameter.parents[1:]
    if depending is None or listed is None or any(isinstance(p, Hyperparameter) for p in rest):
        return None
    if depending.kind is Choice:
        keys, weights = tuple(range(len(listed))), rest[0]
        domain: Domain = Choice(keys) if weights is None else Weighted(keys, weights)
        return OneOf(dict(enumerate(listed)), depending.narrowed(hyperparameter, domain))
    positions = range(len(listed))
    domain = Permutation(positions) if depending.kind is Permutation else Subset(positions, *rest)
    return ManyOf(listed, depending.narrowed(hyperparameter, domain))


def copies(part: Any, times: Any) -> Any:
    """Return a list of `times` copies of a part of a program, each with hyperparameters of its own.

    Args:
        part: a recorded call, a choice between such, or another value; or a function without arguments that returns
            one.
        times: an int of at least 0, or a hyperparameter of such.

    Raises:
        BadArgument: a function that takes arguments.
        InvalidDomain: `times` can be something else, found out when the program becomes a space.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch.symbolic import copies
        >>> Conv = da.symbolize(dict)
        >>> space = da.space(da.symbolize(list)(copies(lambda: Conv(filters=da.choice([8, 16])), da.choice([1, 2]))))
        >>> space.size()
        6
    """
    if is_kind(part, FunctionType | MethodType | functools.partial):
        try:
            part = part()
        except TypeError as error:
            raise wrong_kind(
                "copies", "a part, or a function without arguments", part, "Write copies(lambda: Conv(8), times)."
            ) from error
    return Copies(part, times)
