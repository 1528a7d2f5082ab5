from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.image import imread
from obspy import Stream, UTCDateTime, read
from reading import write_seg2
from records import write_station
from row_tables import write_line

from phasenet_keras import LabelledWaveform, Pick, Picker, Waveform, correct_picks
from phasenet_keras.cli import main
from phasenet_keras.picking.files import StationResult, pick_files
from phasenet_keras.plot import plot_station, save_station_figure, visible_part
from phasenet_keras.plot_dataset import plot_examples
from phasenet_keras.plot_gather import plot_gather, save_gather
from phasenet_keras.plot_line import plot_line, plot_traces, trace_of
from phasenet_keras.plot_scores import plot_curves, plot_residuals, plot_worst
from phasenet_keras.training.correction import CorrectionConfig
from phasenet_keras.types import ConfigError


def result_of(net, n_samples, up, start_s=0.0):
    rng = np.random.default_rng(0)
    data = 0.05 * rng.standard_normal((n_samples, 3))
    data[up] += 30.0
    wave = Waveform(data, 100.0, UTCDateTime(start_s), ("E", "N", "Z"), "XX.A B/C..HH")
    return StationResult(wave.station, [Picker(net).pick_record(wave)])


def test_short_record_has_a_panel_a_channel_and_one_of_probabilities(spike_net):
    figure = plot_station(result_of(spike_net, 3000, [1000]), window_s=30.0)
    assert [axis.get_ylabel() for axis in figure.axes] == ["E", "N", "Z", "probability"]
    assert "1 P, 0 S" in figure.get_suptitle()
    marks = [line for line in figure.axes[0].collections if len(line.get_segments()) == 1]
    assert marks[0].get_segments()[0][0][0] == 10.0


def test_long_record_has_a_close_up_of_the_best_pick(spike_net):
    figure = plot_station(result_of(spike_net, 60_000, [1000, 50_000]), window_s=30.0)
    assert len(figure.axes) == 8
    left, right = figure.axes[4].get_xlim()
    assert right - left == 30.0
    assert any(left < second < right for second in (10.0, 500.0))
    # Lines would hide the pulses of a long record.
    for axis, ends in ((figure.axes[0], [0.88, 1.0]), (figure.axes[4], [0.0, 1.0])):
        for marks in axis.collections:
            assert marks.get_segments()[0][:, 1] == pytest.approx(ends)


@pytest.mark.parametrize("n_samples", [3000, 60_000])
def test_the_legend_hides_nothing(spike_net, n_samples):
    figure = plot_station(result_of(spike_net, n_samples, [1000]), window_s=30.0)
    FigureCanvasAgg(figure).draw()
    assert all(axis.get_legend() is None for axis in figure.axes)
    [legend] = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["P", "S"]
    box = legend.get_window_extent()
    assert not any(box.overlaps(axis.get_tightbbox()) for axis in figure.axes)


def records_of(net, starts, up=1000, n_samples=3000):
    rng = np.random.default_rng(0)
    for number, start in enumerate(starts):
        data = 0.05 * rng.standard_normal((n_samples, 3))
        data[up] += 30.0
        wave = Waveform(data, 100.0, UTCDateTime(start), ("E", "N", "Z"), "A", source=f"{number}.x")
        yield Picker(net).pick_record(wave)


def test_short_records_long_after_one_another_get_a_panel_each(spike_net):
    starts = [1.7e9 + 7200 * number for number in range(8)]
    records = list(records_of(spike_net, starts))
    picks = [replace(pick, probability=0.9) for pick in records[2].picks + records[5].picks]
    unsure = [replace(records[n], picks=picks[n == 5 :][:1]) for n in (2, 5)]
    figure = plot_station([*records[:2], unsure[0], *records[3:5], unsure[1], *records[6:]])
    titles = [axis.get_title(loc="left") for axis in figure.axes[::2]]
    assert [title.split(", ")[1] for title in titles] == [f"{n}.x" for n in (0, 1, 3, 4, 6, 7)]
    assert titles[1] == "2023-11-15 00:13:20.000 UTC, 1.x"
    assert figure.get_suptitle() == "A: 8 P, 0 S; 6 of 8 records, those with the surest picks"
    for axis in figure.axes:
        assert axis.get_xlim() == (0.0, 30.0)
    for axis in figure.axes[::2]:
        [marks] = axis.collections
        assert marks.get_segments()[0][0][0] == 10.0


def test_a_long_record_in_a_panel_is_shown_about_its_surest_pick(spike_net):
    records = records_of(spike_net, [1.7e9, 1.8e9], 50_000, 60_000)
    for axis in plot_station(records, window_s=30.0).axes:
        assert axis.get_xlim() == (490.0, 520.0)


def test_records_without_a_time_do_not_lie_upon_one_another(spike_net):
    first, *others = records_of(spike_net, [0, 0, 0])
    unsure = replace(first, picks=[replace(first.picks[0], probability=0.4)])
    figure = plot_station([unsure, *others])
    assert [axis.get_title(loc="left") for axis in figure.axes[::2]] == ["0.x", "1.x", "2.x"]
    assert figure.get_suptitle() == "A: 3 P, 0 S; 3 records"
    assert plot_station(records_of(spike_net, [0])).get_suptitle() == "A: 1 P, 0 S; 0.x"
    assert plot_station(records_of(spike_net, [1.7e9])).get_suptitle() == "A: 1 P, 0 S"


def test_a_day_with_gaps_stays_on_one_axis(spike_net):
    figure = plot_station(records_of(spike_net, [1.7e9, 1.7e9 + 40, 1.7e9 + 200]))
    assert len(figure.axes) == 4


def numbers_on(axis):
    """What its ticks and its corner show, when it is drawn."""
    axis.figure.canvas.draw()
    texts = [label.get_text() for label in axis.get_xticklabels()]
    return axis.xaxis.get_offset_text().get_text(), texts


def test_no_axis_counts_from_an_offset(spike_net):
    result = result_of(spike_net, 3_000_000, [2_999_000], 1.7e9)
    ends = [(axis.get_xlabel(), *numbers_on(axis)) for axis in plot_station(result, 1.0).axes]
    assert {corner for _, corner, _ in ends} == {""}
    assert ends[3][0] == "seconds after 2023-11-14 22:13:20.000 UTC"
    assert "29990.0" in ends[-1][2]
    # Of larger numbers the close-up counts from its own begin.
    label, corner, texts = [
        (axis.get_xlabel(), *numbers_on(axis)) for axis in plot_station(result, 0.5).axes
    ][-1]
    assert label == "milliseconds after 2023-11-15 06:33:09.833333 UTC"
    assert (corner, texts[0]) == ("", "0")
    # Without a date there is only the record's.
    undated = plot_station(result_of(spike_net, 3_000_000, [2_999_000]), 0.5)
    labels = [axis.get_xlabel() for axis in undated.axes if axis.get_xlabel()]
    assert labels == [f"{unit} after the record's start" for unit in ("seconds", "milliseconds")]
    assert numbers_on(undated.axes[-1])[0] == ""
    wave = Waveform(np.ones((3_000_000, 1)), 100.0, UTCDateTime(0), ("Z",), "A")
    figure = plot_examples([LabelledWaveform(wave, {"P": 2_999_000}, "r")])
    assert numbers_on(figure.axes[0])[0] == ""


def test_examples_say_when_they_are_and_what_is_labelled():
    waves = [
        Waveform(np.ones((300, 1)), 100.0, UTCDateTime(start), ("Z",), "A") for start in (1.7e9, 0)
    ]
    records = [LabelledWaveform(wave, {"P": 120, "S": ()}, "r", split="dev") for wave in waves]
    figure = plot_examples(records)
    titles = [axis.get_title(loc="left") for axis in figure.axes[:2]]
    assert titles == ["r\n2023-11-14 22:13:20, dev, no S", "r\ndev, no S"]
    [legend] = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["P label"]
    assert plot_examples([LabelledWaveform(waves[0], {})]).legends == []


@pytest.mark.parametrize(
    ("arrivals", "shown"),
    [
        ({"P": (50_000.0,)}, (49_820, 50_361)),
        ({"P": (50_000.0,), "S": (50_400.0,)}, (49_760, 50_881)),
        ({"P": (50_000.0, 90_000.0), "S": (50_400.0, 90_100.0)}, (49_760, 50_881)),
        ({"P": (50_000.0,), "S": (55_000.0,)}, (47_000, 61_001)),
        ({"P": (50_000.0, 90_000.0), "S": (55_000.0, 95_000.0)}, (47_000, 61_001)),
        ({"P": (50_000.0, 90_000.0), "S": (90_400.0,)}, (49_820, 50_361)),
        ({"P": (359_999.0,)}, (359_819, 359_999)),
    ],
    ids=["P", "P_and_S", "two_events", "far_S", "two_far", "P_alone_first", "at_the_end"],
)
def test_of_a_long_record_the_first_arrivals_are_shown(arrivals, shown):
    wave = Waveform(np.ones((360_000, 1)), 100.0, UTCDateTime(0), ("Z",), "A")
    figure = plot_examples([LabelledWaveform(wave, arrivals)])
    left, right = (figure.axes[0].get_xlim()[n] * 100 for n in (0, 1))
    assert (left, right) == pytest.approx(shown, abs=1)


def test_file_name_holds_no_path(spike_net, tmp_path):
    path = save_station_figure(result_of(spike_net, 3000, [1000]), tmp_path / "new")
    assert path == tmp_path / "new" / "XX.A_B_C..HH.png"
    assert imread(path).std() > 0.05


def test_envelope_keeps_a_single_sample_spike():
    values = np.zeros(1_000_000)
    values[654_321] = 1.0
    time_s, shown = visible_part(values, 100.0, 5.0, (0.0, 20_000.0))
    assert len(shown) <= 8000
    assert shown.max() == 1.0
    assert abs(time_s[shown.argmax()] - (5.0 + 6543.21)) < 5.0


def test_a_record_that_could_not_be_run_is_drawn_all_the_same(spike_net):
    wave = Waveform(
        np.random.default_rng(0).standard_normal((100, 2)), 1.0, UTCDateTime(0), "AB", "X"
    )
    result = StationResult("X", [Picker(spike_net).pick_record(wave)])
    assert result.summary().failed
    assert "not picked" in plot_station(result).get_suptitle()


def test_results_of_records_are_drawn_as_those_of_a_station(spike_net, tmp_path):
    whole = result_of(spike_net, 3000, [1000])
    [record] = whole.records
    for given in (record, [record], iter([record]), whole):
        figure = plot_station(given)
        assert figure.get_suptitle() == "XX.A B/C..HH: 1 P, 0 S"
    [result] = Picker(spike_net).pick_each(read())
    assert save_station_figure(result, tmp_path).name == "BW.RJOB..EH.png"
    with pytest.raises(ConfigError, match=r"of one station, received BW\.RJOB\.\.EH, XX\.A B/C"):
        plot_station([record, result])


@pytest.mark.parametrize(
    "given", [read(), read()[0], None, "a.mseed", Pick(UTCDateTime(0), "A", "P", 0.9), [[1]], 3.0]
)
def test_what_cannot_be_drawn_is_refused_by_its_type(spike_net, given):
    with pytest.raises(ConfigError, match=r"is a RecordResult, received \w+: Picker\.pick_record"):
        plot_station(given)
    with pytest.raises(ConfigError, match=r"records to be drawn are .*LabelledWaveform"):
        plot_examples(given)
    with pytest.raises(ConfigError, match=r"records of a line are .*LabelledWaveform"):
        plot_line(given, [], "title")
    for plot in (plot_gather, lambda rows: save_gather(rows, ".")):
        with pytest.raises(ConfigError, match=r"a gather is a DataFrame, received \w+: corr"):
            plot(given)
    with pytest.raises(ConfigError, match="residuals are a mapping by name, received"):
        plot_residuals(given, {})
    with pytest.raises(ConfigError, match=r"curves are a mapping by name, received \w+: score"):
        plot_curves(given, {})
    for plot in (plot_residuals, plot_curves):
        with pytest.raises(ConfigError, match=r"scores are a mapping .* received \w+: evaluate"):
            plot({}, given)
    with pytest.raises(ConfigError, match=r"is a RecordErrors, received \w+: worst_records gives"):
        plot_worst(given, {}, Picker(spike_net))


def test_what_holds_nothing_to_draw_is_refused(spike_net):
    for nothing in ([], StationResult("A", []), Stream()):
        with pytest.raises(ConfigError, match="records of one station, received none"):
            plot_station(nothing)
    with pytest.raises(ConfigError, match="there are no records to be drawn"):
        plot_worst([], {}, Picker(spike_net))
    with pytest.raises(ConfigError, match="there are no scores to be drawn"):
        plot_residuals({}, {})


def test_picks_of_no_record_of_a_line_are_refused():
    wave = Waveform(np.ones((300, 1)), 100.0, UTCDateTime(0), ("Z",), "A", offset_m=5.0)
    line = [LabelledWaveform(wave, {"P": 120})]
    picks = [Pick(UTCDateTime(1), station, "P", 0.9) for station in "AB"]
    assert plot_line(line, picks[:1], "title").axes[0].get_ylim() == (1e3 * 1.6 * 1.2, 0.0)
    with pytest.raises(ConfigError, match="there are picks of B, of which no record is given"):
        plot_line(line, picks, "title")
    with pytest.raises(ConfigError, match=r"picks of a line is a Pick, received str: Picker\.pick"):
        plot_line(line, ["P"], "title")


def shot(path, n_traces):
    """A SEG-2 file whose traces have a spike ten samples after that of the trace before."""
    data = 0.05 * np.random.default_rng(0).standard_normal((n_traces, 900))
    for number, trace in enumerate(data, start=1):
        trace[300 + 10 * number] += 30.0
    write_seg2(path, data, 0.01)


def test_traces_of_a_file_are_drawn_side_by_side(spike_net, tmp_path):
    shot(tmp_path / "s7.dat", 3)
    [*results] = [
        event
        for event in pick_files(Picker(spike_net), tmp_path)
        if isinstance(event, StationResult)
    ]
    assert [trace_of(result) for result in results] == [("s7.dat", n) for n in (1, 2, 3)]
    figure = plot_traces(results[::-1])
    [axis] = figure.axes
    assert axis.get_title(loc="left") == "s7.dat: 3 traces, 3 P, 0 S"
    assert axis.get_xlabel() == "trace"
    circles = [marks for marks in axis.collections if "pick" in str(marks.get_label())]
    [places] = [sorted(map(tuple, marks.get_offsets())) for marks in circles]
    np.testing.assert_allclose(places, [(1, 3100), (2, 3200), (3, 3300)])
    # No S was picked, and nothing is labelled.
    [legend] = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["P pick"]
    assert trace_of(result_of(spike_net, 3000, [1000])) is None


def test_pick_draws_a_gather_a_file_and_a_station_alone(preset, tmp_path):
    for name, n_traces in (("a.dat", 3), ("b.dat", 3), ("c.dat", 2)):
        shot(tmp_path / name, n_traces)
    write_station(tmp_path / "d.mseed")
    files = [str(tmp_path / name) for name in ("a.dat", "b.dat", "c.dat", "d.mseed")]
    out = ["--output", str(tmp_path / "picks.csv"), "--plot", str(tmp_path / "figures")]
    assert main(["pick", *files, "--preset", preset, *out]) == 0
    drawn = {path.name for path in (tmp_path / "figures").iterdir()}
    assert drawn == {"a.png", "b.png", "c-0001.png", "c-0002.png", "XX.AA..HH.png"}


def test_pick_draws_a_gather_a_shot_of_a_file_of_several(preset, tmp_path):
    write_line(tmp_path / "in", shots=(7, 8), n_traces=3)
    out = ["--output", str(tmp_path / "picks.csv"), "--plot", str(tmp_path / "figures")]
    assert main(["pick", str(tmp_path / "in"), "--preset", preset, *out]) == 0
    drawn = {path.name for path in (tmp_path / "figures").iterdir()}
    assert drawn == {"line-0007.png", "line-0008.png"}


def test_a_gather_of_one_of_two_files_of_a_name_is_called_by_its_folder_once(spike_net, tmp_path):
    for day in ("day1", "day2"):
        write_line(tmp_path / day, shots=(7, 8), n_traces=2)
    events = pick_files(Picker(spike_net, sampling="reinterpret"), tmp_path)
    traces = [trace_of(event) for event in events if isinstance(event, StationResult)]
    places = [tmp_path / day / "line.su" for day in ("day1", "day2")]
    gathers = [f"{place}-{shot}" for place in places for shot in ("0007", "0008")]
    assert traces == [(gather, number) for gather in gathers for number in (1, 2)]


def test_a_gather_is_of_one_shot_with_the_records_of_its_receivers():
    receivers = np.arange(1, 9)
    picks = pd.DataFrame({"shot": 1, "receiver": receivers, "phase": "P", "sample": 9 * receivers})
    with pytest.raises(ConfigError, match=r"how, is_outlier, mirrored, corrected_sample, .* missi"):
        plot_gather(picks)
    table = correct_picks(picks, CorrectionConfig(choose="given"))
    with pytest.raises(ConfigError, match=r"of one shot, received 1, 2: for shot, rows in table\."):
        plot_gather(pd.concat([table, table.assign(shot=2)]))
    wave = Waveform(np.ones((300, 1)), 100.0, UTCDateTime(0), ("Z",), "A")
    with pytest.raises(ConfigError, match="the waveforms is a LabelledWaveform, received W"):
        plot_gather(table, {1: wave})
    records = {n: LabelledWaveform(wave, {}) for n in receivers}
    n_lines = [len(plot_gather(table, given).axes[0].lines) for given in (records, None)]
    assert n_lines[0] - n_lines[1] == 8  # the numbers of receivers name them, too


def test_a_gather_shows_no_time_before_its_record_and_names_what_is_drawn():
    receivers = np.arange(1, 25)
    picks = pd.DataFrame({"shot": 1, "receiver": receivers, "phase": "P", "sample": 9 * receivers})
    for late, named in ((0.0, []), (50.0, ["outlier"]), (900.0, ["outlier beyond the view"])):
        sample = picks["sample"] + np.where(receivers == 12, late, 0.0)
        table = correct_picks(picks.assign(sample=sample), CorrectionConfig(choose="given"))
        figure = plot_gather(table)
        reach = np.ptp(table["corrected_sample"])
        assert figure.axes[0].get_ylim()[1] == pytest.approx(-0.02 * reach)
        names = [text.get_text() for text in figure.legends[0].get_texts()]
        assert names == ["P corrected", "pick", *named, "± 2 uncertainties"]
