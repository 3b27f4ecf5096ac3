from __future__ import annotations

import json
import math
import random
from collections import Counter
from typing import Any

import pytest

from deep_arch.errors import InvalidDomain
from deep_arch.language.domains import REJECTED, Choice, Domain, Integer, Real
from deep_arch.language.stepped import Stepped
from deep_arch.language.subsets import Permutation, Subset
from deep_arch.language.weighted import Weighted

FINITE: list[Domain] = [
    Choice([64, 128]),
    Choice([False, True]),
    Choice([1, True, "1", None, 1.5]),
    Choice([[1, 2], {"a": 1}, (3,), {"option": 0}]),
    Choice([len, sorted, 3]),
    Integer(0, 9),
    Integer(1, 10, step=4),
    Integer(1, 40, log=True),
    Integer(8, 512, step=8, log=True),
    Integer(1, 40, step=3, log=True),
    Stepped(0.1, 0.5, 0.1),
    Stepped(-1, 1, 0.3),
    Stepped(1e-4, 1e-3, 1e-4, log=True),
    Weighted(["a", "b", 1], [3, 0, 1]),
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


@pytest.mark.parametrize("domain", [*FINITE, Real(0, 1)], ids=str)
def test_plain_is_itself(domain: Domain) -> None:
    rng = random.Random(0)
    for value in [domain.draw(rng) for _ in range(50)]:
        written = json.loads(json.dumps(domain.encode(value)))
        assert isinstance(written, list | dict) or same(written, value)


@pytest.mark.parametrize("domain", [d for d in FINITE if not getattr(d, "log", isinstance(d, Weighted))], ids=str)
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


def test_steps_are_the_numbers_that_one_writes() -> None:
    assert list(Stepped(0.1, 0.5, 0.1).values()) == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert list(Stepped(0, 1, 0.25).values()) == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert list(Stepped(0.05, 0.3, 0.1).values()) == [0.05, 0.15, 0.25]
    assert list(Stepped(1e-5, 5e-5, 1e-5).values()) == [1e-5, 2e-5, 3e-5, 4e-5, 5e-5]
    thirds = Stepped(0.1, 0.3, 0.1)
    assert thirds.accept(0.1 + 0.2) == 0.3 and thirds.accept(0.25) is REJECTED and thirds.accept(0.4) is REJECTED
    assert thirds.accept(True) is REJECTED and thirds.accept("0.1") is REJECTED and thirds.accept(math.nan) is REJECTED
    assert json.loads(json.dumps(thirds.encode(0.3))) == 0.3
    assert [*thirds.neighbours(0.1)] == [0.2] and [*thirds.neighbours(0.2)] == [0.1, 0.3]
    assert str(thirds) == "a real number from 0.1 to 0.3 in steps of 0.1"
    for wrong in ((0, 1, 0), (0, 1, -0.1), (1, 0, 0.1), (0, math.inf, 1), ("0", 1, 1), (0, 1, True)):
        with pytest.raises(InvalidDomain, match=r"real: low, high and step(.|\n)*Got low=(.|\n)*Write"):
            Stepped(*wrong)  # pyright: ignore[reportArgumentType]
    with pytest.raises(InvalidDomain, match="log scale"):
        Stepped(0, 1, 0.1, log=True)


@pytest.mark.parametrize("domain", [Integer(8, 512, step=8, log=True), Stepped(0.01, 1, 0.01, log=True)], ids=str)
def test_steps_on_a_log_scale_are_drawn_by_their_ratios(domain: Any) -> None:
    rng = random.Random(0)
    drawn = [domain.draw(rng) for _ in range(4000)]
    middle = math.sqrt(domain.low * domain.high)
    assert 0.35 < sum(value < middle for value in drawn) / len(drawn) < 0.6
    for value in domain.values():
        assert domain.at_unit(domain.unit(value)) == value
        assert domain.at(domain.position(value)) == value
    assert domain.at_unit(0.0) == domain.low and domain.at_unit(1.0) == domain.high


def test_weights_are_how_often_options_are_drawn() -> None:
    domain, rng = Weighted(["a", "b", "c", "d"], [3, 0, 1, 0]), random.Random(0)
    counts = Counter(domain.draw(rng) for _ in range(4000))
    assert set(counts) == {"a", "c"} and 2850 < counts["a"] < 3150
    assert list(domain.values()) == ["a", "b", "c", "d"] and domain.accept("b") == "b" and domain.size == 4
    assert str(domain) == str(Choice(["a", "b", "c", "d"]))
    for wrong in ([1, 2], [1, 1, 1, -1], [0, 0, 0, 0], [1, 1, 1, math.nan], [1, 1, 1, "1"], "1111", 3, [1, 1, 1, True]):
        with pytest.raises(InvalidDomain, match=r"choice: weights(.|\n)*4, not all 0(.|\n)*Got(.|\n)*Write da.choice"):
            Weighted(["a", "b", "c", "d"], wrong)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


WIDE: list[Domain] = [
    Choice(range(100_000)),
    Subset(range(10_000), 10),
    Subset(range(10_000), 10, ordered=True),
    Subset(range(5_000), 3, distinct=False),
    Subset(range(300), 300, ordered=True),
    Permutation(range(200)),
    Integer(0, 10**9),
]


@pytest.mark.parametrize("domain", WIDE, ids=str)
def test_a_neighbour_of_a_wide_domain_is_found_without_listing_them(domain: Domain) -> None:
    rng = random.Random(0)
    value = domain.draw(rng)
    for _ in range(20):
        other = domain.neighbour(value, rng)
        assert other != value and domain.accept(other) == other
        if isinstance(other, tuple) and isinstance(domain, Subset) and domain.distinct:
            assert sum(a != b for a, b in zip(other, value, strict=True)) <= 2 or not domain.ordered
            assert len({*other} - {*value}) <= 1


@pytest.mark.parametrize("domain", FINITE, ids=str)
def test_neighbour_draws_each_of_the_neighbours(domain: Domain) -> None:
    rng = random.Random(0)
    value = next(domain.values())
    found = {repr(domain.neighbour(value, rng)) for _ in range(300)}
    assert found == {repr(other) for other in domain.neighbours(value)} or (found, domain.size) == ({repr(value)}, 1)
