"""Constructing: classes that take NumPy's numbers for Python's, and tell what is wrong with their arguments."""

from __future__ import annotations

import inspect
import sys
from abc import ABCMeta
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from deep_arch.errors import BadArgument, nearest
from deep_arch.language.foreign import plain

_OTHER_NAMES: Final = {
    "bias": "use_bias",
    "dilation": "dilation_rate",
    "dim": "axis",
    "drop_prob": "rate",
    "embed_dim": "output_dim",
    "embedding_dim": "output_dim",
    "eps": "epsilon",
    "hidden_size": "units",
    "kernel": "kernel_size",
    "n_heads": "num_heads",
    "num_embeddings": "input_dim",
    "num_groups": "groups",
    "out_channels": "filters",
    "out_features": "units",
    "p": "rate",
    "pool": "pool_size",
    "scale_factor": "size",
    "shape": "target_shape",
    "stride": "strides",
}
"""What other libraries call the arguments of operations."""

_INSTEAD: Final = {
    "data_format": "Shapes are (channels, *spatial) everywhere, and each backend takes arrays in its own layout.",
    "dtype": 'Weights have the type of what arrives: give the input\'s spec one, da.vector(8, dtype="float64").',
    "in_channels": "What arrives decides it: specs of the inputs are given when a model is built.",
    "in_features": "What arrives decides it: specs of the inputs are given when a model is built.",
    "input_shape": "What arrives decides it: specs of the inputs are given when a model is built.",
    "trainable": "Training is yours: freeze weights of the model that a backend builds.",
}
"""What becomes of arguments that operations do not have."""

_KINDS: Final = {
    "initializer": "Weights begin alike in every backend; give a model others with set_weights of its backend.",
    "regularizer": "Training is yours: add the penalty to its loss.",
    "constraint": "Training is yours: apply it after each step of the optimizer.",
}
"""The same, by what their names end in."""


class Constructed(ABCMeta):
    """The kind of classes whose mistaken constructions are told, and whose numbers are plain."""

    @property
    def __signature__(cls) -> inspect.Signature:  # what inspect.signature gives, which would read __call__
        made: Any = cls
        if made.__init__ is object.__init__:
            return inspect.Signature()
        signature = inspect.signature(made.__init__)
        return signature.replace(parameters=list(signature.parameters.values())[1:])

    if not TYPE_CHECKING:  # constructors have the types of __init__

        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            args, kwargs = plain(args), plain(kwargs)
            try:
                return super().__call__(*args, **kwargs)
            except TypeError as error:
                if (mistake := _mistake(cls, args, kwargs)) is None:
                    raise
                raise mistake from error


def _mistake(cls: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> BadArgument | None:
    """Return the error for a class that is not made with such arguments, or None where it could be."""
    if lacking := sorted(cls.__abstractmethods__):
        methods = ", ".join(lacking)
        return BadArgument(
            f"{cls.__name__}: is made once it has {methods}.\n  Got none.\n  Define `def {lacking[0]}(self, ...)`."
        )
    signature = bare(inspect.signature(cls))
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        got = called("", args, kwargs)
        return BadArgument(f"{cls.__name__}{signature}: {error}.\n  Got {got}.{_mend(cls, signature, args, kwargs)}")
    return None


def bare(signature: inspect.Signature) -> inspect.Signature:
    """Return a signature without its types, for messages."""
    parameters = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    return signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty)


def called(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """Return a call as it is written."""
    return f"{name}({', '.join([*map(repr, args), *[f'{key}={value!r}' for key, value in kwargs.items()]])})"


def _mend(cls: Any, signature: inspect.Signature, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    from deep_arch.language.values import Value

    if any(isinstance(value, Value) for value in (*args, *kwargs.values())):
        return f"\n  A module is made with its arguments, and then called on values: {cls.__name__}(...)(x)."
    for name in kwargs:
        if name in signature.parameters:
            continue
        if name == "activation":
            rest = {key: value for key, value in kwargs.items() if key != name}
            first = called(f"ops.{cls.__name__}", args, rest)
            return f"\n  Compose it: da.sequential(lambda: {first}, ops.{_activation(kwargs[name])})."
        if name not in _OTHER_NAMES and (instead := _INSTEAD.get(name) or _KINDS.get(name.rpartition("_")[2])):
            return f"\n  {instead}"
        if _OTHER_NAMES.get(name) in signature.parameters:
            return f"\n  Did you mean {_OTHER_NAMES[name]!r}?"
        return nearest(name, signature.parameters).replace("  ", "\n  ", 1)
    written: dict[str, Any] = {**cls.__dict__}
    names: dict[str, Any] = written.get("__annotations__", {})
    annotations = [n for n in names if n not in signature.parameters and n not in written]
    if annotations and args:
        return f"\n  Write @dataclasses.dataclass above the class, which makes arguments of {', '.join(annotations)}."
    return ""


def _activation(given: Any) -> str:
    """Return what an activation of another library is called here."""
    wanted = (given if isinstance(given, str) else getattr(given, "__name__", "")).replace("_", "").lower()
    names = {name.lower(): name for name in vars(sys.modules.get("deep_arch.ops", sys))}
    return names.get({"swish": "silu", "linear": "identity"}.get(wanted, wanted), "ReLU")
