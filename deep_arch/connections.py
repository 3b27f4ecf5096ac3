"""Connections: substitutions that join what a function gives with what it was given, by an operation unless told."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from deep_arch.errors import ArityMismatch
from deep_arch.language.applying import Fn, apply, apply_part, check_fn, several
from deep_arch.language.copies import Copies
from deep_arch.language.formulas import shape
from deep_arch.language.hyperparameters import Dependent
from deep_arch.language.selection import select
from deep_arch.language.substitution import Substitution, where_is
from deep_arch.language.values import Value


class DenseBlock(Copies):
    """Copies of `fn`, each on all before it; see `dense_block`."""

    def __init__(self, fn: Fn, times: Any, combine: Fn, name: str | None = None) -> None:
        self._combine = combine
        super().__init__(fn, times, name)
        check_fn(combine, where_is(self))

    def unfold(self, inputs: Sequence[Value], /, **arguments: Any) -> Any:
        if len(inputs) != 1:
            raise ArityMismatch(
                f"{where_is(self)}: a dense block takes one value.\n  Got {len(inputs)}.\n  Combine them before it."
            )
        features, combined = list(inputs), inputs[0]
        for i in range(arguments["times"]):
            features.append(self.copy_of(i, [combined], 0))
            combined = apply(self._combine, features, where_is(self))
        return combined


class Residual(Substitution):
    """`fn` beside a shortcut; see `residual`."""

    lead = "/"

    def __init__(self, fn: Fn, combine: Fn, project: Fn | None, name: str | None = None) -> None:
        self._fn, self._combine, self._project = fn, combine, project
        super().__init__({}, name)
        for each in (fn, combine, project):
            if each is not None:
                check_fn(each, where_is(self))

    def unfold(self, inputs: Sequence[Value], /, **arguments: Any) -> Any:
        here = where_is(self)
        main = several(apply_part(self._fn, inputs, 0, here), len(inputs), here)
        shortcut = list(inputs)
        if self._project is not None:
            projected = several(apply_part(self._project, inputs, 1, here), len(inputs), here)
            for i, (x, y) in enumerate(zip(inputs, main, strict=True)):
                differ = Dependent(operator.ne, (shape(x), shape(y)))
                shortcut[i] = select(differ, {False: [x], True: [projected[i]]}, here)[0]
        return [apply(self._combine, pair, here) for pair in zip(main, shortcut, strict=True)]


def residual(fn: Fn, combine: Fn = None, project: Fn | None = None, *, name: str | None = None) -> Residual:
    """Return a module that is `combine(fn(x), x)`; `combine` is `ops.Add` if left out.

    Where the shapes of `fn(x)` and `x` differ, and `project` is given, it is `combine(fn(x), project(x))`. The graph
    holds both until shapes are known, and hyperparameters of `project` count in any case.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> def block():
        ...     filters = da.choice([16, 32])
        ...     return da.residual(lambda: ops.Conv2D(filters, 3), project=lambda: ops.Conv2D(filters, 1))
        >>> net = da.space(lambda x: da.repeat(block, 2)(x))
        >>> arch = net.at({"repeat[0]/choice": 16, "repeat[1]/choice": 32})
        >>> for address in arch.shapes(da.image(channels=16, height=8, width=8)):
        ...     print(address)  # only the second projects
        repeat[0]/residual[0]/conv2d
        repeat[0]/residual/add
        repeat[1]/residual[0]/conv2d
        repeat[1]/residual[1]/conv2d
        repeat[1]/residual/add

    What `fn` names is addressed as `residual[0]/...`, and what `project` does as `residual[1]/...`.

    References:
        He et al., Deep residual learning for image recognition (2016), equations 1 and 2.
    """
    from deep_arch import ops  # late, since whoever only imports the language does not wait for all operations

    return Residual(fn, ops.Add if combine is None else combine, project, name)


def dense_block(fn: Fn, times: Any, combine: Fn = None, *, name: str | None = None) -> DenseBlock:
    """Return a module of `times` copies of `fn`, each on `combine` of the input and all results before it.

    The result is `combine` of the input and all results; `combine` is `ops.Concatenate` if left out.

    References:
        Huang et al., Densely connected convolutional networks (2017), equation 2.
    """
    from deep_arch import ops  # late, as above

    return DenseBlock(fn, times, ops.Concatenate if combine is None else combine, name)
