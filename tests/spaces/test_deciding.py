from __future__ import annotations

import functools
import random
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument, TooDeep, ValueOutsideDomain
from deep_arch.language.values import Value
from deep_arch.testing.readme_space import net


def drawing(seed: int, met: list[da.ChoicePoint]) -> Any:
    rng = random.Random(seed)

    def pick(point: da.ChoicePoint) -> Any:
        met.append(point)
        return point.domain.draw(rng)

    return pick


@pytest.mark.parametrize("seed", range(5))
def test_it_asks_for_each_hyperparameter_once_in_the_order_of_unfolding(seed: int) -> None:
    met: list[da.ChoicePoint] = []
    architecture = net.decide(drawing(seed, met))
    assert architecture == net.sample(seed) and architecture.space is net and architecture.is_specified
    assert [point.address for point in met] == list(architecture.values)


def test_it_shows_tags_and_what_was_decided_before() -> None:
    seen: list[tuple[str, str | None, dict[str, Any]]] = []

    @da.space
    def tagged(x: Value) -> Value:
        n = da.choice([1, 2], name="n", tag="depth")
        return da.repeat(lambda: ops.Dense(units=da.choice([8, 16])), n)(x)

    def pick(point: da.ChoicePoint) -> Any:
        seen.append((point.address, point.tag, dict(point.values)))
        return point.domain.at(1)

    tagged.decide(pick)
    first = {"n": 2, "repeat[0]/dense.units": 16}
    assert seen == [
        ("n", "depth", {}),
        ("repeat[0]/dense.units", None, {"n": 2}),
        ("repeat[1]/dense.units", None, first),
    ]


def test_what_was_decided_cannot_be_changed() -> None:
    met: list[da.ChoicePoint] = []
    net.decide(drawing(0, met))
    values: Any = met[0].values
    with pytest.raises(TypeError):
        values["n"] = 4


def test_what_is_fixed_is_shown_and_not_asked_for() -> None:
    met: list[da.ChoicePoint] = []
    fixed = net.fix({"n": 2})
    architecture = fixed.decide(drawing(0, met))
    assert architecture.values["n"] == 2 and architecture.space is fixed
    assert met[0].values["n"] == 2 and "n" not in {point.address for point in met}


def test_what_where_leaves_open_stays_open() -> None:
    met: list[da.ChoicePoint] = []
    architecture = net.where(lambda point: point.name == "n").decide(drawing(0, met))
    assert [point.address for point in met] == ["n"] == list(architecture.values)
    assert not architecture.is_specified


@da.rule
def nested() -> da.Module:
    return da.or_([ops.ReLU, lambda: da.sequential(ops.Tanh, nested)])


def deepest(point: da.ChoicePoint) -> Any:
    return point.domain.at(int(point.domain.size) - 1)


def test_a_limit_offers_what_ends_in_time() -> None:
    space = da.space(lambda x: nested()(x))
    domains: list[Any] = []

    def pick(point: da.ChoicePoint) -> Any:
        domains.append(point.domain.size)
        return deepest(point)

    space.limit(3).decide(pick)
    assert domains == [2, 2, 1]  # nothing else ends


def test_shared_values_that_do_not_end_in_time_are_too_deep() -> None:
    @da.space
    def tied(x: Value) -> Value:
        which = da.choice([0, 1], name="which")

        @da.rule
        def again() -> da.Module:
            return da.or_([ops.ReLU, again], which)

        return da.sequential(again)(x)

    with pytest.raises(TooDeep):
        tied.limit(2).decide(lambda _: 1)


def test_a_grid_is_asked_for_its_levels() -> None:
    space = da.space(lambda x: ops.Dropout(rate=da.real(0, 0.5))(x)).discretize(3)
    met: list[da.ChoicePoint] = []
    space.decide(drawing(0, met))
    assert [met[0].domain.at(i) for i in range(3)] == [0.0, 0.25, 0.5]
    with pytest.raises(ValueOutsideDomain, match=r"dropout\.rate: 0\.3 is not"):
        space.decide(lambda _: 0.3)


def test_values_become_those_of_the_domain() -> None:
    space = da.space(lambda x: ops.Dropout(rate=da.real(0, 1))(x))
    (rate,) = space.decide(lambda _: 0).values.values()
    assert type(rate) is float and rate == 0.0


class Wrong:
    def pick(self, _point: da.ChoicePoint) -> Any:
        return "nine"


def test_what_is_outside_the_domain_names_the_address_and_the_function() -> None:
    space = da.space(lambda x: ops.Dense(units=da.choice([8, 16]))(x))
    expected = r"dense\.units: 'nine' is not one of \(8, 16\)\.\n  Got 'nine' \(str\) from Wrong\.pick\.\n  Let it"
    with pytest.raises(ValueOutsideDomain, match=expected):
        space.decide(Wrong().pick)
    with pytest.raises(ValueOutsideDomain, match=r"Got None \(NoneType\) from <lambda>\."):
        space.decide(lambda _: None)
    with pytest.raises(ValueOutsideDomain, match=r"Got 3 \(int\) from functools\.partial"):
        space.decide(functools.partial(lambda value, _: value, 3))


def test_what_cannot_be_called_is_refused() -> None:
    anything: Any = {"n": 2}
    with pytest.raises(BadArgument, match=r"net\.decide: expected a function of a choice point(.|\n)*lambda point"):
        net.decide(anything)
