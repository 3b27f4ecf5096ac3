"""Hypothesis strategies that build random spaces of networks, to compare backends with.

Vectors, sequences, images, volumes and tokens; nested substitutions over layers that keep the shape, layers that change
it before and after, several inputs and outputs. Every architecture of every space can be built on its specs.
"""

# The functions of the spaces here are lambdas, whose parameters have no types.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from hypothesis import strategies as st

import deep_arch as da
from deep_arch import ops
from deep_arch.language.specs import Spec
from deep_arch.language.values import Value
from deep_arch.testing.spaces import Plan, Scope, compose, plans

Part = Callable[..., Any]

WIDTH = 4
"""The channels of all that lies between the first and the last layer."""

_N_TOKENS = 11
_CONV: Mapping[int, Any] = {1: ops.Conv1D, 2: ops.Conv2D, 3: ops.Conv3D}
_TRANSPOSED: Mapping[int, Any] = {1: ops.Conv1DTranspose, 2: ops.Conv2DTranspose, 3: ops.Conv3DTranspose}
_DEPTHWISE: Mapping[int, Any] = {1: ops.DepthwiseConv1D, 2: ops.DepthwiseConv2D}
_SEPARABLE: Mapping[int, Any] = {1: ops.SeparableConv1D, 2: ops.SeparableConv2D}
_MAX: Mapping[int, Any] = {1: ops.MaxPooling1D, 2: ops.MaxPooling2D, 3: ops.MaxPooling3D}
_MEAN: Mapping[int, Any] = {1: ops.AveragePooling1D, 2: ops.AveragePooling2D, 3: ops.AveragePooling3D}
_GLOBAL_MEAN: Mapping[int, Any] = {
    1: ops.GlobalAveragePooling1D,
    2: ops.GlobalAveragePooling2D,
    3: ops.GlobalAveragePooling3D,
}
_GLOBAL_MAX: Mapping[int, Any] = {1: ops.GlobalMaxPooling1D, 2: ops.GlobalMaxPooling2D, 3: ops.GlobalMaxPooling3D}
_UPSAMPLING: Mapping[int, Any] = {1: ops.UpSampling1D, 2: ops.UpSampling2D, 3: ops.UpSampling3D}
_PADDING: Mapping[int, Any] = {1: ops.ZeroPadding1D, 2: ops.ZeroPadding2D, 3: ops.ZeroPadding3D}
_CROPPING: Mapping[int, Any] = {1: ops.Cropping1D, 2: ops.Cropping2D, 3: ops.Cropping3D}

_ACTIVATIONS: tuple[Part, ...] = (
    *(ops.ReLU, ops.ReLU6, ops.LeakyReLU, ops.PReLU, ops.ELU, ops.SELU, ops.GELU, ops.SiLU, ops.Sigmoid, ops.Tanh),
    *(ops.Softplus, ops.Softsign, ops.HardSigmoid, ops.HardSwish, ops.Mish, ops.Softmax, ops.LogSoftmax, ops.Identity),
)
_NORMS: tuple[Part, ...] = (
    lambda: ops.BatchNormalization(epsilon=da.choice([1e-3, 1e-5])),
    lambda: ops.LayerNormalization(),
    lambda: ops.GroupNormalization(groups=da.choice([1, 2])),
    lambda: ops.RMSNormalization(),
)
_RANDOM: tuple[Part, ...] = (lambda: ops.Dropout(da.choice([0.0, 0.3])), lambda: ops.DropPath(0.2))


def _pick(parts: tuple[Part, ...]) -> Part:
    """Return the choice among some parts as one part."""
    return lambda: da.or_(list(parts))


def _kernel() -> Any:
    return da.choice([1, 2, 3])


def _gap() -> Any:
    return da.choice([1, 2])


def _stride() -> Any:
    return da.choice([2, 3])


def _gated(n: int) -> Part:
    def gated(x: Value) -> Value:
        gate = ops.Dense(WIDTH)(_GLOBAL_MEAN[n](keepdims=True)(x))
        return ops.Multiply()(x, ops.Sigmoid()(gate))

    return gated


def _swapped(x: Value) -> Value:
    left, right = ops.Split(2)(x)
    return ops.Concatenate()(right, left)


def _turned(x: Value) -> Value:
    first, rest = ops.Split((1, WIDTH - 1))(x)
    return ops.Concatenate()(rest, first)


def _with_token(x: Value) -> Value:
    x = ops.Concatenate(axis=1)(ops.Parameter((WIDTH, 1))(x), x)
    return ops.Slice(0, da.choice([1, None]), axis=1)(x)


def _squeezed(x: Value) -> Value:
    y = ops.ReLU()(ops.Dense(da.channels(x) // da.choice([1, 2, 4]))(x))
    return ops.Multiply()(x, ops.Sigmoid()(ops.Dense(da.channels(x))(y)))


def _projected(x: Value) -> Value:
    width = da.choice([WIDTH, 6])
    y = da.residual(lambda: ops.Dense(width), project=lambda: ops.Dense(width, use_bias=False))(x)
    differ = da.dependent(operator.ne, da.shape(x), da.shape(y))
    return da.optional(lambda: ops.Dense(da.channels(x)), use=differ)(y)


def _over_length(x: Value) -> Value:
    return ops.Transpose((1, 0))(ops.Softmax()(ops.Transpose((1, 0))(x)))


def _sliding(n: int) -> dict[str, Part]:
    """Return parts that slide a window along `n` axes and keep all sizes."""
    parts: dict[str, Part] = {
        "convolution": lambda: _CONV[n](WIDTH, _kernel(), dilation_rate=_gap(), groups=da.choice([1, 2])),
        "transposed": lambda: _TRANSPOSED[n](WIDTH, _kernel()),
        "largest": lambda: _MAX[n](_kernel(), strides=1),
        "mean": lambda: _MEAN[n](_kernel(), strides=1),
        "gated": lambda: _gated(n),
    }
    if n == 1:
        parts["causal"] = lambda: ops.Conv1D(WIDTH, _kernel(), padding="causal", dilation_rate=_gap())
    if n < 3:
        parts["depthwise"] = lambda: _DEPTHWISE[n](_kernel(), dilation_rate=_gap())
        parts["separable"] = lambda: _SEPARABLE[n](WIDTH, _kernel(), depth_multiplier=_gap())
    return parts


def _grouped_attention() -> da.Module:
    wavelength, causal = da.choice([None, 10.0]), da.boolean()
    return ops.GroupQueryAttention(2, 2, da.choice([1, 2]), use_causal_mask=causal, rope_max_wavelength=wavelength)


def keeping(n: int) -> dict[str, Part]:
    """Return parts by name that keep the shape of what has `WIDTH` channels and `n` axes beside."""
    parts: dict[str, Part] = {
        "dense": lambda: ops.Dense(WIDTH, use_bias=da.boolean()),
        "bottleneck": lambda: da.sequential(lambda: ops.Dense(da.choice([3, 6])), ops.GELU, lambda: ops.Dense(WIDTH)),
        "activation": _pick(_ACTIVATIONS),
        "norm": _pick(_NORMS),
        "random": _pick(_RANDOM),
        "scale": lambda: ops.Scale(da.choice([0.5, 2.0])),
        "swapped": lambda: _swapped,
        "turned": lambda: _turned,
        "squeezed": lambda: _squeezed,
        "projected": lambda: _projected,
        **(_sliding(n) if n else {}),
    }
    if n == 1:
        parts["attention"] = lambda: ops.MultiHeadAttention(da.choice([1, 2]), 3, value_dim=da.choice([None, 2]))
        parts["grouped"] = _grouped_attention
        parts["lstm"] = lambda: ops.LSTM(WIDTH, return_sequences=True, go_backwards=da.boolean())
        parts["gru"] = lambda: ops.GRU(WIDTH, return_sequences=True, reset_after=da.boolean())
        parts["positions"] = ops.PositionEmbedding
        parts["over length"] = lambda: _over_length
    if n:
        parts["zero"] = ops.Zero
    return parts


def resizing(n: int) -> dict[str, Part]:
    """Return parts that change the sizes of `n` axes, and never to 0."""
    if not n:
        return {"nothing": ops.Identity}
    return {
        **({"token": lambda: _with_token} if n == 1 else {}),
        "nothing": ops.Identity,
        "strided": lambda: _CONV[n](WIDTH, da.choice([1, 2, 3, 4]), strides=_stride()),
        "strided and dilated": lambda: _CONV[n](WIDTH, 2, strides=2, dilation_rate=2),
        "valid": lambda: _CONV[n](WIDTH, 2, padding="valid"),
        "largest": lambda: _MAX[n](da.choice([2, 3]), strides=_stride()),
        "mean": lambda: _MEAN[n](da.choice([2, 3]), strides=_stride()),
        "transposed": lambda: _TRANSPOSED[n](WIDTH, da.choice([1, 2, 3]), strides=2),
        "upsampling": lambda: _UPSAMPLING[n](2),
        "padding": lambda: da.sequential(lambda: _PADDING[n](da.choice([1, 2])), lambda: _CROPPING[n](1)),
    }


def heads(n: int) -> dict[str, Part]:
    """Return parts that end a network whose last value has `n` axes beside the channels."""
    parts: dict[str, Part] = {
        "none": lambda x: x,
        "flat": lambda x: ops.Dense(3)(ops.Flatten()(x)),
        "two": lambda x: (x, ops.Dense(2)(x)),
        "stacked": lambda x: ops.Stack()(x, ops.Tanh()(x)),
    }
    if n:
        parts |= {
            "mean": lambda x: ops.Dense(3)(_GLOBAL_MEAN[n]()(x)),
            "largest": lambda x: ops.LogSoftmax()(_GLOBAL_MAX[n]()(x)),
            "lstm": lambda x: ops.LSTM(3)(ops.Reshape((WIDTH, -1))(x)),
            "gru": lambda x: ops.GRU(3)(ops.Reshape((-1, WIDTH))(x)),
            "products": lambda x: (lambda y: ops.MatMul()(y, ops.Transpose((1, 0))(y)))(ops.Reshape((WIDTH, -1))(x)),
        }
    return parts


_MERGES: Mapping[str, Part] = {
    "add": ops.Add,
    "subtract": ops.Subtract,
    "multiply": ops.Multiply,
    "average": ops.Average,
    "maximum": ops.Maximum,
    "minimum": ops.Minimum,
}


class RandomNetwork(NamedTuple):
    """A random space and what it is built on.

    Attributes:
        plan: what it was made from.
        space: the space.
        inputs: the specs of its inputs.
    """

    plan: Plan
    space: da.SearchSpace
    inputs: dict[str, Spec]

    def __repr__(self) -> str:
        return f"RandomNetwork{self.plan!r} on {', '.join(map(str, self.inputs.values()))}"


_LONGEST = (0, 7, 6, 4)  # cells along an axis, by the number of axes


@st.composite
def networks(draw: Callable[[Any], Any], dtypes: tuple[str, ...] = ("float32",), max_leaves: int = 3) -> RandomNetwork:
    """Draw a space of networks with the specs of its inputs."""
    n = draw(st.integers(0, 3))
    is_text = n == 1 and draw(st.booleans())
    sizes = draw(st.tuples(*[st.integers(2, _LONGEST[n])] * n))
    leaves = st.tuples(st.sampled_from([*keeping(n), "tie"]))
    resize, head = draw(st.sampled_from(list(resizing(n)))), draw(st.sampled_from(list(heads(n))))
    body = ("sequence", draw(st.lists(plans(max_leaves, leaves), min_size=2, max_size=3)))
    plan = (n, resize, body, head, draw(st.none() | st.sampled_from(list(_MERGES))))
    first = Spec(sizes, "int64", _N_TOKENS) if is_text else Spec((draw(st.integers(1, 5)), *sizes))
    dtype = "float32" if is_text else draw(st.sampled_from(dtypes))  # an embedding gives float32
    inputs = {"x": first if is_text else Spec(first.shape, dtype)}
    if plan[-1] is not None:
        inputs["other"] = Spec((WIDTH, *sizes), dtype)
    return RandomNetwork(plan, space_of(plan, is_text), inputs)


def space_of(plan: Plan, is_text: bool) -> da.SearchSpace:
    """Return the space that a plan describes."""
    n, resize, body, head, merge = plan
    parts, resizers = keeping(n), resizing(n)

    def leaf(plan: Plan, scope: Scope) -> Callable[[Value], Value]:
        part: Callable[[Value], Value] = parts[plan[0]]()
        return part

    def network(x: Value, other: Value | None = None) -> Any:
        shared = da.choice([0, 1, 2], name="shared")
        x = ops.Embedding(_N_TOKENS, WIDTH)(x) if is_text else ops.Dense(WIDTH)(x)
        if other is not None:
            x = _MERGES[merge]()(x, other)
        x = compose(body, Scope([x], [shared], ops.Dense(WIDTH, name="tied"), leaf))(x)
        return heads(n)[head](resizers[resize]()(x))

    if merge is None:
        return da.space(lambda x: network(x))
    return da.space(lambda x, other: network(x, other))
