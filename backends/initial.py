"""Initial weights, drawn in one place, so that a seed gives the same numbers in every framework."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from deep_arch.backends.build_plan import BuildPlan
from deep_arch.language.modules import Operation
from deep_arch.language.weights import Weight

Array = npt.NDArray[Any]

_NUMPY_TYPES = {"bfloat16": "float32"}
"""What stands for types that NumPy lacks."""


def draw_weights(plan: BuildPlan, seed: int, own: str = "") -> dict[str, Array]:
    """Return the initial weights of the operations of a plan, by neutral name.

    Each is drawn from the seed and its own name, so that it does not depend on what else the model holds.

    Args:
        plan: what a model is built from.
        seed: any int.
        own: the name of a method; operations that have it draw their weights themselves.
    """
    weights: dict[str, Array] = {}
    for step in plan.steps:
        if isinstance(step.module, Operation) and not step.tied and not (own and hasattr(step.module, own)):
            for name, weight in step.module.weights(*step.specs).items():
                path = f"{step.path}.{name}"
                drawn = draw(weight, (seed % 2**64, zlib.crc32(path.encode())))
                weights[path] = drawn.astype(_NUMPY_TYPES.get(step.dtype, step.dtype), copy=False)
    return weights


def draw(weight: Weight, seed: Sequence[int]) -> Array:
    """Return numbers for one weight; see `deep_arch.language.weights.Initial` for what the distributions are."""
    initial = weight.initial
    if initial == "unit_forget":
        return np.repeat(np.array([0.0, 1.0, 0.0, 0.0], np.float32), weight.size // 4)
    if not isinstance(initial, str):
        return np.full(weight.shape, initial, np.float32)
    rng = np.random.default_rng(seed)
    if initial == "glorot_uniform":
        limit = math.sqrt(6.0 / max(sum(weight.fans), 1))
        return _uniform(limit, weight.shape, rng)
    return _uniform(0.05, weight.shape, rng) if initial == "uniform" else _orthogonal(weight.shape, rng)


def _uniform(limit: float, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    numbers = rng.random(shape, np.float32)
    numbers -= np.float32(0.5)
    numbers *= np.float32(2.0 * limit)
    return numbers


def _orthogonal(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    rows, columns = math.prod(shape[:-1]), shape[-1]
    q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
    q *= np.sign(np.diag(r))  # else the factorisation's own signs would make the draw uneven
    return (q if rows >= columns else q.T).reshape(shape)
