"""Well-known networks in the language, with the counts that their sources give.

What a backend builds of them has to have just as many numbers. Nothing in these spaces is left open, so each
holds one architecture.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import deep_arch as da
from deep_arch import ops
from deep_arch.language.specs import Spec
from deep_arch.language.values import Value
from deep_arch.ops.windows import Padding
from deep_arch.spaces.architecture import Architecture
from deep_arch.spaces.space import SearchSpace
from deep_arch.testing.language_networks import gpt_2
from deep_arch.testing.shape_networks import efficientnet_b0, resnet_50
from deep_arch.testing.vision_networks import inception_cell, shufflenet_v2, vit_b_16


@dataclass(frozen=True, slots=True)
class Network:
    """A network and its counts.

    Attributes:
        name: as people call it.
        space: of this one architecture.
        inputs: the spec of each input, by name.
        trained: numbers that an optimizer changes.
        non_trainable: numbers that it does not, such as running means.
        source: where the network and the counts stand.
    """

    name: str
    space: SearchSpace
    inputs: Mapping[str, Spec]
    trained: int
    non_trainable: int
    source: str

    @property
    def architecture(self) -> Architecture:
        """The only architecture of its space."""
        return self.space.at({})


# --- LeNet-5 ---------------------------------------------------------------------------------------------------------

_SEEN_BY_C3 = (
    *((0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5)),
    *((0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5)),
    *((0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5)),
    (0, 1, 2, 3, 4, 5),
)
"""The maps of S2 that each map of C3 sees: table I of the paper."""


def _subsample(x: Value) -> Value:
    """Halve an image; each channel then has a trained factor and a trained constant, as in the paper."""
    return ops.Sigmoid()(ops.DepthwiseConv2D(kernel_size=1)(ops.AveragePooling2D()(x)))


@da.space
def lenet_5(x: Value) -> Value:
    """Build LeNet-5 up to layer F6: the output layer behind it holds codes made by hand, which are not trained."""
    x = ops.Tanh()(ops.Conv2D(6, kernel_size=5, padding="valid", name="c1")(x))
    maps = ops.Split(6)(_subsample(x))
    seen = [ops.Concatenate()(*(maps[i] for i in chosen)) for chosen in _SEEN_BY_C3]
    c3 = [ops.Conv2D(1, kernel_size=5, padding="valid", name=f"c3_{i}")(x) for i, x in enumerate(seen)]
    x = _subsample(ops.Tanh()(ops.Concatenate()(*c3)))
    x = ops.Tanh()(ops.Conv2D(120, kernel_size=5, padding="valid", name="c5")(x))
    return ops.Tanh()(ops.Dense(84, name="f6")(ops.Flatten()(x)))


# --- ResNet-20 -------------------------------------------------------------------------------------------------------


def _normalized_conv(x: Value, filters: int, strides: int = 1) -> Value:
    x = ops.Conv2D(filters, kernel_size=3, strides=strides, use_bias=False)(x)
    return ops.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)


def _shortcut(x: Value) -> Value:
    """Take every second cell, and zeros for the channels to come: option A of the paper, without parameters."""
    x = ops.AveragePooling2D(pool_size=1, strides=2)(x)
    return ops.Concatenate()(x, ops.Zero()(x))


def _basic_block(x: Value, filters: int, strides: int) -> Value:
    y = ops.ReLU()(_normalized_conv(x, filters, strides))
    y = _normalized_conv(y, filters)
    return ops.ReLU()(ops.Add()(y, x if strides == 1 else _shortcut(x)))


@da.space
def resnet_20(x: Value) -> Value:
    """Build the network of 6n + 2 layers for CIFAR-10 with n = 3, up to the logits."""
    x = ops.ReLU()(_normalized_conv(x, 16))
    for filters in (16, 32, 64):
        for i in range(3):
            x = _basic_block(x, filters, strides=2 if i == 0 and filters > 16 else 1)
    return ops.Dense(10)(ops.GlobalAveragePooling2D()(x))


# --- MobileNetV2 -----------------------------------------------------------------------------------------------------

_STAGES = ((24, 2, 2), (32, 2, 3), (64, 2, 4), (96, 1, 3), (160, 2, 3), (320, 1, 1))
"""Filters, strides of the first block, and blocks, of those that widen 6-fold: rows 3 to 8 of the paper's table 2."""


def _normalize(x: Value, name: str) -> Value:
    return ops.BatchNormalization(momentum=0.999, epsilon=1e-3, name=name)(x)


def _pointwise(x: Value, filters: int, name: str) -> Value:
    x = ops.Conv2D(filters, kernel_size=1, use_bias=False, name=name)(x)
    return _normalize(x, f"{name}_BN")


def _inverted_block(x: Value, widened: int, filters: int, strides: int, name: str) -> Value:
    """Widen, convolve each channel alone, and narrow; the last without activation."""
    if widened:
        x = ops.ReLU6()(_pointwise(x, widened, f"{name}_expand"))
    if strides == 2:
        x = ops.ZeroPadding2D(((0, 1), (0, 1)), name=f"{name}_pad")(x)
    padding: Padding = "valid" if strides == 2 else "same"
    x = ops.DepthwiseConv2D(3, strides=strides, padding=padding, use_bias=False, name=f"{name}_depthwise")(x)
    x = ops.ReLU6()(_normalize(x, f"{name}_depthwise_BN"))
    return _pointwise(x, filters, f"{name}_project")


@da.space
def mobilenet_v2(x: Value) -> Value:
    """Build MobileNetV2 of width 1, with the names of keras.applications, so that its weights fit by name."""
    x = _normalize(ops.Conv2D(32, kernel_size=3, strides=2, use_bias=False, name="Conv1")(x), "bn_Conv1")
    x = _inverted_block(ops.ReLU6()(x), 0, 16, 1, "expanded_conv")
    channels, number = 16, 0
    for filters, first_strides, n_blocks in _STAGES:
        for i in range(n_blocks):
            number += 1
            y = _inverted_block(x, 6 * channels, filters, first_strides if i == 0 else 1, f"block_{number}")
            x = ops.Add()(x, y) if i else y
            channels = filters
    x = _normalize(ops.Conv2D(1280, kernel_size=1, use_bias=False, name="Conv_1")(x), "Conv_1_bn")
    x = ops.GlobalAveragePooling2D()(ops.ReLU6()(x))
    return ops.Softmax()(ops.Dense(1000, name="predictions")(x))


# --- of text ---------------------------------------------------------------------------------------------------------


@da.space
def lstm_classifier(tokens: Value) -> Value:
    """Tell good reviews of films from bad ones by an LSTM."""
    x = ops.Embedding(input_dim=20_000, output_dim=128)(tokens)
    return ops.Sigmoid()(ops.Dense(1)(ops.LSTM(128)(x)))


@da.space
def transformer_classifier(tokens: Value, positions: Value) -> Value:
    """Tell good reviews of films from bad ones by one block of a transformer's encoder.

    `positions` is 0, 1, 2, ... for each example.
    """
    x = ops.Embedding(20_000, 32, name="token_embedding")(tokens)
    x = ops.Add()(x, ops.Embedding(200, 32, name="position_embedding")(positions))
    y = ops.Dropout(0.1)(ops.MultiHeadAttention(num_heads=2, key_dim=32)(x))
    x = ops.LayerNormalization(epsilon=1e-6)(ops.Add()(x, y))
    y = ops.Dense(32)(ops.ReLU()(ops.Dense(32)(x)))
    x = ops.LayerNormalization(epsilon=1e-6)(ops.Add()(x, ops.Dropout(0.1)(y)))
    x = ops.Dropout(0.1)(ops.GlobalAveragePooling1D()(x))
    x = ops.Dropout(0.1)(ops.ReLU()(ops.Dense(20)(x)))
    return ops.Softmax()(ops.Dense(2)(x))


NETWORKS: tuple[Network, ...] = (
    Network(
        "LeNet-5",
        lenet_5,
        {"x": da.image(channels=1, height=32, width=32)},
        trained=60_000,
        non_trainable=0,
        source="LeCun et al. (1998), Gradient-Based Learning Applied to Document Recognition, section II.B: "
        "60,000 trainable free parameters, which are 156 + 12 + 1,516 + 32 + 48,120 + 10,164 for C1 to F6",
    ),
    Network(
        "ResNet-20",
        resnet_20,
        {"x": da.image(channels=3, height=32, width=32)},
        trained=269_722,
        non_trainable=1_376,
        source="He et al. (2016), Deep Residual Learning for Image Recognition, section 4.2 and table 6: 0.27M; "
        "to the digit 432 + 6 x 2,304 + 4,608 + 5 x 9,216 + 18,432 + 5 x 36,864 + 650, "
        "and two for each of 688 normalised channels, trained and not",
    ),
    Network(
        "MobileNetV2",
        mobilenet_v2,
        {"x": da.image(channels=3, height=224, width=224)},
        trained=3_504_872,
        non_trainable=34_112,
        source="Sandler et al. (2018), MobileNetV2: Inverted Residuals and Linear Bottlenecks, table 2; "
        "keras.applications.MobileNetV2, which counts 3,538,984 in all",
    ),
    Network(
        "ShuffleNetV2",
        shufflenet_v2,
        {"x": da.image(channels=3, height=224, width=224)},
        trained=2_278_604,
        non_trainable=16_180,
        source="Ma et al. (2018), ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design, table 5; "
        "torchvision, shufflenet_v2_x1_0, which counts 2,278,604, and two for each of 8,090 normalised channels",
    ),
    Network(
        "ViT-B/16",
        vit_b_16,
        {"x": da.image(channels=3, height=224, width=224)},
        trained=86_567_656,
        non_trainable=0,
        source="Dosovitskiy et al. (2021), An Image is Worth 16x16 Words, table 1: 86M; torchvision, vit_b_16, "
        "which counts 590,592 of patches, 198 x 768 of the class token and positions, 12 x 7,087,872 of blocks, "
        "1,536 of normalisation and 769,000 of the classifier",
    ),
    Network(
        "NAS-Bench-101's Inception-like cell",
        inception_cell,
        {"x": da.image(channels=3, height=32, width=32)},
        trained=2_694_282,
        non_trainable=11_008,
        source="Ying et al. (2019), NAS-Bench-101: Towards Reproducible Neural Architecture Search; the example of "
        "google-research/nasbench, to which the dataset gives 2,694,282 trainable parameters, and two for each of "
        "5,504 normalised channels",
    ),
    Network(
        "ResNet-50",
        resnet_50,
        {"x": da.image(channels=3, height=224, width=224)},
        trained=25_557_032,
        non_trainable=53_120,
        source="He et al. (2016), Deep Residual Learning for Image Recognition, table 1; torchvision.models.resnet50, "
        "which counts 25,557,032 parameters; and two for each of 26,560 normalised channels",
    ),
    Network(
        "EfficientNet-B0",
        efficientnet_b0,
        {"x": da.image(channels=3, height=224, width=224)},
        trained=5_288_548,
        non_trainable=42_016,
        source="Tan and Le (2019), EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks, table 2: "
        "5.3M; torchvision.models.efficientnet_b0 and keras.applications.EfficientNetB0, which both train 5,288,548",
    ),
    Network(
        "LSTM classifier",
        lstm_classifier,
        {"tokens": da.tokens(80, vocabulary=20_000)},
        trained=2_691_713,
        non_trainable=0,
        source="Keras examples, imdb_lstm.py: 20,000 x 128 + 4 x 128 x (128 + 128 + 1) + 129",
    ),
    Network(
        "Transformer classifier",
        transformer_classifier,
        {"tokens": da.tokens(200, vocabulary=20_000), "positions": da.tokens(200, vocabulary=200)},
        trained=657_758,
        non_trainable=0,
        source="Keras examples, text_classification_with_transformer.py: 20,200 x 32 of embeddings, "
        "3 x (32 x 64 + 64) + 64 x 32 + 32 of attention, 2 x (32 x 32 + 32) of dense layers, 2 x 64 of normalisation, "
        "and 660 + 42 of the classifier",
    ),
    Network(
        "GPT-2 small",
        gpt_2(n_blocks=12, num_heads=12, features=768, vocabulary=50_257, n_context=1_024),
        {"tokens": da.tokens(1_024, vocabulary=50_257)},
        trained=124_439_808,
        non_trainable=0,
        source="Radford et al. (2019), Language Models are Unsupervised Multitask Learners, table 2, which says 117M; "
        "their code says 124M; to the digit 50,257 x 768 for the embedding, which is the head too, 1,024 x 768 for "
        "positions, 12 x (4 x (768 x 768 + 768) + 2 x 768 x 3,072 + 3,072 + 768 + 4 x 768) for blocks, and 2 x 768",
    ),
)
