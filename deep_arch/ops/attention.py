"""Attention of one sequence to another, and positions that it sees by rotation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, TypeVar

from deep_arch.language.modules import Operation
from deep_arch.language.specs import Spec
from deep_arch.language.weights import Role, Weight, bias, matrix
from deep_arch.ops import checks

_T = TypeVar("_T")

_READS: tuple[Role, ...] = ("in", "in1", "in2")  # of what reads the first input, the second, the third


class Heads(NamedTuple):
    """How attention divides what it projects.

    Attributes:
        queries: heads of queries.
        keys: heads of keys and values; each serves as many neighbouring heads of queries as there are.
        key_dim: features of each head for queries and keys.
        value_dim: features of each head for values.
    """

    queries: int
    keys: int
    key_dim: int
    value_dim: int


def roles(inputs: Sequence[_T], masked: bool) -> tuple[_T, _T, _T, _T | None]:
    """Return query, value, key and mask of what attention is called on: what is left out is what came before it.

    Args:
        inputs: query[, value[, key]][, mask]: specs, or what a backend has in their places.
        masked: whether the last is a mask.

    Example:
        >>> roles("qvm", masked=True), roles("q", masked=False)
        (('q', 'v', 'v', 'm'), ('q', 'q', 'q', None))
    """
    values, mask = (inputs[:-1], inputs[-1]) if masked else (inputs, None)
    query, value, key = (values[min(i, len(values) - 1)] for i in range(3))
    return query, value, key, mask


def is_masked(specs: Sequence[Spec]) -> bool:
    """Return whether the last input of attention is a mask."""
    return len(specs) > 1 and specs[-1].dtype == "bool"


class _Attention(Operation):
    """Attention between projections of its inputs, whose sizes a subclass tells by `heads`."""

    stateless: ClassVar[bool] = False
    sizes: ClassVar[tuple[str, ...]]
    """The arguments that are positive ints; the first is the features of a head's keys."""

    dropout: float
    use_bias: bool
    use_causal_mask: bool
    rope_max_wavelength: float | None

    @property
    def heads(self) -> Heads:
        """How the projections are divided."""
        raise NotImplementedError

    def shape(self, *inputs: Spec) -> Spec:
        floats = inputs[:-1] if is_masked(inputs) else inputs
        if len(floats) > 3 or (len(floats) > 1 and "float" not in floats[-1].dtype):
            raise checks.misfit(
                self,
                "(query[, value[, key]][, mask]), where the mask is of bool",
                checks.listed(inputs),
                'Give the mask a dtype, as in da.tensor(target, source, dtype="bool").',
            )
        for x in floats:
            checks.spatial(self, x, 1)
        checks.same_dtype(self, floats)
        self._check_arguments()
        query, value, key, mask = roles(inputs, is_masked(inputs))
        if value.shape[1] != key.shape[1]:
            raise checks.misfit(
                self,
                "a value and a key of one length",
                f"value {value} and key {key}",
                "Give the inputs as (query, value, key), where key may be left out.",
            )
        if mask is not None:
            self._check_mask(mask, query.shape[1], value.shape[1])
        return query

    def weights(self, *inputs: Spec) -> dict[str, Weight]:
        masked = is_masked(inputs)
        query, value, key, _ = roles(inputs, masked)
        of_query, of_value, of_key, _ = roles(_READS[: len(inputs) - masked], masked=False)
        heads = self.heads
        return {
            **self._projection("query", query.shape[0], of_query, (heads.queries, heads.key_dim)),
            **self._projection("key", key.shape[0], of_key, (heads.keys, heads.key_dim)),
            **self._projection("value", value.shape[0], of_value, (heads.keys, heads.value_dim)),
            "attention_output.kernel": matrix(
                heads.queries, heads.value_dim, query.shape[0], axes=("out", "out", of_query)
            ),
            **bias(self, query.shape[0], name="attention_output.bias", axes=(of_query,)),
        }

    def macs(self, *inputs: Spec) -> int:
        query, value, key, _ = roles(inputs, is_masked(inputs))
        heads = self.heads
        of_queries = query.size * heads.queries * (heads.key_dim + heads.value_dim)
        of_keys = heads.keys * (key.size * heads.key_dim + value.size * heads.value_dim)
        pairs = query.shape[1] * value.shape[1]
        return of_queries + of_keys + pairs * heads.queries * (heads.key_dim + heads.value_dim)

    def _projection(self, name: str, features: int, read: Role, heads: tuple[int, int]) -> dict[str, Weight]:
        kernel = matrix(features, *heads, axes=(read, "out", "out"))
        return {f"{name}.kernel": kernel, **bias(self, *heads, name=f"{name}.bias")}

    def _check_arguments(self) -> None:
        for argument in self.sizes:
            checks.positive(self, argument)
        checks.number(self, "dropout", 0, 1)
        checks.flag(self, "use_bias")
        checks.flag(self, "use_causal_mask")
        if self.rope_max_wavelength is None:
            return
        checks.above_zero(self, "rope_max_wavelength")
        if self.heads.key_dim % 2:
            expected = "even, as rope_max_wavelength turns features in pairs"
            raise checks.bad(self, self.sizes[0], expected, "Add one, or leave rope_max_wavelength out.")

    def _check_mask(self, mask: Spec, target: int, source: int) -> None:
        """Check that a mask broadcasts to (heads, target, source)."""
        full = (self.heads.queries, target, source)
        if 0 < mask.rank <= 3 and all(n in (1, m) for n, m in zip(mask.shape[::-1], full[::-1], strict=False)):
            return
        raise checks.misfit(
            self,
            f"a mask that broadcasts to (heads, target, source), {full}",
            str(mask),
            f"Give it one of the shapes ({source},), ({target}, {source}) and {full}; an axis may have size 1.",
        )


@dataclass(eq=False)
class MultiHeadAttention(_Attention):
    """Let each element of a query sequence take a weighted mean of a value sequence, several times over.

    It is called on query, value and key, in that order; without key, value serves as key, and without value,
    query serves as all three: self-attention. A last input of bool is a mask, where True lets an element of the query
    attend to one of the value. Its shape is (source,), (target, source) or (heads, target, source); any axis may have
    size 1. Its arrays have the batch in front, and then the order of axes that all arrays of the backend have. What may
    attend to nothing takes zeros. A mask or causality spares no multiply-accumulates: those of all pairs count.

    Shape: (features, target)[, (value features, source)[, (key features, source)]][, mask] -> (features, target)

    Args:
        num_heads: heads that attend independently.
        key_dim: features of each head for queries and keys.
        value_dim: features of each head for values; None for key_dim.
        dropout: the part of the attention weights that is set to 0 in training, from 0 to below 1.
        use_bias: whether each of the four projections adds trained constants.
        use_causal_mask: whether the i-th element of the query attends to the first i elements of the value only.
        rope_max_wavelength: turns the queries and keys of each head as `RotaryEmbedding` does with this max_wavelength,
            such as 10,000, so that they see how far apart they are; None for no such positions.

    Raises:
        BadArgument: an argument is not of these kinds, or key_dim is odd with rope_max_wavelength.
        ShapeMismatch: an input is not a sequence of floats, the dtypes differ, value and key differ in length, or the
            mask does not fit.

    References:
        Vaswani et al. (2017), Attention Is All You Need, sections 3.2.2 and 3.2.3.

    Example:
        >>> from deep_arch.language.specs import sequence, tensor
        >>> text, mask = sequence(length=16, features=8), tensor(16, dtype="bool")
        >>> MultiHeadAttention(2, 4, use_causal_mask=True).shape(text, mask) == text
        True
    """

    sizes: ClassVar[tuple[str, ...]] = ("key_dim", "num_heads")

    num_heads: int
    key_dim: int
    value_dim: int | None = None
    dropout: float = 0.0
    use_bias: bool = True
    use_causal_mask: bool = False
    rope_max_wavelength: float | None = None

    @property
    def heads(self) -> Heads:
        """How the projections are divided."""
        value_dim = self.key_dim if self.value_dim is None else self.value_dim
        return Heads(self.num_heads, self.num_heads, self.key_dim, value_dim)

    def _check_arguments(self) -> None:
        super()._check_arguments()
        if self.value_dim is not None:
            checks.positive(self, "value_dim")


@dataclass(eq=False)
class GroupQueryAttention(_Attention):
    """Attend in several heads, of which groups share the keys and values of one head.

    Its inputs, mask and positions are those of `MultiHeadAttention`, which this is with as many heads of keys as of
    queries. The heads of queries that share one head of keys are neighbours.

    Shape: (features, target)[, (value features, source)[, (key features, source)]][, mask] -> (features, target)

    Args:
        head_dim: features of each head.
        num_query_heads: heads of queries, a multiple of num_key_value_heads.
        num_key_value_heads: heads of keys and of values.
        dropout: the part of the attention weights that is set to 0 in training, from 0 to below 1.
        use_bias: whether each of the four projections adds trained constants.
        use_causal_mask: whether the i-th element of the query attends to the first i elements of the value only.
        rope_max_wavelength: turns queries and keys, see `MultiHeadAttention`; None for no such positions.

    Raises:
        BadArgument: an argument is not of these kinds, or head_dim is odd with rope_max_wavelength.
        ShapeMismatch: as of `MultiHeadAttention`.

    References:
        Ainslie et al. (2023), GQA: Training Generalized Multi-Query Transformer Models from Multi-Head Checkpoints.
    """

    sizes: ClassVar[tuple[str, ...]] = ("head_dim", "num_query_heads", "num_key_value_heads")

    head_dim: int
    num_query_heads: int
    num_key_value_heads: int
    dropout: float = 0.0
    use_bias: bool = True
    use_causal_mask: bool = False
    rope_max_wavelength: float | None = None

    @property
    def heads(self) -> Heads:
        """How the projections are divided."""
        return Heads(self.num_query_heads, self.num_key_value_heads, self.head_dim, self.head_dim)

    def _check_arguments(self) -> None:
        super()._check_arguments()
        if self.num_query_heads % self.num_key_value_heads:
            raise checks.bad(
                self,
                "num_query_heads",
                f"a multiple of num_key_value_heads, {self.num_key_value_heads}",
                f"Give {self.num_key_value_heads}, or a multiple of it.",
            )


@dataclass(eq=False)
class RotaryEmbedding(Operation):
    """Turn pairs of features by angles that grow with the position, so that products tell how far two are apart.

    Of n features, i and i + n / 2 are a pair, as in GPT-NeoX, Llama and KerasHub; the paper pairs neighbours, which is
    the same up to the order of features. At position p, counted from 0, a pair is turned by
    p / scaling_factor / max_wavelength ** (2 i / n). Attention turns the queries and keys of each of its heads itself,
    where it is given rope_max_wavelength; this is for products that are written out, by `MatMul` and `Softmax`.

    Shape: (features, length) -> (features, length)

    Args:
        max_wavelength: sets the wavelengths, which grow from 2 pi positions towards 2 pi times this.
        scaling_factor: what positions are divided by, so that longer sequences have the angles of shorter ones.

    Raises:
        BadArgument: an argument is not a number above 0.
        ShapeMismatch: the input is not a sequence of floats, or its features are odd.

    References:
        Su et al. (2021), RoFormer: Enhanced Transformer with Rotary Position Embedding, equations 14, 15 and 34;
        Chen et al. (2023), Extending Context Window of Large Language Models via Positional Interpolation, equation 4.
    """

    max_wavelength: float = 10_000
    scaling_factor: float = 1.0

    def shape(self, x: Spec) -> Spec:
        checks.spatial(self, x, 1)
        checks.above_zero(self, "max_wavelength")
        checks.above_zero(self, "scaling_factor")
        if x.shape[0] % 2:
            raise checks.misfit(
                self, "an even number of features", str(x), "Give what comes before it one more, or less."
            )
        return x
