"""A space of Keras models like that of a first tutorial, run on the backend that KERAS_BACKEND names."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np

import deep_arch as da
from deep_arch.searchers import RandomSearch

layers = da.symbolize(keras.layers)
Sequential = da.symbolize(keras.Sequential)


@da.symbolize
class Trainer:
    """Train a model on images whose class is how bright they are."""

    def __init__(self, model: Any, optimizer: Any) -> None:
        self.model, self.optimizer = model, optimizer

    def run(self) -> Any:
        rng = np.random.default_rng(0)
        y = np.arange(64) % 2
        x = rng.uniform(0, 0.5, (64, 8, 8, 1)).astype("float32") + 0.5 * y[:, None, None, None].astype("float32")
        self.model.compile(optimizer=self.optimizer, loss="sparse_categorical_crossentropy")
        return self.model.fit(x, y, epochs=2, verbose=0).history["loss"]


@da.symbolize
@keras.saving.register_keras_serializable("tests")
class Scaled(keras.layers.Layer):  # type: ignore[misc]
    """A layer of one's own; when a model is loaded, Keras makes it again."""

    def __init__(self, factor: float, **rest: Any) -> None:
        super().__init__(**rest)
        self.factor, self.dense = factor, keras.layers.Dense(3)

    def call(self, x: Any) -> Any:
        return self.dense(x) * self.factor

    def get_config(self) -> Any:
        return {**super().get_config(), "factor": self.factor}


def trainer() -> Any:
    """Return a program of 12 architectures and two learning rates."""
    rest = [
        da.choice([layers.Identity(), layers.MaxPooling2D(2), layers.Conv2D(da.choice([4, 8]), 3, name="conv")]),
        layers.Flatten(),
        layers.Dense(da.choice([10, 20, 30]), activation=da.choice(["relu"])),
        layers.Dense(2, activation="softmax"),
    ]
    optimizer = da.symbolize(keras.optimizers.Adam)(learning_rate=da.choice([1e-2, 1e-3]))
    return Trainer(Sequential([layers.Input((8, 8, 1)), *rest]), optimizer)


def main(folder: Path) -> None:
    """Check what a model of the space is, and search."""
    space = da.space(trainer())
    assert space.where(lambda point: point.address.startswith("model")).size() == 12 and space.size() == 24
    losses = [da.build(architecture).run() for architecture in list(space.enumerate())[::2]]
    assert len(losses) == 12 and sum(last < first for first, last in losses) >= 10, losses

    one, other = (da.build(space.nth(23)).model for _ in range(2))
    assert type(one) is keras.Sequential and isinstance(one, Sequential)
    assert one is not other and not set(map(id, one.layers)) & set(map(id, other.layers))
    assert one.layers[0].name == "conv" == other.layers[0].name
    assert not np.array_equal(one.get_weights()[0], other.get_weights()[0])

    one.save(folder / "model.keras")
    loaded = keras.models.load_model(folder / "model.keras")
    x = np.ones((2, 8, 8, 1), "float32")
    np.testing.assert_allclose(loaded.predict(x, verbose=0), one.predict(x, verbose=0), rtol=1e-5)
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in one.layers]

    search = da.search(space, RandomSearch(), trials=3, seed=0, directions="minimize")
    for trial in search:
        trial.tell(da.build(trial).run()[-1])
    assert search.best.score == min(trial.scores[0] for trial in search.trials)
    functional()
    layers_of_ones_own(folder / "own.keras")


def layers_of_ones_own(path: Path) -> None:
    """Check that a decorated layer is saved, loaded and cloned."""
    space = da.space(Sequential([layers.Input((4,)), Scaled(da.choice([2.0, 3.0])), layers.Dense(2)]))
    for architecture in space.enumerate():
        model = da.build(architecture)
        model.save(path)
        x = np.ones((2, 4), "float32")
        loaded = keras.models.load_model(path)
        np.testing.assert_allclose(loaded.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-5)
        cloned = keras.models.clone_model(model)
        assert isinstance(cloned.layers[0], Scaled) and cloned.layers[0].factor == model.layers[0].factor


def functional() -> None:
    """Search a functional model: calls of layers on tensors are not recorded, so it is a function that is."""

    @da.symbolize
    def model(width: Any, norm: Any) -> Any:
        x = keras.Input((4,))
        y = norm(keras.layers.Dense(width)(x))
        return keras.Model(x, keras.layers.Add()([y, keras.layers.Dense(width)(x)]))

    space = da.space(model(da.choice([4, 8]), da.choice([layers.LayerNormalization(), layers.Identity()])))
    shapes = {da.build(architecture).output_shape for architecture in space.enumerate()}
    assert space.size() == 4 and shapes == {(None, 4), (None, 8)}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    print("passed on", keras.config.backend())
