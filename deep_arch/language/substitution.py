"""Substitution modules: the contract of modules that stand for graph that is not built yet.

When its hyperparameters have values, a substitution is replaced by what its function returns for them.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from deep_arch.errors import ArityMismatch
from deep_arch.language.dependence import evaluate, roots
from deep_arch.language.domains import Domain
from deep_arch.language.foreign import plain
from deep_arch.language.fragment import Fragment, current_fragment
from deep_arch.language.modules import Module
from deep_arch.language.program import Program
from deep_arch.language.values import Value


class Substitution(Module):
    """A module that stands for graph that is not built yet."""

    substitution: ClassVar[bool] = True

    def __init__(self, arguments: Mapping[str, Any], name: str | None = None, default_name: str = "") -> None:
        self._memories: dict[int, dict[Any, Fragment]] = {}
        self._probing = False
        self.made_in = current_fragment()
        super().__init__(plain(dict(arguments)), name, default_name)

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
            first = {h: _first_value(h.domain) for h in roots(arguments)}
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
