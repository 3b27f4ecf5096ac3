"""Unfolding: from a program and values to the graph that they stand for.

`unfold` walks remembered fragments in one loop without recursion, asks `choose` for each independent
hyperparameter that it meets, and gives the nodes, values and open places of what results. It is the
inner loop of every search, so it works on plain lists and integers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple, cast

from deep_arch.errors import ArityMismatch, DependentFailed, ScopeError, TooDeep
from deep_arch.language.fragment import (
    CHOOSE,
    COMPUTE,
    CONFIG,
    LEAF,
    LEAF_FAR,
    REACH,
    SUBSTITUTE,
    UNSET,
    Call,
    Fragment,
    Reference,
    Slot,
    Step,
)
from deep_arch.language.hyperparameters import Dependent, Independent
from deep_arch.language.program import Program, expansion_key

new_tuple: Final = cast("Callable[[type[Any], Any], Any]", cast("Any", tuple).__new__)
"""Makes a named tuple out of a tuple in a third of the time of its own class, which searches feel."""


class Frame(NamedTuple):
    """One place where a fragment stands in an architecture.

    Attributes:
        prefix: what the addresses inside begin with, such as `repeat[1]/`.
        values: the value of each own hyperparameter, by slot.
        env: what each call gave: the id of a value, or a tuple of ids.
        parent: the frame of the enclosing function.
        caller, call: the frame and the call that this one stands for.
    """

    fragment: Fragment
    prefix: str
    values: list[Any]
    env: list[Any]
    parent: Frame | None
    caller: Frame | None
    call: Call | None


Node = tuple[Call, Frame, tuple[Any, ...], tuple[int, ...], int, int]
"""One call in an unfolded graph, a substitution's where it is not unfolded yet: the call and where it stands, the
values of its module's open arguments, the ids of its inputs, the id of its first output, and the number of outputs.
A plain tuple, since the inner loop makes one for each call."""

Choose = Callable[[Independent, str, Frame], Any]


class Unfolding:
    """What a program unfolds to at some values.

    Attributes:
        nodes: in topological order.
        values: address to value, in the order in which they were asked for.
        open: address to hyperparameter and frame, for those without a value.
        frames: prefix to the first frame that stands there.
        again: further frames of modules that are called twice.
        config: names and values that `config` attached.
        outputs: ids of values; those below the number of inputs are the inputs themselves.
        prunable: whether something may have been unfolded that the outputs do not depend on.
    """

    __slots__ = ("again", "config", "frames", "nodes", "open", "outputs", "prunable", "values")

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.values: dict[str, Any] = {}
        self.open: dict[str, tuple[Independent, Frame]] = {}
        self.frames: dict[str, Frame] = {}
        self.again: list[Frame] = []
        self.config: dict[str, Any] = {}
        self.outputs: tuple[int, ...] = ()
        self.prunable = False


def unfold(program: Program, choose: Choose, max_depth: int | None = None) -> Unfolding:
    """Unfold `program`, asking `choose(hyperparameter, address, frame)` for each value.

    `choose` may answer UNSET: then the hyperparameter stays open, and substitutions that need it stay as they are.

    Raises:
        TooDeep: more than `max_depth` applications of rules are nested.
        DependentFailed, ArityMismatch, ScopeError: see where they are raised.
    """
    result = Unfolding()
    values, frames, opened = result.values, result.frames, result.open
    add = result.nodes.append
    new = new_tuple
    fragment = program.root
    root = Frame(fragment, "", fragment.unset.copy(), [*range(fragment.n_inputs), *fragment.blank], *_NOWHERE)
    frames[""] = frame = root
    prefix: str
    own: list[Any]
    env: list[Any]
    taken: tuple[Any, ...]
    inner: Frame
    _, prefix, own, env, _, _, _ = frame
    next_id = fragment.n_inputs
    stack: list[tuple[Iterator[Step], Frame, Any]] = []  # what to go on with, and the frame that is finished then
    steps = iter(fragment.steps)
    while True:
        for kind, a, b, c, d, e in steps:
            if kind == LEAF:
                taken = (own[c],) if c.__class__ is int else c(own)
                add((a, frame, taken, (env[d],) if d.__class__ is int else d(env), next_id, 1))
                env[e] = next_id
                next_id += 1
                continue
            if kind == CHOOSE:
                if own[a] is UNSET:
                    address = prefix + c
                    value = choose(b, address, frame)
                    if value is UNSET:
                        opened[address] = (b, frame)
                    else:
                        own[a] = values[address] = value
                continue
            if kind == SUBSTITUTE:
                taken = (own[c],) if c.__class__ is int else c(own)
                inputs = (env[d],) if d.__class__ is int else d(env)
                address = prefix + b
            elif kind == REACH:
                _reach(up(frame, a, root), b, c, choose, result)
                continue
            elif kind == COMPUTE:
                _compute(up(frame, a, root), b, c, d, frame, root)
                continue
            elif kind == CONFIG:
                for key, slot in a.items():
                    value = up(frame, slot.levels, root).values[slot.place] if isinstance(slot, Slot) else slot
                    result.config[prefix + key] = value
                continue
            else:
                taken = tuple([up(frame, slot.levels, root).values[slot.place] for slot in a.arguments])
                inputs = _take(frame, a, root)
                if kind == LEAF_FAR:
                    n = 1 if a.module.single else _count_outputs(a, taken)
                    add((a, frame, taken, inputs, next_id, n))
                    env[e] = next_id if n == 1 else tuple(range(next_id, next_id + n))
                    next_id += n
                    continue
                address = up(frame, a.home, root).prefix + b
            if opened and [v for v in taken if v is UNSET]:
                n = max(a.ports) + 1 if a.ports else 1
                add((a, frame, taken, inputs, next_id, n))
                env[a.index] = tuple(range(next_id, next_id + n)) if a.ports else next_id
                next_id += n
                continue
            try:
                n = len(taken)
                fragment = e.get((taken[0].__class__, taken[0]) if n == 1 else expansion_key(taken) if n else taken)
            except TypeError:  # an unhashable value
                fragment = e.get(expansion_key(taken))
            if fragment is None:
                fragment = program.expand(a.module, taken, len(inputs), address)
            prefix = address + fragment.ending
            env = [*inputs, *fragment.blank]
            parent = up(frame, a.lexical, root) if a.lexical else frame
            if prefix in frames:  # a module that is called twice
                own = frames[prefix][2]
                inner = new(Frame, (fragment, prefix, own, env, parent, frame, a))
                result.again.append(inner)
            else:
                own = fragment.unset.copy()
                frames[prefix] = inner = new(Frame, (fragment, prefix, own, env, parent, frame, a))
            if fragment.flat:  # the same as below, without leaving the loop: most of what unfolds is such
                for kind, a2, b, c, d, e in fragment.steps:
                    if kind == LEAF:
                        taken = (own[c],) if c.__class__ is int else c(own)
                        add((a2, inner, taken, (env[d],) if d.__class__ is int else d(env), next_id, 1))
                        env[e] = next_id
                        next_id += 1
                    elif own[a2] is UNSET:
                        address = prefix + c
                        value = choose(b, address, inner)
                        if value is UNSET:
                            opened[address] = (b, inner)
                        else:
                            own[a2] = values[address] = value
                given = env[fragment.sole_output]
                _, prefix, own, env, _, _, _ = frame
                env[a.index] = given
                continue
            stack.append((steps, frame, inner))
            frame, steps = inner, iter(fragment.steps)
            if not fragment.plain:
                if max_depth is not None and depth_of(inner) > max_depth:
                    raise _too_deep(address, max_depth)
                result.prunable = result.prunable or not fragment.uses_every_input
                if demands := _demands(frame, root):
                    # What is captured but not used where it was made is unfolded now, before what captured it.
                    result.prunable = True
                    stack.append((steps, frame, None))
                    stack += [(iter(wanted), owner, None) for owner, wanted in demands]
                    steps = iter(())
            break
        else:
            if not stack:
                break
            ended = env
            steps, frame, done = stack.pop()
            _, prefix, own, env, _, _, _ = frame
            if done is not None:
                sole = done[0].sole_output
                given = ended[sole] if sole >= 0 else None
                env[done[6].index] = given if given.__class__ is int else _finished(done, root, result)
    sole = root.fragment.sole_output
    if sole >= 0 and root.env[sole].__class__ is int:
        result.outputs = (root.env[sole],)
    else:
        result.outputs = tuple(_flat(_read(root, r, root) for r in root.fragment.outputs))
    return result


_NOWHERE: Final = (None, None, None)


def up(frame: Frame, levels: int, root: Frame) -> Frame:
    """Return the frame of the fragment that many levels up; the root's for ROOT."""
    if levels < 0:
        return root
    for _ in range(levels):
        frame = frame.parent  # type: ignore[assignment]  # levels were counted along the parents
    return frame


def _read(frame: Frame, reference: Reference, root: Frame) -> Any:
    """Return what a reference stands for: the id of a value, or ids for the whole of a call with several outputs."""
    levels, index, port = reference
    found = up(frame, levels, root).env[index]
    if port is None:
        return found
    if isinstance(found, int):
        found = (found,)
    if port >= len(found):
        raise _arity(frame, f"gives {len(found)} values", f"Got a use of output {port}, counted from 0.")
    return found[port]


def _take(frame: Frame, call: Call, root: Frame) -> tuple[int, ...]:
    inputs = tuple([_read(frame, reference, root) for reference in call.inputs])
    for value in inputs:
        if value.__class__ is tuple:
            raise _arity(frame, f"gives {len(value)} values", f"Got a use of it as one value by {call.name}.")
    return inputs


def _finished(done: Frame, root: Frame, result: Unfolding) -> int | tuple[int, ...]:
    """Return what a fragment that is unfolded to its end gives to its caller."""
    call = done.call
    assert call is not None, "only the root stands for no call"
    read = [_read(done, reference, root) for reference in done.fragment.outputs]
    given: int | tuple[int, ...] = read[0] if len(read) == 1 else tuple(_flat(read))
    if not isinstance(given, int):
        if call.used_whole:
            raise _arity(done, f"gives {len(given)} values", "Got a use of them as one value.")
        result.prunable = True  # unpacking takes every output, whether or not anything uses it
    return given


def _flat(read: Iterable[Any]) -> Iterator[int]:
    for value in read:
        if isinstance(value, tuple):
            yield from value
        else:
            yield value


def _arity(frame: Frame, expected: str, got: str) -> ArityMismatch:
    return ArityMismatch(
        f"{frame.prefix.rstrip('/') or 'the space'}: {expected}.\n  {got}\n"
        "  Let every alternative give as many values as the place it stands in takes."
    )


def _count_outputs(call: Call, taken: tuple[Any, ...]) -> int:
    if any(value is UNSET for value in taken):
        return max(call.ports, default=0) + 1
    n = call.module.resolved(taken).n_outputs
    if n > 1 and call.used_whole:
        raise ArityMismatch(
            f"{call.name}: gives {n} values.\n  Got a use of them as one value.\n"
            "  Unpack the result, `a, b = module(x)`, or index it, `module(x)[0]`."
        )
    return n


def _reach(owner: Frame, slot: int, hyperparameter: Independent, choose: Choose, result: Unfolding) -> None:
    values = owner.values
    if slot >= len(values):  # made outside every function, and met after the root's frame was made
        values += [UNSET] * (slot + 1 - len(values))
    if values[slot] is UNSET:
        address = owner.prefix + owner.fragment.suffixes[slot]
        value = choose(hyperparameter, address, owner)
        if value is UNSET:
            result.open[address] = (hyperparameter, owner)
        else:
            values[slot] = result.values[address] = value


def _compute(owner: Frame, slot: int, dependent: Dependent, parents: list[Any], frame: Frame, root: Frame) -> None:
    values = owner.values
    if slot >= len(values):
        values += [UNSET] * (slot + 1 - len(values))
    if values[slot] is not UNSET:
        return
    arguments = [up(frame, p.levels, root).values[p.place] if isinstance(p, Slot) else p for p in parents]
    if any(argument is UNSET for argument in arguments):
        return
    try:
        values[slot] = dependent.fn(*arguments)
    except Exception as error:
        address = owner.prefix + owner.fragment.suffixes[slot]
        raise DependentFailed(
            f"{address}: the function of a dependent hyperparameter raised {type(error).__name__}: {error}.\n"
            f"  Got {dependent.symbol}({', '.join(map(repr, arguments))}).\n"
            "  Let the function take every value that its parents can have."
        ) from error


def depth_of(frame: Frame) -> int:
    """Return how many applications of rules are nested around and at a place."""
    depth = 0
    while frame.caller is not None and frame.call is not None:
        depth += frame.call.module.deepens
        frame = frame.caller
    return depth


def _too_deep(address: str, max_depth: int) -> TooDeep:
    return TooDeep(
        f"{address[-200:]}: rules are nested more deeply than the space's limit, {max_depth}.\n"
        "  Got values that let no alternative end in time.\n  Raise max_depth, or choose other values."
    )


def _demands(frame: Frame, root: Frame) -> list[tuple[Frame, list[Step]]]:
    """Return the steps that are still to be done for what the fragment of `frame` captures.

    Raises:
        ScopeError: it captures what was made after it was called.
    """
    demands: list[tuple[Frame, list[Step]]] = []
    for levels, index, _ in frame.fragment.captures:
        owner = up(frame, levels, root)
        if owner.env[index] is None:
            if any(index >= call.index for call in _busy(frame, owner)):
                raise ScopeError(
                    f"{frame.prefix.rstrip('/')}: a function captured a value that was made after it was called.\n"
                    f"  Got {owner.fragment.call_at[index].name} from {owner.fragment.where()}.\n"
                    "  Make the value before the call whose function uses it."
                )
            steps = owner.fragment.steps_for(index)
            demands.append((owner, [step for step in steps if not _is_done(step, owner)]))
    return demands


def _is_done(step: Step, frame: Frame) -> bool:
    return isinstance(step[1], Call) and frame.env[step[1].index] is not None


def _busy(frame: Frame | None, owner: Frame) -> Iterator[Call]:
    """Yield the calls of `owner` that are being unfolded."""
    while frame is not None:
        if frame.caller is owner and frame.call is not None:
            yield frame.call
        frame = frame.caller
