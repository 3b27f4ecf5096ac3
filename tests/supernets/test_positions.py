"""Sharing by position: what stands at one place of several alternatives has one set of weights."""

# pyright: reportUnknownMemberType=false

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch

import deep_arch as da
from deep_arch import ops
from deep_arch.backends import torch_backend
from deep_arch.errors import BadArgument, NotSupported
from deep_arch.searchers import DARTS
from deep_arch.spaces.positions import by_position
from deep_arch.supernets.shared_weights import shared_weights
from deep_arch.testing import supernet_contract as contract


@da.rule
def term() -> Any:
    """An affine function, or what several terms give together."""

    def pair(op: Any) -> Any:
        return lambda x: op()(term()(x), term()(x))

    return da.or_(
        {
            "Add": pair(ops.Add),
            "Multiply": pair(ops.Multiply),
            "Mean": lambda x: ops.Average()(term()(x), term()(x), term()(x)),
            "Affine": lambda x: ops.Dense(2)(x),
        },
        hole=lambda x: ops.Dense(2)(ops.ReLU()(ops.Dense(3)(x))),
    )


terms = da.space(lambda x: term()(x))


def network(depth: int, share: Any = "position") -> torch_backend.SuperNetwork:
    return torch_backend.supernet(terms.limit(depth), da.vector(3), seed=0, share=share)


def test_an_address_keeps_the_last_alternative() -> None:
    assert by_position("dense.units") == "dense.units"
    assert by_position("term/or[Add]/term/or.which") == "term/or[Add]/term/or.which"
    assert by_position("term/or[Add]/term_1/or[Add]/term/or.which") == "term/or/term_1/or[Add]/term/or.which"
    assert by_position("repeat[1]/or[a b]/term/repeat[0]/or[hole]/x") == "repeat[1]/or/term/repeat[0]/or[hole]/x"
    address = "term/or[Add]/term/or[Mean]/term_2/or[Affine]/dense"
    prefix = by_position("term/or[Add]/term/or[Mean]/")
    assert by_position(prefix + "term_2/or[Affine]/dense") == by_position(address), "as a walk puts it together"


def test_modules_grow_with_places_and_not_with_programs() -> None:
    sizes = [terms.limit(depth).size() for depth in (1, 2, 3)]
    assert sizes[:2] == [1, 4] and sizes[2] > 80
    for depth in (1, 2, 3, 4):
        spots = sum([3**level for level in range(depth)])
        shared = shared_weights(terms.limit(depth), da.vector(3), share="position")
        assert len(shared.weights) == 3 * spots, "an affine function and a hole of two layers, at each place"
        assert shared.parameters == spots * (8 + 12 + 8)
        edges = 1 + 7 * sum([3**level for level in range(depth - 1)])
        assert len(shared.decisions) == edges, "each argument of each alternative decides for itself"
    alone = shared_weights(terms.limit(3), da.vector(3))
    assert len(alone.weights) == 3 * (1 + 7 + 7 * 7), "as many places as derivations"


def test_arguments_of_one_place_are_the_same_tensors() -> None:
    supernet = network(2)
    leaves = [dict.fromkeys(["term/or[Add]/term/or.which", "term/or[Add]/term_1/or.which"], "Affine")]
    leaves += [{address.replace("Add", "Multiply"): "Affine" for address in leaves[0]}]
    add, multiply = [
        supernet.at({"term/or.which": name, **rest}) for name, rest in zip(("Add", "Multiply"), leaves, strict=True)
    ]
    assert [id(p) for p in add.parameters()] == [id(p) for p in multiply.parameters()]
    assert len({id(p) for p in add.parameters()}) == 4


@pytest.mark.parametrize("seed", range(4))
def test_a_path_is_the_built_model(seed: int) -> None:
    supernet = network(3)
    contract.check_path(supernet, terms.limit(3).sample(seed=seed), {"x": torch.randn(5, 3)}, training=False)


def test_a_mixture_of_one_alternative_is_the_path() -> None:
    supernet, x = network(3), torch.randn(4, 3)
    for seed in range(4):
        architecture = terms.limit(3).sample(seed=seed)
        one = {address: da.Mixture((value,), (1.0,)) for address, value in architecture.values.items()}
        assert torch.equal(supernet.at(one)(x), supernet.at(architecture)(x))


def test_a_mixture_is_the_sum_of_its_paths_at_the_same_weights() -> None:
    supernet, x = network(2), torch.randn(4, 3)
    rest = {f"term/or[{name}]/{part}/or.which": "Affine" for name in ("Add", "Mean") for part in ("term", "term_1")}
    rest["term/or[Mean]/term_2/or.which"] = "Affine"
    mixed = supernet.at({**rest, "term/or.which": da.Mixture(("Add", "Mean"), (0.25, 0.75))})

    def path(name: str) -> Any:
        return supernet.at({"term/or.which": name, **{a: v for a, v in rest.items() if f"[{name}]" in a}})(x)

    assert torch.allclose(mixed(x), 0.25 * path("Add") + 0.75 * path("Mean"), atol=1e-6)


def test_a_hole_has_weights_by_place() -> None:
    supernet, x = network(3), torch.randn(4, 3)
    holes = {"term/or.which": "Add", **{f"term/or[Add]/{part}/or.which": "hole" for part in ("term", "term_1")}}
    state = {address: da.Mixture((value,), (1.0,)) for address, value in holes.items()}
    model = supernet.build(terms.limit(3).partial({"term/or.which": "Add"}).completed())
    assert torch.equal(supernet.at(state)(x), model(x))


def test_copies_share_alike() -> None:
    supernet, x = network(3), torch.randn(4, 3)
    architecture = terms.limit(3).sample(seed=3)
    expected = supernet.at(architecture)(x)
    for again in (copy.deepcopy(supernet), pickle.loads(pickle.dumps(supernet))):
        assert again.share == "position"
        assert torch.equal(again.at(architecture)(x), expected)


def test_weights_go_out_and_in() -> None:
    supernet, x = network(3), torch.randn(4, 3)
    architecture = terms.limit(3).sample(seed=5)
    model = torch_backend.build(architecture, da.vector(3), seed=7)
    supernet.load(model, architecture)
    assert torch.equal(supernet.at(architecture)(x), model(x))


def test_an_expected_cost_knows_what_is_shared() -> None:
    supernet = network(3)
    values = terms.limit(3).sample(seed=5).values
    one = {address: da.Mixture((value,), (1.0,)) for address, value in values.items()}
    assert supernet.at(one).cost().parameters.item() == terms.limit(3).at(values).cost(da.vector(3)).parameters


def test_a_function_of_an_address_shares_as_it_says() -> None:
    def one_place(address: str) -> str:
        return by_position(address).replace("term_1", "term").replace("term_2", "term")

    shared = shared_weights(terms.limit(3), da.vector(3), share=one_place)
    assert len(shared.weights) == 3 * 3, "a place for each depth"
    supernet = network(3, one_place)
    contract.check_path(supernet, terms.limit(3).sample(seed=2), {"x": torch.randn(5, 3)}, training=False)


def test_relaxed_searchers_find_the_path_by_shared_logits() -> None:
    searcher, space = DARTS(learning_rate=0.1, share="position"), terms.limit(3)
    supernet, x = network(3), torch.randn(8, 3)
    for trial in da.search(space, searcher, trials=8, seed=0):
        model = supernet.at(trial)
        score = -(model(x) - x.prod(1, keepdim=True)).square().mean()
        trial.tell(score.item(), slopes=model.slopes(score))
    (best,) = searcher.best()
    for address, domain in space.decidable(best).items():
        found = searcher.probabilities(da.ChoicePoint(address, domain))
        assert len(found.values) == 1 or len({*found.numbers}) > 1, "the logits of the trials are those of the program"


def test_what_cannot_be_shared_is_refused() -> None:
    with pytest.raises(
        BadArgument, match=r'expected share to be "position" or a function.*\n  Got 3 \(int\)\.\n  Write'
    ):
        network(2, 3)
    fixed = terms.limit(3).fix({"term/or[Add]/term/or[Add]/term/or.which": "Affine"})
    with pytest.raises(NotSupported, match=r"is fixed in this sub-space(.|\n)*Make the super-network of the whole"):
        torch_backend.supernet(fixed, da.vector(3), share="position")
