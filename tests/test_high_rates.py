"""Records of 10 MHz, as laboratories have them: times, joins of packets, tables, what is said."""

from __future__ import annotations

import warnings
from io import StringIO

import numpy as np
import pandas as pd
import pytest
from archives import run
from obspy import Stream, Trace, UTCDateTime, read
from rich.console import Console
from texts import unaligned

from phasenet_keras import Picker, Waveform
from phasenet_keras.cli import main
from phasenet_keras.cli.report import RunReport
from phasenet_keras.io.catalogs import read_arrivals
from phasenet_keras.io.gathers import read_gather_picks
from phasenet_keras.io.pick_formats import pick_formats
from phasenet_keras.io.registry import RecordWarning
from phasenet_keras.io.seisbench import read_dataset, write_dataset
from phasenet_keras.io.sources import read_labelled
from phasenet_keras.io.tables import read_picks, write_picks
from phasenet_keras.io.waveforms import read_waveforms, waveforms_of
from phasenet_keras.picking.archive import StationSummary
from phasenet_keras.picking.files import StationResult
from phasenet_keras.plot import plot_station
from phasenet_keras.plot_dataset import plot_examples
from phasenet_keras.plot_gather import plot_gather
from phasenet_keras.plot_scores import plot_residuals, plot_worst
from phasenet_keras.training.correction import CorrectionConfig
from phasenet_keras.training.evaluate import pick_records, score_picked
from phasenet_keras.training.matching import tolerance_of
from phasenet_keras.training.picked import (
    PickedRecord,
    matches_of,
    residuals_by_phase,
    worst_records,
)
from phasenet_keras.training.pseudolabels import correct_picks
from phasenet_keras.training.score_table import markdown_table
from phasenet_keras.training.scores import PhaseScores
from phasenet_keras.types import LabelledWaveform, Pick

RATE_HZ = 1e7
T0 = UTCDateTime("2024-02-29T01:02:03")
N_SAMPLES = 40_960


def trace_of(n_samples=N_SAMPLES, start=T0, spikes=(), seed=0):
    data = np.random.default_rng(seed).normal(500, 20, n_samples).round().astype("int32")
    data[list(spikes)] += 1500
    header = {"station": "AE1", "channel": "Z", "sampling_rate": RATE_HZ, "starttime": start}
    return Trace(data, header)


def pick_at(sample, station="XX.AE1..GH"):
    time = UTCDateTime(ns=T0.ns + sample * 100)
    return Pick(time, station, "P", 0.9, sample=sample, sampling_rate=RATE_HZ, start_time=T0)


@pytest.mark.parametrize("name", ["csv", "nonlinloc", "snuffler", "gamma"])
def test_tables_tell_the_sample_and_are_read_back(name, tmp_path):
    samples = [0, 1, 974, 1023, 40_959]
    [ending] = [item.endings[0] for item in pick_formats() if item.name == name]
    path = tmp_path / f"picks{ending}"
    write_picks(map(pick_at, samples), path, name)
    if name == "csv":
        assert [(p.time.ns, p.start_time.ns) for p in read_picks(path)] == [
            (pick_at(sample).time.ns, T0.ns) for sample in samples
        ]
    assert [a.time.ns - T0.ns for a in read_arrivals(path)] == [100 * n for n in samples]
    # Other rates have six decimals, as ever.
    slow = Pick(T0 + 1.5, "XX.A..HH", "P", 0.9, sample=150, sampling_rate=1e5, start_time=T0)
    write_picks([slow], path, name)
    assert "04.500000" in path.read_text()
    assert "04.5000000" not in path.read_text()


def test_pyocto_has_nanoseconds_too(tmp_path):
    write_picks([pick_at(974)], tmp_path / "a.pyocto.csv")
    seconds = (tmp_path / "a.pyocto.csv").read_text().split(",")[-1].strip()
    assert seconds == f"{T0.ns // 10**9}.000097400"


def test_picks_serve_as_labels_at_their_samples(tmp_path):
    trace_of().write(str(tmp_path / "in.mseed"), format="MSEED")
    write_picks([pick_at(974, ".AE1.."), pick_at(2001, ".AE1..")], tmp_path / "picks.csv")
    [record] = read_labelled(tmp_path / "in.mseed", tmp_path / "picks.csv")
    assert record.arrivals == {"P": (974.0, 2001.0)}
    # A window of it keeps its time in the data set.
    start = UTCDateTime(ns=T0.ns + 700)
    wave = Waveform(np.ones((600, 1)), RATE_HZ, start, ("Z",), "XX.A..GH")
    write_dataset([LabelledWaveform(wave, {"P": (3,)}, name="a")], tmp_path / "set")
    assert read_dataset(tmp_path / "set")[0].waveform.start_time.ns == start.ns


def test_picks_of_gathers_and_residuals_are_at_their_samples(tmp_path):
    picks = [pick_at(974), pick_at(2001)]
    write_picks(picks, tmp_path / "picks.csv")
    assert read_gather_picks(tmp_path / "picks.csv").table["sample"].tolist() == [974.0, 2001.0]
    wave = Waveform(np.ones((N_SAMPLES, 1)), RATE_HZ, T0, ("Z",), "XX.AE1..GH")
    picked = PickedRecord(LabelledWaveform(wave, {"P": (970, 2001)}), tuple(picks), 0.1)
    [matches] = matches_of([picked], "P", 0.5, tolerance_of(tolerance_samples=5))
    assert matches.residuals_s == pytest.approx((4e-7, 0.0), abs=1e-12)


def test_packets_of_whole_microseconds_lose_no_sample(spike_net, tmp_path):
    trace = trace_of(spikes=(5000, 30_000))
    trace.write(str(tmp_path / "in.mseed"), format="MSEED", reclen=512)
    assert len(read(str(tmp_path / "in.mseed"))) > 1  # ObsPy joins none that is off by a sample
    with warnings.catch_warnings(action="error", category=RecordWarning):
        [wave] = read_waveforms(tmp_path / "in.mseed")
    assert np.array_equal(wave.data[:, 0], trace.data)
    picker = Picker(spike_net, chunk_samples=2048, sampling="reinterpret")
    picks, events = run(picker, [tmp_path], tmp_path.parent / "high", block_bytes=4096)
    assert [p.sample for p in picks] == [p.sample for p in picker.pick(wave)]
    assert {5000, 30_000} <= {p.sample for p in picks}
    assert [e.n_records for e in events if isinstance(e, StationSummary)] == [1]


@pytest.mark.parametrize("file_format", ["MSEED", "SAC"])
@pytest.mark.parametrize(("gap", "n_records"), [(0, 1), (12, 2), (50, 2), (2000, 2)])
def test_gaps_are_still_gaps(gap, n_records, file_format, tmp_path):
    whole = trace_of(start=T0 + 0.000_001)
    parts = [whole.copy(), whole.copy()]
    parts[0].data = whole.data[:20_000]
    parts[1].data = whole.data[20_000 + gap :]
    parts[1].stats.starttime = UTCDateTime(ns=whole.stats.starttime.ns + (20_000 + gap) * 100)
    for number, part in enumerate(parts):
        part.stats._format = file_format
        if file_format == "MSEED" and gap:
            part.write(str(tmp_path / f"{number}.mseed"), format="MSEED", reclen=512)
    waves = waveforms_of(Stream(parts))
    assert [wave.n_samples for wave in waves] == (
        [N_SAMPLES] if n_records == 1 else [20_000, 20_960 - gap]
    )
    if file_format == "MSEED" and gap:  # as files have them, in whole microseconds
        waves = read_waveforms(sorted(tmp_path.iterdir()))
        assert [wave.n_samples for wave in waves] == [20_000, 20_960 - gap]


def test_a_gap_of_a_sample_at_usual_rates_is_a_gap():
    header = {"station": "A", "channel": "Z", "sampling_rate": 5000.0, "_format": "MSEED"}
    first = Trace(np.arange(1000.0), {**header, "starttime": T0})
    second = Trace(np.arange(1000.0), {**header, "starttime": T0 + 1001 / 5000.0})
    assert [wave.n_samples for wave in waveforms_of(Stream([first, second]))] == [1000, 1000]


def test_sac_of_such_rates_is_read_without_a_note(tmp_path):
    trace_of(4096).write(str(tmp_path / "a.sac"), format="SAC")
    with warnings.catch_warnings(action="error", category=RecordWarning):
        [wave] = read_waveforms(tmp_path / "a.sac")
    assert wave.sampling_rate == RATE_HZ
    assert wave.n_samples == 4096


@pytest.mark.parametrize("options", [[], ["--plot", "figures"]])
def test_a_record_that_resampling_leaves_nothing_of_is_not_called_dead(
    make_net, options, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    make_net(sampling_rate=2000.0).save_preset("spikes")
    trace_of(4096).write("a.mseed", format="MSEED")
    order = ["pick", "a.mseed", "--preset", "spikes", "--output", "p.csv", *options]
    main(order)
    said = "".join(capsys.readouterr().out.split())
    text = "4096 samples at 1e+07 Hz are 1 at 2000 Hz, the preset's rate, and its window is 3000"
    assert text.replace(" ", "") in said
    assert "--samplingreinterprettakessamplesastheyare" in said
    assert "dead" not in said
    dead = Trace(np.zeros(60_000, "int32"), {"station": "A", "channel": "Z", "sampling_rate": 1000})
    dead.write("a.mseed", format="MSEED")
    main(order)
    assert "dead:everychannelisconstant" in "".join(capsys.readouterr().out.split())


def test_scores_have_a_unit_that_shows_digits():
    def row(scale_s):
        score = PhaseScores(
            phase="P", tolerance_s=1.0, n_true=10, n_pred=10, n_matched=10, precision=1.0,
            recall=1.0, f1=1.0, f1_interval=(0.9, 1.0),
            residual_mean_s=0.123 * scale_s, residual_std_s=0.456 * scale_s, mae_s=0.3 * scale_s,
        )  # fmt: skip
        return unaligned(markdown_table({"a": {"P": score}}))

    assert "residual mean ± std (ms) | MAE (ms)" in row(1e-3)
    assert "| +0.12 ± 0.46 | 0.30 |" in row(1e-3)
    assert "residual mean ± std (µs) | MAE (µs)" in row(1e-6)
    assert "| +0.12 ± 0.46 | 0.30 |" in row(1e-6)


def test_figures_are_in_microseconds_and_show_picks_at_their_samples(spike_net):
    data = 0.05 * np.random.default_rng(0).standard_normal((2048, 3))
    data[974] += 30.0
    wave = Waveform(data, RATE_HZ, UTCDateTime(ns=T0.ns + 50), ("E", "N", "Z"), "AE1")
    record = LabelledWaveform(wave, {"P": (971,), "S": ()}, name="r")
    picker = Picker(spike_net, sampling="reinterpret")

    axis = plot_station(StationResult("AE1", [picker.pick_record(wave)])).axes[-1]
    assert axis.get_xlabel() == "microseconds after 2024-02-29 01:02:03.000000050 UTC"
    assert axis.get_xlim() == pytest.approx((0, 204.8))
    marks = [marks for marks in axis.collections if len(marks.get_segments()) == 1]
    assert marks[0].get_segments()[0][0][0] == pytest.approx(97.4, abs=1e-6)

    figure = plot_examples([record])
    assert figure.get_supxlabel() == "microseconds from the first sample"
    label = figure.axes[0].collections[0].get_segments()[0][0][0]
    assert label == pytest.approx(97.1)

    picked = pick_records(picker, [record], lowest=0.05)
    for tolerance, reach in ((tolerance_of(tolerance_samples=10), 1.3), (tolerance_of(), 0.315)):
        scores = score_picked(picked, picker.thresholds, tolerance)
        figure = plot_worst(worst_records(picked, scores), scores, picker)
        assert figure.axes[0].get_title(loc="left") == "r: P +0.3 µs"
        begin = "2024-02-29 01:02:03.000000050 UTC"
        assert figure.axes[1].get_xlabel() == f"microseconds after {begin}"
        dashed = [line.get_xdata()[0] for line in figure.axes[1].lines if line.is_dashed()]
        assert dashed[-1:] == pytest.approx([97.4], abs=1e-6)
        assert len(figure.axes[1].patches) == (tolerance.samples is not None)  # the band
        [axis, _] = plot_residuals(residuals_by_phase(picked, scores), scores).axes
        assert axis.get_xlim() == pytest.approx((-reach, reach))
        assert axis.get_xlabel().startswith("pick minus label (µs); ")
        assert "mean +0.30 ± 0.00 µs, MAE 0.30 µs" in axis.get_title()
    assert "1 of 1 labels found within 100 ms" in axis.get_title()


@pytest.mark.parametrize(("rate_hz", "label"), [(1e7, "time (µs)"), (4000.0, "time (ms)")])
def test_gathers_are_drawn_in_a_unit_that_shows_digits(rate_hz, label):
    sample = 60.0 + 10 * np.arange(24)
    rows = pd.DataFrame({"shot": 1, "receiver": range(1, 25), "phase": "P", "sample": sample})
    rows = correct_picks(rows, CorrectionConfig(choose="given"))
    [axis] = plot_gather(rows, sampling_rate_hz=rate_hz).axes
    assert axis.get_ylabel() == label
    per_sample = {"time (µs)": 0.1, "time (ms)": 0.25}[label]
    circles = next(line for line in axis.lines if line.get_marker() == "o")
    np.testing.assert_allclose(circles.get_ydata(), per_sample * sample)


def test_quakeml_says_that_it_rounds_such_times(tmp_path):
    with pytest.warns(RecordWarning, match="whole microseconds, 10 samples of these records"):
        write_picks([pick_at(974)], tmp_path / "picks.xml")
    usual = Pick(T0, "XX.A..HH", "P", 0.9, sample=0, sampling_rate=100.0, start_time=T0)
    with warnings.catch_warnings(action="error"):
        write_picks([usual], tmp_path / "usual.xml")


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        ((5.69e-8, 5.69e-8), "seconds read|0.0002048"),
        ((24.0, 1.7e-4), "hours|0.000"),
    ],
)
def test_lengths_of_short_records_are_in_seconds(hours, words):
    console = Console(file=StringIO(), width=120)
    report = RunReport(console, "PS")
    for n, of_station in enumerate(hours):
        report.take(StationSummary(f"A{n}", 1, 1, of_station, of_station))
    report.print()
    for word in words.split("|"):
        assert word in console.file.getvalue()
