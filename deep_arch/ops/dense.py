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

    def shape(self, tokens: Spec) -> Spec:
        rows, features = checks.positive(self, "input_dim"), checks.positive(self, "output_dim")
        if tokens.dtype not in ("int64", "int32"):
            raise checks.misfit(
                self,
                "tokens of int32 or int64",
                f"{tokens.shape} of {tokens.dtype}",
                "Give it a value such as da.tokens(16).",
            )
        if tokens.vocabulary is not None and tokens.vocabulary > rows:
            raise checks.misfit(
                self,
                f"tokens below input_dim, {rows}",
                f"{tokens} with a vocabulary of {tokens.vocabulary}",
                f"Raise input_dim to {tokens.vocabulary}, or use fewer tokens.",
            )
        return Spec((features, *tokens.shape))

    def weights(self, tokens: Spec) -> dict[str, Weight]:
        return {"embeddings": Weight((self.input_dim, self.output_dim), "uniform")}


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
