"""A network as a plain function on arrays, run by Keras on its backend or by LiteRT."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from os import PathLike
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from phasenet_keras.data.settings import choice, settled
from phasenet_keras.models.folding import window_of
from phasenet_keras.models.litert import LiteRTForward, NetworkWeights, load_litert
from phasenet_keras.models.polyphase import has_polyphase_form
from phasenet_keras.models.presets import read_preset
from phasenet_keras.types import ConfigError, MissingExtraError, PhaseNetKerasError

if TYPE_CHECKING:
    from phasenet_keras.models.phasenet import PhaseNet

__all__ = ["ANY_ENGINE", "NetworkThreads", "compile_forward", "engine_for", "load_network"]

# What runs a network; what may be asked for.
ENGINE = choice(("keras", "litert"))
ANY_ENGINE = choice(("auto", "keras", "litert"))

# Where Linux has graphics cards, NVIDIA's (under Windows, too) and AMD's.
GPU_DEVICES = ("nvidia[0-9]*", "dxg", "kfd")

# Reading and normalising do not keep up with more.
MOST_THREADS = 4

Forward = Callable[[np.ndarray], np.ndarray]


def engine_for(name_or_path: str | PathLike[str]) -> str:
    """Return the engine that runs a preset fastest on this machine.

    That is LiteRT, if it is installed, works and runs such a network, but for a machine with a GPU,
    which Keras may use.

    Args:
        name_or_path: name of a preset or a preset folder.

    Raises:
        PresetError: if there is no such preset, or it is damaged.

    Example:
        >>> engine_for("regional") in ("keras", "litert")
        True
    """
    config = read_preset(name_or_path).config
    if _has_gpu() or not has_polyphase_form(config):
        return "keras"
    try:
        load_litert()
    except MissingExtraError:
        return "keras"
    return "litert"


def _has_gpu() -> bool:
    return any(True for name in GPU_DEVICES for _ in Path("/dev").glob(name))


def load_network(
    name_or_path: str | PathLike[str], engine: str = "keras", **options: Any
) -> PhaseNet | NetworkWeights:
    """Load a preset for an engine: LiteRT needs no more than its weights, and no Keras.

    Args:
        name_or_path: name of a preset or a preset folder.
        engine: ``"keras"`` or ``"litert"``.
        **options: ``channels`` and ``adapt``, as in `PhaseNet.from_preset`.

    Raises:
        PresetError, ConfigError: as `PhaseNet.from_preset`; for an engine that there is not.
    """
    if settled("an engine", ENGINE, engine) == "litert":
        return NetworkWeights.from_preset(name_or_path, **options)
    from phasenet_keras.models.phasenet import PhaseNet

    return PhaseNet.from_preset(name_or_path, **options)


def compile_forward(
    net: PhaseNet | NetworkWeights,
    window_samples: int | None = None,
    *,
    follow: bool = False,
    engine: str = "keras",
) -> Forward:
    """Return ``(batch, samples, channels) -> (batch, samples, phases)`` on NumPy arrays.

    LiteRT runs a copy of the weights in polyphase form, at lengths congruent to the window only.
    Keras runs on its backend. On TensorFlow that is one graph for all lengths, without XLA, which
    does not pay on a CPU and would compile anew for each length. The graph is made at the first
    call, from a copy of the weights with batch norms folded, in polyphase form where the network
    has one. Lengths that are not congruent to ``window_samples`` modulo ``net.config.grid_samples``
    go to the network itself.

    Args:
        net: any `PhaseNet`; for LiteRT its weights will do.
        window_samples: the length to which those fed are congruent; None takes the window of the
            network's contract, without one multiples of the grid.
        follow: run the network itself, so that a later change of its weights counts; by Keras.
        engine: ``"keras"`` or ``"litert"``; the same within 1e-5.

    Raises:
        ConfigError: for an engine that there is not, or that cannot run this network so.
        MissingExtraError: for an engine that is not installed.

    Example:
        >>> import numpy as np
        >>> from phasenet_keras import PhaseNet
        >>> compile_forward(PhaseNet(depth=2))(np.zeros((1, 64, 3), "float32")).shape
        (1, 64, 3)
    """
    if settled("an engine", ENGINE, engine) == "litert":
        if follow:
            raise ConfigError("the engine 'litert' runs a copy: leave out follow, or take 'keras'")
        window = window_of(net, window_samples)
        return LiteRTForward(net.get_weight_set(), net.config, window)
    if isinstance(net, NetworkWeights):
        raise ConfigError(
            "NetworkWeights are run by the engine 'litert'; for 'keras' load them with "
            "PhaseNet.from_preset"
        )
    import keras

    if keras.backend.backend() != "tensorflow":
        return net.predict_on_batch
    return _compiled(net, len(net.config.channels)) if follow else _Copy(net, window_samples)


class _Copy:
    """Runs a fast form of a network, made when it is first wanted."""

    def __init__(self, net: PhaseNet, window_samples: int | None) -> None:
        self._net = net
        self._window = window_samples
        self._fast: Forward | None = None
        self._plain: Forward | None = None
        self._remainder = 0
        self._making = Lock()

    def __call__(self, x: np.ndarray) -> np.ndarray:
        with self._making:
            if self._fast is None:
                self._make()
        if x.shape[1] % self._net.config.grid_samples == self._remainder and self._fast:
            return self._fast(x)
        self._plain = self._plain or _compiled(self._net, x.shape[-1])
        return self._plain(x)

    def _make(self) -> None:
        # Keras is imported by these, and this module is not to cost it.
        from phasenet_keras.models.keras_forms import build_folded, build_polyphase

        window, config = window_of(self._net, self._window), self._net.config
        self._remainder = window % config.grid_samples
        build = build_polyphase if has_polyphase_form(config) else build_folded
        self._fast = _compiled(build(self._net, window), len(config.channels))


class _Inference:
    """A model that is not being trained.

    An object, no function: TensorFlow counts how often a piece of code is traced, and would warn
    of one graph for each of some networks as of too many for one.
    """

    def __init__(self, model: Any) -> None:
        self._model = model

    def __call__(self, x: Any) -> Any:
        return self._model(x, training=False)


def _compiled(model: Any, n_channels: int) -> Forward:
    import tensorflow as tf

    graph = tf.function(
        _Inference(model),
        input_signature=[tf.TensorSpec((None, None, n_channels), tf.float32)],
    )
    return lambda x: graph(tf.constant(x)).numpy()


class NetworkThreads:
    """Runs a forward function in threads, one a core, a few at most; they start when first used.

    A forked process has none of its parent's threads: LiteRT gets others there, and Keras, whose
    backend's are gone as well, is refused.

    Args:
        forward: what `compile_forward` returns.

    Example:
        >>> import numpy as np
        >>> submit = NetworkThreads(lambda x: 2 * x)
        >>> submit(np.ones((1, 2, 1))).result().ravel()
        array([2., 2.])
    """

    def __init__(self, forward: Forward) -> None:
        self._forward = forward
        self._pool: ThreadPoolExecutor | None = None
        self._process = os.getpid()

    def __call__(self, x: np.ndarray) -> Future[np.ndarray]:
        """Run the function on ``x`` in a thread.

        Raises:
            PhaseNetKerasError: in a forked process, unless LiteRT runs it.
        """
        if self._process != os.getpid():
            if not isinstance(self._forward, LiteRTForward):
                raise PhaseNetKerasError(
                    "a picker that Keras runs does not work in a process that was forked after it "
                    "was made: start workers by multiprocessing.get_context('spawn'), make the "
                    "picker in each of them, or take engine='litert'"
                )
            self._pool, self._process = None, os.getpid()
        if self._pool is None:
            n_threads = _thread_count(self._forward)
            self._pool = ThreadPoolExecutor(n_threads, thread_name_prefix="network")
        return self._pool.submit(self._forward, x)


def _thread_count(forward: Forward) -> int:
    if not isinstance(forward, LiteRTForward):
        import keras

        if keras.backend.backend() != "tensorflow":  # uses all cores, and not all allow threads
            return 1
    affinity = getattr(os, "sched_getaffinity", None)  # not on every system
    n_cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return min(n_cores, MOST_THREADS)
