from __future__ import annotations

import numpy as np
from matplotlib.image import imread
from obspy import UTCDateTime

from phasenet_keras import Picker, Waveform
from phasenet_keras.picking.files import StationResult
from phasenet_keras.plot import plot_station, save_station_figure, visible_part


def result_of(net, n_samples, up):
    rng = np.random.default_rng(0)
    data = 0.05 * rng.standard_normal((n_samples, 3))
    data[up] += 30.0
    wave = Waveform(data, 100.0, UTCDateTime(0), ("E", "N", "Z"), "XX.A B/C..HH")
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
    assert result.failed
    assert "not picked" in plot_station(result).get_suptitle()
