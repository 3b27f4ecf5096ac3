from __future__ import annotations

import numpy as np
import pytest

from deep_arch.testing.program_tasks import LENGTH, PARTS, PROGRAMS, leaf, logits, program_task, sequences, term


def test_twenty_programs_of_at_most_seven_nodes() -> None:
    assert len(PROGRAMS) == 20 and len(set(map(str, PROGRAMS.values()))) == 20
    assert max(program.size for program in PROGRAMS.values()) == 7
    assert sum(program.folds for program in PROGRAMS.values()) == 6
    assert str(PROGRAMS["far"]) == "Last4(Add(Turn, Multiply(Speed, Distance)))" and PROGRAMS["far"].size == 6


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_true_program_is_mostly_right(name: str) -> None:
    task = program_task(name)
    for part, n in PARTS.items():
        assert task.x[part].shape == (n, 8, LENGTH) and task.x[part].dtype == np.float32
        assert 0.25 < task.y[part].mean() < 0.75
        assert 0.86 < task.accuracy(part) < 0.99
    assert abs(task.accuracy("train") - task.accuracy("test")) < 0.03


def test_a_seed_gives_the_same_task_and_another_seed_another() -> None:
    first, again, other = program_task("latch"), program_task("latch"), program_task("latch", seed=1)
    for part in PARTS:
        assert (first.x[part] == again.x[part]).all() and (first.y[part] == again.y[part]).all()
    assert not (first.x["test"] == other.x["test"]).all()
    assert not (first.x["test"][:600] == first.x["valid"]).any(axis=(1, 2)).all()


def test_labels_are_drawn_from_what_the_program_gives() -> None:
    task = program_task("affine")
    z = logits(task.program, task.x["test"])
    near = abs(z - 1) < 0.5
    assert task.y["test"][near].mean() == pytest.approx(1 / (1 + np.exp(-1)), abs=0.08)


def test_programs_average_windows_and_fold_bodies() -> None:
    x = sequences(np.random.default_rng(0), 5)
    speed, turn = x[:, :2].astype(float), x[:, 2].astype(float)
    assert logits(term("Last4", leaf("Turn", 2, 1)), x) == pytest.approx(2 * turn[:, 8:].mean(1) + 1)
    assert logits(term("Middle4", leaf("Turn", 2, 1)), x) == pytest.approx(2 * turn[:, 4:8].mean(1) + 1)
    assert logits(term("Whole", leaf("Speed", 1, -1, 0)), x) == pytest.approx((speed[:, 0] - speed[:, 1]).mean(1))
    assert logits(term("Fold", leaf("Turn", 1, 0.5, 0)), x) == pytest.approx(turn @ 0.5 ** np.arange(LENGTH)[::-1])
    last = np.full(5, 0.0)
    for t in range(LENGTH):
        gate = 1 / (1 + np.exp(-turn[:, t]))
        last = gate * 2 + (1 - gate) * (last * turn[:, t])
    latch = term(
        "ITE",
        leaf("Turn", 1, 0, 0),
        leaf("Size", 0, 0, 2),
        term("Multiply", leaf("Size", 0, 1, 0), leaf("Turn", 1, 0, 0)),
    )
    assert logits(term("Fold", latch), x) == pytest.approx(last)
    either = term(
        "SimpleITE",
        term("Last8", leaf("Size", 0, 50)),
        term("Last4", leaf("Turn", 1, 0)),
        term("Fold", leaf("Size", 1, 1, 0)),
    )
    assert logits(either, x) == pytest.approx(turn[:, 8:].mean(1))
