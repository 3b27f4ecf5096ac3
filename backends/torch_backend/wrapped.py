"""Modules made of torch classes: what `torch_backend.wrap` gives."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, fx, nn
from torch.nn.parameter import is_lazy

from deep_arch.backends.torch_backend.context import Emitter, Lowered, unpacked
from deep_arch.backends.torch_backend.layers import Function
from deep_arch.backends.wrapped import Measured, NativeModule, maker
from deep_arch.errors import BadArgument, ShapeMismatch
from deep_arch.language.specs import Spec
from deep_arch.language.wrapping import made_with

_BATCH = 2  # what shapes and costs are measured at: 1 would hide a layer that loses the batch


class TorchModule(NativeModule):
    """A torch module whose arguments may be hyperparameters.

    Its shape and cost rules run the real module on torch's meta device, which computes shapes and no numbers.
    """

    arrays: ClassVar[str] = "(batch, channels, *spatial)"

    @classmethod
    def measure(
        cls, name: str, factory: Callable[..., Any], arguments: Mapping[str, Any], inputs: tuple[Spec, ...]
    ) -> Measured:
        """Run the module on torch's meta device."""
        from torch.nn.attention import SDPBackend, sdpa_kernel
        from torch.utils.flop_counter import FlopCounterMode  # loads much that models do not need

        counter = FlopCounterMode(display=False)
        with torch.no_grad(), torch.device("meta"):
            module = _made(name, factory, arguments, inputs).eval()
            tensors = [torch.empty((_BATCH, *x.shape), dtype=getattr(torch, x.dtype)) for x in inputs]
            with sdpa_kernel(SDPBackend.MATH), counter:  # fused kernels of attention are not all counted
                result = module(*tensors)
        parameters = sum(p.numel() for p in module.parameters() if p.requires_grad)
        saved: dict[str, Any] = module.state_dict()
        others = sum(x.numel() for x in saved.values() if isinstance(x, Tensor) and x.is_floating_point()) - parameters
        return Measured(_specs_of(name, result), parameters, others, counter.get_total_flops() // (2 * _BATCH))

    def to_torch(self, emit: Emitter, specs: Sequence[Spec], *nodes: fx.Node) -> Lowered:
        """Write the module into a model."""
        node = emit.module(
            lambda: _initialised(_made(self.base_name, self.factory, self.arguments, specs), specs), *nodes
        )
        return unpacked(node, emit, self.n_outputs)


def wrap(module_class: Callable[..., Any], outputs: int = 1) -> Callable[..., TorchModule]:
    """Return a function that makes a module of a torch class, or of a function that returns an nn.Module.

    It takes the arguments of `module_class`, which may be hyperparameters, and `name=`. Tensors come to the module as
    torch has them, (batch, channels, *spatial).

    Args:
        module_class: what makes the nn.Module.
        outputs: how many tensors the nn.Module returns.

    Raises:
        BadArgument: `module_class` cannot be called, or is a module already; and when the result is called, it has no
            such arguments.

    Example:
        >>> from deep_arch.language.specs import image
        >>> conv = wrap(torch.nn.Conv2d)
        >>> str(conv(3, 8, kernel_size=3).shape(image(3, 8, 8)))
        '(8, 6, 6)'
    """
    expected = "a class of torch modules, or a function that returns one"
    return maker(TorchModule, module_class, outputs, nn.Module, expected, "wrap(torch.nn.Conv2d)")


def _made(name: str, factory: Callable[..., Any], arguments: Mapping[str, Any], inputs: Sequence[Spec]) -> nn.Module:
    with _default_dtype(inputs[0].dtype):
        made = made_with(factory, arguments)
    if isinstance(made, nn.Module):
        return made
    if callable(made):
        return Function(made)
    raise BadArgument(
        f"{name}: expected the factory to make an nn.Module or a function of tensors.\n"
        f"  Got {made!r} ({type(made).__name__}).\n  Wrap a torch class, or a function that returns a function."
    )


@contextlib.contextmanager
def _default_dtype(dtype: str) -> Generator[None]:
    """Make modules in the type of floats that they are given; float32 is left to the user's own setting."""
    before = torch.get_default_dtype()
    if "float" in dtype and dtype != "float32":
        torch.set_default_dtype(getattr(torch, dtype))
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _initialised(module: nn.Module, inputs: Sequence[Spec]) -> nn.Module:
    """Give a lazy module its parameters, which torch makes at the first call."""
    if any(map(is_lazy, itertools.chain(module.parameters(), module.buffers()))):
        with torch.no_grad():
            module.eval()(*(torch.zeros((_BATCH, *x.shape), dtype=getattr(torch, x.dtype)) for x in inputs))
        module.train()
    return module


def _specs_of(name: str, result: Any) -> tuple[Spec, ...]:
    several = type(result) in (tuple, list) and len(result) > 1
    outputs: tuple[Any, ...] = tuple(result) if several else (result,)
    if not all(isinstance(x, Tensor) and x.dim() > 0 and x.shape[0] == _BATCH for x in outputs):
        got = [tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__ for x in outputs]
        raise ShapeMismatch(
            f"{name}: expected tensors (batch, channels, *spatial), for a batch of {_BATCH}.\n  Got {got}.\n"
            "  Wrap a class whose forward returns a tensor, or a flat tuple of them."
        )
    return tuple(Spec(tuple(x.shape[1:]), str(x.dtype).removeprefix("torch.")) for x in outputs)
