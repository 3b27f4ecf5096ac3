"""Modules: what a search-space function composes.

Constructing a module makes one set of parameters; each call of it on values makes one node of the
graph. Calling it twice ties the parameters.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NoReturn, TypeVar

from deep_arch.errors import ArityMismatch, BadArgument, DeepArchError, NotSupported, ScopeError, is_kind, wrong_kind
from deep_arch.language import scope
from deep_arch.language.foreign import unboxed
from deep_arch.language.formulas import ShapeOf, measures
from deep_arch.language.fragment import Fragment
from deep_arch.language.hyperparameters import Hyperparameter, lift
from deep_arch.language.late_binding import bound, check_bound
from deep_arch.language.operation_classes import OperationClass, fitted, make_again
from deep_arch.language.specs import Spec
from deep_arch.language.values import Value
from deep_arch.language.weights import Weight

_SelfModule = TypeVar("_SelfModule", bound="Module")
_SelfOperation = TypeVar("_SelfOperation", bound="Operation")
_SelfWrapped = TypeVar("_SelfWrapped", bound="Wrapped")
_NAME = re.compile(r"[^\W\d]\w*\Z")


@functools.lru_cache(maxsize=1000)
def snake_case(name: str) -> str:
    """Return a class name as Keras writes layer names: Conv2D gives conv2d, MaxPooling2D max_pooling2d."""
    name = re.sub(r"\W+", "_", name).strip("_").replace("ReLU", "Relu").replace("SiLU", "Silu") or "module"
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)).lower().replace("__", "_")


class Module:
    """One operation with its own parameters; its arguments may be hyperparameters.

    Attributes:
        arguments: argument name to constant or hyperparameter.
        base_name: the name that addresses show, before `_1`, `_2`, ... tell its namesakes apart.
        explicit_name: whether the user chose that name.
        measures: what its arguments take from shapes of values; those are known when a backend builds it.
        path: where it stands in a program, which is its name there; None for a module that is named like others.
    """

    substitution: ClassVar[bool] = False
    """Whether the module stands for graph that is not built yet."""
    deepens: ClassVar[bool] = False
    """Whether an unfolding counts as one application of a rule."""
    order_immaterial: ClassVar[bool] = False
    """Whether every value of the arguments gives the same parts in another order."""
    nested: ClassVar[bool] = False
    """Whether what it unfolds to at fewer `times` is the beginning of what it unfolds to at more."""
    makes: ClassVar[bool] = False
    """Whether a call gives an object, and no tensor: it has a `make` (see `Maker`)."""
    closed: bool = False
    """Whether it is declared that nothing in what it unfolds to is left to decide, whatever the arguments are."""
    lead: str = ""
    """What names begin with in what it unfolds to, such as the slash of `repeat[1]/...`; if empty, one ends its own."""
    source: bool = False
    """Whether it is called on no values."""

    arguments: Mapping[str, Any]
    base_name: str
    explicit_name: bool
    measures: tuple[ShapeOf, ...]
    name_in_owner: str
    path: str | None

    def __init__(
        self,
        arguments: Mapping[str, Any],
        name: str | None = None,
        default_name: str = "",
        path: str | None = None,
    ) -> None:
        if name is not None and not (is_kind(name, str) and _NAME.match(name)):
            raise BadArgument(
                f"{type(self).__name__}: name must be an identifier, since it becomes part of addresses.\n"
                f"  Got {name!r}.\n  Use letters, digits and underscores, such as name='stem'."
            )
        self.arguments = {key: lift(value) for key, value in arguments.items()}
        self.open_arguments = tuple((k, v) for k, v in self.arguments.items() if isinstance(v, Hyperparameter))
        self.measures = measures(v for _, v in self.open_arguments)
        self.explicit_name, self.path = name is not None, path
        self.base_name = self.name_in_owner = name or default_name or snake_case(type(self).__name__)
        self.single = type(self).n_outputs is Module.n_outputs  # spares the inner loop a property
        self.shared = False  # whether one instance is called from several places
        self.owner = scope.current()
        if self.owner is not None:
            self.owner.add_module(self)

    def __call__(self, *values: Value, **named: NoReturn) -> Value:
        """Record one call of this module and return its result, to be indexed or unpacked if it gives several."""
        recorder = scope.current()
        if not hasattr(self, "open_arguments"):
            raise BadArgument(
                f"{type(self).__name__}: is no operation, and its __init__ did not call that of da.Module.\n"
                f"  Got a call of it.\n  Derive the class from da.Operation, or make modules of anything with da.wrap."
            )
        if recorder is None:
            raise ScopeError(
                f"{self.base_name}: a module is called on values inside a search-space function.\n"
                f"  Got a call with no such function running.\n"
                "  Write the calls in a function and give it to da.space."
            )
        if named:
            given: Mapping[str, object] = named
            known = [f"{name}=..." for name in given if name in self.arguments]
            raise BadArgument(
                f"{recorder.where(self)}: a module is called on values in their order, without names.\n"
                f"  Got {', '.join([f'{name}={value!r}' for name, value in given.items()])}.\n"
                f"  Give {', '.join(known) or 'what is no value'} where the module is made, and values as module(a, b)."
            )
        for value in values:
            if not is_kind(value, Value):
                raise BadArgument(
                    f"{recorder.where(self)}: a module is called on values, which are the function's parameters and "
                    f"the results of other calls.\n  Got {value!r} ({type(value).__name__}).\n"
                    "  Several values are given as module(a, b), not as a list."
                )
        if not values and not self.source:
            raise ArityMismatch(f"{recorder.where(self)}: a module is called on at least one value.\n  Got none.")
        return recorder.call(self, values)

    def __repr__(self) -> str:
        return f"{self.base_name}({', '.join(f'{k}={v!r}' for k, v in self.arguments.items())})"

    @property
    def n_outputs(self) -> int:
        """How many values a call gives; asked of a module whose arguments are constants."""
        return 1

    def count_outputs(self, n_inputs: int) -> int:
        """Return how many values a call on `n_inputs` values gives, for unpacking.

        Raises:
            ArityMismatch: it depends on hyperparameters that are open.
            BadArgument: the module's own `n_outputs` is no number of outputs.
        """
        if not self.single and self.open_arguments:
            raise ArityMismatch(
                f"{self.base_name}: the number of outputs depends on open hyperparameters, so it cannot be unpacked.\n"
                "  Index the outputs that you need: `parts = module(x); parts[0]`."
            )
        return n_outputs_of(self)

    def lexical_levels(self, fragment: Fragment) -> int:
        """Return how many fragments up from `fragment` the one lies that encloses this module's function."""
        return fragment.levels_to(self.owner, self)

    def expansions(self, n_inputs: int) -> dict[Any, Fragment]:
        """Return the memory of what a call on `n_inputs` values unfolds to, by the values of the open arguments."""
        raise NotImplementedError

    def resolved(self: _SelfModule, values: tuple[Any, ...]) -> _SelfModule:
        """Return a copy whose open arguments hold `values`, in the order of `open_arguments`."""
        clone = copy.copy(self)
        clone.arguments = {**self.arguments, **{k: v for (k, _), v in zip(self.open_arguments, values, strict=True)}}
        clone.open_arguments = ()
        return clone


def n_outputs_of(module: Module) -> int:
    """Return how many values a call of a module with constant arguments gives.

    Raises:
        BadArgument: its arguments give no such number.
    """
    n: Any = None
    try:
        n = module.n_outputs
    except (TypeError, ValueError, AttributeError) as error:
        if isinstance(error, DeepArchError):
            raise
    if type(n) is int and n > 0:
        return n
    names = " and ".join(module.arguments) or "n_outputs"
    raise BadArgument(
        f"{module.base_name}: expected {names} to give a positive int as the number of outputs.\n"
        f"  Got {'none' if n is None else repr(n)} from {module!r}.\n  Change {names}."
    )


@dataclasses.dataclass(eq=False, repr=False)
class Operation(Module, metaclass=OperationClass):
    """A framework-neutral operation: a dataclass of its arguments with a shape rule and a cost rule.

    The rules are called on an operation whose arguments are all constants (see `resolved`). A class may have an
    `__init__` of its own in place of a dataclass's: it is called once when the operation is made, on hyperparameters
    too, and again with the values that these get. `docs/own_operations.md` shows an operation of one's own.
    """

    commutative: ClassVar[bool] = False
    """Whether the order of the inputs is immaterial."""
    stateless: ClassVar[bool] = True
    """Whether two modules with equal arguments compute the same: no parameters, no randomness.

    False for a class that defines `weights`, unless it says otherwise."""

    name: str | None = dataclasses.field(default=None, kw_only=True)

    def resolved(self: _SelfOperation, values: tuple[Any, ...]) -> _SelfOperation:
        clone = super().resolved(values)
        kind: Any = type(self)
        given = fitted(kind, {name: clone.arguments[name] for name, _ in self.open_arguments})
        clone.arguments = {**clone.arguments, **given}
        if kind.by_hand or kind.remade:
            make_again(clone)
        else:
            clone._set(given)
        return clone

    def __post_init__(self) -> None:
        """Do what else the class does when an operation is made."""

    def _begin(self, arguments: Mapping[str, Any], name: str | None) -> None:
        """Register with the function that runs; called once the operation is made."""
        Module.__init__(self, arguments, name)
        if not type(self).by_hand:
            self._set(self.arguments)

    def _set(self, arguments: Mapping[str, Any]) -> None:
        for name, value in arguments.items():
            setattr(self, name, value)  # a dataclass with slots does not look into __dict__

    # The rules name their inputs (`x`, or `*inputs` for merges), so the signatures here admit every such choice.

    def shape(self, *inputs: Any, **_: Any) -> Spec | tuple[Spec, ...]:
        """Return the output's spec, or one for each output.

        Raises:
            ShapeMismatch: the inputs do not fit.
            NotSupported: the operation has no shape rule.
        """
        raise NotSupported(
            f"{self.base_name}: an operation needs a shape rule.\n  Got {type(self).__name__} without one.\n"
            f"  Define `def shape(self, x): ...` in {type(self).__name__}; return its input's spec where it keeps it."
        )

    def weights(self, *inputs: Any, **_: Any) -> Mapping[str, Weight]:
        """Return what the operation holds, by name; see `Weight`."""
        return {}

    def parameters(self, *inputs: Any, **_: Any) -> int:
        """Return the number of trained parameters, which is that of `weights` unless a subclass knows better."""
        return sum([weight.size for weight in weights_of(self, inputs) if weight.trained])

    def non_trainable(self, *inputs: Any, **_: Any) -> int:
        """Return the number of parameters that no optimizer changes, such as running means."""
        return sum([weight.size for weight in weights_of(self, inputs) if not weight.trained])

    def macs(self, *inputs: Any, **_: Any) -> int:
        """Return the multiply-accumulates for one example."""
        return 0


def weights_of(operation: Operation, inputs: Sequence[Any]) -> list[Weight]:
    """Return what an operation holds, called on such inputs.

    Raises:
        BadArgument: its class gives something else than weights by name.
    """
    weights: Any = operation.weights(*inputs)
    if not weights and weights.__class__ is dict:
        return []
    if not is_kind(weights, Mapping) or not all(is_kind(weight, Weight) for weight in weights.values()):
        raise wrong_kind(
            f"{operation.base_name}.weights",
            "a mapping from names to da.Weight",
            weights,
            'Return what it holds before training, such as {"kernel": da.Weight((3, 4))}.',
        )
    return list(weights.values())


class Wrapped(Module):
    """A module made of any callable: calling it with the arguments makes the thing that runs.

    Attributes:
        factory: the class or function that was wrapped.
    """

    def __init__(
        self,
        factory: Callable[..., Any],
        arguments: Mapping[str, Any],
        name: str | None = None,
        outputs: int = 1,
        path: str | None = None,
    ) -> None:
        outputs = unboxed(outputs)
        if type(outputs) is not int or outputs < 1:
            raise BadArgument(
                f"wrap: outputs must be a positive int.\n  Got {outputs!r} ({type(outputs).__name__}).\n"
                "  Give how many values a call returns, such as outputs=2."
            )
        self.factory = factory
        self._variables = bound(factory, *arguments.values(), global_too=False)
        self._n_outputs = outputs
        super().__init__(arguments, name, snake_case(getattr(factory, "__name__", type(factory).__name__)), path)
        self.single = outputs == 1

    @property
    def n_outputs(self) -> int:
        return self._n_outputs

    def count_outputs(self, n_inputs: int) -> int:
        return self._n_outputs

    def resolved(self: _SelfWrapped, values: tuple[Any, ...]) -> _SelfWrapped:
        check_bound(self._variables, self.base_name)
        self._variables = ()  # what changes after the space's functions ran, such as a fold, is meant to
        return super().resolved(values)
