"""Losses of stacks: their values, slopes and curvature, for all programs at once.

What programs give, `z`, is (programs, examples, outputs). A Jacobian is (programs, outputs, weights, examples).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional as F

_FLAT: Final = 1e-4
"""The least curvature of an example, so that those which are sure already still weigh a little."""


class Loss(ABC):
    """A mean over examples, each with a cost.

    Args:
        y: what is right for each example.
        class_weight: the cost of an example of class 1, or of each class; that of all others is 1.
    """

    def __init__(self, y: Tensor, class_weight: float | tuple[float, ...] = 1.0) -> None:
        self.y = y
        self.cost = self._costs(class_weight) / len(y)

    def _costs(self, class_weight: float | tuple[float, ...]) -> Tensor:
        return torch.ones(len(self.y))

    @abstractmethod
    def value(self, z: Tensor) -> Tensor:
        """Return the loss of each program."""

    @abstractmethod
    def slope(self, z: Tensor) -> Tensor:
        """Return the gradient for each output of each example, before costs."""

    @abstractmethod
    def rows(self, z: Tensor, jacobian: Tensor) -> Tensor:
        """Return R like the Jacobian, where R R^T summed over outputs is the curvature of Gauss and Newton."""


class LogLoss(Loss):
    """The logistic loss of one logit or several, where `y` is 0 or 1 for each."""

    def _costs(self, class_weight: float | tuple[float, ...]) -> Tensor:
        of = (1.0, class_weight) if isinstance(class_weight, int | float) else class_weight
        return torch.where(self.y[:, 0] > 0, of[1], of[0])

    def value(self, z: Tensor) -> Tensor:
        """Return the weighted mean of -log p."""
        wrong = F.softplus(torch.where(self.y > 0, -z, z)).sum(-1)
        return wrong @ self.cost

    def slope(self, z: Tensor) -> Tensor:
        """Return p - y."""
        return torch.sigmoid(z) - self.y

    def rows(self, z: Tensor, jacobian: Tensor) -> Tensor:
        """Scale by the root of p (1 - p)."""
        p = torch.sigmoid(z)
        scale = ((p * (1 - p)).clamp(min=_FLAT) * self.cost[:, None]).sqrt()
        return jacobian * scale.transpose(1, 2)[:, :, None]


class SoftmaxLoss(Loss):
    """The cross entropy of k logits, where `y` is the class; the curvature has the whole blocks of k by k."""

    def _costs(self, class_weight: float | tuple[float, ...]) -> Tensor:
        if isinstance(class_weight, int | float):
            return torch.where(self.y == 1, float(class_weight), 1.0)
        return torch.tensor(class_weight)[self.y]

    def value(self, z: Tensor) -> Tensor:
        """Return the weighted mean of -log p."""
        right = z.log_softmax(-1).gather(-1, self.y.expand(len(z), -1)[..., None])[..., 0]
        return -(right @ self.cost)

    def slope(self, z: Tensor) -> Tensor:
        """Return p - y, with y as a vector."""
        return z.softmax(-1) - F.one_hot(self.y, z.shape[-1])

    def rows(self, z: Tensor, jacobian: Tensor) -> Tensor:
        """Scale what differs from the mean over classes, since diag(p) - p p^T is the covariance of the classes."""
        p = z.softmax(-1).transpose(1, 2)[:, :, None]
        mean = (p * jacobian).sum(1, keepdim=True)
        return (jacobian - mean) * (p.clamp(min=_FLAT) * self.cost).sqrt()


class SquaredLoss(Loss):
    """Half the squared distance to `y`."""

    def value(self, z: Tensor) -> Tensor:
        """Return the mean."""
        return (z - self.y).square().sum(-1) @ self.cost / 2

    def slope(self, z: Tensor) -> Tensor:
        """Return the distance."""
        return z - self.y

    def rows(self, z: Tensor, jacobian: Tensor) -> Tensor:
        """Scale by the costs."""
        return jacobian * self.cost.sqrt()


LOSSES: Final[dict[str, type[Loss]]] = {"log": LogLoss, "softmax": SoftmaxLoss, "squared": SquaredLoss}
