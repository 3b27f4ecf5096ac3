"""Second-order steps: Levenberg and Marquardt's, of many programs at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from deep_arch.backends.torch_backend.stacks.losses import Loss
from deep_arch.backends.torch_backend.stacks.stack import Stack

_FIRST: Final = 1e-2
_LEAST, _MOST = 1e-6, 1e4
_SMALLER, _LARGER = 0.3, 8.0
"""How the damping of a program changes after a step that its loss takes, and after one that it does not."""


def penalties(stack: Stack, ridge: float) -> Tensor:
    """Return what the square of each weight costs: `ridge`, and nothing for a constant that is added."""
    found = torch.full((stack.n_weights,), ridge)
    for (_, name), place in stack.places.items():
        if name == "bias":
            found[place.numbers] = 0.0
    return found


def descend(stack: Stack, inputs: Sequence[Tensor], loss: Loss, weights: Tensor, penalty: Tensor, steps: int) -> Tensor:
    """Return better weights: of the loss and the penalty, after some damped steps of Gauss and Newton.

    Each program has a damping of its own: a step that makes it worse is not taken, and the next is shorter.

    References:
        Marquardt, An algorithm for least-squares estimation of nonlinear parameters (SIAM 1963); Martens, New insights
        on the natural gradient method (JMLR 2020), section 8, for losses that are no sums of squares.
    """

    def objective(weights: Tensor) -> Tensor:
        return loss.value(stack.outputs(weights, inputs)) + weights.square() @ penalty

    now, damping = objective(weights), weights.new_full((len(weights),), _FIRST)
    for _ in range(steps):
        tried = weights - _step(stack, inputs, loss, weights, penalty, damping)
        then = objective(tried)
        better = then < now
        weights, now = torch.where(better[:, None], tried, weights), torch.where(better, then, now)
        damping = torch.where(better, damping * _SMALLER, damping * _LARGER).clamp(_LEAST, _MOST)
    return weights


def _step(
    stack: Stack, inputs: Sequence[Tensor], loss: Loss, weights: Tensor, penalty: Tensor, damping: Tensor
) -> Tensor:
    z, jacobian = stack.jacobian(weights, inputs)
    slope = (loss.slope(z) * loss.cost[:, None]).transpose(1, 2)
    gradient = (jacobian @ slope[..., None]).sum(1)[..., 0] + 2 * penalty * weights
    rows = loss.rows(z, jacobian).transpose(1, 2).flatten(2)
    curvature = rows @ rows.mT + torch.diag(2 * penalty + 1e-8)
    diagonal = torch.diagonal(curvature, dim1=1, dim2=2)
    damped = curvature + torch.diag_embed(damping[:, None] * (diagonal + 1e-3))
    step: Tensor = torch.linalg.solve_ex(damped.double(), gradient.double())[0]
    return step.to(weights.dtype)
