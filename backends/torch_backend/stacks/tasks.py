"""Tasks: the data that programs are fitted to, and what of it needs no weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from deep_arch.backends.torch_backend.stacks.checks import (
    as_answers,
    as_costs,
    as_examples,
    check_costs,
    check_number,
    check_outputs,
)
from deep_arch.backends.torch_backend.stacks.losses import LOSSES, Loss
from deep_arch.backends.torch_backend.stacks.running import FreeValues, Operations
from deep_arch.errors import BadArgument, nearest, wrong_kind
from deep_arch.language.specs import Spec


class Task:
    """Examples with answers, and what a program's loss is.

    Args:
        x: the inputs of the space: an array (examples, channels, ...), or one for each by name; of double precision
            it is taken for one of single precision.
        y: the answers: 0 or 1 for "log", a class for "softmax", numbers for "squared".
        x_valid, y_valid: other examples, on which fitted programs are compared; those of training if left out.
        loss: "log", the logistic loss of each output; "softmax", the cross entropy of the outputs; "squared".
        class_weight: the cost of an example of class 1, or the costs of all classes; the others cost 1.
        ridge: what the square of each weight costs but for constants that are added.

    Raises:
        BadArgument: a loss of another name; arrays without examples, or of as many as the others, or of other shapes;
            numbers that are not finite; answers of another kind than the loss compares with; costs below 0.
    """

    def __init__(
        self,
        x: Any,
        y: Any,
        x_valid: Any = None,
        y_valid: Any = None,
        *,
        loss: Literal["log", "softmax", "squared"] = "log",
        class_weight: float | Sequence[float] = 1.0,
        ridge: float = 1e-3,
    ) -> None:
        if loss not in LOSSES:
            raise BadArgument(
                f"Task: loss is one of {', '.join(map(repr, LOSSES))}.\n  Got {loss!r} ({type(loss).__name__}).\n"
                f"  Write loss='log' for two classes.{nearest(loss, LOSSES)}"
            )
        self.loss = loss
        self.ridge = check_number("Task: ridge", ridge)
        self.run = Operations()
        costs = as_costs(class_weight)
        self.train = Part("", x, y, loss, costs, self.run)
        self.valid = self.train
        if x_valid is not None or y_valid is not None:
            self.valid = Part("_valid", x_valid, y_valid, loss, costs, self.run)
            self._check_alike()

    def _check_alike(self) -> None:
        if self.train.specs != self.valid.specs or self.train.answers.shape[1:] != self.valid.answers.shape[1:]:
            raise BadArgument(
                "Task: examples of training and validation are alike but for their number.\n"
                f"  Got inputs {self.train.specs} and {self.valid.specs}, and answers of shape "
                f"{tuple(self.train.answers.shape[1:])} and {tuple(self.valid.answers.shape[1:])} for each.\n"
                "  Give both the same features, lengths and types."
            )

    def check_outputs(self, n: int, address: str) -> None:
        """Raise BadArgument for a program that gives `n` numbers for each example where that does not suit the task."""
        for part in (self.train, self.valid):
            check_outputs(part.answers, self.loss, n, address)


class Part:
    """One part of the data.

    Attributes:
        inputs: of the space, by name; under "" where there is only one.
        answers: as the loss takes them.
        values: what needs no weights, as it is asked for.
        loss: of what programs give for these examples.
    """

    def __init__(
        self, suffix: str, x: Any, y: Any, loss: str, costs: float | tuple[float, ...], run: Operations
    ) -> None:
        given: Mapping[str, Any] = x if isinstance(x, Mapping) else {"": x}
        self.inputs = {
            name: as_examples(f"x{suffix}[{name!r}]" if name else f"x{suffix}", array) for name, array in given.items()
        }
        if not self.inputs:
            raise wrong_kind(f"Task: x{suffix}", "one input at least", x, "Give an array for each input by its name.")
        self.answers = answers = as_answers(f"y{suffix}", y, loss)
        sizes = {len(array) for array in self.inputs.values()} | {len(answers)}
        if len(sizes) > 1:
            raise BadArgument(
                f"Task: expected as many answers as examples.\n  Got {len(answers)} answers (int) and inputs of "
                f"{', '.join([str(len(array)) for array in self.inputs.values()])} examples.\n"
                "  Give arrays whose first axis is that of the examples."
            )
        check_costs(costs, {"log": 2, "softmax": int(answers.max()) + 1}.get(loss, 0))
        self.loss: Loss = LOSSES[loss](answers, costs)
        self.values = FreeValues(self.inputs, run)

    @property
    def specs(self) -> Any:
        """The specs of the inputs, as backends take them."""
        found = {name: Spec(tuple(a.shape[1:]), str(a.dtype).removeprefix("torch.")) for name, a in self.inputs.items()}
        return found.get("", found)

    def ordered(self, names: Sequence[str]) -> list[Tensor]:
        """Return the inputs in the order of a space's."""
        return [self.inputs.get("", self.inputs.get(name, torch.empty(0))) for name in names]
