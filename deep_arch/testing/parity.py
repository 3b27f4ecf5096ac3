"""What it takes to compare two backends: a way to run each, weights for both, and how close is close."""

# The functions of the spaces here are lambdas, whose parameters have no types.
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

import importlib
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

import deep_arch as da
from deep_arch import ops
from deep_arch.language.modules import Operation
from deep_arch.language.specs import Spec

Array = npt.NDArray[Any]
Arrays = Mapping[str, Array]

BATCH = 3

TOLERANCES: Mapping[str, float] = {"float32": 1e-4, "float64": 1e-10}
"""How far numbers of one type may differ: a thousand times their rounding, for what a deep network adds up."""

_RANDOM = (ops.Dropout, ops.SpatialDropout1D, ops.SpatialDropout2D, ops.DropPath, ops.GaussianNoise)


class BackendRunner(ABC):
    """A backend as tests use it: arrays of NumPy in and out, channels first.

    Attributes:
        module: the import path of the backend, with `build`, `get_weights` and `set_weights`.
    """

    module: ClassVar[str]

    @abstractmethod
    def named(self, model: Any, arrays: Arrays) -> dict[str, Array]:
        """Run a model that returns a dict on inputs by name, in inference, and return its outputs by name."""

    @abstractmethod
    def run(self, model: Any, arrays: Arrays, training: bool = False) -> list[Array]:
        """Run a model on inputs by name, (batch, channels, *spatial), and return its outputs likewise."""

    @abstractmethod
    def gradients(
        self, model: Any, arrays: Arrays, cotangents: Sequence[Array], training: bool = False
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Return the gradients of the sum of all outputs times `cotangents`.

        They are those by the inputs of floats, by name and channels first, and those by the trained weights, in
        neutral names and layouts; zeros where there is no gradient.
        """

    @property
    def backend(self) -> Any:
        """The backend's module."""
        return importlib.import_module(self.module)

    def build(self, architecture: da.Architecture, inputs: Any, seed: int | None = None) -> Any:
        """Call the backend's `build`."""
        return self.backend.build(architecture, inputs, seed=seed)

    def weights(self, model: Any) -> dict[str, Array]:
        """Call the backend's `get_weights`."""
        weights: dict[str, Array] = self.backend.get_weights(model)
        return weights

    def set_weights(self, model: Any, weights: Arrays) -> None:
        """Call the backend's `set_weights`."""
        self.backend.set_weights(model, weights)


def channels_last(array: Array) -> Array:
    """Return (batch, channels, *spatial) as (batch, *spatial, channels)."""
    return np.moveaxis(array, 1, -1) if array.ndim > 2 else array


def listed(outputs: Any) -> list[Any]:
    """Return what a model returned as a list, in the order of the names where it is a dict."""
    if isinstance(outputs, dict):
        return [outputs[name] for name in sorted(outputs)]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return list(outputs) if isinstance(outputs, tuple | list) else [outputs]  # pyright: ignore[reportUnknownArgumentType]


def channels_first(array: Array) -> Array:
    """Return (batch, *spatial, channels) as (batch, channels, *spatial)."""
    return np.moveaxis(array, -1, 1) if array.ndim > 2 else array


def draw(spec: Spec, seed: int = 0) -> Array:
    """Return an example of a spec, with a batch axis in front."""
    rng = np.random.default_rng(seed)
    shape = (BATCH, *spec.shape)
    if spec.dtype == "bool":
        return rng.random(shape) < 0.7
    if spec.dtype.startswith("int"):
        return rng.integers(spec.vocabulary or 2, size=shape, dtype=spec.dtype)
    return rng.standard_normal(shape).astype(spec.dtype)


def draw_weights(like: Arrays, seed: int = 0) -> dict[str, Array]:
    """Return other weights of the same names and shapes, none of them 0 or 1, that keep the size of what they take."""
    rng = np.random.default_rng(seed)
    drawn: dict[str, Array] = {}
    for name, array in like.items():
        if name.endswith("moving_variance"):
            numbers = rng.uniform(0.5, 1.5, array.shape)
        else:
            fan_in = math.prod(array.shape[:-1]) if array.ndim > 1 else 4
            numbers = rng.standard_normal(array.shape) / math.sqrt(max(fan_in, 1))
        drawn[name] = np.asarray(numbers, array.dtype)
    return drawn


def is_deterministic(architecture: da.Architecture) -> bool:
    """Return whether training computes the same numbers each time."""
    return not any(_draws(call.module) for call in architecture.graph.calls)


def _draws(module: Any) -> bool:
    if isinstance(module, (ops.MultiHeadAttention, ops.GroupQueryAttention)):
        return module.dropout > 0
    if isinstance(module, _RANDOM):
        return getattr(module, "rate", 0) > 0 or getattr(module, "stddev", 0) > 0
    return not isinstance(module, Operation)


def assert_close(got: Iterable[Array], expected: Iterable[Array], tolerance: float) -> None:
    """Fail where arrays differ in number, shape, type, or by more than the tolerance.

    It is relative to the largest number of an array, or to 1 where all are smaller: what is 0 by cancelling is as
    uncertain as what was cancelled, and inputs and weights are of that size.
    """
    for a, b in zip(got, expected, strict=True):
        assert a.shape == b.shape, f"shapes differ: {a.shape} and {b.shape}"
        assert a.dtype == b.dtype, f"types differ: {a.dtype} and {b.dtype}"
        scale = max(1.0, float(np.abs(b).max(initial=0.0)))
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * scale)


def assert_named_close(got: Arrays, expected: Arrays, tolerance: float) -> None:
    """Fail where two mappings differ in their names, or in an array."""
    assert list(got) == list(expected), f"names differ: {list(got)} and {list(expected)}"
    for name, array in got.items():
        try:
            assert_close([array], [expected[name]], tolerance)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from None


def assert_agreement(
    mine: BackendRunner,
    reference: BackendRunner,
    architecture: da.Architecture,
    inputs: Mapping[str, Spec],
    rounded: bool = False,
) -> None:
    """Fail where two backends differ on an architecture.

    With one seed they begin with the same weights. With other weights they give the same outputs and gradients, in
    inference and, where nothing is random, in training, after which the moving statistics are the same.

    Args:
        mine: what is tested.
        reference: what it is compared with.
        architecture: what both build.
        inputs: the spec of each input, by name.
        rounded: whether to compare what is of float64 as if it were of float32.
    """
    runners = (mine, reference)
    models = [runner.build(architecture, inputs, 0) for runner in runners]
    pairs = list(zip(runners, models, strict=True))
    got, expected = (runner.weights(model) for runner, model in pairs)
    assert_named_close(got, expected, 0.0)
    weights = draw_weights(expected)
    for runner, model in pairs:
        runner.set_weights(model, weights)
    arrays = {name: draw(spec, seed) for seed, (name, spec) in enumerate(inputs.items())}
    modes = [False, True] if is_deterministic(architecture) else [False]
    for training in modes:
        outputs = [runner.run(model, arrays, training) for runner, model in pairs]
        exact = not rounded and all(x.dtype == np.float64 for x in outputs[1])
        tolerance = TOLERANCES["float64" if exact else "float32"]
        assert_close(outputs[0], outputs[1], tolerance)
        if training == modes[-1]:
            rng = np.random.default_rng(0)
            cotangents = [np.asarray(rng.standard_normal(x.shape), x.dtype) for x in outputs[1]]
            gradients = [runner.gradients(model, arrays, cotangents, training) for runner, model in pairs]
            for ours, theirs in zip(*gradients, strict=True):
                assert_named_close(ours, theirs, tolerance)
        got, expected = (runner.weights(model) for runner, model in pairs)
        assert_named_close(got, expected, tolerance)  # moving statistics have moved alike
