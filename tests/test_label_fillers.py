"""Numbers and cells that stand for no arrival, and labels that are there twice."""

from __future__ import annotations

import re
from dataclasses import replace

import h5py
import numpy as np
import pytest
from sources import T0, noise, run, write_text_files

from phasenet_keras import Waveform
from phasenet_keras.io.labels.npz import npz_arrivals
from phasenet_keras.io.parts import BadRow
from phasenet_keras.io.registry import noted
from phasenet_keras.io.sources import read_labelled
from phasenet_keras.training.checks_arrivals import check_places
from phasenet_keras.types import LabelledWaveform

NAMES = [f"t{n}.txt" for n in range(8)]  # 2 kHz, 400 samples


def read(tmp_path, table):
    if not (tmp_path / "in").exists():
        write_text_files(tmp_path / "in", NAMES)
    (tmp_path / "l.csv").write_text(table)
    with noted() as said:
        items = list(read_labelled(tmp_path / "in", tmp_path / "l.csv"))
    bad = [item for item in items if isinstance(item, BadRow)]
    return {item.name: item.arrivals for item in items if not isinstance(item, BadRow)}, bad, said


def test_zeros_far_below_all_others_are_no_arrivals(tmp_path):
    p_ms = [50, 0, 62.5, 0, 71, "0.000", 58, 90]
    s_ms = [80, 95, "", 99, 0, 101, 120, 130]
    rows = [f"{name},{p},{s}\n" for name, p, s in zip(NAMES, p_ms, s_ms, strict=True)]
    found, bad, said = read(tmp_path, "fname,p_ms,s_ms\n" + "".join(rows))
    assert (found["t1"], found["t3"]) == ({"S": (190.0,)}, {"S": (198.0,)})
    assert found["t0"] == {"P": (100.0,), "S": (160.0,)}
    assert found["t4"] == {"P": (142.0,), "S": (0.0,)}  # one alone may be true
    assert bad == []
    assert "p_ms is 0 in 3 of 8 rows, all others are well above: taken for no P" in said[0]
    rows = [f"{name},{p}\n" for name, p in zip(NAMES, p_ms, strict=True)]
    found, bad, _ = read(tmp_path, "fname,p_ms\n" + "".join(rows))
    assert sorted(found) == ["t0", "t2", "t4", "t6", "t7"]
    assert [str(item) for item in bad] == [f"row {n}: it has no arrival in p_ms" for n in (2, 4, 6)]


@pytest.mark.parametrize(
    "samples",
    [[0, 3, 40, 90, 0, 5, 60, 150], [0, 6, 12, 18, 6, 0, 6, 12], [0] * 8, [0, *range(90, 97)]],
)
def test_zeros_among_small_numbers_are_arrivals(tmp_path, samples):
    rows = [f"{name},{sample}\n" for name, sample in zip(NAMES, samples, strict=True)]
    found, bad, said = read(tmp_path, "fname,itp\n" + "".join(rows))
    assert [arrivals["P"] for arrivals in found.values()] == [(float(n),) for n in samples]
    assert (bad, said) == ([], [])


@pytest.mark.parametrize("cell", ["n/a", "N/A", "#N/A", "NA", "null", "-", ""])
def test_a_cell_of_no_number_is_an_empty_one(tmp_path, cell):
    found, bad, said = read(tmp_path, f"fname,itp,its\nt0.txt,100,{cell}\nt1.txt,100,150\n")
    assert (found["t0"]["P"], found["t0"]["S"], bad) == ((100.0,), (), [])
    assert "its is empty, or NaN and such, in 1 of 2 rows" in said[0]


def test_it_is_said_how_many_rows_have_no_arrival_and_are_taken_for_absent(tmp_path):
    rows = [
        f"{name},{p},200\n" for name, p in zip(NAMES, [9, "", 8, "NaN", "-", 7, 6, 5], strict=True)
    ]
    found, _, [said] = read(tmp_path, "fname,itp,its\n" + "".join(rows))
    assert found["t1"] == found["t3"] == {"P": (), "S": (200.0,)}
    assert "itp is empty, or NaN and such, in 3 of 8 rows: P is taken as looked for" in said


def test_two_rows_of_one_onset_are_asked_about(tmp_path):
    rows = ["t0.txt,100", "t1.txt,100", "t0.txt,103", "t1.txt,150", "t2.txt,100", "t2.txt,100"]
    found, _, said = read(tmp_path, "fname,itp\n" + "\n".join(rows) + "\n")
    assert [found[name]["P"] for name in ("t0", "t1", "t2")] == [
        (100.0, 103.0),
        (100.0, 150.0),
        (100.0,),
    ]
    assert [text for text in said if text.startswith("row")] == [
        "row 3 has a P of t0 3 samples from that of an earlier row, at sample 100: both are "
        "labels; if they are two picks of one onset, leave one out",
        "row 6 repeats an earlier one of t2",
    ]


def test_rows_of_a_record_in_any_order_are_compared_with_all_earlier_ones(tmp_path):
    """Day files have thousands: each is compared with its neighbours in time."""
    picks = [300, 100, 250, 130, 300, 160, 90, 0, 350]
    rows = "".join(f"t0.txt,{at}\n" for at in picks)
    found, _, said = read(tmp_path, f"fname,itp\n{rows}")
    assert found["t0"]["P"] == (0.0, 90.0, 100.0, 130.0, 160.0, 250.0, 300.0, 350.0)
    words = [re.match(r"row (\d) has .* (\d+) samples from .* at sample (\d+):", t) for t in said]
    near = [tuple(map(int, match.groups())) for match in words if match]
    assert near == [(4, 30, 100), (6, 30, 130), (7, 10, 100)]
    assert [text for text in said if "repeats" in text] == ["row 5 repeats an earlier one of t0"]


def test_numbers_for_no_arrival_in_attributes_and_arrays_are_unknown(tmp_path, capsys):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for n in range(12):
            record = file.create_dataset(f"r{n:02d}", data=noise(n, 300, 3))
            p = 0 if n % 3 == 0 else 100.5 + n
            record.attrs.update(p_index=p, s_index=(-1, -999, 200)[n % 3], split="train")
    records = list(read_labelled(tmp_path / "a.h5"))
    assert [sorted(record.arrivals) for record in records[:3]] == [["P"], ["P"], ["P", "S"]]
    [finding] = check_places(records)
    assert (finding.name, finding.text[:44]) == (
        "labels at sample 0",
        "4 of 12 arrivals of P are at sample 0, all o",
    )
    assert run(tmp_path / "a.h5", "--output", tmp_path / "set") == 0
    assert "note labels at sample 0: 4 of 12" in " ".join(capsys.readouterr().out.split())
    np.savez(tmp_path / "a.npz", data=noise(1, 300, 3), itp=[50, -1], its=-999)
    assert npz_arrivals(tmp_path / "a.npz") == {"P": (50.0,)}


def test_samples_with_a_point_between_thousands_look_like_seconds():
    wave = Waveform(noise(1, 4096), 5e6, T0, ("Z",), "A")
    for thousand in (1, 1000):
        samples = [(1900 + 60 * n) / thousand for n in range(8)]
        found = check_places([LabelledWaveform(wave, {"P": (sample,)}) for sample in samples])
        assert [item.name for item in found] == ["labels look like seconds"] * (thousand == 1000)


@pytest.mark.parametrize(("n_same", "is_said"), [(10, True), (9, True), (8, False)])
def test_s_at_the_sample_of_p_is_said(n_same, is_said):
    wave = Waveform(noise(1, 4096), 100.0, T0, ("Z",), "A")
    places = [(900.0 + n, 900.0 + n + (n >= n_same)) for n in range(10)]
    found = check_places([LabelledWaveform(wave, {"P": (p,), "S": (s,)}) for p, s in places])
    assert [finding.name for finding in found] == ["S at P"] * is_said
    text = f"S is at the very sample of P in {n_same} of 10 records that have both: was one"
    assert all(finding.text.startswith(text) for finding in found)


def test_the_first_s_of_a_swarm_is_of_the_event_before():
    """What a swarm in Iceland has in 40 windows: P and S of each, and whether S is first."""

    def record(p_samples, s_samples):
        wave = Waveform(np.ones((1000, 1), "f4"), 100.0, T0, ("Z",), "S")
        return LabelledWaveform(wave, {"P": p_samples, "S": s_samples})

    swarm = [
        *[record((200.0,), (400.0,))] * 8,
        *[record((600.0,), (100.0,))] * 7,
        *[record((300.0,), (100.0, 500.0))] * 14,
        *[record((200.0, 600.0), (400.0,))] * 11,
    ]
    [finding] = check_places(swarm)  # 21 of 40 begin with an S
    assert finding.name == "S before P in some records"
    assert "it is in 7 of 40 that have both" in finding.text
    assert "unless they are of two events" in finding.text
    usual = [record((200.0, 600.0), (400.0, 800.0)), *[record((200.0,), (400.0,))] * 9]
    exchanged = [replace(r, arrivals={"P": r.arrivals["S"], "S": r.arrivals["P"]}) for r in usual]
    assert check_places(usual) == []
    assert [found.name for found in check_places(exchanged)] == ["S before P"]
