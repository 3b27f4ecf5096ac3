"""What every backend must do with scans; a part of `BackendContract`.

Laws, each with a test of that name:

- a random scan gives the numbers of the reference, outputs and gradients, in float32 and in float64;
- a scan computes what the loop computes that holds its body step by step;
- a map of what is alike at every cell is that operation on the sequence;
- a long scan, which a backend may run otherwise, computes the same;
- a module that was made around a scan is the same one in its body, also where nothing else calls it.
"""

# The functions of the spaces here are lambdas, whose parameters have no types.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false

from __future__ import annotations

from typing import Any, ClassVar

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.language.specs import Spec
from deep_arch.testing.parity import TOLERANCES, BackendRunner, assert_agreement, assert_close, draw, draw_weights
from deep_arch.testing.random_scans import RandomScan, equal_weights

_N_SCANS = 30


class ScanContract(BackendRunner):
    """Tests of scans in a backend.

    Attributes:
        reference: the backend that numbers are compared with; None for the one that is the reference.
        dtypes: the types that it computes in.
        n_scans: how many random scans are compared.
    """

    reference: ClassVar[BackendRunner | None]
    dtypes: ClassVar[tuple[str, ...]] = ("float32", "float64")
    n_scans: ClassVar[int] = _N_SCANS

    @pytest.mark.parametrize("seed", range(_N_SCANS))
    def test_a_random_scan_gives_the_numbers_of_the_reference(self, seed: int) -> None:
        if self.reference is None or seed >= self.n_scans:
            pytest.skip("this backend is the reference" if self.reference is None else "others compare this one")
        scan = RandomScan(seed)
        for dtype in self.dtypes:
            inputs = {name: Spec(spec.shape, dtype) for name, spec in scan.inputs.items()}
            assert_agreement(self, self.reference, scan.space().at({}), inputs)

    @pytest.mark.parametrize("seed", range(_N_SCANS))
    def test_a_scan_computes_what_the_loop_computes(self, seed: int) -> None:
        if seed >= self.n_scans:
            pytest.skip("others compare this one")
        scan = RandomScan(seed)
        self.assert_equal(scan.space().at({}), scan.space(unrolled=True).at({}), scan.inputs)

    def test_a_map_of_what_is_alike_at_every_cell_is_that_operation(self) -> None:
        inputs = {"x": da.sequence(5, 4)}
        mapped = da.space(lambda x: da.map_(lambda f: ops.Tanh()(ops.Dense(3)(f)))(x))
        self.assert_equal(mapped.at({}), da.space(lambda x: ops.Tanh()(ops.Dense(3)(x))).at({}), inputs)

    @pytest.mark.parametrize("reverse", [False, True])
    def test_a_long_scan_computes_the_same(self, reverse: bool) -> None:
        length = 70

        def net(x: Any) -> Any:
            def step(h: Any, c: Any, f: Any) -> Any:
                new = ops.Tanh()(ops.Dense(2)(ops.Concatenate()(h, f)))
                return new, ops.Add()(c, ops.Multiply()(new, f)), new

            zero = ops.Multiply()(ops.GlobalAveragePooling1D()(x), ops.Zero()(ops.GlobalAveragePooling1D()(x)))
            return tuple(da.scan(step, carry=2, reverse=reverse)(zero, zero, x))

        def unrolled(x: Any) -> Any:
            h = c = ops.Multiply()(ops.GlobalAveragePooling1D()(x), ops.Zero()(ops.GlobalAveragePooling1D()(x)))
            dense = ops.Dense(2)
            steps: dict[int, Any] = {}
            for t in reversed(range(length)) if reverse else range(length):
                f = ops.Flatten()(ops.Slice(t, t + 1, axis=1)(x))
                h = steps[t] = ops.Tanh()(dense(ops.Concatenate()(h, f)))
                c = ops.Add()(c, ops.Multiply()(h, f))
            return h, c, ops.Concatenate(axis=1)(*[ops.Reshape((2, 1))(steps[t]) for t in range(length)])

        self.assert_equal(da.space(net).at({}), da.space(unrolled).at({}), {"x": da.sequence(length, 2)})

    @pytest.mark.parametrize("form", ["inside", "before", "after", "nested", "map"])
    def test_a_module_made_around_a_scan_is_the_same_in_its_body(self, form: str) -> None:
        def net(along: Any) -> Any:
            def body(x: Any) -> Any:
                dense = ops.Dense(2)
                first = ops.Zeros(2)(x)

                def step(h: Any, f: Any) -> Any:
                    return ops.Tanh()(ops.Add()(dense(f), h))

                def outer(h: Any, f: Any) -> list[Any]:
                    return [ops.Add()(dense(h), along(lambda g, e: [step(g, e)], [f], x)[0])]

                if form == "map":
                    return along(lambda f: (ops.Tanh()(dense(f)),), [], x)[0]
                if form == "nested":
                    return along(outer, [first], x)[0]
                h = along(lambda h, f: [step(h, f)], [dense(first) if form == "before" else first], x)[0]
                return dense(h) if form == "after" else h

            return body

        def scanned(step: Any, states: list[Any], x: Any) -> list[Any]:
            return [da.scan(lambda *given: tuple(step(*given)), carry=len(states))(*states, x)]

        def unrolled(step: Any, states: list[Any], x: Any) -> list[Any]:
            results: list[Any] = []
            for t in range(3):
                given = step(*states, ops.Flatten()(ops.Slice(t, t + 1, axis=1)(x)))
                states, results = given[: len(states)], [*results, *given[len(states) :]]
            return states or [ops.Concatenate(axis=1)(*[ops.Reshape((2, 1))(result) for result in results])]

        inputs = {"x": da.sequence(3, 2)}
        architecture = da.space(net(scanned)).at({})
        assert list(self.weights(self.build(architecture, inputs, 0))) == ["dense.kernel", "dense.bias"]
        self.assert_equal(architecture, da.space(net(unrolled)).at({}), inputs)

    def assert_equal(self, scanned: da.Architecture, other: da.Architecture, inputs: dict[str, Spec]) -> None:
        """Fail where two architectures with the same weights in the same order differ in this backend."""
        models = [self.build(architecture, inputs, 0) for architecture in (scanned, other)]
        weights = draw_weights(self.weights(models[0]))
        self.set_weights(models[0], weights)
        self.set_weights(models[1], equal_weights(self.weights(models[1]), weights))
        arrays = {name: draw(spec, seed) for seed, (name, spec) in enumerate(inputs.items())}
        got, expected = (self.run(model, arrays) for model in models)
        assert_close(got, expected, TOLERANCES["float32"])
