"""Makes a PhaseNet of SeisBench's with random weights, and its answers, for the tests.

It needs SeisBench and PyTorch (made with 0.12.6 and 2.14.1); the tests need neither.

    python benchmarks/seisbench_network.py
"""

import lzma
from pathlib import Path

import numpy as np
import seisbench.models as sbm
import torch

FOLDER = Path(__file__).parents[1] / "tests/made_by_seisbench"
N_SAMPLES = 3001


def noise(rng: np.random.Generator, n_records: int) -> torch.Tensor:
    """Whole numbers, loud and quiet in turn."""
    loudness = np.exp(2 * np.sin(np.linspace(0, 40, N_SAMPLES)))
    return torch.from_numpy(
        np.round(1000 * loudness * rng.normal(size=(n_records, 3, N_SAMPLES)))
    ).float()


def main() -> None:
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    model = sbm.PhaseNet(phases="PSN", norm="peak", default_args={"P_threshold": 0.25})
    for parameter in model.parameters():
        if parameter.ndim == 3:  # few values, for they compress well
            parameter.data = torch.from_numpy(rng.integers(-2, 3, parameter.shape) / 8).float()
    for parameter in model.out.parameters():
        parameter.data *= 2
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.momentum = None
    with torch.no_grad():
        for _ in range(4):  # so that batch norms have statistics of something
            model(model.annotate_batch_pre(noise(rng, 8), {}))
        model.eval()
        x = noise(rng, 1) + torch.tensor([1000.0, 0.0, -3000.0])[None, :, None]
        y = model(model.annotate_batch_pre(x.clone(), {}))
        model.norm = "std"
        by_std = model(model.annotate_batch_pre(x.clone(), {}))
        model.norm = "peak"
    model.save(FOLDER / "random", weights_docstring="Random weights.\nFor tests.")
    weights = FOLDER / "random.pt"
    weights.with_suffix(".pt.xz").write_bytes(lzma.compress(weights.read_bytes()))
    weights.unlink()
    np.savez_compressed(
        FOLDER / "random.npz",
        samples_zne=x[0].numpy().T.astype(np.int32),
        probabilities_psn=y[0].numpy().T,
        every_20th_by_std_psn=by_std[0].numpy().T[::20],
    )


if __name__ == "__main__":
    main()
