"""Classes of operations and searchers: how they are made, and what is told where they are not."""

# mypy: disable-error-code="call-arg, arg-type"

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from collections.abc import Callable
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops, searchers
from deep_arch.errors import BadArgument, HyperparameterMisuse, ShapeMismatch

X = da.vector(8)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: ops.Conv2D(8, 3, stride=2), r"Conv2D\(filters, kernel_size, .*'stride'.*Did you mean 'strides'"),
        (lambda: ops.MaxPooling2D(2, stride=2), r"MaxPooling2D.*Did you mean 'strides'"),
        (lambda: ops.Conv2D(8, 3, dilation=2), r"Did you mean 'dilation_rate'"),
        (lambda: ops.Conv2D(8, 3, bias=False), r"Did you mean 'use_bias'"),
        (lambda: ops.Conv2D(out_channels=8, kernel_size=3), r"Did you mean 'filters'"),
        (lambda: ops.Dense(out_features=8), r"Did you mean 'units'"),
        (lambda: ops.Dropout(p=0.5), r"Did you mean 'rate'"),
        (lambda: ops.LayerNormalization(eps=1e-6), r"Did you mean 'epsilon'"),
        (lambda: ops.Dense(8, activation="relu"), r"da\.sequential\(lambda: ops\.Dense\(8\), ops\.ReLU\)"),
        (
            lambda: ops.Conv2D(8, kernel_size=3, activation="log_softmax"),
            r"lambda: ops\.Conv2D\(8, kernel_size=3\), ops\.LogSoftmax\)",
        ),
        (lambda: ops.Dense(8, activation="swish"), r"ops\.SiLU\)"),
        (lambda: ops.Dense(8, kernel_initializer="he_normal"), r"set_weights"),
        (lambda: ops.Dense(8, bias_regularizer="l2"), r"add the penalty to its loss"),
        (lambda: ops.Conv2D(8, 3, data_format="channels_first"), r"each backend takes arrays in its own layout"),
        (lambda: ops.Dense(8, input_shape=(4,)), r"specs of the inputs"),
        (lambda: ops.Dense(in_features=4, units=8), r"What arrives decides it"),
        (lambda: ops.Dense(8, dtype="float16"), r"dtype="),
        (lambda: ops.Dense(), r"Dense\(units, use_bias=True.*missing a required argument: 'units'"),
        (lambda: ops.ReLU(1, 2, 3), r"ReLU\(.*too many positional arguments"),
        (lambda: ops.Dense(4, True, 3), r"Got \(4, True, 3\)"),
        (lambda: searchers.RegularizedEvolution(populaton=5), r"RegularizedEvolution.*Did you mean 'population'"),
        (lambda: searchers.RandomSearch(1, 2), r"RandomSearch\(uniform='choices'\)"),
        (lambda: searchers.Hyperband(maximum_budget=9), r"Hyperband\(.*Did you mean 'max_budget'"),
        (lambda: searchers.NoRepeats(), r"missing a required argument: 'searcher'"),
    ],
)
def test_mistaken_arguments_are_told(make: Callable[[], object], told: str) -> None:
    with pytest.raises(BadArgument, match=f"(?s){told}") as caught:
        make()
    assert "Got (" in str(caught.value) and "_Convolution" not in str(caught.value)


def test_values_go_into_the_call_and_not_into_the_construction() -> None:
    with pytest.raises(BadArgument, match=r"then called on values: Add\(\.\.\.\)\(x\)"):
        da.space(lambda a, b: ops.Add(a, b)).start()


def test_an_error_inside_a_constructor_stays_what_it_is() -> None:
    class Odd(da.Operation):
        def __init__(self, n: Any) -> None:
            self.n = n + 1

    with pytest.raises(TypeError, match="can only concatenate str") as caught:
        Odd("1")
    assert not isinstance(caught.value, da.DeepArchError)
    assert str(inspect.signature(Odd)) == "(n: 'Any') -> 'None'" and str(inspect.signature(da.Searcher)) == "()"


def test_a_searcher_without_its_methods_is_told_which() -> None:
    class Lazy(da.Searcher):
        def choose(self, point: Any) -> Any: ...

    with pytest.raises(BadArgument, match=r"(?s)Lazy: is made once it has tell.*def tell\(self, \.\.\.\)"):
        Lazy()  # type: ignore[abstract]


# --- classes of one's own ----------------------------------------------------------------------------------------


class ByHand(da.Operation):
    """A class with an `__init__` that computes with its argument, and does not call the base's."""

    def __init__(self, n: Any, halves: int = 1) -> None:
        self.kept = n // 2**halves

    def shape(self, x: da.Spec) -> da.Spec:
        return x.with_shape(self.kept, *x.spatial)


class ByHandAndBase(da.Operation):
    """The same, which does call the base's."""

    def __init__(self, n: Any, name: str | None = None) -> None:
        super().__init__(name=name)
        self.kept = n // 2

    def shape(self, x: da.Spec) -> da.Spec:
        return x.with_shape(self.kept, *x.spatial)


@dataclasses.dataclass
class Plain(da.Operation):
    """A plain dataclass, which compares by its arguments unless it is an operation."""

    n: int

    def shape(self, x: da.Spec) -> da.Spec:
        return x.with_shape(self.n // 2, *x.spatial)


@dataclasses.dataclass(slots=True, order=True)
class Slots(da.Operation):
    n: int

    def shape(self, x: da.Spec) -> da.Spec:
        return x.with_shape(self.n // 2, *x.spatial)


@dataclasses.dataclass
class PostInit(da.Operation):
    n: int
    sizes: list[int] = dataclasses.field(default_factory=lambda: [2])

    def __post_init__(self) -> None:
        super().__post_init__()
        self.kept = self.n // self.sizes[0]

    def shape(self, x: da.Spec) -> da.Spec:
        return x.with_shape(self.kept, *x.spatial)


class Inherits(Plain):
    """A subclass of an operation without arguments of its own."""


@dataclasses.dataclass
class Extends(Plain):
    extra: int = 0


class HalfDense(ops.Dense):
    """A subclass of an operation of ours, with an `__init__` that gives it other arguments."""

    def __init__(self, n: Any) -> None:
        super().__init__(n // 2)


class Equal(ByHand):
    def __eq__(self, other: object) -> bool:
        return True


class Sizes(da.Operation):
    def __init__(self, *sizes: Any, **more: Any) -> None:
        self.n = sum(sizes) + sum(more.values())

    def shape(self, x: da.Spec) -> da.Spec:
        return x.with_shape(self.n // 2, *x.spatial)


KINDS: list[Callable[..., da.Operation]] = [
    ByHand,
    ByHandAndBase,
    Plain,
    Slots,
    PostInit,
    Inherits,
    Extends,
    HalfDense,
    Equal,
    Sizes,
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_class_of_ones_own_works_however_it_is_written(kind: Callable[..., da.Operation]) -> None:
    np: Any = pytest.importorskip("numpy")
    space = da.space(lambda x: ops.Add()(kind(da.choice([4, 8], name="n"))(x), kind(np.int64(4), name="second")(x)))
    architecture = space.at({"n": 4})
    assert space.size() == 2
    first, second = kind.__name__.lower(), "second"
    shapes = architecture.shapes(X)
    assert list(shapes.values())[:2] == [(2,), (2,)] and second in shapes, first
    with pytest.raises(ShapeMismatch):
        space.at({"n": 8}).shapes(X)
    assert architecture.fingerprint() != space.at({"n": 8}).fingerprint()
    again = copy.copy(architecture.graph.calls[0].module)
    assert again.arguments == architecture.graph.calls[0].module.arguments
    made = kind(4)
    assert made == made and len({made, kind(4)}) == 2 and made.shape(X) == da.vector(2)
    assert kind is HalfDense or "4" in repr(made)
    assert architecture.cost(X) and architecture.render()


def test_two_of_them_share_their_parameters_only_where_one_is_called_twice() -> None:
    def net(x: da.Value) -> da.Value:
        tied = HalfDense(16)
        return tied(tied(HalfDense(da.choice([16]))(x)))

    assert da.space(net).sample().cost(X).parameters == 2 * (8 * 8 + 8)


def test_operations_of_ones_own_are_pickled() -> None:
    for kind in (ByHand, Plain, PostInit):
        made = kind(4)
        assert pickle.loads(pickle.dumps(made)).shape(X) == made.shape(X) == da.vector(2)


def test_what_does_not_work_is_told() -> None:
    with pytest.raises(BadArgument, match=r"(?s)Frozen: expected a dataclass whose arguments can get values.*frozen"):

        @dataclasses.dataclass(frozen=True)
        class Frozen(da.Operation):  # type: ignore[misc]
            n: int

    class Undecorated(da.Operation):
        n: int

    with pytest.raises(BadArgument, match=r"(?s)Undecorated.*@dataclasses.dataclass above the class.*arguments of n"):
        Undecorated(3)

    @dataclasses.dataclass
    class Misnamed(da.Operation):
        shape: tuple[int, ...]  # type: ignore[assignment]

    with pytest.raises(BadArgument, match="'shape' means something else in every operation"):
        Misnamed((3,))

    class Named(da.Operation):
        def __init__(self, name: str) -> None:
            self.kind = name

    with pytest.raises(BadArgument, match="'name' means something else"):
        Named("relu")

    class Shared(da.Operation):
        def __init__(self, shared: bool) -> None: ...

    with pytest.raises(BadArgument, match="'shared' means something else"):
        Shared(True)

    class Branching(da.Operation):
        def __init__(self, n: int) -> None:
            self.n = 1 if n > 3 else 2

    with pytest.raises(HyperparameterMisuse, match=r"da\.dependent"):
        Branching(da.choice([1, 5]))


class Bare(da.Module):
    def __init__(self) -> None:
        pass


def test_a_module_that_is_no_operation_is_told() -> None:
    with pytest.raises(BadArgument, match=r"Derive the class from da\.Operation, or .* da\.wrap"):
        da.space(lambda x: Bare()(x)).start()


@pytest.mark.parametrize("returned", [(8,), 8, None, [da.vector(8)], (da.vector(8), 3), "x"])
def test_a_shape_rule_that_gives_no_spec_is_told(returned: Any) -> None:
    class Wrong(da.Operation):
        def shape(self, x: da.Spec) -> Any:
            return returned

    with pytest.raises(da.DeepArchError, match=r"(?s)wrong: .*Wrong"):
        da.space(lambda x: Wrong()(x)).sample().shapes(X)


def test_a_class_without_a_shape_rule_is_told() -> None:
    class Shapeless(da.Operation):
        def __init__(self, n: int) -> None:
            self.n = n

    with pytest.raises(da.errors.NotSupported, match=r"def shape\(self, x\)"):
        da.space(lambda x: Shapeless(3)(x)).sample().shapes(X)


@pytest.mark.parametrize("weights", [{"kernel": (3, 4)}, [da.Weight((3, 4))], None])
def test_weights_of_another_kind_are_told(weights: Any) -> None:
    class Wrong(da.Operation):
        def shape(self, x: da.Spec) -> da.Spec:
            return x

        def weights(self, x: da.Spec) -> Any:
            return weights

    with pytest.raises(BadArgument, match=r"(?s)weights: expected a mapping from names to da\.Weight"):
        da.space(lambda x: Wrong()(x)).sample().cost(X)


def test_numbers_of_numpy_in_the_rules_become_plain() -> None:
    np: Any = pytest.importorskip("numpy")

    class Wide(da.Operation):
        def shape(self, x: da.Spec) -> da.Spec:
            return x.with_shape(np.int64(x.channels) * 2)

        def weights(self, x: da.Spec) -> dict[str, da.Weight]:
            return {"kernel": da.Weight((np.int64(3), np.int64(4)))}

        def macs(self, x: da.Spec) -> int:
            return np.prod(x.shape)  # type: ignore[no-any-return]

    cost = da.space(lambda x: Wide()(x)).sample().cost(X)
    assert [type(n) for n in dataclasses.astuple(cost)] == [int] * 4 and (cost.parameters, cost.macs) == (12, 8)


@pytest.mark.parametrize("sections", [[3, 1.5], None, "2", 2.0, 0, -1, True])
def test_a_number_of_outputs_that_is_none_is_told(sections: Any) -> None:
    for net in (
        lambda x: ops.Split(sections)(x)[0],
        lambda x: next(iter(ops.Split(sections)(x))),
        lambda x: ops.Split(da.choice([sections]))(x)[0],
    ):
        with pytest.raises(BadArgument, match="sections"):
            da.space(net).sample(seed=0).shapes(X)


def test_outputs_of_ones_own_operation_that_are_no_number_are_told() -> None:
    class Parts(da.Operation):
        def __init__(self, sizes: Any) -> None:
            self.sizes = sizes

        @property
        def n_outputs(self) -> int:
            return len(self.sizes)

        def shape(self, x: da.Spec) -> tuple[da.Spec, ...]:
            return tuple(x.with_shape(size) for size in self.sizes)

    assert da.space(lambda x: Parts((3, 5))(x)[1]).sample().shapes(X) == {"parts": ((3,), (5,))}
    with pytest.raises(BadArgument, match="expected sizes to give a positive int"):
        da.space(lambda x: Parts(3)(x)[1]).sample()
