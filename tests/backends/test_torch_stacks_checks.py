"""What stacks refuse: data without answers, numbers that are none, programs that do not suit their task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.backends.torch_backend import stacks
from deep_arch.errors import BadArgument, ShapeMismatch

N = 40


def net(x: Any) -> Any:
    return ops.Dense(1)(ops.GlobalAveragePooling1D()(x))


def data() -> Any:
    return np.random.default_rng(0).normal(size=(N, 5, 6)).astype(np.float32)


def as_log(x: Any = None, y: Any = None, *valid: Any, **options: Any) -> stacks.Task:
    x = data() if x is None else x
    return stacks.Task(x, (data()[:, 0, 0] > 0) * 1.0 if y is None else y, *valid, **options)


def test_first_weights_of_another_shape() -> None:
    message = r"^dense\.kernel: stacks\.fit needs first weights of shape \(5, 1\), or one number\.\n  Got some of shape"
    with pytest.raises(ShapeMismatch, match=message):
        stacks.fit([da.space(net).at({})], as_log(), [{"dense.kernel": [1, 2, 3]}])


def test_a_loss_that_there_is_not() -> None:
    message = (
        r"^Task: loss is one of 'log', 'softmax', 'squared'\.\n  Got 'square' \(str\)\.\n  Write (.|\n)*mean 'squared'"
    )
    with pytest.raises(BadArgument, match=message):
        stacks.Task(data(), data()[:, 0, 0], loss="square")  # type: ignore[arg-type]


def test_as_many_answers_as_examples() -> None:
    message = r"^Task: expected as many answers as examples\.\n  Got 3 answers \(int\) and inputs of 40 examples\."
    with pytest.raises(BadArgument, match=message):
        stacks.Task(data(), [0, 1, 0])


def holed(part: Any) -> Any:
    part = part.copy()
    part[3, 1, 2:4] = np.nan, np.inf
    return part


WRONG_DATA: dict[str, tuple[Callable[[], Any], str]] = {
    "text": (lambda: as_log(y=["a"] * N), r"^Task: y: expected an array of numbers, .*\n  Got \['a', "),
    "no examples": (lambda: as_log(data()[:0], []), r"^Task: x: expected an array of numbers, of one example at least"),
    "no inputs": (lambda: as_log({}), r"^Task: x: expected one input at least\.\n  Got \{\} \(dict\)"),
    "one number": (lambda: as_log({"a": 3}), r"^Task: x\['a'\]: expected an array of numbers"),
    "complex": (lambda: as_log(data() + 1j), r"^Task: x: expected an array of numbers"),
    "a hole": (lambda: as_log(holed(data())), r"^Task: x has finite numbers\.\n  Got nan at \(3, 1, 2\), one of 2"),
    "answers with a hole": (
        lambda: as_log(y=[np.inf] * N),
        r"^Task: y has finite numbers\.\n  Got inf at \(0,\), one of 40",
    ),
    "other labels": (
        lambda: as_log(y=[1, 2] * 20),
        r"^Task: y: expected 0 or 1 .*\n  Got \[1, 2, 1(.|\n)*Write y == c",
    ),
    "no classes": (
        lambda: as_log(y=[0, -1] * 20, loss="softmax"),
        r"^Task: y: expected a class of 0, 1, 2(.|\n)*Got \[0, -1, (.|\n)*np\.unique",
    ),
    "classes by row": (lambda: as_log(y=np.eye(N), loss="softmax"), r"^Task: y: expected a class of 0, 1, 2"),
    "answers of validation alone": (lambda: as_log(None, None, None, [0, 1]), r"^Task: x_valid: expected an array"),
    "inputs of validation alone": (lambda: as_log(None, None, data()), r"^Task: y_valid: expected an array"),
    "fewer frames": (
        lambda: as_log(None, None, data()[:, :, 1:], [0, 1] * 20),
        r"^Task: examples of training and validation are alike(.|\n)*\(5, 6\) and \(5, 5\)",
    ),
    "one cost": (lambda: as_log(class_weight=[1.0]), r"^Task: class_weight: expected 2 costs(.|\n)*Got \[1\.0\]"),
    "no cost": (lambda: as_log(class_weight=[1, "a"]), r"^Task: class_weight\[1\]: expected a finite number"),
    "a cost below zero": (
        lambda: as_log(class_weight=-1),
        r"^Task: class_weight: expected a finite number(.|\n)*Got -1 ",
    ),
    "a ridge below zero": (lambda: as_log(ridge=-1), r"^Task: ridge: expected a finite number of at least 0"),
}


@pytest.mark.parametrize("name", WRONG_DATA)
def test_wrong_data(name: str) -> None:
    make, message = WRONG_DATA[name]
    with pytest.raises(BadArgument, match=message):
        make()


def test_double_precision_is_taken_as_single() -> None:
    architecture = da.space(net).at({})
    both = [stacks.fit([architecture], as_log(x))[0] for x in (data(), data().astype(float))]
    assert both[1].stacked and (both[0].outputs == both[1].outputs).all()


fit: Any = stacks.fit  # with arguments of whatever type

WRONG_PROGRAMS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "one": (lambda a: fit(a, as_log()), r"^stacks\.fit: expected a list of architectures(.|\n)*fit\(\[architec"),
    "none": (
        lambda a: fit([], as_log()),
        r"^stacks\.fit: expected a list of architectures\.\n  Got \[\] \(list\)",
    ),
    "a space": (
        lambda a: fit([a, a.space], as_log()),
        r"architectures\[1\]: expected an architecture(.|\n)*sample",
    ),
    "no task": (
        lambda a: fit([a], data()),
        r"^stacks\.fit: task: expected a stacks\.Task(.|\n)*stacks\.Task\(x",
    ),
    "few starts": (lambda a: fit([a, a], as_log(), [None]), r"starts: expected a list of 2, one for each arch"),
    "one start": (lambda a: fit([a], as_log(), {"*": 1.0}), r"starts: expected a list of 1(.|\n)*Got \{'\*': 1"),
    "no start": (
        lambda a: fit([a], as_log(), [3]),
        r"starts\[0\]: expected a mapping from addresses(.|\n)*Got 3 ",
    ),
    "steps": (
        lambda a: fit([a], as_log(), steps=-1),
        r"^stacks\.fit: steps: expected an int of at least 0\.\n.*-1",
    ),
    "half a step": (lambda a: fit([a], as_log(), steps=1.5), r"^stacks\.fit: steps: expected an int(.|\n)*1\.5"),
    "noise": (lambda a: fit([a], as_log(), noise=-1), r"^stacks\.fit: noise: expected a finite number"),
    "seed": (lambda a: fit([a], as_log(), seed=-1), r"^stacks\.fit: seed: expected an int of at least 0"),
    "few logits": (
        lambda a: fit([a], stacks.Task(data(), np.arange(N) % 3, loss="softmax")),
        r"^net: stacks\.fit needs 3 numbers (.|\n)*3 classes(.|\n)*Got 1 \(int\)(.|\n)*ops\.Dense\(3\)",
    ),
    "few outputs": (
        lambda a: fit([a], stacks.Task(data(), data()[:, :2, 0], loss="squared")),
        r"^net: stacks\.fit needs 2 numbers (.|\n)*2 answers for each example",
    ),
}


@pytest.mark.parametrize("name", WRONG_PROGRAMS)
def test_wrong_programs(name: str) -> None:
    wrong, message = WRONG_PROGRAMS[name]
    with pytest.raises(BadArgument, match=message):
        wrong(da.space(net).at({}))
