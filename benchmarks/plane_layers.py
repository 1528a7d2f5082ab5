"""P and SV waves of plane layers, from a line force on the surface to receivers on it.

The wave field is a sum over horizontal wavenumbers, as of sources repeated at equal distances
(Bouchon & Aki 1977, BSSA 67, 259-277), at complex frequencies, whose imaginary part damps what
would come round from the end of the record to its beginning. For each wavenumber the impedance of
the ground below an interface, and the reflection of waves by it, are carried upwards layer by layer
(Kennett 1983, Seismic Wave Propagation in Stratified Media). Only waves that decay on their way are
multiplied on, so that no thickness or frequency overflows. Elastic: no attenuation.

x is along the line, z down; time goes as exp(+i w t), space as exp(-i k x).

    >>> ground = PlaneLayers((5.0,), (500.0, 900.0), (250.0, 450.0), (1500.0, 1700.0))
    >>> first_arrival_s(ground.thickness_m, ground.vp_m_s, np.array([10.0, 60.0])).round(4).tolist()
    [0.02, 0.0833]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["PlaneLayers", "Record", "first_arrival_s", "surface_gather"]

# At the end of the computed time a wave is damped to this part, and what comes round with it.
DAMPING = 0.01
# Ricker wavelets have a spectrum up to so many dominant frequencies.
GREATEST_FREQUENCY = 2.6
# The slowest wave, Rayleigh's, is slower than S by less than this; then the sum fades out.
GREATEST_SLOWNESS, FADE, LEAST_WAVENUMBER_RAD_M = 1.35, 0.25, 2.5


@dataclass(frozen=True)
class PlaneLayers:
    """Layers from the top down; the last one has no bottom and no thickness."""

    thickness_m: Sequence[float]
    vp_m_s: Sequence[float]
    vs_m_s: Sequence[float]
    density_kg_m3: Sequence[float]

    def __post_init__(self) -> None:
        n_layers = len(self.vp_m_s)
        lengths = (len(self.thickness_m) + 1, len(self.vs_m_s), len(self.density_kg_m3))
        if set(lengths) != {n_layers}:
            raise ValueError(f"{n_layers} P velocities, but the others are for {lengths} layers")


@dataclass(frozen=True)
class Record:
    """When the record is sampled; the time 0 is that of the Ricker wavelet's peak."""

    n_samples: int = 2000
    sampling_rate_hz: float = 2000.0
    start_s: float = -0.05
    # Computed beyond the end, so that what comes round from there is damped for good.
    spare_samples: int = 200


def surface_gather(
    ground: PlaneLayers,
    peak_hz: float,
    offsets_m: np.ndarray,
    force_angles_degrees: np.ndarray | float = 0.0,
    record: Record = Record(),
) -> np.ndarray:
    """Return displacement at the surface for a force of one newton a metre of line.

    Args:
        ground: the layers.
        peak_hz: dominant frequency of the force, a Ricker wavelet.
        offsets_m: of the receivers from the force, with a sign, ``(n_receivers,)``.
        force_angles_degrees: of the force from straight down towards positive x, one for each
            receiver or one for all.
        record: the times.

    Returns:
        ``(n_receivers, n_samples, 2)``: horizontal, towards positive x, and vertical, up, in m.
    """
    n_times = record.n_samples + record.spare_samples
    seconds = n_times / record.sampling_rate_hz
    frequencies_hz = np.fft.rfftfreq(n_times, 1 / record.sampling_rate_hz)
    damping_rad_s = -np.log(DAMPING) / seconds
    omega = 2 * np.pi * frequencies_hz - 1j * damping_rad_s
    wavelet = ricker_spectrum(omega, peak_hz) * np.exp(1j * omega * record.start_s)
    angles = np.broadcast_to(np.deg2rad(force_angles_degrees), offsets_m.shape)

    # The next source is so far away that not even its P comes within the record.
    repeat_m = seconds * max(ground.vp_m_s) + np.abs(offsets_m).max()
    step_rad_m = 2 * np.pi / repeat_m
    greatest = GREATEST_FREQUENCY * peak_hz
    slowness_s_m = GREATEST_SLOWNESS / min(ground.vs_m_s)
    last_rad_m = 2 * np.pi * greatest * slowness_s_m + LEAST_WAVENUMBER_RAD_M
    # Halves: sources of alternating signs, and none of infinite length.
    wavenumbers = (np.arange(int(last_rad_m / step_rad_m)) + 0.5) * step_rad_m
    phase = np.outer(wavenumbers, offsets_m)
    even, odd = np.cos(phase), np.sin(phase)

    spectra = np.zeros((len(offsets_m), len(omega), 2), complex)
    for number in np.flatnonzero(frequencies_hz < greatest):
        last = omega[number].real * slowness_s_m + LEAST_WAVENUMBER_RAD_M
        n = int(np.searchsorted(wavenumbers, last))
        taper = np.clip((last - wavenumbers[:n]) / (FADE * last), 0, 1) * step_rad_m / np.pi
        answer = surface_answer(ground, wavenumbers[:n], omega[number]) * taper
        from_horizontal = answer[0, 0] @ even[:n], -1j * (answer[1, 0] @ odd[:n])
        from_vertical = -1j * (answer[0, 1] @ odd[:n]), answer[1, 1] @ even[:n]
        for axis in (0, 1):
            spectra[:, number, axis] = (
                np.sin(angles) * from_horizontal[axis] + np.cos(angles) * from_vertical[axis]
            )
    damped = np.fft.irfft(spectra * wavelet[:, None], n_times, axis=1) * record.sampling_rate_hz
    times_s = np.arange(n_times) / record.sampling_rate_hz
    displacement = damped * np.exp(damping_rad_s * times_s)[:, None] * np.array([1.0, -1.0])
    return displacement[:, : record.n_samples]


def ricker_spectrum(omega: np.ndarray, peak_hz: float) -> np.ndarray:
    """Return the Fourier transform of a Ricker wavelet of unit peak at the time 0."""
    ratio = omega / (2 * np.pi * peak_hz)
    return 2 / (np.sqrt(np.pi) * peak_hz) * ratio**2 * np.exp(-(ratio**2))


def surface_answer(ground: PlaneLayers, wavenumbers: np.ndarray, omega: complex) -> np.ndarray:
    """Return displacement of the surface by a unit force on it, at horizontal wavenumbers.

    Returns:
        ``(2, 2, n_wavenumbers)``: displacement along x and z by force along x and z.
    """
    layers = list(zip(ground.vp_m_s, ground.vs_m_s, ground.density_kg_m3, strict=True))
    _, moved, pulled, *_ = plane_waves(wavenumbers, omega, *layers[-1])
    impedance = times(pulled, inverse(moved))
    for thickness_m, layer in zip(ground.thickness_m[::-1], layers[-2::-1], strict=True):
        decay, moved, pulled, moved_up, pulled_up = plane_waves(wavenumbers, omega, *layer)
        # Traction is impedance times displacement at the layer's bottom.
        reflection = times(
            inverse(pulled_up - times(impedance, moved_up)), times(impedance, moved) - pulled
        )
        through = np.exp(-decay * thickness_m)
        reflection = through[:, None] * reflection * through[None]
        impedance = times(
            pulled + times(pulled_up, reflection), inverse(moved + times(moved_up, reflection))
        )
    # The force acts against the traction of what is below.
    return -inverse(impedance)


def plane_waves(
    k: np.ndarray, omega: complex, vp_m_s: float, vs_m_s: float, density_kg_m3: float
) -> tuple[np.ndarray, ...]:
    """Return the P and S waves of a layer: how they decay, move and pull a horizontal plane.

    Returns:
        Decay with depth of P and S, ``(2, n)``; then displacement and traction along x and z by
        P and S, ``(2, 2, n)`` each, of waves that go down, and the same of waves that go up.
    """
    shear = density_kg_m3 * vs_m_s**2
    p, s = (np.sqrt(k**2 - (omega / velocity) ** 2) for velocity in (vp_m_s, vs_m_s))
    ik = 1j * k
    bend = shear * (2 * k**2 - (omega / vs_m_s) ** 2)
    slide_p, slide_s = 2 * shear * ik * p, 2 * shear * ik * s
    moved_down = np.array([[-ik, s], [-p, -ik]])
    pulled_down = np.array([[slide_p, -bend], [bend, slide_s]])
    moved_up = np.array([[-ik, -s], [p, -ik]])
    pulled_up = np.array([[-slide_p, -bend], [bend, -slide_s]])
    return np.array([p, s]), moved_down, pulled_down, moved_up, pulled_up


def times(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the products of 2 by 2 matrices, whose indices come first."""
    return a[:, 0, None] * b[0] + a[:, 1, None] * b[1]


def inverse(a: np.ndarray) -> np.ndarray:
    """Return the inverses of 2 by 2 matrices, whose indices come first."""
    (p, q), (r, s) = a
    return np.array([[s, -q], [-r, p]]) / (p * s - q * r)


def first_arrival_s(
    thickness_m: Sequence[float], velocity_m_s: Sequence[float], offsets_m: np.ndarray
) -> np.ndarray:
    """Return the time of the first wave, direct or refracted, along the surface.

    A layer sends a refraction up if it is faster than all above it:
    ``x / v_n + 2 sum h_i sqrt(1 / v_i^2 - 1 / v_n^2)``.

    Args:
        thickness_m: of all layers but the last.
        velocity_m_s: of P or S, of all layers.
        offsets_m: without or with a sign.
    """
    velocity, distance_m = np.asarray(velocity_m_s, float), np.abs(offsets_m)
    first = distance_m / velocity[0]
    for n in range(1, len(velocity)):
        above = velocity[:n]
        if velocity[n] > above.max():
            down_and_up = np.sqrt(1 / above**2 - 1 / velocity[n] ** 2) @ thickness_m[:n]
            first = np.minimum(first, distance_m / velocity[n] + 2 * down_and_up)
    return first
