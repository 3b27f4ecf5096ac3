"""Growth: from the smallest programs to larger ones, each of which begins as what a smaller one computes."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from deep_arch.errors import NotCountable, is_kind, wrong_kind
from deep_arch.searchers.parts.checks import check_count, check_number
from deep_arch.searchers.parts.decisions import identity
from deep_arch.searchers.parts.moves import Move, Origin, Proposal, Swap, check_productions, grown_by
from deep_arch.spaces.space import SearchSpace
from deep_arch.studies.record import digest
from deep_arch.studies.searcher import FinishedTrial, Searcher, Values

_DEEPEST: Final = 30
"""The smallest programs are looked for up to this depth."""

_KEPT: Final = 20
"""Programs that may be grown later are remembered up to so many times the number that is grown in a round."""


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
        moves: ways to grow, and to change what has grown.
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
        moves: Sequence[Move | Swap] = (),
        beam: int = 6,
        first: int = 1000,
        most: int = 3000,
        price: float = 0.0,
        same: str = "answers",
    ) -> None:
        check_count(self, beam=beam, first=first, most=most)
        check_number(self, 0, price=price)
        if not is_kind(moves, Sequence):
            raise wrong_kind("Growth: moves", "a list", moves, "Write [Move('Add', keep=0, fresh=['Speed'])].")
        for move in moves:
            if not is_kind(move, Move | Swap):
                raise wrong_kind("Growth", "moves", move, "Write [Move('Add', keep=0, fresh=['Speed'])].")
        self.moves: Final = tuple(moves)
        self.beam, self.first, self.most = beam, first, most
        self.price, self.same = price, same

    def start(self, space: SearchSpace, rng: random.Random) -> None:
        """Begin with the smallest programs.

        Raises:
            BadArgument: a move has a production that no choice of the space has, which has others of the moves.
        """
        super().start(space, rng)
        check_productions(self, space, self.moves)
        self._has_begun = False
        self._queue: list[Proposal] = []
        self._out: dict[Any, Proposal] = {}
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
        self._out[identity(whole)] = Proposal(whole, None)
        return whole

    def origin(self, values: Values) -> Origin | None:
        """Return what a program grew from whose trial is out; None for one of the first, or that is not out."""
        proposal = self._out.get(identity(values))
        return None if proposal is None else proposal.origin

    def start_of(self, values: Values, known: Mapping[int, Mapping[str, Any]]) -> dict[str, Any] | None:
        """Return the first weights of a program whose trial is out, by address; None where they are to be drawn.

        Args:
            values: of the trial.
            known: the weights of earlier trials by address, by the number of the trial.
        """
        origin = self.origin(values)
        return None if origin is None or origin.parent not in known else origin.weights(known[origin.parent])

    def _smallest(self) -> list[Proposal]:
        """Return the programs of the least depth, of many so many that are drawn; the last is proposed first."""
        space = next((s for s in map(self.space.limit, range(_DEEPEST)) if _size(s)), self.space)
        if _size(space) <= self.first:
            found = [architecture.values for architecture in space.enumerate()]
        else:
            found = [space.sample(self.rng).values for _ in range(self.first)]
        return self._unseen([Proposal(values, None) for values in found])[::-1]

    def _grown_best(self) -> list[Proposal]:
        """Return what the best programs grow to, in a random order."""
        grown: list[Proposal] = []
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

    def _unseen(self, proposals: Iterable[Proposal]) -> list[Proposal]:
        found: dict[str, Proposal] = {}
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

    def _written(self, proposal: Proposal) -> list[Any]:
        origin = proposal.origin
        written = origin and [origin.parent, origin.place, [list(pair) for pair in origin.moved], dict(origin.start)]
        return [self.encode(proposal.values), written]

    def _read(self, written: Sequence[Any]) -> Proposal:
        text, origin = written
        if origin is None:
            return Proposal(self.decode(text), None)
        parent, place, moved, start = origin
        return Proposal(self.decode(text), Origin(parent, place, tuple([(a, b) for a, b in moved]), start))


def _size(space: SearchSpace) -> float:
    try:
        return space.size()
    except NotCountable:
        return math.inf
