"""Import the package before its doctests are collected, and order the tests.

pytest would otherwise run each module anew under its own name, and the module `deep_arch.search` would take
the place of the function `deep_arch.search`.
"""

import pytest

import deep_arch
import deep_arch.backends
import deep_arch.searchers
import deep_arch.testing
import deep_arch.visualization  # noqa: F401


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the slow tests, so that no worker is left with one of them at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
