"""Unfolding: from a program and values to the graph that they stand for.

`unfold` walks remembered fragments in one loop without recursion, asks `choose` for each independent
hyperparameter that it meets, and gives the nodes, values and open places of what results. It is the
inner loop of every search, so it works on plain lists and integers, and writes out the rule of addresses that
`place` states, for what belongs to the fragment that it is in.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any, Final

from deep_arch.errors import ArityMismatch, BadArgument, ScopeError, TooDeep
from deep_arch.language.fragment import Call
from deep_arch.language.program import Program, expansion_key
from deep_arch.language.steps import (
    ASK,
    CALLS,
    CHOOSE,
    COMPUTE,
    CONFIGURE,
    FAR_LEAF,
    LEAF,
    REACH,
    SUBSTITUTE,
    Ask,
    Compute,
    Configure,
    Reach,
    Step,
)
from deep_arch.language.values import UNSET, Late, Reference, Slot
from deep_arch.spaces.frames import Choose, Frame, Node, Unfolding, named, new_tuple
from deep_arch.spaces.place import module_address, slot_address, up

_LONGEST: Final = 100_000
"""Characters of an address: some ten thousand functions inside one another."""

_MOST: Final = 1_000_000
"""Functions that are unfolded for one architecture where they are recursive."""


def unfold(
    program: Program, choose: Choose, max_depth: int | None = None, result: Unfolding | None = None
) -> Unfolding:
    """Unfold `program`, asking `choose(hyperparameter, address, frame)` for each value.

    `choose` may answer UNSET: then the hyperparameter stays open, and substitutions that need it stay as they are.
    Whoever gives the `result` can look at it on the way.

    A rule that lies deeper than `max_depth` stays a node, and is among what was `cut`.

    Raises:
        TooDeep: there is no end of nested rules.
        DependentFailed, ArityMismatch, ScopeError: see where they are raised.
    """
    result = result or Unfolding()
    values, frames, opened = result.values, result.frames, result.open
    nodes: list[tuple[Any, ...]] = []  # named at the end, all at once
    add, new = nodes.append, new_tuple
    fragment = program.root
    env: list[Any] = [*range(fragment.n_inputs), *fragment.blank]
    prefix: str = ""
    own: list[Any] = [*fragment.unset]
    frames[""] = frame = root = Frame(fragment, prefix, own, env, None, None, None)
    next_id = fragment.n_inputs
    # What to go on with, and what is finished then: the frame, where its result is found, and the call it stands for.
    stack: list[tuple[tuple[Iterator[Step], Frame, str, list[Any], list[Any]], Frame | None, int, Call]] = []
    value: Any
    taken: Any
    key: Any
    steps: Iterator[Any] = iter(fragment.steps)
    while True:
        for kind, step in steps:
            if kind == LEAF:
                call, slots, places, place = step
                taken = (own[slots],) if slots.__class__ is int else () if slots is None else slots(own)
                inputs = (env[places],) if places.__class__ is int else places(env)
                add((call, frame, taken, inputs, next_id, 1))
                env[place] = next_id
                next_id += 1
                continue
            if kind == CHOOSE:
                hyperparameter, slot, suffix = step
                if own[slot] is UNSET:
                    address = prefix + suffix
                    value = choose(hyperparameter, address, frame)
                    if value is UNSET:
                        opened[address] = (hyperparameter, frame)
                    else:
                        own[slot] = values[address] = value
                continue
            if kind == SUBSTITUTE:
                call, name, slots, places, expansions = step
                if slots.__class__ is int:
                    value = own[slots]
                    taken, key = (value,), (value.__class__, value)
                else:
                    taken = () if slots is None else slots(own)
                    key = expansion_key(taken) if taken else taken
                inputs = (env[places],) if places.__class__ is int else places(env)
                address = prefix + name
            elif kind == REACH:
                _reach(Reach(*step), frame, choose, result)
                continue
            elif kind == COMPUTE:
                _compute(Compute(*step), frame)
                continue
            elif kind == ASK:
                _ask(Ask(*step), frame, choose, result)
                continue
            elif kind == CONFIGURE:
                _configure(Configure(*step), frame, result)
                continue
            else:
                call, *others = step
                taken = tuple([_value(frame, slot) for slot in call.arguments])
                inputs = _take(frame, call)
                if kind == FAR_LEAF:
                    n = 1 if call.module.single else _count_outputs(call, taken, frame)
                    add((call, frame, taken, inputs, next_id, n))
                    env[call.index] = next_id if n == 1 else tuple(range(next_id, next_id + n))
                    next_id += n
                    continue
                (_, expansions), key = others, expansion_key(taken)
                address = module_address(up(frame, call.home), call)
            if opened and [v for v in taken if v is UNSET]:
                n = max(call.ports) + 1 if call.ports else 1
                add((call, frame, taken, inputs, next_id, n))
                env[call.index] = tuple(range(next_id, next_id + n)) if call.ports else next_id
                next_id += n
                continue
            try:
                fragment = expansions.get(key)
            except TypeError:  # an unhashable value
                fragment = expansions.get(expansion_key(taken))
            if fragment is None:
                if len(address) > _LONGEST:
                    raise _endless(address)
                fragment = program.expand(call.module, taken, len(inputs), address)
            if max_depth is not None and fragment.of_rule and frame.depth >= max_depth:
                result.cut.append((call, frame))
                result.prunable = True  # where the outputs do not depend on it, it does not count
                n = max(call.ports) + 1 if call.ports else 1
                add((call, frame, taken, inputs, next_id, n))
                env[call.index] = tuple(range(next_id, next_id + n)) if call.ports else next_id
                next_id += n
                continue
            caller, around = frame, (steps, frame, prefix, own, env)
            prefix = address + fragment.ending
            parent = up(caller, call.lexical) if call.lexical else caller
            env = [*inputs, *fragment.blank]
            if prefix in frames:  # a module that is called twice
                own = frames[prefix].values
                frame = new(Frame, (fragment, prefix, own, env, parent, caller, call))
                result.again.append(frame)
            else:
                own = fragment.unset.copy()
                frames[prefix] = frame = new(Frame, (fragment, prefix, own, env, parent, caller, call))
            stack.append((around, frame, fragment.sole_output, call))
            steps = iter(fragment.steps)
            if not fragment.plain:
                if fragment.of_rule and (len(address) > _LONGEST or len(frames) > _MOST):
                    raise _endless(address)
                result.prunable = result.prunable or not fragment.uses_every_input
                if demands := _demands(frame):
                    # What is captured but not used where it was made is unfolded now, before what captured it.
                    result.prunable = True
                    stack.append(((steps, frame, prefix, own, env), None, -1, call))
                    stack += [((iter(w), f, f.prefix, f.values, f.env), None, -1, call) for f, w in demands]
                    steps = iter(())
            break
        else:
            if not stack:
                break
            around, done, sole, call = stack.pop()
            given = env[sole] if sole >= 0 else None
            steps, frame, prefix, own, env = around
            if done is not None:
                env[call.index] = given if given.__class__ is int else _finished(done, result)
    result.nodes = named(Node, nodes)
    result.outputs = _outputs(root)
    return result


def _outputs(root: Frame) -> tuple[int, ...]:
    sole = root.fragment.sole_output
    if sole >= 0 and isinstance(root.env[sole], int):
        return (root.env[sole],)
    return tuple(_flat(_read(root, reference) for reference in root.fragment.outputs))


def _read(frame: Frame, reference: Reference) -> Any:
    """Return what a reference stands for: the id of a value, or ids for the whole of a call with several outputs."""
    levels, index, port = reference
    owner = up(frame, levels)
    found = owner.env[index]
    if port is None:
        return found
    if isinstance(found, int):
        found = (found,)
    if port >= len(found):
        name = owner.fragment.call_at[index].name
        raise _arity(frame, f"{name} gives {len(found)} values", f"Got a use of output {port}, counted from 0.")
    return found[port]


def _take(frame: Frame, call: Call) -> tuple[int, ...]:
    inputs = tuple([_read(frame, reference) for reference in call.inputs])
    for value in inputs:
        if value.__class__ is tuple:
            raise _arity(frame, f"gives {len(value)} values", f"Got a use of it as one value by {call.name}.")
    return inputs


def _finished(done: Frame, result: Unfolding) -> int | tuple[int, ...]:
    """Return what a fragment that is unfolded to its end gives to its caller."""
    call = done.call
    assert call is not None, "only the root stands for no call"
    read = [_read(done, reference) for reference in done.fragment.outputs]
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


def _count_outputs(call: Call, taken: tuple[Any, ...], frame: Frame) -> int:
    if any(value is UNSET for value in taken):
        return max(call.ports, default=0) + 1
    try:
        n = _n_outputs(call, taken)
    except BadArgument as error:
        for value in taken:
            if isinstance(value, Late):
                int(value)  # which says that shapes are not known yet
        address = module_address(up(frame, call.home), call)
        raise BadArgument(address + str(error).removeprefix(call.module.base_name)) from error
    if n > 1 and call.used_whole:
        raise ArityMismatch(
            f"{call.name}: gives {n} values.\n  Got a use of them as one value.\n"
            "  Unpack the result, `a, b = module(x)`, or index it, `module(x)[0]`."
        )
    return n


def _n_outputs(call: Call, taken: tuple[Any, ...]) -> int:
    if any(isinstance(value, Late) for value in taken):
        with contextlib.suppress(ArityMismatch):
            return call.module.count_outputs(call.n_inputs)  # what is written may tell, whatever the shapes
    return call.module.resolved(taken).count_outputs(call.n_inputs)


def _reach(step: Reach, frame: Frame, choose: Choose, result: Unfolding) -> None:
    owner = up(frame, step.levels)
    values, slot = _with_room(owner.values, step.slot), step.slot
    if values[slot] is UNSET:
        address = slot_address(owner, slot)
        value = choose(step.hyperparameter, address, owner)
        if value is UNSET:
            result.open[address] = (step.hyperparameter, owner)
        else:
            values[slot] = result.values[address] = value


def _ask(step: Ask, frame: Frame, choose: Choose, result: Unfolding) -> None:
    """Have a hyperparameter assigned whose domain depends on others, if these have values; else it waits."""
    owner = up(frame, step.levels)
    values, slot = _with_room(owner.values, step.slot), step.slot
    if values[slot] is not UNSET:
        return
    address = slot_address(owner, slot)
    arguments = [_value(frame, p) if isinstance(p, Slot) else p for p in step.parents]
    if any(argument is UNSET for argument in arguments):
        result.waiting[address] = (step.hyperparameter, owner)
        return
    hyperparameter = step.hyperparameter.at(arguments, address)
    value = choose(hyperparameter, address, owner)
    if value is UNSET:
        result.open[address] = (hyperparameter, owner)
    else:
        values[slot] = result.values[address] = value


def _compute(step: Compute, frame: Frame) -> None:
    owner = up(frame, step.levels)
    values, slot = _with_room(owner.values, step.slot), step.slot
    if values[slot] is UNSET:
        arguments = [_value(frame, p) if isinstance(p, Slot) else p for p in step.parents]
        if not any(argument is UNSET for argument in arguments):
            values[slot] = step.dependent.compute(arguments, slot_address(owner, slot))


def _with_room(values: list[Any], slot: int) -> list[Any]:
    """Return the values of a frame, longer where something made outside every function was met after it was made."""
    if slot >= len(values):
        values += [UNSET] * (slot + 1 - len(values))
    return values


def _value(frame: Frame, slot: Slot) -> Any:
    return up(frame, slot.levels).values[slot.place]


def _configure(step: Configure, frame: Frame, result: Unfolding) -> None:
    for name, entry in step.entries.items():
        result.config[frame.prefix + name] = _value(frame, entry) if isinstance(entry, Slot) else entry


def _endless(address: str) -> TooDeep:
    return TooDeep(
        f"{address[:200]}...: functions nest without end, or nearly so.\n"
        f"  Got an address of {len(address):,} characters.\n"
        "  Let what decides them end the recursion more often, or limit it: decorate the function with @da.rule, and "
        "use space.limit(max_depth=...)."
    )


def _demands(frame: Frame) -> list[tuple[Frame, list[Step]]]:
    """Return the steps that are still to be done for what the fragment of `frame` captures.

    Raises:
        ScopeError: it captures what was made after it was called.
    """
    demands: list[tuple[Frame, list[Step]]] = []
    for levels, index, _ in frame.fragment.captures:
        owner = up(frame, levels)
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
    kind, fields = step
    return kind in CALLS and frame.env[fields[0].index] is not None


def _busy(frame: Frame | None, owner: Frame) -> Iterator[Call]:
    """Yield the calls of `owner` that are being unfolded."""
    while frame is not None:
        if frame.caller is owner and frame.call is not None:
            yield frame.call
        frame = frame.caller
