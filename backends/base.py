"""What every backend offers, and the checks with which each begins."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from deep_arch.backends.wrapped import NativeModule
from deep_arch.errors import BadArgument, NotSpecified, is_kind
from deep_arch.language.specs import Inputs
from deep_arch.spaces.architecture import Architecture

if TYPE_CHECKING:  # not every backend needs NumPy
    import numpy.typing as npt

_Model = TypeVar("_Model")


class Backend(Protocol[_Model]):
    """What a backend of arrays offers: its package is one, so that `torch_backend` is a `Backend[fx.GraphModule]`.

    Laws, beside those of each function, are those that `deep_arch.testing.BackendContract` tests. `python_backend`,
    through whose programs any values flow, has neither specs nor weights: it offers `build(architecture)` alone.
    """

    def build(self, architecture: Architecture, inputs: Inputs, seed: int | None = None) -> _Model:
        """Return a specified architecture as a model with new weights.

        Neutral operations begin with the weights that every backend draws for them from the same seed, in the type of
        their inputs. Modules that were called several times share their weights.

        Args:
            architecture: what to build.
            inputs: one spec, or one for each of the space's inputs by name.
            seed: what weights are drawn from, which leaves global generators as they were. None draws from these.

        Raises:
            NotSpecified: hyperparameters are left without a value.
            ShapeMismatch: an operation that its inputs do not fit.
            NotSupported: an operation without lowering.
            BadArgument: `seed` is no int, an input has no spec, or an argument is of the wrong kind.
        """
        ...

    def get_weights(self, model: _Model) -> dict[str, npt.NDArray[Any]]:
        """Return copies of all weights of a model, moving statistics included, by neutral name and in neutral layouts.

        Names and layouts are those of `da.Weight`. Those of wrapped modules are the framework's own.

        Raises:
            BadArgument: the backend did not build the model.
        """
        ...

    def set_weights(self, model: _Model, weights: Mapping[str, Any]) -> None:
        """Give a model what `get_weights` returned for the same architecture, in this backend or another.

        Raises:
            BadArgument: the backend did not build the model, a name is missing, or belongs to no weight.
            ShapeMismatch: an array has another shape than the weight.
        """
        ...

    def export_onnx(self, model: _Model, path: str | Path) -> None:
        """Write what a model computes in inference to an ONNX file, for batches of any size.

        Raises:
            MissingDependency: a package that the framework exports with is not installed.
            NotSupported: the framework cannot export a module of the model.
            BadArgument: the backend did not build the model.
        """
        ...

    def wrap(self, factory: Callable[..., Any], /, outputs: int = 1) -> Callable[..., NativeModule]:
        """Return a function that makes modules of a class of the framework, or of a function that returns a layer.

        It takes the arguments of `factory`, which may be hyperparameters, and `name=`.

        Args:
            factory: what makes the layer.
            outputs: how many arrays the layer returns.

        Raises:
            BadArgument: `factory` cannot be called, or is a layer already; and when the result is called, it has no
                such arguments.
        """
        ...


def check_specified(architecture: Architecture, backend: str) -> None:
    """Raise NotSpecified where hyperparameters are left without a value, BadArgument where there is no architecture."""
    if not is_kind(architecture, Architecture):
        raise BadArgument(
            f"{backend}.build: expected an architecture.\n  Got {architecture!r} ({type(architecture).__name__}).\n"
            "  Take one of a space, such as space.sample(seed=0) or space.at(values)."
        )
    if architecture.is_specified:
        return
    # A sub-space made by `where` has nothing left to assign, while other hyperparameters may be open.
    arguments = [a for call in architecture.graph.calls for a in call.arguments if a.is_open and a.domain is not None]
    addresses = list(dict.fromkeys(point.address for point in architecture.unassigned or arguments))
    shown = ", ".join(addresses[:5]) + (f" and {len(addresses) - 5} more" if len(addresses) > 5 else "")
    where = addresses[0] if addresses else architecture.space.name
    raise NotSpecified(
        f"{where}: {backend}.build needs an architecture whose hyperparameters all have values.\n"
        f"  Got one without values for {shown or 'what da.config attached'}.\n"
        "  Assign them with architecture.assign(address, value), draw a whole one with space.sample(seed=0), or, where "
        "choices have holes, build architecture.completed()."
    )


def seed_number(seed: Any, backend: str) -> int | None:
    """Return a seed as an int, or None.

    Raises:
        BadArgument: it is neither.
    """
    if seed is None:
        return None
    try:
        return operator.index(seed)
    except TypeError:
        raise BadArgument(
            f"{backend}.build: seed must be an int or None.\n  Got {seed!r} ({type(seed).__name__}).\n"
            "  Give an int such as seed=0."
        ) from None
