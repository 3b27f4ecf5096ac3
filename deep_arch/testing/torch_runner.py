"""The PyTorch backend as tests use it: what every other backend is compared with."""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from deep_arch.backends.torch_backend.weights import get_gradients
from deep_arch.testing.parity import Array, Arrays, BackendRunner, listed


class TorchRunner(BackendRunner):
    """Run models of the PyTorch backend on arrays of NumPy."""

    module: ClassVar[str] = "deep_arch.backends.torch_backend"

    def named(self, model: Any, arrays: Arrays) -> dict[str, Array]:
        return {name: x.detach().numpy() for name, x in model.eval()(**_tensors(arrays)).items()}

    def run(self, model: Any, arrays: Arrays, training: bool = False) -> list[Array]:
        with torch.no_grad():
            return [x.numpy() for x in self._outputs(model, _tensors(arrays), training)]

    def gradients(
        self, model: Any, arrays: Arrays, cotangents: Sequence[Array], training: bool = False
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        tensors = _tensors(arrays)
        for tensor in tensors.values():
            tensor.requires_grad_(tensor.is_floating_point())
        model.zero_grad(set_to_none=True)
        outputs = self._outputs(model, tensors, training)
        loss = sum((y * torch.from_numpy(np.array(c))).sum() for y, c in zip(outputs, cotangents, strict=True))
        if isinstance(loss, torch.Tensor) and loss.requires_grad:
            loss.backward()  # type: ignore[no-untyped-call]
        by_input = {
            name: np.zeros_like(arrays[name]) if x.grad is None else x.grad.numpy()
            for name, x in tensors.items()
            if x.requires_grad
        }
        return by_input, get_gradients(model)

    @staticmethod
    def _outputs(model: Any, tensors: dict[str, torch.Tensor], training: bool) -> list[torch.Tensor]:
        model.train(training)
        outputs: Any = model(**tensors)
        model.eval()
        return listed(outputs)


def _tensors(arrays: Arrays) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(np.array(x)) for name, x in arrays.items()}
