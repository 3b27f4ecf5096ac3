from __future__ import annotations

import json
import math
import random
from collections import Counter
from typing import Any

import pytest

from deep_arch.errors import InvalidDomain
from deep_arch.language.domains import REJECTED, Choice, Domain, Integer, Real
from deep_arch.language.subsets import Permutation, Subset

FINITE: list[Domain] = [
    Choice([64, 128]),
    Choice([False, True]),
    Choice([1, True, "1", None, 1.5]),
    Choice([[1, 2], {"a": 1}, (3,), {"option": 0}]),
    Choice([len, sorted, 3]),
    Integer(0, 9),
    Integer(1, 10, step=4),
    Integer(1, 40, log=True),
    Subset("abc", 2),
    Subset("abc", 2, ordered=True),
    Subset("abc", 2, distinct=False),
    Subset("abc", 2, distinct=False, ordered=True),
    Subset([[1], [2]], 1),
    Subset("abc", 0),
    Permutation("abc"),
]


def same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and a == b


@pytest.mark.parametrize("domain", [*FINITE, Real(0, 1), Real(1e-4, 1, log=True)], ids=str)
def test_accepts_its_own(domain: Domain) -> None:
    rng = random.Random(0)
    for _ in range(50):
        value = domain.draw(rng)
        assert same(domain.accept(value), value)
        assert all(domain.accept(other) is not REJECTED for other in domain.neighbours(value))


@pytest.mark.parametrize("domain", FINITE, ids=str)
def test_counts_its_own(domain: Domain) -> None:
    values = list(domain.values())
    assert len(values) == domain.size
    assert len({repr(v) for v in values}) == domain.size
    assert all(same(domain.accept(v), v) for v in values)


@pytest.mark.parametrize("domain", FINITE, ids=str)
def test_finds_its_own(domain: Domain) -> None:
    assert all(same(domain.at(i), value) for i, value in enumerate(domain.values()))


def test_finds_one_of_very_many() -> None:
    assert Permutation(range(30)).at(0) == tuple(range(30))
    assert Permutation(range(30)).at(math.factorial(30) - 1) == tuple(range(30))[::-1]
    assert Subset(range(60), 30).at(math.comb(60, 30) - 1) == tuple(range(30, 60))


@pytest.mark.parametrize("domain", [Integer(1, 10, step=4), Integer(1, 40, log=True), Integer(-3, 3)], ids=str)
def test_unit_round_trips(domain: Integer) -> None:
    places = [domain.unit(value) for value in domain.values()]
    assert places == sorted(places) and places[0] > 0 and places[-1] < 1
    assert [domain.at_unit(place) for place in places] == list(domain.values())


@pytest.mark.parametrize("domain", [Real(-1, 3), Real(1e-4, 1, log=True)], ids=str)
def test_unit_round_trips_in_an_interval(domain: Real) -> None:
    assert [domain.unit(domain.at_unit(u)) for u in (0, 0.25, 1)] == pytest.approx([0, 0.25, 1])
    assert [domain.at_unit(-1), domain.at_unit(2)] == pytest.approx([domain.low, domain.high])


def test_a_grid_is_even_on_the_domains_scale() -> None:
    assert Real(1e-4, 1, log=True).grid(5).options == pytest.approx((1e-4, 1e-3, 1e-2, 1e-1, 1))
    assert Real(0, 1).grid(3).options == (0, 0.5, 1)


@pytest.mark.parametrize("domain", FINITE, ids=str)
def test_json_round_trips(domain: Domain) -> None:
    for value in domain.values():
        assert same(domain.decode(json.loads(json.dumps(domain.encode(value)))), value)


@pytest.mark.parametrize("domain", [d for d in FINITE if not getattr(d, "log", False)], ids=str)
def test_draws_uniformly(domain: Domain) -> None:
    rng = random.Random(1)
    counts = Counter(repr(domain.draw(rng)) for _ in range(200 * int(domain.size)))
    chi_square = sum((counts[repr(v)] - 200) ** 2 / 200 for v in domain.values())
    free = int(domain.size) - 1
    assert chi_square <= free + 5 * math.sqrt(2 * max(free, 1))  # five standard deviations of the chi-square law


def test_values_go_to_json_as_they_are_where_json_can_hold_them() -> None:
    assert Choice([64, "relu", None, 0.5, [1, 2]]).encode("relu") == "relu"
    assert Choice([len, sorted]).encode(sorted) == {"option": 1}
    assert Choice([(1, 2), (3, 4)]).encode((3, 4)) == {"option": 1}


def test_true_is_not_one() -> None:
    assert Choice([0, 1]).accept(True) is REJECTED
    assert Choice([False, True]).accept(1) is REJECTED
    assert Integer(0, 1).accept(True) is REJECTED
    assert Real(0, 1).accept(True) is REJECTED
    assert Choice([1, True]).size == 2


def test_numbers_of_numpy_are_accepted() -> None:
    numpy = pytest.importorskip("numpy")
    assert same(Choice([64, 128]).accept(numpy.int64(64)), 64)
    assert same(Integer(1, 5).accept(numpy.int32(3)), 3)
    assert same(Real(0, 1).accept(numpy.float32(0.5)), 0.5)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Choice([]),
        lambda: Choice([1, 2, 1]),
        lambda: Choice([[1], [1]]),
        lambda: Integer(3, 2),
        lambda: Integer(0, 5, log=True),
        lambda: Integer(0, 5, step=0),
        lambda: Real(1, 1),
        lambda: Real(0, 1, log=True),
        lambda: Real(0, math.inf),
        lambda: Subset("abc", 4),
        lambda: Subset("abc", -1),
        lambda: Permutation(""),
        lambda: list(Real(0, 1).values()),
    ],
)
def test_invalid_domains(make: Any) -> None:
    with pytest.raises(InvalidDomain, match="Got"):
        make()


def test_log_scales_draw_evenly_over_magnitudes() -> None:
    rng = random.Random(0)
    small = sum(Real(1e-4, 1, log=True).draw(rng) < 1e-2 for _ in range(4000))
    assert 1850 < small < 2150
    drawn = Counter(Integer(1, 1000, log=True).draw(rng) for _ in range(4000))
    assert sum(drawn[n] for n in range(1, 32)) > 1800


def test_steps_to_neighbours_lead_everywhere() -> None:
    for domain in (
        Permutation("abcd"),
        Subset("abc", 3, ordered=True),
        Subset("abcd", 2),
        Subset("ab", 2, False, True),
    ):
        reached, todo = set[Any](), [next(domain.values())]
        while todo:
            if (value := todo.pop()) not in reached:
                reached.add(value)
                todo += domain.neighbours(value)
        assert len(reached) == domain.size


def test_neighbours() -> None:
    assert list(Choice("abc").neighbours("b")) == ["a", "c"]
    assert list(Integer(0, 10, step=5).neighbours(0)) == [5]
    assert list(Real(0, 1).neighbours(0.5)) == [0.4, 0.6]
    assert list(Permutation("abc").neighbours(("a", "b", "c"))) == [("b", "a", "c"), ("a", "c", "b")]
    assert set(Subset("abc", 2).neighbours(("a", "b"))) == {("a", "c"), ("b", "c")}
