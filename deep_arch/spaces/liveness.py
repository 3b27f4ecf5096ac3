"""Liveness: what of an unfolding the outputs depend on.

An unfolding goes forward, so it may pass through calls whose results a substitution then ignores.
Only what the outputs need counts: this goes backward from them, and drops the rest.
"""

from __future__ import annotations

from collections.abc import Iterable

from deep_arch.errors import TooDeep
from deep_arch.language.dependence import roots
from deep_arch.language.fragment import Fragment
from deep_arch.language.hyperparameters import Hyperparameter
from deep_arch.language.values import Reference
from deep_arch.spaces.frames import Frame, Node, Unfolding
from deep_arch.spaces.place import module_address, slot_address, up
from deep_arch.spaces.restrictions import Restrictions

Ports = tuple[int | None, ...]
"""The wanted outputs of a substitution, None for its only one; the root wants all."""


def wanted_outputs(fragment: Fragment, ports: Ports) -> tuple[Reference, ...]:
    """Return the outputs of a fragment that are wanted."""
    outputs = fragment.outputs
    if fragment.parent is None or None in ports:
        return outputs
    if (
        len(outputs) == 1
        and outputs[0].port is None
        and outputs[0].place >= fragment.owner_at(outputs[0].levels).n_inputs
    ):
        return tuple([outputs[0]._replace(port=port) for port in ports])
    return tuple([outputs[port] for port in ports if port is not None and port < len(outputs)])


class _Backward:
    def __init__(self, unfolding: Unfolding, certainly: bool = False) -> None:
        self._certainly = certainly
        frames = [*unfolding.frames.values(), *unfolding.again]
        self.root = frames[0]
        self.inner = {
            (id(f.caller.env), f.call.index): f for f in frames if f.caller is not None and f.call is not None
        }
        self.nodes = {(id(node.frame.env), node.call.index): i for i, node in enumerate(unfolding.nodes)}
        self.live_nodes: set[int] = set()
        self.addresses: set[str] = set()
        self.prefixes: set[str] = set()
        self._seen: set[tuple[int, int, int | None]] = set()
        self._todo: list[tuple[Frame, Reference]] = []

    def run(self) -> None:
        self._visit(self.root)
        self._want(self.root, self.root.fragment.outputs)
        while self._todo:
            frame, reference = self._todo.pop()
            owner = up(frame, reference.levels)
            key = (id(owner.env), reference.place, reference.port)
            if key not in self._seen:
                self._seen.add(key)
                self._visit(owner)
                self._follow(owner, reference.place, reference.port)

    def _want(self, frame: Frame, references: Iterable[Reference]) -> None:
        self._todo += [(frame, reference) for reference in references]

    def _visit(self, frame: Frame) -> None:
        if frame.prefix not in self.prefixes:
            self.prefixes.add(frame.prefix)
            for value in frame.fragment.config.values():
                if isinstance(value, Hyperparameter):
                    self._mark(frame, value)

    def _follow(self, frame: Frame, index: int, port: int | None) -> None:
        fragment = frame.fragment
        if index < fragment.n_inputs:
            if frame.caller is not None and frame.call is not None:
                self._want(frame.caller, [frame.call.inputs[index]])
            return
        call = fragment.call_at[index]
        for _, hyperparameter in call.module.open_arguments:
            self._mark(frame, hyperparameter)
        inner = self.inner.get((id(frame.env), index))
        if inner is None:
            self.live_nodes.add(self.nodes[id(frame.env), index])
            if not (self._certainly and call.module.substitution):
                self._want(frame, call.inputs)
            return
        self._visit(inner)
        outputs = inner.fragment.outputs
        if port is not None and len(outputs) > 1 and not _has_whole_call(inner):
            outputs = outputs[port : port + 1]
        elif port is not None and len(outputs) == 1 and outputs[0].port is None:
            outputs = (outputs[0]._replace(port=port),) if outputs[0].place >= inner.fragment.n_inputs else outputs
        self._want(inner, outputs)

    def _mark(self, frame: Frame, hyperparameter: Hyperparameter) -> None:
        for root in roots([hyperparameter]):
            slot = frame.fragment.slot_of(root)
            self.addresses.add(slot_address(up(frame, slot.levels), slot.place))


def _renumber(unfolding: Unfolding, live: set[int]) -> None:
    """Keep the live nodes, and number their values without gaps."""
    n_inputs = unfolding.frames[""].fragment.n_inputs
    ids = {i: i for i in range(n_inputs)}
    nodes: list[Node] = []
    for i, node in enumerate(unfolding.nodes):
        if i in live:
            start = len(ids)
            ids.update((node.first + k, start + k) for k in range(node.n_outputs))
            nodes.append(node._replace(inputs=tuple([ids[j] for j in node.inputs]), first=start))
    unfolding.nodes = nodes
    unfolding.outputs = tuple([ids[j] for j in unfolding.outputs])


def _has_whole_call(frame: Frame) -> bool:
    """Return whether one of several outputs is itself the whole result of a call with several."""
    return any(isinstance(up(frame, r.levels).env[r.place], tuple) and r.port is None for r in frame.fragment.outputs)


def certain_addresses(unfolding: Unfolding) -> set[str]:
    """Return the addresses of hyperparameters that the outputs depend on whatever the open ones become.

    What lies before a substitution that is not unfolded may turn out not to be used by it.
    """
    walk = _Backward(unfolding, certainly=True)
    walk.run()
    return walk.addresses


def check_cut(unfolding: Unfolding, restrictions: Restrictions) -> None:
    """Raise TooDeep if the outputs depend, whatever is decided yet, on a rule that lies too deep to be unfolded."""
    walk = _Backward(unfolding, certainly=True) if unfolding.cut else None
    if walk is not None:
        walk.run()
        needed = {(id(node.frame.env), node.call.index) for node in map(unfolding.nodes.__getitem__, walk.live_nodes)}
        for call, frame in unfolding.cut:
            if (id(frame.env), call.index) in needed:
                raise _too_deep(module_address(up(frame, call.home), call), restrictions)


def _too_deep(address: str, restrictions: Restrictions) -> TooDeep:
    name = "max_depth" if restrictions.max_depth == restrictions.deepest else "max_size"
    return TooDeep(
        f"{address[-200:]}: rules are nested more deeply than the space's limit, {restrictions.deepest}.\n"
        f"  Got values that let no alternative end in time.\n  Raise {name}, or choose other values."
    )


def prune(unfolding: Unfolding) -> None:
    """Drop nodes, values, open hyperparameters and configuration that the outputs do not depend on."""
    walk = _Backward(unfolding)
    walk.run()
    _renumber(unfolding, walk.live_nodes)
    unfolding.values = {k: v for k, v in unfolding.values.items() if k in walk.addresses}
    unfolding.open = {k: v for k, v in unfolding.open.items() if k in walk.addresses}
    unfolding.waiting = {k: v for k, v in unfolding.waiting.items() if k in walk.addresses}
    unfolding.config = {
        prefix + key: unfolding.config[prefix + key]
        for prefix in unfolding.frames
        if prefix in walk.prefixes
        for key in unfolding.frames[prefix].fragment.config
    }
    unfolding.frames = {prefix: f for prefix, f in unfolding.frames.items() if prefix in walk.prefixes}
    unfolding.prunable = False
