"""Building: the objects of a program, or the program that says what they are, once every value is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deep_arch.errors import NotSpecified, wrong_kind
from deep_arch.language.hyperparameters import Hyperparameter
from deep_arch.language.objects import MAKING
from deep_arch.language.part_modules import Maker
from deep_arch.language.parts import as_part, is_open, walk
from deep_arch.language.written import is_program
from deep_arch.spaces.architecture import Architecture
from deep_arch.spaces.frames import Node, Unfolding
from deep_arch.spaces.space import space
from deep_arch.symbolic.networks import Taken


def build(program: Any) -> Any:
    """Make the objects that a program stands for, each afresh; what stands in several places is one object.

    Args:
        program: a program with nothing left open, or an architecture or trial of a program's space.

    Returns:
        What the outermost call returns; a list, dict or the like of objects for a program that is one.

    Raises:
        NotSpecified: something is left open.
        BadArgument: the architecture is one of a network, which a backend builds.

    What a constructor raises goes through, with a note that says where and with which arguments.

    Example:
        >>> import deep_arch as da
        >>> Fraction = da.symbolize(__import__("fractions").Fraction)
        >>> program = Fraction(da.choice([1, 2]), da.choice([3, 4]))
        >>> da.build(da.space(program).sample(seed=0))
        Fraction(1, 2)
    """
    with MAKING:
        return _outcome(program, real=True)


def resolve(program: Any) -> Any:
    """Return the program without anything left open that an architecture or trial of a program's space stands for.

    It is equal to the program that one would write by hand.

    Raises:
        NotSpecified, BadArgument: see `build`.
    """
    return _outcome(program, real=False)


def _outcome(program: Any, real: bool) -> Any:
    architecture = program if isinstance(program, Architecture) else _architecture(program)
    unfolding = architecture._unfolding  # pyright: ignore[reportPrivateUsage]
    if unfolding.open or unfolding.waiting:
        raise NotSpecified(
            f"{architecture.space.name}: a partial architecture has no object.\n"
            f"  Got no value for {', '.join([*unfolding.open, *unfolding.waiting][:5])}.\n"
            "  Assign the rest, or take space.sample(seed=0)."
        )
    return _made(unfolding, architecture, real)


def _architecture(program: Any) -> Architecture:
    if as_part(program) is None:
        of_trial = getattr(program, "architecture", None)
        if isinstance(of_trial, Architecture):
            return of_trial
    if not is_program(program):
        mend = "Give it a recorded call of a symbolized class, or an architecture or trial of a program's space."
        raise wrong_kind("build", "a program, or an architecture or trial of its space", program, mend)
    if is_open(program):
        opened = [path for path, value, _ in walk(program) if _is_open(value)]
        raise NotSpecified(
            f"build: expected a program with nothing left open.\n  Got one that leaves open {', '.join(opened[:5])}.\n"
            "  Search it, `for trial in da.search(program, ...)`, or take one: da.build(da.space(program).sample())."
        )
    return space(program).start()


def _is_open(value: Any) -> bool:
    part = as_part(value)
    return isinstance(value, Hyperparameter) if part is None else part.__class__.opens


def _made(unfolding: Unfolding, architecture: Architecture, real: bool) -> Any:
    n_inputs = len(architecture.space.inputs)
    made: list[Any] = [None] * n_inputs
    add = made.append
    for node in unfolding.nodes:
        call, frame, taken, inputs, _, n = node
        module: Any = call.module
        if module.makes:
            try:
                add(module.make(taken, [made[i] for i in inputs], real))
            except Exception as error:
                _note(error, node)
                raise
        elif isinstance(module, Taken):
            add(module.architecture(frame.prefix, unfolding.values))
        else:  # inside a network, which comes out as an architecture
            made += [None] * n
    last = next((node for node in reversed(unfolding.nodes) if node.first == unfolding.outputs[0]), None)
    if last is None or not isinstance(last.call.module, Maker):
        raise wrong_kind(
            "build",
            "a program, or an architecture or trial of its space",
            architecture,
            "A network is built by a backend, such as torch_backend.build(architecture, inputs=...).",
        )
    return made[unfolding.outputs[0]]


def _note(error: Exception, node: Node) -> None:
    add_note = getattr(error, "add_note", None)
    if add_note is not None:  # Python 3.11
        arguments: Mapping[str, Any] = node.call.module.resolved(node.values).arguments
        shown = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
        add_note(f"while making {node.frame.prefix + node.call.name} with {shown or 'no arguments'}")
