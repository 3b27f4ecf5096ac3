"""Symbols: what they mean where they are not called, and what cannot have one."""

from __future__ import annotations

import abc
import copy
import dataclasses
import enum
import functools
import inspect
import pickle
import pydoc
import threading
import types
import typing
from collections import OrderedDict
from fractions import Fraction
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument, UnknownName
from deep_arch.language.objects import MAKING
from deep_arch.symbolic.calls import Symbolic
from deep_arch.symbolic.symbols import Namespace, Symbol, symbolize

T = TypeVar("T")


@symbolize
class Trainer:
    """Train a model."""

    made: ClassVar[int] = 0

    def __init__(self, lr: float, *, epochs: int = 3) -> None:
        self.lr, self.epochs = lr, epochs
        super().__init__()

    @classmethod
    def quick(cls) -> Any:
        return cls(0.1, epochs=1)

    class Inner:
        """A class inside."""


TRAINER: Any = Trainer
"""What type checkers take for the class."""


@symbolize
def scaled(x: float, by: float = 2.0) -> float:
    """Scale a number."""
    return x * by


def recorded(thing: Any) -> Any:
    """Return the symbol, whose calls type checkers take for the objects."""
    return symbolize(thing)


class Layer:
    def __init__(self, units: int) -> None:
        self.units = units


class Wide(Layer):
    pass


Base: Any = symbolize(Layer)


class Deeper(Base):  # type: ignore[misc]
    def __init__(self) -> None:
        Base.__init__(self, 7)


def test_a_call_is_recorded_and_the_class_is_called_while_objects_are_made() -> None:
    call: Any = Trainer(0.1)
    assert isinstance(call, Symbolic) and call.lr == 0.1
    with MAKING:
        with MAKING:
            pass
        made = Trainer(0.1)
        assert type(made) is TRAINER.factory and scaled(3) == 6.0
        assert isinstance(TRAINER.partial(epochs=2), functools.partial)
    assert isinstance(Trainer(0.1), Symbolic) and isinstance(scaled(3), Symbolic)


def test_symbols_record_again_after_an_exception() -> None:
    with pytest.raises(ZeroDivisionError), MAKING:
        raise ZeroDivisionError
    assert isinstance(Trainer(0.1), Symbolic)


def test_objects_made_in_one_thread_leave_others_recording() -> None:
    inside, done = threading.Event(), threading.Event()

    def build() -> None:
        with MAKING:
            inside.set()
            done.wait()

    thread = threading.Thread(target=build)
    thread.start()
    inside.wait()
    recorded = Trainer(0.1)
    done.set()
    thread.join()
    assert isinstance(recorded, Symbolic)


def test_a_decorated_class_reads_as_itself() -> None:
    assert Trainer.__doc__ == "Train a model." and Trainer.__name__ == "Trainer"
    assert list(inspect.signature(Trainer).parameters) == ["lr", "epochs"]
    text = pydoc.plain(pydoc.render_doc(Trainer))
    assert "Train a model." in text and "Trainer(lr: 'float', *, epochs: 'int' = 3)" in text
    assert "quick" in dir(Trainer) and repr(Trainer) == "<symbol Trainer>"
    assert Trainer.quick().epochs == 1 and TRAINER.Inner is TRAINER.factory.Inner
    assert Trainer.__mro__ == (TRAINER.factory, object)
    with pytest.raises(AttributeError, match="nothing"):
        _ = TRAINER.nothing
    assert not hasattr(Trainer, "_repr_html_")


def test_attributes_are_set_on_the_class() -> None:
    TRAINER.made += 1
    assert TRAINER.factory.made == 1
    TRAINER.note = "x"
    assert TRAINER.factory.note == "x"
    del TRAINER.note
    assert not hasattr(TRAINER.factory, "note")


def test_objects_of_decorated_classes_pickle() -> None:
    with MAKING:
        made: Any = Trainer(0.5)
    assert pickle.loads(pickle.dumps(made)).lr == 0.5
    assert Trainer.__qualname__ == "Trainer" and TRAINER.factory.__qualname__ == "Trainer.factory"
    assert pickle.loads(pickle.dumps(scaled.factory)) is scaled.factory
    assert Layer.__qualname__ == "Layer"  # its name still means it
    symbolize(TRAINER.factory)
    assert TRAINER.factory.__qualname__ == "Trainer.factory"


def test_symbols_pickle_and_copy() -> None:
    for symbol in (Trainer, scaled, Base, symbolize(len)):
        assert pickle.loads(pickle.dumps(symbol)) == symbol
        assert copy.copy(symbol) == copy.deepcopy(symbol) == symbol


def test_symbols_of_one_class_are_equal() -> None:
    assert symbolize(Layer) == Base and hash(symbolize(Layer)) == hash(Base) and symbolize(Wide) != Base
    assert Base == Layer and {Layer: 1}[Base] == 1 and Base != "Layer"
    one, other = (symbolize(functools.partial(divmod, 7)) for _ in range(2))
    assert one == other and hash(one) == hash(other) and one != symbolize(functools.partial(divmod, 8))
    bound = symbolize(Fraction(1, 2).limit_denominator)
    assert hash(bound) == hash(bound) and bound == bound


def test_what_has_a_symbol_keeps_it() -> None:
    assert symbolize(Trainer) is Trainer
    space = symbolize(types)
    assert symbolize(space) is space


def test_a_symbol_is_a_base_class() -> None:
    assert Deeper.__mro__ == (Deeper, Layer, object) and Deeper().units == 7
    assert not isinstance(Deeper, Symbol)
    with pytest.raises(BadArgument, match=r"scaled: expected a class to derive from.\n  Got the symbol of a function"):
        types.new_class("Odd", (scaled,))


def test_isinstance_is_true_of_records_and_objects() -> None:
    wide: Any = symbolize(Wide)
    assert isinstance(Base(3), Base) and isinstance(wide(3), Base) and not isinstance(Base(3), wide)
    assert isinstance(Layer(3), Base) and isinstance(Wide(3), Base) and not isinstance(3, Base)
    assert isinstance(Base.partial(), Base) and isinstance(wide(2), (int, Base))
    called: Any = scaled
    assert isinstance(scaled(3), called) and not isinstance(6.0, called)
    assert issubclass(Wide, Base) and issubclass(Deeper, Base) and issubclass(wide, Base) and issubclass(wide, Layer)
    assert not issubclass(int, Base) and not issubclass(int, called)


def test_types_are_written_with_symbols() -> None:
    wide: Any = symbolize(Wide)
    for kinds in (wide | None, None | wide, int | wide | None, scaled | (wide | None), (int | wide) | None):
        assert isinstance(wide(3), kinds) and isinstance(Wide(3), kinds) and isinstance(None, kinds)
        assert not isinstance(Base(3), kinds) and issubclass(Wide, kinds) and not issubclass(Layer, kinds)
    assert repr(int | wide | None) == "int | Wide | NoneType"
    assert typing.Optional[Base] is not None  # noqa: UP045

    class Box(Generic[T]):
        def __init__(self, item: T) -> None:
            self.item = item

    box: Any = symbolize(Box)
    assert box[int] is box and box[int](3).item == 3

    class Colour(enum.Enum):
        RED = 1

    colour: Any = symbolize(Colour)
    assert colour.RED is colour["RED"] is Colour.RED


def test_a_function_in_a_class_is_a_method_and_a_class_in_it_is_not() -> None:
    class Net:
        layer = Base
        scaled = symbolize(lambda self, by: (self, by))

    net: Any = Net()
    assert net.layer(3).units == 3 and net.scaled(4).by == 4 and net.scaled(4).self is net
    assert Net.layer is Base


class Slotted:
    __slots__ = ("a",)

    def __init__(self, a: int) -> None:
        self.a = a


@dataclasses.dataclass(frozen=True)
class Frozen:
    a: int
    b: list[int] = dataclasses.field(default_factory=list)


class Pair(NamedTuple):
    a: int
    b: int = 2


class Abstract(abc.ABC):
    @abc.abstractmethod
    def run(self) -> int: ...


class Concrete(Abstract):
    def __init__(self, a: int) -> None:
        self.a = a

    def run(self) -> int:
        return self.a


class Registering(type):
    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        kwargs.pop("registered", None)
        return super().__call__(*args, **kwargs)


class Registered(metaclass=Registering):
    def __init__(self, a: int) -> None:
        self.a = a


class Newly:
    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        return super().__new__(cls)

    def __init__(self, a: int = 1) -> None:
        self.a = a


@pytest.mark.parametrize("kind", [Slotted, Frozen, Pair, Concrete, Registered, Newly])
def test_classes_of_every_kind(kind: Any) -> None:
    symbol = symbolize(kind)
    call = symbol(4)
    assert call.a == 4 and call.held()[0] == (".a", 4) and isinstance(call, symbol)
    assert call.made((), {"a": 4}).a == 4 and type(call.made((4,), {})) is kind
    with MAKING:
        assert symbol(4).a == 4


def test_what_a_metaclass_may_take_is_recorded() -> None:
    call: Any = recorded(Registered)(3, registered=True)
    assert call.args == (3,) and call.registered is True and call.made(call.args, call.kwargs).a == 3


def test_callables_without_a_class() -> None:
    assert repr(symbolize(lambda x: x)(3)) == "<lambda>(x=3)"
    half = symbolize(functools.partial(scaled.factory, by=0.5))
    assert repr(half(4)) == "scaled(x=4)" and half(4).by == 0.5 and half(4).made((4,), {}) == 2.0
    assert repr(symbolize(Fraction.from_float)(0.5)) == "from_float(f=0.5)"

    class Model:
        __hash__ = None  # type: ignore[assignment]

        def __call__(self, x: int) -> int:
            return x

    model = recorded(Model())
    assert model(3).x == 3 and hash(model) == hash(Model)


@pytest.mark.parametrize("kind", [int, dict, range, OrderedDict])
def test_builtins_that_do_not_say_what_they_take(kind: Any) -> None:
    symbol = symbolize(kind)
    assert symbol.signature is None
    call = symbol(*((1, 2) if kind is range else ()))
    assert call.made(call.args, call.kwargs) == kind(*call.args)
    assert recorded(dict)(a=1, b=[2]).b == [2] and recorded(int)("12", base=3).args == ("12",)


@pytest.mark.parametrize(
    ("thing", "text"),
    [
        (3, r"symbolize: expected a class, a function or a module.\n  Got 3 \(int\).\n  Symbolize the class"),
        (da.choice([1, 2]), r"Got <hyperparameter.*\n  Give it as an argument to a recorded call"),
        (Trainer(0.1), r"Got Trainer\(lr=0.1\).*\n  Give it as an argument to a recorded call"),
        (ops.Dense, r"Ops are modules already: compose them in a space's function"),
        (ops.Dense(3), r"Ops are modules already: compose them in a space's function"),
    ],
)
def test_what_cannot_have_a_symbol(thing: Any, text: str) -> None:
    with pytest.raises(BadArgument, match=text):
        symbolize(thing)


def test_hyperparameters_of_pyglove_are_told_what_they_are_here() -> None:
    pg = pytest.importorskip("pyglove")
    for thing, word in [(pg.oneof([1, 2]), "choice"), (pg.floatv(0.0, 1.0), "real"), (pg.manyof(1, [1, 2]), "subset")]:
        with pytest.raises(
            BadArgument, match=rf"symbolize: expected hyperparameters of deep_arch(?s:.*)Write da.{word}"
        ):
            symbolize(thing)
        with pytest.raises(BadArgument, match=rf"Trainer: expected(?s:.*)of PyGlove\).\n  Write da.{word}"):
            Trainer([{"lr": (thing,)}])  # type: ignore[arg-type]


# --- modules ---------------------------------------------------------------------------------------------------------


def fresh_module() -> Any:
    module: Any = types.ModuleType("fresh", "A module.")
    exec(
        "import enum, types\n__version__ = '3'\nclass Layer:\n    def __init__(self, n): self.n = n\n"
        "class Oops(ValueError): pass\nclass Colour(enum.Enum): RED = 1\ndef helper(): return 3\nrate = 0.5\n"
        "inner = types.ModuleType('inner')\ninner.Layer = Layer\n"
        "def __getattr__(name):\n    if name == 'Late': return Layer\n    raise AttributeError(name)\n",
        module.__dict__,
    )
    return module


def test_a_namespace_has_symbols_of_classes_and_all_else_as_it_is() -> None:
    module = fresh_module()
    space = symbolize(module)
    assert isinstance(space, Namespace) and isinstance(space, types.ModuleType)
    assert space.Layer is space.Layer and isinstance(space.Layer(3), Symbolic) and space.Late == space.Layer
    assert space.helper is module.helper and space.rate == 0.5 and space.Colour is module.Colour
    with pytest.raises(space.Oops):
        raise space.Oops
    assert isinstance(space.inner, Namespace) and space.inner.Layer == space.Layer
    assert space.__name__ == "fresh" and space.__doc__ == "A module." and space.__version__ == "3"
    assert dir(space) == dir(module) and "symbols of <module 'fresh'" in repr(space)
    assert module.Layer.__qualname__ == "Layer"
    space.rate, space.Layer = 0.25, int
    assert module.rate == 0.25 and space.Layer == symbolize(int)
    with pytest.raises(UnknownName, match=r"fresh: has no 'Layers'.\n  Got a use(?s:.*)Did you mean 'Layer'"):
        _ = space.Layers
    with pytest.raises(AttributeError, match="__nothing__"):
        _ = space.__nothing__


def test_operations_in_a_namespace_are_told_what_they_are() -> None:
    with pytest.raises(BadArgument, match="Ops are modules already"):
        _ = symbolize(ops).Dense


def test_a_namespace_pickles() -> None:
    import fractions

    space = pickle.loads(pickle.dumps(symbolize(fractions)))
    assert isinstance(space, Namespace) and space.Fraction == symbolize(Fraction)


def test_torch_under_the_name_of_its_namespace() -> None:
    torch = pytest.importorskip("torch")
    nn: Any = symbolize(torch.nn)

    class Net(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            nn.Module.__init__(self)
            self.linear = nn.Linear(3, 2)

        def forward(self, x: Any) -> Any:
            return nn.functional.relu(self.linear(x))

    net = nn.Sequential(nn.Linear(3, 4, bias=False), nn.ReLU(), nn.Linear(4, 2))
    assert repr(net) == (
        "Sequential(Linear(in_features=3, out_features=4, bias=False), ReLU(), Linear(in_features=4, out_features=2))"
    )
    assert isinstance(net.args[0], nn.Linear) and isinstance(net, nn.Module) and net.args[0].device is None
    with MAKING:
        made = Net()
        assert type(made.linear) is torch.nn.Linear and made(torch.zeros(1, 3)).shape == (1, 2)
    assert isinstance(made, nn.Module) and nn.functional.relu is torch.nn.functional.relu
    assert "(in_features: int, out_features: int" in str(inspect.signature(nn.Linear))
    assert pickle.loads(pickle.dumps(net)).held()[1][0] == "[1]"


def test_keras_and_scikit_learn() -> None:
    keras = pytest.importorskip("keras")
    layers: Any = symbolize(keras.layers)
    model = symbolize(keras).Sequential([layers.Dense(8, activation="relu"), layers.Dense(1)])
    assert [step for step, _ in model.held()] == [".layers"] and model.layers[0].units == 8
    forest: Any = symbolize(pytest.importorskip("sklearn.ensemble")).RandomForestClassifier
    assert forest(max_depth=3).n_estimators == 100 and repr(forest(10)) == "RandomForestClassifier(n_estimators=10)"
    assert forest(10).made((), {"n_estimators": 10}).get_params()["n_estimators"] == 10
