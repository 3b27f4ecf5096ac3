"""Programs of recorded calls on PyTorch: what a trial gets is what one would write by hand, and its own."""

from __future__ import annotations

import io
import pickle
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.searchers import RandomSearch, RegularizedEvolution
from deep_arch.symbolic import copies

torch = pytest.importorskip("torch")

from deep_arch.backends import torch_backend  # noqa: E402

nn = da.symbolize(torch.nn)
optim = da.symbolize(torch.optim)
schedules = da.symbolize(torch.optim.lr_scheduler)


def perceptron(width: Any) -> Any:
    return nn.Sequential(nn.Flatten(), nn.Linear(4, width), nn.ReLU(), nn.BatchNorm1d(width), nn.Linear(width, 2))


def tensors(module: Any) -> set[int]:
    """Return what tells the storages of a module's weights and buffers apart."""
    return {tensor.data_ptr() for tensor in module.state_dict().values() if tensor.numel()}


# --- modules ---------------------------------------------------------------------------------------------------------


def test_a_child_is_of_the_class_itself() -> None:
    model = da.build(da.space(perceptron(da.choice([8, 16]))).sample(seed=0))
    by_hand = torch.nn.Sequential(
        torch.nn.Flatten(),
        torch.nn.Linear(4, 8),
        torch.nn.ReLU(),
        torch.nn.BatchNorm1d(8),
        torch.nn.Linear(8, 2),
    )
    assert type(model) is torch.nn.Sequential and isinstance(model, nn.Sequential)
    assert list(model.state_dict()) == list(by_hand.state_dict())
    assert [type(layer) for layer in model] == [type(layer) for layer in by_hand]
    assert model(torch.ones(3, 4)).shape == (3, 2)


def test_a_child_pickles_and_loads() -> None:
    model = da.build(perceptron(8)).eval()
    x, file = torch.ones(3, 4), io.BytesIO()
    assert torch.equal(pickle.loads(pickle.dumps(model))(x), model(x))
    torch.save(model.state_dict(), file)
    file.seek(0)
    other = da.build(perceptron(8)).eval()
    assert not torch.equal(other(x), model(x))
    other.load_state_dict(torch.load(file))
    assert torch.equal(other(x), model(x))


def test_each_trial_has_weights_of_its_own() -> None:
    program = nn.Sequential(da.choice([nn.Linear(4, 4), nn.Sequential(nn.Linear(4, 4), nn.ReLU())]), nn.Linear(4, 2))
    models = []
    for trial in da.search(program, RandomSearch(), trials=2, seed=0):
        models += [da.build(trial), da.build(trial.architecture)]
        trial.tell(0.0)
    assert len(models) == 4
    assert len(set.union(*map(tensors, models))) == sum(len(tensors(model)) for model in models)
    first, again = models[0][1].weight, models[1][1].weight
    assert not torch.equal(first, again), "drawn afresh"
    with torch.no_grad():
        first.fill_(7.0)
    assert (again != 7.0).all()


def test_an_encoder_in_two_places_is_one_object() -> None:
    encoder = nn.Linear(4, da.choice([8, 16]))
    program = nn.ModuleDict(
        {"left": encoder, "right": encoder, "head": nn.ModuleList([da.choice([nn.ReLU(), encoder])])}
    )
    space = da.space(program)
    assert space.size() == 4
    for architecture in space.enumerate():
        model = da.build(architecture)
        assert model["left"] is model["right"]
        assert len(list(model.parameters())) == 2
        assert len(torch.optim.SGD(model.parameters(), lr=0.1).param_groups[0]["params"]) == 2


def test_copies_are_modules_of_their_own() -> None:
    space = da.space(nn.ModuleList(copies(lambda: nn.Linear(4, da.choice([2, 3])), da.choice([1, 2, 3]))))
    assert space.size() == 2 + 4 + 8
    models = [da.build(architecture) for architecture in space.enumerate()]
    assert sorted(map(len, models)) == [1] * 2 + [2] * 4 + [3] * 8
    assert all(len(tensors(model)) == 2 * len(model) for model in models)


class Residual(nn.Module):  # type: ignore[name-defined, misc]
    """A module that a file defines where `nn` is shadowed, and whose code makes modules itself."""

    def __init__(self, inner: Any, width: int) -> None:
        super().__init__()
        self.inner, self.norm = inner, nn.LayerNorm(width)

    def forward(self, x: Any) -> Any:
        return x + nn.functional.relu(self.inner(self.norm(x)))


@da.symbolize
class Block(nn.Module):  # type: ignore[name-defined, misc]
    """One that is symbolized where it is defined."""

    def __init__(self, width: int, layers: Any = None) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers or [nn.Linear(width, width)])

    def forward(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer(x)
        return x


def test_classes_are_defined_over_a_symbol() -> None:
    residual = da.symbolize(Residual)
    model = da.build(residual(nn.Linear(4, 4), width=4))
    assert type(model) is Residual and isinstance(model, nn.Module) and isinstance(model, torch.nn.Module)
    assert type(model.norm) is torch.nn.LayerNorm, "what its own code makes is made"
    assert model(torch.ones(2, 4)).shape == (2, 4)
    assert type(pickle.loads(pickle.dumps(model))) is Residual


def test_a_decorated_module_is_searched_and_pickles() -> None:
    space = da.space(
        nn.Sequential(Block(4), Block(4, [nn.Linear(4, 4) for _ in range(2)]), nn.Linear(4, da.choice([2, 3])))
    )
    model = da.build(space.sample(seed=0))
    assert isinstance(model[0], Block) and [len(block.layers) for block in model[:2]] == [1, 2]
    x = torch.ones(3, 4)
    assert torch.equal(pickle.loads(pickle.dumps(model))(x), model(x))


def test_lazy_modules_are_initialised_by_the_child() -> None:
    program = nn.Sequential(nn.LazyLinear(da.choice([8, 16])), nn.ReLU(), nn.LazyLinear(2))
    for architecture in da.space(program).enumerate():
        model = da.build(architecture)
        assert model(torch.ones(3, 5)).shape == (3, 2)
        assert model[0].in_features == 5


def test_a_class_as_an_argument_is_the_class() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, activation=torch.relu, dim_feedforward=da.choice([8, 16]))
    space = da.space(nn.TransformerEncoder(layer, num_layers=2, enable_nested_tensor=False))
    assert da.build(space.sample(seed=0))(torch.ones(2, 3, 8)).shape == (2, 3, 8)

    @da.symbolize
    def with_activation(kind: Any) -> Any:
        return torch.nn.Sequential(torch.nn.Linear(2, 2), kind())

    kinds = da.space(with_activation(da.choice([nn.ReLU, nn.Tanh])))
    assert {type(da.build(child)[1]) for child in kinds.enumerate()} == {torch.nn.ReLU, torch.nn.Tanh}


# --- optimizers ------------------------------------------------------------------------------------------------------


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
