"""Summaries: an architecture or a space as a table."""

from __future__ import annotations

import dataclasses
import io
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from deep_arch.errors import DeepArchError, NotCountable, ShapeMismatch
from deep_arch.extras import require
from deep_arch.language.depending import Depending
from deep_arch.language.domains import Domain
from deep_arch.language.filling import Hole
from deep_arch.language.hyperparameters import Hyperparameter
from deep_arch.language.part_modules import Maker, Undecided
from deep_arch.language.specs import Spec
from deep_arch.language.values import Late
from deep_arch.measures.costs import Cost, cost_of
from deep_arch.measures.formulas import formula_text
from deep_arch.measures.naming import (
    Names,
    choosing_name,
    domain_lead,
    domain_names,
    input_names,
    is_place,
    is_recorded,
    names_by_address,
    recorded_arguments,
    short_text,
    shown_path,
)
from deep_arch.measures.settling import settle
from deep_arch.measures.shapes import call_specs
from deep_arch.spaces.choice_points import ChoicePoint
from deep_arch.spaces.graph import Argument, Graph, GraphCall
from deep_arch.spaces.regions import Repetitions


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


def summarize(
    name: str,
    graph: Graph,
    specs: Sequence[Spec] | None,
    config: Mapping[str, Any],
    unassigned: Iterable[ChoicePoint],
    waiting: Mapping[str, Depending],
) -> str:
    """Return the table of `Architecture.summary`.

    Args:
        name: of the space.
        graph: what the table lists.
        specs: of the graph's inputs; None leaves shapes and costs out.
        config: the values that `da.config` attached.
        unassigned: what waits for a value.
        waiting: what waits for the values on which its domain depends.
    """
    columns = [("call", "left"), ("operation", "left")]
    names = names_by_address(graph)
    if is_recorded(graph):
        columns = [("path", "left"), ("class", "left"), ("arguments", "left")]
        rows, caption = [_recorded_row(call, names) for call in graph.calls], ""
    elif specs is None:
        rows, caption = [[call.address, describe(call)] for call in graph.calls], ""
    else:
        columns += [("output shape", "left"), ("parameters", "right"), ("MACs", "right")]
        rows, caption = _costed(graph, specs)
    attached = ", ".join(f"{key}={value!r}" for key, value in config.items())
    left = [f"{point.address}: {_domain_text(point.domain, names.get(point.address, {}))}" for point in unassigned]
    left += [f"{a}: {d}" for a, d in waiting.items()]
    notes = [caption, f"config: {attached}" if attached else "", *(["unassigned:", *left] if left else [])]
    return _table(name, columns, rows, "\n".join(filter(None, notes)))


def _costed(graph: Graph, inputs: Sequence[Spec]) -> tuple[list[list[str]], str]:
    """Return a row for each call up to the first that has no shape, and the total, or why there is none."""
    graph, failed, error = settle(graph, inputs)
    rows, caption = _rows(graph, inputs)
    if failed is not None:
        rows.append([failed.address, describe(failed), *_unknown(error)])
    return rows, caption if error is None else str(error)


def _unknown(error: object) -> tuple[str, str, str]:
    return ("does not fit" if isinstance(error, ShapeMismatch) else "?", "", "")


def _rows(graph: Graph, inputs: Sequence[Spec]) -> tuple[list[list[str]], str]:
    specs, seen, total = [*inputs], set[str](), Cost(0, 0, 0)
    rows, repetitions = list[list[str]](), Repetitions(graph)
    for call in graph.calls:
        row = [call.address, describe(call)]
        try:
            given = call_specs(call, tuple([specs[i] for i in call.inputs]))
        except DeepArchError as error:
            rows.append([*row, *_unknown(error)])
            return rows, str(error)
        specs += given
        cost = cost_of(call, tuple(specs)).times(repetitions.of(call, specs))
        tied = call.module_address in seen
        seen.add(call.module_address)
        total += Cost(0, cost.macs, cost.activation_bytes) if tied else cost
        parameters = "tied" if tied else f"{cost.parameters:,}"
        rows.append([*row, ", ".join(map(str, given)), parameters, f"{cost.macs:,}"])
    frozen = f" and {total.non_trainable:,} numbers that are not trained" if total.non_trainable else ""
    caption = f"{total.parameters:,} parameters{frozen}, {total.macs:,} MACs, "
    return rows, caption + f"{total.activation_bytes:,} bytes of activations"


def _domain_text(domain: Domain, names: Names) -> str:
    """Return a domain, by the names of the candidates where they have some."""
    found = domain_names(domain, names)
    if found is None:
        return str(domain)
    return domain_lead(domain) + " | ".join(found)


def _recorded_row(call: GraphCall, names: Mapping[str, Names]) -> list[str]:
    """Return path, class and arguments of a call in a program; what comes in is told by where it stands."""
    module, path = call.template, shown_path(call.address)
    if isinstance(module, Maker):
        return [path or "(all)", module.title, ", ".join(_recorded_arguments(call, module))]
    if isinstance(module, Undecided):
        return [path, module.title, ", ".join([_open_text(a, names) for a in call.arguments])]
    return [path, *_described(call)]


def _recorded_arguments(call: GraphCall, module: Maker) -> Iterator[str]:
    sources = [shown_path(call.shared.sources[i]) for i in call.inputs]
    shown = {choosing_name(a, module): _shown(a) for a in call.arguments}
    for name, value in recorded_arguments(module):
        if isinstance(value, Hole):
            yield f"{name}={sources[value.edge]}"
        else:
            text = shown[name] if isinstance(value, Hyperparameter) else short_text(value)
            yield text if is_place(name) else f"{name}={text}"
    if not input_names(module):
        yield from sources


def _open_text(argument: Argument, names: Mapping[str, Names]) -> str:
    if not argument.is_open or not isinstance(argument.domain, Domain):
        return f"{argument.name}={_shown(argument)}"
    return f"<{_domain_text(argument.domain, names.get(argument.address, {}))}>"


def describe(call: GraphCall) -> str:
    """Return a call's operation with those arguments that are not the defaults, open ones by their domains."""
    name, arguments = _described(call)
    return f"{name}({arguments})"


def _described(call: GraphCall) -> tuple[str, str]:
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
    return name, ", ".join(arguments)


def _shown(argument: Argument) -> str:
    if argument.needs_shapes and (argument.is_open or isinstance(argument.value, Late)):
        return formula_text(argument, with_values=True)
    if not argument.is_open:
        return repr(argument.value)
    return f"<{argument.domain}>" if argument.domain is not None else f"<{argument.symbol} of open ones>"


def summarize_space(
    name: str,
    inputs: Sequence[str],
    unassigned: Iterable[ChoicePoint],
    waiting: Mapping[str, Depending],
    size: Callable[[], int | float],
    graph: Graph,
) -> str:
    """Return the table of `SearchSpace.summary`.

    Args:
        name: of the space.
        inputs: the names of its inputs.
        unassigned: what waits for a value with nothing assigned.
        waiting: what waits for the values on which its domain depends.
        size: returns the number of architectures, or raises NotCountable.
        graph: the calls with nothing assigned, which tell what choices choose from.
    """
    names = names_by_address(graph)
    rows = [
        [p.address, _domain_text(p.domain, names.get(p.address, {})), str(p.domain.size), p.tag or ""]
        for p in unassigned
    ]
    rows += [[address, str(depending), "", ""] for address, depending in waiting.items()]
    columns = [("hyperparameter", "left"), ("domain", "left"), ("values", "right"), ("tag", "left")]
    caption = f"{_counted(size)} architectures; choices can lead to hyperparameters that are not reached yet"
    return _table(f"space {name}({', '.join(inputs)})", columns, rows, caption)


def _counted(size: Callable[[], int | float]) -> str:
    try:
        n = size()
    except NotCountable:
        return "an unknown number of"
    if n == math.inf:
        return "infinitely many"
    return f"{n:,}" if n < 10**30 else f"about 10^{_digits(n)}"


def _digits(size: int | float) -> int:
    return int(size).bit_length() * 30103 // 100000
