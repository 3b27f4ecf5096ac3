"""Hypothesis strategies that draw each neutral operation together with inputs that fit it.

A backend is tested with `OPERATIONS`: for each class, pairs of a resolved operation and the specs of its inputs.
Sizes are small, so that a real framework runs hundreds of them in a second.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from hypothesis import strategies as st

from deep_arch import ops
from deep_arch.errors import ShapeMismatch
from deep_arch.language.modules import Operation
from deep_arch.language.specs import Spec

Case: TypeAlias = tuple[Operation, tuple[Spec, ...]]
Cases: TypeAlias = st.SearchStrategy[Case]

_LONGEST = {1: 9, 2: 7, 3: 5}  # cells along an axis, by the number of axes
_channels = st.integers(1, 6)
_rates = st.sampled_from([0.0, 0.25, 0.5])
_flags = st.booleans()


def _image(n: int, channels: st.SearchStrategy[int] = _channels, low: int = 1) -> st.SearchStrategy[Spec]:
    """Draw a spec of `n` axes after the channels."""
    return st.tuples(channels, *[st.integers(low, _LONGEST[n])] * n).map(Spec)


_any_rank = st.integers(0, 3).flatmap(lambda n: _image(n) if n else st.tuples(_channels).map(Spec))
_sequence = _image(1)


def _sizes(n: int, high: int) -> st.SearchStrategy[Any]:
    return st.integers(1, high) | st.tuples(*[st.integers(1, high)] * n)


def _fits(case: Case) -> bool:
    operation, specs = case
    try:
        operation.shape(*specs)
    except ShapeMismatch:  # a window larger than its input
        return False
    return True


def _unary(cls: Any, x: st.SearchStrategy[Spec] = _any_rank, **arguments: st.SearchStrategy[Any]) -> Cases:
    """Draw the arguments of an operation of one input."""
    return st.tuples(st.builds(cls, **arguments), st.tuples(x)).filter(_fits)


def _windows(n: int, *paddings: str) -> dict[str, st.SearchStrategy[Any]]:
    return {"strides": _sizes(n, 3), "padding": st.sampled_from([*paddings, "same", "valid"])}


def _kernel_windows(n: int) -> dict[str, st.SearchStrategy[Any]]:
    return _windows(n, "causal") if n == 1 else _windows(n)


@st.composite
def _convolution(draw: Callable[[Any], Any], cls: Any, n: int) -> Case:
    groups = draw(st.integers(1, 3))
    x = draw(_image(n, st.integers(1, 2).map(lambda c: c * groups)))
    kernel, dilation = draw(_sizes(n, 4)), draw(_sizes(n, 2))
    window = {name: draw(strategy) for name, strategy in _kernel_windows(n).items()}
    filters = draw(st.integers(1, 3)) * groups
    return cls(filters, kernel, dilation_rate=dilation, groups=groups, use_bias=draw(_flags), **window), (x,)


def _depthwise(cls: Any, n: int, **more: st.SearchStrategy[Any]) -> Cases:
    return _unary(
        cls,
        _image(n),
        kernel_size=_sizes(n, 4),
        depth_multiplier=st.integers(1, 3),
        dilation_rate=_sizes(n, 2),
        use_bias=_flags,
        **_kernel_windows(n),
        **more,
    )


@st.composite
def _transposed(draw: Callable[[Any], Any], cls: Any, n: int) -> Case:
    strides = draw(st.tuples(*[st.integers(1, 3)] * n))
    extra = draw(st.none() | st.tuples(*[st.integers(0, stride - 1) for stride in strides]))
    arguments = {
        "kernel_size": draw(_sizes(n, 4)),
        "strides": strides,
        "padding": draw(st.sampled_from(["same", "valid"])),
        "output_padding": extra,
        "dilation_rate": draw(_sizes(n, 2)),
        "use_bias": draw(_flags),
    }
    return cls(draw(st.integers(1, 4)), **arguments), (draw(_image(n)),)


def _pooling(cls: Any, n: int) -> Cases:
    window = {**_windows(n), "strides": st.none() | _sizes(n, 3)}
    return _unary(cls, _image(n), pool_size=_sizes(n, 4), **window)


@st.composite
def _broadcast(draw: Callable[[Any], Any], cls: Any, most: int = 4) -> Case:
    """Draw inputs of one shape, but for some axes of size 1."""
    full = draw(_any_rank).shape
    n = draw(st.integers(min(most, 2), most))
    return cls(), tuple(Spec(tuple(draw(st.sampled_from([1, size, size])) for size in full)) for _ in range(n))


@st.composite
def _concatenate(draw: Callable[[Any], Any]) -> Case:
    axis, before, after = draw(_around_an_axis())
    return ops.Concatenate(axis), tuple(Spec((*before, n, *after)) for n in draw(st.lists(_channels, min_size=1)))


def _around_an_axis() -> st.SearchStrategy[tuple[int, tuple[int, ...], tuple[int, ...]]]:
    """Draw an axis and the sizes of those before and after it."""
    sizes = st.tuples(_any_rank, st.integers(0, 3)).map(lambda t: (min(t[1], t[0].rank - 1), t[0].shape))
    return sizes.map(lambda t: (t[0], t[1][: t[0]], t[1][t[0] + 1 :]))


@st.composite
def _reshape(draw: Callable[[Any], Any]) -> Case:
    target = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    shape = draw(st.permutations(target))
    if draw(_flags):
        target[draw(st.integers(0, len(target) - 1))] = -1
    return ops.Reshape(tuple(target)), (Spec(tuple(shape)),)


@st.composite
def _transpose(draw: Callable[[Any], Any]) -> Case:
    x = draw(_any_rank)
    return ops.Transpose(tuple(draw(st.permutations(range(x.rank))))), (x,)


@st.composite
def _split(draw: Callable[[Any], Any]) -> Case:
    axis, before, after = draw(_around_an_axis())
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    if draw(_flags):
        sizes = sizes[:1] * len(sizes)
    x = Spec((*before, sum(sizes), *after))
    return ops.Split(len(sizes) if len(set(sizes)) == 1 and draw(_flags) else tuple(sizes), axis), (x,)


@st.composite
def _slice(draw: Callable[[Any], Any]) -> Case:
    x = draw(_any_rank)
    axis = draw(st.integers(0, x.rank - 1))
    n = x.shape[axis]
    start = draw(st.integers(0, n - 1))
    stop = draw(st.integers(start + 1, n))
    first = draw(st.sampled_from([start, start - n]))
    last = draw(st.sampled_from([stop, stop - n if stop < n else None]))
    return ops.Slice(first, last, axis), (x,)


@st.composite
def _take(draw: Callable[[Any], Any]) -> Case:
    x = draw(_any_rank)
    some = st.lists(st.integers(-x.channels, x.channels - 1), min_size=1, max_size=6)
    together = st.tuples(st.integers(0, x.channels - 1), st.just(x.channels)).map(lambda ends: list(range(*ends)))
    return ops.Take(tuple(draw(some | together))), (x,)


@st.composite
def _where(draw: Callable[[Any], Any]) -> Case:
    """Draw a condition that may lack axes, and two inputs of one shape, but for some axes of size 1."""
    _, (a, b) = draw(_broadcast(ops.Add, 2))
    full = tuple(map(max, a.shape, b.shape))
    shape = tuple(draw(st.sampled_from([1, size])) for size in full[: draw(st.sampled_from([0, 1, len(full)]))])
    hard = draw(_flags)
    return ops.Where(hard), (
        Spec(shape, draw(st.sampled_from(["float32", "bool", "int64"] if hard else ["float32"]))),
        a,
        b,
    )


def _mask(length: int) -> st.SearchStrategy[tuple[Spec, ...]]:
    """Draw the spec of a mask over time, or none."""
    kinds = st.tuples(st.sampled_from([(length,), (1, length)]), st.sampled_from(["bool", "float32", "int64"]))
    return st.just(()) | kinds.map(lambda kind: (Spec(*kind),))


@st.composite
def _window_average(draw: Callable[[Any], Any]) -> Case:
    x, each = draw(_sequence), draw(_flags)
    length = x.shape[1]
    before = draw(st.integers(0, length + 1))
    after = draw(st.integers(0 if each else -min(before, length - 1), length + 1))
    return ops.WindowAverage(before, after, each), (x, *draw(_mask(length)))


@st.composite
def _global_average(draw: Callable[[Any], Any]) -> Case:
    x = draw(_sequence)
    return ops.GlobalAveragePooling1D(draw(_flags)), (x, *draw(_mask(x.shape[1])))


@st.composite
def _parameter(draw: Callable[[Any], Any]) -> Case:
    x = draw(_any_rank | st.just(Spec((5,), "int64", 3)))
    return ops.Parameter(draw(_any_rank).shape, draw(st.sampled_from(["uniform", 0.0, 0.5]))), (x,)


def _sides(n: int) -> st.SearchStrategy[Any]:
    cells = st.integers(0, 2)
    pairs = st.tuples(cells, cells)
    return cells | (pairs if n == 1 else st.tuples(*[cells] * n) | st.tuples(*[pairs] * n))


def _upsampling(cls: Any, n: int) -> Cases:
    interpolation = st.sampled_from(["nearest", "bilinear"] if n == 2 else ["nearest"])
    return _unary(cls, _image(n), size=_sizes(n, 3), interpolation=interpolation)


@st.composite
def _group_normalization(draw: Callable[[Any], Any]) -> Case:
    groups, x = draw(st.integers(1, 3)), draw(_any_rank)
    op = ops.GroupNormalization(groups, center=draw(_flags), scale=draw(_flags))
    return op, (x.with_shape(x.channels * groups, *x.spatial),)


@st.composite
def _embedding(draw: Callable[[Any], Any], cls: Any = ops.Embedding) -> Case:
    rows = draw(st.integers(1, 9))
    tokens = Spec(tuple(draw(st.lists(st.integers(1, 5), min_size=1, max_size=2))), "int64", rows)
    return cls(rows, draw(_channels)), (tokens,)


def _reversible_embedding() -> Cases:
    back = st.tuples(st.integers(1, 9), _any_rank)
    return _embedding(ops.ReversibleEmbedding) | back.map(
        lambda drawn: (ops.ReversibleEmbedding(drawn[0], drawn[1].channels), (drawn[1],))
    )


@st.composite
def _matmul(draw: Callable[[Any], Any]) -> Case:
    rows, inner, columns = (draw(_channels) for _ in range(3))
    return ops.MatMul(), (Spec((rows, inner)), Spec((inner, columns)))


@st.composite
def _attention(draw: Callable[[Any], Any], grouped: bool = False) -> Case:
    query, value = draw(_sequence), draw(_sequence)
    key = value.with_shape(draw(_channels), *value.spatial)
    heads, size, wavelength = draw(st.integers(1, 3)), draw(_channels), draw(st.none() | st.sampled_from([10, 1e4]))
    size *= 1 if wavelength is None else 2
    rest = (draw(_rates), draw(_flags), draw(_flags), wavelength)
    op: Any
    if grouped:
        op = ops.GroupQueryAttention(size, heads * draw(st.integers(1, 3)), heads, *rest)
    else:
        op = ops.MultiHeadAttention(heads, size, draw(st.none() | _channels), *rest)
    inputs = (query, value, key)[: draw(st.integers(1, 3))]
    full = (op.heads.queries, query.shape[1], inputs[min(len(inputs) - 1, 1)].shape[1])
    mask = [draw(st.sampled_from([1, size, size])) for size in full[draw(st.integers(0, 3)) :]]
    return op, (*inputs, Spec(tuple(mask), "bool")) if mask else inputs


_recurrent: dict[str, st.SearchStrategy[Any]] = {
    "x": _sequence,
    "units": _channels,
    "return_sequences": _flags,
    "go_backwards": _flags,
}
_affine: dict[str, st.SearchStrategy[Any]] = {
    "epsilon": st.sampled_from([1e-3, 1e-5]),
    "center": _flags,
    "scale": _flags,
}
_plain: tuple[type[Operation], ...] = (
    *(ops.ReLU, ops.ReLU6, ops.SELU, ops.SiLU, ops.Sigmoid, ops.Tanh, ops.Softplus, ops.Softsign, ops.HardSigmoid),
    *(ops.HardSwish, ops.Mish, ops.Exponential, ops.Softmax, ops.LogSoftmax, ops.PReLU, ops.Flatten, ops.Identity),
)

OPERATIONS: Mapping[type[Operation], Cases] = {
    **{cls: _unary(cls) for cls in _plain},
    ops.LeakyReLU: _unary(ops.LeakyReLU, negative_slope=st.sampled_from([0.0, 0.1, 0.3])),
    ops.ELU: _unary(ops.ELU, alpha=st.sampled_from([0.5, 1.0])),
    ops.GELU: _unary(ops.GELU, approximate=_flags),
    ops.Dense: _unary(ops.Dense, units=_channels, use_bias=_flags),
    ops.Embedding: _embedding(),
    ops.ReversibleEmbedding: _reversible_embedding(),
    ops.PositionEmbedding: _unary(ops.PositionEmbedding, _sequence, sequence_length=st.none() | st.integers(7, 10)),
    ops.Parameter: _parameter(),
    ops.MatMul: _matmul(),
    ops.Conv1D: _convolution(ops.Conv1D, 1).filter(_fits),
    ops.Conv2D: _convolution(ops.Conv2D, 2).filter(_fits),
    ops.Conv3D: _convolution(ops.Conv3D, 3).filter(_fits),
    ops.DepthwiseConv1D: _depthwise(ops.DepthwiseConv1D, 1),
    ops.DepthwiseConv2D: _depthwise(ops.DepthwiseConv2D, 2),
    ops.SeparableConv1D: _depthwise(ops.SeparableConv1D, 1, filters=_channels),
    ops.SeparableConv2D: _depthwise(ops.SeparableConv2D, 2, filters=_channels),
    ops.Conv1DTranspose: _transposed(ops.Conv1DTranspose, 1).filter(_fits),
    ops.Conv2DTranspose: _transposed(ops.Conv2DTranspose, 2).filter(_fits),
    ops.Conv3DTranspose: _transposed(ops.Conv3DTranspose, 3).filter(_fits),
    ops.MaxPooling1D: _pooling(ops.MaxPooling1D, 1),
    ops.MaxPooling2D: _pooling(ops.MaxPooling2D, 2),
    ops.MaxPooling3D: _pooling(ops.MaxPooling3D, 3),
    ops.AveragePooling1D: _pooling(ops.AveragePooling1D, 1),
    ops.AveragePooling2D: _pooling(ops.AveragePooling2D, 2),
    ops.AveragePooling3D: _pooling(ops.AveragePooling3D, 3),
    ops.GlobalMaxPooling1D: _unary(ops.GlobalMaxPooling1D, _image(1), keepdims=_flags),
    ops.GlobalMaxPooling2D: _unary(ops.GlobalMaxPooling2D, _image(2), keepdims=_flags),
    ops.GlobalMaxPooling3D: _unary(ops.GlobalMaxPooling3D, _image(3), keepdims=_flags),
    ops.GlobalAveragePooling1D: _global_average(),
    ops.GlobalAveragePooling2D: _unary(ops.GlobalAveragePooling2D, _image(2), keepdims=_flags),
    ops.GlobalAveragePooling3D: _unary(ops.GlobalAveragePooling3D, _image(3), keepdims=_flags),
    ops.BatchNormalization: _unary(ops.BatchNormalization, momentum=st.sampled_from([0.0, 0.9, 0.99]), **_affine),
    ops.LayerNormalization: _unary(ops.LayerNormalization, **_affine),
    ops.GroupNormalization: _group_normalization(),
    ops.RMSNormalization: _unary(ops.RMSNormalization, epsilon=st.sampled_from([1e-3, 1e-6])),
    ops.Dropout: _unary(ops.Dropout, rate=_rates),
    ops.SpatialDropout1D: _unary(ops.SpatialDropout1D, _image(1), rate=_rates),
    ops.SpatialDropout2D: _unary(ops.SpatialDropout2D, _image(2), rate=_rates),
    ops.DropPath: _unary(ops.DropPath, rate=_rates),
    ops.GaussianNoise: _unary(ops.GaussianNoise, stddev=st.sampled_from([0.0, 0.5])),
    ops.Reshape: _reshape(),
    ops.Transpose: _transpose(),
    **{cls: _upsampling(cls, n) for n, cls in enumerate((ops.UpSampling1D, ops.UpSampling2D, ops.UpSampling3D), 1)},
    ops.ZeroPadding1D: _unary(ops.ZeroPadding1D, _image(1), padding=_sides(1)),
    ops.ZeroPadding2D: _unary(ops.ZeroPadding2D, _image(2), padding=_sides(2)),
    ops.ZeroPadding3D: _unary(ops.ZeroPadding3D, _image(3), padding=_sides(3)),
    ops.Cropping1D: _unary(ops.Cropping1D, _image(1, low=5), cropping=_sides(1)),
    ops.Cropping2D: _unary(ops.Cropping2D, _image(2, low=5), cropping=_sides(2)),
    ops.Cropping3D: _unary(ops.Cropping3D, _image(3, low=5), cropping=_sides(3)),
    ops.Split: _split(),
    ops.Slice: _slice(),
    **{cls: _broadcast(cls) for cls in (ops.Add, ops.Multiply, ops.Average, ops.Maximum, ops.Minimum)},
    ops.Take: _take(),
    ops.Subtract: _broadcast(ops.Subtract, 2),
    ops.Concatenate: _concatenate(),
    ops.Stack: st.tuples(st.just(ops.Stack()), st.tuples(_any_rank, st.integers(1, 4)).map(lambda t: (t[0],) * t[1])),
    ops.LSTM: _unary(ops.LSTM, **_recurrent),
    ops.GRU: _unary(ops.GRU, reset_after=_flags, **_recurrent),
    ops.MultiHeadAttention: _attention(),
    ops.GroupQueryAttention: _attention(grouped=True),
    ops.RotaryEmbedding: _unary(
        ops.RotaryEmbedding,
        _image(1, st.integers(1, 3).map(lambda pairs: 2 * pairs)),
        max_wavelength=st.sampled_from([10, 1e4]),
        scaling_factor=st.sampled_from([1, 2.0]),
    ),
    ops.Where: _where(),
    ops.WindowAverage: _window_average(),
    ops.Zeros: _unary(ops.Zeros, _any_rank | st.just(Spec((5,), "int64", 3)), units=_channels),
    ops.Zero: st.integers(1, 3).flatmap(lambda n: _unary(ops.Zero, _image(n), strides=_sizes(n, 3))),
    ops.Scale: _unary(ops.Scale, initial=st.sampled_from([1e-6, 1.0])),
}
