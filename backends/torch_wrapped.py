"""Modules made of torch classes: what `torch_backend.wrap` gives."""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx, nn
from torch.nn.parameter import is_lazy

from deep_arch.backends.torch_emitter import Emitter, Lowered, unpacked
from deep_arch.backends.torch_layers import Function
from deep_arch.errors import BadArgument, ShapeMismatch
from deep_arch.modules import Wrapped
from deep_arch.specs import Spec
from deep_arch.wrapping import bind

_BATCH = 2  # what shapes and costs are measured at: 1 would hide a layer that loses the batch


class Measured(NamedTuple):
    """What one run told of a module."""

    outputs: tuple[Spec, ...]
    parameters: int
    macs: int
    non_trainable: int


class TorchModule(Wrapped):
    """A torch module whose arguments may be hyperparameters.

    Its shape and cost rules run the real module on torch's meta device, which computes shapes and no numbers.
    """

    def shape(self, *inputs: Spec) -> Spec | tuple[Spec, ...]:
        """Return the output's spec, or one for each output.

        Raises:
            ShapeMismatch: the module cannot be made, does not take the inputs, or gives something else.
            BadArgument: what was wrapped makes neither an nn.Module nor a function.
        """
        outputs = self._measured(inputs).outputs
        if len(outputs) != self.n_outputs:
            raise ShapeMismatch(
                f"{self.base_name}: expected as many outputs as wrap was told, {self.n_outputs}.\n"
                f"  Got {len(outputs)} from {_listed(inputs)}.\n  Write wrap(..., outputs={len(outputs)})."
            )
        return outputs[0] if len(outputs) == 1 else outputs

    def parameters(self, *inputs: Spec) -> int:
        """Return the number of trained parameters."""
        return self._measured(inputs).parameters

    def non_trainable(self, *inputs: Spec) -> int:
        """Return the number of other numbers that are saved: frozen parameters and buffers, such as running means."""
        return self._measured(inputs).non_trainable

    def macs(self, *inputs: Spec) -> int:
        """Return the multiply-accumulates for one example, of the operations that torch counts."""
        return self._measured(inputs).macs

    def to_torch(self, emit: Emitter, specs: Sequence[Spec], *nodes: fx.Node) -> Lowered:
        """Write the module into a model."""
        node = emit.module(
            lambda: _initialised(_made(self.base_name, self.factory, self.arguments, specs), specs), *nodes
        )
        return unpacked(node, emit, self.n_outputs)

    def _measured(self, inputs: tuple[Spec, ...]) -> Measured:
        # 1, 1.0 and True are equal, and another argument each.
        items = tuple([_typed(key, value) for key, value in self.arguments.items()])
        try:
            hash(items)
        except TypeError:
            return _measure(self.base_name, self.factory, self.arguments, inputs)
        return _remembered(self.base_name, self.factory, items, inputs)


def _typed(key: str, value: object) -> tuple[str, type[object], object]:
    return key, type(value), value


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
        >>> from deep_arch.specs import image
        >>> conv = wrap(torch.nn.Conv2d)
        >>> str(conv(3, 8, kernel_size=3).shape(image(3, 8, 8)))
        '(8, 6, 6)'
    """
    if not callable(module_class) or isinstance(module_class, nn.Module):
        raise BadArgument(
            "wrap: expected a class of torch modules, or a function that returns one.\n"
            f"  Got {module_class!r} ({type(module_class).__name__}).\n  Write wrap(torch.nn.Conv2d), without a call."
        )

    @functools.wraps(module_class, updated=())
    def make(*args: Any, name: str | None = None, **kwargs: Any) -> TorchModule:
        return TorchModule(module_class, bind(module_class, args, kwargs), name, outputs)

    return make


def as_torch(module: Wrapped) -> TorchModule:
    """Return what `da.wrap` gave as what `wrap` gives: the result of its factory must work on tensors."""
    return TorchModule(module.factory, module.arguments, module.base_name, module.n_outputs)


def _made(name: str, factory: Callable[..., Any], arguments: Mapping[str, Any], inputs: Sequence[Spec]) -> nn.Module:
    with _default_dtype(inputs[0].dtype):
        made = factory(**arguments)
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


@functools.lru_cache(maxsize=4096)
def _remembered(
    name: str,
    factory: Callable[..., Any],
    items: tuple[tuple[str, type[object], object], ...],
    inputs: tuple[Spec, ...],
) -> Measured:
    return _measure(name, factory, {key: value for key, _, value in items}, inputs)


def _measure(
    name: str, factory: Callable[..., Any], arguments: Mapping[str, Any], inputs: tuple[Spec, ...]
) -> Measured:
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode  # loads much that models do not need

    counter = FlopCounterMode(display=False)
    try:
        with torch.no_grad(), torch.device("meta"):
            module = _made(name, factory, arguments, inputs).eval()
            tensors = [torch.empty((_BATCH, *x.shape), dtype=getattr(torch, x.dtype)) for x in inputs]
            with sdpa_kernel(SDPBackend.MATH), counter:  # fused kernels of attention are not all counted
                result = module(*tensors)
    except BadArgument:
        raise
    except Exception as error:
        given = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
        raise ShapeMismatch(
            f"{name}: expected inputs and arguments that {getattr(factory, '__name__', factory)} takes.\n"
            f"  Got {_listed(inputs)} for ({given}), and {type(error).__name__}: {error}.\n"
            "  Change the arguments, or what comes before; tensors are (batch, channels, *spatial)."
        ) from error
    parameters = sum(p.numel() for p in module.parameters() if p.requires_grad)
    saved: dict[str, Any] = module.state_dict()
    others = sum(x.numel() for x in saved.values() if isinstance(x, Tensor) and x.is_floating_point()) - parameters
    return Measured(_specs_of(name, result), parameters, counter.get_total_flops() // (2 * _BATCH), others)


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


def _listed(inputs: Sequence[Spec]) -> str:
    return ", ".join(map(str, inputs))
