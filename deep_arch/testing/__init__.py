"""Contracts: test classes that an author of a searcher or a backend subclasses."""

from __future__ import annotations

import sys

if "pytest" in sys.modules:  # also spaces and networks for benchmarks are here, which need no pytest
    import pytest

    # So that a failure shows the two sides in a plug-in's tests too.
    pytest.register_assert_rewrite(
        *[f"{__name__}.{name}" for name in ("searcher_contract", "backend_contract", "parity")]
    )
