"""The shape of the project: what imports what, and what an import costs."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import deep_arch
from deep_arch import errors

ROOT = Path(__file__).parent.parent
HEAVY = ["torch", "tensorflow", "keras", "optuna", "numpy", "networkx", "graphviz", "rich", "matplotlib", "hypothesis"]
HEAVY += ["scipy", "sklearn", "pandas"]


def imports(path: Path, lazy_too: bool) -> set[str]:
    """Return the modules that a file imports, those inside functions only if asked."""
    tree = ast.parse(path.read_text())
    found: set[str] = set()
    bodies = ast.walk(tree) if lazy_too else iter(tree.body)
    for node in bodies:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def language() -> list[Path]:
    rooms = ["language", "ops", "spaces", "counting", "measures", "studies", "analysis"]
    inside = [path for room in rooms for path in (ROOT / "deep_arch" / room).glob("*.py")]
    assert len(inside) > 30
    return [*(ROOT / "deep_arch").glob("*.py"), *inside]


@pytest.mark.parametrize("path", language(), ids=lambda path: path.name)
def test_the_language_imports_no_searcher_backend_or_drawing(path: Path) -> None:
    outside = ("deep_arch.searchers", "deep_arch.backends", "deep_arch.visualization", "deep_arch.testing")
    assert not [name for name in imports(path, lazy_too=False) if name.startswith(outside)]
    lazy = [name for name in imports(path, lazy_too=True) if name.startswith(outside)]
    assert all(name.startswith("deep_arch.visualization") for name in lazy)


def test_the_check_of_imports_can_fail(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text("from deep_arch.searchers import RandomSearch\ndef f():\n    import torch\n")
    assert imports(wrong, lazy_too=False) == {"deep_arch.searchers", "deep_arch.searchers.RandomSearch"}
    assert "torch" in imports(wrong, lazy_too=True)


@pytest.mark.parametrize("folder", ["backends", "searchers", "visualization"])
def test_the_links_lead_to_the_folders_beside(folder: str) -> None:
    link = ROOT / "deep_arch" / folder
    assert link.is_symlink() and link.resolve() == ROOT / folder
    others = {"backends", "searchers", "visualization"} - {folder}
    for path in (ROOT / folder).rglob("*.py"):
        wrong = [n for n in imports(path, lazy_too=True) if n.startswith(tuple(f"deep_arch.{o}" for o in others))]
        assert not wrong, path


@pytest.mark.parametrize("path", [*(ROOT / "searchers").rglob("*.py")], ids=lambda path: path.name)
def test_searchers_know_nothing_of_unfolding(path: Path) -> None:
    inside = ("deep_arch.spaces.unfolding", "deep_arch.language.fragment", "deep_arch.language.hyperparameters")
    assert not [name for name in imports(path, lazy_too=True) if name.startswith(inside)]


def test_import_loads_no_framework() -> None:
    code = "import sys, deep_arch, deep_arch.ops, deep_arch.searchers, deep_arch.analysis\n"
    code += f"print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_error_is_ours_and_a_builtin_one() -> None:
    tree = errors.__doc__ or ""
    classes = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, errors.DeepArchError)]
    assert len(classes) > 15
    for error in classes:
        if error is not errors.DeepArchError:
            builtin = error.__mro__[2]
            assert f"{error.__name__} ({builtin.__name__})" in tree and builtin.__module__ == "builtins"


def test_every_public_name_is_documented() -> None:
    public = [name for name in vars(deep_arch) if not name.startswith("_")]
    for name in public:
        value = getattr(deep_arch, name)
        if callable(value):
            assert (value.__doc__ or "").strip(), name
