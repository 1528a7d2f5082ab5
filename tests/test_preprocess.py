"""Channel order and sampling rate: tones, pulses, missing and dead channels."""

from __future__ import annotations

import numpy as np
import pytest
from obspy import UTCDateTime
from records import noise, normalize, normalize_moving
from scipy.signal import resample_poly

from phasenet_keras import Waveform
from phasenet_keras.data.preprocess import arrange_channels, prepare
from phasenet_keras.data.resampling import (
    Resampler,
    resample,
    resample_as_stream,
    resample_record,
)
from phasenet_keras.io.registry import RecordWarning
from phasenet_keras.types import ConfigError, LabelledWaveform, PresetError

START = UTCDateTime("2022-03-04T05:06:07.89")
ENZ = ("E", "N", "Z")


def make_waveform(data, channels=ENZ, rate=100.0):
    return Waveform(data, rate, START, channels, "XX.AA..HH")


# -- resampling -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"), [(200, 100), (40, 100), (2000, 100), (250, 100), (75.19, 100), (100, 2000)]
)
@pytest.mark.parametrize("frequency", [0.5, 5.0, 11.0])
def test_a_tone_keeps_phase_and_amplitude(old, new, frequency):
    duration = 20
    time_s = np.arange(round(duration * old)) / old
    out = resample(np.sin(2 * np.pi * frequency * time_s)[:, None], old, new)[0][:, 0]
    wanted = np.sin(2 * np.pi * frequency * np.arange(len(out)) / new)
    inner = slice(2 * new, -2 * new)
    assert len(out) == pytest.approx(duration * new, abs=new / old + 1)
    assert np.abs(out[inner] - wanted[inner]).max() < 0.01


@pytest.mark.parametrize(("old", "new"), [(200, 100), (2000, 100), (250, 100)])
@pytest.mark.parametrize("above", [1.2, 1.5, 1.9])
def test_a_tone_above_the_new_nyquist_is_gone(old, new, above):
    frequency = min(above * new / 2, 0.95 * old / 2)
    time_s = np.arange(40 * old) / old
    out = resample(np.sin(2 * np.pi * frequency * time_s)[:, None], old, new)[0][:, 0]
    inner = out[2 * new : -2 * new]
    assert np.sqrt(2 * np.mean(inner**2)) < 0.01  # -40 dB


@pytest.mark.parametrize(("old", "new"), [(200, 100), (40, 100), (2000, 100)])
def test_a_pulse_stays_at_its_time_and_symmetric(old, new):
    time_s = np.arange(20 * old) / old
    pulse = np.exp(-(((time_s - 10) / 0.1) ** 2))
    out = resample(pulse[:, None], old, new)[0][:, 0]
    assert np.argmax(out) == 10 * new
    around = out[10 * new - 50 : 10 * new + 51]
    assert np.abs(around - around[::-1]).max() < 1e-3


def test_the_length_is_that_of_the_record():
    for n_samples, old, new, expected in [
        (1000, 200, 100, 500),
        (1001, 200, 100, 501),
        (999, 40, 100, 2498),
        (20_001, 2000, 100, 1001),
    ]:
        assert resample(noise(n_samples, 2), old, new)[0].shape == (expected, 2)


def test_an_offset_does_not_ring_at_the_ends():
    time_s = np.arange(4000) / 200
    tone = np.sin(2 * np.pi * time_s)[:, None]
    plain, high = resample(tone, 200, 100)[0], resample(tone + 1e6, 200, 100)[0]
    assert np.abs(high - plain).max() < 1e-3
    assert high.dtype == np.float32


@pytest.mark.parametrize("rate", [1e6, 1.25e6, 2e6, 1e7, 5e7])
def test_ultrasonic_rates_keep_their_time_or_are_refused(rate):
    """Acoustic emission is recorded at MHz. No silent change of the time scale."""
    wave = make_waveform(noise(500_000, 1), ("Z",), rate)
    try:
        prepared = prepare(wave, ("Z",), 100.0, 3000)
    except ConfigError as error:
        message = str(error)
    else:
        message = "sampling='reinterpret'"
        assert prepared.data.shape[0] == pytest.approx(500_000 * 100 / rate, abs=1)
    assert "reinterpret" in message


@pytest.mark.parametrize("rate", [33.333, 49.999, 40.0003, 59.5, 123.456789])
def test_a_day_at_an_odd_rate_keeps_its_time(rate):
    """The rate that was reached counts, not the one that was asked for: no drift over a day."""
    data, reached = resample(np.zeros((int(rate * 600), 1)), rate, 100.0)
    assert len(data) / reached == pytest.approx(600, abs=0.05)
    day_samples = reached * 86_400
    assert day_samples / reached == pytest.approx(86_400, abs=1e-9)
    time_s = np.arange(int(rate * 600)) / rate
    pulse = np.exp(-(((time_s - 590) / 0.2) ** 2))
    out, reached = resample(pulse[:, None], rate, 100.0)
    middle = np.average(np.arange(len(out)), weights=np.maximum(out[:, 0] - out.min() - 0.1, 0))
    assert middle / reached == pytest.approx(590, abs=0.002)


@pytest.mark.parametrize("n_samples", [1000, 1001, 1002, 1003, 1004])
@pytest.mark.parametrize("rates", [(200, 100), (40, 100), (500, 300), (300, 500)])
def test_an_end_of_another_level_does_not_ring(rates, n_samples):
    record = np.zeros((n_samples, 1))
    record[n_samples // 2 :] = 1e6
    out = resample_as_stream(record, *rates)[0][:, 0]
    assert np.abs(out[-100:] - 1e6).max() < 0.1
    assert np.abs(out[:100]).max() < 0.1


@pytest.mark.parametrize(("rates", "n_mean"), [((200, 100), 210), ((40, 100), 110)])
def test_the_mean_at_an_end_is_of_ten_reaches_of_the_filter(rates, n_mean):
    record = np.zeros((2000, 1))
    record[n_mean - 1] = n_mean  # a mean of 1
    far = slice(-200, -100)
    assert np.abs(resample_as_stream(record, *rates)[0][far] + 1).max() < 1e-6
    assert np.abs(resample_as_stream(np.roll(record, 1), *rates)[0][far]).max() < 1e-6
    # What is taken to follow the last sample is seen in the last one that comes out.
    with_it, without = record[::-1], np.roll(record[::-1], -1)
    assert abs(resample_as_stream(with_it, *rates)[0][-1]) > 0.01
    assert abs(resample_as_stream(without, *rates)[0][-1]) < 1e-9


@pytest.mark.parametrize("rates", [(200, 100), (40, 100), (500, 300), (300, 500)])
def test_the_filter_is_that_of_scipy_s_resample_poly(rates):
    record = noise(4000, 1)
    ours = resample(record, *rates)[0][:, 0]
    theirs = resample_poly(record[:, 0], rates[1] // 20, rates[0] // 20)
    difference = ours - theirs
    # But for the sums of its branches; and at the ends.
    assert np.ptp(difference[200:-200]) < 0.006


def test_rates_up_to_ten_thousand_times_apart():
    assert Resampler(10_000.0, 1.0).reached_hz == 1.0
    assert Resampler(1.0, 10_000.0).reached_hz == 10_000.0
    assert Resampler(10_049.0, 1.0).reached_hz == pytest.approx(1.0049)
    for old_hz, new_hz in ((10_051.0, 1.0), (1.0, 10_051.0), (1e6, 1.0), (1.0, 1e6)):
        with pytest.raises(ConfigError, match=r"Hz cannot be resampled to .* Hz: too far apart"):
            Resampler(old_hz, new_hz)


def test_nearly_the_same_rate_leaves_the_samples():
    record = noise(500, 2) + 5
    out, reached_hz = resample(record, 100.0, 100.0 + 1e-7)
    assert reached_hz == 100.0
    assert np.abs(out - (record - record.mean(axis=0))).max() < 1e-6


def test_a_record_of_the_rate_is_itself():
    labelled = LabelledWaveform(make_waveform(noise(500, 3)), {"P": (50.0,)})
    assert resample_record(labelled, 100.0) is labelled


def test_of_no_samples_there_are_none():
    assert Resampler(200.0, 100.0).finish(3).shape == (0, 3)
    assert resample_as_stream(np.empty((0, 3)), 200.0, 100.0)[0].shape == (0, 3)


# -- prepare --------------------------------------------------------------------------------------


def test_prepare_resamples_then_normalizes():
    wave = make_waveform(1e5 + 40 * noise(6000, 3), rate=200.0)
    prepared = prepare(wave, ENZ, 100.0, 3000)
    assert (prepared.data.shape, prepared.sampling_rate) == ((3000, 3), 100.0)
    assert prepared.data.dtype == np.float32
    assert prepared.live_channels == ENZ
    assert np.allclose(prepared.data.std(axis=0), 1, atol=1e-5)
    by_hand = normalize(resample(wave.data, 200, 100)[0])
    assert np.abs(prepared.data - by_hand).max() < 1e-6


def test_reinterpret_leaves_samples_and_rate():
    wave = make_waveform(noise(4000, 3), rate=2000.0)
    prepared = prepare(wave, ENZ, 100.0, 3000, sampling="reinterpret")
    assert prepared.sampling_rate == 2000.0
    assert np.array_equal(prepared.data, normalize_moving(wave.data, 3000))


@pytest.mark.parametrize(
    ("rate", "is_left"), [(99.51, True), (100.49, True), (99.45, False), (100.55, False)]
)
def test_rates_within_half_a_percent_are_left_alone(rate, is_left):
    wave = make_waveform(noise(2000, 3), rate=rate)
    prepared = prepare(wave, ENZ, 100.0, 3000)
    if is_left:
        assert prepared.sampling_rate == rate
        assert np.array_equal(prepared.data, normalize(wave.data))
    else:
        assert prepared.sampling_rate == pytest.approx(100.0, rel=1e-12)
        assert prepared.data.shape[0] == pytest.approx(2000 * 100 / rate, abs=1)


def test_far_too_low_a_rate_is_refused_with_a_way_out():
    with pytest.raises(ConfigError, match=r"has 1 Hz.*trained at 100 Hz.*reinterpret"):
        prepare(make_waveform(noise(3000, 3), rate=1.0), ENZ, 100.0, 3000)
    low = prepare(make_waveform(noise(3000, 3), rate=1.0), ENZ, 100.0, 3000, sampling="reinterpret")
    assert low.data.shape == (3000, 3)
    assert prepare(make_waveform(noise(300, 3), rate=10.0), ENZ, 100.0, 3000).data.shape[0] == 3000


def test_unknown_modes_are_refused_with_those_that_there_are():
    wave = make_waveform(noise(300, 3))
    with pytest.raises(ConfigError, match="resample, reinterpret, received 'stretch'"):
        prepare(wave, ENZ, 100.0, 3000, sampling="stretch")
    with pytest.raises(ConfigError, match="zero, error, received 'ignore'"):
        prepare(wave, ENZ, 100.0, 3000, missing="ignore")


def test_live_channels_are_those_with_a_signal():
    data = noise(400, 2)
    data[:, 0] = 7.0
    prepared = prepare(make_waveform(data, ("N", "Z")), ENZ, 100.0, 3000)
    assert prepared.live_channels == ("Z",)
    assert (prepared.data[:, :2] == 0).all()
    assert np.allclose(prepared.data[:, 2], 3 * normalize(data)[:, 1], atol=1e-5)


def test_a_dead_channel_is_dead_at_any_rate():
    """Resampled, a constant must not become rounding noise that is blown up to deviation 1."""
    data = noise(8000, 3)
    data[:, 0] = 0.1
    for rate in (40.0, 200.0, 333.0):
        prepared = prepare(make_waveform(data, rate=rate), ENZ, 100.0, 3000)
        assert prepared.live_channels == ("N", "Z")
        assert (prepared.data[:, 0] == 0).all()


def test_prepare_leaves_the_waveform_alone():
    wave = make_waveform(noise(4000, 3))
    before = wave.data.copy()
    for sampling_rate in (100.0, 50.0):
        prepare(wave, ENZ, sampling_rate, 3000)
        prepare(wave, ("Z",), sampling_rate, 3000)
    assert np.array_equal(wave.data, before)


# -- channels -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("have", "want", "columns"),
    [
        (("E", "N", "Z"), ("E", "N", "Z"), [0, 1, 2]),
        (("Z", "N", "E"), ("E", "N", "Z"), [2, 1, 0]),
        (("E", "N", "Z"), ("Z",), [2]),
        (("E", "N", "Z"), ("Z", "E"), [2, 0]),
        (("EH1", "EH2", "EHZ"), ("E", "N", "Z"), [1, 0, 2]),
        (("1", "2", "3"), ("E", "N", "Z"), [2, 1, 0]),
        (("UD", "NS", "EW"), ("E", "N", "Z"), [2, 1, 0]),
        (("z", "n", "e"), ("E", "N", "Z"), [2, 1, 0]),
        (("HHU", "HHV", "HHZ"), ("E", "N", "Z"), [0, 1, 2]),
        (("CH7",), ("Z",), [0]),
    ],
)
def test_channels_come_in_the_order_asked_for(have, want, columns):
    wave = make_waveform(noise(50, len(have)), have)
    assert np.array_equal(arrange_channels(wave, want), wave.data[:, columns])


def test_lacking_channels_are_zero_or_refused():
    wave = make_waveform(noise(50, 1), ("Z",))
    padded = arrange_channels(wave, ENZ)
    assert (padded[:, :2] == 0).all()
    assert np.array_equal(padded[:, 2:], wave.data)
    with pytest.raises(PresetError) as error:
        arrange_channels(wave, ENZ, "error")
    assert str(error.value) == (
        "the network expects channels E,N,Z; station XX.AA..HH has Z only. "
        'Pass channels="Z" (--channels Z) to adapt the network, or missing="zero" to pad.'
    )


@pytest.mark.parametrize("missing", ["zero", "error"])
def test_a_record_without_any_of_the_channels_is_refused(missing):
    wave = make_waveform(noise(50, 2), ("E", "N"))
    with pytest.raises(PresetError, match=r"expects channels Z; station XX.AA..HH has E,N only"):
        arrange_channels(wave, ("Z",), missing)


def test_channels_of_no_known_name_are_refused_with_advice_that_makes_sense():
    wave = make_waveform(noise(50, 2), ("A", "B"))
    with pytest.raises(PresetError, match="has A,B only") as error:
        arrange_channels(wave, ENZ)
    assert 'channels=""' not in str(error.value)


@pytest.mark.parametrize("missing", ["zero", "error"])
def test_advice_is_of_what_would_help(missing):
    with pytest.raises(PresetError) as error:
        arrange_channels(make_waveform(np.ones((300, 1)), ("E",)), ("Z",), missing)
    assert str(error.value).endswith('Pass channels="E" (--channels E) to adapt the network.')


def test_what_a_lone_letter_counts_as_is_said():
    with pytest.raises(PresetError) as error:
        arrange_channels(make_waveform(np.ones((300, 1)), ("V",)), ("Z",))
    said = str(error.value)
    assert "has V only. V counts as N; if that is wrong, name it E, N or Z. Pass channels=" in said


def test_a_channel_of_no_known_name_is_said(recwarn):
    data = np.arange(900.0).reshape(300, 3)
    with pytest.warns(RecordWarning, match=r"XX\.AA\.\.HH: channels Q left out: .* \(N, Z\)"):
        found = arrange_channels(make_waveform(data, ("Q", "N", "Z")), ENZ)
    assert np.array_equal(found, data * [0, 1, 1])
    recwarn.clear()
    arrange_channels(make_waveform(data, ("1", "2", "Z")), ("Z",))
    assert len(recwarn) == 0
