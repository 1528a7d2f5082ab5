"""What do folded batch norms and the polyphase form save?

Prints a Markdown table: seconds (wall and CPU) a million samples, each a median, the ratio of the
network's CPU seconds to the form's, and the largest difference of a probability. The forms
alternate in one run, so that a machine that is busy is so for all of them.

    python benchmarks/polyphase.py --preset ncedc
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from phasenet_keras.quiet import quiet_start


def compiled(model: Callable, n_channels: int) -> Callable:
    import tensorflow as tf

    return tf.function(
        lambda x: model(x, training=False),
        input_signature=[tf.TensorSpec((None, None, n_channels), tf.float32)],
    )


def forms(net, window: int) -> dict[str, Callable]:
    from phasenet_keras.models.keras_forms import build_folded, build_polyphase

    models = {
        "network": net,
        "batch norms folded": build_folded(net, window),
        "polyphase": build_polyphase(net, window),
    }
    return {name: compiled(model, len(net.config.channels)) for name, model in models.items()}


def seconds(run: Callable, x, calls: int) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(calls):
        run(x).numpy()
    return (time.perf_counter() - wall) / calls, (time.process_time() - cpu) / calls


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="ncedc", help="name or folder")
    parser.add_argument("--chunk-samples", type=int, default=131_072)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--calls", type=int, default=3, help="calls a repeat")
    arguments = parser.parse_args()
    with quiet_start():
        import tensorflow as tf

        from phasenet_keras import PhaseNet

    net = PhaseNet.from_preset(arguments.preset)
    window, grid = net.preset.window_samples, net.config.grid_samples
    n_samples = -(-arguments.chunk_samples // grid) * grid + window % grid
    data = np.random.default_rng(0).standard_normal((1, n_samples, len(net.config.channels)))
    x = tf.constant(data, tf.float32)
    runs = forms(net, window)
    outputs = {name: run(x).numpy() for name, run in runs.items()}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    for _ in range(arguments.repeats):
        for name, run in runs.items():
            times[name].append(seconds(run, x, arguments.calls))
    medians = {name: np.median(values, axis=0) for name, values in times.items()}
    print(f"{n_samples} samples a call, {arguments.repeats} repeats of {arguments.calls} calls\n")
    print("| form | wall s / 10^6 samples | CPU s / 10^6 samples | network's CPU / its | error |")
    print("|---|---|---|---|---|")
    for name, (wall, cpu) in medians.items():
        ratio = medians["network"][1] / cpu
        error = np.abs(outputs[name] - outputs["network"]).max()
        per_million = f"{wall * 1e6 / n_samples:.3f} | {cpu * 1e6 / n_samples:.3f}"
        print(f"| {name} | {per_million} | {ratio:.2f} | {error:.1e} |")


if __name__ == "__main__":
    main()
