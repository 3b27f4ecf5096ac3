"""The three spaces in ConfigSpace: every hyperparameter that can exist, with conditions on those that may not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ConfigSpace import Categorical, ConfigurationSpace, EqualsCondition, InCondition


def _add(space: Any, parent: Any, values: list[Any], child: Any) -> None:
    space.add(child)
    one = len(values) == 1
    space.add(EqualsCondition(child, parent, values[0]) if one else InCondition(child, parent, values))


def poster(space: Any) -> None:
    n = Categorical("n", [1, 2, 4])
    use = Categorical("use", [False, True])
    space.add(n, use, Categorical("conv.filters", [64, 128]))
    _add(space, use, [True], Categorical("rate", [0.25, 0.5]))
    for branch, factor in (("a", 1), ("b", 2)):
        for i in range(4 * factor):
            deep = [v for v in (1, 2, 4) if factor * v > i]
            filters = Categorical(f"{branch}{i}.filters", [64, 128])
            if len(deep) == 3:
                space.add(filters)
            else:
                _add(space, n, deep, filters)


def cell(space: Any) -> None:
    for i in range(6):
        space.add(Categorical(f"edge{i}", ["zero", "identity", "conv1", "conv3", "pool"]))


def chain(space: Any) -> None:
    for i in range(100):
        which = Categorical(f"{i}.which", [0, 1, 2])
        space.add(which)
        _add(space, which, [0], Categorical(f"{i}.0.filters", [8, 16, 32]))
        _add(space, which, [0], Categorical(f"{i}.0.kernel", [1, 2, 3, 4, 5, 6]))
        _add(space, which, [1], Categorical(f"{i}.1.filters", [8, 16, 32]))
        _add(space, which, [1], Categorical(f"{i}.1.strides", [1, 2]))
        _add(space, which, [2], Categorical(f"{i}.2.pool", [2, 3]))
        _add(space, which, [2], Categorical(f"{i}.2.strides", [1, 2]))


def sampler(name: str) -> Callable[[], object]:
    """Return a function that draws one configuration and reads its values."""
    space = ConfigurationSpace(seed=0)
    {"poster": poster, "cell": cell, "chain": chain}[name](space)
    return lambda: dict(space.sample_configuration())
