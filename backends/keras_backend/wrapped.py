"""Modules made of Keras classes: what `keras_backend.wrap` gives."""

# Keras has no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import contextlib
import inspect
import math
import random
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, ClassVar

import keras

from deep_arch.backends.keras_backend.context import Emitter, Lowered, Tensor
from deep_arch.backends.keras_backend.dtypes import native_dtype
from deep_arch.backends.specs import native_shape, neutral_spec
from deep_arch.backends.wrapped import Measured, NativeModule, maker
from deep_arch.errors import BadArgument, ShapeMismatch
from deep_arch.language.specs import Spec
from deep_arch.language.wrapping import made_with


class KerasModule(NativeModule):
    """A Keras layer whose arguments may be hyperparameters.

    Its shape and cost rules make the real layer and call it on symbolic arrays. Multiply-accumulates are not known.
    """

    arrays: ClassVar[str] = "(batch, *spatial, channels)"

    @classmethod
    def measure(
        cls, name: str, factory: Callable[..., Any], arguments: Mapping[str, Any], inputs: tuple[Spec, ...]
    ) -> Measured:
        """Call the layer on symbolic arrays."""
        state = random.getstate()  # Keras draws from it, for weights that nothing will use
        try:
            layer = _made(name, factory, arguments, inputs)
            tensors = [keras.KerasTensor((None, *native_shape(x)), native_dtype(x, name)) for x in inputs]
            outputs = _outputs(_called(layer, tensors))
        finally:
            random.setstate(state)
        trained, others = (
            sum(math.prod(v.shape) for v in weights)
            for weights in (layer.trainable_weights, layer.non_trainable_weights)
        )
        return Measured(_specs_of(name, outputs), trained, others)

    def to_keras(self, emit: Emitter, specs: Sequence[Spec], *tensors: Tensor) -> Lowered:
        """Call the layer in a model."""
        layer = emit.adopt(lambda: _made(self.base_name, self.factory, self.arguments, specs))
        outputs = _outputs(_called(layer, tensors))
        return outputs[0] if len(outputs) == 1 else outputs


def wrap(layer_class: Callable[..., Any], outputs: int = 1) -> Callable[..., KerasModule]:
    """Return a function that makes a module of a Keras class, or of a function that returns a layer.

    It takes the arguments of `layer_class`, which may be hyperparameters, and `name=`. Arrays come to the layer as
    Keras has them, (batch, *spatial, channels); several as the arguments of its `call`, or as one list where that takes
    one. The layer is named after the module's address.

    Args:
        layer_class: what makes the layer, or a function of `keras.ops`.
        outputs: how many arrays the layer returns.

    Raises:
        BadArgument: `layer_class` cannot be called, or is a layer already; and when the result is called, it has no
            such arguments.

    Example:
        >>> from deep_arch.language.specs import image
        >>> conv = wrap(keras.layers.Conv2D)
        >>> str(conv(8, kernel_size=3, data_format="channels_last").shape(image(3, 8, 8)))
        '(8, 6, 6)'
    """
    expected = "a class of Keras layers, or a function that returns one"
    return maker(KerasModule, layer_class, outputs, keras.layers.Layer, expected, "wrap(keras.layers.Conv2D)")


def _made(name: str, factory: Callable[..., Any], arguments: Mapping[str, Any], inputs: Sequence[Spec]) -> Any:
    with _default_dtype(inputs[0].dtype):
        made = made_with(factory, arguments)
        if isinstance(made, keras.layers.Layer):
            return made
        if callable(made):
            return keras.layers.Lambda(made if len(inputs) == 1 else lambda tensors: made(*tensors))
    raise BadArgument(
        f"{name}: expected the factory to make a Keras layer or a function of arrays.\n"
        f"  Got {made!r} ({type(made).__name__}).\n  Wrap a Keras class, or a function that returns a function."
    )


@contextlib.contextmanager
def _default_dtype(dtype: str) -> Generator[None, None, None]:
    """Make layers compute in the type of floats that they are given; float32 is left to the user's own setting."""
    before = keras.config.dtype_policy()
    if "float" in dtype and dtype != "float32":
        keras.config.set_dtype_policy(dtype)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _called(layer: Any, tensors: Sequence[Any]) -> Any:
    """Call a layer on its inputs: one by one, or in a list where its `call` has one place for them, as merges have."""
    if len(tensors) == 1:
        return layer(*tensors)
    parameters = inspect.signature(layer.call).parameters.values()
    required = [p for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
    several = len(required) > 1 or any(p.kind is p.VAR_POSITIONAL for p in required)
    return layer(*tensors) if several else layer(list(tensors))


def _outputs(result: Any) -> tuple[Any, ...]:
    return tuple(result) if isinstance(result, tuple | list) else (result,)


def _specs_of(name: str, outputs: tuple[Any, ...]) -> tuple[Spec, ...]:
    if not all(isinstance(x, keras.KerasTensor) and _only_batch_open(x.shape) for x in outputs):
        got = [x.shape if isinstance(x, keras.KerasTensor) else type(x).__name__ for x in outputs]
        raise ShapeMismatch(
            f"{name}: expected arrays (batch, *spatial, channels), of known sizes but for the batch.\n  Got {got}.\n"
            "  Wrap a class whose call returns an array, or a flat tuple of them."
        )
    return tuple(neutral_spec(tuple(x.shape[1:]), x.dtype) for x in outputs)


def _only_batch_open(shape: Sequence[int | None]) -> bool:
    return len(shape) > 0 and shape[0] is None and None not in shape[1:]
