"""Cases that were once wrong."""

from __future__ import annotations

import copy
import functools
import math
import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument, InvalidDomain, NotCountable, ScopeError, UnknownAddress
from deep_arch.language.values import Value
from deep_arch.searchers import RandomSearch
from deep_arch.testing.readme_space import net


def own() -> da.Module:
    return ops.Scale(initial=da.choice([1.0, 2.0]))


def module_level(x: Value) -> Value:
    return ops.Dense(da.choice([1, 2]))(x)


@da.rule
def expr() -> da.Module:
    return da.or_([ops.ReLU, lambda: da.sequential(expr, expr)])


@da.rule
def shuffled() -> da.Module:
    return da.or_([ops.ReLU, lambda: da.permute([shuffled(), own])])


@da.rule
def again(h: int) -> da.Module:
    return da.or_([ops.ReLU, lambda: again(h)], which=h)


@da.rule
def growing(k: int) -> da.Module:
    return da.or_([ops.ReLU, lambda: da.sequential(growing(k + 1), ops.ReLU)])


@pytest.fixture
def eager_switching() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("eager_switching")
def test_threads_may_be_the_first_to_use_a_space() -> None:
    def fresh() -> da.SearchSpace:
        return da.space(lambda x: expr()(x)).limit(5)

    alone = [dict(fresh().sample(seed).values) for seed in range(4)]
    for _ in range(10):
        space = fresh()
        found: list[list[Any]] = [[] for _ in range(4)]
        sizes: list[float] = []

        def work(mine: list[Any], space: da.SearchSpace = space, sizes: list[float] = sizes) -> None:
            mine += [dict(space.sample(seed).values) for seed in range(4)]
            sizes.append(space.size())

        threads = [threading.Thread(target=work, args=(mine,)) for mine in found]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [alone] * 4 and sizes == [fresh().size()] * 4


@pytest.mark.parametrize(
    "fn",
    [
        lambda x: da.permute([lambda y: ops.ReLU()(x), own, own])(x),
        lambda x: da.permute([lambda y: x, lambda: da.optional(own)])(x),
        lambda x: next(iter(da.or_([lambda p: (own()(p), p), lambda p: (p, own()(p))])(x))),
        lambda x: da.repeat(da.or_([ops.ReLU, own]), da.choice([1, 2]))(x),
    ],
)
def test_sizes_equal_enumerations(fn: Callable[..., Any]) -> None:
    space = da.space(fn)
    architectures = list(space.enumerate())
    assert space.size() == len(set(architectures)) == len(architectures)
    assert all(space.sample(s, uniform="architectures") in architectures for s in range(20))


def tied(x: Value) -> Value:
    module = da.optional(own)
    return ops.Add()(module(x), da.optional(lambda y: module(y))(x))


def test_restrictions_follow_modules_to_where_they_were_made() -> None:
    repeated = da.space(lambda x: da.repeat(da.or_([ops.ReLU, own]), da.choice([1, 2]))(x))
    assert repeated.fix({"or[1]/scale.initial": 1.0}).size() == 4
    part = da.space(tied).where(lambda point: point.address != "optional/scale.initial")
    assert part.size() == 4 == len(list(part.enumerate()))
    unreached = da.space(lambda x: da.optional(lambda y: x)(own()(x))).fix({"scale.initial": 1.0})
    assert unreached.size() == 2 == len(list(unreached.enumerate()))


def is_not(address: str, point: da.ChoicePoint) -> bool:
    return point.address != address


def test_restrictions_know_places_far_inside() -> None:
    def body(x: Value) -> Value:
        n = da.choice([0, 1, 2], name="n")
        return da.or_([lambda y: da.repeat(own, n)(y), ops.ReLU])(x)

    space = da.space(lambda x: da.repeat(body, 2)(x))
    for left_out in ("repeat[0]/n", "repeat[1]/n", "repeat[1]/or.which"):
        part = space.where(functools.partial(is_not, left_out))
        assert part.size() == len(list(part.enumerate()))
    assert space.where(lambda point: point.address != "repeat[0]/n").size() == 2 * 8


def test_restrictions_make_a_space_countable() -> None:
    real = da.space(lambda x: da.substitute(lambda v: ops.Scale(v), v=da.real(0, 1))(x))
    assert real.size() == math.inf and real.fix({"substitute.v": 0.5}).size() == 1
    wide = da.space(lambda x: da.repeat(ops.ReLU, da.integer(0, 10**9))(x))
    assert wide.fix({"repeat.times": 7}).size() == 1
    assert wide.where(lambda point: False).size() == 1
    with pytest.raises(NotCountable, match=r"space\.fix"):
        wide.size()
    assert "fix" in repr(
        da.space(lambda x: da.repeat(own, da.integer(0, 3000))(x)).fix({"repeat[1500]/scale.initial": 1.0})
    )


def test_only_whole_spaces_compose() -> None:
    inner = da.space(lambda x: own()(x))
    with pytest.raises(BadArgument, match="only a whole space can be composed"):
        da.space(lambda x: inner.fix({"scale.initial": 1.0})(x)).start()


def test_copies_are_equal() -> None:
    architecture = da.space(module_level).sample(0)
    assert pickle.loads(pickle.dumps(architecture)) == architecture == copy.deepcopy(architecture)
    partial = da.space(functools.partial(module_level)).sample(0)
    assert copy.deepcopy(partial) == partial
    with pytest.raises(ScopeError, match="no 'nat' in the module"):
        pickle.loads(pickle.dumps(net.sample(0)).replace(b"\x03net", b"\x03nat"))


class Holder:
    def __init__(self, k: int) -> None:
        self.k = k

    def act(self) -> Callable[[int], int]:
        return lambda x: x * self.k


def local_class(k: int) -> type:
    class Local:
        def __call__(self, x: int) -> int:
            return x * k

    return Local


def keyword_only(k: int) -> Callable[..., Any]:
    def make(*, factor: int = k) -> Callable[[int], int]:
        return lambda x: x * factor

    return make


def recursive() -> Callable[..., Any]:
    def make(n: int = 1) -> Any:
        return make(n - 1) if n else abs

    return make


def wrapped(factory: Callable[..., Any]) -> str:
    return da.space(lambda x: da.wrap(factory)()(x)).sample(0).fingerprint()


def test_fingerprints_of_callables() -> None:
    triples: list[tuple[Callable[..., Any], ...]] = [
        (Holder(1).act, Holder(2).act, Holder(1).act),
        (local_class(1), local_class(2), local_class(1)),
        (keyword_only(1), keyword_only(2), keyword_only(1)),
        (functools.partial(keyword_only, 1), functools.partial(keyword_only, 2), functools.partial(keyword_only, 1)),
    ]
    for one, other, same in triples:
        assert wrapped(one) != wrapped(other) and wrapped(one) == wrapped(same)
    assert wrapped(recursive()) == wrapped(recursive())


def test_limits_offer_only_what_can_end() -> None:
    space = da.space(lambda x: shuffled()(x)).limit(1)
    assert space.size() == 1 and list(space.start().unassigned[0].domain.values()) == [0]
    shared = da.space(lambda x: again(da.choice([0, 1], name="h"))(x)).limit(3)
    search = da.search(shared, RandomSearch(), trials=5, seed=0)
    for trial in search:
        trial.skip()
    assert len(search.trials) == 1 and list(shared.neighbours(shared.sample(0))) == []


def test_growing_arguments_are_told_from_a_grammar() -> None:
    with pytest.raises(NotCountable, match="arguments that do not grow"):
        da.space(lambda x: growing(0)(x)).size()


def test_odd_values() -> None:
    lambdas = da.choice([[lambda: ops.ReLU()], [lambda: ops.Tanh()]], name="fs")
    space = da.space(lambda x: da.substitute(lambda fs: da.sequential(*fs), fs=lambdas)(x))
    assert space.size() == 2
    padded = da.space(lambda x: ops.ZeroPadding2D(((da.choice([1, 2], name="h"), 1), (2, 2)))(x))
    assert padded.at({"h": 2}).shapes(da.image(1, 4, 4)) == {"zero_padding2d": (1, 7, 8)}
    nested = da.space(lambda x: ops.ZeroPadding1D(da.choice([[da.choice([1], name="h"), 0]], name="pads"))(x))
    assert nested.sample(0).values == {"h": 1, "pads": [1, 0]}
    with pytest.raises(InvalidDomain, match="finite numbers"):
        da.real(-1.7e308, 1.7e308)
    with pytest.raises(InvalidDomain, match="expected the options"):
        da.choice(3)
    huge = da.space(lambda x: ops.Scale(da.integer(1, 10**400))(x))
    assert huge.at(huge.sample(0).values).is_specified


def test_bad_input_gets_our_errors() -> None:
    space = da.space(module_level)
    other = da.space(lambda x: x).sample(0)
    calls: list[Callable[[], Any]] = [
        lambda: space.fix(None),  # type: ignore[arg-type]
        lambda: space.where(3),  # type: ignore[arg-type]
        lambda: space.sample([1]),  # type: ignore[arg-type]
        lambda: space.neighbours(other),
        lambda: da.check(3),
        lambda: da.Architecture.from_json(3, space),  # type: ignore[arg-type]
        lambda: da.space(lambda x: da.or_(3)(x)).start(),  # type: ignore[arg-type]
        lambda: da.space(lambda x: da.permute(3)(x)).start(),  # type: ignore[arg-type]
        lambda: da.space(lambda x: da.sequential(lambda y: None)(x)).start(),
        lambda: da.space(lambda x: da.substitute(lambda: ops.ReLU(), n=1)(x)).start(),
        lambda: da.space(lambda x: x + x).start(),
        lambda: da.space(max),
    ]
    for call in calls:
        with pytest.raises(BadArgument, match="Got"):
            call()
    with pytest.raises(UnknownAddress) as caught:
        space.at({"m": 3})
    assert "'m'?" not in str(caught.value)
    with pytest.raises(UnknownAddress):
        space.at({1: 2})  # type: ignore[dict-item]


def test_arrays_as_options() -> None:
    numpy = pytest.importorskip("numpy")
    options = [numpy.arange(2), numpy.arange(3)]
    space = da.space(lambda x: ops.Dense(da.dependent(len, da.choice(options, name="array")))(x))
    architecture = space.at({"array": numpy.arange(3)})
    assert architecture.shapes(da.vector(1)) == {"dense": (3,)} and space.size() == 2
    assert space.at(architecture.values) == architecture != space.at({"array": options[0]})
    assert da.Architecture.from_json(architecture.to_json(), space) == architecture
    with pytest.raises(InvalidDomain, match="options must differ"):
        da.choice([numpy.arange(2), numpy.arange(2)])


def test_wrapped_modules_refuse_values_as_arguments_and_wrong_numbers_of_outputs() -> None:
    def scale(factor: Any) -> Any:
        return lambda x: factor * x

    with pytest.raises(BadArgument, match=r"scale: a module is made with its arguments(.|\n)*lambda: wrapped"):
        da.space(lambda x: da.or_([da.wrap(scale)])(x)).sample(0)
    for outputs in (0, "2", True):
        with pytest.raises(BadArgument, match="outputs must be a positive int"):
            da.wrap(scale, outputs=outputs)(factor=2)  # type: ignore[arg-type]
