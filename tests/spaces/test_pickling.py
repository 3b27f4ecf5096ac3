"""Pickling of spaces: by name, and by value to processes that run another program than the script that has them."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import ScopeError
from deep_arch.language.values import Value
from deep_arch.testing import readme_space, supernet_spaces

SHIPPING = Path(__file__).parent / "shipping.py"


def run(*command: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(Path(da.__file__).parent.parent), "RAY_DISABLE_IMPORT_WARNING": "1"}
    done = subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    return done.stdout.strip()


@pytest.mark.slow
@pytest.mark.parametrize(("way", "how"), [("processes", "at home"), ("dask", "at home"), ("ray", "by value")])
def test_what_a_script_defines_gets_to_workers_and_back(way: str, how: str) -> None:
    if way != "processes":
        pytest.importorskip({"dask": "distributed"}.get(way, way))
    assert run(str(SHIPPING), way).splitlines()[-1] == how


_READER = """
import pickle, sys
net = 3  # another thing of that name
seen, is_one_space, things, data, expected = pickle.load(open(sys.argv[1], "rb"))
assert things["spaces"][0] is not net and seen(things)[:2] == expected
assert is_one_space(data) and pickle.loads(data).size() == things["spaces"][0].size()
import cloudpickle
again = pickle.loads(cloudpickle.dumps(things))
assert again["spaces"][0] is things["spaces"][0] and again["programs"] == things["programs"]
assert again["architectures"] == things["architectures"]
print("read")
"""


def test_another_program_reads_what_a_script_wrote(tmp_path: Path) -> None:
    pytest.importorskip("cloudpickle")
    run(str(SHIPPING), "file", str(tmp_path / "things.pickle"))
    (tmp_path / "reader.py").write_text(_READER)
    assert run(str(tmp_path / "reader.py"), str(tmp_path / "things.pickle")) == "read"


_WITHOUT = """
import pickle, sys
import deep_arch as da
from deep_arch import ops
@da.rule
def tail():
    return da.or_([ops.ReLU, lambda: da.sequential(ops.Dense(4), tail)])
@da.space
def net(x):
    return tail()(x)
plain = pickle.dumps((net, tail))
assert pickle.loads(plain) == (net, tail) and "cloudpickle" not in sys.modules
import cloudpickle
assert len(pickle.dumps((net, tail))) > 2 * len(plain)
import threading
lock = threading.Lock()
@da.space
def locked(x):
    lock.acquire(blocking=False)
    return net(x)
assert pickle.loads(pickle.dumps(locked)) is locked and len(pickle.dumps(locked)) < len(plain)
net = net.limit(3)  # under the name of the whole
assert pickle.loads(pickle.dumps(net)) is net and pickle.loads(pickle.dumps(net.limit(4))).size() == net.limit(4).size()
print("done")
"""


def test_values_go_along_only_where_cloudpickle_is_there_and_can(tmp_path: Path) -> None:
    pytest.importorskip("cloudpickle")
    (tmp_path / "script.py").write_text(_WITHOUT)
    assert run(str(tmp_path / "script.py")) == "done"


def test_spaces_of_modules_go_by_name() -> None:
    for space in (readme_space.net, supernet_spaces.grammar, supernet_spaces.full):
        assert pickle.loads(pickle.dumps(space)) is space and len(pickle.dumps(space)) < 600
    part = pickle.loads(pickle.dumps(readme_space.net.fix({"n": 2})))
    assert part.program is readme_space.net.program and part.restrictions.fixed == {"n": 2}


def _is_n(point: da.ChoicePoint) -> bool:
    return point.name == "n"


def _is_first(point: da.ChoicePoint) -> bool:
    return not point.address.startswith("repeat_1")


def test_two_predicates_go_too() -> None:
    part = readme_space.net.where(_is_n).where(_is_first)
    again = pickle.loads(pickle.dumps(part))
    assert again.restrictions == part.restrictions and again.size() == part.size() == 3


_LOADED = """
import pickle, sys
from deep_arch.spaces.named_spaces import find_space
data, *path = sys.argv[1:]
if path:
    pickle.dump(find_space(f"{path[0]}:limited").sample(0), open(data, "wb"))
print(pickle.load(open(data, "rb")).fingerprint())
"""


def test_files_are_loaded_again_where_a_space_of_them_arrives(tmp_path: Path) -> None:
    path, data = tmp_path / "some_script.py", str(tmp_path / "data.pickle")
    path.write_text(SHIPPING.read_text())
    assert run("-c", _LOADED, data, str(path)) == run("-c", _LOADED, data)
    path.unlink()
    with pytest.raises(AssertionError, match=r"ScopeError: net: what is being loaded was made with it, and it is not"):
        run("-c", _LOADED, data)


def test_what_is_not_found_is_told() -> None:
    with pytest.raises(
        ScopeError, match=r"nat: what is being loaded was made with it, and it is not here\.\n  Got no 'n"
    ):
        pickle.loads(pickle.dumps(readme_space.net).replace(b"\x03net", b"\x03nat"))


def test_threads_may_pickle_at_once() -> None:
    failed: list[Any] = []

    def pickling() -> None:
        try:
            for _ in range(20):
                assert pickle.loads(pickle.dumps(readme_space.net)) is readme_space.net
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=pickling) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


def test_a_space_inside_a_function_is_no_ones_but_copies() -> None:
    def inner(x: Value) -> Value:
        return ops.ReLU()(x)

    with pytest.raises((AttributeError, pickle.PicklingError), match="local"):
        pickle.dumps(da.space(inner))
