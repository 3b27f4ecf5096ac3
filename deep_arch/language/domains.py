"""Domains: the values that a hyperparameter can take.

A domain is a frozen value. It says how many values it has, draws one, recognises its own, and writes
them to JSON. Equal values of different types are different: `True` is not `1`.
"""

from __future__ import annotations

import math
import random
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar, Final

from deep_arch.errors import InvalidDomain, is_kind
from deep_arch.language.foreign import plain
from deep_arch.language.options import Options, listed


class _Rejected:
    def __repr__(self) -> str:
        return "REJECTED"


REJECTED: Final = _Rejected()
"""What `Domain.accept` gives for a value that is not in the domain."""


class Domain(ABC):
    """The values that a hyperparameter can take.

    Laws:
        accepts_its_own: `accept(draw(rng))` is that value, and so is each of `values()`.
        counts_its_own: `size` is the number of `values()`.
        finds_its_own: `at(i)` is the value number i of `values()`.
        json_round_trips: `decode(encode(value))` is `value`, through JSON text.
        plain_is_itself: where `encode(value)` is a text, number, truth value or None, it is `value`.
    """

    __slots__ = ()

    word: ClassVar[str] = "domain"
    """What hyperparameters that have no other name are called by."""

    @property
    @abstractmethod
    def size(self) -> int | float:
        """The number of values; `math.inf` for an interval."""

    @abstractmethod
    def draw(self, rng: random.Random) -> Any:
        """Return a value drawn with `rng`."""

    @abstractmethod
    def accept(self, value: Any) -> Any:
        """Return the domain's own value equal to `value`, or `REJECTED`."""

    @abstractmethod
    def values(self) -> Iterator[Any]:
        """Yield every value in the domain's order.

        Raises:
            InvalidDomain: the domain is an interval.
        """

    @abstractmethod
    def at(self, position: int) -> Any:
        """Return the value at a position of `values()`, counted from 0, without listing those before it.

        Raises:
            InvalidDomain: the domain is an interval.
        """

    @abstractmethod
    def neighbours(self, value: Any) -> Iterator[Any]:
        """Yield the values one step away from `value`: every other option, or the next numbers."""

    def neighbour(self, value: Any, rng: random.Random) -> Any:
        """Return one of the `neighbours`, each as likely; the value itself where there is none."""
        return rng.choice(list(self.neighbours(value)) or [value])

    def encode(self, value: Any) -> Any:
        """Return `value` as JSON can hold it."""
        return value

    def decode(self, written: Any) -> Any:
        """Return the value that `encode` wrote, or `REJECTED`."""
        return self.accept(written)

    @classmethod
    def worded(cls, *arguments: str) -> str:
        """Return the domain in words, from the words for its arguments, which may be names of hyperparameters."""
        return f"{cls.word}({', '.join(arguments)})"

    def __repr__(self) -> str:
        return f"<{self}>"


class Choice(Domain):
    """One of several options."""

    __slots__ = ("_options", "options")
    word = "choice"

    def __init__(self, options: Iterable[Any]) -> None:
        self._options = Options(options, "choice")
        self.options = self._options.items

    @property
    def size(self) -> int:
        return len(self.options)

    def draw(self, rng: random.Random) -> Any:
        options = self.options
        return options[int(rng.random() * len(options))]

    def accept(self, value: Any) -> Any:
        position = self._options.closest(value)
        return REJECTED if position is None else self.options[position]

    def values(self) -> Iterator[Any]:
        return iter(self.options)

    def at(self, position: int) -> Any:
        return self.options[position]

    def position(self, value: Any) -> int | None:
        """Return the position of an option, or None for what is none."""
        return self._options.find(value)

    def part(self, options: Sequence[Any]) -> Choice:
        """Return the choice among some of the options."""
        return Choice(options)

    def neighbours(self, value: Any) -> Iterator[Any]:
        here = self._options.find(value)
        return (option for i, option in enumerate(self.options) if i != here)

    def neighbour(self, value: Any, rng: random.Random) -> Any:
        here = self._options.find(value)
        if len(self.options) == 1:
            return value
        place = int(rng.random() * (len(self.options) - 1))
        return self.options[place + (here is not None and place >= here)]

    def encode(self, value: Any) -> Any:
        position = self._options.find(value)
        return value if position is None else self._options.encode(position)

    def decode(self, written: Any) -> Any:
        position = self._options.decode(written)
        return REJECTED if position is None else self.options[position]

    @classmethod
    def worded(cls, *arguments: str) -> str:
        return f"one of {arguments[0]}"

    def __str__(self) -> str:
        return self.worded(listed(self.options))


def part_of(domain: Domain, values: Sequence[Any]) -> Domain:
    """Return the domain of some values of another."""
    return domain.part(values) if isinstance(domain, Choice) else Choice(values)


class Numeric(Domain):
    """Numbers from `low` to `high`, with a scale of their own on which they are drawn: linear, or logarithmic.

    Laws:
        unit_round_trips: `at_unit(unit(value))` is that value, up to rounding in an interval.
    """

    __slots__ = ()

    @abstractmethod
    def unit(self, value: Any) -> float:
        """Return where a number stands on its scale, from 0 to 1; an integer stands in the middle of its share."""

    @abstractmethod
    def at_unit(self, unit: float) -> Any:
        """Return the number at a place of the scale from 0 to 1; what lies outside counts as the end."""


_EXACT = 2**53
"""Below this a float tells all integers apart."""


class Integer(Numeric):
    """The integers from `low` to `high`, both included, `step` apart; drawn on a log scale if asked."""

    __slots__ = ("high", "log", "low", "step")
    word = "integer"

    def __init__(self, low: int, high: int, step: int = 1, log: bool = False) -> None:
        low, high, step, log = plain(low), plain(high), plain(step), plain(log)
        if any(type(n) is not int for n in (low, high, step)) or step < 1 or low > high:
            raise InvalidDomain(
                f"integer: low, high and step must be ints with low <= high and step >= 1.\n"
                f"  Got low={low!r}, high={high!r}, step={step!r}.\n  For fractions use da.real."
            )
        if log and low < 1:
            raise InvalidDomain(
                f"integer: a log scale needs low >= 1.\n  Got low={low!r}.\n  Raise low, or leave log out."
            )
        self.low, self.step, self.log = low, step, log
        self.high = high - (high - low) % step

    @property
    def size(self) -> int:
        return (self.high - self.low) // self.step + 1

    def at(self, position: int) -> int:
        return self.low + self.step * position

    def position(self, value: int) -> int:
        """Return the position of a number."""
        return (value - self.low) // self.step

    def draw(self, rng: random.Random) -> int:
        if not self.log and self.size >= _EXACT:
            return self.at(rng.randrange(self.size))
        return self.at_unit(rng.random())

    def unit(self, value: int) -> float:
        if not self.log:
            return (self.position(value) + 0.5) / self.size
        low, high = self._logs()
        return (math.log(value) - low) / (high - low)

    def at_unit(self, unit: float) -> int:
        unit = min(max(unit, 0.0), 1.0)
        if not self.log:
            return self.at(min(int(unit * self.size), self.size - 1))
        low, high = self._logs()
        position = round((math.exp(low + unit * (high - low)) - self.low) / self.step)
        return self.at(min(max(position, 0), self.size - 1))

    def _logs(self) -> tuple[float, float]:
        """Return the ends of the log scale, on which each integer owns what is nearest to it.

        That is half a step on either side; below the first one no more than half of it, which keeps the end above 0.
        """
        return math.log(self.low - min(self.step, self.low) / 2), math.log(self.high + self.step / 2)

    def accept(self, value: Any) -> Any:
        value = plain(value)
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is not int or not self.low <= value <= self.high or (value - self.low) % self.step:
            return REJECTED
        return value

    def values(self) -> Iterator[int]:
        return iter(range(self.low, self.high + 1, self.step))

    def neighbours(self, value: Any) -> Iterator[int]:
        return (n for n in (value - self.step, value + self.step) if self.low <= n <= self.high)

    @classmethod
    def worded(cls, *arguments: str) -> str:
        low, high, step, log = arguments
        return f"an integer from {low} to {high}{'' if step == '1' else f' in steps of {step}'}{scale(log)}"

    def __str__(self) -> str:
        return self.worded(*map(str, (self.low, self.high, self.step, self.log)))


def scale(log: str) -> str:
    """Return the words for a scale."""
    return {"False": "", "True": " on a log scale"}.get(log, f" on a log scale if {log}")


class Real(Numeric):
    """The real numbers from `low` to `high`, both included; drawn on a log scale if asked."""

    __slots__ = ("high", "log", "low")
    word = "real"

    def __init__(self, low: float, high: float, log: bool = False) -> None:
        low, high, log = plain(low), plain(high), plain(log)
        numbers = all(is_kind(n, int | float) and not is_kind(n, bool) for n in (low, high))
        if not numbers or low >= high or not math.isfinite(high - low):
            raise InvalidDomain(
                f"real: low and high must be finite numbers with low < high.\n  Got {low!r}, {high!r}.\n"
                "  Write da.real(0.0, 0.5); for True and False use da.boolean."
            )
        if log and low <= 0:
            raise InvalidDomain(f"real: a log scale needs low > 0.\n  Got low={low!r}.\n  Raise low, or leave log out.")
        self.low, self.high, self.log = float(low), float(high), log

    @property
    def size(self) -> float:
        return math.inf

    def draw(self, rng: random.Random) -> float:
        return self.at_unit(rng.random())

    def unit(self, value: float) -> float:
        if not self.log:
            return (value - self.low) / (self.high - self.low)
        low, high = math.log(self.low), math.log(self.high)
        return (math.log(value) - low) / (high - low)

    def at_unit(self, unit: float) -> float:
        unit = min(max(unit, 0.0), 1.0)
        if not self.log:
            return min(self.low + unit * (self.high - self.low), self.high)
        low, high = math.log(self.low), math.log(self.high)
        return min(max(math.exp(low + unit * (high - low)), self.low), self.high)

    def grid(self, levels: int) -> Choice:
        """Return `levels` of the numbers, evenly spaced on the domain's own scale, both ends among them."""
        return Choice([self.at_unit(i / (levels - 1)) for i in range(levels)])

    def accept(self, value: Any) -> Any:
        value = plain(value)
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.low <= value <= self.high:
            return REJECTED
        return float(value)

    def values(self) -> Iterator[float]:
        raise self._no_list()

    def at(self, position: int) -> float:
        raise self._no_list()

    def _no_list(self) -> InvalidDomain:
        return InvalidDomain(
            f"real: an interval has no list of values.\n  Got {self}.\n"
            "  To enumerate, use space.discretize(levels=10), fix it with space.fix, or use da.choice or da.integer."
        )

    def neighbours(self, value: Any) -> Iterator[float]:
        """Yield the numbers a tenth of the range below and above, on the domain's own scale."""
        here = self.unit(value)
        return (n for n in (self.at_unit(here - 0.1), self.at_unit(here + 0.1)) if n != value)

    @classmethod
    def worded(cls, *arguments: str) -> str:
        low, high, log = arguments
        return f"a real number from {low} to {high}{scale(log)}"

    def __str__(self) -> str:
        return self.worded(f"{self.low:g}", f"{self.high:g}", str(self.log))
