"""The well-known networks have the counts that their sources give."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.architecture import Architecture
from deep_arch.modules import Operation
from deep_arch.testing.networks import NETWORKS, Network, lenet_5, mobilenet_v2, resnet_20

BY_NAME = {network.name: network for network in NETWORKS}

WRITTEN_BY_HAND = """
import json, math
import keras
from keras import layers

mobilenet = keras.applications.MobileNetV2(weights=None)
lstm = keras.Sequential([keras.Input((80,)), layers.Embedding(20000, 128), layers.LSTM(128), layers.Dense(1)])

tokens, positions = keras.Input((200,)), keras.Input((200,))
x = layers.Embedding(20000, 32)(tokens) + layers.Embedding(200, 32)(positions)
x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 32)(x, x))
x = layers.LayerNormalization()(x + layers.Dense(32)(layers.Dense(32, "relu")(x)))
x = layers.Dense(2)(layers.Dense(20, "relu")(layers.GlobalAveragePooling1D()(x)))
transformer = keras.Model([tokens, positions], x)

models = {"MobileNetV2": mobilenet, "LSTM classifier": lstm, "Transformer classifier": transformer}
counts = {name: [sum(math.prod(v.shape) for v in variables)
                 for variables in (model.trainable_weights, model.non_trainable_weights)]
          for name, model in models.items()}
print(json.dumps({"counts": counts, "mobilenet": {v.path.replace("/", "."): list(v.shape) for v in mobilenet.weights}}))
"""


def weights_of(architecture: Architecture, inputs: da.Spec) -> dict[str, list[int]]:
    """Return the shape of each weight by its neutral name, where no module is inside a substitution."""
    specs = architecture.value_specs(inputs)
    shapes: dict[str, list[int]] = {}
    for call in architecture.graph.calls:
        assert isinstance(call.module, Operation)
        for name, weight in call.module.weights(*(specs[i] for i in call.inputs)).items():
            shapes[f"{call.address}.{name}"] = list(weight.shape)
    return shapes


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)
def test_the_counts_are_those_of_the_source(network: Network) -> None:
    cost = network.architecture.cost(network.inputs)
    assert (cost.parameters, cost.non_trainable) == (network.trained, network.non_trainable)
    assert network.space.size() == 1 and network.source


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)
def test_the_summary_says_how_many_numbers_are_not_trained(network: Network) -> None:
    caption = network.architecture.summary(network.inputs).splitlines()[-1]
    frozen = f"and {network.non_trainable:,} numbers that are not trained, "
    assert caption.startswith(f"{network.trained:,} parameters") and (frozen in caption) == (network.non_trainable > 0)


def test_the_layers_of_lenet_5_have_the_counts_of_the_paper() -> None:
    weights = weights_of(lenet_5.at({}), da.image(channels=1, height=32, width=32))
    counts = dict.fromkeys(["c1", "depthwise_conv2d", "c3", "depthwise_conv2d_1", "c5", "f6"], 0)
    for name, shape in weights.items():
        layer = name.partition(".")[0]
        counts["c3" if layer.startswith("c3_") else layer] += math.prod(shape)
    assert list(counts.values()) == [156, 12, 1_516, 32, 48_120, 10_164]


def test_the_shortcuts_of_resnet_20_have_no_parameters() -> None:
    calls = resnet_20.at({}).graph.calls
    trained = [call for call in calls if isinstance(call.module, (ops.Conv2D, ops.Dense))]
    assert len(trained) == 20, "the layers that give the network its name"
    assert sum(isinstance(call.module, ops.Zero) for call in calls) == 2
    # 41M is what the literature gives; the paper has no number for CIFAR.
    assert resnet_20.at({}).cost(da.image(3, 32, 32)).macs == 40_551_040


def test_mobilenet_v2_costs_what_its_paper_says() -> None:
    assert mobilenet_v2.at({}).cost(da.image(3, 224, 224)).macs // 1_000_000 == 300  # table 4


@pytest.mark.slow
def test_the_counts_are_those_of_keras() -> None:
    pytest.importorskip("keras")
    pytest.importorskip("jax")
    environment = os.environ | {"KERAS_BACKEND": "jax"}
    run = subprocess.run([sys.executable, "-c", WRITTEN_BY_HAND], capture_output=True, text=True, env=environment)
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout.splitlines()[-1])
    assert len(found["counts"]) == 3
    for name, counts in found["counts"].items():
        assert counts == [BY_NAME[name].trained, BY_NAME[name].non_trainable]
    assert found["mobilenet"] == weights_of(mobilenet_v2.at({}), da.image(3, 224, 224))
