"""What every backend must do with sequences, long ones and such of several lengths; a part of `BackendContract`.

Laws, each with a test of that name:

- sequences of several lengths give what each gives alone, whatever fills them up;
- running means of a long sequence are precise, wherever its numbers lie.
"""

# The functions of the spaces here are lambdas, whose parameters have no types.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

import deep_arch as da
from deep_arch import ops
from deep_arch.testing.parity import TOLERANCES, Array, BackendRunner, assert_close, draw_weights

LENGTHS: Final = (5, 2, 3)
RAGGED: Final = {"x": da.sequence(length=5, features=3), "mask": da.tensor(5, dtype="bool")}

_MEANS: Final[dict[str, Callable[[], Any]]] = {
    "all": ops.GlobalAveragePooling1D,
    "last": lambda: ops.WindowAverage(4),
    "before": lambda: ops.WindowAverage(2, -1),
    "each": lambda: ops.WindowAverage(2, 1, each=True),
}


def ragged(x: Any, mask: Any) -> dict[str, Any]:
    """Return means of all kinds, a soft choice between two, and a fold, of the frames that are there."""

    def step(h: Any, frame: Any, there: Any) -> Any:
        return ops.Where(hard=True)(there, _new(h, frame), h)

    means = {name: mean()(x, mask) for name, mean in _MEANS.items()}
    return {**means, "where": _chosen(means["all"], means["each"]), "fold": da.scan(step)(ops.Zeros(2)(x), x, mask)}


def alone(x: Any) -> dict[str, Any]:
    """Return the same of a sequence without a mask."""
    means = {name: mean()(x) for name, mean in _MEANS.items()}
    return {**means, "where": _chosen(means["all"], means["each"]), "fold": da.scan(_new)(ops.Zeros(2)(x), x)}


def _new(h: Any, frame: Any) -> Any:
    return ops.Tanh()(ops.Dense(2)(ops.Concatenate()(h, ops.Take((2, 0))(frame))))


def _chosen(whole: Any, each: Any) -> Any:
    return ops.Where()(ops.Dense(1)(whole), each, ops.Take((2, 2, -2))(each))


class SequenceContract(BackendRunner):
    """Tests of sequences in a backend."""

    def test_sequences_of_several_lengths_give_what_each_gives_alone(self) -> None:
        x = np.random.default_rng(0).standard_normal((len(LENGTHS), *RAGGED["x"].shape)).astype("float32")
        there = np.arange(x.shape[2]) < np.array(LENGTHS)[:, None]
        x[~np.broadcast_to(there[:, None], x.shape)] = np.nan
        model = self.build(da.space(ragged).at({}), RAGGED, 0)
        weights = draw_weights(self.weights(model))
        self.set_weights(model, weights)
        together = self.run(model, {"x": x, "mask": there})
        for i, length in enumerate(LENGTHS):
            one = self.build(da.space(alone).at({}), da.sequence(length, 3), 0)
            self.set_weights(one, dict(zip(self.weights(one), weights.values(), strict=True)))
            expected = self.run(one, {"x": x[i : i + 1, :, :length]})
            got = [y[i : i + 1, ..., :length] if y.ndim > 2 else y[i : i + 1] for y in together]
            assert_close(got, expected, TOLERANCES["float32"])

    def test_running_means_of_a_long_sequence_are_precise(self) -> None:
        x = (1e3 + np.random.default_rng(0).standard_normal((1, 1, 12_000))).astype("float32")
        windows = [(4, 0), (30, 30), (20_000, 0)]
        net = da.space(lambda x: tuple([ops.WindowAverage(*window, each=True)(x) for window in windows]))
        got = self.run(self.build(net.at({}), da.sequence(12_000, 1), 0), {"x": x})
        for y, window in zip(got, windows, strict=True):
            terms = min(sum(window) + 1, 12_000)
            # A sum rounds by 6e-8 at each term, which adds up as a random walk does, to twice that at worst.
            np.testing.assert_allclose(y, _running_mean(x, *window), rtol=1.2e-7 * (10 + terms**0.5))


def _running_mean(x: Array, before: int, after: int) -> Array:
    sums = np.concatenate([np.zeros((1, 1, 1)), x.cumsum(-1, dtype="float64")], -1)
    at, length = np.arange(x.shape[-1]), x.shape[-1]
    high, low = np.minimum(at + after + 1, length), np.maximum(at - before, 0)
    mean: Array = (sums[..., high] - sums[..., low]) / (high - low)
    return mean
