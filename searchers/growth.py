"""Growth: from the smallest programs to larger ones, each of which begins as what a smaller one computes."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from deep_arch.errors import NotCountable, TooDeep, ValueOutsideDomain, is_kind, wrong_kind
from deep_arch.language.domains import REJECTED
from deep_arch.searchers.parts.checks import check_count, check_number
from deep_arch.searchers.parts.decisions import identity
from deep_arch.spaces.choice_points import ChoicePoint
from deep_arch.spaces.space import SearchSpace
from deep_arch.studies.record import digest
from deep_arch.studies.searcher import FinishedTrial, Searcher, Values

_DEEPEST: Final = 30
"""The smallest programs are looked for up to this depth."""

_KEPT: Final = 20
"""Programs that may be grown later are remembered up to so many times the number that is grown in a round."""


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
    """

    production: Any
    keep: int | tuple[int, ...] = 0
    fresh: Sequence[Any] = ()
    start: Mapping[str, float] = field(default_factory=lambda: {"kernel": 0.0, "bias": 0.0})

    @property
    def kept(self) -> tuple[int, ...]:
        """The positions of the arguments that become t."""
        return self.keep if isinstance(self.keep, tuple) else (self.keep,)


@dataclass(frozen=True, slots=True)
class Origin:
    """What a program grew from.

    Attributes:
        parent: the number of a trial.
        place: the address of the part that grew.
        copies: where it stands now.
        start: first weights of what is new, by address with `*` for what lies between.
    """

    parent: int
    place: str
    copies: tuple[str, ...]
    start: Mapping[str, float]

    def weights(self, parent: Mapping[str, Any]) -> dict[str, Any]:
        """Return first weights by address, such as `stacks.fit` takes, out of those of the parent."""
        found: dict[str, Any] = dict(self.start)
        for address, weight in parent.items():
            rest = address.removeprefix(self.place)
            moves = rest != address or not self.place
            found.update({copy + rest: weight for copy in self.copies} if moves else {address: weight})
        return found


class _Proposal(NamedTuple):
    """What is proposed, and what it grew from."""

    values: Values
    origin: Origin | None


@dataclass(frozen=True, slots=True)
class _Program:
    """A program that was told, and how good it is: what it gained less the price of its size."""

    number: int
    values: Values
    worth: float
    answers: Any


class Growth(Searcher):
    """Grow the best programs, round by round, by moves that keep what they compute.

    The first round are the smallest programs of the space. In each of the next, the best `beam` of all are grown in
    every place by every move. A trial learns from `origin` which trial it grew from, and how weights move::

        growth = Growth(moves, beam=6)
        known = {}
        for trials in da.search(programs, growth, trials=6000, seed=0).batches(500):
            starts = [growth.start_of(trial.values, known) for trial in trials]
            fitted = stacks.fit([trial.architecture for trial in trials], task, starts, noise=0.1)
            for trial, each in zip(trials, fitted):
                known[trial.number] = each.weights
                trial.set_attribute("answers", each.outputs[:64, 0].round(1).tolist())
                trial.tell(-each.valid_loss - 0.002 * len(trial.values))

    Programs with equal attributes of the name `same` compute the same: only the better one is grown. A round is over
    once all of its trials have ended; until then `ask` gives None.

    Args:
        moves: ways to grow.
        beam: how many programs are grown in a round.
        first: the number of programs in the first round at most.
        most: the number of programs in another round at most; of more, so many are drawn.
        price: what each value of a program costs, in the unit of the score.
        same: the name of the attribute by which answers are compared.

    Raises:
        BadArgument: a number out of its range, or what is no move.

    References:
        Chen, Goodfellow and Shlens, Net2Net: accelerating learning via knowledge transfer (ICLR 2016), for growth that
        keeps the function.
    """

    n_objectives: int | None = 1

    def __init__(
        self,
        moves: Sequence[Move] = (),
        beam: int = 6,
        first: int = 1000,
        most: int = 3000,
        price: float = 0.0,
        same: str = "answers",
    ) -> None:
        check_count(self, beam=beam, first=first, most=most)
        check_number(self, 0, price=price)
        for move in moves:
            if not is_kind(move, Move):
                raise wrong_kind("Growth", "moves", move, "Write Move('Add', keep=0, fresh=['Speed']).")
        self.moves: Final = tuple(moves)
        self.beam, self.first, self.most = beam, first, most
        self.price, self.same = price, same

    def start(self, space: SearchSpace, rng: random.Random) -> None:
        """Begin with the smallest programs."""
        super().start(space, rng)
        self._has_begun = False
        self._queue: list[_Proposal] = []
        self._out: dict[Any, _Proposal] = {}
        self._told: list[_Program] = []  # those that may be grown
        self._answers: list[Any] = []  # of those that were
        self._seen: dict[str, None] = {}

    # --- proposing -----------------------------------------------------------------------------------------------

    def ask(self) -> Values | None:
        """Propose the next program of the round, or of a new one once this is over."""
        if not self._has_begun:
            self._has_begun, self._queue = True, self._smallest()
        while not self._queue and not self._out and self._told:
            self._queue = self._grown_best()
        if not self._queue:
            return None
        proposal = self._queue.pop()
        self._out[identity(proposal.values)] = proposal
        return proposal.values

    def propose(self, values: Values) -> Values:
        """Propose an architecture that the user has in mind, which grew from nothing."""
        whole = super().propose(values)
        self._out[identity(whole)] = _Proposal(whole, None)
        return whole

    def origin(self, values: Values) -> Origin | None:
        """Return what a program grew from whose trial is out; None for one of the first, or that is not out."""
        proposal = self._out.get(identity(values))
        return proposal and proposal.origin

    def start_of(self, values: Values, known: Mapping[int, Mapping[str, Any]]) -> dict[str, Any] | None:
        """Return the first weights of a program whose trial is out, by address; None where they are to be drawn.

        Args:
            values: of the trial.
            known: the weights of earlier trials by address, by the number of the trial.
        """
        origin = self.origin(values)
        return None if origin is None or origin.parent not in known else origin.weights(known[origin.parent])

    def _smallest(self) -> list[_Proposal]:
        """Return the programs of the least depth, of many so many that are drawn; the last is proposed first."""
        space = next((s for s in map(self.space.limit, range(_DEEPEST)) if _size(s)), self.space)
        if _size(space) <= self.first:
            found = [architecture.values for architecture in space.enumerate()]
        else:
            found = [space.sample(self.rng).values for _ in range(self.first)]
        return self._unseen([_Proposal(values, None) for values in found])[::-1]

    def _grown_best(self) -> list[_Proposal]:
        """Return what the best programs grow to, in a random order."""
        grown: list[_Proposal] = []
        for program in self._selected():
            grown += self._unseen(grown_by(self.space, program.values, program.number, self.moves, self.rng))
        self.rng.shuffle(grown)
        return grown[: self.most]

    def _selected(self) -> list[_Program]:
        """Take out the best programs that were not grown, and whose answers no grown one gave."""
        found, left = list[_Program](), list[_Program]()
        for program in sorted(self._told, key=lambda program: (-program.worth, program.number)):
            if program.answers is None or program.answers not in self._answers:
                (found if len(found) < self.beam else left).append(program)
                if program in found and program.answers is not None:
                    self._answers.append(program.answers)
        self._told = left[: _KEPT * self.beam]
        return found

    def _unseen(self, proposals: Iterable[_Proposal]) -> list[_Proposal]:
        found: dict[str, _Proposal] = {}
        for proposal in proposals:
            key = digest(self.encode(proposal.values))
            if key not in self._seen:
                self._seen[key] = None
                found[key] = proposal
        return list(found.values())

    # --- learning ------------------------------------------------------------------------------------------------

    def tell(self, trial: FinishedTrial) -> None:
        """Take a complete trial for one of those that may be grown."""
        proposed = self._out.pop(identity(trial.values), None)
        if proposed is None or not trial.gains or any(known.number == trial.number for known in self._told):
            return
        worth = trial.gain - self.price * len(trial.values)
        self._told.append(_Program(trial.number, trial.values, worth, trial.attributes.get(self.same)))

    def state_dict(self) -> dict[str, Any]:
        """Return what is proposed next, what is out, and what may be grown."""
        return {
            **super().state_dict(),
            "has_begun": self._has_begun,
            "queue": [self._written(proposal) for proposal in self._queue],
            "out": [self._written(proposal) for proposal in self._out.values()],
            "told": [[p.number, self.encode(p.values), p.worth, p.answers] for p in self._told],
            "answers": self._answers,
            "seen": list(self._seen),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with a round."""
        super().load_state_dict(state)
        self._has_begun, self._answers = state["has_begun"], list(state["answers"])
        self._queue = [self._read(written) for written in state["queue"]]
        self._out = {identity(p.values): p for p in [self._read(written) for written in state["out"]]}
        self._told = [_Program(number, self.decode(text), *rest) for number, text, *rest in state["told"]]
        self._seen = dict.fromkeys(state["seen"])

    def _written(self, proposal: _Proposal) -> list[Any]:
        origin = proposal.origin
        written = origin and [origin.parent, origin.place, list(origin.copies), dict(origin.start)]
        return [self.encode(proposal.values), written]

    def _read(self, written: Sequence[Any]) -> _Proposal:
        text, origin = written
        parent, place, copies, start = origin or (0, "", (), {})
        return _Proposal(self.decode(text), Origin(parent, place, tuple(copies), start) if origin else None)


def _size(space: SearchSpace) -> float:
    try:
        return space.size()
    except NotCountable:
        return math.inf


# --- growing -------------------------------------------------------------------------------------------------------


def grown_by(
    space: SearchSpace, values: Values, number: int, moves: Sequence[Move], rng: random.Random
) -> Iterator[_Proposal]:
    """Yield what a program grows to in every place by every move; what the space does not hold is left out."""
    domains = space.decidable(values)
    for address, move in itertools.product(values, moves):
        if address in domains and domains[address].accept(move.production) is not REJECTED:
            for fresh in move.fresh or ({},):
                child = _Child(values, address, move, fresh, rng)
                try:
                    grown = space.decide(child.pick).values
                except (TooDeep, ValueOutsideDomain):  # beyond a limit, or an argument of another type
                    continue
                yield _Proposal(grown, child.origin(number))


class _Child:
    """What decides a program that grew: it is asked for one value after the other."""

    def __init__(self, values: Values, address: str, move: Move, fresh: Any, rng: random.Random) -> None:
        self._values, self._address, self._move, self._rng = values, address, move, rng
        self._place, self._root = _split(address)
        self._fresh: Mapping[str, Any] = fresh if is_kind(fresh, Mapping) else {self._root: fresh}
        n = len(self._place)
        self._part = {address[n:]: value for address, value in values.items() if address.startswith(self._place)}
        self._arguments: list[str] = []  # the addresses at which those of the production begin

    def pick(self, point: ChoicePoint) -> Any:
        """Return the value of the parent at the same place of the same part, or that of what is new."""
        address = point.address
        if address == self._address:
            return self._move.production
        argument = self._argument(address) if address.startswith(self._place) else None
        if argument is None:
            known = self._values
        else:
            kept = self._arguments.index(argument) in self._move.kept
            known, address = self._part if kept else self._fresh, address.removeprefix(argument)
        return known[address] if address in known else point.domain.draw(self._rng)

    def _argument(self, address: str) -> str | None:
        """Return where the argument begins that an address is in."""
        found = next((argument for argument in self._arguments if address.startswith(argument)), None)
        begins, _ = _split(address)
        if found is None and begins.count("/") > self._place.count("/") + 1:  # else it is the production's own
            self._arguments.append(begins)
            return begins
        return found

    def origin(self, number: int) -> Origin:
        """Return where weights come from."""
        copies = tuple([a for i, a in enumerate(self._arguments) if i in self._move.kept])
        new = [a for i, a in enumerate(self._arguments) if i not in self._move.kept]
        start = {f"{a}*.{name}": number for a in new for name, number in self._move.start.items()}
        return Origin(number, self._place, copies, start)


def _split(address: str) -> tuple[str, str]:
    """Return where the part begins that a hyperparameter decides, and its name there."""
    at = address.rfind("/") + 1
    return address[:at], address[at:]
