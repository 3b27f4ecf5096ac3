"""The well-known networks have the counts that their sources give."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.language.modules import Operation
from deep_arch.spaces.architecture import Architecture
from deep_arch.testing.networks import NETWORKS, Network, lenet_5, mobilenet_v2, resnet_20
from deep_arch.testing.vision_networks import nas_bench_101, shuffled, shufflenet_v2, vertex_channels, vit_b_16

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
sizes = {name: sorted(math.prod(v.shape) for layer in model.layers for v in layer.trainable_weights
                      if not (isinstance(layer, layers.Conv2D) and v.name == "bias" and name == "ResNet-50"))
         for name, model in {"ResNet-50": keras.applications.ResNet50(weights=None),
                             "EfficientNet-B0": keras.applications.EfficientNetB0(weights=None)}.items()}
shapes = {v.path.replace("/", "."): list(v.shape) for v in mobilenet.weights}
print(json.dumps({"counts": counts, "sizes": sizes, "mobilenet": shapes}))
"""

LOADED = """
import json
import keras, numpy as np, torch
import deep_arch as da
from deep_arch.backends import keras_backend, tensorflow_backend, torch_backend
from deep_arch.testing.networks import mobilenet_v2

theirs = keras.applications.MobileNetV2(weights=None)
rng = np.random.default_rng(0)
for v in theirs.weights:  # as after training: else each normalisation would do nothing
    if not v.path.endswith("kernel"):
        v.assign(rng.uniform(0.2, 0.5, v.shape) if v.name.endswith("variance") else
                 rng.uniform(1, 2, v.shape) if v.name == "gamma" else rng.normal(0, 0.2, v.shape))
weights = {v.path.replace("/", "."): v.numpy() for v in theirs.weights}
image = rng.uniform(-1, 1, (1, 224, 224, 3)).astype(np.float32)
first = torch.tensor(image).permute(0, 3, 1, 2)
results = {"keras.applications": theirs(image, training=False).numpy()}
for module in keras_backend, tensorflow_backend, torch_backend:
    model = module.build(mobilenet_v2.at({}), da.image(3, 224, 224))
    module.set_weights(model, weights)
    result = model.eval()(first).detach() if module is torch_backend else model(image, training=False)
    results[module.__name__] = result.numpy()
print(json.dumps({name: result[0].tolist() for name, result in results.items()}))
"""


def printed(code: str) -> dict[str, Any]:
    """Return what code prints as JSON in a new process, where Keras runs on TensorFlow."""
    environment = os.environ | {"KERAS_BACKEND": "tensorflow", "PYTHONPATH": str(Path(__file__).parents[2])}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert run.returncode == 0, run.stderr
    found: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return found


def weights_of(architecture: Architecture, inputs: da.Spec, trained_only: bool = False) -> dict[str, list[int]]:
    """Return the shape of each weight by its address and name, which is its neutral name outside substitutions."""
    specs = architecture.value_specs(inputs)
    shapes: dict[str, list[int]] = {}
    for call in architecture.settled(inputs).calls:
        assert isinstance(call.module, Operation)
        for name, weight in call.module.weights(*(specs[i] for i in call.inputs)).items():
            if weight.trained or not trained_only:
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


def test_gpt_2_costs_what_others_count() -> None:
    network = BY_NAME["GPT-2 small"]
    # 291,648,307,200 operations, two for each: Karpathy, nanoGPT, transformer_sizing.ipynb.
    assert 2 * network.architecture.cost(network.inputs).macs == 291_648_307_200


def test_vit_b_16_and_shufflenet_v2_cost_what_torchvision_says() -> None:
    image = da.image(3, 224, 224)
    # 17.564 and 0.145 "GFLOPS", which are multiply-accumulates.
    assert round(vit_b_16.at({}).cost(image).macs / 1e6) == 17_564
    assert round(shufflenet_v2.at({}).cost(image).macs / 1e6) == 145


def test_a_class_token_and_positions_make_vit_exact() -> None:
    weights = weights_of(vit_b_16.at({}), da.image(3, 224, 224))
    assert (weights["class_token.value"], weights["position_embedding.embeddings"]) == ([768, 1], [197, 768])


def test_channels_are_shuffled_as_the_paper_says() -> None:
    torch = pytest.importorskip("torch")
    from deep_arch.backends import torch_backend

    space = da.space(lambda x: shuffled(x, 6, 2))
    x = torch.arange(6.0)[None, :, None, None].expand(1, 6, 2, 2)
    y = torch_backend.build(space.at({}), da.image(6, 2, 2))(x)
    assert y[0, :, 1, 0].tolist() == [0, 3, 1, 4, 2, 5]


# --- NAS-Bench-101 ---------------------------------------------------------------------------------------------------

CONV_1, CONV_3, POOL = "conv1x1-bn-relu", "conv3x3-bn-relu", "maxpool3x3"


def test_another_cell_of_nas_bench_101_has_the_parameters_of_the_dataset() -> None:
    edges = {(0, 1), (0, 4), (0, 5), (1, 2), (2, 3), (2, 6), (3, 5), (4, 5), (5, 6)}
    space = nas_bench_101(edges, (CONV_3, POOL, CONV_3, CONV_3, CONV_1))
    assert space.at({}).cost(da.image(3, 32, 32)).parameters == 8_555_530


def test_channels_that_do_not_divide_are_truncated_between_vertices() -> None:
    edges = {(0, 1), (1, 2), (2, 3), (1, 4), (2, 4), (3, 4)}
    assert vertex_channels(edges, 4, 256) == {1: 86, 2: 85, 3: 85}
    architecture = nas_bench_101(edges, (CONV_3, CONV_3, CONV_1)).at({})
    taken = {call.module.arguments["stop"] for call in architecture.graph.calls if isinstance(call.module, ops.Slice)}
    assert taken == {42, 85, 170}

    def convolved(size: int, before: int, after: int) -> int:
        return size * size * before * after + 2 * after  # and two for each normalised channel

    expected, width = convolved(3, 3, 128) + 512 * 10 + 10, 128
    for channels, (a, b, c) in ((128, (43, 43, 42)), (256, (86, 85, 85)), (512, (171, 171, 170))):
        for _ in range(3):
            expected += convolved(1, width, a) + convolved(3, a, a) + convolved(3, b, b) + convolved(1, c, c)
            width = channels
    assert architecture.cost(da.image(3, 32, 32)).parameters == expected


def test_a_cell_may_be_an_edge_from_its_input_to_its_output() -> None:
    edges = {(0, 1), (1, 2), (0, 2)}
    calls = nas_bench_101(edges, (POOL,)).at({}).graph.calls
    assert sum(isinstance(call.module, ops.Add) for call in calls) == 9


def test_shapes_decide_what_resnet_50_and_efficientnet_b0_are_made_of() -> None:
    image = da.image(3, 224, 224)
    resnet, efficientnet = BY_NAME["ResNet-50"].architecture, BY_NAME["EfficientNet-B0"].architecture
    convolutions = [call for call in resnet.settled(image).calls if isinstance(call.module, ops.Conv2D)]
    assert len(convolutions) == 49 + 4, "one for each layer but the last, and a projection for each stage"
    assert sum(isinstance(call.module, ops.Add) for call in efficientnet.settled(image).calls) == 9
    assert resnet.cost(image).macs // 10_000_000 == 408  # torchvision.models counts 4.09e9
    assert efficientnet.cost(image).macs // 1_000_000 == 385  # torchvision.models counts 0.39e9


@pytest.mark.slow
def test_the_counts_are_those_of_keras() -> None:
    pytest.importorskip("tensorflow")
    found = printed(WRITTEN_BY_HAND)
    assert len(found["counts"]) == 3
    for name, counts in found["counts"].items():
        assert counts == [BY_NAME[name].trained, BY_NAME[name].non_trainable]
    for name, sizes in found[
        "sizes"
    ].items():  # Keras gives the convolutions of ResNet-50 biases, which torchvision has not
        weights = weights_of(BY_NAME[name].architecture, da.image(3, 224, 224), trained_only=True)
        assert sizes == sorted(math.prod(shape) for shape in weights.values())
    assert found["mobilenet"] == weights_of(mobilenet_v2.at({}), da.image(3, 224, 224))


@pytest.mark.slow
def test_mobilenet_v2_with_weights_of_keras_gives_what_keras_gives() -> None:
    pytest.importorskip("tensorflow")
    pytest.importorskip("torch")
    results = printed(LOADED)
    expected = results.pop("keras.applications")
    assert len(results) == 3 and max(expected) > 10 / 1000, "the network is not indifferent"
    for name, result in results.items():
        assert result == pytest.approx(expected, rel=1e-4), name
