"""What terms say of weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.backends import torch_backend
from deep_arch.errors import BadArgument
from deep_arch.programs.reading_aloud import affine

FRAMES = da.sequence(length=6, features=3)
NAMES = ["speed", "nose dist", "angle"]


@da.rule
def atom() -> Any:
    return da.or_(
        {
            "Sum": lambda x: ops.Add()(atom()(x), atom()(x)),
            "Affine": lambda: ops.Dense(1),
            "Pair": lambda x: ops.Dense(1, use_bias=False)(ops.Dense(2)(x)),
            "Scaled": lambda x: atom()(ops.Scale()(x)),
            "Norm": lambda x: atom()(ops.BatchNormalization()(x)),
        }
    )


@da.rule
def averaged() -> Any:
    return da.or_({"Mean": lambda x: atom()(ops.GlobalAveragePooling1D()(x)), "Wide": lambda x: ops.Dense(50)(x)})


net = da.space(lambda x: averaged()(x))


def said(term: str, names: Any = NAMES) -> str:
    architecture = da.parse(term, net)
    weights = torch_backend.get_weights(torch_backend.build(architecture, FRAMES, seed=0))
    for name, array in weights.items():
        weights[name] = np.arange(array.size).reshape(array.shape) / 4 - 0.5
    spoken = da.text(architecture, weights, names)
    assert da.parse(spoken, net) == architecture
    return spoken


def test_a_dense_layer_is_a_weighted_sum_of_channels() -> None:
    assert said("Mean(Affine)") == 'Mean(Affine{-0.5*speed - 0.25*"nose dist" - 0.5})'
    assert said("Mean(Affine)", names=None) == "Mean(Affine{-0.5*x0 - 0.25*x1 - 0.5})"
    assert said("Mean(Sum(Affine, Affine))", ["a", "b", "c"]).count("{-0.5*a - 0.25*b - 0.5}") == 2


class Standardised(ops.Dense):
    """A dense layer of a user's."""


def test_a_class_made_of_a_dense_layer_is_one() -> None:
    architecture = da.space(lambda x: da.or_({"Affine": lambda: Standardised(1)})(x)).at({"or.which": "Affine"})
    weights = {"or_Affine.standardised.kernel": [[0.5], [-2.0]], "or_Affine.standardised.bias": [1.0]}
    assert da.text(architecture, weights, ["speed", "angle"]) == "Affine{0.5*speed - 2*angle + 1}"


def test_units_stand_side_by_side_and_what_is_inside_has_no_names() -> None:
    assert said("Mean(Pair)") == (
        'Mean(Pair{(-0.5*speed + 0.5*angle - 0.5, -0.25*speed + 0.25*"nose dist" + 0.75*angle - 0.25), '
        "-0.5*x0 - 0.25*x1})"
    )


def test_other_modules_say_numbers_if_they_have_few() -> None:
    assert said("Mean(Scaled(Affine))").startswith("Mean(Scaled{scale=[-0.5, -0.25, 0]}(Affine{-0.5*x0")
    assert "Norm{gamma=[" in said("Mean(Norm(Affine))")
    assert said("Wide") == "Wide{kernel 3x50, bias 50}"


def test_sums_have_signs() -> None:
    assert affine([1.0, -2.5], ["a", "b c"], 0.0) == '1*a - 2.5*"b c"'
    assert affine([0.0, 0.0], ["a", "b"], 0.0) == "0"
    assert affine([0.0, 3e-8], ["a", "b"], -1234.56) == "3e-08*b - 1.23e+03"


def test_the_whole_program_has_weights_too() -> None:
    plain = da.space(lambda x: ops.Dense(1)(atom()(x)))
    architecture = da.parse("Affine", plain)
    weights = {name: np.ones(shape) for name, shape in {
        "dense.kernel": (1, 1), "dense.bias": (1,), "atom.or_Affine.dense.kernel": (3, 1)}.items()}  # fmt: skip
    assert da.text(architecture, weights, NAMES) == '{1*x0 + 1} Affine{1*speed + 1*"nose dist" + 1*angle}'
    assert da.parse(da.text(architecture, weights), plain) == architecture


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(
        BadArgument, match=r"Affine\]/dense: reads 3 channels(.|\n)*Got 2: speed, angle.\n  Give names="
    ):
        said("Mean(Affine)", ["speed", "angle"])
    with pytest.raises(BadArgument, match=r"text: expected names of channels as a list of texts.\n  Got 'speed'"):
        said("Mean(Affine)", "speed")
    affine_program = da.parse("Mean(Affine)", net)
    with pytest.raises(BadArgument, match=r"densse.bias: a weight of no module(.|\n)*Give what get_weights returned"):
        da.text(affine_program, {"densse.bias": [1.0]})
