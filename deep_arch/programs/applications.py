"""Applications: where rules are applied in an architecture, and what stands below each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from deep_arch.errors import ScopeError, UnknownAddress, is_kind, nearest, wrong_kind
from deep_arch.language.dependence import closure
from deep_arch.language.fragment import Fragment
from deep_arch.language.hyperparameters import Hyperparameter
from deep_arch.language.modules import Module
from deep_arch.language.program import Program, expansion_key
from deep_arch.language.rules import Rule
from deep_arch.language.values import UNSET
from deep_arch.spaces.frames import Frame, Unfolding
from deep_arch.spaces.place import below, up
from deep_arch.spaces.unfolding import unfold


class Application(NamedTuple):
    """One call of a rule in an architecture.

    Attributes:
        address: where it stands; the addresses of all that is decided below begin with it.
        rule: what is applied.
        arguments: what it is applied to, in the order of its parameters, defaults included; not the values that its
            result is called on.
        depth: how many applications are nested around and at this place.
    """

    address: str
    rule: Rule
    arguments: tuple[Any, ...]
    depth: int

    @property
    def type(self) -> tuple[Rule, Any]:
        """What is equal, and can be hashed, for applications whose subtrees can take each other's place."""
        return self.rule, expansion_key(self.arguments)

    def __str__(self) -> str:
        name = getattr(self.rule.fn, "__name__", repr(self.rule.fn))
        return f"{name}({', '.join(map(repr, self.arguments))})"


class Subtree(dict[str, Any]):
    """The values below an application, by address as seen from there.

    Attributes:
        application: which it was; what is grafted elsewhere has to be of its type.
    """

    __slots__ = ("application",)

    def __init__(self, values: Mapping[str, Any], application: Application) -> None:
        super().__init__(values)
        self.application = application

    def below(self, address: str) -> dict[str, Any]:
        """Return the values as they stand below another place, as a part of what is grafted around it.

        Example:
            >>> import deep_arch as da
            >>> from deep_arch import ops
            >>> @da.rule
            ... def expr():
            ...     return da.or_({"leaf": ops.ReLU, "pair": lambda: da.sequential(expr, expr)})
            >>> leaf = da.space(lambda x: expr()(x)).at({"expr/or.which": "leaf"})
            >>> leaf.subtree("expr").below("or[pair]/sequential[0]/expr")
            {'or[pair]/sequential[0]/expr/or.which': 'leaf'}
        """
        return {f"{address}/{name}" if name[:1] != "." else address + name: value for name, value in self.items()}

    def __reduce__(self) -> tuple[Any, ...]:
        return Subtree, (dict(self), self.application)


def applications(unfolding: Unfolding) -> tuple[Application, ...]:
    """Return the applications of rules, outer ones first."""
    found: list[Application] = []
    depths: dict[int, int] = {}
    for frame in unfolding.frames.values():
        caller, call = frame.caller, frame.call
        if caller is None or call is None:
            depths[id(frame)] = 0
            continue
        around = depths.get(id(caller))
        depth = call.module.deepens + (caller.depth if around is None else around)  # of a module that is called twice
        depths[id(frame)] = depth
        if frame.fragment.of_rule:
            found.append(application(frame, depth))
    return tuple(found)


def application(frame: Frame, depth: int | None = None) -> Application:
    """Return the application that the frame of one stands for."""
    module: Any = frame.call and frame.call.module
    depth = frame.depth if depth is None else depth
    return Application(frame.prefix.removesuffix("/"), module.rule, module.applied_to, depth)


def subtree(unfolding: Unfolding, address: Application | str) -> Subtree:
    """Return what stands below an application."""
    frame = standing(unfolding, address)
    prefix = frame.prefix
    values = {a[len(prefix) :]: value for a, value in unfolding.values.items() if below(a, prefix)}
    return Subtree(values, application(frame))


def standing(unfolding: Unfolding, address: Application | str) -> Frame:
    """Return the frame of an application that means the same wherever it stands.

    Raises:
        UnknownAddress: no rule is applied there.
        ScopeError: it uses what an enclosing function made.
    """
    place: object = address.address if isinstance(address, Application) else address
    if not is_kind(place, str):
        mend = "Write architecture.subtree(architecture.applications()[0])."
        raise wrong_kind("subtree", "the address of an application, or one of `applications()`", place, mend)
    found = unfolding.frames.get(f"{place}/") or unfolding.frames.get(str(place))
    if found is None or not found.fragment.of_rule:
        known = [each.address for each in applications(unfolding)]
        raise UnknownAddress(
            f"{place}: no rule is applied here.\n  Got {place!r}; there are {len(known)} applications.\n"
            "  Take addresses from architecture.applications()." + nearest(place, known)
        )
    _check_movable(unfolding, found)
    return found


# --- what may be moved ---------------------------------------------------------------------------------------------


def movable(unfolding: Unfolding) -> tuple[Application, ...]:
    """Return the applications that mean the same wherever they stand, outer ones first."""
    bound = [frame for frame in unfolding.frames.values() if outward(frame.fragment)]
    fixed = {id(each) for frame in bound for each in _between(frame)}
    return tuple(
        [
            each
            for each, frame in zip(applications(unfolding), _applied(unfolding), strict=True)
            if id(frame) not in fixed and not _of_elsewhere(each.arguments)
        ]
    )


def reached(program: Program, values: Mapping[str, Any]) -> tuple[tuple[Application, ...], tuple[Application, ...]]:
    """Return the applications that values lead to, and those among them that mean the same wherever they stand.

    The values are not looked at, nor what restricts a space: this takes a fraction of the time of an architecture.
    """
    unfolding = Unfolding()
    unfold(program, lambda _hyperparameter, address, _frame: values.get(address, UNSET), None, unfolding)
    return applications(unfolding), movable(unfolding)


def _applied(unfolding: Unfolding) -> list[Frame]:
    return [frame for frame in unfolding.frames.values() if frame.fragment.of_rule]


def outward(fragment: Fragment) -> tuple[int, ...]:
    """Return how many functions up the things are that a fragment itself uses of enclosing ones."""
    known = fragment.program.outward
    if fragment not in known:
        calls = fragment.live_calls
        used = closure([h for call in calls for _, h in call.module.open_arguments] + list(fragment.config.values()))
        levels = {call.home for call in calls} | {reference.levels for reference in fragment.captures}
        levels |= {fragment.levels_to(h.owner, h) for h in used}
        known[fragment] = tuple(sorted(levels - {0}))
    return known[fragment]


def _between(frame: Frame) -> list[Frame]:
    """Return the frames around and at one that stand inside of a function whose things it uses."""
    found: list[Frame] = []
    for levels in outward(frame.fragment):
        owner, inner = up(frame, levels), frame
        while inner is not owner and inner.caller is not None:
            found.append(inner)
            inner = inner.caller
    return found


def _of_elsewhere(arguments: tuple[Any, ...]) -> list[Any]:
    return [a for a in arguments if isinstance(a, Hyperparameter | Module)]


def _check_movable(unfolding: Unfolding, frame: Frame) -> None:
    here = application(frame)
    if bound := _of_elsewhere(here.arguments):
        raise ScopeError(
            f"{here.address}: what stands below depends on more than the rule and plain arguments, so it has "
            f"another meaning elsewhere.\n  Got {bound[0]!r} among the arguments.\n"
            "  Give the rule plain values, and let it make hyperparameters and modules itself."
        )
    for inner in unfolding.frames.values():
        if outward(inner.fragment) and any(each is frame for each in _between(inner)):
            raise ScopeError(
                f"{here.address}: what stands below depends on more than the rule and its arguments, so it has "
                f"another meaning elsewhere.\n  Got a use of what an enclosing function made, in {inner.prefix!r}.\n"
                "  Give it to the rule's module as an input, or make it inside of the rule."
            )
