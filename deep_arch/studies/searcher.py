"""Searchers: what proposes values and learns from results."""

from __future__ import annotations

import random
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from deep_arch.errors import BadArgument, TooDeep, TrialError, is_kind
from deep_arch.language.constructing import Constructed
from deep_arch.spaces.architecture import Architecture
from deep_arch.spaces.choice_points import ChoicePoint
from deep_arch.spaces.mixtures import Mixture
from deep_arch.spaces.space import MOST_ATTEMPTS
from deep_arch.studies.known import completed

if TYPE_CHECKING:
    from deep_arch.spaces.space import SearchSpace

Values = Mapping[str, Any]
"""Address to value: all that distinguishes one architecture from another in its space."""

Slopes = Mapping[str, tuple[float, ...]]
"""Address to the slope of a score for each weight of a relaxed decision."""

SEVERAL_SCORES = (
    "  Search several objectives with NSGA2, SurrogateSearch or OptunaSearcher(objectives=...), or tell one number "
    "made of them."
)
"""What to do where a searcher learns from one score."""

FinalState = Literal["complete", "failed", "skipped"]
"""How a trial ended: with scores, with an error or a score that is no finite number, or set aside by the user."""


@dataclass(frozen=True, slots=True)
class FinishedTrial:
    """What came of one proposal, as a searcher is told it.

    Attributes:
        number: the trial's number, from 0 in the order of proposals. Where a duplicate is answered from the record,
            the number of the trial that has the result; -1 for what is no trial of this search.
        values: address to value.
        gains: one finite number for each objective, each to be maximised: the trial's score, or minus the score where
            that is minimised; empty unless the trial is complete.
        intermediate: step to the score reported there, to be maximised too.
        state: "complete", "failed" or "skipped".
        budget: what the searcher allowed the trial, or None.
        slopes: of a relaxed trial, the slope of the gain for each weight of each mixture that was met, by address.
        mixtures: of such a trial, those that `weigh` gave, by address, so that a searcher need not remember them.
            Slopes are told once: no record keeps them.
        attributes: what `trial.set_attribute` kept before the trial ended, by name.
    """

    number: int
    values: Values
    gains: tuple[float, ...] = ()
    intermediate: Mapping[int, float] = field(default_factory=dict[int, float])
    state: FinalState = "complete"
    budget: float | None = None
    slopes: Slopes = field(default_factory=dict[str, tuple[float, ...]])
    mixtures: Mapping[str, Mixture] = field(default_factory=dict[str, Mixture])
    attributes: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def gain(self) -> float:
        """The gain of a complete trial, for searchers that learn from one.

        Raises:
            TrialError: there are several, or none.
        """
        if not self.gains:
            raise TrialError(
                f"trial {self.number}: has no gain, since it is {self.state}.\n  Got a use of trial.gain.\n"
                "  Ask `if trial.gains:` first; trials that failed or were skipped are told like others."
            )
        gain, *others = self.gains
        if others:
            raise TrialError(
                f"trial {self.number}: expected one score, which is all that this searcher learns from.\n"
                f"  Got {len(self.gains)}: {self.gains!r}.\n{SEVERAL_SCORES}"
            )
        return gain


class Searcher(metaclass=Constructed):
    """An algorithm that proposes values and learns from results.

    A searcher is pure algorithm: it reads no file and no clock and starts no thread, and all its randomness comes
    from the generator that `start` gives it. It is written by overriding `tell` and one of

    - `choose`, to be asked for one hyperparameter at a time, in the order in which the architecture unfolds, or
    - `ask`, to propose all values at once, as evolution does.

    A search is this sequence of calls::

        searcher.start(space, random.Random(0))
        first = searcher.ask()                        # {"n": 2, "conv2d.filters": 64}
        second = searcher.ask()                       # several trials may be out at once,
        searcher.tell(FinishedTrial(1, second, (0.7,)))         # come back in any order,
        searcher.tell(FinishedTrial(0, first, state="failed"))  # and have no gains
        text = json.dumps(searcher.state_dict())

        resumed = type(searcher)(...)                 # made with the same arguments, in another process
        resumed.start(space, random.Random(0))
        resumed.load_state_dict(json.loads(text))
        resumed.ask() == searcher.ask()

    Laws, for which `deep_arch.testing.searcher_contract.SearcherContract` has a test each:
        proposes_only_architectures_of_its_space: `space.at(ask())` succeeds, also in a sub-space of `limit`, `fix` or
            `where`, whose values leave out what the sub-space leaves open. Where choices have holes it may propose
            those, to learn what a partial program is worth: then `space.proposed(ask())` succeeds.
        handles_a_space_without_choices: `ask` proposes the only architecture that there is.
        proposes_what_it_is_given: `propose` gives an architecture with these values, and learns from it as from others.
        weighs_what_is_offered: the values of a mixture are of the domain, and the active ones weigh 1 together.
        takes_results_in_any_order: several trials may be out at once.
        survives_trials_without_scores: trials that failed or were skipped are told like others.
        takes_a_result_twice: a duplicate is answered from the record, with the number of its first trial.
        stays_over: once `ask` gave None with no trial out, it gives None again.
        same_seed_same_history: equal spaces, generators and results give equal proposals.
        same_history_in_every_process: also where strings hash otherwise.
        resumes_exactly: a state that went through JSON continues as though nothing had happened.
        resumes_in_another_process: the same, elsewhere.
        refuses_a_foreign_state: one of another searcher or space, or one that lacks something, raises BadArgument.
        start_begins_anew: `start` forgets what was before.
        moves_no_global_random_state: neither Python's nor NumPy's.
    """

    space: SearchSpace
    rng: random.Random

    n_objectives: int | None = None
    """From how many scores of a trial it learns; None for any number."""

    relaxed: bool = False
    """Whether its trials are relaxed: a super-network runs them with the mixtures of `weigh`, and they are told with
    slopes."""

    def start(self, space: SearchSpace, rng: random.Random) -> None:
        """Begin a search of `space`; whoever overrides this calls `super().start(space, rng)` first.

        Args:
            space: what to search.
            rng: where all randomness comes from.
        """
        self.space, self.rng = space, rng

    def choose(self, point: ChoicePoint) -> Any:
        """Return a value of `point.domain`.

        `point.values` holds what was decided so far, and what the space fixes; it grows afterwards, so a searcher
        that keeps it copies it.
        """
        raise NotImplementedError(
            f"{type(self).__name__}: a searcher overrides `choose`, or `ask`.\n  Got a call of `choose`.\n"
            "  Write `def choose(self, point): return point.domain.draw(self.rng)`, or propose all values in `ask`."
        )

    def weigh(self, point: ChoicePoint) -> Mixture | None:
        """Return the relaxed decision of a trial that is out, as a super-network meets it; None to decide it as asked.

        It is asked once for each decision of a trial, those of every alternative that is computed included, and told
        the slopes for the weights by `tell`. Only searchers that are `relaxed` are asked.
        """
        return None

    def ask(self) -> Values | None:
        """Return the values of one architecture; what is not overridden is `space.decide(self.choose).values`.

        Returns:
            Address to value, or None for nothing to propose: until more results are told or, where no trial is out,
            for good.

        Raises:
            ValueOutsideDomain: `choose` returned what is not in the domain.
            TooDeep: what it chose let no recursion end within the space's limit, time and again.
        """
        for _ in range(MOST_ATTEMPTS - 1):
            try:
                return self._decide()
            except TooDeep:  # a choice that several parts share let one of them end, and another not
                continue
        return self._decide()

    def _decide(self) -> Values:
        return self.space.decide(self.choose).values

    def propose(self, values: Values) -> Values:
        """Propose an architecture that the user has in mind, as though `ask` had.

        What is not overridden draws what the values leave open. A searcher overrides it where its `tell` learns only
        from what it proposed, or where it gives budgets.

        Args:
            values: address to value; what they leave open is for the searcher to decide.

        Raises:
            UnreachedAddress, ValueOutsideDomain, TooDeep: no architecture was found that has them all.
        """
        return completed(self.space, values, self.rng)

    @abstractmethod
    def tell(self, trial: FinishedTrial) -> None:
        """Learn what came of a proposal."""

    def budget(self, values: Values) -> float | None:
        """Return how much the proposal that `ask` or `propose` just gave may spend, in the user's unit, or None."""
        return None

    def should_stop(self, number: int, values: Values, intermediate: Mapping[int, float]) -> bool:
        """Return whether a trial that is out may stop early, given its scores so far by step, to be maximised."""
        return False

    def state_dict(self) -> dict[str, Any]:
        """Return all that `load_state_dict` needs to continue exactly, as JSON can hold it.

        A searcher with a state of its own returns `{**super().state_dict(), ...}`. It writes values with `encode` and
        reads them with `decode`, since an option may be anything, such as a class; a value alone it writes with
        `point.domain.encode` and reads with `point.domain.decode`.
        """
        version, internal, gauss = self.rng.getstate()
        return {"of": type(self).__name__, "space": self.space.name, "rng": [version, list(internal), gauss]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where `state_dict` was taken; called after `start` with the same space.

        Raises:
            BadArgument: what is no state of such a searcher.
        """
        name, of = type(self).__name__, state.get("of") if is_kind(state, Mapping) else None
        if of != name or state.get("space") != self.space.name:
            got = f"that of a {of} on {state.get('space')}" if of else f"{str(state)[:60]} ({type(state).__name__})"
            raise BadArgument(
                f"{name}: expected the state of a {name} on {self.space.name}.\n  Got {got}.\n"
                "  Load what `state_dict` of a searcher with the same arguments returned, after `start`."
            )
        if missing := [key for key in self.state_dict() if key not in state]:
            raise BadArgument(
                f"{name}: expected the whole state of a {name}.\n  Got one without {', '.join(map(repr, missing))}.\n"
                "  Load what `state_dict` returned, unchanged."
            )
        version, internal, gauss = state["rng"]
        self.rng.setstate((version, tuple(internal), gauss))

    def encode(self, values: Values) -> str:
        """Return the values of an architecture as text, for `state_dict`."""
        return self.space.written(values)

    def decode(self, text: str) -> Values:
        """Return the values that `encode` wrote."""
        return Architecture.from_json(text, self.space).values

    def encode_trial(self, trial: FinishedTrial) -> dict[str, Any]:
        """Return what came of a proposal as JSON can hold it, for `state_dict`; all but its mixtures."""
        written = {name: getattr(trial, name) for name in ("number", "gains", "state", "budget")}
        written |= {"values": self.encode(trial.values), "intermediate": list(trial.intermediate.items())}
        return {**written, "slopes": dict(trial.slopes), "attributes": dict(trial.attributes)}

    def decode_trial(self, written: Mapping[str, Any]) -> FinishedTrial:
        """Return the trial that `encode_trial` wrote."""
        return FinishedTrial(
            written["number"],
            self.decode(written["values"]),
            tuple(written["gains"]),
            dict(written["intermediate"]),
            written["state"],
            written["budget"],
            {address: tuple(slopes) for address, slopes in written["slopes"].items()},
            attributes=written["attributes"],
        )
