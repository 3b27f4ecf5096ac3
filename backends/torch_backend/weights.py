"""Weights of a torch model under their neutral names and in their neutral layouts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from deep_arch.backends.build_plan import BuildStep
from deep_arch.backends.torch_backend.model import record_of
from deep_arch.backends.torch_backend.storage import Stored, plain, stored_weights
from deep_arch.backends.weights import check_weights

Array = npt.NDArray[Any]


def get_weights(model: nn.Module) -> dict[str, Array]:
    """Return copies of all weights, moving statistics included, by neutral name and in the order of the calls.

    Names and layouts are those of `da.Weight`, the same in every backend: what this returns can be given to the
    `set_weights` of another. Weights of wrapped torch classes, and of operations of your own, go by the names that
    torch gives them. NumPy has no bfloat16, which comes as float32.

    Raises:
        BadArgument: `torch_backend.build` did not return the model.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> from deep_arch.backends import torch_backend
        >>> net = da.space(lambda x: ops.Conv2D(8, kernel_size=3)(x))
        >>> model = torch_backend.build(net.at({}), da.image(channels=3, height=32, width=32))
        >>> {name: weight.shape for name, weight in torch_backend.get_weights(model).items()}
        {'conv2d.kernel': (3, 3, 3, 8), 'conv2d.bias': (8,)}
    """
    return {name: _array(stored.to_neutral(tensors)) for name, stored, tensors in _held(model, "get_weights")}


def set_weights(model: nn.Module, weights: Mapping[str, Any]) -> None:
    """Give a model other weights, such as those that `get_weights` returned for the same architecture, in any backend.

    Raises:
        BadArgument: `torch_backend.build` did not return the model, a name is missing, or belongs to no weight.
        ShapeMismatch: an array has another shape than the weight.
    """
    held = _held(model, "set_weights")
    check_weights({name: stored.shape for name, stored, _ in held}, weights, "torch_backend")
    with torch.no_grad():
        for name, stored, tensors in held:
            write(stored, tensors, weights[name])


def get_gradients(model: nn.Module) -> dict[str, Array]:
    """Return the gradients of the trained weights as `get_weights` does the weights; zeros where there is none.

    Raises:
        BadArgument: `torch_backend.build` did not return the model.
    """
    return {
        name: _array(stored.to_neutral([_gradient(tensor) for tensor in tensors]))
        for name, stored, tensors in _held(model, "get_gradients")
        if all(tensor.requires_grad for tensor in tensors)
    }


def write(stored: Stored, tensors: list[Tensor], weight: Any) -> None:
    """Copy a neutral weight into a model's tensors."""
    # torch warns of arrays that cannot be written to, and reads no types of NumPy's extensions.
    array = np.require(weight, np.float64 if tensors[0].dtype == torch.float64 else np.float32, ["C", "W"])
    stored.copy_into(tensors, torch.from_numpy(array))


def tensors_at(root: nn.Module, stored: Stored) -> list[Tensor]:
    """Return the tensors that hold a weight."""
    return [_tensor(root, path) for path in stored.paths]


def stored_of(step: BuildStep, root: nn.Module, target: str, native: bool) -> dict[str, Stored]:
    """Return how a step's submodule, at the path `target` of `root`, stores its weights, by their whole neutral names.

    Args:
        step: what was lowered.
        root: what holds the submodule, if it has one.
        target: the submodule's path.
        native: whether torch's names stand, as the submodule is not one of the backend's own.
    """
    found = _native(root, target) if native else stored_weights(step.module, step.specs, target)
    return {f"{step.path}.{name}": stored for name, stored in found.items()}


def _native(root: nn.Module, target: str) -> dict[str, Stored]:
    """Return how all floats are stored that are saved with a submodule, as torch has them."""
    try:
        saved: dict[str, Any] = root.get_submodule(target).state_dict()
    except AttributeError:  # a function has no submodule
        return {}
    return {
        name: Stored((f"{target}.{name}",), plain(tuple(tensor.shape)))
        for name, tensor in saved.items()
        if isinstance(tensor, Tensor) and tensor.is_floating_point()
    }


def _held(model: nn.Module, asker: str) -> list[tuple[str, Stored, list[Tensor]]]:
    """Return the name of each weight, how it is stored, and its tensors."""
    return [(name, stored, tensors_at(model, stored)) for name, stored in record_of(model, asker).stored.items()]


def _tensor(model: nn.Module, path: str) -> Tensor:
    owner, _, name = path.rpartition(".")
    return getattr(model.get_submodule(owner), name)  # type: ignore[no-any-return]


def _gradient(tensor: Tensor) -> Tensor:
    return torch.zeros_like(tensor) if tensor.grad is None else tensor.grad


def _array(tensor: Tensor) -> Array:
    tensor = tensor.detach()
    return np.array((tensor.float() if tensor.dtype == torch.bfloat16 else tensor).cpu().numpy(), order="C")
