"""`phasenet-keras correct`: layouts of picks, geometry, bad rows, figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fresh import FRAMEWORKS, run_without
from gathers import LINE, STEP, T0, table_of, write
from obspy import UTCDateTime

from phasenet_keras.cli import main
from phasenet_keras.io.catalogs import Arrival, label_by_time, read_arrivals
from phasenet_keras.io.gathers import read_gather_picks
from phasenet_keras.io.markers import write_markers
from phasenet_keras.io.survey_waveforms import read_gather_records
from phasenet_keras.io.tables import write_picks
from phasenet_keras.plot_gather import plot_gather
from phasenet_keras.training.correction import CorrectionConfig
from phasenet_keras.training.pseudolabels import correct_picks
from phasenet_keras.types import ConfigError, LabelledWaveform, Pick, Waveform


@pytest.fixture
def picks(tmp_path):
    table_of().to_csv(tmp_path / "picks.csv", index=False)
    return str(tmp_path / "picks.csv")


@pytest.fixture
def line(tmp_path):
    """Receivers 4 m apart on a slope; shots 1 and 12 at receivers 1 and 12, a minute apart."""
    rows = ["receiver,shot,x,y,z,start_time"]
    rows += [f"{r:02d},,{4 * r},0,{0.5 * r}," for r in range(1, LINE + 1)]
    rows += [f",{s},{4 * s},0,{0.5 * s},{T0 + 60 * s}" for s in (1, 12)]
    return write(tmp_path / "line.csv", "\n".join(rows) + "\n")


def corrected(tmp_path, *arguments, status=0):
    out = tmp_path / "corrected.csv"
    assert main(["correct", *map(str, arguments), "--output", str(out)]) == status
    return pd.read_csv(out, keep_default_na=False, na_values=[""])


def row_of(table, shot, receiver, phase):
    same = (table["shot"] == shot) & (table["receiver"] == receiver) & (table["phase"] == phase)
    [row] = table[same].to_dict("records")
    return row


# The verb


def test_receiver_numbers_serve_without_geometry(tmp_path, picks, capsys):
    table = corrected(tmp_path, picks)
    row = row_of(table, 1, 10, "P")
    assert row["how"] == "moved"
    assert row["corrected_sample"] == pytest.approx(87, abs=2)
    assert row["residual_samples"] == pytest.approx(313, abs=2)
    assert list(table.columns[4:]) == [
        "corrected_sample",
        "residual_samples",
        "uncertainty_samples",
        "is_outlier",
        "how",
        "mirrored",
        "note",
    ]
    said = " ".join(capsys.readouterr().out.split())
    assert "picks 48 48" in said
    assert "kept 47 48 moved 1 0 filled 0 0 dropped 0 0" in said
    assert "chosen on 2 gathers" in said


def test_settings_of_one_shot_are_chosen_on_one_gather(tmp_path, capsys):
    table = table_of()
    table[table["shot"] == 1].to_csv(tmp_path / "one.csv", index=False)
    corrected(tmp_path, tmp_path / "one.csv")
    assert capsys.readouterr().out.count("chosen on 1 gather\n") == 2


def test_geometry_gives_offsets_and_times(tmp_path, picks, line):
    rules = tmp_path / "rules.csv"
    table = corrected(
        tmp_path, picks, "--geometry", line, "--sampling-rate-hz", 1000, "--rules", rules
    )
    row = row_of(table, 12, 3, "S")
    assert row["offset_m"] == pytest.approx(-9 * np.hypot(4, 0.5), rel=1e-4)
    time = UTCDateTime(row["corrected_time"])
    assert time - (T0 + 720) == pytest.approx(row["corrected_sample"] / 1000, abs=1e-5)
    assert list(pd.read_csv(rules).columns)[:4] == ["rule", "shot", "receiver", "phase"]


def test_seconds_and_bounds(tmp_path, picks):
    table = table_of().assign(time_s=lambda t: t.pop("sample") / 1000)
    table.to_csv(tmp_path / "picks.csv", index=False)
    options = ["--sampling-rate-hz", 1000, "--settings", "default", "--p-bounds", "0,100"]
    found = corrected(tmp_path, picks, *options)
    far = found[(found["phase"] == "P") & (found["time_s"] > 0.1)]
    assert len(far) > 5
    assert far["is_outlier"].all()
    assert row_of(found, 12, 20, "S")["corrected_s"] == pytest.approx(0.124, abs=0.003)


def test_own_picks_go_through_the_verb_and_come_back_as_labels(tmp_path, line, capsys):
    own = [
        Pick(
            T0 + 60 * row.shot + row.sample / 1000,
            f"XX.{row.receiver}..HH",
            row.phase,
            0.9,
            sample=round(row.sample),
            sampling_rate=1000.0,
            start_time=T0 + 60 * row.shot,
            source=f"r{row.receiver}.mseed",
        )
        for row in table_of().itertuples(index=False)
    ]
    write_picks(own, tmp_path / "own.csv")
    markers, quakes = tmp_path / "corrected.markers", tmp_path / "corrected.xml"
    options = ["--geometry", line, "--markers", markers, "--quakeml", quakes]
    table = corrected(tmp_path, tmp_path / "own.csv", *options)
    assert set(table["shot"]) == {1, 12}
    assert row_of(table, 1, "XX.10..HH", "P")["how"] == "moved"
    at = UTCDateTime(row_of(table, 1, "XX.10..HH", "P")["corrected_time"])
    for path in (markers, quakes):
        arrivals = read_arrivals(path)
        assert len(arrivals) == len(table)
        [same] = [
            a for a in arrivals if (a.station, a.phase) == ("10", "P") and abs(a.time - at) < 1e-3
        ]
        assert same.network == "XX"
    # A person drags a marker by 20 ms and saves.
    arrivals = read_arrivals(markers)
    moved = [
        Arrival(a.time + 0.02 * (a.station == "5"), a.phase, a.network, a.station, a.event)
        for a in arrivals
    ]
    write_markers(moved, markers)
    wave = Waveform(np.ones((500, 1)), 1000.0, T0 + 60, ("Z",), "XX.5..HH")
    [record] = label_by_time([wave], read_arrivals(markers))
    before = row_of(table, 1, "XX.5..HH", "P")["corrected_sample"]
    assert record.arrivals["P"][0] == pytest.approx(before + 20, abs=0.01)
    assert record.event == "shot-1"


def test_own_picks_of_files_find_shot_and_receiver_by_name(tmp_path):
    zero = UTCDateTime(0)
    own = [
        Pick(
            zero + row.sample / 1000,
            f"t_{row.shot}_{row.receiver:02d}_",
            row.phase,
            0.9,
            sample=round(row.sample),
            sampling_rate=1000.0,
            start_time=zero,
            source=f"t_{row.shot}_{row.receiver:02d}_.txt",
        )
        for row in table_of().itertuples(index=False)
    ]
    write_picks(own, tmp_path / "own.csv")
    table = corrected(
        tmp_path, tmp_path / "own.csv", "--names", r"(?P<shot>\d+)_(?P<receiver>\d+)_"
    )
    assert len(table) == 4 * LINE
    row = row_of(table, 1, 10, "P")
    assert (row["sample"], row["how"]) == (400, "moved")
    assert row["corrected_time"].startswith("1970-01-01T00:00:00.08")


def test_lists_of_candidates_in_the_order_shot_receiver(tmp_path, capsys):
    lines = ["fname,itp_pred,itp_pred_prob,its_pred,its_pred_prob"]
    for shot in (1, 2):
        for r in range(1, LINE + 1):
            p, s = (60 + int(k) * abs(r - shot) for k in STEP.values())
            lines.append(f'a_{shot:02d}_{r:02d}_.npz,"[900, {p}]","[0.4, 0.8]",[{s}],[0.9]')
    lines[5] = "a_01_05_.npz,[],[],[],[]"
    lines[6] = "a_01_06_.npz,[84,[0.5],[],[]"
    path = write(tmp_path / "picks.csv", "\n".join(lines) + "\n")
    options = ["--shots", "2", "--receivers", str(LINE), "--settings", "default"]
    table = corrected(tmp_path, path, *options, status=1)
    assert "row 6: itp_pred: it should be a list of numbers" in capsys.readouterr().out
    assert row_of(table, 2, 7, "P")["sample"] == 75
    assert row_of(table, 1, 5, "S")["how"] == "filled"
    by_name = read_gather_picks(path, names=r"_(?P<shot>\d+)_(?P<receiver>\d+)_").table
    assert by_name[["shot", "receiver"]].max().tolist() == [2, LINE]
    with pytest.raises(ConfigError, match="received 3 times 24"):
        read_gather_picks(path, shots=3, receivers=LINE)
    assert main(["correct", path]) == 2


def test_bad_rows_are_named_and_the_rest_is_corrected(tmp_path, picks, capsys):
    with Path(picks).open("a") as file:
        file.write("1,x,P,70\n1,25,P,late\n1,26\n1,,P,60\n1,24,Lg,60\n1,24,P,140\n,3,P,66\n")
    table = corrected(tmp_path, picks, "--geometry", geometry_of(tmp_path), status=1)
    said = " ".join(capsys.readouterr().out.split())
    assert "geometry, row 2: x should be a number, received 'far'" in said
    assert "row 97: no offset" in said
    assert "row 98: sample should be a number, received 'late'" in said
    assert "row 99: it has 2 cells, the header 4" in said
    assert "row 100: it names no receiver" in said
    assert "row 101: no settings for this phase" in said
    assert "row 102" not in said  # a duplicate is no fault
    assert table["note"].str.startswith("duplicate").sum() == 2
    assert (table["how"] == "kept").sum() == 95


def geometry_of(tmp_path):
    rows = [f"{r},,{2 * r}\n" for r in range(1, LINE + 1)]
    text = "receiver,shot,x\n30,,3\n31,,far\n" + "".join(rows) + ",1,2\n,12,24\n"
    return write(tmp_path / "geometry.csv", text)


def test_receivers_without_picks_are_filled_on_request(tmp_path, picks, line):
    table = table_of()
    table[table["receiver"] != 15].to_csv(picks, index=False)
    options = ["--geometry", line]
    assert not (corrected(tmp_path, picks, *options)["receiver"] == 15).any()
    row = row_of(corrected(tmp_path, picks, *options, "--fill"), 1, 15, "P")
    assert row["how"] == "filled"
    assert row["corrected_sample"] == pytest.approx(60 + 3 * 14, abs=2)


def test_what_cannot_be_corrected_ends_with_2_and_says_why(tmp_path, picks, line, capsys):
    def refused(*arguments):
        assert main(["correct", *map(str, arguments)]) == 2
        return " ".join(capsys.readouterr().err.split())

    assert "none.csv cannot be read: no such file" in refused(tmp_path / "none.csv")
    other = write(tmp_path / "other.csv", "a,b\n1,2\n")
    assert "no table of picks: columns shot, receiver" in refused(other)
    assert "is no geometry" in refused(picks, "--geometry", other)
    named = write(tmp_path / "named.csv", "shot,receiver,phase,sample\n1,A,P,60\n")
    assert "give --geometry" in refused(named)
    said = refused(named, "--geometry", line)
    assert "no pick is of a shot and a receiver" in said
    assert said.endswith("split by shot where its headers do not tell them apart")
    few = write(tmp_path / "few.csv", "shot,receiver,phase,sample\n1,1,P,60\n1,2,P,\n")
    assert "needs six picks" in refused(few, "--output", tmp_path / "x.csv")
    assert "no setting 'repotr'" in refused(picks, "--settings", "repotr")
    figures = ("--plot", tmp_path / "f", "--output", tmp_path / "x.csv", "--plot-shots")
    said = refused(picks, *figures, "1,11,77")
    assert "no pick is of shot 11, 77; the nearest to 11: 12, 1" in said
    assert not (tmp_path / "x.csv").exists()
    assert "need the time of each" in refused(
        picks, "--markers", tmp_path / "m", "--output", tmp_path / "x.csv"
    )
    assert not (tmp_path / "m").exists()
    for option in ("--output", "--rules", "--markers", "--quakeml"):
        with pytest.raises(SystemExit, match="2"):
            refused(picks, option, f"{tmp_path}/new/")
        assert f"{option}: '{tmp_path}/new/' names a folder" in " ".join(
            capsys.readouterr().err.split()
        )


def test_of_two_records_of_a_shot_and_receiver_it_is_said_which_is_drawn(tmp_path, picks, capsys):
    (tmp_path / "raw").mkdir()
    for name in ("t_1_3_", "t_1_4_", "u_1_3_"):
        text = "".join(f"{n / 1000:.4f} {n % 7}\n" for n in range(300))
        (tmp_path / "raw" / f"{name}.txt").write_text(text)
    options = ["--sampling-rate-hz", 1000, "--names", r"_(?P<shot>\d+)_(?P<receiver>\d+)_"]
    options += ["--waveforms", tmp_path / "raw", "--plot", tmp_path / "figures"]
    corrected(tmp_path, picks, *options, "--plot-shots", "1")
    assert (
        "1 of 3 records are not drawn, for another is of the same shot and receiver (shot 1, "
        "receiver 3: t_1_3_, drawn is u_1_3_)"
    ) in " ".join("".join(capsys.readouterr()).split())


@pytest.mark.parametrize(("shots", "drawn"), [("12", [12]), ("01, 12", [1, 12]), ("", [1, 12])])
def test_shots_to_be_drawn_may_have_blanks_between_them(shots, drawn, tmp_path, picks):
    corrected(tmp_path, picks, "--plot", tmp_path / "figures", "--plot-shots", shots)
    names = sorted(path.name for path in (tmp_path / "figures").iterdir())
    assert names == [f"gather_{shot}.png" for shot in drawn]


def test_figures(tmp_path, picks, line):
    rng = np.random.default_rng(0)
    raw = tmp_path / "raw"
    raw.mkdir()
    for r in range(1, LINE + 1):
        data = np.concatenate([0.01 * rng.standard_normal(57 + 3 * r), rng.standard_normal(300)])
        text = "".join(f"{n / 1000:.4f} {value:.5f}\n" for n, value in enumerate(data))
        (raw / f"t_1_{r}_.txt").write_text(text)
    names = r"_(?P<shot>\d+)_(?P<receiver>\d+)_"
    found = read_gather_records([raw], names)
    assert sorted((s, int(r)) for s, r, _ in found) == [("1", r) for r in range(1, LINE + 1)]
    options = ["--sampling-rate-hz", 1000, "--names", names, "--waveforms", raw]
    table = corrected(tmp_path, picks, *options, "--plot", tmp_path / "figures")
    drawn = sorted(path.name for path in (tmp_path / "figures").iterdir())
    assert drawn == ["gather_1.png", "gather_12.png"]
    gather = table[table["shot"] == 1]
    records = {r: record for _, r, record in found}
    figure = plot_gather(gather, records, 1000.0)
    [axis] = figure.axes
    assert axis.get_ylabel() == "time (ms)"
    assert "shot 1: P 23 kept, 1 moved; S 24 kept" in axis.get_title(loc="left")
    lines = {tuple(np.round(item.get_xydata()[0])) for item in axis.lines if len(item.get_xdata())}
    assert (9.0, round(axis.get_ylim()[0])) in lines  # the outlier, beyond the view
    with pytest.raises(ConfigError, match="none of its rows"):
        plot_gather(gather.assign(offset_m=np.nan))


def test_many_traces_are_drawn_as_an_image(tmp_path):
    rng = np.random.default_rng(0)
    receivers = np.arange(1, 141)
    truth = 50 + 2.0 * np.abs(receivers - 60)
    table = pd.DataFrame({"shot": 60, "receiver": receivers, "phase": "P", "sample": truth})
    table.loc[::9, "sample"] = rng.uniform(0, 300, len(table[::9]))
    table.loc[20:30, "sample"] = np.nan
    table = correct_picks(table, CorrectionConfig(choose="given"))
    records = {}
    for receiver, at in zip(receivers, truth, strict=True):
        data = 0.1 * rng.standard_normal((300, 1))
        data[int(at) :, 0] += np.exp(-np.arange(300 - int(at)) / 30) * np.cos(
            np.arange(300 - int(at)) / 4
        )
        wave = Waveform(data, 1000.0, UTCDateTime(0), ("Z",), str(receiver))
        records[str(receiver)] = LabelledWaveform(wave, {})
    figure = plot_gather(table, records)
    assert figure.axes[0].collections[0].get_array().size == 140 * len(
        np.unique(figure.axes[0].collections[0].get_coordinates()[:-1, 0, 1])
    )
    assert figure.axes[0].get_ylabel() == "time (samples)"
    figure.savefig(tmp_path / "image.png", dpi=110)


def test_correct_loads_no_tensorflow(tmp_path, picks):
    command = ["correct", picks, "--output", str(tmp_path / "o.csv")]
    code = f"from phasenet_keras.cli import main\nassert main({command}) == 0"
    run_without((*FRAMEWORKS, "matplotlib"), code)


# Markers


@pytest.mark.shared
def test_the_survey_of_9216_traces(shared, tmp_path, capsys):
    folder = shared / "data/near_surface"
    options = ["--shots", 96, "--receivers", 96, "--settings", "report"]
    table = corrected(tmp_path, folder / "picks_9216.csv", *options)
    assert len(table) == 2 * 9216
    ancestor = pd.read_csv(folder / "picks_9216_corrected_by_ancestor.csv")
    for phase, column, bar in (("P", "itp", 1), ("S", "its", 2)):
        rows = table[table["phase"] == phase].sort_values(["shot", "receiver"])
        two_sided = rows["shot"].between(9, 88).to_numpy()
        away = (rows["corrected_sample"].round().to_numpy() - ancestor[column]).abs()[two_sided]
        assert away.median() <= bar
    assert "dropped 0 3" in " ".join(capsys.readouterr().out.split())


def test_a_proposed_pattern_reads_the_same_where_the_file_is_searched_first(tmp_path, capsys):
    head = "file_name,sampling_rate_hz,station_id,phase_time,phase_type,phase_score\n"
    rows = [f"set/day_2024_{n:02d},100,S_7_{n},2020-01-01T00:00:0{n},P,0.9\n" for n in range(1, 8)]
    table = write(tmp_path / "own.csv", head + "".join(rows))
    assert main(["correct", str(table)]) == 2
    pattern = r"S_(?P<shot>\d+)_(?P<receiver>\d+)"
    assert f"--namessuchas'{pattern}'" in "".join(capsys.readouterr().err.split())
    found = read_gather_picks(table, names=pattern).table
    assert (set(found["shot"]), [*found["receiver"]]) == ({7}, [*range(1, 8)])


@pytest.mark.parametrize(
    ("names", "pattern"),
    [
        (["t_01_02_", "t_01_13_", "t_02_02_"], r"_(?P<shot>\d+)_(?P<receiver>\d+)_"),
        (["1A.t_01_02_.00.HH", "1A.t_01_03_.00.HH"], r"_(?P<shot>\d+)_(?P<receiver>\d+)_"),
        (["1A.t_01_02_.00.HH", "1A.t_01_03.00.HH"], r"(?P<shot>\d+)-(?P<receiver>\d+)"),  # not all
        (["XX.A..HH"], r"(?P<shot>\d+)-(?P<receiver>\d+)"),
    ],
)
def test_names_of_shot_and_receiver_are_proposed_as_they_are(tmp_path, capsys, names, pattern):
    rows = [f"2020-01-01,100,{name},2020-01-01T00:00:0{n},P,0.9\n" for n, name in enumerate(names)]
    head = "begin_time,sampling_rate_hz,station_id,phase_time,phase_type,phase_score\n"
    table = write(tmp_path / "own.csv", head + "".join(rows))
    assert main(["correct", str(table)]) == 2
    said = "".join(capsys.readouterr().err.split())
    assert f"--namessuchas'{pattern}'" in said
    geometry = write(tmp_path / "geometry.csv", "shot,receiver,x\n,77,1\n77,,0\n")
    assert main(["correct", str(table), "--geometry", geometry]) == 2
    said = "".join(capsys.readouterr().err.split())
    assert f"--names,suchas'{pattern}',readsboth" in said
