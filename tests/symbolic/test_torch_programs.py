"""Programs of recorded calls on PyTorch: what a trial gets is what one would write by hand, and its own."""

from __future__ import annotations

import copy
import io
import itertools
import pickle
from typing import Any

import pytest

import deep_arch as da
from deep_arch.errors import HyperparameterMisuse
from deep_arch.searchers import RandomSearch, RegularizedEvolution
from deep_arch.symbolic import copies

torch = pytest.importorskip("torch")

nn = da.symbolize(torch.nn)
optim = da.symbolize(torch.optim)


def perceptron(width: Any) -> Any:
    return nn.Sequential(nn.Flatten(), nn.Linear(4, width), nn.ReLU(), nn.BatchNorm1d(width), nn.Linear(width, 2))


def tensors(module: Any) -> set[int]:
    """Return what tells the storages of a module's weights and buffers apart."""
    return {tensor.data_ptr() for tensor in module.state_dict().values() if tensor.numel()}


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


def test_a_class_that_is_not_symbolized_holds_recorded_layers_unless_built() -> None:
    model = Residual(torch.nn.Identity(), 4)
    with pytest.raises(
        HyperparameterMisuse, match=r"LayerNorm: a recorded call has made nothing yet.*\n.*\n.*da\.build"
    ):
        model(torch.ones(2, 4))
    made = da.build(da.symbolize(Residual)(nn.Identity(), 4))
    assert type(made.norm) is torch.nn.LayerNorm and len(list(made.parameters())) == 2


def test_symbols_do_where_classes_are_asked_for() -> None:
    layer = torch.nn.Linear(1, 1)
    assert isinstance(layer, (nn.Conv2d, nn.Linear)) and issubclass(Residual, nn.Module)
    assert {nn.Linear: "dense"}[type(layer)] == "dense" and type(layer) in (nn.Linear,)
    assert isinstance(nn.Linear(1, 1), nn.Module) and not isinstance(nn.Linear(1, 1), nn.Conv2d)
    assert nn.functional.relu is torch.nn.functional.relu, "functions are for running"
    assert not isinstance(nn.Flatten(), torch.nn.Module), "it is not made yet"


def test_tensors_dtypes_and_parameters_are_arguments() -> None:
    loss = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0]), label_smoothing=da.choice([0.0, 0.1]))
    assert loss == loss.rebind(weight=torch.tensor([1.0, 2.0])) != loss.rebind(weight=torch.tensor([1.0, 3.0]))
    assert da.space(loss).size() == 2
    typed = da.space(nn.Linear(4, 2, dtype=da.choice([torch.float32, torch.float64])))
    assert [da.build(child).weight.dtype for child in typed.enumerate()] == [torch.float32, torch.float64]
    weight = nn.Parameter(torch.zeros(2))
    one, other = da.build([weight, weight]), da.build([weight])
    assert one[0] is one[1] is not other[0] and isinstance(one[0], torch.nn.Parameter)


def test_a_search_of_modules_pickles_and_goes_on_the_same() -> None:
    program = nn.Sequential(nn.Linear(2, da.choice([3, 4, 5, 6])), optim.Adam.partial(lr=da.real(0, 1)))
    assert pickle.loads(pickle.dumps(program)) == program == copy.deepcopy(program)
    search = da.search(program, RegularizedEvolution(population=2, sample=2), trials=9, seed=0)
    for trial in itertools.islice(search, 4):
        trial.tell(float(trial.number))
    again = pickle.loads(pickle.dumps(search))
    assert next(again).architecture.values == next(search).architecture.values


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
