"""Checks of the data, and of the programs, that stacks are given."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from deep_arch.errors import BadArgument, is_kind, wrong_kind
from deep_arch.language.foreign import as_int, plain
from deep_arch.spaces.architecture import Architecture


def check_programs(architectures: Any, starts: Any) -> None:
    """Raise BadArgument for what is no list of architectures, or no list of as many first weights."""
    if not _is_list(architectures) or not architectures:
        mend = "Write stacks.fit([architecture], task), with one architecture at least."
        raise wrong_kind("stacks.fit", "a list of architectures", architectures, mend)
    for i, each in enumerate(architectures):
        if not is_kind(each, Architecture):
            mend = "Take one of a space, such as space.sample(seed=0) or trial.architecture."
            raise wrong_kind(f"stacks.fit: architectures[{i}]", "an architecture", each, mend)
    if starts is None:
        return
    n = len(architectures)
    if not _is_list(starts) or len(starts) != n:
        mend = "Give a list with None where all first weights are to be drawn."
        raise wrong_kind("stacks.fit: starts", f"a list of {n}, one for each architecture", starts, mend)
    for i, each in enumerate(starts):
        if each is not None and not is_kind(each, Mapping):
            mend = "Give weights by address, such as Fitted.weights, or None to draw them."
            raise wrong_kind(f"stacks.fit: starts[{i}]", "a mapping from addresses to weights", each, mend)


def _is_list(given: Any) -> bool:
    return is_kind(given, Sequence) and not is_kind(given, str)


def check_whole(name: str, given: object) -> None:
    """Raise BadArgument for what is no int of at least 0."""
    n = as_int(given)
    if n is None or n < 0:
        raise wrong_kind(f"stacks.fit: {name}", "an int of at least 0", given, "Leave it out for a good default.")


def check_number(where: str, given: object) -> float:
    """Return a finite number of at least 0.

    Raises:
        BadArgument: it is none.
    """
    number = plain(given)
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number < math.inf:
        raise wrong_kind(where, "a finite number of at least 0", given, "Leave it out for a good default.")
    return float(number)


def as_costs(class_weight: Any) -> float | tuple[float, ...]:
    """Return what examples cost by their class.

    Raises:
        BadArgument: it is neither a number nor a list of numbers.
    """
    if _is_list(plain(class_weight)):
        return tuple([check_number(f"Task: class_weight[{i}]", each) for i, each in enumerate(class_weight)])
    return check_number("Task: class_weight", class_weight)


def check_costs(costs: float | tuple[float, ...], n_classes: int) -> None:
    """Raise BadArgument for a list of costs that lacks some of the classes."""
    if isinstance(costs, tuple) and len(costs) < n_classes:
        mend = "Give a cost for each class, or one number for class 1 alone."
        raise wrong_kind("Task: class_weight", f"{n_classes} costs, one for each class", list(costs), mend)


def as_examples(name: str, given: Any) -> Tensor:
    """Return numbers by example as a tensor; those of double precision as single ones, like all that is fitted.

    Args:
        name: that of the argument, for errors.
        given: an array, or what becomes one.

    Raises:
        BadArgument: it is none, or has no examples, or numbers that are not finite.
    """
    try:
        tensor = torch.as_tensor(given)
    except (TypeError, ValueError, RuntimeError):
        tensor = torch.tensor(0)
    if tensor.dim() == 0 or not len(tensor) or tensor.is_complex():
        mend = "Give an array whose first axis is that of the examples."
        raise wrong_kind(f"Task: {name}", "an array of numbers, of one example at least", given, mend)
    tensor = tensor.float() if tensor.dtype == torch.float64 else tensor
    wrong = ~torch.isfinite(tensor)
    if wrong.any():
        at = tuple(wrong.nonzero()[0].tolist())
        raise BadArgument(
            f"Task: {name} has finite numbers.\n  Got {tensor[at].item()} at {at}, one of {int(wrong.sum())}.\n"
            "  Fill what is missing, or leave such examples out."
        )
    return tensor


def as_answers(name: str, given: Any, loss: str) -> Tensor:
    """Return answers as a loss takes them: classes as they are, all else as (examples, outputs).

    Raises:
        BadArgument: they are not what the loss compares programs with.
    """
    answers = as_examples(name, given)
    if loss == "softmax":
        whole = answers.dim() == 1 and bool(((answers >= 0) & (answers == answers.floor())).all())
        if not whole:
            mend = "Write np.unique(y, return_inverse=True)[1] to number classes."
            raise wrong_kind(f"Task: {name}", "a class of 0, 1, 2, ... for each example", _shown(answers), mend)
        return answers.long()
    if loss == "log" and not ((answers == 0) | (answers == 1)).all():
        mend = "Write y == c for the class c against all others, or loss='softmax' for several classes."
        raise wrong_kind(f"Task: {name}", "0 or 1 for each example", _shown(answers), mend)
    return answers.float().reshape(len(answers), -1)


def check_outputs(answers: Tensor, loss: str, n: int, address: str) -> None:
    """Raise BadArgument for a program whose outputs are too few, or too many, for the answers.

    Args:
        answers: as a loss takes them.
        loss: its name.
        n: the number of outputs.
        address: of what they come from.
    """
    wanted = int(answers.max()) + 1 if loss == "softmax" else answers.shape[1]
    if n >= wanted if loss == "softmax" else wanted in (1, n):
        return
    what = "classes" if loss == "softmax" else "answers for each example"
    raise BadArgument(
        f"{address}: stacks.fit needs {wanted} numbers for each example, since the task has {wanted} {what}.\n"
        f"  Got {n} (int).\n  End the program with ops.Dense({wanted})."
    )


def _shown(answers: Tensor) -> list[Any]:
    return answers[:5].tolist()
