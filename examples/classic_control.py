"""Environments of classic control whose copies step together, as arrays, with the physics of gymnasium's own.

Gymnasium's own vector environments step their copies one after another, but for that of CartPole. Those here do in one
step of arrays what `gymnasium.make(name)` does in a step of each copy, a hundred times as fast. What a copy does after
its end, until all are reset, means nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space


class _Together(VectorEnv[Any, Any, Any], ABC):
    """Copies of one environment; `state` has a row for each of its variables and a column for each copy."""

    name: str
    metadata = {"autoreset_mode": AutoresetMode.DISABLED}  # noqa: RUF012, as gymnasium has it

    def __init__(self, num_envs: int) -> None:
        self.one: Any = gymnasium.make(self.name).unwrapped
        self.num_envs, self.max_steps = num_envs, gymnasium.spec(self.name).max_episode_steps or 0
        self.single_action_space, self.single_observation_space = self.one.action_space, self.one.observation_space
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.state, self.n_steps = self._first(), 0
        return self._observed(), {}

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        rewards, ended = self._move(actions)
        self.n_steps += 1
        late = np.full(self.num_envs, self.n_steps >= self.max_steps)
        return self._observed(), rewards, ended, late, {}

    @abstractmethod
    def _first(self) -> Any:
        """Return states to begin with."""

    @abstractmethod
    def _move(self, actions: Any) -> tuple[Any, Any]:
        """Change the state, and return rewards and what has ended."""

    def _observed(self) -> Any:
        return np.stack([*self.state], axis=1, dtype=np.float32)


class MountainCars(_Together):
    """A car in a valley that is too weak to drive straight up to the goal."""

    name = "MountainCar-v0"

    def _first(self) -> Any:
        position = self.np_random.uniform(-0.6, -0.4, self.num_envs)
        return np.stack([position, np.zeros(self.num_envs)])

    def _move(self, actions: Any) -> tuple[Any, Any]:
        position, velocity = self.state
        velocity = velocity + (actions - 1) * self.one.force - np.cos(3 * position) * self.one.gravity
        velocity = velocity.clip(-self.one.max_speed, self.one.max_speed)
        position = (position + velocity).clip(self.one.min_position, self.one.max_position)
        velocity[(position == self.one.min_position) & (velocity < 0)] = 0
        self.state = np.stack([position, velocity])
        ended = (position >= self.one.goal_position) & (velocity >= self.one.goal_velocity)
        return np.full(self.num_envs, -1.0), ended


class Acrobots(_Together):
    """Two links that hang from a joint; the motor between them is to swing the tip up."""

    name = "Acrobot-v1"

    def _first(self) -> Any:
        return self.np_random.uniform(-0.1, 0.1, (4, self.num_envs))

    def _move(self, actions: Any) -> tuple[Any, Any]:
        torque, dt, state = actions - 1.0, self.one.dt, self.state
        k1 = self._slopes(state, torque)  # Runge and Kutta, of fourth order
        k2 = self._slopes(state + dt / 2 * k1, torque)
        k3 = self._slopes(state + dt / 2 * k2, torque)
        k4 = self._slopes(state + dt * k3, torque)
        one, two, speed_one, speed_two = state + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        speed_one = speed_one.clip(-self.one.MAX_VEL_1, self.one.MAX_VEL_1)
        speed_two = speed_two.clip(-self.one.MAX_VEL_2, self.one.MAX_VEL_2)
        self.state = np.stack([one, two, speed_one, speed_two])
        ended = -np.cos(one) - np.cos(one + two) > 1
        return np.where(ended, 0.0, -1.0), ended

    def _slopes(self, state: Any, torque: Any) -> Any:
        """Return the derivatives of two equal links of mass 1, length 1 and inertia 1 (Sutton and Barto, 2018)."""
        one, two, speed_one, speed_two = state
        cos_two, sin_two = np.cos(two), np.sin(two)
        d1, d2 = 3.5 + cos_two, 1.25 + 0.5 * cos_two
        phi2 = 0.5 * 9.8 * np.sin(one + two)
        phi1 = -(0.5 * speed_two + speed_one) * speed_two * sin_two + 1.5 * 9.8 * np.sin(one) + phi2
        push = (torque + d2 / d1 * phi1 - 0.5 * speed_one**2 * sin_two - phi2) / (1.25 - d2**2 / d1)
        return np.stack([speed_one, speed_two, -(d2 * push + phi1) / d1, push])

    def _observed(self) -> Any:
        one, two, *speeds = self.state
        return np.stack([np.cos(one), np.sin(one), np.cos(two), np.sin(two), *speeds], axis=1, dtype=np.float32)


class Pendulums(_Together):
    """A pendulum whose motor is too weak to lift it at once, to be swung up and balanced with little torque."""

    name = "Pendulum-v1"

    def _first(self) -> Any:
        return self.np_random.uniform([[-np.pi], [-1.0]], [[np.pi], [1.0]], (2, self.num_envs))

    def _move(self, actions: Any) -> tuple[Any, Any]:
        angle, speed = self.state
        torque = actions[:, 0].clip(-self.one.max_torque, self.one.max_torque)
        away = (angle + np.pi) % (2 * np.pi) - np.pi
        rewards = -(away**2 + 0.1 * speed**2 + 0.001 * torque**2)
        speed = speed + (1.5 * self.one.g * np.sin(angle) + 3.0 * torque) * self.one.dt
        speed = speed.clip(-self.one.max_speed, self.one.max_speed)
        self.state = np.stack([angle + speed * self.one.dt, speed])
        return rewards, np.zeros(self.num_envs, bool)

    def _observed(self) -> Any:
        angle, speed = self.state
        return np.stack([np.cos(angle), np.sin(angle), speed], axis=1, dtype=np.float32)
