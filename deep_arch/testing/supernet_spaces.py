"""Spaces of every kind that super-networks hold, small, each with the specs of its inputs."""

# The functions of the spaces here are lambdas, whose parameters have no types.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import deep_arch as da
from deep_arch import ops
from deep_arch.language.specs import Inputs
from deep_arch.language.values import Value
from deep_arch.testing.readme_space import net as readme

IMAGE: Final = da.image(channels=3, height=8, width=8)


def _normalized(x: Value, filters: Any, kernel: Any = 1, strides: int = 1) -> Value:
    y = ops.Conv2D(filters, kernel, strides=strides, use_bias=False)(x)
    return ops.ReLU()(ops.BatchNormalization()(y))


def _answer(x: Value) -> Value:
    return ops.Dense(3)(ops.GlobalAveragePooling2D()(x))


# --- cells -----------------------------------------------------------------------------------------------------------


def _candidates(channels: int, strides: int = 1) -> Mapping[str, Callable[..., Any]]:
    def conv(kernel: int) -> Callable[[Value], Value]:
        return lambda x: _normalized(ops.ReLU()(x), channels, kernel, strides)

    pool = ops.AveragePooling2D if strides == 1 else ops.MaxPooling2D
    skip = ops.Identity if strides == 1 else lambda: ops.MaxPooling2D(1, strides=strides)
    return {
        "none": lambda: da.sequential(skip, ops.Zero),
        "skip": skip,
        "conv1": lambda: conv(1),
        "conv3": lambda: conv(3),
        "pool": lambda: pool(3, strides=strides),
    }


@da.space
def nats_topology(x: Value) -> Value:
    """Build two cells of 4 nodes that share their decisions, with a reduction between (NATS-Bench, section 3.1)."""
    edges = {(i, j): da.choice([*_candidates(4)], name=f"e{i}{j}") for j in range(1, 4) for i in range(j)}
    x = ops.BatchNormalization()(ops.Conv2D(4, 3, use_bias=False)(x))
    for stage in range(2):
        if stage:
            x = da.residual(lambda: lambda y: _normalized(y, 4, 3, 2), project=lambda: ops.Conv2D(4, 1, strides=2))(x)
        nodes = [x]
        for j in range(1, 4):
            parts = [da.or_(_candidates(4), which=edges[i, j])(nodes[i]) for i in range(j)]
            nodes.append(parts[0] if j == 1 else ops.Add()(*parts))
        x = nodes[3]
    return _answer(x)


@da.space
def nats_size(x: Value) -> Value:
    """Build a stack of convolutions whose widths are searched (NATS-Bench, section 3.2)."""
    for i in range(4):
        x = _normalized(x, da.choice([2, 4, 6, 8], name=f"width{i}"), 3)
    return _answer(x)


@da.space
def darts_cells(x: Value) -> Value:
    """Build a normal and a reducing cell, whose nodes choose two inputs and an operation on each (DARTS, 2.1)."""

    def node(which: list[Any], strides: int) -> Callable[..., Any]:
        def on(pair: tuple[int, int]) -> Callable[..., Value]:
            def add(*states: Value) -> Value:
                found = [da.or_(_candidates(4, strides if i < 2 else 1), which=which[i])(states[i]) for i in pair]
                return ops.Add()(*found)

            return add

        return on

    def cell(kind: str, before: Value, last: Value, strides: int) -> Value:
        states = [ops.Conv2D(4, 1)(before), ops.Conv2D(4, 1)(last)]
        for j in range(2):
            pair = da.subset(range(j + 2), 2, name=f"{kind}{j}")
            which = [da.choice([*_candidates(4)], name=f"{kind}{j}_{i}") for i in range(j + 2)]
            states.append(da.substitute(node(which, strides), pair=pair)(*states))
        return ops.Concatenate()(*states[2:])

    stem = ops.Conv2D(4, 3)(x)
    first = cell("normal", stem, stem, 1)
    return _answer(cell("reduce", stem, first, 2))


# --- elastic blocks --------------------------------------------------------------------------------------------------


@da.space
def once_for_all(x: Value) -> Value:
    """Build inverted bottlenecks of elastic depth, kernel, expansion and width (Once-for-all, section 3.2)."""
    width = da.choice([4, 6], name="stem")
    x = _normalized(x, width, 3, 2)
    for stage in range(2):
        after = da.choice([4, 8], name=f"width{stage}")

        def inverted(x: Value, after: Any = after) -> Value:
            y = _normalized(x, da.choice([2, 3], name="expansion") * da.channels(x))
            y = ops.DepthwiseConv2D(da.choice([3, 5, 7], name="kernel"), use_bias=False)(y)
            y = ops.ReLU6()(ops.BatchNormalization()(y))
            return ops.BatchNormalization()(ops.Conv2D(after, 1, use_bias=False)(y))

        x = da.sequential(lambda block=inverted: block)(x)
        depth = da.choice([0, 1, 2], name=f"depth{stage}")
        x = da.repeat(lambda block=inverted: da.residual(lambda: block), depth)(x)
    return _answer(x)


@da.space
def mobile(x: Value) -> Value:
    """Build blocks whose expanded width depends on two decisions, and may add their input (MobileNetV2)."""
    width = da.choice([4, 6], name="width")
    x = _normalized(x, width, 3, 2)
    for i in range(2):
        expanded = da.dependent(lambda a, b: a * b, da.choice([1, 2, 3], name=f"expansion{i}"), width)

        def block(y: Value, expanded: Any = expanded) -> Value:
            y = _normalized(_normalized(y, expanded), expanded, da.choice([3, 5]))
            return ops.BatchNormalization()(ops.Conv2D(width, 1, use_bias=False)(y))

        def added(y: Value, before: Value = x) -> Value:
            return ops.Add()(y, before)

        x = da.optional(lambda fn=added: fn)(block(x))
    return _answer(x)


@da.space
def dense_blocks(x: Value) -> Value:
    """Build a dense block of elastic depth, widths and kernels, into a layer on every cell."""
    x = da.dense_block(lambda: ops.Conv2D(da.choice([2, 3]), da.choice([1, 3])), da.choice([1, 2, 3]))(x)
    return ops.Dense(3)(ops.Flatten()(ops.MaxPooling2D(4, strides=4)(x)))


@da.space
def joined_widths(x: Value) -> Value:
    """Join parts of elastic width, normalise what is joined, and go on."""
    a = ops.Conv2D(da.choice([2, 5]), 1)(x)
    b = ops.Conv2D(da.choice([1, 4]), 3)(x)
    y = ops.ReLU()(ops.BatchNormalization()(ops.Concatenate()(a, b)))
    y = ops.DepthwiseConv2D(3, depth_multiplier=2)(y)
    y = ops.Concatenate()(y, x)
    return ops.Dense(3)(ops.Flatten()(ops.AveragePooling2D(4, strides=4)(y)))


@da.space
def dependent_counts(x: Value) -> Value:
    """Build two repetitions, of which one is twice as long."""
    n = da.choice([1, 2], name="n")
    x = ops.Dense(4)(x)
    x = da.repeat(lambda: da.sequential(lambda: ops.Dense(4), ops.Tanh), n)(x)
    return da.repeat(lambda: ops.Dense(4, use_bias=da.boolean()), 2 * n)(x)


@da.space
def kernels(x: Value) -> Value:
    """Build convolutions of even and odd windows, and separable ones."""
    x = ops.Conv2D(4, da.choice([1, 2, 3, 4, 5]))(x)
    x = ops.SeparableConv2D(da.choice([3, 5]), da.choice([2, 3]), depth_multiplier=da.choice([1, 2]))(x)
    x = ops.Conv2DTranspose(3, da.choice([1, 2, 3, 4]), strides=2)(x)
    return ops.Conv2D(da.choice([2, 4]), da.choice([(1, 3), (3, 1), (3, 3)]), groups=1)(x)


# --- composition -----------------------------------------------------------------------------------------------------


@da.space
def tied_and_captured(x: Value) -> Value:
    """Build with a module that is used in several places, and a value that is used deep inside."""
    x = ops.Dense(4)(x)
    tied = ops.Dense(4, name="tied")
    side = ops.Tanh()(x)

    def part(y: Value) -> Value:
        return ops.Add()(tied(y), side)

    x = da.repeat(lambda: da.sequential(lambda: part, lambda: ops.LayerNormalization()), da.choice([0, 1, 2]))(x)
    x = da.or_({"tied": lambda: tied, "own": lambda: ops.Dense(4), "none": ops.Identity})(x)
    return da.optional(lambda: lambda y: ops.Multiply()(tied(y), side))(x)


@da.space
def permuted(x: Value) -> Value:
    """Build three parts in any order."""
    x = ops.Dense(4)(x)
    return da.permute([lambda: ops.Dense(4), ops.Tanh, lambda: ops.BatchNormalization()])(x)


@da.rule
def _expression(x: Value) -> Value:
    return da.or_({"leaf": lambda: ops.Dense(3), "one": lambda: _unary, "two": lambda: _binary})(x)


def _unary(x: Value) -> Value:
    return ops.Tanh()(_expression(x))


def _binary(x: Value) -> Value:
    return ops.Add()(_expression(x), _expression(x))


grammar = da.space(lambda x: _expression(x)).limit(max_depth=3)
"""Recursion, to a depth of 3."""


@da.space
def split(x: Value) -> Value:
    """Build some branches on one value, and cut a value in two."""
    x = da.split_combine(lambda: ops.Conv2D(da.choice([2, 4]), 1), ops.Concatenate, da.choice([2, 3]))(x)
    left, right = ops.Split(2)(ops.Conv2D(4, da.choice([1, 3]))(x))
    return ops.Concatenate()(right, left)


def _full() -> da.SearchSpace:
    def net(x: Value) -> Value:
        x = ops.Dense(da.choice([2, 4, 8], name="width"))(x)
        x = da.repeat(lambda: ops.Dense(da.choice([2, 4])), da.choice([1, 2, 3], name="n"))(x)
        return ops.Dense(3)(da.optional(ops.Tanh)(x))

    return da.space(net)


full = _full()
fixed = full.fix({"width": 4, "optional.use": True})
"""A sub-space of what has a value, with fewer weights."""


@da.space
def squeezed(x: Value) -> Value:
    """Build with gates of the channels, whose widths earlier widths decide (Squeeze-and-Excitation, section 3)."""
    for i in range(2):
        x = _normalized(x, da.choice([4, 8], name=f"width{i}"), 3)
        y = ops.Dense(da.channels(x))(ops.ReLU()(ops.Dense(da.channels(x) // 2)(ops.GlobalAveragePooling2D()(x))))
        x = ops.Multiply()(x, ops.Reshape((da.channels(x), 1, 1))(ops.Sigmoid()(y)))
    return _answer(x)


@da.space
def decided_by_shapes(x: Value) -> Value:
    """Build with projections where shapes differ."""
    x = ops.Conv2D(da.choice([4, 8], name="width"), da.choice([1, 3]))(x)
    filters = da.choice([4, 6, 8], name="filters")
    x = da.residual(lambda: ops.Conv2D(filters, da.choice([1, 3])), project=lambda: ops.Conv2D(filters, 1))(x)
    return _answer(x)


@da.space
def configured(x: Value) -> Value:
    """Build with numbers of the training, and real and integer arguments."""
    da.config(learning_rate=da.real(1e-4, 1e-1, log=True), optimizer=da.choice(["sgd", "adam"]))
    x = ops.Dense(da.integer(4, 8))(x)
    return ops.Dense(3)(ops.Dropout(da.real(0.1, 0.5))(ops.ReLU()(x)))


# --- sequences -------------------------------------------------------------------------------------------------------


@da.space
def transformer(x: Value) -> Value:
    """Build a transformer of elastic width, heads and depth (AutoFormer, section 3.1)."""
    width = da.choice([4, 8], name="width")
    x = ops.PositionEmbedding()(ops.Dense(width)(ops.Embedding(11, 6)(x)))

    def attention() -> da.Module:
        heads = da.choice([1, 2])
        return da.sequential(ops.LayerNormalization, lambda: ops.MultiHeadAttention(heads, 4))

    def forward() -> da.Module:
        hidden = da.choice([8, 12])
        return da.sequential(
            ops.LayerNormalization, lambda: ops.Dense(hidden), ops.GELU, lambda: ops.Dense(width, name="back")
        )

    def block() -> da.Module:
        return da.sequential(lambda: da.residual(attention), lambda: da.residual(forward))

    x = ops.RMSNormalization()(da.repeat(block, da.choice([1, 2]))(x))
    return ops.Dense(3)(ops.GlobalAveragePooling1D()(x))


@da.space
def recurrent(x: Value) -> Value:
    """Build recurrent layers of elastic width."""
    x = ops.Embedding(11, da.choice([3, 5]))(x)
    x = da.or_({"lstm": lambda: _lstm, "gru": lambda: ops.GRU(4, return_sequences=True)})(x)
    x = ops.SeparableConv1D(da.choice([3, 4]), da.choice([1, 3]))(x)
    return ops.GRU(da.choice([2, 3]), reset_after=da.boolean())(x)


def _lstm(x: Value) -> Value:
    return ops.Dense(4)(ops.LSTM(da.choice([2, 4]), return_sequences=True)(x))


# --- several values --------------------------------------------------------------------------------------------------


@da.space
def two_of_each(x: Value, other: Value) -> Any:
    """Build with two inputs and two outputs, by name."""
    width = da.choice([3, 5], name="width")
    a, b = ops.Dense(width)(x), ops.Dense(width)(other)
    c = da.or_([ops.Add, ops.Multiply, ops.Maximum])(a, b)
    return {"sum": ops.Dense(2)(c), "gate": ops.Sigmoid()(ops.Dense(2)(da.optional(ops.Tanh)(a)))}


class NamedSpace(NamedTuple):
    """A space and what it is built on.

    Attributes:
        space: the space.
        inputs: the specs of its inputs.
        as_values: parts of the addresses of decisions that a relaxed state gives values: they decide sizes, or widths
            of what computes over channels.
        is_random: whether what it runs in training draws random numbers.
    """

    space: da.SearchSpace
    inputs: Inputs
    as_values: tuple[str, ...] = ()
    is_random: bool = False


NAMED: Final[Mapping[str, NamedSpace]] = {
    "readme": NamedSpace(readme, da.image(channels=3, height=2, width=2), is_random=True),
    "nats topology": NamedSpace(nats_topology, IMAGE),
    "nats size": NamedSpace(nats_size, IMAGE),
    "darts": NamedSpace(darts_cells, IMAGE),
    "once for all": NamedSpace(once_for_all, IMAGE),
    "mobile": NamedSpace(mobile, IMAGE),
    "dense blocks": NamedSpace(dense_blocks, IMAGE),
    "joined widths": NamedSpace(joined_widths, IMAGE),
    "dependent counts": NamedSpace(dependent_counts, da.vector(3)),
    "kernels": NamedSpace(kernels, IMAGE),
    "tied and captured": NamedSpace(tied_and_captured, da.vector(3)),
    "permuted": NamedSpace(permuted, da.vector(3)),
    "grammar": NamedSpace(grammar, da.vector(3)),
    "split": NamedSpace(split, IMAGE),
    "fixed": NamedSpace(fixed, da.vector(3)),
    "squeezed": NamedSpace(squeezed, IMAGE),
    "decided by shapes": NamedSpace(decided_by_shapes, IMAGE, ("width", "filters")),
    "configured": NamedSpace(configured, da.vector(3), is_random=True),
    "transformer": NamedSpace(transformer, da.tokens(5, 11)),
    "recurrent": NamedSpace(recurrent, da.tokens(5, 11)),
    "two of each": NamedSpace(two_of_each, {"x": da.vector(3), "other": da.vector(4)}),
}
"""By name."""
