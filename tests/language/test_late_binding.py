"""Functions that run later than they are written: what they would find in their variables is what these held before."""

# ruff: noqa: B023
from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.backends import python_backend
from deep_arch.errors import LateBinding
from deep_arch.searchers import LocalSearch, Partitioned, RandomSearch

Make = Callable[[], Any]


def units(space: da.SearchSpace) -> list[int]:
    """Return what the dense layers of a space have, where there is little to decide."""
    calls = space.sample(seed=0).graph.calls
    return [call.module.units for call in calls if isinstance(call.module, ops.Dense)]


# --- one function for each turn of a loop ----------------------------------------------------------------------------


class Lazy:
    """A function of one's own kind, which holds another."""

    def __init__(self, fn: Make) -> None:
        self.fn = fn

    def __call__(self) -> Any:
        return self.fn()


TAKERS: dict[str, Callable[[Make], Any]] = {
    "optional": lambda fn: da.optional(fn, use=True),
    "repeat": lambda fn: da.repeat(fn, 2),
    "sequential": lambda fn: da.sequential(fn, ops.ReLU),
    "or": lambda fn: da.or_({"only": fn}),
    "permute": lambda fn: da.permute([fn, ops.ReLU]),
    "split_combine": lambda fn: da.split_combine(fn, ops.Add, 2),
    "combine": lambda fn: da.split_combine(ops.ReLU, lambda a, b: fn()(ops.Add()(a, b)), 2),
    "residual": lambda fn: da.residual(fn, project=fn),
    "dense_block": lambda fn: da.dense_block(fn, 2),
    "substitute": lambda fn: da.substitute(lambda n: fn, n=da.choice([1, 2])),
    "argument": lambda fn: da.substitute(lambda kind: kind, kind=fn),
    "option": lambda fn: da.substitute(lambda kind: kind, kind=da.choice([fn, ops.ReLU])),
    "partial": lambda fn: da.optional(functools.partial(fn), use=True),
    "object": lambda fn: da.optional(Lazy(fn), use=True),
    "default": lambda fn: da.optional(lambda fn=fn: fn(), use=True),
    "list": lambda fn: da.optional(lambda fns=[fn]: fns[0](), use=True),
    "dict": lambda fn: da.optional(lambda fns={"a": fn}: fns["a"](), use=True),
}


@pytest.mark.parametrize("taker", TAKERS)
def test_a_variable_of_a_loop_is_told(taker: str) -> None:
    take = TAKERS[taker]

    @da.space
    def net(x: Any) -> Any:
        for i in range(3):
            x = take(lambda: ops.Dense(4 * (i + 1)))(x)
        return x

    with pytest.raises(
        LateBinding, match=r"<lambda> \(test_late_binding.py:\d+\) was given while i was 0, and runs after"
    ):
        units(net)


@pytest.mark.parametrize("taker", [taker for taker in TAKERS if taker != "combine"])
def test_both_mends_work(taker: str) -> None:
    take = TAKERS[taker]

    def make(i: int) -> Make:
        return lambda: ops.Dense(4 * (i + 1))

    @da.space
    def by_default(x: Any) -> Any:
        for i in range(3):
            x = take(lambda i=i: ops.Dense(4 * (i + 1)))(x)  # type: ignore[misc]
        return x

    @da.space
    def by_function(x: Any) -> Any:
        for i in range(3):
            x = take(make(i))(x)
        return x

    found = units(by_default)
    assert found == sorted(found) and {4, 8, 12} >= set(found)
    assert units(by_function) == found


def test_a_default_argument_leaves_the_values_to_the_others() -> None:
    @da.space
    def net(x: Any) -> Any:
        for i in range(1, 4):
            x = da.optional(lambda x, i=i: ops.Dense(i)(x), use=True)(x)
        return x

    assert units(net) == [1, 2, 3]


def test_the_message_says_what_and_where_and_how_to_mend_it() -> None:
    @da.space
    def net(x: Any) -> Any:
        for i in range(3):

            def block(x: Any) -> Any:
                return ops.Dense(i + 1)(x)

            x = da.optional(block, use=True, name=f"block{i}")(x)
        return x

    with pytest.raises(LateBinding) as caught:
        units(net)
    line = net.program.fn.__code__.co_firstlineno + 2
    assert str(caught.value) == (
        f"block0: block (test_late_binding.py:{line + 2}) was given while i was 0, and runs after i was bound to "
        f"something else (test_late_binding.py:{line}).\n"
        "  Got 2 (int), which is what the function would find in i.\n"
        "  Keep the value in a default argument, `def block(x, i=i): ...`, or make the function in another one, "
        "`def make(i): return ...`, and give make(i)."
    )
    assert isinstance(caught.value, ValueError)


def test_a_value_that_was_replaced_is_told() -> None:
    @da.space
    def net(x: Any) -> Any:
        x = da.optional(lambda y: ops.Add()(x, y), use=True)(x)
        return ops.ReLU()(x)

    with pytest.raises(LateBinding, match=r"x was <value: input 0>(.|\n)*Got <value: optional>(.|\n)*lambda y, x=x: "):
        net.sample(seed=0)


def test_a_hyperparameter_that_was_replaced_is_told() -> None:
    @da.space
    def net(x: Any) -> Any:
        for _ in range(2):
            width = da.choice([1, 2])
            x = da.optional(lambda: ops.Dense(width), use=True)(x)
        return x

    with pytest.raises(LateBinding, match="while width was <hyperparameter"):
        net.sample(seed=0)


def test_what_cannot_be_compared_is_taken_for_another() -> None:
    class Odd:
        def __eq__(self, other: object) -> bool:
            raise RuntimeError

    @da.space
    def net(x: Any) -> Any:
        for odd in (Odd(), Odd()):
            x = da.optional(lambda: ops.Dense(2 if odd else 3), use=True)(x)
        return x

    with pytest.raises(LateBinding, match="given while odd was"):
        net.sample(seed=0)


def test_what_was_looked_into_within_the_loop_is_told() -> None:
    @da.space
    def net(x: Any, y: Any) -> Any:
        for i in range(3):
            x, y = da.optional(lambda a, b: (ops.Dense(i + 1)(a), b))(x, y)  # unpacking unfolds it at False
        return x

    with pytest.raises(LateBinding, match="i was 0"):
        net.size()


def test_a_method_that_uses_a_loop_and_a_tuple_is_told() -> None:
    class Owner:
        def layer(self, n: int) -> Any:
            return ops.Dense(n)

        def net(self, x: Any) -> Any:
            for _, (_, n) in enumerate([(1, 2), (3, 4)]):
                x = da.sequential(lambda: self.layer(n))(x)
            return x

    with pytest.raises(LateBinding, match=r"n was 2(.|\n)*Got 4"):
        units(da.space(Owner().net))


def test_a_rule_of_a_loop_is_told() -> None:
    @da.space
    def net(x: Any) -> Any:
        rules = []
        for i in range(3):

            @da.rule
            def block() -> Any:
                return ops.Dense(i + 1)

            rules.append(block)
        for each in rules:
            x = each()(x)
        return x

    with pytest.raises(LateBinding, match=r"block: block .* was given while i was 0"):
        units(net)


def test_a_function_given_to_a_rule_is_told() -> None:
    @da.rule
    def twice(fn: Make) -> Any:
        return da.sequential(fn, fn)

    @da.space
    def net(x: Any) -> Any:
        for i in range(3):
            x = twice(lambda: ops.Dense(i + 1))(x)
        return x

    with pytest.raises(LateBinding, match=r"twice: <lambda> .* was given while i was 0"):
        units(net)


def test_a_dependent_of_a_loop_is_told() -> None:
    @da.space
    def net(x: Any) -> Any:
        h = da.choice([1, 2])
        for i in range(3):
            x = ops.Dense(da.dependent(lambda v: v + 10 * i, h))(x)
        return x

    with pytest.raises(LateBinding, match=r"dense.units: <lambda> .* was given while i was 0(.|\n)*lambda v, i=i: "):
        net.sample(seed=0)


def test_spaces_of_a_loop_are_told() -> None:
    nets = [da.space(lambda x: ops.Dense(n)(x)) for n in (1, 2, 3)]
    with pytest.raises(LateBinding, match="given while n was 1"):
        nets[0].sample(seed=0)
    assert units(nets[2]) == [3]
    inner = {n: da.space(lambda x: ops.Dense(n)(x)) for n in (1, 2)}
    with pytest.raises(LateBinding, match="given while n was 1"):
        units(da.space(lambda x: inner[1](x)))


@da.space
def tagged(x: Any) -> Any:
    return ops.Dense(da.choice([1, 2], tag="a"))(ops.Dense(da.choice([1, 2, 3], tag="b"))(x))


def test_predicates_of_a_loop_are_told() -> None:
    first, last = [tagged.where(lambda point: point.tag == tag) for tag in "ab"]
    assert last.size() == 3
    for space in (first, first.where(lambda point: True)):
        with pytest.raises(LateBinding, match=r"tagged.where: <lambda> .* was given while tag was 'a'"):
            space.sample(seed=0)
    with pytest.raises(LateBinding, match="Partitioned: 2 of the functions are one, <lambda>"):
        Partitioned([(lambda point: point.tag == tag, RandomSearch()) for tag in "ab"])
    Partitioned([(lambda point, tag=tag: point.tag == tag, LocalSearch()) for tag in "ab"])  # type: ignore[misc]


def test_wrapped_factories_of_a_loop_are_told() -> None:
    def adding(get: Callable[[], int]) -> Callable[[int], int]:
        return lambda x: x + get()

    @da.space
    def factories(x: Any) -> Any:
        for i in range(3):
            x = da.wrap(lambda n: lambda x: n * x + i)(n=da.choice([1, 2]))(x)
        return x

    @da.space
    def arguments(x: Any) -> Any:
        for i in range(3):
            x = da.wrap(adding)(get=lambda: i)(x)
        return x

    for net in (factories, arguments):
        with pytest.raises(LateBinding, match="given while i was 0"):
            python_backend.build(net.sample(seed=0))


# --- several functions of one variable -------------------------------------------------------------------------------


def in_a_helper() -> list[Make]:
    fns: list[Make] = []
    for n in (1, 2, 3):
        fns.append(lambda: ops.Dense(n))
    return fns


def in_a_while_loop() -> list[Make]:
    fns: list[Make] = []
    n = 1
    while n < 4:
        fns.append(lambda: ops.Dense(n))
        n += 1
    return fns


def around_another() -> list[Make]:
    fns: list[Make] = []
    for n in (1, 2, 3):

        def block() -> Any:
            return ops.Dense(n)

        fns.append(lambda: da.repeat(block, 2))
    return fns


def with_another_default() -> list[Make]:
    return [lambda bias=bias: ops.Dense(n, use_bias=bias) for n, bias in [(1, True), (2, False)]]  # type: ignore[misc]


LISTS: dict[str, Callable[[], Any]] = {
    "comprehension": lambda: [lambda: ops.Dense(n) for n in (1, 2, 3)],
    "generator": lambda: list(lambda: ops.Dense(n) for n in (1, 2, 3)),  # noqa: C400
    "nested": lambda: [lambda: da.repeat(lambda: ops.Dense(n), 2) for n in (1, 2, 3)],
    **{fn.__name__: fn for fn in (in_a_helper, in_a_while_loop, around_another)},
    "with_another_default": with_another_default,
}


@pytest.mark.parametrize("of", LISTS)
@pytest.mark.parametrize(
    "take", [da.or_, da.permute, lambda fns: da.sequential(*fns), lambda fns: da.or_(dict(enumerate(fns)))]
)
def test_functions_of_one_variable_are_told(of: str, take: Callable[[Any], Any]) -> None:
    with pytest.raises(LateBinding, match=r"[23] of the functions are one, \S+ .* in a loop that binds n anew"):
        units(da.space(lambda x: take(LISTS[of]())(x)))


def test_a_choice_among_functions_of_one_variable_is_told() -> None:
    with pytest.raises(LateBinding, match="choice: 3 of the functions are one"):
        da.choice([lambda: ops.Dense(n) for n in (1, 2, 3)])


# --- the variables of a program --------------------------------------------------------------------------------------


def execute(program: str) -> None:
    exec(program, {"da": da, "ops": ops, "units": units})


def test_global_variables_of_a_loop_are_told() -> None:
    with pytest.raises(LateBinding, match="given while i was 0"):
        execute("""
layers = []
for i in range(3):
    layers.append(da.optional(lambda: ops.Dense(4 * (i + 1)), use=True))
@da.space
def net(x):
    for layer in layers:
        x = layer(x)
    return x
units(net)
""")
    with pytest.raises(LateBinding, match="3 of the functions are one"):
        execute("""
fns = []
for n in (1, 2, 3):
    fns.append(lambda: ops.Dense(n))
units(da.space(lambda x: da.or_(fns)(x)))
""")
    with pytest.raises(LateBinding, match="2 of the functions are one"):
        execute("units(da.space(lambda x: da.or_([lambda: ops.Dense(n) for n in (1, 2)])(x)))")


def test_settings_that_change_while_a_space_unfolds_are_told() -> None:
    with pytest.raises(LateBinding, match="given while width was 8"):
        execute("""
width = 8
@da.space
def net(x):
    return da.repeat(lambda: ops.Dense(width), da.choice([1, 2]))(x)
net.start()
width = 16
net.sample(seed=0)
""")


@pytest.mark.parametrize(
    "program",
    [
        # Settings may follow the spaces and rules that use them.
        """
width = 1
@da.space
def net(x):
    return da.repeat(lambda: ops.Dense(width), 2)(x)
@da.rule
def part():
    return ops.Dense(width)
width = 2
assert units(net) == [2, 2] and units(da.space(lambda x: part()(x))) == [2]
""",
        # Functions are defined anew where a cell of a notebook runs again.
        """
@da.space
def net(x):
    return da.repeat(lambda: conv(), da.choice([1, 2]))(x)
net.start()
def conv():
    return ops.Dense(2)
assert net.size() == 2
def conv():
    return ops.Dense(3)
assert net.fix({"repeat.times": 1}).size() == 1
""",
        # An attribute may be named like a global.
        """
n = 1
class kinds:
    n = ops.Dense
@da.space
def net(x):
    return da.repeat(lambda: kinds.n(2), da.choice([1, 2]))(x)
net.start()
n = 2
assert net.size() == 2
""",
        # A function may count its runs.
        """
runs = 0
def block():
    global runs
    runs += 1
    return ops.Dense(1)
assert da.space(lambda x: da.repeat(block, da.choice([1, 2]))(x)).size() == 2 and runs
""",
    ],
)
def test_other_global_variables_may_change(program: str) -> None:
    execute(program)


# --- no false alarm --------------------------------------------------------------------------------------------------


def test_what_is_bound_to_an_equal_value_is_no_change() -> None:
    @da.space
    def net(x: Any) -> Any:
        pair = ops.Split(2)(x)
        for _ in range(3):
            width, several, table, nothing = 8, (1, [2.0, "a"]), {"a": [1]}, math.nan
            first = pair[0]
            weights = np.zeros(3)

            def block() -> Any:
                return ops.Dense(width)

            maker = functools.partial(ops.Dense, width)

            def use(x: Any) -> Any:
                _ = several, table, nothing, weights, maker
                return ops.Add()(block()(x), first)

            x = da.optional(use, use=True)(x)
            x = da.optional(lambda: da.repeat(block, 2), use=True)(x)
        return x

    assert units(net) == [8] * 9


def test_functions_may_refer_to_themselves_and_to_what_follows() -> None:
    @da.space
    def net(x: Any) -> Any:
        def nested(depth: int = 3) -> Any:
            return da.sequential(lambda: nested(depth - 1)) if depth else later()

        @da.rule
        def even() -> Any:
            return da.or_([ops.ReLU, lambda: odd()])

        x = da.optional(lambda: later(), use=True)(even()(nested()(x)))

        @da.rule
        def odd() -> Any:
            return da.or_([ops.Tanh, lambda: da.sequential(even, even)])

        def later() -> Any:
            return ops.Dense(width)

        width = 3
        return x

    assert units(net.limit(max_depth=3)) == [3, 3]
    assert net.size() == math.inf


def test_recursive_rules_of_a_loop_may_not_differ() -> None:
    def made(differ: bool) -> da.SearchSpace:
        @da.space
        def net(x: Any) -> Any:
            for i in range(3):

                @da.rule
                def part(n: int = i * differ + 1) -> Any:
                    return da.or_([lambda: ops.Dense(n), lambda: da.sequential(part, ops.Tanh)])

                x = part()(x)
            return x

        return net.limit(max_depth=1)

    assert units(made(differ=False)) == [1, 1, 1]
    with pytest.raises(LateBinding, match="given while part was"):  # each would go on with the last of them
        units(made(differ=True))


def test_a_chain_is_no_change() -> None:
    @da.space
    def net(x: Any) -> Any:
        first = x
        for _ in range(3):
            x = da.optional(lambda: ops.Dense(2), use=True)(x)
            x = da.optional(lambda x: ops.Add()(x, first), use=True)(x)
        return da.sequential(*[lambda y: ops.Add()(x, y) for _ in range(2)])(x)

    assert units(net) == [2, 2, 2]


def test_what_is_changed_in_place_is_no_change_of_a_variable() -> None:
    @da.space
    def net(x: Any) -> Any:
        features = [x]
        for _ in range(3):
            x = da.optional(lambda x: ops.Add()(x, features[0]), use=True)(x)
            features += [x]
        return x

    assert len(net.sample(seed=0).graph.calls) == 3


def test_a_function_may_count_its_runs() -> None:
    runs = 0

    def block() -> Any:
        nonlocal runs
        runs += 1
        return ops.Dense(2)

    @da.space
    def net(x: Any) -> Any:
        return da.repeat(lambda: block(), 2)(da.repeat(block, 3)(x))

    assert units(net) == [2] * 5 and runs > 1


def test_one_function_may_be_given_several_times() -> None:
    @da.space
    def net(x: Any) -> Any:
        width = 2

        def block() -> Any:
            return ops.Dense(width)

        def make() -> Callable[[Any], Any]:
            return lambda x: ops.Dense(width)(x)

        fns: list[Make] = []
        for _ in range(2):

            def pair() -> Any:
                return ops.Dense(width)

            fns.append(lambda: da.repeat(pair, 2))
        x = da.sequential(*fns)(da.permute([block, block])(x))
        x = da.sequential(make(), make())(x)
        return da.sequential(*[lambda: ops.Dense(width) for _ in range(3)])(x)

    assert units(net) == [2] * 11


def test_spaces_may_be_made_and_used_in_a_loop() -> None:
    for width in (1, 2):

        def block() -> Any:
            return ops.Dense(width)

        def make() -> Make:
            return lambda: ops.Dense(width)

        @da.space
        def net(x: Any) -> Any:
            x = da.sequential(*[lambda: ops.Dense(width) for _ in range(2)])(x)
            x = da.sequential(*[lambda: da.repeat(block, 2) for _ in range(2)])(x)
            return da.permute([make(), make()])(x)

        assert units(net) == [width] * 8
        assert units(da.space(lambda x: da.sequential(*[lambda: ops.Dense(width) for _ in range(2)])(x))) == [width] * 2
    execute("""
for width in (1, 2):
    net = da.space(lambda x: da.sequential(*[lambda: ops.Dense(width) for _ in range(2)])(x))
    assert units(net) == [width] * 2
""")


def test_a_factory_may_read_what_changes_between_builds() -> None:
    fold = 0

    def make(n: int) -> Callable[[int], int]:
        return lambda x: n * x + fold

    net = da.space(lambda x: da.wrap(make)(n=da.choice([2]))(x))
    results: list[int] = []
    for fold in range(3):  # noqa: B007
        results.append(python_backend.build(net.sample(seed=0))(10))
    assert results == [20, 21, 22]


def test_a_value_may_be_kept_in_a_default_argument() -> None:
    @da.space
    def net(x: Any) -> Any:
        for _ in range(2):
            x = da.optional(lambda y, x=x: ops.Add()(x, ops.Dense(2)(y)), use=True)(x)
        return x

    assert units(net) == [2, 2]


def test_functions_of_several_variables_may_be_given_together() -> None:
    @da.space
    def net(x: Any) -> Any:
        for n in (1, 2):
            x = da.or_([lambda n=n, k=k: ops.Dense(n * k) for k in (1, 2)], 1)(x)
            x = da.sequential(*map(lambda k: lambda: ops.Dense(k), (3, 4)))(x)
        return x

    assert units(net) == [2, 3, 4, 4, 3, 4]


def test_the_body_of_a_class_and_its_instances_are_no_loop() -> None:
    class Net:
        width = 2
        fns = tuple([lambda n=n: ops.Dense(n) for n in (1, 2)])

        def __call__(self, x: Any) -> Any:
            return da.or_(self.fns, 1)(da.repeat(self.block, 2)(x))

        def block(self) -> Any:
            return ops.Dense(self.width)

    assert units(da.space(Net())) == [2, 2, 2]


def test_a_variable_that_is_gone_is_left_to_python() -> None:
    @da.space
    def net(x: Any) -> Any:
        width = 2
        x = da.optional(lambda: ops.Dense(2 if use else width), use=True)(x)  # noqa: F821
        del width
        return x

    use = True

    net.sample(seed=0)
