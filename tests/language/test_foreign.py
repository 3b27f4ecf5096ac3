"""Numbers and arrays of other libraries, wherever a number or a value is taken."""

# mypy: disable-error-code="arg-type, misc, no-untyped-call, func-returns-value"

from __future__ import annotations

import copy
import json
import math
import pickle
import random
from collections.abc import Callable
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops, searchers
from deep_arch.language.foreign import as_int, contents, plain, unboxed
from deep_arch.language.options import content_key, same

np: Any = pytest.importorskip("numpy")

INTS: list[Callable[[int], Any]] = [np.int64, np.uint8, np.array]
X = da.vector(4)


def plainly(value: Any) -> bool:
    """Return whether everything in a value is Python's own."""
    if isinstance(value, dict):
        return all(map(plainly, value.values()))
    return (
        all(map(plainly, value)) if type(value) in (tuple, list) else type(value) in (int, float, bool, str, type(None))
    )


@pytest.mark.parametrize(
    "make",
    [
        lambda: da.choice(np.arange(8, 33, 8)),
        lambda: da.choice([np.int64(8), np.float64(0.5), np.bool_(True), np.str_("a"), (np.int8(3), 3)]),
        lambda: da.choice(np.logspace(-3, -1, 3)),
        lambda: da.choice(np.array(["same", "valid"])),
        lambda: da.integer(np.int64(1), np.uint8(9), step=np.int64(2)),
        lambda: da.integer(np.array(1), np.int64(9), log=np.bool_(True)),
        lambda: da.real(np.float32(0.5), np.int64(2), log=np.bool_(True)),
        lambda: da.subset(np.arange(4), np.int64(2), distinct=np.bool_(False), ordered=np.bool_(True)),
        lambda: da.permutation(np.arange(3)),
        lambda: da.choice([8, 16]) * np.int64(2),
        lambda: np.int64(2) * da.choice([8, 16]),
        lambda: da.dependent(lambda n: np.int64(n), da.choice([8, 16])),
        lambda: np.sqrt(da.choice([4.0, 9.0])),
    ],
)
def test_hyperparameters_have_plain_values(make: Callable[[], Any]) -> None:
    space = da.space(lambda x: da.substitute(lambda h: ops.Identity(), h=make())(x))
    seen: list[Any] = []

    def kept(h: Any) -> ops.Identity:
        seen.append(h)
        return ops.Identity()

    space = da.space(lambda x: da.substitute(kept, h=make())(x))
    for seed in range(10):
        architecture = space.sample(seed=np.int64(seed))
        assert plainly(dict(architecture.values))
        assert da.Architecture.from_json(architecture.to_json(), space) == architecture
    assert seen and all(map(plainly, seen))


def test_equal_numbers_of_both_kinds_are_one_option() -> None:
    with pytest.raises(da.errors.InvalidDomain, match="Got 1 twice"):
        da.choice([1, np.int64(1)])
    assert da.space(lambda x: ops.Dense(da.choice([1, 1.0, True]))(x)).size() == 3


@pytest.mark.parametrize("number", INTS)
def test_arguments_of_operations(number: Callable[[int], Any]) -> None:
    def net(x: da.Value, n: Any, pair: Any) -> da.Value:
        return ops.Conv2D(n(8), pair, strides=n(2), use_bias=np.bool_(False))(x)

    image = da.image(number(3), number(8), np.int32(8))
    assert image == da.image(3, 8, 8) and hash(image) == hash(da.image(3, 8, 8))
    ours = da.space(lambda x: net(x, number, np.array([3, 3]))).sample()
    theirs = da.space(lambda x: net(x, int, (3, 3))).sample()
    assert ours.cost(image) == theirs.cost(image)
    assert ours.fingerprint() == theirs.fingerprint()
    assert plainly(dict(ours.graph.calls[0].module.arguments))


def test_a_choice_between_arrays_is_found_by_what_they_hold_and_fits_an_argument_that_is_a_tuple() -> None:
    space = da.space(lambda x: ops.Conv2D(8, da.choice([np.array([3, 3]), np.array([5, 1])], name="k"))(x))
    assert space.size() == 2 and len({a.fingerprint() for a in space.enumerate()}) == 2
    architecture = space.at({"k": np.array([5, 1])})
    assert architecture.graph.calls[0].module.arguments["kernel_size"] == (5, 1)
    assert da.Architecture.from_json(architecture.to_json(), space) == architecture
    again = da.space(space.program.fn).at({"k": np.array([5, 1])})
    assert again == architecture and hash(again) == hash(architecture)
    assert space.at({"k": np.array([3, 3])}) != architecture
    with pytest.raises(da.errors.ValueOutsideDomain):
        space.at({"k": np.array([5, 5])})
    assert architecture.shapes(da.image(3, 8, 8)) == {"conv2d": (8, 8, 8)}
    assert space.fix({"k": np.array([5, 1])}).size() == 1
    assert [a.values["k"].tolist() for a in space.neighbours(architecture)] == [[3, 3]]


def test_an_array_reaches_a_callable_of_ones_own_as_it_is() -> None:
    def scale(by: Any) -> Callable[[Any], Any]:
        assert isinstance(by, np.ndarray)
        return lambda x: by * x

    from deep_arch.backends import python_backend

    options = [np.array([1.0, 2.0]), np.array([3.0, math.nan])]
    space = da.space(lambda x: da.wrap(scale)(by=da.choice(options))(x))
    for architecture in space.enumerate():
        python_backend.build(architecture)(2.0)
    assert len({a.fingerprint() for a in space.enumerate()}) == 2
    search = da.search(space, searchers.RandomSearch(), trials=5, seed=0)
    assert sum(trial.tell(1.0) is None for trial in search) == 2


class Opaque:
    """What is equal by what it holds, has no hash, cannot be pickled, and shows nothing."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Opaque) and other.n == self.n

    def __reduce__(self) -> str:
        raise TypeError

    def __repr__(self) -> str:
        return "opaque"


def test_what_shows_nothing_of_itself_is_still_told_apart() -> None:
    def dense(h: Opaque) -> Callable[[], da.Module]:
        return lambda: ops.Dense(h.n)

    space = da.space(lambda x: da.substitute(dense, h=da.choice([Opaque(8), Opaque(16)], name="h"))(x))
    assert [a.cost(X).parameters for a in space.enumerate()] == [40, 80]
    assert space.at({"h": Opaque(16)}).cost(X).parameters == 80


def test_counts_of_copies_and_positions() -> None:
    def net(x: da.Value) -> da.Value:
        x = da.repeat(lambda: ops.Dense(4), np.int64(2))(x)
        x = da.repeat(lambda: ops.Dense(4), np.array(1))(x)
        x = da.or_([lambda: ops.Dense(4), ops.ReLU], which=np.int64(0))(x)
        x = da.or_({np.int64(3): ops.ReLU})(x)
        x = da.permute([ops.ReLU, ops.Tanh], order=np.array([1, 0]))(x)
        return ops.Split(np.int64(2))(x)[np.int64(1)]

    space = da.space(net)
    architecture = space.sample()
    assert architecture.values == {"or_1.which": 3} and plainly(dict(architecture.values))
    assert architecture.cost(X).parameters == 4 * 20
    assert space.at({"or_1.which": np.int64(3)}) == architecture


def test_values_given_by_the_user() -> None:
    def net(x: da.Value) -> da.Value:
        da.config(
            rate=da.real(0, 1, name="rate"),
            of=da.subset(range(4), 2, name="of"),
            order=da.permutation(["a", "b"], name="o"),
        )
        return ops.Dense(da.choice([8, 16], name="n"))(ops.Dropout(da.choice([0.25], name="p"))(x))

    space = da.space(net)
    given = {"n": np.int64(8), "rate": np.float64(0.5), "of": np.array([1, 3]), "o": np.array(["b", "a"]), "p": 0.25}
    architecture = space.at(given)
    assert architecture.values == {"n": 8, "rate": 0.5, "of": (1, 3), "o": ("b", "a"), "p": 0.25}
    assert plainly(dict(architecture.values)) and json.loads(architecture.to_json())
    assert space.start().assign("n", np.array(8)).values == {"n": 8}
    assert space.fix({"n": np.uint8(16)}).restrictions.fixed == {"n": 16}


def test_numbers_given_to_a_space() -> None:
    space = da.space(lambda x: ops.Dropout(da.real(0, 0.5))(ops.Dense(da.integer(1, 9))(x)))
    grid = space.discretize(np.int64(3)).limit(max_depth=np.array(4))
    assert grid.size() == 27 and grid.nth(np.int64(3)) == grid.nth(3)
    assert grid.restrictions.levels.__class__ is int
    assert space.sample(seed=np.int64(3)) == space.sample(seed=np.array(3)) == space.sample(seed=3)
    for wrong in (np.float64(1), np.bool_(True), np.array([1, 2]), "1"):
        with pytest.raises(da.DeepArchError):
            grid.nth(wrong)
        with pytest.raises(da.DeepArchError):
            space.sample(seed=wrong)


@pytest.mark.parametrize(
    "spec",
    [
        lambda: da.tensor(*np.ones((3, 8, 8)).shape, dtype=np.float32),
        lambda: da.Spec(np.array([3, 8, 8]), np.dtype("float32")),
        lambda: da.Spec([np.int64(3), 8, 8]),
        lambda: da.image(np.array(3), np.int8(8), 8, dtype=np.ones(1, "f4").dtype),
    ],
)
def test_specs(spec: Callable[[], da.Spec]) -> None:
    assert spec() == da.image(3, 8, 8) and repr(spec()) == repr(da.image(3, 8, 8))
    assert hash(spec()) == hash(da.image(3, 8, 8))


@pytest.mark.parametrize("axis", [np.float64(3), np.array([3]), np.int64(0), np.bool_(True), "3"])
def test_a_spec_refuses_other_axes(axis: Any) -> None:
    with pytest.raises(da.errors.BadArgument, match="every axis must be a positive int"):
        da.vector(axis)


def test_the_numbers_of_a_search() -> None:
    space = da.space(lambda x: ops.Dense(da.integer(1, 99))(x))
    made = searchers.Hyperband(min_budget=np.int64(1), max_budget=np.int64(9), eta=np.int64(3))
    search = da.search(space, made, trials=np.int64(6), seed=np.int64(0))
    for trial in search:
        assert plainly(trial.budget)
        trial.report(np.float32(0.5), step=np.int64(1))
        trial.report(np.array(0.5), step=np.array(2))
        trial.tell(np.array(0.5, dtype=np.float32))
    assert len(search.trials) == 6
    assert all(plainly(list(t.scores)) and plainly(dict(t.intermediate)) for t in search.trials)
    json.dumps(made.state_dict())
    trial = next(da.search(space, searchers.RandomSearch(), trials=1))
    for step in (np.float64(1.0), np.bool_(True), np.array([1, 2]), -np.int64(1)):
        with pytest.raises(da.errors.TrialError, match="a step is an int of at least 0"):
            trial.report(1.0, step=step)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (
            lambda: searchers.RegularizedEvolution(population=np.int64(10), sample=np.array(3)),
            lambda: searchers.RegularizedEvolution(10, 3),
        ),
        (
            lambda: searchers.GeneticAlgorithm(population=np.int64(6), crossover_rate=np.float32(0.5)),
            lambda: searchers.GeneticAlgorithm(population=6, crossover_rate=0.5),
        ),
        (lambda: searchers.GridSearch(levels=np.int64(3)), lambda: searchers.GridSearch(levels=3)),
        (
            lambda: searchers.NoRepeats(searchers.RandomSearch(), attempts=np.int64(5)),
            lambda: searchers.NoRepeats(searchers.RandomSearch(), attempts=5),
        ),
        (
            lambda: searchers.Reinforce(learning_rate=np.float64(0.1)),
            lambda: searchers.Reinforce(learning_rate=0.1),
        ),
    ],
)
def test_searchers_are_made_with_any_numbers(ours: Any, theirs: Any) -> None:
    space = da.space(lambda x: ops.Dense(da.choice([1, 2, 3]), da.boolean())(x))
    histories: list[Any] = []
    for make in (ours, theirs):
        searcher = make()
        assert all(plainly(v) for v in vars(searcher).values() if isinstance(v, int | float | np.generic))
        search = da.search(space, searcher, trials=5, seed=0, duplicates="give")
        for trial in search:
            trial.tell(float(trial.values["dense.units"]))
        histories.append([dict(trial.values) for trial in search.trials])
        json.dumps(searcher.state_dict())
    assert histories[0] == histories[1]


def test_tensors_count_as_the_numbers_that_they_hold() -> None:
    torch: Any = pytest.importorskip("torch")
    space = da.space(lambda x: ops.Dense(da.choice(torch.arange(8, 33, 8)))(x))
    assert space.at({"dense.units": torch.tensor(8)}).cost(X).parameters == 40
    assert ops.Dense(torch.tensor(8)).parameters(da.vector(torch.tensor(4), dtype=torch.float32)) == 40
    trial = next(da.search(space, searchers.RandomSearch(), trials=1))
    trial.report(torch.tensor(1.0, requires_grad=True), step=torch.tensor(3))
    trial.tell(torch.tensor(0.5))
    assert trial.scores == (0.5,) and dict(trial.intermediate) == {3: 1.0}
    assert ops.Conv2D(8, torch.tensor([3, 5])).arguments["kernel_size"] == (3, 5)


ARRAYS = {
    "numpy": lambda n: np.arange(4000.0)[::2] + n * (np.arange(2000) == 999),
    "objects": lambda n: np.array([1, "a", n], dtype=object),
    "masked": lambda n: np.ma.masked_array([1, 2, 3], np.arange(3) == n),
    "transposed": lambda n: np.arange(6.0).reshape(2, 3).T + n,
}


def _other(name: str, n: int) -> Any:
    """Return an array of another library that holds `n` where its repr does not show it."""
    library: Any = pytest.importorskip(name.split()[0])
    values = np.zeros(4000, "f4")
    values[2000] = n
    if name == "torch":
        return library.tensor(values)
    if name == "torch bfloat16":
        return library.tensor(values, dtype=library.bfloat16)
    if name == "torch sparse":
        return library.tensor(values).to_sparse()
    if name == "torch transposed":
        return library.tensor(values.reshape(40, 100)).T
    if name == "jax":
        return library.numpy.asarray(values)
    if name == "scipy":
        return pytest.importorskip("scipy.sparse").csr_array(values.reshape(40, 100) + np.eye(40, 100, dtype="f4"))
    if name == "pandas":
        return library.DataFrame({"a": values, "b": "text"})
    if name == "pandas series":
        return library.Series(values)
    return library.Index(values)


for _name in (
    "torch",
    "torch bfloat16",
    "torch sparse",
    "torch transposed",
    "jax",
    "scipy",
    "pandas",
    "pandas series",
    "pandas index",
):
    ARRAYS[_name] = lambda n, _name=_name: _other(_name, n)  # pyright: ignore[reportUnknownLambdaType]


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_count_by_what_they_hold(name: str) -> None:
    make = ARRAYS[name]
    first, equal, other = make(1), copy.deepcopy(make(1)), make(2)
    assert contents(first) is not None
    assert same(first, equal) and not same(first, other)
    assert content_key(first) == content_key(equal) != content_key(other)
    assert hash(content_key(first)) == hash(content_key(equal))

    def keep(table: Any) -> Callable[[Any], Any]:
        return lambda x: x

    def space() -> da.SearchSpace:
        return da.space(lambda x: da.wrap(keep)(table=da.choice([make(1), make(2), "none"], name="h"))(x))

    net = space()
    assert len({a.fingerprint() for a in net.enumerate()}) == 3 == net.size()
    assert net.at({"h": equal}).fingerprint() == space().at({"h": first}).fingerprint()
    architecture = net.at({"h": equal})
    assert da.Architecture.from_json(architecture.to_json(), net) == architecture
    assert same(pickle.loads(pickle.dumps(architecture.values["h"])), first)
    assert [a.values["h"].__class__ for a in net.neighbours(architecture)] == [other.__class__, str]
    with pytest.raises(da.errors.InvalidDomain, match="options must differ"):
        da.choice([first, equal])
    nested = da.space(lambda x: da.substitute(lambda h: ops.Dense(8), h=da.choice([(first, 1), (other, 1)]))(x))
    assert nested.size() == 2 and nested.sample(seed=0) == nested.sample(seed=0)


def test_tensors_of_tensorflow_count_by_what_they_hold() -> None:
    tf: Any = pytest.importorskip("tensorflow")
    for make in (
        lambda n: tf.constant([0.0] * 999 + [n]),
        lambda n: tf.Variable([[n]]),
        lambda n: tf.constant(["a", str(n)]),
        lambda n: tf.sparse.from_dense([[0.0, n]]),
    ):
        assert same(make(1.0), make(1.0)) and not same(make(1.0), make(2.0))
    assert plain([tf.constant(3), tf.constant([3, 4]).shape]) == [3, (2,)]
    trials = da.search(da.space(lambda x: ops.ReLU()(x)), searchers.RandomSearch(), 1, directions=["maximize"] * 2)
    trial = next(trials)
    trial.tell(tf.constant([1.0, 2.0]))
    assert trial.scores == (1.0, 2.0)


def test_numbers_that_python_does_not_have_are_left_or_rounded() -> None:
    assert unboxed(np.longdouble(0.5)) == 0.5 and type(unboxed(np.longdouble(0.5))) is float
    moment = np.datetime64("2020-01-01T00:00:00.000000000")
    assert unboxed(moment) is moment
    assert unboxed(np.array(3)).__class__ is np.ndarray
    assert as_int(np.float64(3)) is None and as_int(True) is None and as_int(np.uint8(3)) == 3
    kept = [1, (2, {"a": 3})]
    assert plain(kept) is kept
    assert plain([1, (np.int64(2), {"a": np.array(3)})]) == [1, (2, {"a": 3})]


def test_random_generators_are_no_numbers() -> None:
    generator = random.Random(0)
    assert plain(generator) is generator
    space = da.space(lambda x: ops.Dense(da.integer(1, 99))(x))
    with pytest.raises(da.errors.BadArgument, match="seed"):
        space.sample(seed=np.random.default_rng(0))


def test_configuration_is_plain() -> None:
    def net(x: da.Value) -> da.Value:
        da.config(rate=np.float64(0.1), sizes=(np.int64(3), da.choice([np.int64(1)])))
        return ops.ReLU()(x)

    config = da.space(net).sample(seed=0).config
    assert config == {"rate": 0.1, "sizes": (3, 1)} and plainly(dict(config))
