"""What a lowering is given, and what it gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import tensorflow as tf

from deep_arch.language.specs import Spec

Lowering: TypeAlias = Callable[..., Any]
"""Called as lowering(op, context, *tensors): a resolved operation, a `Context`, the inputs.

It returns the output, or a tuple of several. Every tensor is (batch, *spatial, channels).
"""


@dataclass(frozen=True, slots=True)
class Context:
    """One call of an operation in a model.

    Attributes:
        weights: the variables of the operation, by the names that its `weights` gives.
        specs: of its inputs.
        training: whether the model trains.
        generator: where to draw random numbers from; a part of the model's state.
    """

    weights: Mapping[str, Any]
    specs: tuple[Spec, ...]
    training: bool
    generator: tf.random.Generator


def batch_of(x: Any) -> Any:
    """Return the number of examples: an int where it is known, else a tensor."""
    batch = x.shape[0]
    return tf.shape(x)[0] if batch is None else batch
