"""Effects: what a call becomes at several values, those with the same effect taken together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from deep_arch.counting.boxes import boxes
from deep_arch.counting.counts import Count
from deep_arch.counting.factors import Binding, Budget, Factor, Gated, Term
from deep_arch.counting.structures import Rows, Structure
from deep_arch.counting.variables import gate_of
from deep_arch.counting.ways import ONE, Inside, Variable, Ways
from deep_arch.language.fragment import Call, Fragment
from deep_arch.language.hyperparameters import Independent


class Part(NamedTuple):
    """One way to unfold a call: what it asks of the fragment, where its gate holds."""

    structure: Structure
    gated: Gated


class Found(NamedTuple):
    """What a call becomes at some values: the fragment, and the rows as the calling fragment sees them."""

    binding: Mapping[Independent, Any]
    fragment: Fragment
    rows: Rows


def parts_of(
    call: Call,
    decisive: tuple[Independent, ...],
    variables: Sequence[Variable],
    found: dict[tuple[int, ...], Found],
    sizes: Sequence[Mapping[tuple[int, ...], int | float]],
    budget: Budget,
) -> list[Part]:
    """Return the parts of what a call becomes, those with the same effect as one."""
    by_effect: dict[Any, list[tuple[int, ...]]] = {}
    for positions, each in found.items():
        budget.spend(sum([term.size for term in each.rows.values()]), _factors(each.rows))
        if each.rows:
            by_effect.setdefault(_effect(each.rows), []).append(positions)
    numbered = [(positions, i) for i, some in enumerate(by_effect.values()) for positions in some]
    found_boxes = boxes(numbered, sizes) if numbered else []
    parts: list[Part] = []
    entered = [_entered(call, decisive, {p: found[p] for p in some}) for some in by_effect.values()]
    for box, effect in found_boxes:
        gate = gate_of(variables, box)
        parts += [Part(structure, Gated(gate, term)) for structure, term in entered[effect].items()]
    return parts


def _factors(rows: Rows) -> Iterator[Factor]:
    return (factor for term in rows.values() for factor in term.factors)


def _effect(rows: Rows) -> Any:
    """Return what is equal for tables that count the same."""
    return frozenset(
        [
            (structure, term.ways.count, tuple([_counts(factor) for factor in term.factors]))
            for structure, term in rows.items()
        ]
    )


def _counts(factor: Factor) -> frozenset[tuple[Binding, Count]]:
    return frozenset([(binding, ways.count) for binding, ways in factor.entries.items()])


def _entered(call: Call, decisive: tuple[Independent, ...], found: dict[tuple[int, ...], Found]) -> Rows:
    """Return the rows of what a call becomes at values with one effect, with the way to each."""
    if call.module.order_immaterial and len(found) == 1:
        decisive, found = (), dict(zip([()], found.values(), strict=True))

    def inside(pick: Callable[[Rows], Ways]) -> Ways:
        ways = {positions: (each.fragment, pick(each.rows)) for positions, each in found.items()}
        return ONE if all(within is ONE for _, within in ways.values()) else Inside(call, decisive, ways)

    def constant(structure: Structure) -> Ways:
        return inside(lambda rows: rows[structure].ways)

    def entry(structure: Structure, i: int, binding: Binding) -> Ways:
        return inside(lambda rows: rows[structure].factors[i].entries[binding])

    return {
        structure: Term(
            constant(structure),
            tuple([Factor({b: entry(structure, i, b) for b in f.entries}) for i, f in enumerate(term.factors)]),
        )
        for structure, term in next(iter(found.values())).rows.items()
    }
