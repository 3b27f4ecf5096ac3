"""Values: what modules take and return, and how a fragment refers to what belongs to those around it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn

from deep_arch.errors import ArityMismatch, BadArgument
from deep_arch.language.foreign import unboxed

if TYPE_CHECKING:
    from deep_arch.language.fragment import Fragment

ROOT = -1
"""The number of levels up to the outermost fragment, for things made outside every search-space function."""


class Unset:
    """The kind of `UNSET`."""

    def __repr__(self) -> str:
        return "UNSET"

    def __reduce__(self) -> str:
        return "UNSET"


UNSET: Final = Unset()
"""Stands where a hyperparameter has no value yet."""


class Reference(NamedTuple):
    """A value as seen from a fragment: `levels` enclosing fragments up, what stands at `place` in its environment."""

    levels: int
    place: int
    port: int | None = None


class Slot(NamedTuple):
    """A hyperparameter as seen from a fragment: `levels` enclosing fragments up, at `place` among its values."""

    levels: int
    place: int


class Value:
    """What a module call takes and returns: an edge of the graph.

    The result of a call with several outputs is unpacked, `a, b = module(x)`, or indexed, `module(x)[0]`.
    """

    __slots__ = ("fragment", "index", "port")

    def __init__(self, fragment: Fragment, index: int, port: int | None = None) -> None:
        self.fragment, self.index, self.port = fragment, index, port

    def __getitem__(self, port: int) -> Value:
        port = unboxed(port)
        if type(port) is not int or port < 0 or self.port is not None:
            raise BadArgument(
                f"{self}: the outputs of a call are indexed once, by an int from 0.\n  Got [{port!r}].\n"
                "  To take part of a tensor use ops.Split or ops.Cropping2D."
            )
        if self.index < self.fragment.n_inputs:
            raise ArityMismatch(
                f"{self}: a parameter of a search-space function is one value, and has no outputs to index.\n"
                f"  Got [{port}].\n  Give the function one parameter for each value."
            )
        call = self.fragment.call_at[self.index]
        call.ports.add(port)
        return Value(self.fragment, self.index, port)

    def __iter__(self) -> Iterator[Value]:
        if self.port is not None or self.index < self.fragment.n_inputs:
            raise ArityMismatch(f"{self}: one value cannot be unpacked.\n  Unpack the result of a call instead.")
        call = self.fragment.call_at[self.index]
        return iter([self[port] for port in range(call.module.count_outputs(len(call.inputs)))])

    def _no_arithmetic(self, _: object) -> NoReturn:
        raise BadArgument(
            f"{self}: values have no arithmetic of their own.\n  Got an operator.\n"
            "  Write ops.Add()(a, b), ops.Subtract()(a, b) or ops.Multiply()(a, b)."
        )

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __matmul__ = __truediv__ = _no_arithmetic

    def __bool__(self) -> bool:
        raise BadArgument(
            f"{self}: a value has no truth value while the space is being written.\n"
            "  To build a part or not use da.optional; to choose between parts da.or_."
        )

    def __repr__(self) -> str:
        if self.index < self.fragment.n_inputs:
            return f"<value: input {self.index}>"
        port = "" if self.port is None else f"[{self.port}]"
        return f"<value: {self.fragment.call_at[self.index].module.base_name}{port}>"
