"""Formulas of shapes: arguments that have a value when the shapes of the inputs are known.

A formula is a dependent hyperparameter that comes from the shape of a value, so arithmetic and `dependent` make
further ones. No searcher decides it. Until shapes are known a `Late` stands for it; `measures.settling` computes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from deep_arch.errors import BadArgument, is_kind
from deep_arch.language.hyperparameters import Dependent, Hyperparameter
from deep_arch.language.specs import Spec
from deep_arch.language.values import Value


class ShapeOf(Dependent):
    """What `fn` tells of the spec of `value`: a formula's beginning."""

    __slots__ = ("value",)

    def __init__(self, fn: Callable[[Spec], Any], value: Value) -> None:
        if not is_kind(value, Value):
            raise BadArgument(
                f"{fn.__name__}: expected a value, which is a parameter of the space's function or the result of a "
                f"call.\n  Got {value!r} ({type(value).__name__}).\n"
                f"  Write da.{fn.__name__}(x), where x is what the module is called on."
            )
        self.value = value
        super().__init__(fn, ())
        self.needs_shapes = True

    def __repr__(self) -> str:
        return f"<{self.symbol} of {self.value}>"


def measures(hyperparameters: Iterable[Hyperparameter]) -> tuple[ShapeOf, ...]:
    """Return the shapes of values that some hyperparameters are computed from, each once."""
    found: dict[Hyperparameter, None] = {}
    todo = [h for h in hyperparameters if needs_shapes(h)][::-1]
    while todo:
        hyperparameter = todo.pop()
        if hyperparameter not in found and isinstance(hyperparameter, Dependent):
            found[hyperparameter] = None
            todo += [p for p in reversed(hyperparameter.parents) if needs_shapes(p)]
    return tuple([h for h in found if isinstance(h, ShapeOf)])


def needs_shapes(argument: object) -> bool:
    """Return whether an argument is a formula of shapes."""
    return isinstance(argument, Dependent) and argument.needs_shapes


def channels(x: Value) -> Any:
    """Return the channels of a value, as an argument that is known when the shapes of the inputs are.

    It goes wherever an argument of an operation goes, also through arithmetic and `dependent`, together with
    hyperparameters; and it decides between parts as `use` of `optional` and `which` of `or_`. No searcher sees it:
    `shapes`, `cost` and `build` compute it, and until then it is shown as a formula.

    Raises:
        BadArgument: `x` is no value.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> def squeeze_and_excite(x):
        ...     y = ops.GlobalAveragePooling2D()(x)
        ...     y = ops.ReLU()(ops.Dense(da.channels(x) // 4)(y))
        ...     y = ops.Sigmoid()(ops.Dense(da.channels(x))(y))
        ...     return ops.Multiply()(x, ops.Reshape((da.channels(x), 1, 1))(y))
        >>> @da.space
        ... def net(x):
        ...     return squeeze_and_excite(ops.Conv2D(da.choice([32, 64]), 3)(x))
        >>> shapes = net.at({"conv2d.filters": 64}).shapes(da.image(channels=3, height=8, width=8))
        >>> shapes["dense"], shapes["dense_1"]
        ((16,), (64,))
    """
    return ShapeOf(_channels, x)


def shape(x: Value) -> Any:
    """Return the shape of a value, (channels, *spatial) without batch, as `channels` returns its channels.

    Raises:
        BadArgument: `x` is no value.

    Example:
        A shortcut where the shapes agree, as in MobileNetV2:

        >>> import operator
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> def block(x):
        ...     y = ops.Conv2D(da.choice([16, 32]), 3)(x)
        ...     agree = da.dependent(operator.eq, da.shape(x), da.shape(y))
        ...     return da.optional(lambda y: ops.Add()(x, y), use=agree)(y)
        >>> net = da.space(lambda x: da.repeat(block, 2)(x))
        >>> arch = net.at({"repeat[0]/conv2d.filters": 16, "repeat[1]/conv2d.filters": 16})
        >>> [*arch.shapes(da.image(channels=3, height=8, width=8))]
        ['repeat[0]/conv2d', 'repeat[1]/conv2d', 'repeat[1]/optional/add']
    """
    return ShapeOf(_shape, x)


def _channels(spec: Spec) -> int:
    return spec.channels


def _shape(spec: Spec) -> tuple[int, ...]:
    return spec.shape


_channels.__name__, _shape.__name__ = "channels", "shape"  # as formulas and messages show them
