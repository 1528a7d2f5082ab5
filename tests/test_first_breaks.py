"""First breaks of shots as programs for refraction keep them: sgt files, and plain tables."""

from __future__ import annotations

import numpy as np
import pytest
from traces import noise

from phasenet_keras import read_labelled
from phasenet_keras.io.labels.files import label_table
from phasenet_keras.io.labels.first_breaks import first_breaks
from phasenet_keras.io.registry import noted
from phasenet_keras.types import FormatError

N_TRACES = 3
# Text of columns begins 50 ms before the shot: 100 samples at 2 kHz.
TIME_S = -0.05 + np.arange(600) / 2000
POSITIONS = "5 # shot/geophone points\n#x\ty\n0\t0\n2\t0\n3\t0\n4\t0\n5\t0\n"
MEASURED = ((3, 1, 10.5), (3, 2, 12.0), (3, 4, 15.0), (5, 1, 20.0), (5, 4, 30.25))


def write_shots(folder, names=("1001.txt", "1002.txt")):
    folder.mkdir()
    for number, name in enumerate(names):
        traces = [noise(TIME_S.size, seed=N_TRACES * number + n) for n in range(N_TRACES)]
        np.savetxt(folder / name, np.stack([TIME_S, *traces], axis=1), header="Time (s) S1 S2 S3")


def sgt(measured=MEASURED, names="s g t", scale=1e-3):
    rows = "".join(f"{s}\t{g}\t{t * scale:.6f}\t1\n" for s, g, t in measured)
    return f"{POSITIONS}{len(measured)} # measurements\n#{names} valid\n{rows}\n"


def labels_of(tmp_path, text, name="line.sgt"):
    (tmp_path / name).write_text(text)
    with noted() as said:
        records = {r.name: r for r in read_labelled(tmp_path / "shots", tmp_path / name)}
    return {name: record.arrivals for name, record in records.items()}, " ".join(said), records


@pytest.mark.parametrize(("names", "scale"), [("s g t", 1e-3), ("s g t/ms", 1.0)])
def test_an_sgt_file_names_shots_and_geophones_by_their_positions(tmp_path, names, scale):
    write_shots(tmp_path / "shots")
    found, said, records = labels_of(tmp_path, sgt(names=names, scale=scale))
    assert found == {
        "1001-0001": {"P": (121.0,)},
        "1001-0002": {"P": (124.0,)},
        "1001-0003": {"P": (130.0,)},
        "1002-0001": {"P": (140.0,)},
        "1002-0003": {"P": (160.5,)},
    }
    assert {record.gather for record in records.values()} == {"1001", "1002"}
    assert "position 3 for 1001.txt, position 5 for 1002.txt" in said
    assert "position 1 for the first, 4 for the last" in said


@pytest.mark.parametrize("valid", ["0", "0.0", "nan"])
def test_measurements_that_are_not_valid_are_left_out_and_count_as_rows(tmp_path, valid):
    write_shots(tmp_path / "shots")
    text = sgt().replace("0.020000\t1", f"0.020000\t{valid}")
    assert "1002-0001" not in labels_of(tmp_path, text)[0]
    with pytest.raises(FormatError, match="p_after_trigger_s of row 5 should be a number"):
        labels_of(tmp_path, text.replace("0.030250", "0,030250"))


def test_comments_of_an_sgt_file_may_be_anywhere(tmp_path):
    write_shots(tmp_path / "shots")
    text = "# by K.\n\n" + sgt().replace("3\t2\t", "# far\n3\t2\t").replace(
        "15000\t1", "15000 1 # ?"
    )
    assert labels_of(tmp_path, text)[0] == labels_of(tmp_path, sgt())[0]


@pytest.mark.parametrize(
    ("measured", "words"),
    [
        (MEASURED[:3], "1 shot and 3 geophones, there are 2 files of 3 traces, and as many are"),
        (MEASURED[1:2] + MEASURED[3:], None),
        ([row for row in MEASURED if row[1] != 2], "2 shots and 2 geophones, there are 2 files of"),
        (MEASURED[::-1], "shots are measured in another order than that of their positions"),
    ],
)
def test_an_sgt_file_that_may_mean_other_files_or_traces_is_refused(tmp_path, measured, words):
    write_shots(tmp_path / "shots")
    if words is None:  # one trace without a pick is no doubt
        assert len(labels_of(tmp_path, sgt(measured))[0]) == 3
        return
    with pytest.raises(FormatError, match=words):
        labels_of(tmp_path, sgt(measured))


def test_sgt_files_that_are_cut_short_of_other_units_or_two(tmp_path):
    with pytest.raises(FormatError, match="should hold 5 measurements of s g t valid; received 4"):
        first_breaks(sgt().rsplit("\n", 3)[0])
    with pytest.raises(FormatError, match="times should be in one of s, ms, us, received 'min'"):
        first_breaks(sgt(names="s g t/min"))
    with pytest.raises(FormatError, match="its columns s g t t should be there once"):
        first_breaks(sgt().replace("t valid", "t t"))
    for number in ("0", "6", "-1", "1.5", "inf", "x"):
        text = sgt().replace("5\t4\t", f"5\t{number}\t")
        with pytest.raises(FormatError, match=rf"row 5 is of shot 5 and geophone {number}: both"):
            first_breaks(text)
    assert first_breaks(sgt(names="a b rhoa")) is None
    assert first_breaks("1 # positions\n0 0\n3\n") is None
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/note.txt").write_text("by K.\n")
    (tmp_path / "labels/cut.sgt").write_text(sgt().rsplit("\n", 3)[0])
    with pytest.raises(FormatError, match=r"cut\.sgt: it should hold 5 measurements"):
        label_table(tmp_path / "labels")
    for name in ("a.sgt", "b.sgt"):
        (tmp_path / name).write_text(sgt())
    with pytest.raises(FormatError, match="2 files of labels: each sgt file numbers its own shots"):
        label_table([tmp_path / "a.sgt", tmp_path / "b.sgt"])


TABLE = "Shot No.;Geophone #;{}\r\n1001;1;{:g}\r\n1001;3;{:g}\r\n1002;2;{:g}\r\n"


@pytest.mark.parametrize("name", ["time after trigger ms", "First Break after Trigger (ms)"])
def test_a_plain_table_of_first_breaks_is_of_p(tmp_path, name):
    write_shots(tmp_path / "shots")
    text = "\ufeff" + TABLE.format(name, 10.5, 15, 20.25).replace(".5", ",5").replace(".25", ",25")
    found, said, _ = labels_of(tmp_path, text, "picks.csv")
    assert found == {
        "1001-0001": {"P": (121.0,)},
        "1001-0003": {"P": (130.0,)},
        "1002-0002": {"P": (140.5,)},
    }
    assert ("no column tells the phase (phase): all arrivals" in said) == name.startswith("time")


@pytest.mark.parametrize("name", ["time ms", "First Break (ms)"])
def test_first_breaks_that_may_count_from_two_times_are_refused(tmp_path, name):
    write_shots(tmp_path / "shots")
    (tmp_path / "picks.csv").write_text(TABLE.format(name, 60.5, 65, 70))
    bad = [*read_labelled(tmp_path / "shots", tmp_path / "picks.csv")]
    assert len(bad) == 3
    assert "name the column p_ms (since the first sample) or p_after_trigger_ms" in bad[0].text
    assert "which are 50 ms apart in 1001.txt" in bad[0].text


def test_first_breaks_in_samples_or_of_files_that_begin_at_0_need_no_more(tmp_path):
    write_shots(tmp_path / "shots")
    text = TABLE.format("First Break (samples)", 121, 130, 140.5)
    assert labels_of(tmp_path, text, "picks.csv")[0]["1002-0002"] == {"P": (140.5,)}
    with pytest.raises(FormatError, match=r"understood shot, geophone, sample\. A row is of"):
        labels_of(tmp_path, TABLE.format("Sample No.", 121, 130, 140.5), "picks.csv")
    for path in (tmp_path / "shots").iterdir():
        rows = np.loadtxt(path)
        np.savetxt(path, rows + [0.05, 0, 0, 0], header="Time (s) S1 S2 S3")
    text = TABLE.format("time [ms]", 60.5, 65, 70)
    assert labels_of(tmp_path, text, "picks.csv")[0]["1001-0001"] == {"P": (121.0,)}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0.000 8.000 49.83 1\n2.000 8.000 56.12 1\n", "write these above it, such as fname"),
        (" Shot  Trace  Pos.  Shot Pos.  Break\n 1 1 0.0 4.0 49.83\n", "twice.*blanks separate"),
        ("Shots,Traces,Pck (ms)\n1,1,49.83\n", r"shots \(shot\?\), .*pck_ms \(p_ms\?\)"),
        ("shot,trace,time after shot ms\n1,1,4\n", r"shot_ms \(time_after_trigger_ms\?\)"),
    ],
)
def test_tables_of_other_programs_are_told_which_columns_are_wanted(tmp_path, text, words):
    write_shots(tmp_path / "shots")
    with pytest.raises(FormatError, match=words):
        labels_of(tmp_path, text, "picks.txt")
