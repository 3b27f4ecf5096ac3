from __future__ import annotations

from collections import Counter
from typing import Any

import deep_arch as da
from deep_arch import ops
from deep_arch.searchers.parts.features import NUMBERS, OPTIONS, PATHS, features, paths, simplified, subtrees

CHOICES = {"zero": ops.Zero, "same": ops.Identity, "tanh": ops.Tanh, "dense": lambda: ops.Dense(units=4)}


@da.space
def cell(x: Any) -> Any:
    """Have a node between input and output, and an edge around it."""
    middle = da.or_(CHOICES, da.choice(list(CHOICES), name="first"))(x)
    return ops.Add()(
        da.or_(CHOICES, da.choice(list(CHOICES), name="second"))(middle),
        da.or_(CHOICES, da.choice(list(CHOICES), name="around"))(x),
    )


def graph_of(first: str, second: str, around: str) -> list[tuple[str, tuple[int, ...]]]:
    nodes = simplified(cell.at({"first": first, "second": second, "around": around}).graph)
    return [(kind.sort.split(" ")[0], inputs) for kind, inputs in nodes]


def test_what_computes_nothing_is_left_out() -> None:
    assert graph_of("dense", "same", "tanh") == [
        ("input", ()),
        ("dense", (0,)),
        ("tanh", (0,)),
        ("add", (1, 2)),
        ("output", (3,)),
    ]
    assert graph_of("dense", "same", "zero") == [("input", ()), ("dense", (0,)), ("output", (1,))]
    assert graph_of("dense", "zero", "same") == [("input", ()), ("output", (0,))]
    assert graph_of("zero", "dense", "zero") == [("output", ())]


def test_paths_are_what_stands_on_each_way() -> None:
    architecture = cell.at({"first": "dense", "second": "tanh", "around": "tanh"})
    found = [
        [word for word in path.split(" ") if word in ("dense", "tanh")]
        for path in paths(simplified(architecture.graph))
    ]
    assert sorted(found) == [["dense", "tanh"], ["tanh"]]
    assert list(paths(simplified(cell.at({"first": "zero", "second": "tanh", "around": "zero"}).graph))) == []


def test_many_and_long_paths_are_bounded() -> None:
    @da.space
    def net(x: Any) -> Any:
        for _ in range(20):
            x = ops.Add()(ops.Dense(units=4)(x), ops.Tanh()(x))
        return x

    found = list(paths(simplified(net.sample(seed=0).graph)))
    assert len(found) == 64 and all(len(path.split(" ")) == 16 for path in found)  # a name and its arguments for each


def test_equal_graphs_have_equal_features_apart_from_their_addresses() -> None:
    one, other = ({"first": a, "second": b, "around": "dense"} for a, b in (("tanh", "same"), ("same", "tanh")))
    found = [features(cell.at(values), 2) for values in (one, other)]
    assert found[0] != found[1]
    graphs = [{key: n for key, n in f.items() if key[0] != OPTIONS} for f in found]
    assert graphs[0] == graphs[1]


def test_subtrees_tell_what_a_call_is_called_on() -> None:
    nodes = simplified(cell.at({"first": "dense", "second": "tanh", "around": "tanh"}).graph)
    zero, one = list(subtrees(nodes, 1))
    tanhs = [i for i, (kind, _) in enumerate(nodes) if kind.sort.startswith("tanh")]
    assert len({zero[i] for i in tanhs}) == 1 and len({one[i] for i in tanhs}) == 2
    assert Counter(zero)["input"] == Counter(zero)["output"] == 1


def test_hyperparameters_are_options_and_places_on_a_scale() -> None:
    @da.space
    def net(x: Any) -> Any:
        da.config(rate=da.real(1e-4, 1, log=True), order=da.permutation(["a", "b"]))
        width = da.choice([8, 16, 32], name="width")
        x = da.optional(lambda: ops.Dropout(rate=da.real(0, 0.5)), da.boolean(name="drop"))(x)
        return ops.Dense(units=width)(x)

    values = next(a for a in map(net.sample, range(20)) if a.values["drop"]).values
    rates = [address for address in values if address not in ("width", "drop", "optional/dropout.rate")]
    found = features(
        net.at({**values, "width": 16, rates[0]: 1e-2, rates[1]: ("b", "a"), "optional/dropout.rate": 0.5})
    )
    assert found[f"{NUMBERS} {rates[0]}", rates[0]] == 0.5
    assert found[f"{NUMBERS} width", "width"] == 0.5
    assert found[NUMBERS, "optional/dropout.rate"] == 1.0
    assert found[OPTIONS, "drop=True"] == 1.0
    assert found[OPTIONS, f"{rates[1]}[0]=1"] == 1.0


def test_a_number_does_not_make_another_kind_of_call_and_an_option_does() -> None:
    net = da.space(lambda x: ops.Conv1D(filters=da.integer(1, 99), kernel_size=da.choice([1, 3], name="k"))(x))
    a, b, c = (
        {label for block, label in features(net.at({"conv1d.filters": n, "k": k})) if block == PATHS}
        for n, k in ((1, 1), (2, 1), (1, 3))
    )
    assert a == b != c
