"""Text as oscilloscopes and loggers write it: the right samples, rates and times, or a refusal."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from obspy import UTCDateTime
from reading import noise, refused
from sources import by_name
from sources import run as prepare

from phasenet_keras import read_waveforms
from phasenet_keras.io.registry import FormatNote, NoWaveformError, RecordWarning, reader_of
from phasenet_keras.types import FormatError

N_SAMPLES = 400
VALUES = noise(N_SAMPLES).round(4)
EVEN = range(20)
# 10 MHz, 40 samples before the trigger.
TIMES_S = (np.arange(N_SAMPLES) - 40) / 10e6

LECROY = """LECROYWS434,13579,Waveform
Segments,1,SegmentSize,400
Segment,TrigTime,TimeSinceSegment1
#1,14-Mar-2024 10:22:31,0
Time,Ampl
"""
TEKTRONIX = """Model,MDO3024
Firmware Version,1.22

Horizontal Units,s
Horizontal Scale,2e-05
Sample Interval,1e-07
Record Length,400
,,
Label,
TIME,CH1
"""
BESIDE = ["Record Length,4.0e+02", "Sample Interval,1.0e-07", "Trigger Point,4.0e+01", ","]
BESIDE += ["Source,CH1", "Vertical Units,V", "Horizontal Units,s", "Pt Fmt,Y", "Yzero,0.0"]


def lines(text, scale=1.0, begin=0):
    """Return lines of a time in s times this and an amplitude, as such a format writes them."""
    pairs = zip(TIMES_S[begin:] * scale, VALUES[begin:], strict=True)
    return "\n".join(text.format(*pair) for pair in pairs) + "\n"


def beside():
    """The settings stand beside the first samples, as older Tektronix write them."""
    rows = zip(TIMES_S, VALUES, strict=True)
    texts = [*BESIDE, *[","] * N_SAMPLES]
    return "".join(f"{text},,{t:.9f},{v:.5f},\n" for text, (t, v) in zip(texts, rows, strict=False))


FORMS = {
    "lecroy": LECROY + lines("{:.8g},{:.4f}"),
    "tektronix": TEKTRONIX + lines("{:.7e},{:.4f}"),
    "beside": beside(),
    "picoscope": "Time,Channel A\n(us),(mV)\n\n" + lines("{:.8f},{:.4f}", 1e6),
    "comma": "Zeit;Kanal A\n(µs);(mV)\n\n" + lines("{:.8f};{:.4f}", 1e6).replace(".", ","),
    "tabs": "Time (ms)\tCh A (V)\n" + lines("{:.8f}\t{:.4f}", 1e3),
    "tabs_comma": "time [ns]\tA\n" + lines("{:.1f}\t{:.4f}", 1e9).replace(".", ","),
    "blanks_comma": "Zeit [ms]  A\n" + lines("{:.6f}  {:.4f}", 1e3).replace(".", ","),
    "bare_blanks_comma": lines("{:.9f} {:.4f}").replace(".", ","),
    "keysight": "x-axis,1\nsecond,Volt\n" + lines("{:.8e},{:.4f}"),
    "quoted": '"t_us","volt"\n' + lines("{:.2f},{:.4f}", 1e6),
    "comment": "# Time (us)  Amplitude (V)\n" + lines("{:.2f} {:.4f}", 1e6),
    "comment_ms": "# by K.\n#t/ms a/V\n" + lines("{:.6f}\t{:.4f}", 1e3),
    "counted": "Sample,Time (us),Ch1 (V)\n"
    + "".join(f"{n},{line}\n" for n, line in enumerate(lines("{:.2f},{:.4f}", 1e6).split())),
}


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("form", FORMS)
def test_text_of_oscilloscopes(tmp_path, form, end):
    path = tmp_path / "S1.csv"
    path.write_bytes(("\ufeff" * (form == "quoted") + FORMS[form].replace("\n", end)).encode())
    [wave] = read_waveforms(path)
    assert np.allclose(wave.data[:, 0], VALUES, atol=1e-6)
    assert (wave.channels, wave.station) == (("Z",), "S1")
    assert wave.sampling_rate == pytest.approx(10e6, rel=1e-6)
    assert wave.start_time - UTCDateTime(0) == pytest.approx(TIMES_S[0], abs=1e-7)
    assert wave.zero_time == UTCDateTime(0)


def write_sensors(path, n_sensors=8, seed=0):
    data = np.stack([noise(N_SAMPLES, seed + n) for n in range(n_sensors)]).round(4)
    names = ",".join(f"Channel {'ABCDEFGH'[n]}" for n in range(n_sensors))
    head = f"Time,{names}\n(us){',(mV)' * n_sensors}\n\n"
    rows = zip(TIMES_S * 1e6, data.T, strict=True)
    path.write_text(head + "".join(f"{t:.2f},{','.join(map(str, v))}\n" for t, v in rows))
    return data


def test_each_column_is_a_sensor_of_its_own(tmp_path):
    data = write_sensors(tmp_path / "ev1.csv")
    assert reader_of(tmp_path / "ev1.csv").name == "text of columns, a sensor each"
    waves = read_waveforms(tmp_path / "ev1.csv")
    assert [wave.station for wave in waves] == [f"ev1-{n:04d}" for n in range(1, 9)]
    for wave, values in zip(waves, data, strict=True):
        assert np.allclose(wave.data[:, 0], values, atol=1e-6)
        assert (wave.channels, wave.zero_time) == (("Z",), UTCDateTime(0))


def test_labels_are_of_columns_by_their_number(tmp_path, capsys):
    (tmp_path / "raw").mkdir()
    rows = [("file", "channel", "p_after_trigger_us")]
    for event in range(3):
        write_sensors(tmp_path / f"raw/ev{event}.csv", n_sensors=4, seed=10 * event)
        rows += [(f"ev{event}.csv", n, 10 + event + n / 10) for n in (3, 1, 4)]
    with (tmp_path / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    labels = ["--labels", tmp_path / "labels.csv"]
    assert prepare(tmp_path / "raw", *labels, "--output", tmp_path / "set") == 0
    assert "9 records (split by gather)" in capsys.readouterr().out
    found = {name: record.arrivals["P"] for name, record in by_name(tmp_path / "set").items()}
    # 40 samples before the trigger, 10 samples a microsecond.
    assert found == {
        f"ev{event}-{n:04d}": (pytest.approx(40 + 10 * (10 + event + n / 10)),)
        for event in range(3)
        for n in (1, 3, 4)
    }


@pytest.mark.parametrize(
    ("names", "channels"),
    [
        ("Time (us),E,N,Z", "ENZ"),
        ("time_us,Vel Z (m/s),Vel X (m/s),Vel Y (m/s)", "ZEN"),
        ("t (us),HHZ,HHE", "ZE"),
        ("Time (us),Ux,Uz", "EZ"),
        ("Time (us),E,N,U", "ENZ"),
        ("Time (us),Tran (mm/s),Vert (mm/s),Long (mm/s)", "EZN"),
        ("Time (us),Vertical,Radial,Transverse", "ZNE"),
        ("Time (us),Voltage,Current", ""),
    ],
)
def test_columns_called_by_components_are_one_record(tmp_path, names, channels):
    n_columns = names.count(",")
    data = np.stack([noise(N_SAMPLES, n) for n in range(n_columns)], axis=1).round(4)
    rows = zip(TIMES_S * 1e6, data, strict=True)
    text = "".join(f"{t:.2f},{','.join(map(str, row))}\n" for t, row in rows)
    (tmp_path / "q1.csv").write_text(f"{names}\n{text}")
    waves = read_waveforms(tmp_path / "q1.csv")
    if not channels:
        assert [wave.station for wave in waves] == ["q1-0001", "q1-0002"]
        return
    [wave] = waves
    assert (wave.station, wave.sampling_rate) == ("q1", pytest.approx(10e6))
    assert sorted(wave.channels) == sorted(channels)
    for channel, values in zip(channels, data.T, strict=True):
        found = wave.data[:, wave.channels.index(channel)]
        assert np.allclose(found, values, atol=1e-6)


def test_a_microphone_beside_three_components_is_left_out_and_said(tmp_path):
    data = np.stack([noise(N_SAMPLES, n) for n in range(4)], axis=1).round(4)
    rows = zip(TIMES_S, data, strict=True)
    text = "".join(f"{t:.7f},{','.join(map(str, row))}\n" for t, row in rows)
    (tmp_path / "q1.csv").write_text(
        f'"Event Type : Waveform"\nTime (s),Tran,Vert,Long,MicL\n{text}'
    )
    with pytest.warns(FormatNote, match="columns beside three components are left out: MicL"):
        [wave] = read_waveforms(tmp_path / "q1.csv")
    assert (wave.station, wave.channels) == ("q1", ("E", "N", "Z"))
    assert np.allclose(wave.data, data[:, [0, 2, 1]], atol=1e-6)


@pytest.mark.parametrize("names", ["A,B,E,N,Z", "line_N,line_E,line_S,line_Z", "S1_Z,S2_N,S3_E,S4"])
def test_sensors_called_by_letters_are_no_components_beside_others(tmp_path, names):
    n_columns = names.count(",") + 1
    table = np.column_stack([np.arange(300) / 100.0, noise(300 * n_columns).reshape(300, -1)])
    text = "\n".join(",".join(f"{value:.6f}" for value in row) for row in table)
    (tmp_path / "q1.csv").write_text(f"Time (s),{names}\n{text}")
    waves = read_waveforms(tmp_path / "q1.csv")
    assert [wave.station for wave in waves] == [f"q1-{n:04d}" for n in range(1, n_columns + 1)]


@pytest.mark.parametrize(
    ("head", "separator", "unit_s"),
    [
        ("# Start time: 2024-03-14", " ", 1.0),
        ("# Trigger time 5 ms", " ", 1.0),
        ("# seismogram t=0 is the shot", "\t", 1.0),
        ("# t0 = 5 ms", ";", 1.0),
        ("# station,A01", ",", 1.0),
        ("# file\tshot7.sgy", "\t", 1.0),
        ("seconds,volt", ",", 1.0),
        ("# time_step_ms 0.5", " ", 1.0),
        ("# time [us] velocity of Uz [m/s]", " ", 1e-6),
        ("# time after trigger (usec)", ",", 1e-6),
        ("Time (msec);volt", ";", 1e-3),
        ("time_min volt", "\t", 60.0),
    ],
)
def test_a_comment_is_a_sentence_or_names_columns(tmp_path, head, separator, unit_s):
    rows = lines(f"{{:.9f}}{separator}{{:.4f}}", 1e3)
    (tmp_path / "S1.txt").write_text(f"{head}\n{rows}")
    [wave] = read_waveforms(tmp_path / "S1.txt")
    assert (wave.n_samples, wave.sampling_rate) == (N_SAMPLES, pytest.approx(10e3 / unit_s))
    assert np.allclose(wave.data[:, 0], VALUES, atol=1e-6)


@pytest.mark.parametrize("separator", [";", "\t"])
def test_the_first_numbers_may_be_whole(tmp_path, separator):
    rows = [f"0{separator}0", *lines(f"{{:.7f}}{separator}{{:.4f}}", begin=41).splitlines()]
    (tmp_path / "S1.csv").write_text("\n".join(rows).replace(".", ","))
    [wave] = read_waveforms(tmp_path / "S1.csv")
    assert (wave.n_samples, wave.sampling_rate) == (N_SAMPLES - 40, pytest.approx(10e6))
    assert np.allclose(wave.data[1:, 0], VALUES[41:], atol=1e-6)


@pytest.mark.parametrize(
    ("names", "row"),
    [
        ("time,0,1", "{0},5,{1}"),
        ("Time (s);1;2", "{0};5;{1}"),
        ("Sample No.,time,1", "7,{0},{1}"),
        ("index\tt_s\t2", "7\t{0}\t{1}"),
    ],
)
def test_columns_may_be_called_by_numbers(tmp_path, names, row):
    rows = [row.format(n / 100, n % 3) for n in EVEN]
    (tmp_path / "S1.csv").write_text("\n".join([names, *rows]))
    waves = read_waveforms(tmp_path / "S1.csv")
    assert {wave.sampling_rate for wave in waves} == {100.0}
    assert waves[-1].data[:, 0].tolist() == [n % 3 for n in EVEN]


def test_numbers_may_be_in_quotes(tmp_path):
    (tmp_path / "S1.csv").write_text('"Time","A"\n' + lines('"{:.7f}","{:.4f}"'))
    [wave] = read_waveforms(tmp_path / "S1.csv")
    assert np.allclose(wave.data[:, 0], VALUES, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "unit_s"),
    [
        ("time_days", 86400),
        ("time_years", 31_557_600),
        ("t [hours]", 3600),
        ("t_hr", 3600),
        ("time_msecs", 1e-3),
        ("t_millisec", 1e-3),
    ],
)
def test_times_of_other_instruments_are_no_seconds(tmp_path, name, unit_s):
    (tmp_path / "S1.csv").write_text(f"{name},temperature\n" + lines("{:.9f},{:.4f}", 1e7))
    [wave] = read_waveforms(tmp_path / "S1.csv")
    assert wave.sampling_rate == pytest.approx(1 / unit_s, rel=1e-6)


@pytest.mark.parametrize(
    "name", ["time_mjd", "time_ps", "time [d]", "time_doy", "time index", "time_steps"]
)
def test_units_of_time_that_are_not_known_are_no_seconds(tmp_path, name):
    (tmp_path / "S1.csv").write_text(f"{name},temperature\n" + lines("{:.9f},{:.4f}", 1e7))
    with pytest.raises(FormatError, match="where a line above says which is time, such as: Time"):
        read_waveforms(tmp_path / "S1.csv")


@pytest.mark.parametrize("time", ["∞", "-inf", "nan", "1e999"])
def test_a_time_that_is_no_number_is_said(tmp_path, time):
    times = [time if n == 5 else n for n in range(20)]
    rows = "".join(f"{n},{t},{n % 3}\n" for n, t in enumerate(times))
    (tmp_path / "a.csv").write_text(f"Sample,Time,Ampl\n{rows}")
    refused(tmp_path / "a.csv", "text of 3 columns")


def test_what_is_out_of_range_is_a_gap(tmp_path):
    text = "Time,Channel A\n(us),(mV)\n\n" + lines("{:.2f},{:.4f}", 1e6)
    rows = text.splitlines()
    rows[103:105] = [f"{row.split(',')[0]},∞" for row in rows[103:105]]
    (tmp_path / "a.csv").write_text("\n".join(rows), encoding="utf-8")
    waves = read_waveforms(tmp_path / "a.csv")
    assert [wave.n_samples for wave in waves] == [100, N_SAMPLES - 102]
    assert np.allclose(waves[1].data[:, 0], VALUES[102:], atol=1e-6)


# Arrivals of a simulated line grow by even steps, too.
TRIPLES = "".join(f"{n + 1},{2 * n + 3},{3 * n}\n" for n in EVEN)
NO_TIMES = ["t_p,t_s,offset", "time P,time S,x", "S,P,x", "receiver,time,err", "trace,P,S"]
NO_TIMES += ["receiver,P,S\n-,ms,ms", "year,t,temp", "Time (UTC),x,y", "Time base,0.1,3"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("offset,ampl\n" + "".join(f"{n},{n % 3}\n" for n in EVEN), "text of 2 columns"),
        ("p_us,s_us\n" + "".join(f"{n},{n + 5}\n" for n in EVEN), "text of 2 columns"),
        ("time,a\n" + "".join(f"{n**2},{n}\n" for n in EVEN), "text of 2 columns"),
        ("time,a\n0,1\n1,2\n", "text of 2 columns"),
        ("".join(f"{n} 1 2\n" for n in EVEN), "text of 3 columns"),
        *((f"{names}\n{TRIPLES}", "text of 3 columns") for names in NO_TIMES),
        ("# trace,time\n" + "".join(f"{n},{n}\n" for n in EVEN), "text of 2 columns"),
        ("time,a\n" + "".join(f"{n},1\n" for n in (*EVEN, 40, 60)), "do not grow by even steps"),
        ("time,a\n" + "".join(f"{n},1\n" for n in EVEN) + "20,one\n", "no table .* 'one'"),
    ],
    ids=["no_time", "labels", "uneven", "short", "bare", *NO_TIMES, "trace_time", "gap", "word"],
)  # fmt: skip
def test_columns_that_are_no_waveforms(tmp_path, text, words):
    (tmp_path / "a.csv").write_text(text)
    refused(tmp_path / "a.csv", words)


@pytest.mark.parametrize("names", ["time,latitude,longitude", "t_s,sta,p", "file,time,p_ms"])
def test_tables_are_no_waveforms(tmp_path, names):
    rows = "".join(f"{n},{n + 4},5.5\n" for n in EVEN)
    (tmp_path / "a.csv").write_text(f"{names}\n{rows}")
    with pytest.raises(NoWaveformError, match="a table"):
        reader_of(tmp_path / "a.csv")


def test_a_setting_may_be_called_as_a_column_of_a_table_is(tmp_path):
    (tmp_path / "a.csv").write_text(f"File,C:\\ae\\1.psdata\n{FORMS['picoscope']}")
    [wave] = read_waveforms(tmp_path / "a.csv")
    assert (wave.sampling_rate, wave.n_samples) == (pytest.approx(10e6), N_SAMPLES)


def test_a_table_of_labels_beside_its_files_is_passed_over(tmp_path):
    for name in ("S1", "S2"):
        (tmp_path / f"{name}.csv").write_text(FORMS["lecroy"])
    (tmp_path / "labels.csv").write_text("file,event,p_after_trigger_us\nS1.csv,1,2.5\n")
    with pytest.warns(RecordWarning, match=r"a file is no waveform.*labels.csv \(a table\)"):
        assert [wave.station for wave in read_waveforms(tmp_path)] == ["S1", "S2"]
