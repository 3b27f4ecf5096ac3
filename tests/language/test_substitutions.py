from __future__ import annotations

import itertools
import math
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import ArityMismatch, BadArgument, InvalidDomain, ScopeError, ValueOutsideDomain
from deep_arch.language.values import Value


def leaf(factor: float = 1.0) -> da.Module:
    return ops.Scale(factor)


def own() -> da.Module:
    return ops.Scale(da.choice([1.0, 2.0]))


def net_of(module: Any) -> da.SearchSpace:
    return da.space(lambda x: module()(x))


def addresses(architecture: da.Architecture) -> list[str]:
    return [call.address for call in architecture.graph.calls]


def structure(space: da.SearchSpace) -> set[str]:
    return {architecture.fingerprint() for architecture in space.enumerate()}


def test_metamorphic_pairs() -> None:
    identity = net_of(ops.Identity)
    once = net_of(leaf)
    assert structure(net_of(lambda: da.optional(leaf, use=False))) == structure(identity)
    assert structure(net_of(lambda: da.optional(leaf, use=True))) == structure(once)
    assert structure(net_of(lambda: da.repeat(leaf, 1))) == structure(once)
    assert structure(net_of(lambda: da.repeat(leaf, 0))) == structure(identity)
    assert structure(net_of(lambda: da.or_([leaf]))) == structure(once)
    assert structure(net_of(lambda: da.permute([leaf]))) == structure(once)
    assert structure(net_of(lambda: da.sequential(leaf, leaf))) == structure(net_of(lambda: da.repeat(leaf, 2)))
    assert structure(net_of(lambda: da.split_combine(leaf, ops.Add, 0))) == structure(identity)
    assert structure(net_of(lambda: da.dense_block(leaf, 0))) == structure(identity)
    assert structure(net_of(lambda: da.substitute(lambda n: leaf(n), n=1.0))) == structure(once)


def test_the_three_kinds_of_functions() -> None:
    for fn in (leaf, lambda x: leaf()(x), lambda: lambda x: leaf()(x), lambda *xs: leaf()(*xs)):
        assert len(net_of(lambda fn=fn: da.sequential(fn)).sample(0).graph) == 1
    tied = da.space(lambda x: da.repeat(own(), 3)(x))
    assert tied.size() == 2
    assert {call.module_address for call in tied.sample(0).graph.calls} == {"scale"}
    assert addresses(tied.sample(0)) == ["scale", "scale@1", "scale@2"]
    zero = net_of(lambda: da.or_([ops.Zero, ops.Identity]))
    assert zero.size() == 2


def test_or_by_list_and_dict() -> None:
    listed = net_of(lambda: da.or_([leaf, own]))
    assert [dict(a.values) for a in listed.enumerate()] == [
        {"or.which": 0},
        {"or.which": 1, "or[1]/scale.initial": 1.0},
        {"or.which": 1, "or[1]/scale.initial": 2.0},
    ]
    named = net_of(lambda: da.or_({"plain": leaf, "open": own}))
    assert addresses(named.at({"or.which": "plain"})) == ["or[plain]/scale"]
    chosen = net_of(lambda: da.or_({"a": leaf, "b": own}, which=da.choice(["b"])))
    assert chosen.size() == 2
    with pytest.raises(InvalidDomain, match=r"or\.which: 2 names none of the functions \(0, 1\)"):
        net_of(lambda: da.or_([leaf, own], which=da.choice([0, 2]))).start()
    with pytest.raises(InvalidDomain, match="names none"):
        net_of(lambda: da.or_([leaf, own], which=da.boolean())).start()
    with pytest.raises(InvalidDomain, match="at least one function"):
        net_of(lambda: da.or_([])).start()


def test_optional_that_is_off_never_creates_what_is_inside() -> None:
    made: list[int] = []

    def inside() -> da.Module:
        made.append(1)
        return own()

    net = net_of(lambda: da.optional(inside))
    off = net.at({"optional.use": False})
    assert off.values == {"optional.use": False} and made == []
    assert off.is_specified and len(off.graph) == 0 and off.graph.outputs == (0,)
    assert net.size() == 3 and made == [1]


@pytest.mark.parametrize("times", [-1, 1.5, True, "2", [1]])
def test_times_must_be_an_int_of_at_least_zero(times: Any) -> None:
    for make in (
        lambda t: da.repeat(leaf, t),
        lambda t: da.split_combine(leaf, ops.Add, t),
        lambda t: da.dense_block(leaf, t),
    ):
        with pytest.raises(InvalidDomain, match=r"times must be an int of at least 0"):
            net_of(lambda make=make: make(times)).start()
        with pytest.raises(InvalidDomain, match=r"times must be an int of at least 0"):
            net_of(lambda make=make: make(da.choice([1, times] if times is not True else [True]))).start()


def test_a_computed_number_of_times_is_checked_when_it_is_known() -> None:
    net = net_of(lambda: da.repeat(leaf, da.choice([0, 2], name="n") - 1))
    start = net.start()
    with pytest.raises(ValueOutsideDomain, match=r"repeat\.times: -1 is not an int of at least 0"):
        start.assign("n", 0)
    assert start.values == {}
    assert len(start.assign("n", 2).graph) == 1


def test_permute_does_not_enumerate_the_orders() -> None:
    net = net_of(lambda: da.permute([lambda i=i: ops.Scale(da.choice([float(i), -float(i)])) for i in range(1, 11)]))
    assert net.size() == math.factorial(10) * 2**10
    architecture = net.sample(0)
    order = architecture.values["permute.order"]
    assert sorted(order) == list(range(10))
    assert addresses(architecture) == [f"permute[{i}]/scale" for i in order]
    net.sample(0, uniform="architectures")
    assert (
        net_of(lambda: da.permute([leaf, own, own])).size()
        == 24
        == len(list(net_of(lambda: da.permute([leaf, own, own])).enumerate()))
    )


def test_permute_checks_its_order() -> None:
    with pytest.raises(ValueOutsideDomain, match=r"permute\.order: \(0, 0\) is not an order of the 2 functions"):
        net_of(lambda: da.permute([leaf, leaf], order=da.choice([(0, 0)]))).sample(0)


def test_split_combine_residual_and_dense_block() -> None:
    split = net_of(lambda: da.split_combine(leaf, ops.Concatenate, 3)).sample(0)
    assert addresses(split) == [*[f"split_combine[{i}]/scale" for i in range(3)], "split_combine/concatenate"]
    assert split.graph.calls[-1].inputs == (1, 2, 3)
    residual = net_of(lambda: da.residual(leaf)).sample(0)
    assert residual.graph.calls[-1].inputs == (1, 0)  # the function first, then the shortcut
    projected = net_of(lambda: da.residual(leaf, ops.Subtract, project=lambda: leaf(3.0))).sample(0)
    assert addresses(projected) == ["residual[0]/scale", "residual[1]/scale", "residual/select", "residual/subtract"]
    dense = net_of(lambda: da.dense_block(leaf, 3)).sample(0)
    assert [call.inputs for call in dense.graph.calls] == [(0,), (0, 1), (2,), (0, 1, 3), (4,), (0, 1, 3, 5)]
    assert dense.shapes(da.vector(2))["dense_block/concatenate_2"] == (16,)


def test_a_wide_split_resolves() -> None:
    net = net_of(lambda: da.split_combine(own, ops.Add, 3000))
    assert len(net.sample(0).values) == 3000
    assert net.size() == 2**3000


def test_substitute_takes_values_by_name() -> None:
    @da.space
    def net(x: Value) -> Value:
        n = da.choice([1, 2], name="n")
        return da.substitute(lambda width, n: lambda y: da.repeat(lambda: leaf(width), n)(y), width=2.0 * n, n=n)(x)

    assert addresses(net.at({"n": 2})) == [f"substitute/repeat[{i}]/scale" for i in range(2)]
    assert net.size() == 2


def test_several_inputs_and_outputs() -> None:
    def swap(a: Value, b: Value) -> tuple[Value, Value]:
        return b, leaf()(a)

    @da.space
    def net(x: Value, y: Value) -> dict[str, Value]:
        a, b = da.repeat(swap, da.choice([0, 1, 2, 3], name="n"))(x, y)
        pair = da.or_([swap, lambda p, q: (p, q)])(a, b)
        c, d = pair
        e, f = da.optional(swap)(c, d)
        return {"left": e, "right": ops.Add()(f, pair[1])}

    assert net.inputs == ("x", "y")
    assert net.size() == 16 == len(list(net.enumerate()))
    architecture = net.at({"n": 1, "or.which": 1, "optional.use": False})
    assert architecture.graph.output_names == ("left", "right")
    assert architecture.graph.outputs[0] == 1 and architecture.graph.calls[-1].inputs == (2, 2)
    shapes = architecture.shapes({"x": da.vector(3), "y": da.vector(3)})
    assert set(shapes.values()) == {(3,)}


def test_outputs_of_split_are_unpacked_and_indexed() -> None:
    @da.space
    def net(x: Value) -> Value:
        a, b = ops.Split(2)(x)
        parts = ops.Split(da.choice([2, 4], name="sections"))(a)
        return ops.Concatenate()(b, parts[0])

    assert net.at({"sections": 4}).shapes(da.vector(16))["concatenate"] == (10,)
    assert net.at({"sections": 4}).shapes(da.vector(16))["split"] == ((8,), (8,))
    with pytest.raises(ArityMismatch, match="depends on open hyperparameters"):
        da.space(lambda x: next(iter(ops.Split(da.choice([2, 3]))(x)))).start()
    with pytest.raises(ArityMismatch, match="gives 2 values"):
        da.space(lambda x: ops.ReLU()(ops.Split(2)(x))).start()
    with pytest.raises(ArityMismatch, match="one value cannot be unpacked"):
        da.space(lambda x: list(x)).start()


def test_arity_mismatches_name_the_address() -> None:
    def pair(x: Value) -> tuple[Value, Value]:
        return x, x

    @da.space
    def net(x: Value) -> Value:
        return ops.ReLU()(da.or_([leaf, pair])(x))

    assert net.at({"or.which": 0}) is not None
    with pytest.raises(ArityMismatch, match=r"or\[1\]: gives 2 values"):
        net.at({"or.which": 1})
    with pytest.raises(ArityMismatch, match=r"optional: the function .* takes 2 values"):
        da.space(lambda x: da.optional(lambda a, b: a, use=True)(x)).start()
    with pytest.raises(ArityMismatch, match="output 1"):
        da.space(lambda x: da.sequential(leaf)(x)[1]).start()
    with pytest.raises(ArityMismatch, match="as many values as it takes, 2"):
        da.space(lambda x, y: da.residual(lambda a, b: (a, b), project=lambda a, b: a)(x, y)).sample(0)


def test_what_is_no_function_is_refused_where_it_is_written() -> None:
    with pytest.raises(BadArgument, match=r"repeat: Conv2D cannot be made without filters, kernel_size"):
        net_of(lambda: da.repeat(ops.Conv2D, 2)).start()
    with pytest.raises(BadArgument, match="expected a function of values"):
        net_of(lambda: da.optional(3)).start()
    with pytest.raises(BadArgument, match="returns a module"):
        net_of(lambda: da.sequential(lambda: 3)).start()
    with pytest.raises(BadArgument, match="returns a value, or a tuple"):
        da.space(lambda x: ops.ReLU).start()
    with pytest.raises(BadArgument, match="called on values"):
        da.space(lambda x: ops.Add()([x, x])).start()  # type: ignore[arg-type]
    with pytest.raises(ArityMismatch, match="at least one value"):
        da.space(lambda x: ops.Add()()).start()
    with pytest.raises(ScopeError, match="inside a search-space function"):
        ops.ReLU()(None)  # type: ignore[arg-type]


def test_captured_values_and_modules() -> None:
    @da.space
    def net(x: Value) -> Value:
        skip = own()(x)
        shared = ops.Scale(da.choice([3.0, 4.0]), name="shared")
        x = da.repeat(lambda y: ops.Add()(shared(y), skip), 2)(x)
        return shared(x)

    assert net.size() == 4
    architecture = net.sample(0)
    assert addresses(architecture) == [
        "scale",
        "shared",
        "repeat[0]/add",
        "shared@1",
        "repeat[1]/add",
        "shared@2",
    ]
    assert architecture.graph.calls[2].inputs == (2, 1) and architecture.graph.calls[4].inputs == (4, 1)


def test_what_only_an_unused_branch_captures_does_not_count() -> None:
    @da.space
    def net(x: Value) -> Value:
        side = own()(x)
        return da.optional(lambda y: ops.Add()(y, side))(x)

    assert [dict(a.values) for a in net.enumerate()] == [
        {"optional.use": False},
        {"optional.use": True, "scale.initial": 1.0},
        {"optional.use": True, "scale.initial": 2.0},
    ]
    assert [p.address for p in net.start().unassigned] == ["optional.use"]


def test_inputs_that_a_choice_ignores_do_not_count() -> None:
    picks = [lambda a, b: a, lambda a, b: b]
    net = da.space(lambda x: da.or_(picks)(own()(x), ops.Scale(da.choice([1.0, 2.0, 3.0]))(x)))
    assert net.size() == 5 == len(list(net.enumerate()))
    assert net.sample(0).values.keys() < {"or.which", "scale.initial", "scale_1.initial"}
    partial = net.start().assign("scale.initial", 1.0).assign("or.which", 1)
    assert dict(partial.values) == {"or.which": 1}


def test_a_value_made_after_a_call_cannot_be_captured_by_it() -> None:
    @da.space
    def net(x: Value) -> Value:
        y = da.optional(lambda v: ops.Add()(v, later[0]), use=True)(x)
        later.append(leaf()(y))
        return y

    later: list[Value] = []
    with pytest.raises(ScopeError, match="made after it was called"):
        net.start()


def test_a_substitution_called_twice_is_one_decision() -> None:
    @da.space
    def net(x: Value) -> Value:
        block = da.repeat(own, da.choice([1, 2], name="n"))
        return ops.Add()(block(x), da.optional(lambda y: block(block(y)))(x))

    assert net.size() == 12 == len(list(net.enumerate()))
    architecture = net.at({"n": 1, "repeat[0]/scale.initial": 2.0, "optional.use": True})
    assert {call.module_address for call in architecture.graph.calls} == {"repeat[0]/scale", "add"}
    assert len({call.address for call in architecture.graph.calls}) == 4


def test_names_of_modules() -> None:
    @da.space
    def net(x: Value) -> Value:
        x = leaf()(x)
        x = ops.Scale(1.0, name="scale_1")(x)
        return leaf()(leaf()(x))

    assert set(addresses(net.sample(0))) == {"scale", "scale_1", "scale_2", "scale_3"}
    with pytest.raises(da.DeepArchError, match=r"named 'a' for the second time"):
        da.space(lambda x: ops.ReLU(name="a")(ops.ReLU(name="a")(x))).start()
    with pytest.raises(BadArgument, match="identifier"):
        ops.ReLU(name="a/b")


def test_spaces_compose() -> None:
    stem = da.space(lambda x: own()(x))
    net = da.space(lambda x: da.repeat(stem, 2)(stem(x)))
    assert net.size() == 8
    assert list(itertools.chain(net.sample(0).values)) == [
        "scale.initial",
        "repeat[0]/scale.initial",
        "repeat[1]/scale.initial",
    ]


def test_config() -> None:
    @da.space
    def net(x: Value) -> Value:
        da.config(learning_rate=da.choice([0.1, 0.01]), batch=32)

        def part(y: Value) -> Value:
            da.config(rate=da.choice([1, 2, 3]))
            return y

        return da.optional(part)(x)

    assert net.size() == 2 * 4 == len(list(net.enumerate()))
    on = net.at({"learning_rate": 0.1, "optional.use": True, "optional/rate": 3})
    assert on.config == {"learning_rate": 0.1, "batch": 32, "optional/rate": 3}
    assert net.start().config == {"batch": 32}
    only = da.space(lambda: da.config(depth=da.integer(1, 4)))
    assert only.size() == 4 and only.inputs == () and len(only.sample(0).graph) == 0
    with pytest.raises(ScopeError, match="inside a search-space function"):
        da.config(a=1)

    def again(x: Value) -> Value:
        da.config(a=1)
        da.config(a=2)
        return x

    with pytest.raises(da.DeepArchError, match="has 'a' already"):
        da.space(again).start()


def test_errors_of_user_functions_say_where() -> None:
    def broken(x: Value) -> Value:
        raise KeyError("mine")

    net = net_of(lambda: da.or_([leaf, lambda: da.sequential(broken)]))
    with pytest.raises(KeyError) as caught:
        net.at({"or.which": 1})
    notes = getattr(caught.value, "__notes__", ["or[1]/sequential"])  # notes came with Python 3.11
    assert any("or[1]/sequential" in note for note in notes)
