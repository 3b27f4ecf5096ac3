"""Trained constants: weights that are added to a value or joined with it, not multiplied with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from deep_arch.language.modules import Operation
from deep_arch.language.specs import Spec
from deep_arch.language.weights import Axis, Weight, matrix
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
        return {"embeddings": matrix(self.sequence_length or x.shape[1], x.shape[0], axes=("out", "in"))}


@dataclass(eq=False)
class Parameter(Operation):
    """Give a trained constant, the same for each example: a class token, or the queries of a decoder.

    It is called on any value, which says how many examples there are, and is joined by another operation:
    `ops.Concatenate(axis=1)(ops.Parameter((768, 1))(x), x)` puts a class token before a sequence.

    Shape: any -> target_shape, of the input's type if that is of floats, else float32

    Args:
        target_shape: (channels, *spatial), without the batch.
        initial: the numbers before training: one for all, or "uniform" within 0.05.

    Raises:
        BadArgument: target_shape is not a tuple of positive ints, or initial neither a number nor "uniform".

    References:
        Dosovitskiy et al. (2021), An Image is Worth 16x16 Words, section 3.1; Carion et al. (2020), End-to-End Object
        Detection with Transformers, section 3.2.

    Example:
        >>> from deep_arch.language.specs import sequence
        >>> str(Parameter((768, 1)).shape(sequence(length=196, features=768)))
        '(768, 1)'
    """

    stateless: ClassVar[bool] = False

    target_shape: Sequence[int]
    initial: float | Literal["uniform"] = "uniform"

    def shape(self, x: Spec) -> Spec:
        shape = checks.ints(self.target_shape, 1)
        if not shape:
            mend = "Give a shape without batch, such as (768, 1) for one token of 768 features."
            raise checks.bad(self, "target_shape", "a tuple of positive ints", mend)
        if not checks.is_number(self.initial) and self.initial != "uniform":
            mend = "Give the number that all begin with, such as 0.0, or leave it out."
            raise checks.bad(self, "initial", "a number or 'uniform'", mend)
        return Spec(shape, x.dtype if checks.is_floating(x) else "float32")

    def weights(self, x: Spec) -> dict[str, Weight]:
        axes: tuple[Axis, ...] = ("out",)
        return {"value": Weight(tuple(self.target_shape), self.initial, axes=axes * len(self.target_shape))}
