"""Train in PyTorch, go on in Keras, and run the result in ONNX Runtime: one architecture, one set of weights.

    KERAS_BACKEND=jax python examples/continue_training.py --output network.onnx

Needs the extras torch, keras and onnx, scikit-learn, and what Keras runs on: tensorflow, jax or torch. The weights move
as NumPy arrays under names that belong to no framework, so that each framework finds the loss where the other left it.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import deep_arch as da
from deep_arch import ops
from deep_arch.backends import keras_backend, torch_backend

IMAGE = da.image(channels=1, height=8, width=8)
BATCH_SIZE, LEARNING_RATE = 32, 2e-3


@da.space
def net(image: Any) -> Any:
    """Stack blocks, halve the image, and read the digit off."""
    width = da.choice([16, 32], name="width")

    def normalize() -> da.Module:
        return ops.BatchNormalization(momentum=0.9)  # its averages must settle within few steps

    def block() -> da.Module:
        return da.sequential(lambda: ops.Conv2D(width, kernel_size=3), normalize, ops.ReLU)

    x = da.repeat(block, da.choice([1, 2, 3], name="depth"))(image)
    x = ops.MaxPooling2D()(x)
    return ops.Dense(10)(ops.Flatten()(x))


Array = npt.NDArray[Any]


def load() -> tuple[Array, Array, Array, Array]:
    """Return images for training and for testing, (examples, 1, 8, 8), and the digits that each of them show."""
    pixels, labels = load_digits(return_X_y=True)
    images = (pixels / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    return tuple(train_test_split(images, labels, test_size=360, stratify=labels, random_state=0))


def cross_entropy(logits: Array, labels: Array) -> float:
    """Return the mean loss of logits, (examples, 10)."""
    return float(torch.nn.functional.cross_entropy(torch.tensor(logits), torch.tensor(labels)))


def train_in_torch(model: torch.nn.Module, images: Array, labels: Array) -> None:
    """Train for one epoch."""
    examples = torch.utils.data.TensorDataset(torch.tensor(images), torch.tensor(labels))
    order = torch.Generator().manual_seed(0)
    loss, optimizer = torch.nn.CrossEntropyLoss(), torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    model.train()
    for x, y in torch.utils.data.DataLoader(examples, BATCH_SIZE, shuffle=True, generator=order):
        optimizer.zero_grad()
        loss(model(x), y).backward()
        optimizer.step()


def train_in_keras(model: keras.Model, images: Array, labels: Array) -> None:
    """Train for one epoch."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(LEARNING_RATE), loss=loss)
    model.fit(channels_last(images), labels, batch_size=BATCH_SIZE, epochs=1, verbose=0)


def channels_last(images: Array) -> Array:
    """Return images in Keras's order of axes."""
    return np.moveaxis(images, 1, -1)


def in_torch(model: torch.nn.Module, images: Array) -> Array:
    """Return what a PyTorch model gives in inference."""
    with torch.inference_mode():
        return np.asarray(model.eval()(torch.tensor(images)))


def in_onnx(path: Path, images: Array) -> Array:
    """Return what a file gives in ONNX Runtime."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"image": images})[0])


def main() -> None:
    """Train in one framework, then in the other, and print the loss on the test images after each step."""
    parser = argparse.ArgumentParser(description="Train in PyTorch, go on in Keras, run in ONNX Runtime.")
    parser.add_argument("--output", type=Path, default=Path("network.onnx"), help="the file (network.onnx)")
    output: Path = parser.parse_args().output
    images, test_images, labels, test_labels = load()
    architecture = net.at({"width": 32, "depth": 2})

    def show(step: str, logits: Array) -> None:
        right = (logits.argmax(axis=1) == test_labels).mean()
        print(f"{step:<40}{cross_entropy(logits, test_labels):>10.6f}{right:>10.1%}")

    print(f"{'step':<40}{'loss':>10}{'accuracy':>10}")
    torch_model = torch_backend.build(architecture, inputs=IMAGE, seed=0)
    train_in_torch(torch_model, images, labels)
    show("PyTorch, one epoch", in_torch(torch_model, test_images))

    keras_model = keras_backend.build(architecture, inputs=IMAGE)
    keras_backend.set_weights(keras_model, torch_backend.get_weights(torch_model))
    show(
        f"Keras on {keras.config.backend()}, the same weights",
        keras_model.predict(channels_last(test_images), verbose=0),
    )
    train_in_keras(keras_model, images, labels)
    show("Keras, one epoch more", keras_model.predict(channels_last(test_images), verbose=0))

    torch_backend.set_weights(torch_model, keras_backend.get_weights(keras_model))
    show("PyTorch, the weights of Keras", in_torch(torch_model, test_images))
    torch_backend.export_onnx(torch_model, output)
    show(f"ONNX Runtime, {output.name}", in_onnx(output, test_images))


if __name__ == "__main__":
    main()
