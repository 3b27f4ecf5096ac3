"""Stepped numbers: real numbers from a grid, exactly as a user writes them."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from typing import Any, Final

from deep_arch.errors import InvalidDomain, is_kind
from deep_arch.language.domains import REJECTED, Numeric, scale
from deep_arch.language.foreign import plain

_NEAR: Final = 1e-8
"""How many steps a number may be off, as 0.1 + 0.2 is off 0.3; as Optuna has it."""


class Stepped(Numeric):
    """The real numbers from `low` to `high` that are `step` apart, `low` among them; drawn on a log scale if asked.

    They are the decimal numbers that one writes: 0.3, where 0.1 + 0.1 + 0.1 is 0.30000000000000004.
    """

    __slots__ = ("_n_steps", "high", "log", "low", "step")
    word = "real"

    def __init__(self, low: float, high: float, step: float, log: bool = False) -> None:
        given = [plain(n) for n in (low, high, step)]
        numbers = all(is_kind(n, int | float) and not is_kind(n, bool) and math.isfinite(n) for n in given)
        if not numbers or given[0] > given[1] or given[2] <= 0 or not math.isfinite(given[1] - given[0]):
            raise InvalidDomain(
                f"real: low, high and step must be finite numbers with low <= high and step > 0.\n"
                f"  Got low={low!r}, high={high!r}, step={step!r}.\n  Write da.real(0.0, 0.5, step=0.1)."
            )
        if log and given[0] <= 0:
            raise InvalidDomain(f"real: a log scale needs low > 0.\n  Got low={low!r}.\n  Raise low, or leave log out.")
        self.low, self.step = float(given[0]), float(given[2])
        self.log = log
        self._n_steps: int = math.floor((given[1] - given[0]) / given[2] + _NEAR)
        self.high = self.at(self._n_steps)

    @property
    def size(self) -> int:
        return 1 + self._n_steps

    def at(self, position: int) -> float:
        from decimal import Decimal  # late, since few domains have steps

        return float(Decimal(repr(self.low)) + position * Decimal(repr(self.step)))

    def position(self, value: float) -> int:
        """Return the position of the number nearest to `value`."""
        return min(max(round((value - self.low) / self.step), 0), self._n_steps)

    def draw(self, rng: random.Random) -> float:
        return self.at_unit(rng.random())

    def unit(self, value: float) -> float:
        if not self.log:
            return (self.position(value) + 0.5) / self.size
        low, high = self._logs()
        return (math.log(value) - low) / (high - low)

    def at_unit(self, unit: float) -> float:
        unit = min(max(unit, 0.0), 1.0)
        if not self.log:
            return self.at(min(int(unit * self.size), self._n_steps))
        low, high = self._logs()
        return self.at(self.position(math.exp(low + unit * (high - low))))

    def _logs(self) -> tuple[float, float]:
        """Return the ends of the log scale, as those of `Integer`."""
        return math.log(self.low - min(self.step, self.low) / 2), math.log(self.high + self.step / 2)

    def accept(self, value: Any) -> Any:
        value = plain(value)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return REJECTED
        steps = (value - self.low) / self.step
        position = round(steps)
        if not 0 <= position <= self._n_steps or abs(steps - position) > _NEAR:
            return REJECTED
        return self.at(position)

    def values(self) -> Iterator[float]:
        return map(self.at, range(self.size))

    def neighbours(self, value: Any) -> Iterator[float]:
        position = self.position(value)
        return (self.at(p) for p in (position - 1, position + 1) if 0 <= p <= self._n_steps)

    @classmethod
    def worded(cls, *arguments: str) -> str:
        low, high, step, log = arguments
        return f"a real number from {low} to {high} in steps of {step}{scale(log)}"

    def __str__(self) -> str:
        return self.worded(f"{self.low:g}", f"{self.high:g}", f"{self.step:g}", str(self.log))
