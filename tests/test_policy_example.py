"""The example of policies: its environments are gymnasium's, and what it prints is what it tested."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

gymnasium: Any = pytest.importorskip("gymnasium", reason="the example of policies needs gymnasium")

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(scope="module", autouse=True)
def folder_of_examples() -> Iterator[None]:
    """Import the examples as they import one another when run, from their folder."""
    sys.path.insert(0, str(EXAMPLES))
    yield
    sys.path.remove(str(EXAMPLES))
    for name in ("policies", "classic_control"):
        sys.modules.pop(name, None)


def driven(name: str, states: Any, rng: np.random.Generator) -> Any:
    """Return actions that bring some copies to their goal before time is over, and some not."""
    if name == "Pendulum-v1":
        return rng.uniform(-2, 2, (states.shape[1], 1)).astype(np.float32)
    speed = states[1] if name == "MountainCar-v0" else states[3]
    drawn = rng.integers(0, 3, len(speed))
    return np.where(np.arange(len(speed)) % 2 == 0, np.where(speed > 0, 2, 0), drawn)


@pytest.mark.parametrize("kind", ["MountainCars", "Acrobots", "Pendulums"])
def test_copies_that_step_together_are_those_of_gymnasium(kind: str) -> None:
    envs: Any = getattr(importlib.import_module("classic_control"), kind)(6)
    observed, _ = envs.reset(seed=1)
    singles = [gymnasium.make(envs.name) for _ in range(6)]
    for i, single in enumerate(singles):
        single.reset(seed=0)
        single.unwrapped.state = envs.state[:, i].copy()
    rng, ends = np.random.default_rng(0), dict[int, tuple[bool, bool]]()
    while len(ends) < 6:
        actions = driven(envs.name, envs.state, rng)
        observed, rewards, ended, late, _ = envs.step(actions)
        for i in sorted(set(range(6)) - set(ends)):
            seen, reward, *done, _ = singles[i].step(actions[i])
            np.testing.assert_allclose(observed[i], seen, atol=1e-5)
            assert (rewards[i], [ended[i], late[i]]) == (pytest.approx(reward, abs=1e-9), done)
            if any(done):
                ends[i] = (bool(done[0]), bool(done[1]))
    assert {*ends.values()} == ({(False, True)} if kind == "Pendulums" else {(True, False), (False, True)})


@pytest.mark.parametrize("name", ["MountainCar-v0", "Acrobot-v1", "Pendulum-v1"])
def test_first_states_are_drawn_from_where_gymnasium_draws_them(name: str) -> None:
    task = importlib.import_module("policies").TASKS[name]
    single = gymnasium.make(name)
    own = np.stack([single.reset(seed=i)[0] for i in range(400)])
    together, _ = task.copies(400).reset(seed=0)
    np.testing.assert_allclose(together.min(0), own.min(0), atol=0.03)
    np.testing.assert_allclose(together.max(0), own.max(0), atol=0.03)
    np.testing.assert_allclose(together.mean(0), own.mean(0), atol=4 * own.std(0).max() * (2 / 400) ** 0.5)


def test_a_number_takes_the_nearest_action() -> None:
    nearest = importlib.import_module("policies").nearest
    spaces = gymnasium.spaces
    numbers = np.array([-9.0, -0.6, -0.1, 0.1, 0.6, 9.0])
    assert nearest(spaces.Discrete(2), numbers).tolist() == [0, 0, 0, 1, 1, 1]
    assert nearest(spaces.Discrete(3), numbers).tolist() == [0, 0, 1, 1, 2, 2]
    torques = nearest(spaces.Box(-2, 2, (1,)), np.array([-9.0, 0.5, 9.0]))
    assert torques.tolist() == [[-2.0], [1.0], [2.0]]


def test_a_policy_that_balances_a_pole_is_found_and_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    example = importlib.import_module("policies")
    arguments = ["--environment", "CartPole-v1", "--trials", "2", "--seed", "1", "--output", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["policies.py", *arguments])
    example.main()
    _, _, row, term, _ = capsys.readouterr().out.splitlines()
    assert float(row.split()[2]) >= 475, "solved, by gymnasium's word"
    assert {path.name for path in tmp_path.iterdir()} == {"space.svg", "best.svg", "scores.svg"}
    single = gymnasium.make("CartPole-v1")
    observed, _ = single.reset(seed=3)
    for n_steps in range(500):  # noqa: B007
        named = dict(zip(("x", "speed", "angle", "turning"), map(float, observed), strict=True))
        observed, _, fallen, _, _ = single.step(int(computed(term, named) > 0))
        if fallen:
            break
    assert n_steps >= 474, "what is printed is the policy"


def computed(term: str, named: dict[str, float]) -> float:
    """Return what a printed program computes."""
    functions = {
        "Add": lambda a, b: a + b,
        "Multiply": lambda a, b: a * b,
        "ITE": lambda condition, a, b: a if condition > 0 else b,
    }
    return float(eval(re.sub(r"Affine\{(.*?)\}", r"(\1)", term.strip()), functions, named))


def test_episodes_of_the_test_are_none_of_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    example = importlib.import_module("policies")
    drawn, run = list[int](), example.returns

    def returns(program: Any, envs: Any, n_candidates: int, seed: int) -> Any:
        drawn.append(seed)
        return run(program, envs, n_candidates, seed)

    monkeypatch.setattr(example, "returns", returns)
    for seed in (0, 1):
        example.search_policies(example.TASKS["CartPole-v1"], example.SEARCHERS["random"](), 1, 1, 0.01, seed)
    *searched, last = drawn
    first = next(seed for seed in searched if seed >= example.FIRST_TEST)
    searched.remove(first)
    assert len(searched) >= 6 and max(searched) < example.FIRST_TEST
    assert last - first == example.N_TESTS, "each copy has a seed of its own, counted from the first"


def test_what_is_printed_computes_what_the_program_computes() -> None:
    example = importlib.import_module("policies")
    task, rng = example.TASKS["MountainCar-v0"], np.random.default_rng(0)
    for seed in range(20):
        architecture = example.policies.limit(max_size=9).sample(seed=seed)
        policy = example.Policy(architecture, task, (np.array([-0.5, 0.0]), np.array([0.07, 0.006])))
        policy.take(rng.standard_normal((1, policy.n_numbers)), digits=3)
        seen = rng.uniform([-1.2, -0.07], [0.6, 0.07], (1, 30, 2))
        ran = policy.program(seen)[0]
        read = [computed(str(policy), {"position": p, "velocity": v}) for p, v in seen[0]]
        np.testing.assert_allclose(ran, read, rtol=1e-9)
        assert len(re.findall("position", str(policy))) * 3 == policy.n_numbers
