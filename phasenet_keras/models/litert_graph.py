"""A network in polyphase form as a LiteRT model file, made of its weights without TensorFlow.

The file is a FlatBuffer by LiteRT's schema, which `ai_edge_litert` brings along: tensors, and a
list of operations on them. Tensors are ``(1, 1, samples, channels)``. The number of samples may be
changed where it is run, since every operation takes it from its input (a -1 or a mask).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from phasenet_keras.models.config import PhaseNetConfig
from phasenet_keras.models.polyphase import LARGEST_EXPONENT, apply_polyphase, polyphase_weights
from phasenet_keras.models.weights import WeightSet

__all__ = ["model_file"]

FILE_VERSION, FILE_IDENTIFIER = 3, b"TFL3"
# Kernels are read where they are in the file.
ALIGNMENT_BYTES = 16
# The third of (1, 1, samples, channels), as LiteRT's masks name it.
SAMPLES, ALL_AXES = 0b0100, 0b1111


def model_file(weights: WeightSet, config: PhaseNetConfig, window_samples: int) -> bytes:
    """Return the model: ``(1, 1, samples, channels)`` to ``(1, 1, samples, phases)``.

    It takes lengths that are congruent to ``window_samples``; see `polyphase_weights`.
    """
    layers = _FileLayers(polyphase_weights(weights, config, window_samples))
    x = layers.tensor((1, 1, window_samples, len(config.channels)))
    return layers.file(x, apply_polyphase(layers, x, config, window_samples))


class _Buffer(schema.BufferT):
    """Numbers in the file; the generated class does not align them."""

    def __init__(self, array: np.ndarray | None = None) -> None:
        super().__init__()
        self._bytes = b"" if array is None else np.ascontiguousarray(array).tobytes()

    def Pack(self, builder: flatbuffers.Builder) -> int:  # noqa: N802, the schema's name
        if self._bytes:
            builder.StartVector(1, len(self._bytes), ALIGNMENT_BYTES)
            builder.head -= len(self._bytes)
            builder.Bytes[builder.head : builder.head + len(self._bytes)] = self._bytes
            data = builder.EndVector()
        schema.BufferStart(builder)
        if self._bytes:
            schema.BufferAddData(builder, data)
        return schema.BufferEnd(builder)


class _FileLayers:
    """The steps of `apply_polyphase` as operations of a file; a tensor is its number."""

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        self._weights = weights
        self._buffers = [_Buffer()]  # the first is for tensors without numbers
        self._tensors: list[Any] = []
        self._operators: list[Any] = []
        self._codes: dict[int, int] = {}

    def tensor(self, shape: Sequence[int], array: np.ndarray | None = None) -> int:
        """Add a tensor: a constant, or what an operation gives."""
        tensor = schema.TensorT()
        tensor.shape = [int(n) for n in shape]
        tensor.name = f"tensor{len(self._tensors)}"
        tensor.type = schema.TensorType.FLOAT32
        tensor.buffer = 0
        if array is not None:
            if array.dtype == np.int32:
                tensor.type = schema.TensorType.INT32
            tensor.buffer = len(self._buffers)
            self._buffers.append(_Buffer(array))
        self._tensors.append(tensor)
        return len(self._tensors) - 1

    def conv(
        self,
        x: int,
        name: str,
        *,
        stride: int = 1,
        padding: str = "same",
        activation: str | None = "relu",
    ) -> int:
        kernel, bias = self._weights[f"{name}/kernel"], self._weights[f"{name}/bias"]
        return self._conv(x, kernel, bias, stride, padding, activation)

    def conv_both(self, x: int, other: int, name: str, *, stride: int = 1) -> int:
        # A sum of two convolutions: XNNPACK is slow to copy channels side by side (5 % in all).
        kernel, bias = self._weights[f"{name}/kernel"], self._weights[f"{name}/bias"]
        here, there = np.split(kernel, [self._shape(x)[3]], axis=1)
        y = self._conv(x, here, bias, stride, "same", None)
        other = self._conv(other, there, np.zeros_like(bias), stride, "same", None)
        _, _, n_samples, n_channels = self._shape(y)
        options = schema.AddOptionsT()
        options.fusedActivationFunction = schema.ActivationFunctionType.RELU
        return self._operation("ADD", [y, other], n_samples, n_channels, options)

    def pad(self, x: int, left: int, right: int) -> int:
        _, _, n_samples, n_channels = self._shape(x)
        amounts = self._whole([[0, 0], [0, 0], [left, right], [0, 0]])
        n_samples += left + right
        return self._operation("PAD", [x, amounts], n_samples, n_channels, schema.PadOptionsT())

    def cut(self, x: int, left: int, right: int) -> int:
        _, _, n_samples, n_channels = self._shape(x)
        options = schema.StridedSliceOptionsT()
        options.beginMask = ALL_AXES - (SAMPLES if left else 0)
        options.endMask = ALL_AXES - (SAMPLES if right else 0)
        inputs = [self._whole(row) for row in ([0, 0, left, 0], [0, 0, -right, 0], [1, 1, 1, 1])]
        n_samples -= left + right
        return self._operation("STRIDED_SLICE", [x, *inputs], n_samples, n_channels, options)

    def view(self, x: int, n_channels: int) -> int:
        shape = [1, 1, -1, n_channels]
        options = schema.ReshapeOptionsT()
        options.newShape = shape
        n_samples = int(np.prod(self._shape(x))) // n_channels
        return self._operation("RESHAPE", [x, self._whole(shape)], n_samples, n_channels, options)

    def ratios(self, x: int) -> int:
        _, _, n_samples, n_channels = self._shape(x)
        most = self._floats(np.array([LARGEST_EXPONENT]))
        options = schema.MaximumMinimumOptionsT()
        x = self._operation("MINIMUM", [x, most], n_samples, n_channels, options)
        return self._operation("EXP", [x], n_samples, n_channels, schema.ExpOptionsT())

    def inverse(self, x: int) -> int:
        _, _, n_samples, n_channels = self._shape(x)
        inputs = [self._floats(np.ones(1)), x]
        return self._operation("DIV", inputs, n_samples, n_channels, schema.DivOptionsT())

    def file(self, x: int, y: int) -> bytes:
        """Return the file of the operations that lead from ``x`` to ``y``."""
        graph = schema.SubGraphT()
        graph.tensors, graph.operators = self._tensors, self._operators
        graph.inputs, graph.outputs, graph.name = [x], [y], "phasenet"
        model = schema.ModelT()
        model.version, model.subgraphs, model.buffers = FILE_VERSION, [graph], self._buffers
        model.description = "PhaseNet in polyphase form"
        model.operatorCodes = []
        for number in self._codes:
            code = schema.OperatorCodeT()
            code.builtinCode = code.deprecatedBuiltinCode = number
            code.version = 1
            model.operatorCodes.append(code)
        n_bytes = sum(len(buffer._bytes) for buffer in self._buffers)
        builder = flatbuffers.Builder(2 * n_bytes)
        builder.Finish(model.Pack(builder), FILE_IDENTIFIER)
        return bytes(builder.Output())

    def _conv(
        self,
        x: int,
        kernel: np.ndarray,
        bias: np.ndarray,
        stride: int,
        padding: str,
        activation: str | None,
    ) -> int:
        n_taps, _, n_out = kernel.shape
        n_samples = self._shape(x)[2] - (n_taps - 1 if padding == "valid" else 0)
        options = schema.Conv2DOptionsT()
        options.padding = schema.Padding.VALID if padding == "valid" else schema.Padding.SAME
        options.strideH, options.strideW = 1, stride
        relu, none = schema.ActivationFunctionType.RELU, schema.ActivationFunctionType.NONE
        options.fusedActivationFunction = relu if activation == "relu" else none
        inputs = [x, self._floats(kernel.transpose(2, 0, 1)[:, None]), self._floats(bias)]
        return self._operation("CONV_2D", inputs, -(-n_samples // stride), n_out, options)

    def _operation(
        self, name: str, inputs: list[int], n_samples: int, n_channels: int, options: Any
    ) -> int:
        number = getattr(schema.BuiltinOperator, name)
        operator = schema.OperatorT()
        operator.opcodeIndex = self._codes.setdefault(number, len(self._codes))
        operator.inputs = inputs
        operator.outputs = [self.tensor((1, 1, n_samples, n_channels))]
        kind = type(options).__name__.removesuffix("T")
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
        operator.builtinOptions = options
        self._operators.append(operator)
        return int(operator.outputs[0])

    def _shape(self, x: int) -> list[int]:
        return list(self._tensors[x].shape)

    def _floats(self, array: np.ndarray) -> int:
        return self.tensor(array.shape, array.astype(np.float32))

    def _whole(self, values: Sequence[Any]) -> int:
        array = np.array(values, np.int32)
        return self.tensor(array.shape, array)
