"""Writing: programs as terms; see `text`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deep_arch.errors import is_kind, wrong_kind
from deep_arch.language.hyperparameters import Independent
from deep_arch.language.values import UNSET
from deep_arch.programs.reading_aloud import remarks
from deep_arch.programs.terms import KEY, OPEN, Scopes, alternatives_of, quoted, short_name, written
from deep_arch.spaces.architecture import Architecture
from deep_arch.spaces.frames import Frame
from deep_arch.spaces.unfolding import unfold


@dataclass
class _Term:
    """One production of a program, or the whole.

    Attributes:
        head: the production's name as it is written; empty for the whole program.
        arguments: address as seen from here to value as it is written, or None where it is left out.
        parts: the productions below, in their order.
        remarks: what is said of weights.
    """

    head: str
    arguments: dict[str, str | None] = field(default_factory=dict[str, "str | None"])
    parts: list[_Term] = field(default_factory=list["_Term"])
    remarks: list[str] = field(default_factory=list[str])


def text(
    architecture: Architecture, weights: Mapping[str, Any] | None = None, names: Sequence[str] | None = None
) -> str:
    """Return a program as a term, such as `Last10Avg(ITE(Overlap, Multiply(AxisRatio, FacingAngle), Speed))`.

    A term is an alternative of an `or_` with those that are chosen below it. Other hyperparameters are named
    arguments, `Window(before=4)(Speed)`, and `?` is a choice without a value. Alternatives that are no words are in
    quotes. `parse` reads the term again, and passes over what is said of weights.

    Args:
        architecture: of any space, partial or specified.
        weights: what `get_weights` of a backend returned: terms say those of their modules in braces, a dense layer's
            as what it adds up, `Speed{0.31*speed - 1.2}`, others as numbers where they are few.
        names: of the channels of the first input, which dense layers read, directly or through what leaves channels
            as they are.

    Raises:
        BadArgument: `architecture` is none, a weight is of no module, or there are too few or too many names.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> @da.rule
        ... def expr():
        ...     return da.or_({"Sum": lambda x: ops.Add()(expr()(x), expr()(x)), "Affine": lambda: ops.Dense(1),
        ...                    "Scaled": lambda x: ops.Scale(initial=da.integer(1, 9))(expr()(x))})
        >>> net = da.space(lambda x: expr()(x))
        >>> program = da.parse("Sum(Affine, Scaled(initial=3)(Affine))", net)
        >>> da.text(program)
        'Sum(Affine, Scaled(initial=3)(Affine))'
        >>> leaf = da.parse("Affine", net)
        >>> da.text(leaf, {"expr.or_Affine.dense.kernel": [[0.31], [-2.0]], "expr.or_Affine.dense.bias": [-1.2]},
        ...         names=["speed", "angle"])
        'Affine{0.31*speed - 2*angle - 1.2}'
    """
    if not is_kind(architecture, Architecture):
        raise wrong_kind("text", "an architecture", architecture, "Write da.text(space.sample(seed=0)).")
    scopes = _described(architecture)
    if weights is not None:
        for address, remark in remarks(architecture, weights, names):
            scopes.around(address)[0].remarks.append(remark)
    return _joined(scopes.root)


def _described(architecture: Architecture) -> Scopes[_Term]:
    """Return the terms of a program."""
    scopes, values = Scopes(_Term("")), architecture.values
    still_open = architecture._unfolding.open  # pyright: ignore[reportPrivateUsage]
    met: set[str] = set()

    def note(hyperparameter: Independent, address: str, frame: Frame) -> Any:
        value = values.get(address, UNSET)
        if address in met:  # without a value it is asked for again and again
            return value
        met.add(address)
        term, name = scopes.around(address)
        said = OPEN if value is UNSET else written(value, hyperparameter.domain)
        alternatives = alternatives_of(hyperparameter, frame)
        if alternatives is None:
            term.arguments[name] = said if value is not UNSET or address in still_open else None
        else:
            term.parts.append(_Term(said))
            scopes.enter(alternatives, value, term.parts[-1])
        return value

    # As it unfolds, with what is decided though nothing depends on it, which `parse` meets as well.
    unfold(architecture.space.program, note)
    return scopes


def _joined(root: _Term) -> str:
    """Return the text of a term; without recursion, since programs may be deep."""
    order = [root]
    for term in order:
        order += term.parts
    texts: dict[int, str] = {}
    for term in reversed(order):
        parts = [texts.pop(id(part)) for part in term.parts]
        texts[id(term)] = _one(term, parts) if term is not root else _whole(term, parts)
    return texts[id(root)]


def _one(term: _Term, parts: Sequence[str]) -> str:
    arguments = _arguments(term)
    groups = [f"({', '.join(group)})" for group in (arguments, parts) if group]
    return term.head + _braced(term) + "".join(groups)


def _whole(root: _Term, parts: Sequence[str]) -> str:
    items = ", ".join([*_arguments(root), *parts])
    return f"{_braced(root)} {items}".strip() if root.remarks else items


def _arguments(term: _Term) -> list[str]:
    said = {address: value for address, value in term.arguments.items() if value is not None}
    names = {address: short_name(address, term.arguments) for address in said}
    return [f"{n if KEY.fullmatch(n) else quoted(n)}={said[a]}" for a, n in names.items()]


def _braced(term: _Term) -> str:
    return f"{{{', '.join(term.remarks)}}}" if term.remarks else ""
