"""Commands about spaces: what they print, and every error."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import deep_arch as da
from deep_arch.spaces.named_spaces import find_space

Fine = Callable[..., str]
Wrong = Callable[..., str]


def test_size(fine: Fine) -> None:
    assert fine("size", "net.py:net") == "3,030,300\n"
    assert json.loads(fine("size", "net.py:net", "--json")) == {"space": "net", "size": 3030300}


def test_the_size_of_an_infinite_space(fine: Fine) -> None:
    assert fine("size", "net.py:endless") == "infinite\n"
    assert json.loads(fine("size", "net.py:endless", "--json"))["size"] is None


def test_a_size_of_thousands_of_digits(fine: Fine) -> None:
    assert len(fine("size", "net.py:wide").replace(",", "").strip()) == 4516  # 8 ** 5000


def test_a_space_that_a_function_returns(fine: Fine) -> None:
    assert fine("size", "net.py:made") == "9\n"


def test_a_space_by_the_name_of_its_module(fine: Fine, folder: Path) -> None:
    (folder / "net_by_module.py").write_text((folder / "net.py").read_text())
    assert fine("size", "net_by_module:net") == "3,030,300\n"


def test_samples_are_those_of_the_seed(fine: Fine) -> None:
    drawn = json.loads(fine("sample", "net.py:net", "--seed", "3", "--number", "2", "--json"))
    assert len(drawn) == 2 and drawn[0] != drawn[1]
    assert drawn[0] == json.loads(find_space("net.py:net").sample(seed=3).to_json())
    lines = fine("sample", "net.py:net", "--seed", "3", "-n", "2").split("\n\n")
    assert lines[0].splitlines() == [f"{address}: {value!r}" for address, value in drawn[0]["values"].items()]


def test_samples_over_architectures(fine: Fine) -> None:
    drawn = json.loads(fine("sample", "net.py:net", "--seed", "0", "--uniform", "architectures", "--json"))
    assert drawn[0]["values"] == find_space("net.py:net").sample(0, uniform="architectures").values


def test_a_table_of_a_space_and_of_an_architecture(fine: Fine) -> None:
    assert fine("show", "net.py:net") == find_space("net.py:net").summary() + "\n"
    table = fine("show", "net.py:net", "--seed", "0", "--inputs", "vector:8")
    assert table == find_space("net.py:net").sample(0).summary(da.vector(8)) + "\n"


def test_a_document_of_a_space(fine: Fine) -> None:
    found = json.loads(fine("show", "net.py:net", "--json"))
    assert found["size"] == 3030300 and found["inputs"] == ["x"] and found["values"] == {}
    assert {"address": "repeat.times", "domain": "an integer from 1 to 3"} in found["unassigned"]
    assert json.loads(fine("show", "net.py:endless", "--json"))["size"] is None


def test_a_document_of_an_architecture_has_shapes_and_costs(fine: Fine) -> None:
    found = json.loads(fine("show", "net.py:net", "--seed", "0", "--inputs", "vector:8", "--format", "json"))
    architecture = find_space("net.py:net").sample(0)
    assert found["values"] == architecture.values and "size" not in found
    assert found["shapes"]["dense"] == [architecture.values["dense.units"]]
    assert found["cost"]["parameters"] == architecture.cost(da.vector(8)).parameters


@pytest.mark.parametrize("form", ['{"values": {"repeat.times": 2}}', '[{"values": {"repeat.times": 2}}]'])
def test_values_are_read_as_other_commands_print_them(form: str, fine: Fine, folder: Path) -> None:
    plain = json.loads(fine("show", "net.py:net", "--values", '{"repeat.times": 2}', "--json"))
    (folder / "values.json").write_text(form)
    assert json.loads(fine("show", "net.py:net", "--values", "@values.json", "--json")) == plain
    assert json.loads(fine("show", "net.py:net", "--values", "@-", "--json", input=form)) == plain
    assert plain["values"] == {"repeat.times": 2} and len(plain["unassigned"]) == 3


def test_a_picture_is_written_or_printed(fine: Fine, folder: Path) -> None:
    pytest.importorskip("graphviz")
    assert fine("show", "net.py:net", "--output", "net.dot") == ""
    drawn = (folder / "net.dot").read_text()
    assert drawn.startswith("digraph net")
    assert fine("show", "net.py:net", "--format", "picture").strip() == drawn.strip()
    with_shapes = fine("show", "net.py:net", "--seed", "0", "--inputs", "vector:8", "--format", "picture")
    assert "8" in with_shapes and with_shapes != fine("show", "net.py:net", "--seed", "0", "--format", "picture")


def test_a_table_and_a_document_are_written_too(fine: Fine, folder: Path) -> None:
    fine("show", "net.py:net", "--output", "net.txt")
    assert (folder / "net.txt").read_text() == fine("show", "net.py:net")
    fine("show", "net.py:net", "--json", "--output", "net.json")
    assert json.loads((folder / "net.json").read_text())["space"] == "net"


def test_inputs_by_name(fine: Fine) -> None:
    shapes = ("--seed", "0", "--json", "--inputs", "left=vector:8,right=vector:3")
    found = json.loads(fine("show", "net.py:two_inputs", *shapes))
    assert found["shapes"]["concatenate"] == [found["values"]["dense.units"] + 3]


@pytest.mark.parametrize(
    "arguments, text",
    [
        (("size", "nowhere.py:net"), "nowhere.py:net: there is no such file"),
        (("size", "net.py:nte"), "Did you mean 'net'"),
        (("size", "net.py"), "expected a name with a colon"),
        (("size", "net.py:number"), "expected a space, or a function without parameters that returns one"),
        (("size", "no_such_module_here:net"), "there is no module of this name"),
        (("show", "net.py:net", "--values", "{"), "Got '{' (Expecting property name"),
        (("show", "net.py:net", "--values", "[1, 2]"), "Got '[1, 2]' (a list)"),
        (("show", "net.py:net", "--values", "@gone.json"), "expected a file with values.\n  Got 'gone.json'"),
        (("show", "net.py:net", "--values", '{"repeat.times": 9}'), "repeat.times: 9 is not"),
        (("show", "net.py:net", "--values", '{"repaet.times": 1}'), "Did you mean 'repeat.times'"),
        (("show", "net.py:net", "--seed", "0", "--inputs", "picture:3"), "expected one of image, vector, sequence"),
        (("show", "net.py:net", "--seed", "0", "--inputs", "image:3x32"), "expected image:CHANNELSxHEIGHTxWIDTH"),
        (
            ("show", "net.py:net", "--output", "gone/net.txt"),
            "error: [Errno 2] No such file or directory: 'gone/net.txt'",
        ),
    ],
)
def test_errors_are_told(arguments: tuple[str, ...], text: str, wrong: Wrong) -> None:
    told = wrong(*arguments)
    assert told.startswith("error: ") and text in told and "Traceback" not in told


def test_an_error_of_the_users_code_has_its_line(wrong: Wrong, folder: Path) -> None:
    line = (folder / "net.py").read_text().splitlines().index("    return 1 / 0") + 1
    told = wrong("size", "net.py:broken")
    assert told.splitlines() == [
        f"error: {folder / 'net.py'}:{line}: ZeroDivisionError: division by zero",
        "  DEEP_ARCH_DEBUG=1 shows the whole traceback.",
    ]


def test_the_line_is_the_users_also_where_a_library_raised(wrong: Wrong, folder: Path) -> None:
    (folder / "other.py").write_text(
        "import json\nimport deep_arch as da\n@da.space\ndef net(x):\n    json.loads('{')\n"
    )
    assert wrong("size", "other.py:net").startswith(f"error: {folder / 'other.py'}:5: JSONDecodeError: ")


def test_debugging_shows_the_traceback(wrong: Wrong, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEP_ARCH_DEBUG", "1")
    told = wrong("size", "net.py:nte")
    assert told.startswith("Traceback") and "\nerror: net.py:nte: nothing has this name" in told


@pytest.mark.parametrize(
    "arguments, text",
    [
        (("size",), "Missing argument 'SPACE'"),
        (("siez", "net.py:net"), "No such command 'siez'"),
        (("sample", "net.py:net", "--number", "0"), "Invalid value for '--number'"),
        (("sample", "net.py:net", "--uniform", "all"), "Invalid value for '--uniform'"),
        (("show", "net.py:net", "--seed", "0", "--values", "{}"), "give --values or --seed, and not both"),
    ],
)
def test_what_is_written_wrongly_is_a_usage_error(arguments: tuple[str, ...], text: str, wrong: Wrong) -> None:
    assert text in " ".join(wrong(*arguments, code=2).split())
