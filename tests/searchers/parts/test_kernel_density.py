"""Kernel density: against the kernels written out, and that it is a density."""

from __future__ import annotations

import math

import pytest

from deep_arch.language.domains import Choice, Integer, Real
from deep_arch.language.subsets import Subset
from deep_arch.searchers.parts.decisions import decisions
from deep_arch.searchers.parts.kernel_density import KernelDensity, point

RATE, KIND = ("rate", 0), ("kind", 3)


def test_points_hold_places_by_address() -> None:
    domains = {
        "rate": Real(1e-4, 1.0, log=True),
        "units": Integer(1, 10),
        "parts": Subset("abc", 2),
        "kind": Choice("xyz"),
    }
    values = {"rate": 1e-2, "units": 3, "parts": ("a", "c"), "kind": "z"}
    found = point([d for address, domain in domains.items() for d in decisions(domain, address, values[address])])
    assert found == pytest.approx({RATE: 0.5, ("units", 0): 0.25, ("parts[0]", 3): 0, ("parts[1]", 2): 0, KIND: 2})


def test_bandwidths_follow_the_normal_reference_rule() -> None:
    density = KernelDensity([{RATE: 0.2, KIND: 0}, {RATE: 0.4, KIND: 0}, {RATE: 0.9, KIND: 1}])
    deviation = math.sqrt(((0.2 - 0.5) ** 2 + (0.4 - 0.5) ** 2 + (0.9 - 0.5) ** 2) / 3)
    assert density.bandwidth(RATE) == pytest.approx(1.06 * deviation * 3 ** (-1 / 6))
    assert density.bandwidth(KIND) == pytest.approx(1.06 * math.sqrt(1 - 4 / 9 - 1 / 9) * 3 ** (-1 / 6))
    assert KernelDensity([{KIND: 0}, {KIND: 1}, {KIND: 2}]).bandwidth(KIND) == 1 - 1 / 3, "never beyond uniform"
    assert KernelDensity([{KIND: 1}, {KIND: 1}]).bandwidth(KIND) == 1e-3


def test_the_density_is_a_mean_of_product_kernels() -> None:
    density = KernelDensity([{RATE: 0.2, KIND: 0}, {RATE: 0.6, KIND: 1}])
    h, share = density.bandwidth(RATE), density.bandwidth(KIND)

    def gauss(difference: float) -> float:
        return math.exp(-((difference / h) ** 2) / 2) / (h * math.sqrt(2 * math.pi))

    expected = (gauss(0.3 - 0.2) * (1 - share) * 3 + gauss(0.3 - 0.6) * share / 2 * 3) / 2
    assert math.exp(density.log({RATE: 0.3, KIND: 0})) == pytest.approx(expected)


def test_an_address_that_one_lacks_counts_as_uniform() -> None:
    density = KernelDensity([{KIND: 0}, {RATE: 0.5, KIND: 0}])
    only = KernelDensity([{KIND: 0}, {KIND: 0}])
    assert density.log({KIND: 0}) == pytest.approx(only.log({KIND: 0})), "the point lacks it"
    assert density.log({("new", 4): 2, KIND: 0}) == density.log({KIND: 0}), "all others lack it"
    h = density.bandwidth(RATE)
    factor = (1 + 1 / (h * math.sqrt(2 * math.pi))) / 2
    assert density.log({RATE: 0.5, KIND: 0}) == pytest.approx(density.log({KIND: 0}) + math.log(factor))


def test_it_sums_to_one() -> None:
    density = KernelDensity([{RATE: 0.45, KIND: 0}, {RATE: 0.5, KIND: 2}, {RATE: 0.55, KIND: 2}])
    n = 2000
    places = [(i + 0.5) / n for i in range(n)]
    assert sum(math.exp(density.log({RATE: r, KIND: k})) for r in places for k in range(3)) / (3 * n) == pytest.approx(
        1
    )


def test_it_is_never_less_than_a_floor() -> None:
    density = KernelDensity([{RATE: 0.5}, {RATE: 0.5}])
    assert density.log({RATE: 0.0}) == math.log(1e-32)
