"""Initial weights of a torch model: those of every backend for the neutral operations, torch's own for the others."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Mapping
from typing import Any

import torch
from torch import nn
from torch.nn import init
from torch.overrides import TorchFunctionMode

from deep_arch.backends.build_plan import BuildPlan, BuildStep
from deep_arch.backends.initial import draw_weights
from deep_arch.backends.torch_backend.storage import Stored
from deep_arch.backends.torch_backend.weights import tensors_at, write

_DRAWS = frozenset({init.uniform_, init.normal_, init.kaiming_uniform_, init.xavier_uniform_})


class Undrawn(TorchFunctionMode):
    """Spare the random numbers that torch's layers begin with, where others take their place at once."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Leave what would be drawn as it is in memory, and do the rest."""
        given = kwargs or {}
        return given["tensor"] if func in _DRAWS else func(*args, **given)


def is_native(step: BuildStep) -> bool:
    """Return whether a step lowers itself, and so draws its own weights and names them as torch does."""
    return hasattr(step.module, "to_torch")


@contextlib.contextmanager
def seeded(number: int | None) -> Generator[int]:
    """Draw what torch draws from a seed, on the CPU so that each device gets the same weights.

    None draws from torch's global generator, and where its weights stay. Gives the seed of what torch does not draw.
    """
    if number is None:
        yield int(torch.randint(2**63 - 1, (), device="cpu"))
        return
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):  # pyright: ignore[reportUnknownMemberType]
        torch.default_generator.manual_seed(number % 2**64)  # which takes no other ints
        yield number


def initialise(root: nn.Module, plan: BuildPlan, stored: Mapping[str, Stored], seed: int) -> None:
    """Give the neutral operations the weights that every backend draws for them from a seed."""
    with torch.no_grad():
        for name, weight in draw_weights(plan, seed, own="to_torch").items():
            write(stored[name], tensors_at(root, stored[name]), weight)
