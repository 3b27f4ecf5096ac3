"""Trained constants: weights that are added to a value, not multiplied with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from deep_arch.language.modules import Operation
from deep_arch.language.specs import Spec
from deep_arch.language.weights import Weight, matrix
from deep_arch.ops import checks


@dataclass(eq=False)
class PositionEmbedding(Operation):
    """Add a trained vector to each position of a sequence.

    Shape: (features, length) -> (features, length)

    Args:
        sequence_length: the positions that have a vector; None for as many as the input has. A longer table takes
            inputs of any length up to it, of which each position has the same vector.

    Raises:
        BadArgument: sequence_length is neither None nor a positive int.
        ShapeMismatch: the input is no sequence of floats, or longer than sequence_length.

    References:
        Gehring et al. (2017), Convolutional Sequence to Sequence Learning, section 3.1.

    Example:
        >>> from deep_arch.language.specs import sequence
        >>> PositionEmbedding().parameters(sequence(length=197, features=768))
        151296
    """

    stateless: ClassVar[bool] = False

    sequence_length: int | None = None

    def shape(self, x: Spec) -> Spec:
        checks.spatial(self, x, 1)
        if self.sequence_length is not None and x.shape[1] > checks.positive(self, "sequence_length"):
            raise checks.misfit(
                self,
                f"a sequence no longer than sequence_length, {self.sequence_length}",
                f"{x}, of length {x.shape[1]}",
                f"Raise sequence_length to {x.shape[1]}, or leave it out to have as many as the input.",
            )
        return x

    def weights(self, x: Spec) -> dict[str, Weight]:
        return {"embeddings": matrix(self.sequence_length or x.shape[1], x.shape[0])}
