"""Modules made of Keras classes: what `keras_backend.wrap` gives."""

# Keras has no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import contextlib
import functools
import inspect
import math
import random
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, NamedTuple

import keras

from deep_arch.backends.keras_emitter import Emitter, Lowered, Tensor
from deep_arch.backends.keras_specs import native_dtype, native_shape, neutral_spec
from deep_arch.errors import BadArgument, ShapeMismatch
from deep_arch.modules import Wrapped
from deep_arch.specs import Spec
from deep_arch.wrapping import bind


class Measured(NamedTuple):
    """What one symbolic call told of a layer."""

    outputs: tuple[Spec, ...]
    parameters: int
    non_trainable: int


class KerasModule(Wrapped):
    """A Keras layer whose arguments may be hyperparameters.

    Its shape and cost rules make the real layer and call it on symbolic arrays. Multiply-accumulates are not known.
    """

    def shape(self, *inputs: Spec) -> Spec | tuple[Spec, ...]:
        """Return the output's spec, or one for each output.

        Raises:
            ShapeMismatch: the layer cannot be made, does not take the inputs, or gives something else.
            BadArgument: what was wrapped makes neither a layer nor a function.
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
        """Return the number of other parameters, such as running means."""
        return self._measured(inputs).non_trainable

    def macs(self, *inputs: Spec) -> int:
        """Return 0: Keras does not count multiply-accumulates."""
        return 0

    def to_keras(self, emit: Emitter, specs: Sequence[Spec], *tensors: Tensor) -> Lowered:
        """Call the layer in a model."""
        layer = emit.adopt(lambda: _made(self.base_name, self.factory, self.arguments, specs))
        outputs = _outputs(_called(layer, tensors))
        return outputs[0] if len(outputs) == 1 else outputs

    def _measured(self, inputs: tuple[Spec, ...]) -> Measured:
        # 1, 1.0 and True are equal, and another argument each.
        items = tuple([(key, type(value), value) for key, value in self.arguments.items()])
        try:
            hash(items)
        except TypeError:
            return _measure(self.base_name, self.factory, self.arguments, inputs)
        return _remembered(self.base_name, self.factory, items, inputs)


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
        >>> from deep_arch.specs import image
        >>> conv = wrap(keras.layers.Conv2D)
        >>> str(conv(8, kernel_size=3, data_format="channels_last").shape(image(3, 8, 8)))
        '(8, 6, 6)'
    """
    if not callable(layer_class) or isinstance(layer_class, keras.layers.Layer):
        raise BadArgument(
            "wrap: expected a class of Keras layers, or a function that returns one.\n"
            f"  Got {layer_class!r} ({type(layer_class).__name__}).\n"
            "  Write wrap(keras.layers.Conv2D), without a call."
        )

    @functools.wraps(layer_class, updated=())
    def make(*args: Any, name: str | None = None, **kwargs: Any) -> KerasModule:
        return KerasModule(layer_class, bind(layer_class, args, kwargs), name, outputs)

    return make


def as_keras(module: Wrapped) -> KerasModule:
    """Return what `da.wrap` gave as what `wrap` gives: the result of its factory must work on arrays of Keras."""
    return KerasModule(module.factory, module.arguments, module.base_name, module.n_outputs)


def _made(name: str, factory: Callable[..., Any], arguments: Mapping[str, Any], inputs: Sequence[Spec]) -> Any:
    with _default_dtype(inputs[0].dtype):
        made = factory(**arguments)
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
    state = random.getstate()  # Keras draws from it, for weights that nothing will use
    try:
        layer = _made(name, factory, arguments, inputs)
        tensors = [keras.KerasTensor((None, *native_shape(x)), native_dtype(x, name)) for x in inputs]
        outputs = _outputs(_called(layer, tensors))
    except BadArgument:
        raise
    except Exception as error:
        given = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
        raise ShapeMismatch(
            f"{name}: expected inputs and arguments that {getattr(factory, '__name__', factory)} takes.\n"
            f"  Got {_listed(inputs)} for ({given}), and {type(error).__name__}: {error}.\n"
            "  Change the arguments, or what comes before; arrays are (batch, *spatial, channels)."
        ) from error
    finally:
        random.setstate(state)
    trained, others = (
        sum(math.prod(v.shape) for v in weights) for weights in (layer.trainable_weights, layer.non_trainable_weights)
    )
    return Measured(_specs_of(name, outputs), trained, others)


def _specs_of(name: str, outputs: tuple[Any, ...]) -> tuple[Spec, ...]:
    if not all(isinstance(x, keras.KerasTensor) and _only_batch_open(x.shape) for x in outputs):
        got = [x.shape if isinstance(x, keras.KerasTensor) else type(x).__name__ for x in outputs]
        raise ShapeMismatch(
            f"{name}: expected arrays (batch, *spatial, channels), of known sizes but for the batch.\n  Got {got}.\n"
            "  Wrap a class whose call returns an array, or a flat tuple of them."
        )
    return tuple(neutral_spec(x) for x in outputs)


def _only_batch_open(shape: Sequence[int | None]) -> bool:
    return len(shape) > 0 and shape[0] is None and None not in shape[1:]


def _listed(inputs: Sequence[Spec]) -> str:
    return ", ".join(map(str, inputs))
