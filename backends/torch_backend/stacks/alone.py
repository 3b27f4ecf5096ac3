"""Programs that do not stack: each is a model of its own, trained by L-BFGS on all examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy.typing as npt
import torch
from torch import Tensor, nn

from deep_arch.backends.torch_backend.building import build
from deep_arch.backends.torch_backend.stacks.tasks import Part, Task
from deep_arch.backends.torch_backend.weights import get_weights, set_weights
from deep_arch.spaces.architecture import Architecture

_TIMES: Final = 5
"""Steps of L-BFGS for each of second order."""


def fit_alone(
    architecture: Architecture, weights: Mapping[str, Any], names: Mapping[str, str], task: Task, steps: int
) -> tuple[nn.Module, float, float, npt.NDArray[Any]]:
    """Return a trained model, its losses, and what it gives for the examples of `valid`.

    Args:
        architecture: what to train.
        weights: the first ones, by address; torch's own draw of those that it names itself.
        names: of these in the model.
        task: the data and the loss.
        steps: as many as a stack would take.
    """
    model = build(architecture, task.train.specs, seed=0).eval()  # examples do not mix, and nothing is drawn
    set_weights(model, {**get_weights(model), **{names[address]: weight for address, weight in weights.items()}})
    inputs = _ordered(model, task.train)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if trained and steps:
        _train(model, trained, inputs, task, steps)
    with torch.no_grad():
        loss = task.train.loss.value(_outputs(model, inputs)[None])[0]
        z = _outputs(model, _ordered(model, task.valid))
        valid_loss = task.valid.loss.value(z[None])[0]
    return model, float(loss), float(valid_loss), z.numpy()


def _train(model: nn.Module, trained: Sequence[nn.Parameter], inputs: Sequence[Tensor], task: Task, steps: int) -> None:
    optimizer = torch.optim.LBFGS(list(trained), max_iter=_TIMES * steps, line_search_fn="strong_wolfe")
    kernels = [parameter for parameter in trained if parameter.dim() > 1]

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = task.train.loss.value(_outputs(model, inputs)[None])[0]
        loss = loss + task.ridge * sum([kernel.square().sum() for kernel in kernels], torch.zeros(()))
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    with torch.enable_grad():
        optimizer.step(closure)  # type: ignore[no-untyped-call]


def _ordered(model: nn.Module, part: Part) -> list[Tensor]:
    return part.ordered(list(model.meta["deep_arch"].inputs))  # type: ignore[union-attr, index]


def _outputs(model: nn.Module, inputs: Sequence[Tensor]) -> Tensor:
    given: Any = model(*inputs)
    given = next(iter(given.values())) if isinstance(given, Mapping) else given
    tensor: Tensor = given[0] if isinstance(given, tuple) else given
    return tensor.flatten(1)
