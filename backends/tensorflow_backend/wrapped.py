"""Modules made of tf.Module classes: what `tensorflow_backend.wrap` gives."""

# TensorFlow has few types.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import tensorflow as tf

from deep_arch.backends.specs import native_shape, neutral_spec
from deep_arch.backends.wrapped import Measured, NativeModule, maker
from deep_arch.errors import BadArgument, ShapeMismatch
from deep_arch.language.specs import Spec
from deep_arch.language.wrapping import made_with

_BATCH = 2  # what shapes are traced at: 1 would hide a module that loses the batch


class TensorFlowModule(NativeModule):
    """A tf.Module, or a function of tensors, whose arguments may be hyperparameters.

    Its shape and cost rules trace it in a graph of its own, which computes shapes and no numbers.
    Multiply-accumulates are not known.
    """

    arrays: ClassVar[str] = (
        "(batch, *spatial, channels), and other tensors that the module uses must be made inside of it"
    )

    @classmethod
    def measure(
        cls, name: str, factory: Callable[..., Any], arguments: Mapping[str, Any], inputs: tuple[Spec, ...]
    ) -> Measured:
        """Trace the module."""
        made, result, variables = _traced(name, factory, arguments, inputs)
        if variables and not isinstance(made, tf.Module):
            raise BadArgument(
                f"{name}: expected variables to be held by a tf.Module, which makes them part of the model.\n"
                f"  Got {len(variables)} from {made!r} ({type(made).__name__}).\n"
                "  Wrap a subclass of tf.Module that keeps them in attributes."
            )
        parameters = sum(math.prod(v.shape) for v in variables if v.trainable)
        others = sum(math.prod(v.shape) for v in variables if not v.trainable and v.dtype.is_floating)
        return Measured(_specs_of(name, result), parameters, others)

    def made(self, inputs: Sequence[Spec]) -> Callable[..., Any]:
        """Return what runs, called once, since many modules make their variables then."""
        made = _made(self.base_name, self.factory, self.arguments)
        calling(made, training=False)(*[tf.zeros((1, *native_shape(x)), x.dtype) for x in inputs])
        return made


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
        >>> from deep_arch.language.specs import image
        >>> def tile(times):
        ...     return lambda x: tf.tile(x, (1, times, 1, 1))
        >>> str(wrap(tile)(times=2).shape(image(3, 8, 8)))
        '(3, 16, 8)'
    """
    expected = "a class of tf.Modules, or a function that returns one, or a function of tensors"
    return maker(TensorFlowModule, module_class, outputs, tf.Module, expected, "wrap(TheClass)")


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
    made = made_with(factory, arguments)
    if callable(made):
        return made  # type: ignore[no-any-return]
    raise BadArgument(
        f"{name}: expected the factory to make a tf.Module or a function of tensors.\n"
        f"  Got {made!r} ({type(made).__name__}).\n  Wrap a tf.Module class, or a function that returns a function."
    )


def _traced(
    name: str, factory: Callable[..., Any], arguments: Mapping[str, Any], inputs: tuple[Spec, ...]
) -> tuple[Callable[..., Any], Any, list[Any]]:
    """Return what a factory made, what it gave in a graph, and the variables that were made meanwhile."""
    variables: list[Any] = []

    def creator(create: Callable[..., Any], **kwargs: Any) -> Any:
        variables.append(create(**kwargs))
        return variables[-1]

    def call(*tensors: Any) -> Any:
        with tf.variable_creator_scope(creator):
            return calling(made, training=False)(*tensors)

    with tf.Graph().as_default():
        with tf.variable_creator_scope(creator):
            made = _made(name, factory, arguments)
        graph_call = tf.function(call)  # which lets Python's `if` and `for` run on tensors
        result = graph_call(*[tf.compat.v1.placeholder(x.dtype, (_BATCH, *native_shape(x))) for x in inputs])
    return made, result, variables


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
