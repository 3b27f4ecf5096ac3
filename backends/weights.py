"""What the `set_weights` of every backend asks of the arrays that it is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from deep_arch.errors import BadArgument, ShapeMismatch, is_kind, nearest


def check_weights(expected: Mapping[str, tuple[int, ...]], given: Mapping[str, Any], backend: str) -> None:
    """Check that weights are those of a model, by name and neutral shape.

    Raises:
        BadArgument: a name is missing, or belongs to no weight, or has no array of numbers.
        ShapeMismatch: one has another shape.
    """
    if not is_kind(given, Mapping):
        raise BadArgument(
            f"{backend}.set_weights: expected a mapping from names to arrays.\n"
            f"  Got {given!r} ({type(given).__name__}).\n  Give what get_weights returned."
        )
    for name in [*expected, *given]:
        if name not in given or name not in expected:
            known = name in expected
            raise BadArgument(
                f"{name}: {backend}.set_weights needs an array for each weight of the model, and no others.\n"
                f"  Got {'none of this name' if known else 'one that the model does not have'}.\n"
                "  Give what get_weights returned for a model of the same architecture."
                + nearest(name, given if known else expected)
            )
    for name, shape in expected.items():
        array = as_numbers(name, given[name], f"{backend}.set_weights")
        if array.shape != shape:
            raise ShapeMismatch(
                f"{name}: {backend}.set_weights needs an array of shape {shape}.\n"
                f"  Got one of shape {array.shape}.\n"
                "  Give what get_weights returned for a model of the same architecture."
            )


def as_numbers(name: str, given: Any, asker: str) -> npt.NDArray[Any]:
    """Return a weight as an array of real numbers.

    Raises:
        BadArgument: it is none.
    """
    try:
        array = np.asarray(given)
    except Exception:  # frameworks raise what they like
        array = np.array(None)
    if np.can_cast(array.dtype, np.float64):
        return array
    raise BadArgument(
        f"{name}: {asker} needs an array of real numbers.\n"
        f"  Got {type(given).__name__} of {getattr(given, 'dtype', array.dtype)}.\n"
        "  Give NumPy arrays: of a tensor that is trained, tensor.detach().cpu().numpy()."
    )
