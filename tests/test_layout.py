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
HEAVY += ["scipy", "sklearn", "pandas", "ray", "distributed", "dask", "mpi4py", "sqlalchemy", "psycopg"]


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


FLOORS = [
    {"errors"},
    {"extras", "names"},
    {"language"},
    {"ops"},
    {"connections"},
    {"spaces"},
    {"counting", "grammars", "measures", "symbolic"},
    {"supernets", "programs"},
    {"storage", "executors"},
    {"studies"},
    {"analysis"},
    {"backends", "searchers", "visualization"},
    {"testing", "command_line"},
    {"__main__"},
]
"""The rooms, lowest first; each may import what lies below it, and itself."""

FACADES = {"deep_arch.spaces.architecture", "deep_arch.spaces.space", "deep_arch.studies.study"}
"""Classes whose methods, such as `cost` and `render`, call what lies above inside the call."""


def modules() -> dict[str, Path]:
    """Return the file of each module of the package, those of the folders beside it included."""
    found: dict[str, Path] = {}
    for folder in ("deep_arch", "backends", "searchers", "visualization"):
        for path in (ROOT / folder).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if folder != "deep_arch":
                found[".".join(["deep_arch", *parts])] = path
            elif parts[1] not in ("backends", "searchers", "visualization"):  # links to the folders beside
                found[".".join(parts)] = path
    return {name.removesuffix(".__init__"): path for name, path in found.items() if name != "deep_arch.__init__"}


def imported(path: Path, known: set[str], lazy_too: bool) -> set[str]:
    """Return the modules of the package that a file imports."""
    found = imports(path, lazy_too)
    whole = {name for name in found if name in known}
    return whole | {name.rpartition(".")[0] for name in found if name.rpartition(".")[0] in known}


def floor(module: str) -> int:
    room = module.split(".")[1]
    return next(i for i, rooms in enumerate(FLOORS) if room in rooms)


def room(module: str) -> str:
    return module.split(".")[1]


def test_every_module_has_a_floor() -> None:
    assert len(modules()) > 150
    assert all(floor(name) >= 0 for name in modules())


@pytest.mark.parametrize("module", sorted(modules()))
def test_rooms_import_downward_only(module: str) -> None:
    known = set(modules())
    found = imported(modules()[module], known, lazy_too=module not in FACADES)
    upward = [n for n in found if floor(n) > floor(module) or (floor(n) == floor(module) and room(n) != room(module))]
    assert not upward


def test_no_circle_crosses_rooms() -> None:
    networkx = pytest.importorskip("networkx")
    known = modules()
    graph = networkx.DiGraph()
    for name, path in known.items():
        graph.add_edges_from((name, other) for other in imported(path, set(known), lazy_too=name not in FACADES))
    circles = [circle for circle in networkx.strongly_connected_components(graph) if len(circle) > 1]
    assert circles, "a program and its fragments know each other"
    assert not [circle for circle in circles if len({room(name) for name in circle}) > 1]


def test_modules_that_public_functions_are_named_after_are_modules() -> None:
    code = "import deep_arch.spaces as spaces, deep_arch.spaces.space as space, deep_arch.studies.search as search\n"
    code += "import deep_arch.analysis as analysis, deep_arch.errors as errors\n"
    code += "print({type(m).__name__ for m in (spaces, space, search, analysis, errors)})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "{'module'}"


def test_files_stay_short() -> None:
    lengths = {name: len(path.read_text().splitlines()) for name, path in modules().items()}
    assert not {name: n for name, n in lengths.items() if n > 400}


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


def test_what_a_drawing_shows_knows_nothing_of_how_it_is_drawn() -> None:
    paths = [*(ROOT / "visualization" / "plan").glob("*.py")]
    assert len(paths) > 5
    for path in paths:
        wrong = ("graphviz", "deep_arch.visualization.dot", "deep_arch.visualization.palette")
        assert not [name for name in imports(path, lazy_too=True) if name.startswith(wrong)], path


def test_measures_are_of_graphs_and_know_no_architecture_or_space() -> None:
    paths = [*(ROOT / "deep_arch" / "measures").glob("*.py")]
    assert len(paths) > 5
    for path in paths:
        wrong = ("deep_arch.spaces.architecture", "deep_arch.spaces.space")
        assert not [name for name in imports(path, lazy_too=True) if name.startswith(wrong)], path


@pytest.mark.parametrize("path", [*(ROOT / "searchers").rglob("*.py")], ids=lambda path: path.name)
def test_searchers_know_nothing_of_unfolding(path: Path) -> None:
    inside = ("deep_arch.spaces.unfolding", "deep_arch.spaces.frames", "deep_arch.language.fragment")
    hidden = ("deep_arch.language.hyperparameters", "deep_arch.language.values")
    assert not [name for name in imports(path, lazy_too=True) if name.startswith(inside + hidden)]


def test_import_loads_no_framework() -> None:
    code = "import sys, deep_arch, deep_arch.ops, deep_arch.searchers, deep_arch.analysis, deep_arch.executors\n"
    code += f"print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_error_is_ours_and_a_builtin_one() -> None:
    tree = errors.__doc__ or ""
    classes = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, errors.DeepArchError)]
    assert len(classes) > 15
    for error in classes:
        if error is not errors.DeepArchError:
            names = [base.__name__ for base in error.__bases__ if base.__module__ == "builtins"]
            assert len(names) == 1 and f"{error.__name__} ({names[0]})" in tree


def test_every_public_name_is_documented() -> None:
    public = [name for name in vars(deep_arch) if not name.startswith("_")]
    for name in public:
        value = getattr(deep_arch, name)
        if callable(value):
            assert (value.__doc__ or "").strip(), name
