"""`PhaseNet`: the U-Net of Zhu & Beroza (2019) as a Keras 3 model, any length, any backend."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from phasenet_keras.models import loss, stage_adam  # noqa: F401 - a saved network may name them
from phasenet_keras.models.config import PhaseNetConfig
from phasenet_keras.models.contract import Preset
from phasenet_keras.models.preset_places import find_preset
from phasenet_keras.models.presets import load_preset, write_preset
from phasenet_keras.models.stages import ConvSpec, convolutions, stage_names
from phasenet_keras.models.weights import BATCH_NORM_EPSILON, WeightSet, check_weight_set
from phasenet_keras.types import ConfigError, ShapeError

__all__ = ["PhaseNet"]


@keras.saving.register_keras_serializable(package="phasenet_keras")
class PhaseNet(keras.Model):
    """P and S picker: ``(batch, samples, channels)`` to ``(batch, samples, phases)``.

    The output is a softmax over the phases at every sample. Any length works: the arithmetic is
    TensorFlow's ``same`` padding, as in the official graph, so that the official checkpoint's
    outputs are reproduced at any length. (For lengths that cost no accuracy, see
    `phasenet_keras.data.windows`.)

    The input is what a `Picker` makes of a record, at the preset's sampling rate: each channel less
    its mean, divided by its standard deviation. In raw counts nothing is found.

    `keras.models.load_model` finds the class, `StageAdam` and `MaskedCrossEntropy` once this module
    is imported, as by ``from phasenet_keras import PhaseNet``; ``import phasenet_keras`` alone
    imports no Keras.

    Args:
        config: the hyper-parameters; keyword arguments override its fields.
        preset: the signal contract of the weights, where there is one.
        **overrides: fields of `PhaseNetConfig`, and ``name``.

    Attributes:
        config: the `PhaseNetConfig`.
        preset: the `Preset`, or None for a network that was never given one.
        stages: names of the stages, in order.

    Raises:
        ConfigError: for an unknown or impossible hyper-parameter.

    Example:
        >>> import numpy as np
        >>> net = PhaseNet(channels="Z")
        >>> net(np.zeros((1, 500, 1), "float32")).shape[1:]
        TensorShape([500, 3])

    Reference: Zhu, W. & Beroza, G. C. (2019), PhaseNet: a deep-neural-network-based seismic
    arrival-time picking method, Geophys. J. Int. 216, 261-273.
    """

    def __init__(
        self,
        config: PhaseNetConfig | Mapping[str, Any] | None = None,
        *,
        preset: Preset | None = None,
        name: str = "phasenet",
        trainable: bool = True,
        dtype: Any = None,
        **overrides: Any,
    ) -> None:
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        if config is None:
            config = PhaseNetConfig()
        elif isinstance(config, Mapping):
            config = PhaseNetConfig.from_dict(config)
        if overrides:
            config = PhaseNetConfig.from_dict({**config.to_dict(), **overrides})
        self.config = config
        self.preset = preset
        # The preset folder that it was loaded from.
        self.origin: Path | None = None
        self.stages = stage_names(config.depth)
        self._convolutions = {conv.name: conv for conv in convolutions(config)}
        for conv in self._convolutions.values():
            self._add_convolution(conv)
        self.dropout = layers.Dropout(config.dropout_rate, dtype=self.dtype_policy)
        self.build((None, None, len(config.channels)))

    def _add_convolution(self, conv: ConvSpec) -> None:
        layer = layers.Conv1DTranspose if conv.transposed else layers.Conv1D
        convolution = layer(
            conv.n_out,
            conv.kernel_size,
            strides=conv.stride,
            padding="same",
            data_format="channels_last",
            use_bias=conv.use_bias,
            name=conv.name,
            dtype=self.dtype_policy,
        )
        setattr(self, conv.name, convolution)
        if conv.norm:
            norm = layers.BatchNormalization(
                epsilon=BATCH_NORM_EPSILON, name=conv.norm, dtype=self.dtype_policy
            )
            setattr(self, conv.norm, norm)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the variables of every layer for the configured number of channels."""
        self._check_shape(input_shape)
        if self.built:  # type: ignore[has-type]
            return
        for conv in self._convolutions.values():
            getattr(self, conv.name).build((None, None, conv.n_in))
            if conv.norm:
                getattr(self, conv.norm).build((None, None, conv.n_out))
        self.built = True

    def _check_shape(self, shape: Sequence[int | None]) -> None:
        n_channels = len(self.config.channels)
        if len(shape) != 3 or shape[1] == 0 or shape[-1] != n_channels:
            raise ShapeError(
                f"this network takes (batch, samples, {n_channels}) for channels "
                f"{','.join(self.config.channels)}, received {tuple(shape)}"
            )

    def call(self, x: Any, training: bool | None = None) -> Any:
        """Return the probabilities, ``(batch, samples, phases)``."""
        _, passed = deque(self._passed(x, training), maxlen=1).pop()
        # The softmax stays in float32 under mixed precision: half precision rounds probabilities.
        return ops.softmax(ops.cast(self.output_conv(passed), "float32"), axis=-1)

    def features(self, x: Any, stage: str) -> Any:
        """Return what a stage hands on: ``(batch, samples, filters)``, with its ReLU and skips.

        Args:
            x: as for a call; or a `keras.Input` of a fixed number of samples, which makes a model.
            stage: one of ``stages``, but not the last: its output is that of the network.

        Raises:
            ConfigError: for another stage.
            ShapeError: for an input of other channels.

        Example:
            >>> net = PhaseNet(channels="Z")
            >>> signal = keras.Input((3000, 1))
            >>> keras.Model(signal, net.features(signal, "down4")).output_shape
            (None, 12, 128)
        """
        self.stage_layers(stage)
        if stage == self.stages[-1]:
            raise ConfigError(
                f"features are those of a stage before the last, received '{stage}', whose output "
                f"is that of the network: call it, or take one of {', '.join(self.stages[:-1])}"
            )
        found = None
        for conv, passed in self._passed(x, training=False):
            if conv.stage == stage:
                found = passed
            elif found is not None:
                break
        return found

    def _passed(self, x: Any, training: bool | None) -> Iterator[tuple[ConvSpec, Any]]:
        """Yield each convolution before the last, and what has passed through it."""
        self._check_shape(x.shape)
        x = ops.cast(x, self.compute_dtype)  # Keras does so, but not for whole numbers
        skips = []
        for conv in self._convolutions.values():
            if conv.name == "output_conv":
                break
            if conv.stride > 1 and not conv.transposed:
                skips.append(x)
            x = getattr(self, conv.name)(x)
            x = ops.relu(getattr(self, str(conv.norm))(x, training=training))
            if self.config.dropout_rate:
                x = self.dropout(x, training=training)
            if conv.transposed:
                skip = skips.pop()
                x = ops.concatenate([skip, _centre_crop(x, skip)], axis=-1)
            yield conv, x

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the input's shape with one column a phase."""
        return (*input_shape[:-1], len(self.config.phases))

    def compute_output_spec(self, x: Any, training: bool | None = None) -> keras.KerasTensor:
        """Return the symbolic output, for use inside a functional model."""
        return keras.KerasTensor(self.compute_output_shape(x.shape), dtype="float32")

    def get_config(self) -> dict[str, Any]:
        """Return the hyper-parameters and what is frozen, from which a model reloads whole."""
        config = {"config": self.config.to_dict(), "name": self.name, "trainable": self.trainable}
        frozen = [layer.name for layer in self._named_layers() if not layer.trainable]
        if frozen:
            config["frozen"] = frozen
        if self.dtype_policy.name != "float32":
            config["dtype"] = self.dtype_policy.name
        if self.preset is not None:
            config["preset"] = self.preset.to_dict()
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> PhaseNet:
        """Rebuild from what `get_config` returned."""
        config = dict(config)
        preset, frozen = config.pop("preset", None), config.pop("frozen", ())
        net = cls(**config, preset=None if preset is None else Preset.from_dict(preset))
        for layer in net._named_layers():
            if layer.name in frozen:
                layer.trainable = False
        return net

    def get_compile_config(self) -> dict[str, Any]:
        """Return what Keras does, and of which layers the optimizer knows, if others learn."""
        config = super().get_compile_config()
        optimizer = getattr(self, "optimizer", None)  # of what was never compiled there is none
        known = {id(variable) for variable in getattr(optimizer, "_trainable_variables", ())}
        if known and known != {id(variable) for variable in self.trainable_variables}:
            config["optimized"] = [
                layer.name
                for layer in self._named_layers()
                if any(id(variable) in known for variable in layer.variables)
            ]
        return config

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile; the optimizer gets its state for the layers that it had one of, frozen or not.

        Keras would give it one for those that are trainable now, and then load none of it.
        """
        config = dict(config)
        optimized = config.pop("optimized", None)
        # The network first: it sets its layers.
        trainable = {layer: layer.trainable for layer in (self, *self._named_layers())}
        if optimized:
            self.trainable = True
            for layer in self._named_layers():
                layer.trainable = layer.name in optimized
        super().compile_from_config(config)
        for layer, is_trainable in trainable.items():
            layer.trainable = is_trainable

    def stage_layers(self, stage: str) -> tuple[keras.Layer, ...]:
        """Return the layers of a stage that have weights, in their order; see also `features`.

        Raises:
            ConfigError: if there is no such stage; it lists the stages.
        """
        if stage not in self.stages:
            raise ConfigError(f"no stage '{stage}'; the stages are {', '.join(self.stages)}")
        names = [
            name
            for conv in self._convolutions.values()
            if conv.stage == stage
            for name in (conv.name, conv.norm)
            if name
        ]
        return tuple(getattr(self, name) for name in names)

    def get_weight_set(self) -> dict[str, np.ndarray]:
        """Return all weights as ``{"layer/variable": array}``, batch-norm statistics included."""
        return {name: ops.convert_to_numpy(v) for name, v in self._named_variables()}

    def set_weight_set(self, weights: WeightSet) -> None:
        """Load weights by name.

        Raises:
            ShapeError: if a name is missing or too many, or a shape differs; it lists all of them.
        """
        check_weight_set(weights, self.config)
        for name, variable in self._named_variables():
            variable.assign(weights[name])

    def _named_layers(self) -> Iterator[keras.Layer]:
        for stage in self.stages:
            yield from self.stage_layers(stage)

    def _named_variables(self) -> Iterator[tuple[str, keras.Variable]]:
        for layer in self._named_layers():
            for variable in layer.variables:
                yield f"{layer.name}/{variable.name}", variable

    @classmethod
    def from_preset(
        cls,
        name_or_path: str | PathLike[str],
        *,
        channels: str | tuple[str, ...] | None = None,
        phases: tuple[str, ...] | None = None,
        adapt: str = "select",
        rebalance: bool | None = None,
    ) -> PhaseNet:
        """Load a network with its weights and its signal contract.

        Args:
            name_or_path: name of a preset (`phasenet_keras.list_presets`) or a preset folder.
            channels: names of the input channels wanted, e.g. ``"Z"`` or ``("Z", "N")``; the
                first kernel is adapted to them. None keeps the preset's own.
            phases: the phases that the caller expects, in order; checked, never changed.
            adapt: rule for the first kernel: ``"select"``, ``"sum"`` or ``"mean"``.
            rebalance: scale kernels to one rms, for training; the function stays the same.
                None does what the preset says.

        Raises:
            PresetError: if there is no such preset, it is damaged, cannot be fetched, or has
                other phases.
            ConfigError: for an unknown rule or channel.

        Example:
            >>> net = PhaseNet.from_preset("ncedc", channels="Z")  # doctest: +SKIP
            >>> net.config.channels  # doctest: +SKIP
            ('Z',)
        """
        preset, weights = load_preset(
            name_or_path, channels=channels, phases=phases, adapt=adapt, rebalance=rebalance
        )
        net = cls(preset.config, preset=preset)
        net.set_weight_set(weights)
        net.origin = find_preset(name_or_path).resolve()
        return net

    def save_preset(
        self, path: str | PathLike[str], preset: Preset | None = None, **changes: Any
    ) -> Preset:
        """Write this network as a preset folder.

        Args:
            path: the folder; it is made, and replaced if it is a preset folder already.
            preset: the signal contract; None takes the network's own, which after a ``fit`` of
                your own is still its parent's.
            **changes: fields of the contract to change, e.g. ``name="line7"``,
                ``sampling_rate=2000.0, min_distance_s=0.025``; not ``config``.

        Returns:
            The contract as written.

        Raises:
            PresetError: if there is no contract, it does not fit the network, or ``path`` is
                something else than a preset folder.
        """
        return write_preset(self, path, preset=preset, **changes)

    def with_preset(self, preset: Preset) -> PhaseNet:
        """Set the signal contract and return the network itself.

        Raises:
            PresetError: if the contract's architecture is not this network's.
        """
        preset.check_network(self.config)
        self.preset = replace(preset, config=self.config)
        return self


def _centre_crop(x: Any, like: Any) -> Any:
    """Cut ``x`` to the length of ``like``, half of what is too much from either end."""
    length = ops.shape(like)[1]
    start = (ops.shape(x)[1] - length) // 2
    return x[:, start : start + length, :]
