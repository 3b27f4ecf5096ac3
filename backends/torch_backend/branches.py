"""Branches: weights of one super-network for each of the ways in which a search goes on."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from deep_arch.backends.torch_backend.supernetwork import SuperNetwork
from deep_arch.backends.torch_backend.views import View
from deep_arch.supernets.branching import Branch


class Branches:
    """A super-network whose weights are those of the branch that its searcher is in; made by `branches`.

    Tensors stay the same and are overwritten, so that one optimizer trains them all.

    Attributes:
        supernet: the super-network.
    """

    supernet: SuperNetwork

    def __init__(self, supernet: SuperNetwork, searcher: Any) -> None:
        self.supernet, self._searcher = supernet, searcher
        self._now = 0
        self._kept: dict[int, dict[str, Tensor]] = {}

    def at(self, state: Any) -> View:
        """Return a view as `supernet.at` does, of the weights of the searcher's branch."""
        self.enter(getattr(self._searcher, "branch", Branch()))
        return self.supernet.at(state)

    def build(self, architecture: Any) -> nn.Module:
        """Return an ordinary model as `supernet.build` does, with the weights of the searcher's branch."""
        self.enter(getattr(self._searcher, "branch", Branch()))
        return self.supernet.build(architecture)

    def enter(self, branch: Branch) -> None:
        """Let the weights be those of a branch: what they were when it was left, or at first those of its parent."""
        if branch.number == self._now:
            return
        self._kept[self._now] = {name: tensor.clone() for name, tensor in self.supernet.state_dict().items()}
        begin = branch.number if branch.number in self._kept else branch.parent
        if begin is not None and begin in self._kept:
            with torch.no_grad():
                self.supernet.load_state_dict(self._kept[begin])
        self._kept = {number: kept for number, kept in self._kept.items() if number in branch.needed}
        self._now = branch.number


def branches(supernet: SuperNetwork, searcher: Any) -> Branches:
    """Return a super-network that has weights for each branch of a search.

    A searcher such as `DPads` goes on from one state in several ways, each with weights that begin as they were there.
    Of other searchers there is one branch, and `branches(...).at` is `supernet.at`.

    Args:
        supernet: what has the weights, of one branch at a time; do not step an optimizer of it between a trial's end
            and the next view.
        searcher: whose `branch`, a `deep_arch.supernets.branching.Branch`, says where it is.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> from deep_arch.backends import torch_backend
        >>> from deep_arch.searchers import DPads
        >>> net = da.space(lambda x: da.or_({"one": lambda: ops.Dense(2), "two": lambda: ops.Dense(2)})(x))
        >>> searcher = DPads(epoch=1)
        >>> weights = branches(torch_backend.supernet(net, da.vector(3), seed=0), searcher)
        >>> for trial in da.search(net, searcher, trials=3, seed=0):
        ...     model = weights.at(trial)
        ...     score = model(torch.ones(1, 3)).sum()
        ...     trial.tell(score.item(), slopes=model.slopes(score))
    """
    return Branches(supernet, searcher)
