"""Moves: how a program grows or changes in one place, and how its weights go along."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deep_arch.errors import BadArgument, TooDeep, ValueOutsideDomain, is_kind, nearest, wrong_kind
from deep_arch.language.domains import REJECTED, Choice
from deep_arch.searchers.parts.checks import check_count, check_number
from deep_arch.spaces.choice_points import ChoicePoint
from deep_arch.spaces.space import SearchSpace
from deep_arch.spaces.walking import domains_of
from deep_arch.studies.searcher import Values


@dataclass(frozen=True, slots=True)
class Move:
    """A way to grow a part t of a program: a production that has t among its arguments, and what is new in the others.

    A move keeps what a program computes where the new parts begin as its neutral element: t + 0, t * 1, or t where a
    condition holds and t elsewhere::

        leaves = ["Speed", "Turn"]
        moves = [
            Move("Add", keep=0, fresh=leaves),
            Move("Multiply", keep=0, fresh=leaves, start={"kernel": 0.0, "bias": 1.0}),
            Move("ITE", keep=(1, 2), fresh=leaves, start={"kernel": 0.5, "bias": 0.0}),
        ]

    Attributes:
        production: a value of the choice at which t stands.
        keep: the positions of the arguments that become t.
        fresh: what the other arguments become, one after the other: the name of a production, or values by address
            below an argument. What they leave open is drawn.
        start: first weights of what is new, by the last part of their names; those of other names are drawn.

    Raises:
        BadArgument: `keep` is no position or tuple of these, `fresh` no list, or `start` no mapping to finite numbers.
    """

    production: Any
    keep: int | tuple[int, ...] = 0
    fresh: Sequence[Any] = ()
    start: Mapping[str, float] = field(default_factory=lambda: {"kernel": 0.0, "bias": 0.0})

    def __post_init__(self) -> None:
        for position in self.kept:
            check_count(self, least=0, keep=position)
        _check_list(self, "fresh", self.fresh, "Write fresh=['Speed'], or [{'or.which': 'Speed'}].")
        if not is_kind(self.start, Mapping):
            raise wrong_kind("Move: start", "first weights by name", self.start, "Write {'kernel': 0.0, 'bias': 1.0}.")
        check_number(self, -math.inf, **{f"start[{name!r}]": weight for name, weight in self.start.items()})

    @property
    def kept(self) -> tuple[int, ...]:
        """The positions of the arguments that become t."""
        return self.keep if isinstance(self.keep, tuple) else (self.keep,)


@dataclass(frozen=True, slots=True)
class Swap:
    """A way to change a program: another production in place of one, with the arguments that this had.

    They stay in their order, with their weights; those that it lacks are drawn, and so are weights of its own::

        swaps = [Swap(["Last4", "Last8"]), Swap(["Speed", "Turn"])]

    Attributes:
        productions: values of a choice, each of which is tried where another of them stands.

    Raises:
        BadArgument: `productions` is no list.
    """

    productions: Sequence[Any]

    def __post_init__(self) -> None:
        _check_list(self, "productions", self.productions, "Write Swap(['Speed', 'Turn']).")


def _check_list(move: object, name: str, given: object, mend: str) -> None:
    if not is_kind(given, Sequence) or is_kind(given, str):
        raise wrong_kind(f"{type(move).__name__}: {name}", "a list of productions", given, mend)


@dataclass(frozen=True, slots=True)
class Origin:
    """What a program grew from.

    Attributes:
        parent: the number of a trial.
        place: the address of the part that grew.
        moved: where parts of that were, and where they stand now.
        start: first weights of what is new, by address with `*` for what lies between.
    """

    parent: int
    place: str
    moved: tuple[tuple[str, str], ...]
    start: Mapping[str, float]

    def weights(self, parent: Mapping[str, Any]) -> dict[str, Any]:
        """Return first weights by address, such as `stacks.fit` takes, out of those of the parent."""
        found: dict[str, Any] = dict(self.start)
        for address, weight in parent.items():
            if not address.startswith(self.place):
                found[address] = weight
            for before, now in self.moved:
                if address.startswith(before):
                    found[now + address.removeprefix(before)] = weight
        return found


@dataclass(frozen=True, slots=True)
class Proposal:
    """What is proposed, and what it grew from."""

    values: Values
    origin: Origin | None


def check_productions(asker: object, space: SearchSpace, moves: Sequence[Move | Swap]) -> None:
    """Raise BadArgument for a production that no choice of the whole space has, where it has others of the moves."""
    named = [(production, move) for move in moves for production in _named(move)]
    domains = domains_of(space.program) if named else []
    unknown = [(p, m) for p, m in named if all(domain.accept(p) is REJECTED for domain in domains)]
    if unknown and len(unknown) < len(named):
        production, move = unknown[0]
        names = [v for d in domains if isinstance(d, Choice) for v in d.options if isinstance(v, str)]
        raise BadArgument(
            f"{type(asker).__name__}: a move has a production that no choice of `{space.name}` has.\n"
            f"  Got {production!r} in {move!r}.\n  Name productions as `or_` does.{nearest(production, names)}"
        )


def _named(move: Move | Swap) -> list[Any]:
    if isinstance(move, Swap):
        return list(move.productions)
    return [move.production, *[each for each in move.fresh if not is_kind(each, Mapping)]]


@dataclass(frozen=True, slots=True)
class _Change:
    """One change of a program.

    Attributes:
        address: of the choice that changes.
        production: its new value.
        kept: gives where what the i-th argument becomes begins in the program; None for what is new.
        fresh: what is new, by address below an argument.
        start: first weights of what is new.
    """

    address: str
    production: Any
    kept: Callable[[int], str | None]
    fresh: Mapping[str, Any] = field(default_factory=dict[str, Any])
    start: Mapping[str, float] = field(default_factory=dict[str, float])


def grown_by(
    space: SearchSpace, values: Values, number: int, moves: Sequence[Move | Swap], rng: random.Random
) -> Iterator[Proposal]:
    """Yield what a program becomes in every place by every move; what the space does not hold is left out."""
    domains = space.decidable(values)
    for address, move in itertools.product(values, moves):
        for change in _changes(values, address, move) if address in domains else ():
            if domains[address].accept(change.production) is not REJECTED:
                child = _Child(values, change, rng)
                try:
                    grown = space.decide(child.pick).values
                except (TooDeep, ValueOutsideDomain):  # beyond a limit, or an argument of another type
                    continue
                yield Proposal(grown, child.origin(number))


def _changes(values: Values, address: str, move: Move | Swap) -> Iterator[_Change]:
    place, root = _split(address)
    if isinstance(move, Move):
        for fresh in move.fresh or ({},):
            new: Mapping[str, Any] = fresh if is_kind(fresh, Mapping) else {root: fresh}
            yield _Change(address, move.production, lambda i: place if i in move.kept else None, new, move.start)
    elif values[address] in move.productions:
        arguments = list[str]()
        for other in values:
            _argument(other, place, arguments)
        for production in move.productions:
            if production != values[address]:
                yield _Change(address, production, lambda i: arguments[i] if i < len(arguments) else None)


class _Child:
    """What decides a program that changed: it is asked for one value after the other."""

    def __init__(self, values: Values, change: _Change, rng: random.Random) -> None:
        self._values, self._change, self._rng = values, change, rng
        self._place, _ = _split(change.address)
        self._arguments: list[str] = []  # the addresses at which those of the production begin

    def pick(self, point: ChoicePoint) -> Any:
        """Return the value of the parent at the same place of the same part, or that of what is new."""
        address, known = point.address, self._values
        if address == self._change.address:
            return self._change.production
        argument = _argument(address, self._place, self._arguments)
        if argument is not None:
            before, address = self._change.kept(self._arguments.index(argument)), address.removeprefix(argument)
            known, address = (self._change.fresh, address) if before is None else (known, before + address)
        return known[address] if address in known else point.domain.draw(self._rng)

    def origin(self, number: int) -> Origin:
        """Return where weights come from."""
        moved = [(self._change.kept(i), argument) for i, argument in enumerate(self._arguments)]
        new = [argument for before, argument in moved if before is None]
        start = {f"{argument}*.{name}": number for argument in new for name, number in self._change.start.items()}
        return Origin(number, self._place, tuple([(b, argument) for b, argument in moved if b is not None]), start)


def _argument(address: str, place: str, known: list[str]) -> str | None:
    """Return where the argument of a production at a place begins that an address is in; None outside of all.

    Args:
        address: of a hyperparameter.
        place: where the production stands.
        known: where the arguments begin that were met; one that is new is added.
    """
    found = next((argument for argument in known if address.startswith(argument)), None)
    begins, _ = _split(address)
    if found is None and address.startswith(place) and begins.count("/") > place.count("/") + 1:
        known.append(begins)  # else it is the production's own
        return begins
    return found


def _split(address: str) -> tuple[str, str]:
    """Return where the part begins that a hyperparameter decides, and its name there."""
    at = address.rfind("/") + 1
    return address[:at], address[at:]
