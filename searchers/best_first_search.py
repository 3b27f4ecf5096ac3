"""Best-first search over partial programs, whose worth is that of networks in place of what is open (NEAR)."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

from deep_arch.errors import BadArgument, TooDeep
from deep_arch.language.holes import Holed
from deep_arch.searchers.parts.checks import check_count, check_option
from deep_arch.searchers.parts.decisions import identity
from deep_arch.searchers.parts.prices import Price, Prices
from deep_arch.spaces.architecture import Architecture
from deep_arch.spaces.choice_points import ChoicePoint
from deep_arch.spaces.space import SearchSpace
from deep_arch.spaces.walking import domains_of
from deep_arch.studies.searcher import FinishedTrial, Searcher, Values

_MANY: Final = 300
"""Partial programs that one decision may lead to; of more, a search would relax none twice, and recursion without holes
has no end."""


class _Node(NamedTuple):
    """A partial program, or a whole one; the better one is the smaller.

    Attributes:
        loss: what it costs less what it gained; infinite until that is told.
        number: in the order in which they were made.
        depth: how many decisions led to it.
        is_whole: whether nothing is open.
        values: what is decided.
    """

    loss: float
    number: int
    depth: int
    is_whole: bool
    values: Values


class BestFirstSearch(Searcher):
    """Search partial programs by what they would be worth if all that is open were networks: NEAR.

    The space has choices with holes (see `or_`). A partial program is proposed with its open choices at these, so that
    it is trained and scored like a program; `trial.architecture.holes` tells them apart, and no relaxation is the
    `best` trial of a search. Its loss, what its decided values cost less its gain, stands for all programs that it may
    become: where no network in a hole is worse than any program in its place, less its price, the loss is a bound from
    below, and the search finds the best program. What is no better than the best program so far is dropped, and so
    is a relaxation that failed.

    One step decides the first open choice of one partial program, in every way, and the next begins once all of these
    have ended; so several trials out at once change nothing of a search. It ends when nothing is left that may be
    better. Choices without holes are tried in every way together with the decision that leads to them.

    Args:
        price: what each decided value costs, in the unit of the score; or a mapping from value, such as the name of a
            production, to its price, where all others cost nothing; or a function of address and value. Scores are
            told without it.
        order: "best" goes on with the partial program of the least loss: A*. "depth" goes on with the best of those
            just made, down to a depth, which grows by one once nothing above it is left: iterative deepening
            depth-first branch and bound (IDS-BB).
        frontier: how many partial programs are kept for later at most, those of the least loss; None keeps all.
        first_depth: the first depth, in decisions; for "depth".

    Raises:
        BadArgument: an argument of another kind; when started, a space without holes; when asked, a choice without a
            hole that has too many values, or leads to too many others.
        NotSpecified: something in a hole is to be decided.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> from deep_arch.searchers import BestFirstSearch
        >>> units = {"narrow": 4, "wide": 8, "wider": 16}
        >>> def layer(x):
        ...     layers = {name: lambda n=n: ops.Dense(n) for name, n in units.items()}
        ...     return da.or_(layers, hole=lambda: ops.Dense(8))(x)
        >>> net = da.space(lambda x: layer(layer(x)))
        >>> near = BestFirstSearch(price={"wide": 5, "wider": 50})
        >>> search = da.search(net, near, trials=100)
        >>> for trial in search:
        ...     trial.tell(trial.architecture.cost(da.vector(8)).parameters)
        >>> near.best
        {'or.which': 'wider', 'or_1.which': 'wider'}
        >>> near.best == search.best.values, len(search.trials)
        (True, 6)

    References:
        Shah, Zhan, Sun, Verma, Yue and Chaudhuri, Learning differentiable programs with admissible neural heuristics
        (NeurIPS 2020), algorithms 1 and 2.
    """

    n_objectives: int | None = 1
    _best: Values | None

    def __init__(
        self,
        price: Price = 0.01,
        order: Literal["best", "depth"] = "best",
        frontier: int | None = None,
        first_depth: int = 3,
    ) -> None:
        check_option(self, "order", order, ("best", "depth"))
        check_count(self, first_depth=first_depth)
        if frontier is not None:
            check_count(self, frontier=frontier)
        self.price: Final = price
        self.order: Final = order
        self.frontier: Final = frontier
        self.first_depth: Final = first_depth
        self._prices = Prices(self, price)

    def start(self, space: SearchSpace, rng: random.Random) -> None:
        """Begin with the first decision.

        Raises:
            BadArgument: no choice of the space has a hole.
        """
        super().start(space, rng)
        self._depth = self.first_depth
        self._made = 0
        self._kept: list[_Node] = []  # for later; the best is the last, here and in the next
        self._stack: list[_Node] = []  # to go on with before, with "depth"
        self._next: list[_Node] = []  # to be proposed; the first is the last
        self._out: dict[Any, _Node] = {}
        self._told: list[_Node] = []
        self._least, self._best = math.inf, None
        self._check_holes()
        self._expand({}, 0)

    @property
    def best(self) -> Values | None:
        """The values of the program of the least loss so far; None before there is one."""
        return self._best

    # --- proposing -----------------------------------------------------------------------------------------------

    def ask(self) -> Values | None:
        """Propose the next partial or whole program of a step; None while it goes on, and at the end."""
        if not self._next and not self._out:
            self._go_on()
        if not self._next:
            return None
        node = self._next.pop()
        values = self.space.partial(node.values).completed().values
        self._out[identity(values)] = node
        return values

    def _go_on(self) -> None:
        """Choose what to decide next, of what was just told and what was kept for later."""
        deeper, later = list[_Node](), self._kept
        for node in self._told:
            (deeper if self.order == "depth" and node.depth < self._depth else later).append(node)
        self._told = []
        self._stack += sorted(deeper, reverse=True)
        self._kept = sorted(later, reverse=True)[-self.frontier if self.frontier else 0 :]
        while not self._next and (self._stack or self._kept):
            if self.order == "depth" and not self._stack:
                self._stack, self._kept, self._depth = self._kept, [], self._depth + 1
            node = (self._stack or self._kept).pop()
            if node.loss < self._least:
                self._expand(node.values, node.depth)

    def _expand(self, values: Values, depth: int) -> None:
        """Take for the next what one more decision makes of some values."""
        found = list(self._decided(self.space.partial(values)))
        self._next = [
            _Node(math.inf, self._made + i, depth + 1, not state.unassigned, state.values)
            for i, state in enumerate(found)
        ][::-1]
        self._made += len(found)

    def _decided(self, state: Architecture) -> Iterator[Architecture]:
        """Yield what the first decision makes of a state, with the choices without holes that it leads to decided."""
        todo, n, first = [state], 0, True
        while todo:
            state = todo.pop()
            point = _without_hole(state.unassigned) or (_first(state) if first else None)
            first = False
            if point is None:
                n += 1
                yield state
                continue
            if n + len(todo) + point.domain.size > _MANY:
                raise _too_many(point)
            todo += reversed(list(_assigned(state, point)))

    def _check_holes(self) -> None:
        points, domains = self.space.start().unassigned, domains_of(self.space.program)
        if points and domains and not any(isinstance(domain, Holed) for domain in domains):
            raise BadArgument(
                f"{points[0].address}: expected a space with holes for what is not decided yet.\n"
                f"  Got {points[0].domain} without one, and no other choice of `{self.space.name}` that has one.\n"
                "  Give choices holes, da.or_(..., hole=fn), or search with EnumerationByCost or another searcher."
            )

    # --- learning ------------------------------------------------------------------------------------------------

    def tell(self, trial: FinishedTrial) -> None:
        """Keep a relaxation that may become better than the best program, or a program that is."""
        node = self._out.pop(identity(trial.values), None)
        if not trial.gains:
            return
        if node is None:  # what others proposed, or a result that was told before
            node = _Node(math.inf, -1, 0, not self.space.proposed(trial.values).holes, trial.values)
        loss = self._prices.total(node.values) - trial.gain
        if loss >= self._least:
            return
        if node.is_whole:
            self._least, self._best = loss, node.values
        elif node.number >= 0:
            self._told.append(node._replace(loss=loss))

    # --- state ---------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return the best program, and the partial ones that are kept, out, and to be proposed."""
        lists = {"kept": self._kept, "stack": self._stack, "next": self._next, "told": self._told}
        return {
            **super().state_dict(),
            **{name: [self._written(node) for node in nodes] for name, nodes in lists.items()},
            "out": [self._written(node) for node in self._out.values()],
            "depth": self._depth,
            "made": self._made,
            "best": None if self.best is None else [self._least, self.encode(self.best)],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with a step."""
        super().load_state_dict(state)
        lists = [[self._read(*node) for node in state[name]] for name in ("kept", "stack", "next", "told", "out")]
        self._kept, self._stack, self._next, self._told, out = lists
        completions = [self.space.partial(node.values).completed().values for node in out]
        self._out = {identity(values): node for values, node in zip(completions, out, strict=True)}
        self._depth, self._made = state["depth"], state["made"]
        self._least, best = state["best"] or (math.inf, None)
        self._best = None if best is None else self.decode(best)

    def _written(self, node: _Node) -> list[Any]:
        loss = None if node.loss == math.inf else node.loss
        return [loss, node.number, node.depth, node.is_whole, self.encode(node.values)]

    def _read(self, loss: float | None, number: int, depth: int, is_whole: bool, text: str) -> _Node:
        return _Node(math.inf if loss is None else loss, number, depth, is_whole, self.decode(text))


def _first(state: Architecture) -> ChoicePoint | None:
    """Return what is decided first: what the outputs depend on whatever else is decided."""
    points, certain = state.unassigned, state.structure
    return next((point for point in points if point.address in certain), points[0] if points else None)


def _without_hole(points: Sequence[ChoicePoint]) -> ChoicePoint | None:
    return next((point for point in points if not point.has_hole), None)


def _assigned(state: Architecture, point: ChoicePoint) -> Iterator[Architecture]:
    for value in point.domain.values():
        try:
            yield state.assign(point, value)
        except TooDeep:  # a choice that several parts share let one of them end, and another not
            continue


def _too_many(point: ChoicePoint) -> BadArgument:
    return BadArgument(
        f"{point.address}: expected a choice with a hole, or few values to try each.\n"
        f"  Got {point.domain} without one, and with what else has no hole more than {_MANY:,} partial programs.\n"
        "  Give the choice a hole, da.or_(..., hole=fn), fix it, or write space.discretize(levels=...)."
    )
