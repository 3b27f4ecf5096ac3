"""Summaries: an architecture or a space as a table, and as a graph of networkx."""

from __future__ import annotations

import dataclasses
import io
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from deep_arch.errors import DeepArchError, NotCountable, NotSpecified, NotSupported, ShapeMismatch
from deep_arch.extras import require
from deep_arch.language.specs import Spec
from deep_arch.measures.costs import Cost, apply_rule, cost_of, input_specs
from deep_arch.spaces.graph import Argument, GraphCall

if TYPE_CHECKING:
    import networkx

    from deep_arch.spaces.architecture import Architecture, Inputs
    from deep_arch.spaces.space import SearchSpace


def _table(title: str, columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[str]], caption: str) -> str:
    """Return a table as text; a column is its heading and "left" or "right"."""
    require("rich")
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", title_style="")
    for heading, justify in columns:
        table.add_column(heading, justify="right" if justify == "right" else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    text = io.StringIO()
    console = Console(file=text, width=140, color_system=None, markup=False, highlight=False, emoji=False)
    console.print(table)
    lines = [line.rstrip() for line in text.getvalue().rstrip().splitlines()]
    return "\n".join([*lines, *(["", caption] if caption else [])])


def summarize(architecture: Architecture, inputs: Inputs | None) -> str:
    """Return the table of `Architecture.summary`."""
    columns = [("call", "left"), ("operation", "left")]
    if inputs is not None:
        columns += [("output shape", "left"), ("parameters", "right"), ("MACs", "right")]
    rows: list[list[str]] = []
    caption = ""
    specs: list[Spec] = input_specs(architecture, inputs) if inputs is not None else []
    seen: set[str] = set()
    total = Cost(0, 0, 0)
    for call in architecture.graph.calls:
        row = [call.address, describe(call)]
        if inputs is not None:
            try:
                given = apply_rule(call, tuple([specs[i] for i in call.inputs]))
            except (ShapeMismatch, NotSpecified, NotSupported, DeepArchError) as error:
                rows.append([*row, "does not fit" if isinstance(error, ShapeMismatch) else "?", "", ""])
                caption = str(error)
                break
            specs += given
            cost = cost_of(call, tuple(specs))
            tied = call.module_address in seen
            seen.add(call.module_address)
            total += Cost(0, cost.macs, cost.activation_bytes) if tied else cost
            row += [", ".join(map(str, given)), "tied" if tied else f"{cost.parameters:,}", f"{cost.macs:,}"]
        rows.append(row)
    if inputs is not None and not caption:
        frozen = f" and {total.non_trainable:,} numbers that are not trained" if total.non_trainable else ""
        caption = f"{total.parameters:,} parameters{frozen}, {total.macs:,} MACs, "
        caption += f"{total.activation_bytes:,} bytes of activations"
    config = ", ".join(f"{key}={value!r}" for key, value in architecture.config.items())
    waiting = [f"{point.address}: {point.domain}" for point in architecture.unassigned]
    notes = [caption, f"config: {config}" if config else "", *(["unassigned:", *waiting] if waiting else [])]
    return _table(architecture.space.name, columns, rows, "\n".join(filter(None, notes)))


def describe(call: GraphCall) -> str:
    """Return a call's operation with those arguments that are not the defaults, open ones by their domains."""
    shown = {argument.name: _shown(argument) for argument in call.arguments}
    template = call.template
    defaults: dict[str, Any] = (
        {f.name: f.default for f in dataclasses.fields(template)} if dataclasses.is_dataclass(template) else {}
    )
    arguments = [
        f"{name}={shown.get(name) or repr(value)}"
        for name, value in template.arguments.items()
        if name in shown or name not in defaults or defaults[name] != value
    ]
    name = type(template).__name__ if not hasattr(template, "factory") else template.base_name
    return f"{name}({', '.join(arguments)})"


def _shown(argument: Argument) -> str:
    if not argument.is_open:
        return repr(argument.value)
    return f"<{argument.domain}>" if argument.domain is not None else f"<{argument.symbol} of open ones>"


def summarize_space(space: SearchSpace) -> str:
    """Return the table of `SearchSpace.summary`."""
    start = space.start()
    rows = [[p.address, str(p.domain), str(p.domain.size), p.tag or ""] for p in start.unassigned]
    columns = [("hyperparameter", "left"), ("domain", "left"), ("values", "right"), ("tag", "left")]
    try:
        size = space.size()
        counted = (
            "infinitely many" if size == math.inf else f"{size:,}" if size < 10**30 else f"about 10^{_digits(size)}"
        )
    except NotCountable:
        counted = "an unknown number of"
    caption = f"{counted} architectures; choices can lead to hyperparameters that are not reached yet"
    return _table(f"space {space.name}({', '.join(space.inputs)})", columns, rows, caption)


def _digits(size: int | float) -> int:
    return int(size).bit_length() * 30103 // 100000


def to_networkx(architecture: Architecture) -> networkx.MultiDiGraph[str]:
    """Return the graph of `Architecture.to_networkx`."""
    require("networkx")
    import networkx

    graph: networkx.MultiDiGraph[str] = networkx.MultiDiGraph(name=architecture.space.name)
    flow = architecture.graph
    for name in flow.inputs:
        graph.add_node(name, kind="input")
    for call in flow.calls:
        arguments = {a.name: a.value for a in call.arguments if not a.is_open}
        constants = {k: v for k, v in call.template.arguments.items() if k not in {a.name for a in call.arguments}}
        kind = "open" if call.is_open else "call"
        operation = type(call.template).__name__
        graph.add_node(
            call.address,
            kind=kind,
            operation=operation,
            module=call.module_address,
            arguments={**constants, **arguments},
        )
    sources = flow.sources
    for call in flow.calls:
        for position, value in enumerate(call.inputs):
            graph.add_edge(sources[value], call.address, position=position)
    for name, value in zip(flow.output_names, flow.outputs, strict=True):
        graph.add_node(name, kind="output")
        graph.add_edge(sources[value], name, position=0)
    return graph
