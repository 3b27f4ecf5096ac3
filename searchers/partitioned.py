"""Partitioned search: a searcher for each of several parts of a space, all rewarded alike."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from deep_arch.errors import BadArgument, is_kind
from deep_arch.language.late_binding import check_distinct
from deep_arch.searchers.parts.decisions import identity, remember
from deep_arch.searchers.parts.mutation import complete
from deep_arch.spaces.choice_points import ChoicePoint
from deep_arch.spaces.mixtures import Mixture
from deep_arch.spaces.space import SearchSpace
from deep_arch.studies.searcher import FinishedTrial, Searcher, Values

Part = tuple[Callable[[ChoicePoint], bool], Searcher]
"""Which hyperparameters a searcher decides, as for `space.where`, and the searcher."""


class Partitioned(Searcher):
    """Let each of several searchers decide some of the hyperparameters; all are told each result.

    What no part decides, or what only another part's choice leads to, is drawn at random.

    Args:
        parts: pairs of a predicate of choice points, as for `space.where`, and a searcher of its own.

    Raises:
        LateBinding: predicates that a loop made, which would all find the last value of its variable.
        BadArgument: no parts, what is no pair of a function and a searcher, or one searcher twice; and by the first
            proposal, a searcher that gives budgets.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> from deep_arch.searchers import LocalSearch, Partitioned, RandomSearch
        >>> @da.space
        ... def net(x):
        ...     da.config(rate=da.real(1e-4, 1e-1, log=True, tag="training"))
        ...     return da.repeat(lambda: ops.Dense(units=da.choice([8, 16])), da.choice([1, 2, 3]))(x)
        >>> is_training = lambda point: point.tag == "training"
        >>> searcher = Partitioned([(is_training, LocalSearch()), (lambda p: not is_training(p), RandomSearch())])
        >>> for trial in da.search(net, searcher, trials=20, seed=0):
        ...     trial.tell(trial.config["rate"])

    References:
        Peng et al., PyGlove (NeurIPS 2020), section 4.3: separate, joint and factorised searches of one space.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts: Final[tuple[Part, ...]] = tuple(parts) if is_kind(parts, Sequence) else ()
        searchers = [part[1] for part in self.parts if is_kind(part, tuple) and len(part) == 2]  # pyright: ignore[reportUnnecessaryComparison]
        kinds = all(is_kind(searcher, Searcher) for searcher in searchers)
        if not self.parts or not kinds or len({id(searcher) for searcher in searchers}) < len(self.parts):
            raise BadArgument(
                "Partitioned: expected pairs of a predicate and a searcher of its own.\n"
                f"  Got {parts!r}.\n"
                "  Write Partitioned([(lambda p: p.tag == 'width', LocalSearch()), (lambda p: p.tag != 'width', "
                "RandomSearch())])."
            )
        check_distinct([predicate for predicate, _ in self.parts], "Partitioned")
        known = [searcher.n_objectives for searcher in searchers if searcher.n_objectives is not None]
        self.n_objectives = known[0] if known else None
        self.relaxed = any(searcher.relaxed for searcher in searchers)

    def start(self, space: SearchSpace, rng: random.Random) -> None:
        """Begin a search of each part."""
        super().start(space, rng)
        self._spaces = [space.where(predicate) for predicate, _ in self.parts]
        self._held: dict[int, Values] = {}
        self._weighing: dict[str, int] = {}  # address to the part that weighs there
        self._out: dict[Any, tuple[Values, list[Values]]] = {}  # by identity: the whole, and what each part proposed
        for part, (_, searcher) in zip(self._spaces, self.parts, strict=True):
            searcher.start(part, rng)

    def ask(self) -> Values | None:
        """Propose what the parts propose together; None while one of them has nothing to propose."""
        for i, (_, searcher) in enumerate(self.parts):
            if i not in self._held:
                if (values := searcher.ask()) is None:
                    return None
                _check_budget(searcher, values)
                self._held[i] = values  # kept if a later part has to wait
        parts, self._held = [self._held[i] for i in range(len(self.parts))], {}
        whole = complete(self.space, {a: value for values in parts for a, value in values.items()}, self.rng)
        remember(self._out, whole, (whole, parts))
        return whole

    def propose(self, values: Values) -> Values:
        """Let each searcher propose its part of an architecture that has these values."""
        whole = super().propose(values)
        parts = [searcher.propose(part) for part, (_, searcher) in zip(self._split(whole), self.parts, strict=True)]
        for part, (_, searcher) in zip(parts, self.parts, strict=True):
            _check_budget(searcher, part)
        remember(self._out, whole, (whole, parts))
        return whole

    def _split(self, values: Values) -> list[Values]:
        """Return what each part proposed; if it was none of them, its parts, drawn where they are left open."""
        if (out := self._out.get(identity(values))) is not None:
            return out[1]
        return [complete(part, values, self.rng) for part in self._spaces]

    def tell(self, trial: FinishedTrial) -> None:
        """Tell each searcher of its part of the architecture."""
        for i, (values, (_, searcher)) in enumerate(zip(self._split(trial.values), self.parts, strict=True)):
            slopes = {address: told for address, told in trial.slopes.items() if self._weighing.get(address) == i}
            searcher.tell(replace(trial, values=values, slopes=slopes))
        self._out.pop(identity(trial.values), None)

    def weigh(self, point: ChoicePoint) -> Mixture | None:
        """Return what the searcher of the part weighs to which a decision belongs."""
        for i, (predicate, searcher) in enumerate(self.parts):
            if searcher.relaxed and predicate(point):
                self._weighing[point.address] = i
                return searcher.weigh(point)
        return None

    def should_stop(self, number: int, values: Values, intermediate: Mapping[int, float]) -> bool:
        """Return whether any of the searchers would stop."""
        split = zip(self._split(values), self.parts, strict=True)
        return any(searcher.should_stop(number, part, intermediate) for part, (_, searcher) in split)

    def state_dict(self) -> dict[str, Any]:
        """Return the states of the searchers, and the random state that all share."""
        held = [[i, searcher.encode(self._held[i])] for i, (_, searcher) in enumerate(self.parts) if i in self._held]
        out = [[self.encode(whole), self._encoded(parts)] for whole, parts in self._out.values()]
        parts = [searcher.state_dict() for _, searcher in self.parts]
        return {**super().state_dict(), "parts": parts, "held": held, "out": out, "weighing": dict(self._weighing)}

    def _encoded(self, parts: list[Values]) -> list[str]:
        return [searcher.encode(values) for values, (_, searcher) in zip(parts, self.parts, strict=True)]

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with every searcher."""
        super().load_state_dict(state)
        for (_, searcher), inner in zip(self.parts, state["parts"], strict=True):
            searcher.load_state_dict(inner)
        self._weighing = dict(state["weighing"])
        self._held = {i: self.parts[i][1].decode(text) for i, text in state["held"]}
        self._out = {}
        for text, texts in state["out"]:
            whole = self.decode(text)
            parts = [searcher.decode(part) for part, (_, searcher) in zip(texts, self.parts, strict=True)]
            self._out[identity(whole)] = whole, parts


def _check_budget(searcher: Searcher, values: Values) -> None:
    if (budget := searcher.budget(values)) is None:
        return
    name = type(searcher).__name__
    raise BadArgument(
        "Partitioned: expected parts without budgets; a larger one is for the same architecture, of which the other "
        f"parts would propose another.\n  Got {budget!r} from {name}.\n"
        f"  Search the whole space with {name}, or this part alone in space.where(...)."
    )
