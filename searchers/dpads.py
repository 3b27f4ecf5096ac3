"""dPads: programs unfolded level by level in one super-network, pruned, and then fixed decision by decision."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from deep_arch.errors import is_kind, wrong_kind
from deep_arch.language.holes import HOLE
from deep_arch.searchers.darts import DARTS
from deep_arch.searchers.parts.best_states import BestStates, State
from deep_arch.searchers.parts.checks import check_count, check_number
from deep_arch.searchers.parts.policy import Parameter
from deep_arch.searchers.parts.relaxation import Options, Weighed, is_finite
from deep_arch.spaces.choice_points import ChoicePoint
from deep_arch.spaces.mixtures import Mixture
from deep_arch.spaces.positions import Share
from deep_arch.studies.searcher import FinishedTrial, Values
from deep_arch.supernets.branching import Branch


class Stage(NamedTuple):
    """A row of the schedule by which programs unfold.

    Attributes:
        depth: how deeply rules nest; decisions below are at their holes.
        epochs: how long this is trained.
        keep: how many of the likeliest alternatives each decision keeps before that; None for all.
    """

    depth: int
    epochs: int
    keep: int | None = None


SCHEDULE: Final = (
    *(Stage(2, 5), Stage(2, 2, keep=4), Stage(2, 2, keep=3), Stage(2, 2, keep=2)),
    *(Stage(4, 3), Stage(4, 2, keep=4), Stage(4, 2, keep=3), Stage(4, 2, keep=2)),
)
"""The schedule published for the task SK152: two levels at a time, of which four, three, two alternatives stay."""


class DPads(DARTS):
    """Unfold programs level by level, keep the likeliest alternatives, then fix decision after decision, best first.

    Trials are as those of DARTS: a step of the weights, and the slopes of a validation loss. The schedule says how the
    relaxed state changes in the course of them: which decisions are mixtures and which still at their holes, and how
    many alternatives are left. In the end the first decision that has several is fixed at each of them, in states that
    go on from the logits and, by `torch_backend.branches`, the weights before; then the best of all states goes on so,
    until none is better than the best program. A state is worth what its last epoch of trials was told on average, less
    a price: tell the validation's F1 beside the slopes of a loss.

    Args:
        epoch: how many trials make one.
        schedule: the stages before decisions are fixed.
        neural_epochs, symbolic_epochs: how long a state is trained, and one in which nothing is open, a program.
        price: of each decision, and once more of each that is open, in the unit of the scores.
        learning_rate, momentum, weight_decay: of Adam, which climbs the slopes.
        clip: the largest norm of all slopes together.
        share: what the super-network was made with.

    Raises:
        BadArgument: a number that is outside its bounds.
        NotSupported: see `deep_arch.searchers.parts.relaxation.Relaxed`.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> from deep_arch.searchers import DPads
        >>> net = da.space(lambda x: da.or_({"relu": ops.ReLU, "tanh": ops.Tanh})(x))
        >>> search = da.search(net, DPads(epoch=2, schedule=[(1, 3)], neural_epochs=1, symbolic_epochs=1), 100, seed=0)
        >>> for trial in search:  # in place of model = supernet.at(trial), and what that gives
        ...     mixture = trial.weigh(net.start().unassigned[0])
        ...     worth = [{"relu": 0.0, "tanh": 1.0}[value] for value in mixture.values]
        ...     trial.tell(sum(map(float.__mul__, mixture.numbers, worth)), slopes={"or.which": worth})
        >>> search.searcher.best(), search.ending
        ([{'or.which': 'tanh'}], 'the searcher had nothing left to propose')

    References:
        Cui and Zhu, Differentiable Synthesis of Program Architectures (NeurIPS 2021), sections 3 and 4.
    """

    def __init__(
        self,
        epoch: int = 20,
        schedule: Sequence[Stage | tuple[Any, ...]] = SCHEDULE,
        neural_epochs: int = 4,
        symbolic_epochs: int = 6,
        price: float = 0.01,
        learning_rate: float = 0.01,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        clip: float = 0.25,
        share: Share = "position",
    ) -> None:
        super().__init__(learning_rate, momentum, weight_decay, share)
        check_count(self, epoch=epoch, neural_epochs=neural_epochs, symbolic_epochs=symbolic_epochs)
        check_number(self, 0, price=price, clip=clip)
        self.epoch: Final = epoch
        self.schedule: Final = tuple([self._checked(row) for row in schedule])
        self.neural_epochs: Final = neural_epochs
        self.symbolic_epochs: Final = symbolic_epochs
        self.price: Final = price
        self.clip: Final = clip

    def start(self, space: Any, rng: Any) -> None:
        """Begin with nothing unfolded."""
        super().start(space, rng)
        self._stage, self._over = 0, False
        self._gains: list[float] = []
        self._states = BestStates()
        self._enter(State())

    def _checked(self, row: Any) -> Stage:
        if not is_kind(row, tuple | list) or not 2 <= len(row) <= 3:
            mend = "Write Stage(depth=2, epochs=5), or Stage(2, 5, keep=4)."
            raise wrong_kind("DPads", "each row of the schedule to be a Stage", row, mend)
        stage = Stage(*row)
        check_count(self, depth=stage.depth, keep=1 if stage.keep is None else stage.keep)
        check_count(self, least=0, epochs=stage.epochs)
        return stage

    # --- relaxed decisions ---------------------------------------------------------------------------------------

    @property
    def branch(self) -> Branch:
        """Whose weights trials train now, and from which these went on; see `torch_backend.branches`."""
        return Branch(self._state.number, self._state.parent, self._states.needed())

    def weigh(self, point: ChoicePoint) -> Mixture:
        """Return a mixture of the alternatives that are left; of the hole alone below the depth of the stage."""
        if self._is_below(point) and point.has_hole:
            return Mixture((HOLE,), (1.0,))
        found = self._found(point)
        address, live = self._shared(point.address), self._live(point, found)
        keys = tuple([found.keys[i] for i in live])
        weights, _, soft = self.relax([found.logits[i].value for i in live])
        self._state.met[address] = (point.depth, [*keys])
        return Weighed(tuple([found.values[i] for i in live]), tuple(weights), keys=keys, soft=tuple(soft))

    def choose(self, point: ChoicePoint) -> Any:
        """Return the likeliest of the alternatives that are left, the first of several; a real number is drawn."""
        if not is_finite(point.domain):
            return point.domain.draw(self.rng)
        found = self._found(point)
        return found.values[max(self._live(point, found), key=lambda i: found.logits[i].value)]

    def _is_below(self, point: ChoicePoint) -> bool:
        return self._stage < len(self.schedule) and point.depth > self.schedule[self._stage].depth

    def _live(self, point: ChoicePoint, found: Options) -> list[int]:
        """Return the positions of the alternatives that are left, of a decision that is unfolded."""
        left = self._state.left.get(self._shared(point.address), found.keys)
        return [i for i, key in enumerate(found.keys) if key in left] or [*range(len(found.keys))]

    def _ranked(self, point: ChoicePoint) -> list[tuple[float, Any]]:
        ranked = super()._ranked(point)
        if not is_finite(point.domain):
            return ranked
        found = self._found(point)
        live = [found.values[i] for i in self._live(point, found)]
        return [each for each in ranked if any(each[1] is value for value in live)]

    # --- learning ------------------------------------------------------------------------------------------------

    def ask(self) -> Values | None:
        """Propose the likeliest program of the present state; None once no state promises more."""
        return None if self._over else super().ask()

    def tell(self, trial: FinishedTrial) -> None:
        """Let logits climb, and go on to the next stage or state once this one was trained."""
        super().tell(trial)
        if trial.state == "complete" and not self._over:
            self._gains = [*self._gains, trial.gain][-self.epoch :]
            self._n_trials += 1
            if self._n_trials >= self._epochs() * self.epoch:
                self._go_on()

    def _pulled(self, trial: FinishedTrial) -> list[tuple[Parameter, float]]:
        pulled = super()._pulled(trial)
        norm = math.hypot(*[slope for _, slope in pulled])
        scale = min(1.0, self.clip / norm) if norm else 1.0
        return [(logit, slope * scale) for logit, slope in pulled]

    def _epochs(self) -> int:
        if self._stage < len(self.schedule):
            return self.schedule[self._stage].epochs
        return self.symbolic_epochs if self._state.open() is None else self.neural_epochs

    def _go_on(self) -> None:
        """Enter what comes after the stage or state that was trained."""
        stages, self._n_trials = len(self.schedule), 0
        self._state.score = sum(self._gains) / len(self._gains) - self.price * self._state.size()
        self._stage += 1
        if self._stage < stages:
            self._unfold()
        elif self._stage > stages or self._state.open() is not None:  # else there is a program, to be trained as such
            self._states.take(self._state)
            following = self._states.next()
            self._over = following is None
            self._enter(following or self._states.best or self._state)

    def _unfold(self) -> None:
        """Leave what the stage leaves of the alternatives, and let the state be met anew."""
        if (keep := self.schedule[self._stage].keep) is not None:
            self._state.prune(keep)
        self._state.met = {}

    def _enter(self, state: State) -> None:
        self._state, self._logits, self._options = state, state.logits, {}
        self._gains = []
        self._n_trials = 0

    # --- results -------------------------------------------------------------------------------------------------

    def best(self, k: int = 1) -> list[Values]:
        """Return the values of the best program that was trained; before there is one, of the `k` likeliest.

        Raises:
            BadArgument: `k` is no int of at least 1.
        """
        now = self._state
        try:
            self._state = self._states.best or now
            self._logits, self._options = self._state.logits, {}
            return super().best(k)
        finally:
            self._state, self._logits, self._options = now, now.logits, {}

    def state_dict(self) -> dict[str, Any]:
        """Return the stage, and all states that may still be trained."""
        of_stage = {"stage": self._stage, "over": self._over, "trials": self._n_trials, "gains": [*self._gains]}
        return {
            **super().state_dict(),
            **of_stage,
            "state": self._state.written(),
            "states": self._states.written(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with a stage or state."""
        super().load_state_dict(state)
        self._states = BestStates.read(state["states"])
        self._enter(State.read(state["state"]))
        self._stage, self._over = state["stage"], state["over"]
        self._n_trials, self._gains = state["trials"], [*state["gains"]]
