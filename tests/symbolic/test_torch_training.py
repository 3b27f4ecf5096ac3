"""Programs that train: an optimizer that gets its parameters later, and a network whose space is an argument."""

from __future__ import annotations

from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.searchers import RandomSearch, RegularizedEvolution

torch = pytest.importorskip("torch")

from deep_arch.backends import torch_backend  # noqa: E402

nn = da.symbolize(torch.nn)
optim = da.symbolize(torch.optim)
schedules = da.symbolize(torch.optim.lr_scheduler)


@da.symbolize
class Trainer:
    """Train a model by an optimizer that gets the parameters later."""

    def __init__(self, model: Any, optimizer: Any, schedule: Any = None, epochs: int = 1) -> None:
        self.model, self.epochs = model, epochs
        self.optimizer = optimizer(model.parameters())
        self.schedule = None if schedule is None else schedule(self.optimizer)

    def run(self) -> Any:
        x = torch.ones(4, 4)
        for _ in range(self.epochs):
            self.optimizer.zero_grad()
            loss = self.model(x).square().mean()
            loss.backward()
            self.optimizer.step()
            if self.schedule is not None:
                self.schedule.step()
        return loss.item()


def test_optimizers_have_arguments_of_their_own() -> None:
    momentum = da.choice([0.0, da.choice([0.5, 0.9])])
    optimizer = da.choice(
        {
            "adam": optim.Adam.partial(lr=da.choice([1e-3, 1e-2])),
            "sgd": optim.SGD.partial(lr=0.1, momentum=momentum),
        }
    )
    space = da.space(Trainer(nn.Linear(4, 2), optimizer))
    assert space.size() == 2 + 3
    seen = set()
    for architecture in space.enumerate():
        trainer = da.build(architecture)
        group = trainer.optimizer.param_groups[0]
        assert group["params"] == list(trainer.model.parameters())
        seen.add((type(trainer.optimizer), group["lr"], group.get("momentum")))
        assert trainer.run() > 0
    adam, sgd = torch.optim.Adam, torch.optim.SGD
    assert seen == {(adam, 1e-3, None), (adam, 1e-2, None), (sgd, 0.1, 0.0), (sgd, 0.1, 0.5), (sgd, 0.1, 0.9)}


def test_a_learning_rate_of_an_optimizer_and_its_schedule_is_decided_once() -> None:
    rate = da.choice([1e-3, 1e-2, 1e-1])
    schedule = schedules.OneCycleLR.partial(max_lr=10 * rate, total_steps=4)
    space = da.space(Trainer(nn.Linear(4, 2), optim.AdamW.partial(lr=rate), schedule, epochs=3))
    assert space.size() == 3
    for architecture in space.enumerate():
        (value,) = architecture.values.values()
        trainer = da.build(architecture)
        trainer.run()
        assert trainer.optimizer.param_groups[0]["max_lr"] == pytest.approx(10 * value)
        assert da.resolve(architecture).optimizer.kwargs["lr"] == value


# --- a network and its training --------------------------------------------------------------------------------------

Build: Any = da.symbolize(torch_backend.build)


def joint() -> tuple[da.SearchSpace, Any]:
    """Return a space of a network, and the program that trains it as many epochs as the network is wide."""
    width = da.choice([2, 3], name="width")

    @da.space
    def net(x: Any) -> Any:
        hidden = da.repeat(lambda: ops.Dense(da.choice([4, 8])), da.choice([1, 2]))
        return ops.Dense(2)(hidden(ops.Dense(width)(x)))

    model = Build(net, inputs=da.vector(4))
    return net, Trainer(model, optim.Adam.partial(lr=da.choice([1e-3, 1e-2])), epochs=width)


def test_a_network_and_its_training_are_one_space() -> None:
    net, program = joint()
    space = da.space(program)
    assert net.size() == 2 * (2 + 4) and space.size() == 2 * net.size()
    search = da.search(space, RegularizedEvolution(population=4, sample=2), trials=8, seed=0)
    for trial in search:
        trainer = da.build(trial)
        width = trial.architecture.values["width"]
        assert trainer.epochs == width
        assert width in {tensor.shape[0] for tensor in trainer.model.state_dict().values()}
        trial.tell(-trainer.run())
    assert len(search.trials) == 8


def test_the_architecture_and_its_training_are_searched_by_turns() -> None:
    net, program = joint()
    space = da.space(program)
    in_the_model = space.where(lambda point: point.address.startswith("model"))
    assert net.size() == in_the_model.size() * 2, "but for the width, which has a name of its own"
    phases = 0
    for outer in da.search(in_the_model, RandomSearch(), trials=3, seed=0):
        rest = space.fix(outer.architecture.values)
        assert rest.size() == 4
        inner = da.search(rest, RandomSearch(), trials=2, seed=0)
        for trial in inner:
            assert trial.architecture.values.items() >= outer.architecture.values.items()
            trial.tell(-da.build(trial).run())
            phases += 1
        outer.tell(inner.best.score)
    assert phases == 6
