"""Weights that move with the subtrees that they belong to, in PyTorch."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch

import deep_arch as da
from deep_arch import ops
from deep_arch.backends import torch_backend
from deep_arch.errors import DeepArchError
from deep_arch.programs import moved, moved_weights
from deep_arch.programs.moving import module_paths
from deep_arch.testing.random_rules import random_grammar

SPEC = da.vector(3)


@da.rule
def expr() -> Any:
    return da.or_(
        {
            "Sum": lambda x: ops.Add()(expr()(x), expr()(x)),
            "a leaf": lambda: ops.Dense(3),
            "a_leaf": lambda x: ops.Dense(3, name="or_1")(da.or_([ops.ReLU, lambda: ops.Dense(3)])(x)),
        }
    )


net = da.space(lambda x: expr()(x))


def built(architecture: da.Architecture, seed: int = 0) -> tuple[Any, dict[str, Any]]:
    model = torch_backend.build(architecture, SPEC, seed=seed)
    return model, torch_backend.get_weights(model)


def test_a_program_that_grows_by_nothing_computes_the_same() -> None:
    small = net.at({"expr/or.which": "a_leaf", "expr/or[a_leaf]/or.which": 1})
    kept = small.subtree("expr").below("or[Sum]/expr_1")
    large = small.graft("expr", {"or.which": "Sum", "or[Sum]/expr/or.which": "a leaf", **kept})
    model, weights = built(small)
    other, fresh = built(large, seed=1)
    carried = moved_weights(weights, small, large, {"expr": None, "expr/or[Sum]/expr_1": "expr"})
    assert {name: array.shape for name, array in carried.items()} == {
        "expr.or_Sum.expr_1.or_a_leaf.or_1.dense.kernel": (3, 3),
        "expr.or_Sum.expr_1.or_a_leaf.or_1.dense.bias": (3,),
        "expr.or_Sum.expr_1.or_a_leaf.or_1_.kernel": (3, 3),
        "expr.or_Sum.expr_1.or_a_leaf.or_1_.bias": (3,),
    }
    nothing = {name: np.zeros_like(array) for name, array in fresh.items()}
    torch_backend.set_weights(other, {**nothing, **carried})
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(other(x), model(x))


def test_names_after_a_move_are_those_of_a_fresh_build_and_values_are_carried() -> None:
    rng, n = random.Random(0), 0
    for seed in range(30):
        space = random_grammar(seed).limit(max_depth=4)
        first, second = space.sample(seed=seed), space.sample(seed=seed + 1)
        pairs = [(a, b) for a in first.applications() for b in second.applications() if a.type == b.type]
        if not pairs:
            continue
        a, b = rng.choice(pairs)
        try:
            child = first.graft(a, second.subtree(b))
        except DeepArchError:
            continue
        (_, own), (_, donated), (model, fresh) = built(first), built(second, seed=1), built(child, seed=2)
        stayed = moved_weights(own, first, child, {a.address: None})
        came = moved_weights(donated, second, child, {"": None, a.address: b.address})
        assert not stayed.keys() & came.keys()
        assert {**stayed, **came}.keys() == fresh.keys()
        torch_backend.set_weights(model, {**stayed, **came})
        assert all(a.address.replace("[", "_").split("/")[0] in name for name in came)
        n += len(came)
    assert n > 20


def test_everything_stays_without_moves() -> None:
    same = net.at({"expr/or.which": "a leaf"})
    _, weights = built(same)
    assert moved_weights(weights, same, same, {}) == weights
    assert moved_weights(weights, same, same, {"expr": None}) == {}


def test_one_subtree_may_move_to_several_places_and_into_itself() -> None:
    held = {"e/a": 1, "e/b/c": 2, "e_1/a": 3}
    found = moved(held, ["e/or[X]/e/a", "e/or[X]/e_1/a", "e/or[X]/e_1/b/c", "e_1/a", "new"], {
        "e": None, "e/or[X]/e": "e", "e/or[X]/e_1": "e"})  # fmt: skip
    assert found == {"e/or[X]/e/a": 1, "e/or[X]/e_1/a": 1, "e/or[X]/e_1/b/c": 2, "e_1/a": 3}
    assert moved(held, ["a", "b/c"], {"": "e"}) == {"a": 1, "b/c": 2}, "the whole may come from a part"


def test_paths_are_those_that_a_backend_gives_weights() -> None:
    for seed in range(10):
        found = random_grammar(seed).limit(max_depth=4).sample(seed=seed)
        _, weights = built(found)
        paths = set(module_paths(found).values())
        assert {name.rpartition(".")[0] for name in weights} <= paths
