from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from obspy import Stream, Trace, UTCDateTime, read

from phasenet_keras import LabelledWaveform, PhaseNet, Picker, Waveform
from phasenet_keras.io.registry import RecordWarning
from phasenet_keras.types import ConfigError, PhaseNetKerasError, PresetError, ShapeError

START = UTCDateTime("2020-02-03T04:05:06.789")


def spikes(
    n_samples, up=(), down=(), *, channels=("E", "N", "Z"), rate=100.0, height=30.0, **fields
):
    data = 0.05 * np.random.default_rng(0).standard_normal((n_samples, len(channels)))
    data[list(up)] += height
    data[list(down)] -= height
    return Waveform(data, rate, fields.pop("start", START), channels, "XX.AA..HH", **fields)


def summary(picks):
    return [(pick.phase, pick.sample) for pick in picks]


def test_picks_have_sample_time_probability_and_contract(spike_net):
    [p, s] = Picker(spike_net).pick(spikes(4000, up=[1000], down=[2500], units="m/s", source="f"))
    assert summary([p, s]) == [("P", 1000), ("S", 2500)]
    assert p.time == START + 10.0
    assert p.probability > 0.99
    assert (p.station, p.preset, p.units, p.source) == ("XX.AA..HH", "spikes", "m/s", "f")
    assert (p.sampling_rate, p.start_time) == (100.0, START)


def test_amplitude_is_the_peak_after_the_pick_in_the_records_units(spike_net):
    wave = spikes(4000, up=[1000])
    data = wave.data.copy() + 500.0
    data[1200] -= 7.0
    data[200] += 20.0  # before the pick: does not count
    picks = Picker(spike_net).pick(Waveform(data, 100.0, START, wave.channels, wave.station))
    [pick] = [pick for pick in picks if pick.sample == 1000]
    assert pick.amplitude == pytest.approx(30.0, abs=0.3)


def test_snr_is_the_rms_after_the_pick_over_that_before(spike_net):
    wave = spikes(4000, up=[1000])
    data = wave.data + np.array([500.0, -3.0, 0.0])  # an offset is no signal
    data[1000:1300] += 0.5 * (-1.0) ** np.arange(300)[:, None]
    data[1300:] += 1.0  # after the window: does not count
    [pick] = [
        pick
        for pick in Picker(spike_net).pick(Waveform(data, 100.0, START, wave.channels, "A"))
        if pick.sample == 1000
    ]
    noise, signal = (part - part.mean(axis=0) for part in (data[700:1000], data[1000:1300]))
    expected = 20 * np.log10(np.sqrt((signal**2).mean()) / np.sqrt((noise**2).mean()))
    assert pick.snr_db == pytest.approx(expected, abs=1e-3)
    assert 30 < pick.snr_db < 35


@pytest.mark.parametrize(("at", "has_room"), [(29, False), (31, True), (3969, True), (3972, False)])
def test_snr_needs_a_tenth_of_a_window_on_both_sides(spike_net, at, has_room):
    [pick] = Picker(spike_net).pick(spikes(4000, up=[at]))
    assert pick.sample == at
    assert (pick.snr_db is not None) == has_room


@pytest.mark.parametrize("rate", [50.0, 400.0])
def test_snr_windows_are_the_networks(spike_net, rate):
    """Three seconds at any rate: louder samples just outside of them do not count."""
    n_samples, at, length = int(80 * rate), int(40 * rate), int(3 * rate)
    wave = spikes(n_samples, rate=rate)
    data = wave.data.copy()
    data[: at - length - 5] *= 9
    data[at:] *= 10
    data[at] += 100.0
    data[at + length + 5 :] *= 2
    found = Picker(spike_net).pick(Waveform(data, rate, START, wave.channels, "A"))
    [pick] = [item for item in found if item.phase == "P" and abs(item.time - START - 40.0) < 0.05]
    begin = round(pick.sample * rate / 100.0)
    noise, signal = data[begin - length : begin], data[begin : begin + length]
    expected = 10 * np.log10(signal.var(axis=0).mean() / noise.var(axis=0).mean())
    assert pick.snr_db == pytest.approx(expected, abs=1e-3)


def test_without_noise_there_is_no_ratio(spike_net):
    data = np.zeros((4000, 3), np.float32)
    data[2000] = 40.0
    data[3990] = 1e-3
    [pick] = Picker(spike_net).pick(Waveform(data, 100.0, START, ("E", "N", "Z"), "A"))
    assert pick.amplitude == pytest.approx(40.0, abs=0.1)
    assert pick.snr_db is None


@pytest.mark.parametrize("n_samples", [20, 255, 256, 1500, 2999, 3000, 3001, 5000])
def test_records_of_any_length(spike_net, n_samples):
    at = n_samples // 2
    assert ("P", at) in summary(Picker(spike_net).pick(spikes(n_samples, up=[at])))


def test_chunks_off_the_grid_would_change_something(random_net):
    """The remedy is needed: the network is not invariant under any shift."""
    data = np.random.default_rng(1).standard_normal((1, 6144, 3)).astype("float32")
    whole = random_net.predict_on_batch(data)[0, 2048:4096]
    shifted = random_net.predict_on_batch(data[:, 100 : 100 + 5888])[0, 1948:3996]
    assert np.abs(whole - shifted).max() > 1e-3


def test_thresholds_are_the_presets_unless_given(spike_net):
    wave = spikes(4000, up=[1000], height=0.25)
    assert Picker(spike_net).thresholds == {"P": 0.3, "S": 0.3}
    assert summary(Picker(spike_net, thresholds={"P": 0.5}).pick(wave)) == [("P", 1000)]
    assert Picker(spike_net, thresholds={"P": 0.999}).pick(wave) == []


def test_distance_is_the_presets_unless_given(spike_net):
    wave = spikes(4000, up=[1000, 1030, 1100])
    assert summary(Picker(spike_net).pick(wave))[-1] == ("P", 1100)
    assert len(Picker(spike_net).pick(wave)) == 2
    close = Picker(spike_net, min_distance_s=0.2)
    assert summary(close.pick(wave)) == [("P", 1000), ("P", 1030), ("P", 1100)]


def test_missing_channels_are_padded_or_refused(spike_net):
    vertical = spikes(4000, up=[1000], channels=("Z",))
    assert summary(Picker(spike_net).pick(vertical)) == [("P", 1000)]
    with pytest.raises(PresetError, match=r'expects channels E,N,Z.*has Z only.*channels="Z"'):
        Picker(spike_net, missing="error").pick(vertical)


@settings(max_examples=20)
@given(
    lengths=st.lists(st.sampled_from([3, 500, 3000, 3001, 4000, 40_000]), max_size=12),
    dead=st.sets(st.integers(0, 11)),
)
def test_records_together_are_what_they_are_alone(random_net, lengths, dead):
    picker = Picker(random_net, thresholds={"P": 0.4, "S": 0.4}, chunk_samples=16_384)
    waves = [
        Waveform(
            wave.data * (number not in dead), 100.0, START + number, wave.channels, f"{number}"
        )
        for number, wave in enumerate(spikes(n, up=[n // 2]) for n in lengths)
    ]
    for wave, together in zip(waves, picker.pick_each(iter(waves)), strict=True):
        alone = picker.pick_record(wave)
        assert together.waveform is wave
        assert together.annotation.station == wave.station
        assert (
            np.abs(together.annotation.probabilities - alone.annotation.probabilities).max() < 1e-5
        )
        assert summary(together.picks) == summary(alone.picks)
        assert bool(together.reason) == (not together.picks)


def test_a_record_that_cannot_be_run_does_not_stop_those_beside_it(spike_net):
    good, bad = spikes(4000, up=[1000]), spikes(4000, channels=("H", "L", "G"))
    results = list(Picker(spike_net).pick_each([good, bad, good]))
    assert [len(result.picks) for result in results] == [1, 0, 1]
    assert [result.failed for result in results] == [False, True, False]
    assert isinstance(results[1].error, PresetError)
    assert results[1].annotation is None
    assert "E,N,Z" in results[1].reason
    with pytest.raises(PresetError, match="E,N,Z"):
        Picker(spike_net).pick([good, bad, good])


def test_records_are_taken_as_they_are_needed(spike_net):
    taken = []

    def records():
        for number in range(60):
            taken.append(number)
            yield spikes(50_000, up=[1000])

    first = next(Picker(spike_net).pick_each(records()))
    assert summary(first.picks) == [("P", 1000)]
    assert len(taken) == 21  # a million samples, and one more


def test_reinterpret_takes_samples_as_they_are(spike_net):
    wave = spikes(4000, up=[1000], rate=2000.0)
    [pick] = Picker(spike_net, sampling="reinterpret").pick(wave)
    assert (pick.sample, pick.sampling_rate) == (1000, 2000.0)
    assert pick.time == START + 0.5


def test_min_distance_under_reinterpret(spike_net):
    wave = spikes(4000, up=[1000, 1030], rate=2000.0)
    assert len(Picker(spike_net, sampling="reinterpret").pick(wave)) == 1
    near = Picker(spike_net, sampling="reinterpret", min_distance_s=0.010)
    assert len(near.pick(wave)) == 2


@pytest.mark.parametrize(
    ("wave", "reason", "failed"),
    [
        (spikes(4000), "no peak above the threshold: highest was P 0.", False),
        (spikes(20), "too short (20 samples, the network's window is 3000)", False),
        (Waveform(np.full((4000, 1), 5), 100, START, ("Z",), "A"), "dead", False),
        (spikes(4000, rate=1.0), "too low to be resampled", True),
        (spikes(4000, channels=("A", "B")), "expects channels E,N,Z", True),
    ],
)
def test_a_record_without_picks_says_why(spike_net, wave, reason, failed):
    result = Picker(spike_net, thresholds={"P": 0.999, "S": 0.999}).pick_record(wave)
    assert result.picks == []
    assert reason in result.reason
    assert result.failed is failed


def test_dead_channel_counts_as_missing(spike_net):
    wave = spikes(4000, up=[1000])
    data = wave.data.copy()
    data[:, :2] = 77.0
    dead = Waveform(data, 100.0, START, wave.channels, "A")
    alone = Waveform(data[:, 2:], 100.0, START, ("Z",), "A")
    picker = Picker(spike_net)
    difference = picker.annotate(dead)[0].probabilities - picker.annotate(alone)[0].probabilities
    assert np.abs(difference).max() < 1e-6


def test_scale_and_offset_do_not_matter(spike_net):
    wave = spikes(4000, up=[1000], down=[2000])
    other = Waveform(wave.data * 1e-9, 100.0, START, wave.channels, wave.station)
    high = Waveform(wave.data * 100 + 1e5, 100.0, START, wave.channels, wave.station)
    picker = Picker(spike_net)
    assert summary(picker.pick(wave)) == summary(picker.pick(other)) == summary(picker.pick(high))


def test_takes_streams_traces_and_waveforms(spike_net):
    picker = Picker(spike_net)
    stream = read()
    assert len(picker.annotate(stream)) == 1
    assert len(picker.annotate(list(stream))) == 1
    assert len(picker.annotate(stream[0])) == 1
    assert len(picker.annotate([stream[:1], stream[1:]])) == 1  # two streams of one station
    [result] = picker.pick_each(stream)
    assert (result.waveform.station, result.waveform.channels) == ("BW.RJOB..EH", ("E", "N", "Z"))
    assert summary(result.picks) == summary(picker.pick_record(stream).picks)
    assert summary(result.picks) == summary(picker.pick(stream))
    assert picker.pick(Stream()) == []
    assert picker.pick([]) == []


def test_results_of_waveforms_come_before_those_of_traces(spike_net):
    header = {"network": "XX", "channel": "HHZ", "sampling_rate": 100.0, "starttime": START}
    b, a, nan = (Trace(np.ones(600), {**header, "station": name}) for name in "BAC")
    nan.data[:] = np.nan
    picker = Picker(spike_net)
    with pytest.warns(RecordWarning, match=r"no record of XX\.C\.\.HH: "):
        results = list(picker.pick_each([b, nan, spikes(600), a]))
    stations = [result.waveform.station for result in results]
    assert stations == [spikes(600).station, "XX.A..HH", "XX.B..HH"]


def test_a_gap_gives_two_records_with_their_own_times(spike_net):
    data = spikes(9000, up=[1000, 8000]).data
    header = {"network": "XX", "station": "AA", "channel": "HHZ", "sampling_rate": 100.0}
    parts = [
        Trace(data[:4000, 2].copy(), {**header, "starttime": START}),
        Trace(data[5000:, 2].copy(), {**header, "starttime": START + 50}),
    ]
    picks = Picker(spike_net).pick(Stream(parts))
    assert [pick.time for pick in picks] == [START + 10, START + 80]
    assert [pick.sample for pick in picks] == [1000, 3000]


def test_refuses_what_it_cannot_use(spike_net):
    for nothing in (None, 7):
        with pytest.raises(ConfigError, match="records are Waveforms or ObsPy traces, received"):
            Picker(spike_net).pick(nothing)
    with pytest.raises(ShapeError, match="an array alone has no time"):
        Picker(spike_net).pick(np.zeros((100, 3)))
    with pytest.raises(ConfigError, match="records are Waveforms"):
        Picker(spike_net).pick(["day.mseed"])
    labelled = LabelledWaveform(spikes(100), {})
    with pytest.raises(ConfigError, match=r"received LabelledWaveform; give record\.waveform"):
        next(Picker(spike_net).pick_each([labelled]))
    with pytest.raises(ConfigError, match="one record is wanted, received 2: pick_each"):
        Picker(spike_net).pick_record([spikes(100)] * 2)
    with pytest.raises(ConfigError, match=r"a Picker has no setting 'threshold'\. Did you mean"):
        Picker.from_preset("regional", threshold=0.5)
    with pytest.raises(ConfigError, match="no setting 'p'"):
        Picker(spike_net, thresholds={"p": 0.3})
    with pytest.raises(ConfigError, match="in \\[0, 1\\]"):
        Picker(spike_net, thresholds={"P": 30})
    with pytest.raises(ConfigError, match="min_distance_s"):
        Picker(spike_net, min_distance_s=-1)
    with pytest.raises(ConfigError, match="sampling is one of"):
        Picker(spike_net, sampling="stretch").pick(spikes(100))
    with pytest.raises(PresetError, match="no signal contract"):
        Picker(PhaseNet(filters_root=2))


def test_a_picker_says_what_it_is(spike_net):
    picker = Picker(spike_net, thresholds={"S": 0.5})
    assert repr(picker) == f"Picker({spike_net.preset.name}, E,N,Z, 100 Hz, P 0.3, S 0.5)"


def test_a_contract_of_another_network_is_refused(spike_net, make_net):
    with pytest.raises(PresetError, match=r"channels: preset \['Z'\], network \['E'"):
        Picker(spike_net, preset=make_net(channels=("Z",)).preset)
    assert issubclass(PresetError, PhaseNetKerasError)


@pytest.mark.parametrize("rate", [40.0, 99.9, 100.0, 200.0, 250.0])
@pytest.mark.parametrize("dtype", ["int32", "float64"])
def test_an_onset_is_picked_at_its_time_at_any_rate(spike_net, rate, dtype):
    """A pulse smooth enough for 40 Hz: the middle of the response is where the pulse is."""
    time_s = np.arange(round(60 * rate)) / rate
    pulse = np.exp(-(((time_s - 23.45) / 0.025) ** 2))
    data = (1e6 * pulse + 1000 * np.random.default_rng(0).standard_normal(len(time_s))).astype(
        dtype
    )
    trace = Trace(data, {"channel": "HHZ", "sampling_rate": rate, "starttime": START})
    [annotation] = Picker(spike_net).annotate(Stream([trace]))
    high = np.flatnonzero(annotation.probabilities[:, 1] > 0.5)
    assert np.ptp(high) < 15
    assert high.mean() / annotation.sampling_rate == pytest.approx(23.45, abs=0.006)
