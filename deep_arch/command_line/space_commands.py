"""Commands about a space: its size, samples of it, pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

import deep_arch
from deep_arch.command_line.telling import errors_told, print_json
from deep_arch.command_line.written_calls import made
from deep_arch.errors import BadArgument
from deep_arch.spaces.architecture import Architecture
from deep_arch.spaces.named_spaces import find_space
from deep_arch.spaces.space import SearchSpace

Space = Annotated[str, typer.Argument(metavar="SPACE", help="`package.module:name` or `path/file.py:name`.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, for scripts.")]
Seed = Annotated[int | None, typer.Option(help="For the same draw each time.")]

_SPECS = ("image", "vector", "sequence", "tokens", "tensor")


def size(space: Space, as_json: AsJson = False) -> None:
    """Count the architectures of a space, exactly.

    Example: deep-arch size net.py:net
    """
    with errors_told():
        n = find_space(space).size()
        if as_json:
            print_json({"space": space, "size": n if isinstance(n, int) else None})
        else:
            print(f"{n:,}" if isinstance(n, int) else "infinite")


def sample(
    space: Space,
    number: Annotated[int, typer.Option("--number", "-n", min=1, help="How many.")] = 1,
    seed: Seed = None,
    uniform: Annotated[
        Literal["choices", "architectures"], typer.Option(help="Over what draws are uniform.")
    ] = "choices",
    as_json: AsJson = False,
) -> None:
    """Draw architectures, and print their values.

    With --json each is what `Architecture.from_json` and `show --values` take.

    Example: deep-arch sample net.py:net -n 3 --seed 0
    """
    import random

    with errors_told():
        found, rng = find_space(space), random.Random(seed)
        drawn = [found.sample(rng, uniform=uniform) for _ in range(number)]
        if as_json:
            print_json([json.loads(architecture.to_json()) for architecture in drawn])
            return
        for i, architecture in enumerate(drawn):
            print("\n" * (i > 0) + "\n".join(f"{address}: {value!r}" for address, value in architecture.values.items()))


def show(
    space: Space,
    values: Annotated[
        str | None, typer.Option(help="An architecture: JSON as `sample --json` prints it, or @FILE.")
    ] = None,
    seed: Seed = None,
    inputs: Annotated[
        str | None, typer.Option(help="Specs of the inputs, for shapes and costs: 'image(3, 32, 32)', 'vector(8)'.")
    ] = None,
    form: Annotated[Literal["table", "json", "picture"], typer.Option("--format", help="What to show.")] = "table",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The picture's file: .svg, .png, .pdf or .dot.")
    ] = None,
) -> None:
    """Show a space, or one of its architectures, as a table, JSON or a picture.

    Examples: deep-arch show net.py:net
    deep-arch show net.py:net --seed 0 --inputs 'image(3, 32, 32)'
    deep-arch show net.py:net --seed 0 --format picture -o net.svg
    """
    with errors_told():
        found = find_space(space)
        architecture = _chosen(found, values, seed)
        if output is not None or form == "picture":
            (architecture or found).render(_picture(output, space))
        elif form == "json":
            print_json(_space_json(found) if architecture is None else json.loads(architecture.to_json()))
        elif architecture is None:
            print(found.summary())
        else:
            print(architecture.summary(None if inputs is None else _specs(inputs)))


def _chosen(space: SearchSpace, values: str | None, seed: int | None) -> Architecture | None:
    if values is not None:
        text = Path(values[1:]).read_text() if values.startswith("@") else values
        written = json.loads(text) if text.lstrip().startswith("[") else text
        return Architecture.from_json(json.dumps(written[0]) if isinstance(written, list) else text, space)
    return None if seed is None else space.sample(seed)


def _specs(text: str) -> Any:
    makers = {name: getattr(deep_arch, name) for name in _SPECS}
    return made(text, "inputs", makers, "--inputs 'image(3, 32, 32)'")


def _picture(output: Path | None, space: str) -> Path:
    if output is None:
        raise BadArgument(
            f"show: a picture needs a file.\n  Got none for {space}.\n  Write --output net.svg (or .png, .pdf, .dot)."
        )
    return output


def _space_json(space: SearchSpace) -> dict[str, Any]:
    points = [{"address": point.address, "domain": str(point.domain)} for point in space.start().unassigned]
    n = space.size()
    return {
        "space": space.name,
        "inputs": list(space.inputs),
        "size": n if isinstance(n, int) else None,
        "open": points,
    }
