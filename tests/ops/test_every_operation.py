"""What holds for every exported operation."""

from __future__ import annotations

import dataclasses
import inspect
import re
from typing import Any

import pytest

from deep_arch import ops
from deep_arch.language.modules import Operation
from deep_arch.language.specs import Spec, image, sequence, tensor, tokens, vector

EXPORTED = {name: thing for name, thing in vars(ops).items() if inspect.isclass(thing) and issubclass(thing, Operation)}
IMAGE, SEQUENCE, VOLUME, VECTOR = image(8, 6, 5), sequence(7, 8), tensor(8, 4, 5, 6), vector(8)

# One use of each operation: arguments, inputs, output's shape, parameters, multiply-accumulates.
USES: dict[str, tuple[tuple[Any, ...], tuple[Spec, ...], tuple[int, ...], int, int]] = {
    "Add": ((), (IMAGE, IMAGE), (8, 6, 5), 0, 0),
    "Average": ((), (IMAGE, IMAGE), (8, 6, 5), 0, 0),
    "AveragePooling1D": ((), (SEQUENCE,), (8, 4), 0, 0),
    "AveragePooling2D": ((), (IMAGE,), (8, 3, 3), 0, 0),
    "AveragePooling3D": ((), (VOLUME,), (8, 2, 3, 3), 0, 0),
    "BatchNormalization": ((), (IMAGE,), (8, 6, 5), 16, 0),
    "Concatenate": ((), (IMAGE, IMAGE), (16, 6, 5), 0, 0),
    "Conv1D": ((4, 3), (SEQUENCE,), (4, 7), 4 * (8 * 3 + 1), 4 * 7 * 8 * 3),
    "Conv1DTranspose": ((4, 3, 2), (SEQUENCE,), (4, 14), 4 * (8 * 3 + 1), 8 * 7 * 4 * 3),
    "Conv2D": ((4, 3), (IMAGE,), (4, 6, 5), 4 * (8 * 9 + 1), 4 * 30 * 8 * 9),
    "Conv2DTranspose": ((4, 3, 2), (IMAGE,), (4, 12, 10), 4 * (8 * 9 + 1), 8 * 30 * 4 * 9),
    "Conv3D": ((4, 3), (VOLUME,), (4, 4, 5, 6), 4 * (8 * 27 + 1), 4 * 120 * 8 * 27),
    "Conv3DTranspose": ((4, 3, 2), (VOLUME,), (4, 8, 10, 12), 4 * (8 * 27 + 1), 8 * 120 * 4 * 27),
    "Cropping1D": ((), (SEQUENCE,), (8, 5), 0, 0),
    "Cropping2D": ((), (IMAGE,), (8, 4, 3), 0, 0),
    "Cropping3D": ((), (VOLUME,), (8, 2, 3, 4), 0, 0),
    "Dense": ((3,), (SEQUENCE,), (3, 7), 27, 3 * 8 * 7),
    "DepthwiseConv1D": ((3,), (SEQUENCE,), (8, 7), 8 * 4, 8 * 7 * 3),
    "DepthwiseConv2D": ((3,), (IMAGE,), (8, 6, 5), 8 * 10, 8 * 30 * 9),
    "DropPath": ((0.1,), (IMAGE,), (8, 6, 5), 0, 0),
    "Dropout": ((0.1,), (IMAGE,), (8, 6, 5), 0, 0),
    "ELU": ((), (IMAGE,), (8, 6, 5), 0, 0),
    "Embedding": ((100, 16), (tokens(7),), (16, 7), 1600, 0),
    "Exponential": ((), (IMAGE,), (8, 6, 5), 0, 0),
    "Flatten": ((), (IMAGE,), (240,), 0, 0),
    "GELU": ((), (IMAGE,), (8, 6, 5), 0, 0),
    "GRU": ((4,), (SEQUENCE,), (4,), 3 * 4 * (8 + 4 + 2), 7 * 3 * 4 * (8 + 4)),
    "GaussianNoise": ((0.1,), (IMAGE,), (8, 6, 5), 0, 0),
    "GlobalAveragePooling1D": ((), (SEQUENCE,), (8,), 0, 0),
    "GlobalAveragePooling2D": ((), (IMAGE,), (8,), 0, 0),
    "GlobalAveragePooling3D": ((), (VOLUME,), (8,), 0, 0),
    "GlobalMaxPooling1D": ((), (SEQUENCE,), (8,), 0, 0),
    "GlobalMaxPooling2D": ((), (IMAGE,), (8,), 0, 0),
    "GlobalMaxPooling3D": ((), (VOLUME,), (8,), 0, 0),
    "GroupQueryAttention": (
        (4, 6, 2),
        (SEQUENCE,),
        (8, 7),
        2 * 8 * 24 + 2 * 8 * 8 + 24 + 2 * 8 + 8,
        7 * (2 * 8 * 24 + 2 * 8 * 8) + 2 * 7 * 7 * 24,
    ),
    "GroupNormalization": ((4,), (IMAGE,), (8, 6, 5), 16, 0),
    "HardSigmoid": ((), (IMAGE,), (8, 6, 5), 0, 0),
    "HardSwish": ((), (IMAGE,), (8, 6, 5), 0, 0),
    "Identity": ((), (IMAGE,), (8, 6, 5), 0, 0),
    "LSTM": ((4,), (SEQUENCE,), (4,), 4 * 4 * (8 + 4 + 1), 7 * 4 * 4 * (8 + 4)),
    "LayerNormalization": ((), (IMAGE,), (8, 6, 5), 16, 0),
    "LeakyReLU": ((), (IMAGE,), (8, 6, 5), 0, 0),
    "LogSoftmax": ((), (IMAGE,), (8, 6, 5), 0, 0),
    "MatMul": ((), (tensor(8, 7), tensor(7, 3)), (8, 3), 0, 8 * 7 * 3),
    "MaxPooling1D": ((), (SEQUENCE,), (8, 4), 0, 0),
    "MaxPooling2D": ((), (IMAGE,), (8, 3, 3), 0, 0),
    "MaxPooling3D": ((), (VOLUME,), (8, 2, 3, 3), 0, 0),
    "Maximum": ((), (IMAGE, IMAGE), (8, 6, 5), 0, 0),
    "Minimum": ((), (IMAGE, IMAGE), (8, 6, 5), 0, 0),
    "Mish": ((), (IMAGE,), (8, 6, 5), 0, 0),
    "MultiHeadAttention": ((2, 4), (SEQUENCE,), (8, 7), 4 * (8 * 8 + 8), 4 * 7 * 8 * 8 + 2 * 7 * 7 * 8),
    "Multiply": ((), (IMAGE, IMAGE), (8, 6, 5), 0, 0),
    "PReLU": ((), (IMAGE,), (8, 6, 5), 8, 0),
    "Parameter": (((8, 2),), (SEQUENCE,), (8, 2), 16, 0),
    "PositionEmbedding": ((), (SEQUENCE,), (8, 7), 7 * 8, 0),
    "RMSNormalization": ((), (IMAGE,), (8, 6, 5), 8, 0),
    "ReLU": ((), (IMAGE,), (8, 6, 5), 0, 0),
    "ReLU6": ((), (IMAGE,), (8, 6, 5), 0, 0),
    "Reshape": (((-1, 5),), (IMAGE,), (48, 5), 0, 0),
    "ReversibleEmbedding": ((100, 8), (SEQUENCE,), (100, 7), 800, 100 * 8 * 7),
    "RotaryEmbedding": ((), (SEQUENCE,), (8, 7), 0, 0),
    "SELU": ((), (IMAGE,), (8, 6, 5), 0, 0),
    "Scale": ((), (IMAGE,), (8, 6, 5), 8, 0),
    "SeparableConv1D": ((4, 3), (SEQUENCE,), (4, 7), 8 * 3 + 8 * 4 + 4, 7 * (8 * 3 + 8 * 4)),
    "SeparableConv2D": ((4, 3), (IMAGE,), (4, 6, 5), 8 * 9 + 8 * 4 + 4, 30 * (8 * 9 + 8 * 4)),
    "SiLU": ((), (IMAGE,), (8, 6, 5), 0, 0),
    "Sigmoid": ((), (IMAGE,), (8, 6, 5), 0, 0),
    "Slice": ((0, 5), (IMAGE,), (5, 6, 5), 0, 0),
    "Softmax": ((), (VECTOR,), (8,), 0, 0),
    "Softplus": ((), (IMAGE,), (8, 6, 5), 0, 0),
    "Softsign": ((), (IMAGE,), (8, 6, 5), 0, 0),
    "SpatialDropout1D": ((0.1,), (SEQUENCE,), (8, 7), 0, 0),
    "SpatialDropout2D": ((0.1,), (IMAGE,), (8, 6, 5), 0, 0),
    "Split": ((1,), (IMAGE,), (8, 6, 5), 0, 0),
    "Stack": ((), (IMAGE, IMAGE), (2, 8, 6, 5), 0, 0),
    "Subtract": ((), (IMAGE, IMAGE), (8, 6, 5), 0, 0),
    "Take": (((0, 5, 5),), (IMAGE,), (3, 6, 5), 0, 0),
    "Tanh": ((), (IMAGE,), (8, 6, 5), 0, 0),
    "Transpose": (((2, 0, 1),), (IMAGE,), (5, 8, 6), 0, 0),
    "UpSampling1D": ((), (SEQUENCE,), (8, 14), 0, 0),
    "UpSampling2D": ((), (IMAGE,), (8, 12, 10), 0, 0),
    "UpSampling3D": ((), (VOLUME,), (8, 8, 10, 12), 0, 0),
    "Where": ((), (image(1, 6, 5), IMAGE, IMAGE), (8, 6, 5), 0, 0),
    "WindowAverage": ((4,), (SEQUENCE,), (8,), 0, 0),
    "Zero": ((2,), (IMAGE,), (8, 3, 3), 0, 0),
    "ZeroPadding1D": ((), (SEQUENCE,), (8, 9), 0, 0),
    "ZeroPadding2D": ((), (IMAGE,), (8, 8, 7), 0, 0),
    "ZeroPadding3D": ((), (VOLUME,), (8, 6, 7, 8), 0, 0),
    "Zeros": ((4,), (IMAGE,), (4,), 0, 0),
}


def test_every_operation_has_a_use_here() -> None:
    assert set(EXPORTED) == set(USES)


@pytest.mark.parametrize("name", sorted(USES))
def test_shape_parameters_and_macs(name: str) -> None:
    arguments, inputs, shape, parameters, macs = USES[name]
    op = EXPORTED[name](*arguments)
    result = op.shape(*inputs)
    assert (result[0] if isinstance(result, tuple) else result).shape == shape
    assert op.parameters(*inputs) == parameters
    assert op.macs(*inputs) == macs


@pytest.mark.parametrize("name", sorted(USES))
def test_anything_trained_or_random_is_not_stateless(name: str) -> None:
    random = name in {"Dropout", "DropPath", "GaussianNoise", "SpatialDropout1D", "SpatialDropout2D"}
    assert EXPORTED[name].stateless == (USES[name][3] == 0 and not random)


def test_which_operations_are_commutative() -> None:
    commutative = {name for name, kind in EXPORTED.items() if kind.commutative}
    assert commutative == {"Add", "Multiply", "Average", "Maximum", "Minimum"}


@pytest.mark.parametrize("name", sorted(EXPORTED))
def test_the_docstring_says_what_goes_in_and_comes_out(name: str) -> None:
    doc = vars(EXPORTED[name])["__doc__"]
    assert re.match(r"[A-Z].*\.\n\n", doc), "a first line that ends in a full stop"
    assert re.search(r"^ *Shape: .* -> .*", doc, re.M)
    fields = [f.name for f in dataclasses.fields(EXPORTED[name]) if f.name != "name"]
    assert "arguments are those of" in doc or all(re.search(rf"^ *{field}: ", doc, re.M) for field in fields)


@pytest.mark.parametrize("name", sorted(EXPORTED))
def test_the_rules_take_the_same_inputs(name: str) -> None:
    def inputs(rule: str) -> list[tuple[str, Any]]:
        return [(p.name, p.kind) for p in inspect.signature(getattr(EXPORTED[name], rule)).parameters.values()]

    assert all(kind is not inspect.Parameter.VAR_KEYWORD for _, kind in inputs("shape"))
    for rule in ("parameters", "macs"):
        assert inputs(rule) == inputs("shape") or rule not in {r for k in _own(name) for r in vars(k)}


def _own(name: str) -> list[type]:
    kinds = EXPORTED[name].__mro__
    return list(kinds[: kinds.index(Operation)])
