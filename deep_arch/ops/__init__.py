"""Framework-neutral operations; names, arguments and defaults follow Keras 3, but padding, which is "same"."""

from __future__ import annotations

from typing import TYPE_CHECKING as _TYPE_CHECKING

from deep_arch.names import unknown_name as _unknown_name
from deep_arch.ops.activation import ELU as ELU
from deep_arch.ops.activation import GELU as GELU
from deep_arch.ops.activation import SELU as SELU
from deep_arch.ops.activation import Exponential as Exponential
from deep_arch.ops.activation import HardSigmoid as HardSigmoid
from deep_arch.ops.activation import HardSwish as HardSwish
from deep_arch.ops.activation import LeakyReLU as LeakyReLU
from deep_arch.ops.activation import LogSoftmax as LogSoftmax
from deep_arch.ops.activation import Mish as Mish
from deep_arch.ops.activation import PReLU as PReLU
from deep_arch.ops.activation import ReLU as ReLU
from deep_arch.ops.activation import ReLU6 as ReLU6
from deep_arch.ops.activation import Sigmoid as Sigmoid
from deep_arch.ops.activation import SiLU as SiLU
from deep_arch.ops.activation import Softmax as Softmax
from deep_arch.ops.activation import Softplus as Softplus
from deep_arch.ops.activation import Softsign as Softsign
from deep_arch.ops.activation import Tanh as Tanh
from deep_arch.ops.attention import GroupQueryAttention as GroupQueryAttention
from deep_arch.ops.attention import MultiHeadAttention as MultiHeadAttention
from deep_arch.ops.attention import RotaryEmbedding as RotaryEmbedding
from deep_arch.ops.averaging import WindowAverage as WindowAverage
from deep_arch.ops.convolution import Conv1D as Conv1D
from deep_arch.ops.convolution import Conv2D as Conv2D
from deep_arch.ops.convolution import Conv3D as Conv3D
from deep_arch.ops.convolution import DepthwiseConv1D as DepthwiseConv1D
from deep_arch.ops.convolution import DepthwiseConv2D as DepthwiseConv2D
from deep_arch.ops.convolution import SeparableConv1D as SeparableConv1D
from deep_arch.ops.convolution import SeparableConv2D as SeparableConv2D
from deep_arch.ops.dense import Dense as Dense
from deep_arch.ops.dense import Embedding as Embedding
from deep_arch.ops.dense import MatMul as MatMul
from deep_arch.ops.dense import ReversibleEmbedding as ReversibleEmbedding
from deep_arch.ops.learned import Parameter as Parameter
from deep_arch.ops.learned import PositionEmbedding as PositionEmbedding
from deep_arch.ops.merging import Add as Add
from deep_arch.ops.merging import Average as Average
from deep_arch.ops.merging import Concatenate as Concatenate
from deep_arch.ops.merging import Maximum as Maximum
from deep_arch.ops.merging import Minimum as Minimum
from deep_arch.ops.merging import Multiply as Multiply
from deep_arch.ops.merging import Stack as Stack
from deep_arch.ops.merging import Subtract as Subtract
from deep_arch.ops.merging import Where as Where
from deep_arch.ops.normalization import BatchNormalization as BatchNormalization
from deep_arch.ops.normalization import GroupNormalization as GroupNormalization
from deep_arch.ops.normalization import LayerNormalization as LayerNormalization
from deep_arch.ops.normalization import RMSNormalization as RMSNormalization
from deep_arch.ops.pooling import AveragePooling1D as AveragePooling1D
from deep_arch.ops.pooling import AveragePooling2D as AveragePooling2D
from deep_arch.ops.pooling import AveragePooling3D as AveragePooling3D
from deep_arch.ops.pooling import GlobalAveragePooling1D as GlobalAveragePooling1D
from deep_arch.ops.pooling import GlobalAveragePooling2D as GlobalAveragePooling2D
from deep_arch.ops.pooling import GlobalAveragePooling3D as GlobalAveragePooling3D
from deep_arch.ops.pooling import GlobalMaxPooling1D as GlobalMaxPooling1D
from deep_arch.ops.pooling import GlobalMaxPooling2D as GlobalMaxPooling2D
from deep_arch.ops.pooling import GlobalMaxPooling3D as GlobalMaxPooling3D
from deep_arch.ops.pooling import MaxPooling1D as MaxPooling1D
from deep_arch.ops.pooling import MaxPooling2D as MaxPooling2D
from deep_arch.ops.pooling import MaxPooling3D as MaxPooling3D
from deep_arch.ops.recurrent import GRU as GRU
from deep_arch.ops.recurrent import LSTM as LSTM
from deep_arch.ops.regularization import Dropout as Dropout
from deep_arch.ops.regularization import DropPath as DropPath
from deep_arch.ops.regularization import GaussianNoise as GaussianNoise
from deep_arch.ops.regularization import SpatialDropout1D as SpatialDropout1D
from deep_arch.ops.regularization import SpatialDropout2D as SpatialDropout2D
from deep_arch.ops.reshaping import Flatten as Flatten
from deep_arch.ops.reshaping import Reshape as Reshape
from deep_arch.ops.reshaping import Slice as Slice
from deep_arch.ops.reshaping import Split as Split
from deep_arch.ops.reshaping import Take as Take
from deep_arch.ops.reshaping import Transpose as Transpose
from deep_arch.ops.resizing import Cropping1D as Cropping1D
from deep_arch.ops.resizing import Cropping2D as Cropping2D
from deep_arch.ops.resizing import Cropping3D as Cropping3D
from deep_arch.ops.resizing import UpSampling1D as UpSampling1D
from deep_arch.ops.resizing import UpSampling2D as UpSampling2D
from deep_arch.ops.resizing import UpSampling3D as UpSampling3D
from deep_arch.ops.resizing import ZeroPadding1D as ZeroPadding1D
from deep_arch.ops.resizing import ZeroPadding2D as ZeroPadding2D
from deep_arch.ops.resizing import ZeroPadding3D as ZeroPadding3D
from deep_arch.ops.simple import Identity as Identity
from deep_arch.ops.simple import Scale as Scale
from deep_arch.ops.simple import Zero as Zero
from deep_arch.ops.simple import Zeros as Zeros
from deep_arch.ops.transposed_convolution import Conv1DTranspose as Conv1DTranspose
from deep_arch.ops.transposed_convolution import Conv2DTranspose as Conv2DTranspose
from deep_arch.ops.transposed_convolution import Conv3DTranspose as Conv3DTranspose

if not _TYPE_CHECKING:  # type checkers know which names there are

    def __getattr__(name: str) -> object:
        raise _unknown_name(__name__, name, globals())
