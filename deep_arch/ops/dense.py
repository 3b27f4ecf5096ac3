"""Matrix products: dense layers, embeddings and products of two inputs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from deep_arch.language.modules import Operation
from deep_arch.language.specs import Spec
from deep_arch.language.weights import Weight, bias, matrix
from deep_arch.ops import checks


@dataclass(eq=False)
class Dense(Operation):
    """Multiply the channels by a trained matrix, alike at every cell.

    Shape: (channels, *spatial) -> (units, *spatial)

    Args:
        units: output channels.
        use_bias: whether each output channel adds a trained constant.

    Raises:
        BadArgument: units is not a positive int, or use_bias not a bool.
        ShapeMismatch: the input is not of floats, or has no axis.

    Example:
        >>> from deep_arch.language.specs import vector
        >>> Dense(10).parameters(vector(64))
        650
    """

    stateless: ClassVar[bool] = False

    units: int
    use_bias: bool = True

    def shape(self, x: Spec) -> Spec:
        checks.floating(self, x)
        checks.flag(self, "use_bias")
        return x.with_shape(checks.positive(self, "units"), *x.shape[1:])

    def weights(self, x: Spec) -> dict[str, Weight]:
        return {"kernel": matrix(x.shape[0], self.units), **bias(self, self.units)}

    def macs(self, x: Spec) -> int:
        return self.units * x.size


@dataclass(eq=False)
class Embedding(Operation):
    """Look each token up in a trained table of vectors.

    Shape: (length,) of ints -> (output_dim, length) of float32, and likewise for any number of axes

    Args:
        input_dim: rows of the table; each token is below it.
        output_dim: features of each vector.

    Raises:
        BadArgument: an argument is not a positive int.
        ShapeMismatch: the input is not of int32 or int64, or its vocabulary is larger than the table.
    """

    stateless: ClassVar[bool] = False

    input_dim: int
    output_dim: int

    def shape(self, x: Spec) -> Spec:
        rows, features = checks.positive(self, "input_dim"), checks.positive(self, "output_dim")
        if x.dtype not in ("int64", "int32"):
            raise checks.misfit(
                self,
                "tokens of int32 or int64",
                f"{x.shape} of {x.dtype}",
                "Give it a value such as da.tokens(16).",
            )
        if x.vocabulary is not None and x.vocabulary > rows:
            raise checks.misfit(
                self,
                f"tokens below input_dim, {rows}",
                f"{x} with a vocabulary of {x.vocabulary}",
                f"Raise input_dim to {x.vocabulary}, or use fewer tokens.",
            )
        return Spec((features, *x.shape))

    def weights(self, x: Spec) -> dict[str, Weight]:
        return {"embeddings": Weight((self.input_dim, self.output_dim), "uniform", axes=("out", "out"))}


class ReversibleEmbedding(Embedding):
    """Look each token up in a trained table of vectors, and map vectors back to a score for each token.

    Called on tokens it is an `Embedding`. Called on floats it multiplies them by the transposed table. Where one module
    is called on both, as in language models, both calls share the table.

    Shape: (length,) of ints -> (output_dim, length), or (output_dim, length) -> (input_dim, length), and likewise for
        any number of axes

    Args:
        input_dim: rows of the table; each token is below it.
        output_dim: features of each vector.

    Raises:
        BadArgument: an argument is not a positive int.
        ShapeMismatch: the input is neither tokens below input_dim, of int32 or int64, nor floats with output_dim
            channels.

    References:
        Press and Wolf (2017), Using the Output Embedding to Improve Language Models, section 3.

    Example:
        >>> from deep_arch.language.specs import sequence, tokens
        >>> embedding, hidden = ReversibleEmbedding(50, 8), sequence(length=16, features=8)
        >>> embedding.shape(tokens(16)) == hidden, embedding.shape(hidden).shape
        (True, (50, 16))
    """

    def shape(self, x: Spec) -> Spec:
        if not is_reversed(x):
            return super().shape(x)
        rows, features = checks.positive(self, "input_dim"), checks.positive(self, "output_dim")
        checks.floating(self, x)
        if x.shape[0] != features:
            raise checks.misfit(
                self,
                f"tokens, or vectors with output_dim features, {features}",
                str(x),
                f"Put an ops.Dense({features}) before it.",
            )
        return x.with_shape(rows, *x.shape[1:])

    def macs(self, x: Spec) -> int:
        return self.input_dim * x.size if is_reversed(x) else 0


def is_reversed(x: Spec) -> bool:
    """Return whether a `ReversibleEmbedding` maps such an input back to tokens."""
    return "float" in x.dtype


@dataclass(eq=False)
class MatMul(Operation):
    """Multiply two matrices.

    Shape: (rows, inner), (inner, columns) -> (rows, columns)

    Raises:
        ShapeMismatch: an input is not a matrix of floats, or the inner axes or the dtypes differ.
    """

    def shape(self, a: Spec, b: Spec) -> Spec:
        checks.same_dtype(self, (a, b))
        checks.floating(self, a)
        if len(a.shape) != 2 or len(b.shape) != 2 or a.shape[1] != b.shape[0]:
            raise checks.misfit(
                self,
                "(rows, inner) and (inner, columns)",
                f"{a} and {b}",
                "Put an ops.Transpose or an ops.Reshape before it.",
            )
        return a.with_shape(a.shape[0], b.shape[1])

    def macs(self, a: Spec, b: Spec) -> int:
        return math.prod(a.shape) * b.shape[1]
