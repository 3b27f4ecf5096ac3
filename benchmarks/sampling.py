"""Print the CPU time of drawing one architecture, as a ratio to a loop written by hand beside it.

Peers draw the same choices from the same distributions: Optuna's random sampler, ConfigSpace, and PyGlove's
random generator, each in the way its own documentation shows. Run with `make bench`.
"""

from __future__ import annotations

import contextlib
import importlib
import random
import statistics
import time
from collections.abc import Callable
from typing import Any

import hand_written
import spaces

ROUNDS = 9
LIMITS = {"poster": 8, "cell": 10, "chain": 7}


def seconds(draw: Callable[[], object], n: int) -> float:
    """Return the CPU time of one of `n` draws."""
    start = time.process_time()
    for _ in range(n):
        draw()
    return (time.process_time() - start) / n


def ratio(draw: Callable[[], object], yardstick: Callable[[], object], n: int, n_yardstick: int) -> float:
    """Return the median over rounds of one draw's time over the yardstick's, run in turn."""
    draw()
    rounds = [seconds(draw, n) / seconds(yardstick, n_yardstick) for _ in range(ROUNDS)]
    return statistics.median(rounds)


def by_hand(name: str, rng: random.Random) -> Callable[[], object]:
    draw = getattr(hand_written, name)
    return lambda: draw(rng)


def language(name: str, rng: random.Random) -> Callable[[], object]:
    space = getattr(spaces, name)

    def draw() -> object:
        architecture = space.sample(rng)
        return architecture.values, architecture.graph.calls

    for _ in range(200):  # unfold what most draws reach
        draw()
    return draw


def main() -> None:
    rng = random.Random(0)
    print(f"{'space':8}{'hand-written':>16}{'deep_arch':>12}{'at most':>9}", end="")
    peers: dict[str, Any] = {}
    for peer in ("optuna", "ConfigSpace", "pyglove"):
        with contextlib.suppress(ImportError):
            importlib.import_module(peer)
            peers[peer] = importlib.import_module(f"peer_{peer.lower()}")
            print(f"{peer:>13}", end="")
    print()
    for name, limit in LIMITS.items():
        hand = by_hand(name, rng)
        n = 40 if name == "chain" else 1000
        micro = statistics.median([seconds(hand, n) for _ in range(ROUNDS)]) * 1e6
        ours = ratio(language(name, rng), hand, n, n)
        print(f"{name:8}{micro:13.1f} us{ours:10.1f} x{limit:7} x", end="", flush=True)
        for peer in peers.values():
            draw = peer.sampler(name)
            print(f"{ratio(draw, hand, 2 if name == 'chain' else 20, n):11.0f} x", end="", flush=True)
        print()


if __name__ == "__main__":
    main()
