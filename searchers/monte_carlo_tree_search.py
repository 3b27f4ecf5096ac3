"""Monte Carlo tree search: a tree of the first decisions, grown where its scores are high, and random draws below."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from deep_arch.language.domains import Choice, Domain, Integer, Real
from deep_arch.language.stepped import Stepped
from deep_arch.searchers.parts.checks import check_count, check_number
from deep_arch.searchers.parts.decisions import MOST_OUT, composed, decisions, identity
from deep_arch.spaces.choice_points import ChoicePoint
from deep_arch.studies.searcher import FinishedTrial, Searcher, Values

_UNVISITED: Final = 0  # no node's child is the root
_CLOSED: Final = -1

_RESOLUTION: Final = 2**-8
"""The share of its scale down to which an interval is bisected; below it, numbers are drawn."""

_HUGE: Final = 1e150
"""Where scores are cut off, so that no sum of them overflows."""


@dataclass(slots=True)
class TreeNode:
    """A place in the tree, reached by the decisions above it.

    Attributes:
        parent: its place in the list of nodes; -1 for the root.
        children: by option, the place of a node, _UNVISITED, or _CLOSED where all below was proposed.
        visits: how many proposals passed, whatever came of them.
        scored, total: how many of them have a score, and the sum of those.
    """

    parent: int = -1
    children: list[int] = field(default_factory=list[int])
    visits: int = 0
    scored: int = 0
    total: float = 0.0


class MonteCarloTreeSearch(Searcher):
    """Decide in the order of unfolding: as upper confidence bounds say in the tree, at random below it (UCT).

    Each proposal walks down the tree, at each node to a child that was never visited or else to the one with the
    highest bound, adds one node where it leaves the tree, and draws the rest. Wide domains are bisected: first the
    lower or the upper half, then a half of that, so that neighbouring values share what is known of them. What has
    been proposed to its last decision is not walked to again; once that is all, proposals are drawn at random.

    A proposal counts as a visit with the worst score so far until it is told, so that several that are out at once
    differ; trials that failed or were skipped go on counting so.

    Args:
        exploration: how much a child is worth for having been visited seldom, in units of the range from the worst
            to the best score so far.
        branches: how many options a node may have; a domain with more of them is bisected until that many are left.

    Raises:
        BadArgument: `exploration` is no finite number of at least 0, or `branches` no int of at least 2.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> from deep_arch.searchers import MonteCarloTreeSearch
        >>> net = da.space(lambda x: ops.Dense(units=da.integer(1, 1000))(x))
        >>> search = da.search(net, MonteCarloTreeSearch(), trials=100, seed=0)
        >>> for trial in search:
        ...     trial.tell(-abs(trial.values["dense.units"] - 420))
        >>> search.best.score
        0.0

    References:
        Kocsis and Szepesvari, Bandit based Monte-Carlo planning (ECML 2006).
        Negrinho and Gordon, DeepArchitect: automatically designing and training deep architectures (2017), on Monte
        Carlo tree search with bisection.
        Auer, Cesa-Bianchi and Fischer, Finite-time analysis of the multiarmed bandit problem (2002), UCB1.
    """

    n_objectives: int | None = 1

    def __init__(self, exploration: float = 0.4, branches: int = 5) -> None:
        check_number(self, low=0, exploration=exploration)
        check_count(self, least=2, branches=branches)
        self.exploration: Final = exploration
        self.branches: Final = branches

    def start(self, space: Any, rng: Any) -> None:
        """Begin with a tree that is only its root."""
        super().start(space, rng)
        self._tree = [TreeNode()]
        self._out: deque[tuple[Any, Values, int]] = deque(maxlen=MOST_OUT)
        self._low = self._high = 0.0

    # --- proposing -----------------------------------------------------------------------------------------------

    def _decide(self) -> Values:
        self._place, self._in_tree, self._drew = 0, True, False
        try:
            values = super()._decide()
        finally:  # a walk into what is too deep is a visit too, or the next one would go there again
            self._visit()
        self._out.append((identity(values), values, self._place))
        return values

    def choose(self, point: ChoicePoint) -> Any:
        """Decide by the tree, or draw below it."""
        if self._in_tree:
            return composed(point, self._pick)
        self._drew = self._drew or point.domain.size > 1
        return point.domain.draw(self.rng)

    def _pick(self, _address: str, domain: Domain, known: Any = None) -> Any:
        """Return a value, the known one if there is one, and go where it leads."""
        if isinstance(domain, Real):
            return domain.at_unit(self._unit(None if known is None else domain.unit(known)))
        wanted = None if known is None else _position(domain, known)
        low, high = 0, int(domain.size)
        while high - low > self.branches:
            middle = _middle(domain, low, high)
            is_upper = self._step(2, None if wanted is None else int(wanted >= middle))
            low, high = (middle, high) if is_upper else (low, middle)
        return domain.at(low + self._step(high - low, None if wanted is None else wanted - low))

    def _unit(self, known: float | None) -> float:
        low, width = 0.0, 1.0
        while width > _RESOLUTION:
            width /= 2
            low += width * self._step(2, None if known is None else int(known >= low + width))
        self._drew = True
        return low + width * self.rng.random() if known is None else known

    def _step(self, n_options: int, known: int | None) -> int:
        """Return the option to go on with, and go there."""
        if n_options == 1:
            return 0
        if self._in_tree:
            children = self._tree[self._place].children
            children += [_UNVISITED] * (n_options - len(children))
            option = self._choice(children[:n_options]) if known is None else known
            if children[option] == _UNVISITED:
                return self._expand(option)
            if children[option] != _CLOSED:
                self._place = children[option]
                return option
        self._in_tree, self._drew = False, True
        return int(self.rng.random() * n_options) if known is None else known

    def _choice(self, children: Sequence[int]) -> int:
        """Return an option that was never visited or else the best one; any if all are closed."""
        unvisited = [i for i, child in enumerate(children) if child == _UNVISITED]
        return self.rng.choice(unvisited) if unvisited else self._best(children)

    def _expand(self, option: int) -> int:
        self._tree[self._place].children[option] = len(self._tree)
        self._tree.append(TreeNode(self._place))
        self._place, self._in_tree = len(self._tree) - 1, False
        return option

    def _best(self, children: Sequence[int]) -> int:
        """Return the option with the highest bound, UCB1: its mean score + exploration * sqrt(2 ln(N) / n)."""
        low, span = self._low, (self._high - self._low) or 1.0
        log_visits = 2 * math.log(self._tree[self._place].visits)
        best, highest = 0, -math.inf
        for option, child in enumerate(children):
            if child != _CLOSED:
                node = self._tree[child]
                mean = (node.total - node.scored * low) / (span * node.visits)
                bound = mean + self.exploration * math.sqrt(log_visits / node.visits)
                if bound > highest:
                    best, highest = option, bound
        return best

    def _visit(self) -> None:
        place = self._place
        while place >= 0:
            self._tree[place].visits += 1
            place = self._tree[place].parent
        if not self._drew:
            self._close(self._place)

    def _close(self, place: int) -> None:
        """Walk no more to a node whose decisions were all made, nor to one above it with nothing else below."""
        while place > 0:
            parent = self._tree[place].parent
            children = self._tree[parent].children
            children[children.index(place)] = _CLOSED
            if max(children) > _CLOSED:
                return
            place = parent

    def propose(self, values: Values) -> Values:
        """Walk to what the user has in mind as if the tree had led there."""
        proposal = super().propose(values)
        self._out.append((identity(proposal), proposal, self._leaf(proposal)))
        return proposal

    # --- learning ------------------------------------------------------------------------------------------------

    def tell(self, trial: FinishedTrial) -> None:
        """Give a complete trial's score to the nodes on its way; what is told twice counts once."""
        told = identity(trial.values)
        place = next((i for i, (proposed, *_) in enumerate(self._out) if proposed == told), None)
        if place is not None:
            leaf = self._out[place][2]
            del self._out[place]
        elif trial.number < 0:  # of no trial of this search, but known before
            leaf = self._leaf(trial.values)
        else:
            return
        if trial.state == "complete":
            self._learn(leaf, min(max(trial.gain, -_HUGE), _HUGE))

    def _leaf(self, values: Values) -> int:
        """Return where the tree is left on the way to some values, a node more for them, as if they were proposed."""
        self._place, self._in_tree, self._drew = 0, True, False
        for address, domain in self.space.decidable(values).items():
            for decision in decisions(domain, address, values[address]):
                self._pick(*decision)
        self._visit()
        return self._place

    def _learn(self, place: int, gain: float) -> None:
        is_first = not self._tree[0].scored
        self._low = gain if is_first else min(self._low, gain)
        self._high = gain if is_first else max(self._high, gain)
        while place >= 0:
            node = self._tree[place]
            node.scored += 1
            node.total += gain
            place = node.parent

    # --- state ---------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return the tree, node by node, the range of scores, and the proposals without a result."""
        return {
            **super().state_dict(),
            "tree": [[n.parent, list(n.children), n.visits, n.scored, n.total] for n in self._tree],
            "range": [self._low, self._high],
            "out": [[self.encode(values), place] for _, values, place in self._out],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with a tree."""
        super().load_state_dict(state)
        self._tree = [TreeNode(parent, list(children), *counts) for parent, children, *counts in state["tree"]]
        self._low, self._high = state["range"]
        self._out.clear()
        for text, place in state["out"]:
            values = self.decode(text)
            self._out.append((identity(values), values, place))


def _position(domain: Domain, value: Any) -> int:
    """Return the position of a value of a simple domain."""
    assert isinstance(domain, Choice | Integer | Stepped), "decisions are of options and numbers"
    return domain.position(value) or 0


def _middle(domain: Domain, low: int, high: int) -> int:
    """Return the position that halves those from `low` up to `high`, on the domain's own scale."""
    if not isinstance(domain, Integer | Stepped) or not domain.log:
        return (low + high) // 2
    first, last = cast("tuple[Any, Any]", (domain.at(low), domain.at(high - 1)))
    unit = (domain.unit(first) + domain.unit(last)) / 2
    return min(max(_position(domain, domain.at_unit(unit)), low + 1), high - 1)
