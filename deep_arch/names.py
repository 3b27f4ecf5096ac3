"""Names that a module does not have: what they are called here, where other libraries or a slip call them otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Final

from deep_arch.errors import UnknownName, nearest

_ELSEWHERE: Final = {
    "deep_arch": {
        "categorical": "choice",
        "oneof": "choice",
        "valuechoice": "choice",
        "layerchoice": "or_",
        "manyof": "subset",
        "permutate": "permutation",
        "float": "real",
        "floatv": "real",
        "uniform": "real",
        "loguniform": "real",
        "int": "integer",
        "intv": "integer",
        "randint": "integer",
        "bool": "boolean",
    },
    "deep_arch.ops": {
        "linear": "Dense",
        "lazylinear": "Dense",
        "fullyconnected": "Dense",
        "swish": "SiLU",
        "concat": "Concatenate",
        "cat": "Concatenate",
        "sum": "Add",
        "mean": "Average",
        "gather": "Take",
        "indexselect": "Take",
        "ifthenelse": "Where",
        "cond": "Where",
        "skip": "Identity",
        "none": "Zero",
        "layernorm": "LayerNormalization",
        "groupnorm": "GroupNormalization",
        "rmsnorm": "RMSNormalization",
        "multiheadattention": "MultiHeadAttention",
        "dropout1d": "SpatialDropout1D",
        "dropout2d": "SpatialDropout2D",
        "stochasticdepth": "DropPath",
        "permute": "Transpose",
        **{
            torch.format(n=n): ours.format(n=n)
            for n in (1, 2, 3)
            for torch, ours in {
                "maxpool{n}d": "MaxPooling{n}D",
                "avgpool{n}d": "AveragePooling{n}D",
                "adaptiveavgpool{n}d": "GlobalAveragePooling{n}D",
                "adaptivemaxpool{n}d": "GlobalMaxPooling{n}D",
                "batchnorm{n}d": "BatchNormalization",
                "convtranspose{n}d": "Conv{n}DTranspose",
                "zeropad{n}d": "ZeroPadding{n}D",
            }.items()
        },
    },
    "deep_arch.searchers": {
        "agingevolution": "RegularizedEvolution",
        "bayesianoptimization": "SurrogateSearch",
        "gridsampler": "GridSearch",
        "nsgaii": "NSGA2",
        "nsgaiisampler": "NSGA2",
        "randomsampler": "RandomSearch",
        "tpesampler": "OptunaSearcher",
    },
}
"""What other libraries call things, without capitals and underscores, by the module that has them here."""

_ROOMS: Final = ("analysis", "backends", "searchers", "testing", "visualization")


def unknown_name(module: str, name: str, members: Mapping[str, object]) -> AttributeError:
    """Return the error for a name that a module does not have; a plain one for what only protocols ask for.

    Args:
        module: where it was looked for.
        name: what was looked for.
        members: what the module has.
    """
    if name.startswith("_"):
        return AttributeError(f"module {module!r} has no attribute {name!r}")
    short = module.rpartition(".")[2].replace("deep_arch", "da")
    names = [n for n, value in members.items() if not n.startswith("_") and not isinstance(value, ModuleType)]
    found = _meant(module, name, names)
    if module == "deep_arch" and name in _ROOMS:
        mend = f"  Write `from deep_arch import {name}`."
    elif found:
        mend = f"  Did you mean {short}.{found}?"
    else:
        mend = nearest(name, names) or f"  See dir({module})."
    return UnknownName(f"{module}: has no {name!r}.\n  Got a use of {short}.{name}.\n{mend}")


def _meant(module: str, name: str, names: Iterable[str]) -> str | None:
    plain = {n.lower().replace("_", ""): n for n in names}
    wanted = name.lower().replace("_", "")
    return plain.get(wanted) or _ELSEWHERE.get(module, {}).get(wanted)
