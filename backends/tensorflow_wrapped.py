"""Modules made of tf.Module classes: what `tensorflow_backend.wrap` gives."""

# TensorFlow has few types.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from deep_arch.backends.tensorflow_layout import native_shape, neutral_spec
from deep_arch.errors import BadArgument, ShapeMismatch
from deep_arch.modules import Wrapped
from deep_arch.specs import Spec
from deep_arch.wrapping import bind

_BATCH = 2  # what shapes are traced at: 1 would hide a module that loses the batch


class Traced(NamedTuple):
    """What tracing told of a module."""

    outputs: tuple[Spec, ...]
    parameters: int
    non_trainable: int


class TensorFlowModule(Wrapped):
    """A tf.Module, or a function of tensors, whose arguments may be hyperparameters.

    Its shape and cost rules trace it in a graph of its own, which computes shapes and no numbers.
    """

    def shape(self, *inputs: Spec) -> Spec | tuple[Spec, ...]:
        """Return the output's spec, or one for each output.

        Raises:
            ShapeMismatch: the module cannot be made, does not take the inputs, or gives something else.
            BadArgument: what was wrapped makes neither a tf.Module nor a function, or holds variables elsewhere.
        """
        outputs = self._traced(inputs).outputs
        if len(outputs) != self.n_outputs:
            raise ShapeMismatch(
                f"{self.base_name}: expected as many outputs as wrap was told, {self.n_outputs}.\n"
                f"  Got {len(outputs)} from {_listed(inputs)}.\n  Write wrap(..., outputs={len(outputs)})."
            )
        return outputs[0] if len(outputs) == 1 else outputs

    def parameters(self, *inputs: Spec) -> int:
        """Return the number of trained parameters."""
        return self._traced(inputs).parameters

    def non_trainable(self, *inputs: Spec) -> int:
        """Return the number of other numbers that are saved, such as running means."""
        return self._traced(inputs).non_trainable

    def macs(self, *inputs: Spec) -> int:
        """Return 0: TensorFlow does not tell."""
        return 0

    def made(self, inputs: Sequence[Spec]) -> Callable[..., Any]:
        """Return what runs, called once, since many modules make their variables then."""
        made = _made(self.base_name, self.factory, self.arguments)
        calling(made, training=False)(*[tf.zeros((1, *native_shape(x)), x.dtype) for x in inputs])
        return made

    def _traced(self, inputs: tuple[Spec, ...]) -> Traced:
        # 1, 1.0 and True are equal, and another argument each.
        items = tuple([_typed(key, value) for key, value in self.arguments.items()])
        try:
            hash(items)
        except TypeError:
            return _trace(self.base_name, self.factory, self.arguments, inputs)
        return _remembered(self.base_name, self.factory, items, inputs)


def _typed(key: str, value: object) -> tuple[str, type[object], object]:
    return key, type(value), value


def wrap(module_class: Callable[..., Any], outputs: int = 1) -> Callable[..., TensorFlowModule]:
    """Return a function that makes a module of a tf.Module class, or of a function that returns a function of tensors.

    It takes the arguments of `module_class`, which may be hyperparameters, and `name=`. Tensors come to the module as
    TensorFlow has them, (batch, *spatial, channels), and `training=` if its `__call__` takes it. Variables that it
    makes in its first call are made when a model is built. Other tensors that it uses must be made inside of it.

    Args:
        module_class: what makes the tf.Module or function.
        outputs: how many tensors that returns.

    Raises:
        BadArgument: `module_class` cannot be called, or is a module already; and when the result is called, it has no
            such arguments.

    Example:
        >>> from deep_arch.specs import image
        >>> def tile(times):
        ...     return lambda x: tf.tile(x, (1, times, 1, 1))
        >>> str(wrap(tile)(times=2).shape(image(3, 8, 8)))
        '(3, 16, 8)'
    """
    if not callable(module_class) or isinstance(module_class, tf.Module):
        raise BadArgument(
            "wrap: expected a class of tf.Modules, or a function that returns one, or a function of tensors.\n"
            f"  Got {module_class!r} ({type(module_class).__name__}).\n  Write wrap(TheClass), without a call."
        )

    @functools.wraps(module_class, updated=())
    def make(*args: Any, name: str | None = None, **kwargs: Any) -> TensorFlowModule:
        return TensorFlowModule(module_class, bind(module_class, args, kwargs), name, outputs)

    return make


def as_tensorflow(module: Wrapped) -> TensorFlowModule:
    """Return what `da.wrap` gave as what `wrap` gives: the result of its factory must work on tensors."""
    return TensorFlowModule(module.factory, module.arguments, module.base_name, module.n_outputs)


def calling(made: Callable[..., Any], training: bool) -> Callable[..., Any]:
    """Return what calls a module, told whether it trains if it asks for that."""
    try:
        asks = "training" in inspect.signature(made).parameters
    except (TypeError, ValueError):  # some builtins have no signature
        asks = False
    return functools.partial(made, training=training) if asks else made


def native_variables(root: Any, path: str) -> Iterator[tuple[str, tf.Variable]]:
    """Give each variable of a module once, by the path of the attributes that hold it; a function has none."""
    if not isinstance(root, tf.Module):
        return
    view, seen, todo = tf.train.TrackableView(root), set[int](), [(path, root)]
    while todo:
        path, held = todo.pop()
        if id(held) in seen:
            continue
        seen.add(id(held))
        if isinstance(held, tf.Variable):
            yield path, held
        else:
            todo += [(f"{path}.{name}", child) for name, child in reversed(view.children(held).items())]


def _made(name: str, factory: Callable[..., Any], arguments: Mapping[str, Any]) -> Callable[..., Any]:
    made = factory(**arguments)
    if callable(made):
        return made  # type: ignore[no-any-return]
    raise BadArgument(
        f"{name}: expected the factory to make a tf.Module or a function of tensors.\n"
        f"  Got {made!r} ({type(made).__name__}).\n  Wrap a tf.Module class, or a function that returns a function."
    )


@functools.lru_cache(maxsize=4096)
def _remembered(
    name: str,
    factory: Callable[..., Any],
    items: tuple[tuple[str, type[object], object], ...],
    inputs: tuple[Spec, ...],
) -> Traced:
    return _trace(name, factory, {key: value for key, _, value in items}, inputs)


def _trace(name: str, factory: Callable[..., Any], arguments: Mapping[str, Any], inputs: tuple[Spec, ...]) -> Traced:
    variables: list[Any] = []

    def creator(create: Callable[..., Any], **kwargs: Any) -> Any:
        variables.append(create(**kwargs))
        return variables[-1]

    def call(*tensors: Any) -> Any:
        with tf.variable_creator_scope(creator):
            return calling(made, training=False)(*tensors)

    try:
        with tf.Graph().as_default():
            with tf.variable_creator_scope(creator):
                made = _made(name, factory, arguments)
            graph_call = tf.function(call)  # which lets Python's `if` and `for` run on tensors
            result = graph_call(*[tf.compat.v1.placeholder(x.dtype, (_BATCH, *native_shape(x))) for x in inputs])
    except BadArgument:
        raise
    except Exception as error:
        given = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
        raise ShapeMismatch(
            f"{name}: expected inputs and arguments that {getattr(factory, '__name__', factory)} takes.\n"
            f"  Got {_listed(inputs)} for ({given}), and {type(error).__name__}: {error}.\n"
            "  Change the arguments, or what comes before; tensors are (batch, *spatial, channels), and other tensors "
            "that it uses must be made inside of it."
        ) from error
    if variables and not isinstance(made, tf.Module):
        raise BadArgument(
            f"{name}: expected variables to be held by a tf.Module, which makes them part of the model.\n"
            f"  Got {len(variables)} from {made!r} ({type(made).__name__}).\n"
            "  Wrap a subclass of tf.Module that keeps them in attributes."
        )
    parameters = sum(math.prod(v.shape) for v in variables if v.trainable)
    others = sum(math.prod(v.shape) for v in variables if not v.trainable and v.dtype.is_floating)
    return Traced(_specs_of(name, result), parameters, others)


def _specs_of(name: str, result: Any) -> tuple[Spec, ...]:
    several = type(result) in (tuple, list) and len(result) > 1
    outputs: tuple[Any, ...] = tuple(result) if several else (result,)
    shapes = [tuple(x.shape) if tf.is_tensor(x) and x.shape.is_fully_defined() else () for x in outputs]
    if any(shape[:1] != (_BATCH,) for shape in shapes):
        got = [str(x.shape) if tf.is_tensor(x) else type(x).__name__ for x in outputs]
        raise ShapeMismatch(
            f"{name}: expected tensors (batch, *spatial, channels) of known sizes, for a batch of {_BATCH}.\n"
            f"  Got {got}.\n  Wrap what returns a tensor, or a flat tuple of them, and state sizes by tf.ensure_shape."
        )
    return tuple(neutral_spec(shape[1:], x.dtype.name) for shape, x in zip(shapes, outputs, strict=True))


def _listed(inputs: Sequence[Spec]) -> str:
    return ", ".join(map(str, inputs))
