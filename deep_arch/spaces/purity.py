"""Purity: whether the functions of a space give the same graph whenever they run."""

from __future__ import annotations

import random
from typing import Any

from deep_arch.errors import BadArgument, ImpureFunction, is_kind, wrong_kind
from deep_arch.language.fragment import Fragment
from deep_arch.language.hyperparameters import Dependent, Hyperparameter, Independent
from deep_arch.language.parts import walk
from deep_arch.language.program import Program
from deep_arch.language.written import is_program
from deep_arch.spaces.frames import Frame, Node
from deep_arch.spaces.space import SearchSpace
from deep_arch.spaces.space import space as space_of
from deep_arch.spaces.unfolding import unfold


def check(space: Any, samples: int = 20, seed: int = 0) -> None:
    """Raise if a function of the space is not pure, which would make its addresses and counts meaningless.

    Runs all functions on the way to some architectures again, from the start, and compares what they record.

    Args:
        space: the space, or a program that is one.
        samples: how many architectures to try.
        seed: the seed of the draws.

    Raises:
        ImpureFunction: a function gave another graph the second time.
        BadArgument: a program holds an object with weights, which all trials would share.
    """
    space = space_of(space) if is_program(space) else space
    if not is_kind(space, SearchSpace):
        raise wrong_kind("check", "a search space", space, "Write `@da.space` above its function.")
    rng = random.Random(seed)
    for _ in range(samples):
        values: dict[str, Any] = {}

        def choose(hyperparameter: Independent, address: str, _frame: Frame, values: dict[str, Any] = values) -> Any:
            if address not in values:
                values[address] = hyperparameter.domain.draw(rng)
            return values[address]

        unfolding = space.unfold(choose)
        first = unfolding.frames
        for node in unfolding.nodes:
            _check_constants(node)
        again = unfold(Program(space.program.fn), choose).frames
        for prefix, frame in first.items():
            before, after = _signature(frame.fragment), _signature(again[prefix].fragment) if prefix in again else []
            if before != after:
                changed = [a for a in after if a not in before] or [b for b in before if b not in after]
                raise ImpureFunction(
                    f"{prefix.rstrip('/') or space.name}: the function gave another graph when it ran again.\n"
                    f"  Got {changed[0] if changed else 'other calls'} that differs.\n"
                    "  Let it depend on nothing but its arguments: no random numbers, counters or globals that change."
                )


def _check_constants(node: Node) -> None:
    """Check that an object that a program shares among all that is built of it holds no weights."""
    module = node.call.module
    for name, constant in module.arguments.items() if module.makes else ():
        for path, value, _ in walk(constant):
            if not isinstance(value, type | Hyperparameter) and any(_has(value, mark) for mark in _MARKS):
                where = ".".join(filter(None, [f"{node.frame.prefix}{node.call.name}", name, path]))
                raise BadArgument(
                    f"{where}: expected what is made anew for each trial, as recorded calls are.\n"
                    f"  Got {value!r:.80} ({type(value).__name__}), one object with weights that all trials would "
                    f"share and train.\n  Symbolize its class, {type(value).__name__} = "
                    f"da.symbolize({type(value).__name__}), so that the call is recorded."
                )


_MARKS = ("parameters", "trainable_variables", "trainable_weights", "coef_", "state_dict")
"""What objects have that learn, in PyTorch, TensorFlow, Keras and scikit-learn."""


def _has(value: Any, mark: str) -> bool:
    try:
        return hasattr(value, mark)
    except Exception:  # a property that cannot be read yet
        return False


def _signature(fragment: Fragment) -> list[str]:
    """Return what a fragment recorded, as lines that two runs of a pure function share."""
    from deep_arch.language.canonical import canonical  # late: it loads OpenSSL, and `import deep_arch` is to be quick

    lines = [
        f"{suffix}: {_described(h)}" for suffix, h in zip(fragment.suffixes, fragment.hyperparameters, strict=True)
    ]
    for call in fragment.calls:
        constants = {k: v for k, v in call.module.arguments.items() if not isinstance(v, Hyperparameter)}
        lines.append(
            f"call of {call.name} ({type(call.module).__name__} {canonical(constants)}) "
            f"on {[tuple(ref) for ref in call.inputs]} with {[tuple(slot) for slot in call.arguments]}"
        )
    return [*lines, f"outputs {[tuple(ref) for ref in fragment.outputs]}", f"config {sorted(fragment.config)}"]


def _described(hyperparameter: Hyperparameter) -> str:
    from deep_arch.language.canonical import canonical

    if isinstance(hyperparameter, Dependent):
        return f"{hyperparameter.symbol} of {len(hyperparameter.parents)}"
    assert isinstance(hyperparameter, Independent), "a hyperparameter is independent or dependent"
    if (depending := hyperparameter.depending) is not None:
        constants = [p for p in depending.parents if not isinstance(p, Hyperparameter)]
        return f"{depending.kind.__name__} of {len(depending.parents)} {canonical(constants)}"
    domain = hyperparameter.domain
    public = [name for kind in type(domain).__mro__ for name in getattr(kind, "__slots__", ()) if name[0] != "_"]
    return f"{type(domain).__name__} {canonical([getattr(domain, name) for name in sorted(public)])}"
