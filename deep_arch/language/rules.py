"""Rules: functions that unfold only when reached, so that a space may be recursive."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from deep_arch.errors import BadArgument, ScopeError
from deep_arch.language import by_value
from deep_arch.language.applying import apply
from deep_arch.language.by_value import Origin, found_or_made
from deep_arch.language.expressions import call_pieces
from deep_arch.language.foreign import unboxed
from deep_arch.language.fragment import Fragment, current_fragment
from deep_arch.language.hyperparameters import Hyperparameter
from deep_arch.language.late_binding import bound
from deep_arch.language.modules import Module
from deep_arch.language.parts import DELETE, Part, key_step
from deep_arch.language.program import Program, expansion_key
from deep_arch.language.substitution import Substitution
from deep_arch.language.values import Value
from deep_arch.language.written import is_program

if TYPE_CHECKING:
    from deep_arch.language.recording import Recording


class Rule:
    """A function whose calls give modules that unfold only when reached; see `rule`."""

    def __init__(self, fn: Callable[..., Any]) -> None:
        functools.update_wrapper(self, fn, updated=())
        self.fn = fn
        self.defined_in = current_fragment()
        self.variables = bound(fn, global_too=False)  # settings at the head of a program may come after its rules
        self.arrived: tuple[Origin, bytes] | None = None  # as what it came, where it came by value

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the rule's module at these arguments; called on values instead, that module's result.

        Outside of a space's function it is a part of a program.
        """
        on_values = [isinstance(a, Value) for a in (*args, *kwargs.values())]
        if any(on_values) and (not all(on_values) or kwargs):
            raise BadArgument(
                f"{self.fn.__name__}: a rule is called on values alone, or on plain arguments alone.\n"
                f"  Got {args!r} {kwargs or ''}.\n"
                "  Let the rule take the plain arguments and return a function of values."
            )
        if any(on_values):
            return _RuleCall(self, (), {}, direct=True)(*args)
        if current_fragment() is None:
            return Grown(self, unboxed(args), unboxed(kwargs))
        return _RuleCall(self, unboxed(args), unboxed(kwargs), direct=False)

    def __reduce__(self) -> str | tuple[Any, ...]:
        if by_value.is_writing():
            return Rule, (self.fn,)
        if self.arrived is not None:
            return found_or_made, (Rule, *self.arrived)
        module, name = self.fn.__module__, self.fn.__qualname__
        data = by_value.written(self.fn, module)
        return name if data is None else (found_or_made, (Rule, Origin.at(module, name), data))


class _RuleCall(Substitution):
    """One use of a rule: what it unfolds to is remembered by the rule and its arguments.

    Attributes:
        rule: what is used.
    """

    deepens: ClassVar[bool] = True

    def __init__(
        self, rule: Rule, args: tuple[Any, ...], kwargs: dict[str, Any], direct: bool, path: str | None = None
    ) -> None:
        self.rule, self._args, self._kwargs, self._direct = rule, args, kwargs, direct
        super().__init__({}, default_name=rule.fn.__name__, path=path)
        if path is not None:
            self.lead = "."
        self.variables = (*rule.variables, *self.variables)
        if self.made_in is None:
            raise ScopeError(
                f"{rule.fn.__name__}: a rule is used inside a search-space function.\n"
                "  Got a call with no such function running.\n  Write `@da.space def net(x): return "
                f"{rule.fn.__name__}()(x)`."
            )
        self._home = _deepest([*args, *kwargs.values()]) or rule.defined_in or self.made_in.program.root

    @functools.cached_property
    def applied_to(self) -> tuple[Any, ...]:
        """The rule's arguments in the order of its parameters, defaults included; of keywords, pairs with their names.

        So that one application has one form, however it is written.
        """
        if self._direct:
            return ()
        try:
            bound = inspect.signature(self.rule.fn).bind(*self._args, **self._kwargs)
        except (TypeError, ValueError):  # some builtins have no signature
            return (*self._args, *sorted(self._kwargs.items()))
        bound.apply_defaults()
        return (*bound.args, *sorted(bound.kwargs.items()))

    def expansions(self, n_inputs: int) -> dict[Any, Fragment]:
        assert self.made_in is not None, "checked when it was made"
        key = (self.rule, self._direct, n_inputs, expansion_key((*self._args, *sorted(self._kwargs.items()))))
        return self.made_in.program.rules.setdefault(key, {})

    def enclosing(self, program: Program) -> Fragment:
        return self._home

    def lexical_levels(self, fragment: Fragment) -> int:
        return fragment.levels_to(self._home, self)

    def unfold(self, inputs: Sequence[Value], /, **arguments: Any) -> Any:
        if self._direct:
            return apply(self.rule.fn, inputs, self.base_name)
        made = self.rule.fn(*self._args, **self._kwargs)
        return made if not inputs and is_program(made) else apply(made, inputs, self.base_name)

    def _as_part(self) -> Part:
        """Return what a use of the rule is as an argument of a recorded call, or as a candidate."""
        return Grown(self.rule, self._args, self._kwargs)


class Grown(Part):
    """A use of a rule in a program, which unfolds only when reached.

    Attributes:
        rule, args, kwargs: the rule and what it is called on.
    """

    __slots__ = ("args", "kwargs", "rule")

    def __init__(self, rule: Rule, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        self.rule, self.args, self.kwargs = rule, args, dict(kwargs)

    def title(self) -> str:
        return self.rule.fn.__name__

    def held(self) -> list[tuple[str, Any]]:
        by_position = [(f"[{i}]", value) for i, value in enumerate(self.args)]
        return [*by_position, *[(key_step(name), value) for name, value in self.kwargs.items()]]

    def holding(self, held: Sequence[Any]) -> Any:
        n = len(self.args)
        kept = {key: value for key, value in zip(self.kwargs, held[n:], strict=True) if value is not DELETE}
        return Grown(self.rule, tuple([value for value in held[:n] if value is not DELETE]), kept)

    def needs(self) -> list[tuple[str, Any]]:
        return []

    def recorded(self, recording: Recording, path: str) -> Value:
        name = self.rule.fn.__name__
        path = recording.path(path, name) or f".{name}"  # where a rule leads to another, that one stands elsewhere
        return recording.call(_RuleCall(self.rule, self.args, self.kwargs, direct=False, path=path))

    def likeness(self) -> Any:
        return self.rule, tuple(self.kwargs)

    def pieces(self) -> list[Any]:
        return call_pieces(self.rule.fn.__name__, self.args, self.kwargs.items())


def _deepest(arguments: Sequence[Any]) -> Fragment | None:
    """Return the innermost of the fragments that own hyperparameters or modules among the arguments."""
    owners = [a.owner for a in arguments if isinstance(a, Hyperparameter | Module) and isinstance(a.owner, Fragment)]
    return max(owners, key=lambda fragment: fragment.level, default=None)


def rule(fn: Callable[..., Any]) -> Rule:
    """Make calls of `fn` modules that unfold only when reached, so that `fn` may be recursive.

    What a call unfolds to is remembered by the function and the arguments, so a recursive function is a
    context-free grammar: a cyclic graph, which is counted, limited and sampled as such.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> @da.rule
        ... def expr():
        ...     return da.or_([ops.ReLU, lambda: da.sequential(expr, expr)])
        >>> @da.space
        ... def net(x):
        ...     return expr()(x)
        >>> net.size()
        inf
        >>> [net.limit(max_depth=d).size() for d in (1, 2, 3, 4)]
        [1, 2, 5, 26]
    """
    return Rule(fn)
