"""Commands about a space: its size, samples of it, tables and pictures."""

from __future__ import annotations

import dataclasses
import json
import random
import sys
from pathlib import Path
from typing import Annotated, Any, Literal, TextIO

import typer

from deep_arch.command_line.telling import as_text, errors_told
from deep_arch.command_line.written_specs import read_specs
from deep_arch.errors import BadArgument, NotCountable, is_kind
from deep_arch.language.specs import Inputs
from deep_arch.spaces.architecture import Architecture
from deep_arch.spaces.named_spaces import find_space
from deep_arch.spaces.space import SearchSpace

Space = Annotated[str, typer.Argument(metavar="SPACE", help="package.module:name, or path/file.py:name.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, for scripts.")]
Form = Literal["table", "json", "picture"]


def size(space: Space, as_json: AsJson = False) -> None:
    """Count the architectures of a space, exactly.

    \b
    deep-arch size net.py:net
    deep-arch size net.py:net --json      {"space": "net", "size": 1010100}; null where it is infinite
    """
    with errors_told() as out:
        found = find_space(space)
        n = found.size()
        if as_json:
            print(as_text({"space": found.name, "size": n if isinstance(n, int) else None}), file=out)
        else:
            print(f"{n:,}" if isinstance(n, int) else "infinite", file=out)


def sample(
    space: Space,
    number: Annotated[int, typer.Option("--number", "-n", min=1, help="How many.")] = 1,
    seed: Annotated[int | None, typer.Option(help="For the same draws each time.")] = None,
    uniform: Annotated[
        Literal["choices", "architectures"],
        typer.Option(help="Each hyperparameter from its domain, or each architecture equally likely."),
    ] = "choices",
    as_json: AsJson = False,
) -> None:
    """Draw architectures, and print their values.

    \b
    deep-arch sample net.py:net
    deep-arch sample net.py:net --number 3 --seed 0 --uniform architectures
    deep-arch sample net.py:net --json | deep-arch show net.py:net --values @-
    """
    with errors_told() as out:
        found, rng = find_space(space), random.Random(seed)
        drawn = [found.sample(rng, uniform=uniform) for _ in range(number)]
        if as_json:
            print(as_text([json.loads(architecture.to_json()) for architecture in drawn]), file=out)
        else:
            print("\n\n".join(map(listed_values, drawn)), file=out)


def listed_values(architecture: Architecture) -> str:
    """Return the values, one a line."""
    lines = [f"{address}: {value!r}" for address, value in architecture.values.items()]
    return "\n".join(lines or ["(a space without choices)"])


def show(
    space: Space,
    values: Annotated[
        str | None,
        typer.Option(metavar="JSON|@FILE", help="Values to show it with, some or all, as JSON; @- reads them."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Show the architecture that is drawn with it.")] = None,
    inputs: Annotated[
        str | None,
        typer.Option(metavar="SPECS", help="image:CxHxW, vector:N, sequence:LxN, tokens:L or tensor:...; see below."),
    ] = None,
    form: Annotated[Form | None, typer.Option("--format", help="A table, unless --output ends like a picture.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file; pictures end in .svg, .png, .pdf or .dot.")
    ] = None,
) -> None:
    """Show a space or an architecture: table, JSON or picture.

    \b
    deep-arch show net.py:net
    deep-arch show net.py:net --seed 0 --inputs vector:8
    deep-arch show net.py:net --values '{"repeat.times": 2}' --output net.svg
    deep-arch best --json | deep-arch show net.py:net --values @- --inputs vector:8 --json

    Inputs have sizes without the batch, channels first, and may have a type: image:3x32x32:float64. Those of several
    inputs are named: left=vector:8,right=tokens:128x5000.
    """
    with errors_told() as out:
        found = find_space(space)
        architecture = _chosen(found, values, seed)
        specs = None if inputs is None else read_specs(inputs)
        wanted = "json" if as_json else form or _form(output)
        if wanted == "picture":
            _draw(architecture or found.start(), specs, output, out)
        else:
            text = (_table if wanted == "table" else _document)(found, architecture, specs)
            print(text, file=out) if output is None else output.write_text(text + "\n", encoding="utf-8")


def _form(output: Path | None) -> Form:
    from deep_arch.visualization.dot.rendering import FORMATS

    return "picture" if output is not None and output.suffix in FORMATS else "table"


def _chosen(space: SearchSpace, values: str | None, seed: int | None) -> Architecture | None:
    if values is None:
        return None if seed is None else space.sample(seed)
    if seed is not None:
        raise typer.BadParameter("give --values or --seed, and not both.")
    return Architecture.from_json(json.dumps({"values": _values(values)}), space)


def _values(given: str) -> dict[str, Any]:
    """Return the values of a mapping, of what `Architecture.to_json` writes, or of a list of one."""
    text = _read(given[1:]) if given.startswith("@") else given
    try:
        written: Any = json.loads(text)
    except ValueError as error:
        raise _no_values(text, str(error)) from None
    if is_kind(written, list) and len(written) == 1:
        written = written[0]
    if not is_kind(written, dict):
        raise _no_values(text, f"a {type(written).__name__}")
    inner = written.get("values")
    found: dict[str, Any] = inner if is_kind(inner, dict) else written
    return found


def _no_values(text: str, why: str) -> BadArgument:
    return BadArgument(
        "show: expected --values with one JSON object, address to value, as `sample --json` and `best --json` print it."
        f"\n  Got {text[:80]!r} ({why}).\n  Write --values '{{\"conv2d.filters\": 64}}', or --values @FILE."
    )


def _read(path: str) -> str:
    try:
        return sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadArgument(
            f"show: expected a file with values.\n  Got {path!r}: {error}.\n  Write --values @FILE, or @- to read them."
        ) from None


def _draw(architecture: Architecture, specs: Inputs | None, output: Path | None, out: TextIO) -> None:
    text = architecture.render(output, **({} if specs is None else {"inputs": specs}))
    if output is None:
        print(text, file=out)


def _table(space: SearchSpace, architecture: Architecture | None, specs: Inputs | None) -> str:
    if architecture is None and specs is None:
        return space.summary()
    return (architecture or space.start()).summary(specs)


def _document(space: SearchSpace, architecture: Architecture | None, specs: Inputs | None) -> str:
    at = architecture or space.start()
    written: dict[str, Any] = {**json.loads(at.to_json()), "inputs": list(space.inputs)}
    if architecture is None:
        written["size"] = _size(space)
    written["unassigned"] = [{"address": point.address, "domain": str(point.domain)} for point in at.unassigned]
    if specs is not None:
        written |= {"shapes": at.shapes(specs), "cost": dataclasses.asdict(at.cost(specs))}
    return as_text(written)


def _size(space: SearchSpace) -> int | None:
    try:
        n = space.size()
    except NotCountable:
        return None
    return n if isinstance(n, int) else None
