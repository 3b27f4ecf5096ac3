"""What operations check before they give a shape, and the errors that they raise.

An argument may be a hyperparameter when its operation is constructed, so it is checked when the shape is
asked for. Each check takes the operation, for the message, and the names of what it checks.
"""

from __future__ import annotations

import math
from typing import Any

from deep_arch.errors import BadArgument, ShapeMismatch
from deep_arch.language.modules import Operation
from deep_arch.language.specs import Spec
from deep_arch.ops.windows import output_size, span

_FLOATS = frozenset(("float16", "bfloat16", "float32", "float64"))
_TAKES = {
    0: "(channels, *spatial)",
    1: "(channels, length)",
    2: "(channels, height, width)",
    3: "(channels, depth, height, width)",
}


def misfit(op: Operation, expected: str, got: str, mend: str) -> ShapeMismatch:
    """Return the error for inputs that do not fit."""
    return ShapeMismatch(f"{op.base_name}: expected {expected}.\n  Got {got}.\n  {mend}")


def bad(op: Operation, argument: str, expected: str, mend: str) -> BadArgument:
    """Return the error for an argument of the wrong kind."""
    value = getattr(op, argument)
    return BadArgument(
        f"{op.base_name}: expected {argument} to be {expected}.\n"
        f"  Got {argument}={value!r} ({type(value).__name__}).\n  {mend}"
    )


def is_floating(x: Spec) -> bool:
    """Return whether an input has real numbers."""
    return x.dtype in _FLOATS


def floating(op: Operation, x: Spec) -> None:
    """Check that an input has real numbers, of any rank but 0."""
    if not is_floating(x):
        raise misfit(
            op, "real numbers", str(x), "Put an ops.Embedding before it for tokens, or give its input a float dtype."
        )
    if not x.shape:
        raise misfit(op, "at least one axis", str(x), "Give it a value with channels, such as da.vector(8).")


def spatial(op: Operation, x: Spec, n: int) -> None:
    """Check that an input has real numbers and `n` axes after its channels."""
    floating(op, x)
    if len(x.shape) != n + 1:
        raise misfit(
            op,
            _TAKES[n],
            f"{x}, of rank {x.rank}",
            "Use the operation for that many axes, or put an ops.Reshape before it.",
        )


def same_dtype(op: Operation, inputs: tuple[Spec, ...]) -> None:
    """Check that several inputs have elements of one type."""
    dtype = inputs[0].dtype
    if any(x.dtype != dtype for x in inputs):
        got = " and ".join(f"{x.shape} {x.dtype}" for x in inputs)
        raise misfit(op, "inputs of one dtype", got, "Give the search space inputs of one dtype.")


def frames(op: Operation, x: Spec, mask: Spec) -> None:
    """Check a mask that says of each frame of a sequence whether it is there."""
    length = x.shape[-1]
    if mask.shape not in ((length,), (1, length)):
        raise misfit(
            op,
            f"a mask of ({length}) or (1, {length}), a number for each frame",
            f"{mask} for a sequence {x}",
            f'Give the mask a spec such as da.tensor({length}, dtype="bool"), which is the same for all features.',
        )


def listed(inputs: tuple[Spec, ...]) -> str:
    """Return the shapes of several inputs as a message shows them."""
    return " and ".join(map(str, inputs))


def positive(op: Operation, argument: str) -> int:
    """Return an argument that must be a positive int."""
    value = getattr(op, argument)
    if type(value) is int and value > 0:
        return value
    raise bad(op, argument, "a positive int", f"Give {argument} an int such as 2.")


def ints(value: Any, low: float = -math.inf) -> tuple[int, ...] | None:
    """Return a tuple or list of ints, each at least `low`, as a tuple; or None where it is not one."""
    if type(value) in (tuple, list) and all(type(n) is int and n >= low for n in value):
        return tuple(value)
    return None


def sizes(op: Operation, argument: str, n: int) -> tuple[int, ...]:
    """Return an argument that must be a positive int, or one for each of `n` axes."""
    value = getattr(op, argument)
    if type(value) is int and value > 0:
        return (value,) * n
    result = ints(value, 1)
    if result is not None and len(result) == n:
        return result
    raise bad(op, argument, f"a positive int, or a tuple of {n} of them", f"Give {argument} an int such as 2.")


def axis(op: Any, x: Spec) -> int:
    """Return the axis that an operation works along, which its input must have."""
    mend = "The channels are axis 0, the first axis after them is 1, and the batch is not counted."
    if type(op.axis) is not int or op.axis < 0:
        raise bad(op, "axis", "an int of at least 0", mend)
    if op.axis >= len(x.shape):
        raise misfit(op, f"an input with an axis {op.axis}", f"{x}, of rank {x.rank}", mend)
    return int(op.axis)


def along(axis: int) -> str:
    """Return what messages call the places along an axis."""
    return "channels" if axis == 0 else f"cells along axis {axis}"


def flag(op: Operation, argument: str) -> None:
    """Check an argument that must be True or False."""
    if type(getattr(op, argument)) is not bool:
        raise bad(op, argument, "True or False", f"Give {argument} a bool.")


def is_number(value: Any) -> bool:
    """Return whether an argument is a finite number."""
    return type(value) in (int, float) and math.isfinite(value)


def number(op: Operation, argument: str, low: float = -math.inf, high: float = math.inf) -> None:
    """Check an argument that must be a finite number, at least `low` and below `high`."""
    value = getattr(op, argument)
    if is_number(value) and low <= value < high:
        return
    limits = "" if low == -math.inf else f" of at least {low:g}"
    limits += "" if high == math.inf else f" and below {high:g}"
    raise bad(op, argument, f"a number{limits}", f"Give {argument} a plain int or float within these limits.")


def above_zero(op: Operation, argument: str) -> None:
    """Check an argument that must be a finite number above 0."""
    value = getattr(op, argument)
    if not (type(value) in (int, float) and math.isfinite(value) and value > 0):
        raise bad(op, argument, "a number above 0", f"Give {argument} a plain int or float above 0.")


def one_of(op: Operation, argument: str, options: tuple[str, ...]) -> None:
    """Check an argument that must be one of some names."""
    if getattr(op, argument) not in options:
        raise bad(op, argument, " or ".join(map(repr, options)), "Check its spelling; names are in lower case.")


def padding(op: Any, causal: bool = False) -> None:
    """Check the padding of what slides a window; `causal` says whether it may be that too."""
    names = ("same", "valid", "causal") if causal else ("same", "valid")
    is_name = isinstance(op.padding, str)
    if is_name and op.padding in names:
        return
    mend = f"put an ops.ZeroPadding{op.ndim}D before it, and use padding='valid'."
    if not is_name:
        mend = f"For a number of cells {mend}"
    elif op.padding == "causal":
        mend = f"'causal' is for Conv1D, DepthwiseConv1D and SeparableConv1D; elsewhere {mend}"
    else:
        mend = "Check its spelling; names are in lower case."
    raise bad(op, "padding", " or ".join(map(repr, names)), mend)


def slide(
    op: Any,
    x: Spec,
    kernel: tuple[int, ...],
    strides: tuple[int, ...],
    dilation: tuple[int, ...],
) -> tuple[int, ...]:
    """Return the spatial axes of a window's output."""
    if op.padding != "valid":
        return tuple(-(-size // stride) for size, stride in zip(x.shape[1:], strides, strict=True))
    axes = zip(x.shape[1:], kernel, strides, dilation, strict=True)
    result = tuple(output_size(size, taps, stride, "valid", gap) for size, taps, stride, gap in axes)
    if min(result) < 1:
        window = tuple(span(taps, gap) for taps, gap in zip(kernel, dilation, strict=True))
        raise misfit(
            op,
            f"an input no smaller than its window of {window}, since padding is 'valid'",
            str(x),
            "Use padding='same', a smaller window, or less downsampling before it.",
        )
    return result
