"""Drawing architectures through Graphviz."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from os import PathLike
from pathlib import Path
from typing import Any, Final, Literal

from deep_arch.errors import BadArgument, MissingDependency, nearest
from deep_arch.language.specs import Inputs
from deep_arch.spaces.architecture import Architecture
from deep_arch.spaces.space import SearchSpace, space
from deep_arch.symbolic.changes import program_of
from deep_arch.visualization.dot.digraph import make_digraph
from deep_arch.visualization.dot.graphviz_program import run_dot
from deep_arch.visualization.plan.changes import find_changes
from deep_arch.visualization.plan.planning import plan_drawing
from deep_arch.visualization.plan.supernets import plan_supernet

FORMATS: Final = {".svg": "svg", ".png": "png", ".pdf": "pdf", ".dot": "dot", ".gv": "dot"}
"""The endings of files that `render` writes."""


@dataclass(frozen=True, slots=True)
class Options:
    """The options of `render`.

    Attributes:
        inputs: the specs of the inputs, to show shapes as far as they are known.
        legend: whether a legend says what is what.
        direction: from top to bottom, or from left to right.
    """

    inputs: Inputs | None = None
    legend: bool = True
    direction: Literal["TB", "LR"] = "TB"


def render(architecture: Architecture | SearchSpace, path: str | PathLike[str] | None = None, **options: Any) -> str:
    """Draw an architecture, partial or specified, or a space with nothing assigned, and return the DOT text.

    Args:
        architecture: what to draw.
        path: a file whose ending chooses the format: .svg, .png, .pdf, .dot or .gv. With none, nothing is
            written, and the program `dot` is not needed; nor is it for DOT text.
        options: `inputs`, `legend` and `direction`, see `Options`.

    Raises:
        BadArgument: an option or an ending that does not exist.
        MissingDependency: the graphviz package, or its program `dot`, is not installed.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> @da.space
        ... def net(x):
        ...     return ops.Dense(units=da.choice([10, 20]))(x)
        >>> "units ∈ {10, 20}" in render(net)
        True
        >>> "units = 10" in render(net.start().assign("dense.units", 10), direction="LR")
        True
    """
    return _written(_digraph(architecture, options), path)


def render_supernet(
    space: SearchSpace, mixtures: Mapping[str, Any], path: str | PathLike[str] | None = None, **options: Any
) -> str:
    """Draw a super-network, with every alternative of its relaxed decisions, and return the DOT text.

    The alternatives of a relaxed decision are branches between the same inputs and outputs, each as wide as its
    weight; what has no weight or is not active is thin, grey and dashed. A line inside several alternatives is as wide
    as the product of their weights. Choices among an operation's arguments are bars in its box.

    Args:
        space: whose architectures share the super-network.
        mixtures: address to a `da.Mixture`, or to a value for what is decided, such as `trial.mixtures`; a decision
            that is not among them is drawn as it is while open. Those that others leave unreached are not drawn.
        path: see `render`.
        options: those of `render`.

    Raises:
        BadArgument: no space, no mapping, or an option or ending that does not exist.
        UnknownAddress: the space has no such decision.
        ValueOutsideDomain: a value, or one of a mixture, that a decision cannot take.
        NotCountable: there is too much to draw.
        MissingDependency: see `render`.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> net = da.space(lambda x: da.or_({"conv": ops.Dense(8), "skip": ops.Identity})(x))
        >>> text = render_supernet(net, {"or.which": da.Mixture(("conv", "skip"), (0.7, 0.3))})
        >>> "0.70" in text and "0.30" in text
        True
    """
    checked = _options(options)
    if not isinstance(space, SearchSpace):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise BadArgument(
            f"render_supernet: expected a space.\n  Got {space!r} ({type(space).__name__}).\n"
            "  A super-network is of a space: pass architecture.space, and what is decided among the mixtures."
        )
    drawing = plan_supernet(space, mixtures, checked.inputs)
    return _written(make_digraph(drawing, checked.legend, checked.direction), path)


def render_changes(one: Any, other: Any, path: str | PathLike[str] | None = None, **options: Any) -> str:
    """Draw a program with what differs from another one highlighted, and return the DOT text.

    Args:
        one: the program before, or an architecture or trial of a program's space.
        other: what is drawn: the same, such as the best trial of a search.
        path: see `render`.
        options: those of `render`.

    Raises:
        BadArgument, MissingDependency: see `render`.
        NotSpecified: an architecture that is partial.

    Example:
        >>> import deep_arch as da
        >>> Conv = da.symbolize(complex)
        >>> "real: 8 → 16" in render_changes(Conv(8), Conv(16))
        True
    """
    checked = _options(options)
    before, after = program_of(one), program_of(other)
    drawing = plan_drawing(space(after).start(), checked.inputs, find_changes(before, after))
    return _written(make_digraph(drawing, checked.legend, checked.direction), path)


def _written(digraph: Any, path: str | PathLike[str] | None) -> str:
    text = str(digraph.source)
    if path is not None:
        kind = _format(Path(path))
        if kind == "dot":
            Path(path).write_text(text, encoding="utf-8", newline="\n")
        else:
            Path(path).write_bytes(run_dot(digraph, kind))
    return text


def mimebundle(architecture: Architecture | SearchSpace) -> dict[str, Any]:
    """Return what a notebook shows: a picture, or only the text where Graphviz is not installed."""
    bundle: dict[str, Any] = {"text/plain": repr(architecture)}
    with contextlib.suppress(MissingDependency):
        bundle["image/svg+xml"] = run_dot(_digraph(architecture, {}), "svg").decode()
    return bundle


def _digraph(architecture: Architecture | SearchSpace, given: Mapping[str, Any]) -> Any:
    options = _options(given)
    drawing = plan_drawing(state_of(architecture), options.inputs)
    return make_digraph(drawing, options.legend, options.direction)


def state_of(architecture: Any) -> Architecture:
    """Return an architecture as it is, and a space with nothing assigned.

    Raises:
        BadArgument: it is neither.
    """
    if isinstance(architecture, SearchSpace):
        return architecture.start()
    if isinstance(architecture, Architecture):
        return architecture
    raise BadArgument(
        f"render: expected an architecture or a space.\n  Got {architecture!r} ({type(architecture).__name__}).\n"
        "  Decorate the function with @da.space, and pass it, net.start() or net.sample(seed=0)."
    )


def _options(given: Mapping[str, Any]) -> Options:
    names = [field.name for field in fields(Options)]
    for name in given:
        if name not in names:
            raise BadArgument(
                f"render: has no option {name!r}.\n  Got {name}={given[name]!r}.\n"
                f"  The options are {', '.join(names)}.{nearest(name, names)}"
            )
    options = Options(**given)
    if options.direction not in ("TB", "LR"):
        raise BadArgument(
            f"render: direction is 'TB', from top to bottom, or 'LR', from left to right.\n  Got {options.direction!r}."
        )
    return options


def _format(path: Path) -> str:
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise BadArgument(
            f"render: the file's ending chooses the format, and must be one of {', '.join(FORMATS)}.\n"
            f"  Got {str(path)!r}.\n  Write render({path.stem + '.svg'!r})."
        )
    return kind
