"""A script that ships what it defines to other processes and compares: `python shipping.py processes|dask|ray|file`."""

from __future__ import annotations

import importlib
import multiprocessing
import pickle
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, cast

import deep_arch as da
from deep_arch import ops
from deep_arch.language.values import Value
from deep_arch.spaces.describing import description

WIDTH = 8


def scale(factor: int) -> Callable[[Any], Any]:
    return lambda x: factor * x


@da.rule
def tail() -> Any:
    return da.or_([ops.ReLU, lambda: da.sequential(ops.Dense(WIDTH), tail)])


@da.space
def net(x: Value) -> Value:
    n = da.integer(1, 3, name="n")
    x = da.wrap(scale)(factor=da.choice([2, 3]))(x)
    x = da.optional(lambda: ops.Dense(units=da.dependent(lambda n: n * WIDTH, n)))(x)
    return cast("Value", tail()(x))


typed = da.space(lambda x: net(x))
limited = net.limit(3)


@da.symbolize
class Adam:
    def __init__(self, lr: float = 0.1) -> None:
        self.lr = lr


@da.symbolize
class SGD:
    def __init__(self, lr: float = 0.1, momentum: float = 0.0) -> None:
        self.lr, self.momentum = lr, momentum


@da.rule
def stacked() -> Any:
    return da.choice([Adam(0.1), SGD(stacked())])


optimizer = da.choice([Adam(lr=da.choice([0.1, 0.2])), SGD(da.choice([0.1, 0.2]))])
searched = da.space(optimizer)


def things() -> dict[str, Any]:
    spaces = [net, typed, searched, limited, net.fix({"n": 2})]
    architectures = [limited.sample(0), typed.limit(3).sample(1), searched.sample(2)]
    return {"spaces": spaces, "architectures": architectures, "programs": [optimizer, stacked(), SGD(0.1)]}


def seen(shipped: dict[str, Any]) -> Any:
    """Return what a process sees of the things, to compare, and the things, to go back."""
    spaces, architectures = shipped["spaces"], shipped["architectures"]
    texts: list[Any] = [
        [each.fingerprint() for each in architectures[:2]],
        [dict(each.values) for each in architectures],
    ]
    texts += [[description(space) for space in spaces], [space.size() for space in spaces], repr(shipped["programs"])]
    return texts, da.build(architectures[2]).lr, shipped


def is_one_space(data: bytes) -> bool:
    return pickle.loads(data) is pickle.loads(data)


def is_at_home(space: da.SearchSpace) -> bool:
    return vars(sys.modules["__main__"]).get("net") is space


def check(run: Callable[..., Any]) -> None:
    here, there = seen(things()), run(seen, things())
    assert here[:2] == there[:2]
    back, wholes = there[2], (net, typed, searched)
    assert all(one is other for one, other in zip(back["spaces"], wholes, strict=False)), "by name"
    assert back["architectures"] == here[2]["architectures"] and back["programs"] == here[2]["programs"]
    assert run(is_one_space, pickle.dumps(net))
    print("at home" if run(is_at_home, net) else "by value")


def main(way: str, *arguments: str) -> None:
    if way == "processes":
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            check(lambda fn, given: pool.submit(fn, given).result())
        return
    library: Any = importlib.import_module({"dask": "distributed", "ray": "ray", "file": "cloudpickle"}[way])
    if way == "dask":
        local = library.LocalCluster(n_workers=1, processes=True, dashboard_address=None)
        with local as cluster, library.Client(cluster) as client:
            check(lambda fn, given: client.submit(fn, given).result())
    elif way == "ray":
        library.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
        check(lambda fn, given: library.get(library.remote(fn).remote(given)))
    else:
        shipped = seen, is_one_space, things(), pickle.dumps(net), seen(things())[:2]
        Path(arguments[0]).write_bytes(library.dumps(shipped))


if __name__ == "__main__":
    main(*sys.argv[1:])
