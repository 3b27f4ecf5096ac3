from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

import deep_arch as da
from deep_arch.backends.torch_backend import stacks
from deep_arch.testing.program_language import language
from deep_arch.testing.program_tasks import GROUPS, PROGRAMS, WINDOWS, Term, logits, program_task

SPACE = language(GROUPS, WINDOWS)


def written(program: Term, place: str = "sequence") -> Iterator[tuple[str, str, Term]]:
    """Yield the address of each node's choice, its production, and the node."""
    yield f"{place}/or.which", program.name, program
    inside = f"{place}/or[{program.name}]/" + ("scan/" if program.name == "Fold" else "")
    kind = "sequence" if program.name == "SimpleITE" else "atom"
    for i, part in enumerate(program.parts):
        yield from written(part, inside + kind + (f"_{i}" if i else ""))


@pytest.mark.parametrize("name", PROGRAMS)
def test_true_programs_are_of_the_language_and_compute_the_same(name: str) -> None:
    nodes = list(written(PROGRAMS[name]))
    architecture = SPACE.at({address: production for address, production, _ in nodes})
    assert da.text(architecture) == str(PROGRAMS[name]) and len(architecture.values) == PROGRAMS[name].size
    start = dict[str, object]()
    for address, production, node in nodes:
        if not node.parts:
            dense = f"{address.removesuffix('or.which')}or[{production}]/dense"
            start |= {f"{dense}.kernel": np.array(node.weights[:-1])[:, None], f"{dense}.bias": node.weights[-1:]}
    x = program_task(name).x["valid"]
    (fitted,) = stacks.fit([architecture], stacks.Task(x, np.zeros(len(x))), [start], steps=0)
    assert fitted.stacked and fitted.outputs[:, 0] == pytest.approx(logits(PROGRAMS[name], x), rel=1e-4, abs=1e-3)
    with torch.no_grad():
        model = fitted.model(da.sequence(12, 8))(torch.tensor(x)).numpy()
    assert model == pytest.approx(fitted.outputs, rel=1e-4, abs=1e-4)


def test_programs_are_counted() -> None:
    assert [SPACE.limit(depth).size() for depth in range(4)] == [0, 0, 30, 28470]
    assert [language(GROUPS, WINDOWS, fold=False).limit(depth).size() for depth in range(3)] == [0, 0, 24]


def test_holes_stand_for_functions_of_a_frame_and_of_a_sequence() -> None:
    space = language(GROUPS, WINDOWS, fold=True, hole_units=3)
    assert space.limit(3).size() == SPACE.limit(3).size()
    for values in ({}, {"sequence/or.which": "Last4"}, {"sequence/or.which": "Fold"}):
        relaxed = space.partial(values).completed()
        assert len(relaxed.holes) == 1 and relaxed.shapes(da.sequence(12, 8))
