"""What docs/own_operations.md shows is run, and its operation computes the same in every backend."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

TEXT = (Path(__file__).parents[1] / "docs" / "own_operations.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)


@pytest.fixture(scope="module")
def names() -> dict[str, Any]:
    """Return what the document's code defines."""
    for package in ("torch", "tensorflow", "keras"):
        pytest.importorskip(package)
    defined: dict[str, Any] = {"__name__": "own_operations"}
    for block in BLOCKS:
        exec(compile(block, "own_operations.md", "exec", dont_inherit=True), defined)
    return defined


def test_the_values_in_comments_are_right(names: dict[str, Any]) -> None:
    pairs = re.findall(r"^(\S.*?)  # (\{'\w+': \([\d,]+\)\}|\d+)$", "".join(BLOCKS), flags=re.MULTILINE)
    assert len(pairs) == 4
    for expression, value in pairs:
        assert eval(expression, names) == eval(value), expression


def test_the_operation_computes_the_same_in_every_backend(names: dict[str, Any]) -> None:
    x = np.random.default_rng(0).normal(size=(5, 4)).astype("f4")
    kernel = names["weights"]["maxout.kernel"]
    assert list(names["weights"]) == ["maxout.kernel"] and kernel.shape == (4, 24)
    expected = (x @ kernel).reshape(5, 8, 3).max(-1)
    torch, keras, tf = names["torch"], names["keras"], names["tf"]
    for result in (
        names["in_torch"](torch.tensor(x)).detach().numpy(),
        keras.ops.convert_to_numpy(names["in_keras"](x)),
        names["in_tensorflow"](tf.constant(x)).numpy(),
    ):
        np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)


def test_two_of_them_are_two_sets_of_weights(names: dict[str, Any]) -> None:
    da, ops, maxout = names["da"], __import__("deep_arch.ops").ops, names["Maxout"]

    def twice(x: Any) -> Any:
        return ops.Add()(maxout(4)(x), maxout(4)(x))

    def tied(x: Any) -> Any:
        one = maxout(4)
        return ops.Add()(one(x), one(x))

    assert da.space(twice).sample().fingerprint() != da.space(tied).sample().fingerprint()
