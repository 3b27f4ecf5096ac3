"""Names of spaces: those under which another process finds them, and the errors of those under which none does."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument, ScopeError, UnknownName
from deep_arch.language.values import Value
from deep_arch.spaces.describing import description
from deep_arch.spaces.named_spaces import check_named, find_object, find_space, name_of
from deep_arch.testing import readme_space, supernet_spaces

HEAD = """
import deep_arch as da
from deep_arch import ops

"""

NETS = f"""{HEAD}
@da.space
def net(x):
    return da.optional(ops.ReLU)(x)

class Nets:
    small = da.space(lambda x: ops.ReLU()(x))
    class Inner:
        @da.space
        def tiny(x):
            return ops.Tanh()(x)

def make(kind=ops.ReLU):
    return da.space(lambda x: kind()(x))

made, fixed = make(), net.fix({{"optional.use": True}})
program = da.symbolize(dict)(lr=da.choice([0.1, 0.2]))
searched = da.space(program)
width = 8
NAMES = [net, Nets.small, Nets.Inner.tiny, made, fixed, searched, net.fix({{"optional.use": True}})]

def plain(x):
    return ops.ReLU()(x)

def returns_program():
    return program

def returns_width():
    return width

def fails():
    return 1 / 0
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder, the current one, with a module `some_nets`; what is imported from it is forgotten."""
    (tmp_path / "some_nets.py").write_text(NETS)
    monkeypatch.chdir(tmp_path)
    before, modules = [*sys.path], {*sys.modules}
    yield tmp_path
    sys.path[:] = before
    for name in {*sys.modules} - modules:
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(sys.modules[name].__file__):
            del sys.modules[name]


def run(folder: Path, *command: str, text: str = "") -> str:
    environment = {**os.environ, "PYTHONPATH": str(Path(da.__file__).parent.parent)}
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, input=text, capture_output=True, text=True, check=False
    )
    assert not done.returncode, done.stderr
    return done.stdout.strip()


# --- names -----------------------------------------------------------------------------------------------------------


def test_spaces_of_modules_have_names() -> None:
    assert name_of(readme_space.net) == "deep_arch.testing.readme_space:net"
    assert name_of(supernet_spaces.grammar) == "deep_arch.testing.supernet_spaces:grammar"  # limited, of a lambda
    assert name_of(supernet_spaces.fixed) == "deep_arch.testing.supernet_spaces:fixed"
    again = supernet_spaces.full.fix({"optional.use": True, "width": 4})
    assert again is not supernet_spaces.fixed and name_of(again) == name_of(supernet_spaces.fixed)
    assert find_space("deep_arch.testing.supernet_spaces:fixed") is supernet_spaces.fixed
    assert name_of(readme_space.net.limit(3)) is None


def test_names_lead_back(folder: Path) -> None:
    module = find_object("some_nets:net").__module__
    assert module == "some_nets"
    nets = sys.modules["some_nets"].__dict__["NAMES"]
    names = [name_of(space) for space in nets]
    assert names == [
        f"some_nets:{path}" for path in ("net", "Nets.small", "Nets.Inner.tiny", "made", "fixed", "searched", "fixed")
    ]
    for name, space in zip(names[:-1], nets, strict=False):
        assert find_space(str(name)) is space
        assert check_named(space, "worker processes") == name


def test_names_of_files_lead_back(folder: Path) -> None:
    space = find_space("some_nets.py:net")
    path = folder / "some_nets.py"
    assert name_of(space) == f"{path}:net"
    assert find_space(f"{path}:net") is find_space(f"./{path.name}:net") is space
    assert "some_nets" not in sys.modules and space.__module__ in sys.modules
    assert space.__module__.startswith("_script_some_nets_") and str(folder) in sys.path
    assert name_of(find_space(f"{path}:fixed")) == f"{path}:fixed"
    other = find_space("some_nets:net")
    assert other is not space and description(other) == description(space)


def test_a_file_may_import_its_neighbours(folder: Path) -> None:
    inner = folder / "inner"
    inner.mkdir()
    (inner / "beside_nets.py").write_text("n = 3\n")
    (inner / "script-of.mine.py").write_text(
        f"from beside_nets import n\n{HEAD}net = da.space(lambda x: ops.Dense(n)(x))"
    )
    space = find_space("inner/script-of.mine.py:net")
    assert space.sample(0).graph.calls[0].module.arguments["units"] == 3
    assert name_of(space) == f"{inner / 'script-of.mine.py'}:net"


def test_what_has_no_name_is_refused() -> None:
    def net(x: Value) -> Value:
        return ops.ReLU()(x)

    inside = da.space(net)
    unnamed = da.space(lambda x: ops.ReLU()(x))
    assert name_of(inside) is None and name_of(unnamed) is None and name_of(inside.limit(2)) is None
    expected = (
        r"net: a space needs a name under which another process finds it, for worker processes\.\n"
        r"  Got one that the function test_what_has_no_name_is_refused made\.\n"
        r"  Define it at the top level of a module, with @da\.space above its function"
    )
    with pytest.raises(ScopeError, match=expected):
        check_named(inside, "worker processes")
    assert check_named(readme_space.net.limit(3), "worker processes") == "deep_arch.testing.readme_space:net"


def test_a_lambda_under_no_name_is_refused() -> None:
    module = ModuleType("made_here")
    exec(f"{HEAD}spaces = [da.space(lambda x: ops.ReLU()(x))]", module.__dict__)
    with pytest.raises(ScopeError, match=r"Got one of a lambda, under no name of its module\."):
        check_named(module.__dict__["spaces"][0], "resuming from the command line")
    module.__dict__["net"] = module.__dict__["spaces"][0]
    sys.modules["made_here"] = module
    try:  # a module that no other process can import
        assert name_of(module.__dict__["net"]) is None
    finally:
        del sys.modules["made_here"]


SCRIPT = f"""{HEAD}
from deep_arch.spaces.named_spaces import check_named, find_space, name_of

@da.space
def net(x):
    return ops.ReLU()(x)

limited = net.limit(3)

if __name__ == "__main__":
    guarded = da.space(lambda x: ops.ReLU()(x))
    print(name_of(net), name_of(limited), name_of(guarded), name_of(net.limit(4)))
    assert find_space(name_of(net)) is net and find_space("script.py:limited") is limited
    try:
        check_named(guarded, "worker processes")
    except da.errors.ScopeError as error:
        print(error)
"""


def test_scripts_have_names_by_path_but_for_what_imports_do_not_run(folder: Path) -> None:
    (folder / "script.py").write_text(SCRIPT)
    path = folder / "script.py"
    names, *message = run(folder, "script.py").splitlines()
    assert names.split() == [f"{path}:net", f"{path}:limited", "None", "None"]
    assert message[1:] == [
        "  Got one of a lambda, under no name of its module.",
        "  Define it at the top level of a module, with @da.space above its function, and not below `if __name__ ...`.",
    ]
    assert find_space(f"{path}:limited").restrictions.max_depth == 3


def test_programs_run_as_modules_have_names_of_modules(folder: Path) -> None:
    (folder / "package").mkdir()
    (folder / "package" / "script.py").write_text(SCRIPT.replace("script.py:limited", "package.script:limited"))
    names = run(folder, "-m", "package.script").splitlines()[0]
    assert names.split() == ["package.script:net", "package.script:limited", "None", "None"]


def test_what_was_typed_in_has_no_name(folder: Path) -> None:
    text = SCRIPT.partition("if __name__")[0] + "print(name_of(net))\n"
    assert run(folder, "-", text=text) == run(folder, "-c", text) == "None"
    text += "check_named(net, 'worker processes')"
    code = f"try:\n{textwrap.indent(text, '    ')}\nexcept da.errors.ScopeError as error:\n    print(error)"
    assert "Got one of a notebook or of what was typed in." in run(folder, "-", text=f"{HEAD}{code}")


# --- finding ---------------------------------------------------------------------------------------------------------


def test_functions_and_programs_are_spaces_too(folder: Path) -> None:
    assert find_space("some_nets:make").sample(0).values == {}
    for name in ("program", "returns_program", "searched"):
        assert find_space(f"some_nets:{name}").size() == 2
    assert find_object("some_nets:width") == 8


FAULTS = {
    "some_nets": (BadArgument, r"expected a name with a colon\.\n  Got 'some_nets' \(str\)\.\n  Write package"),
    "some_nets:": (BadArgument, r"a name with a colon"),
    ":net": (BadArgument, r"a name with a colon"),
    "some nets:net": (BadArgument, r"expected the name of a module before the colon\.\n  Got 'some nets:net'"),
    "some_netz.py:net": (
        UnknownName,
        r"some_netz\.py:net: there is no such file\.\n  Got no /.*/some_netz\.py\.\n  Did you mean 'some_nets\.py'",
    ),
    "nowhere/file.py:net": (UnknownName, r"there is no such file\.\n.*\n  Paths begin at the current folder\."),
    "some_netz:net": (
        UnknownName,
        r"some_netz:net: there is no module of this name\.\n  Got no 'some_netz', from the folder .*\n  Did you mean "
        r"'some_nets'",
    ),
    "some_nets.inner:net": (UnknownName, r"there is no module of this name\.\n  Got no 'some_nets\.inner'"),
    "nothing_like_it_1234:net": (UnknownName, r"\n  Go to the folder that holds it\."),
    "some_nets:nett": (
        UnknownName,
        r"some_nets:nett: nothing has this name\.\n  Got no 'nett' in the module some_nets\.\n  Did you mean 'net'",
    ),
    "some_nets.py:nett": (UnknownName, r"Got no 'nett' in the file /.*some_nets\.py\."),
    "some_nets:Nets.smal": (UnknownName, r"Got no 'smal' in <class 'some_nets\.Nets'>\.\n  Did you mean 'small'"),
    "some_nets:xyzzyq": (UnknownName, r"\n  It has net, made, fixed, program, searched\."),
    "some_nets:widht": (UnknownName, r"\n  Did you mean 'returns_width' or 'fixed'\?"),  # width is no space or function
    "broken:net": (
        ScopeError,
        r"broken:net: its module cannot be imported\.\n  Got ZeroDivisionError at /.*/broken\.py:3: division by zero\.",
    ),
    "broken.py:net": (ScopeError, r"Got ZeroDivisionError at /.*/broken\.py:3: division by zero\.\n  Mend that"),
    "wrong.py:net": (ScopeError, r"Got SyntaxError at /.*/wrong\.py:2: "),
    "lacks.py:net": (ScopeError, r"Got ModuleNotFoundError at /.*/lacks\.py:1: No module named 'lacking_1234'"),
    "lacks:net": (ScopeError, r"Got ModuleNotFoundError at /.*/lacks\.py:1: No module named 'lacking_1234'"),
    "ours.py:net": (ScopeError, r"Got BadArgument at /.*/ours\.py:2: space: a search space is a function"),
    "leaves.py:net": (ScopeError, r"Got SystemExit at /.*/leaves\.py:2: without a message"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_told(folder: Path, name: str) -> None:
    (folder / "broken.py").write_text("def f():\n    return 0\nnet = 1 / f()\n")
    (folder / "wrong.py").write_text("n = 1\nnet = = 2\n")
    (folder / "lacks.py").write_text("import lacking_1234\n")
    (folder / "ours.py").write_text("import deep_arch as da\nnet = da.space(3)\n")
    (folder / "leaves.py").write_text("import sys\nsys.exit()\n")
    error, text = FAULTS[name]
    modules = {*sys.modules}
    with pytest.raises(error, match=text) as caught:
        find_object(name)
    assert "Traceback" not in str(caught.value)
    assert not [new for new in {*sys.modules} - modules if new.startswith(("_script_broken", "_script_leaves"))]


def test_a_name_is_a_text() -> None:
    with pytest.raises(BadArgument, match=r"expected a name with a colon\.\n  Got 3 \(int\)\."):
        find_object(3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "error", "text"),
    [
        ("width", BadArgument, r"some_nets:width: expected a space, or a function without .*\n  Got 8 \(int\)\.\n"),
        ("plain", BadArgument, r"expected a space(.|\n)*\n  It has the spaces net, made, fixed, program, searched\."),
        ("returns_width", BadArgument, r"Got 8 \(int\)\."),
        ("Nets", BadArgument, r"Got <class 'some_nets\.Nets'> \(type\)\."),
        (
            "fails",
            ScopeError,
            r"some_nets:fails: the function raised ZeroDivisionError: division by zero\.\n  Got a call",
        ),
    ],
)
def test_what_is_no_space_is_told(folder: Path, name: str, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        find_space(f"some_nets:{name}")


def test_a_module_without_spaces_says_how_one_is_made(folder: Path) -> None:
    (folder / "no_spaces.py").write_text("def net(x):\n    return x\n")
    with pytest.raises(BadArgument, match=r"\n  Write `@da\.space` above its function\."):
        find_space("no_spaces.py:net")
