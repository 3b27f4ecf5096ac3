"""Substitution modules: the contract of modules that stand for graph that is not built yet.

When its hyperparameters have values, a substitution is replaced by what its function returns for them.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from deep_arch.errors import ArityMismatch, BadArgument
from deep_arch.language.dependence import domain_at, evaluate, roots
from deep_arch.language.domains import Choice, Domain
from deep_arch.language.foreign import plain
from deep_arch.language.formulas import needs_shapes
from deep_arch.language.fragment import Fragment, current_fragment
from deep_arch.language.hyperparameters import Hyperparameter, Independent
from deep_arch.language.late_binding import bound, check_distinct
from deep_arch.language.modules import Module
from deep_arch.language.program import Program
from deep_arch.language.values import Value


class Substitution(Module):
    """A module that stands for graph that is not built yet.

    Attributes:
        made_in: the fragment whose function made it.
        variables: what the variables held that its functions use, when it was made. Those are found among the
            attributes that a subclass sets before it calls `__init__`, the arguments, and their options.
    """

    substitution: ClassVar[bool] = True

    def __init__(
        self,
        arguments: Mapping[str, Any],
        name: str | None = None,
        default_name: str = "",
        path: str | None = None,
    ) -> None:
        held = [*vars(self).values(), *[a for a in arguments.values() if not isinstance(a, Hyperparameter)]]
        self._memories: dict[int, dict[Any, Fragment]] = {}
        self._probing = False
        self.made_in = current_fragment()
        given = {key: h if isinstance(h, Hyperparameter) else plain(h) for key, h in arguments.items()}
        super().__init__(given, name, default_name, path)
        if self.measures:
            raise BadArgument(
                f"{where_is(self)}: what it unfolds to cannot depend on a shape, since the graph is made before shapes "
                f"are known.\n  Got {', '.join(f'{k}={h!r}' for k, h in self.open_arguments if needs_shapes(h))}.\n"
                "  Shapes decide the arguments of operations, da.optional(fn, use=...) and da.or_(fns, which=...)."
            )
        domains = [h.domain for _, h in self.open_arguments if isinstance(h, Independent)]
        options = [d.options for d in domains if isinstance(d, Choice) and any(map(callable, d.options))]
        self.variables = bound(*held, *options)
        check_distinct(held, where_is(self))

    @abstractmethod
    def unfold(self, inputs: Sequence[Value], /, **arguments: Any) -> Any:
        """Compose what stands in this module's place, and return its outputs."""

    def label(self, arguments: Mapping[str, Any], address: str) -> str:
        """Return what the addresses of everything inside add to this module's own.

        Raises:
            ValueOutsideDomain: the arguments have values that mean nothing here.
        """
        return ""

    def enclosing(self, program: Program) -> Fragment:
        """Return the fragment whose things the function may use."""
        return self.made_in or program.root

    def expansions(self, n_inputs: int) -> dict[Any, Fragment]:
        return self._memories.setdefault(n_inputs, {})

    def count_outputs(self, n_inputs: int) -> int:
        """Return how many values a call gives, by unfolding it once at the first values of its hyperparameters."""
        made_in = self.made_in
        if self._probing or made_in is None:
            raise ArityMismatch(
                f"{self.base_name}: the number of outputs is not known yet, so the result cannot be unpacked.\n"
                "  Index the outputs that you need: `pair = module(x); pair[0]`."
            )
        self._probing = True
        try:
            arguments = [h for _, h in self.open_arguments]
            first: dict[Independent, Any] = {}
            for hyperparameter in roots(arguments):
                first[hyperparameter] = _first_value(domain_at(hyperparameter, first))
            values = tuple([evaluate(h, first) for h in arguments])
            fragment = made_in.program.expand(self, values, n_inputs, made_in.where(self))
            only = fragment.outputs[0]
            if len(fragment.outputs) > 1 or only.port is not None or only.levels or only.place < n_inputs:
                return len(fragment.outputs)
            call = fragment.call_at[only.place]
            return call.module.count_outputs(len(call.inputs))
        finally:
            self._probing = False


def _first_value(domain: Domain) -> Any:
    return next(domain.values()) if domain.size < float("inf") else getattr(domain, "low", None)


def where_is(module: Module) -> str:
    return module.owner.where(module) if module.owner is not None else module.base_name
