"""Specs of inputs as text: `image:3x32x32`, or with the names of the inputs `left=vector:8,right=tokens:128x5000`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from deep_arch.errors import BadArgument, nearest
from deep_arch.language import specs
from deep_arch.language.specs import Inputs, Spec

_KINDS: Final[dict[str, tuple[Callable[..., Spec], str, tuple[int, ...]]]] = {
    "image": (specs.image, "CHANNELSxHEIGHTxWIDTH", (3,)),
    "vector": (specs.vector, "FEATURES", (1,)),
    "sequence": (specs.sequence, "LENGTHxFEATURES", (2,)),
    "tokens": (specs.tokens, "LENGTH, or LENGTHxVOCABULARY", (1, 2)),
    "tensor": (specs.tensor, "sizes, channels first", tuple(range(1, 9))),
}
"""Kind of input to what makes its spec, what its sizes are, and how many there may be."""

_FORM: Final = re.compile(r"(?P<kind>\w+):(?P<sizes>\d+(x\d+)*)(:(?P<dtype>\w+))?")


def read_specs(text: str) -> Inputs:
    """Return the spec of the one input, or those of several by name.

    Raises:
        BadArgument: the text is no spec.
    """
    parts = [part.strip().rpartition("=") for part in text.split(",")]
    if len(parts) == 1 and not parts[0][0]:
        return _spec(parts[0][2])
    if unnamed := [spec for name, _, spec in parts if not name]:
        raise BadArgument(
            f"inputs: expected the name of each input.\n  Got {unnamed[0]!r} without one, in {text!r}.\n"
            "  Write --inputs left=vector:8,right=vector:8."
        )
    return {name: _spec(spec) for name, _, spec in parts}


def _spec(text: str) -> Spec:
    found = _FORM.fullmatch(text)
    if found is None or found["kind"] not in _KINDS:
        kind = text.partition(":")[0]
        raise BadArgument(
            f"inputs: expected one of {', '.join(_KINDS)}, a colon, and sizes without the batch.\n  Got {text!r}.\n"
            f"  Write --inputs image:3x32x32, or image:3x32x32:float64 for another type.{nearest(kind, _KINDS)}"
        )
    make, sizes, counts = _KINDS[found["kind"]]
    numbers = [int(size) for size in found["sizes"].split("x")]
    if len(numbers) not in counts:
        raise BadArgument(
            f"inputs: expected {found['kind']}:{sizes}.\n  Got {text!r}, which has {len(numbers)} sizes.\n"
            f"  Write --inputs {found['kind']}:{'x'.join(['8'] * counts[0])}, say."
        )
    options: dict[str, Any] = {"dtype": found["dtype"]} if found["dtype"] else {}
    if options and found["kind"] == "tokens":
        raise BadArgument(f"inputs: tokens are int64.\n  Got {text!r}.\n  Leave the type out.")
    return make(*numbers, **options)
