"""From waveforms and a table of arrivals to a picker that beats its parent, on the command line."""

from __future__ import annotations

import argparse
import json

import h5py
import numpy as np
import pandas as pd
import pytest
from obspy import UTCDateTime
from texts import said, unaligned
from training_runs import onsets

from phasenet_keras import PhaseNet, Waveform
from phasenet_keras.cli import main
from phasenet_keras.cli.console import open_console
from phasenet_keras.cli.dataset import settle_dataset
from phasenet_keras.io.labels.rows import read_label_table
from phasenet_keras.io.parts import BadRow
from phasenet_keras.io.seisbench import read_dataset, write_dataset
from phasenet_keras.io.sources import read_labelled
from phasenet_keras.training.splits import assign_splits, facts_of, split_facts
from phasenet_keras.types import ConfigError, FormatError, LabelledWaveform


def write_line(folder, count):
    """Two-column text records in which a decaying signal sets in; returns the onsets."""
    folder.mkdir()
    onsets = []
    for n in range(count):
        rng = np.random.default_rng(n)
        data = 0.1 * rng.standard_normal(400)
        at = int(rng.integers(100, 250))
        t = np.arange(400 - at) / 100.0
        data[at:] += np.exp(-t) * np.cos(2 * np.pi * 10 * t)
        lines = (f"{k * 0.0005:.4f} {value:.6f}" for k, value in enumerate(data))
        (folder / f"trace_{n:03d}.txt").write_text("\n".join(lines) + "\n")
        onsets.append(at)
    return onsets


def test_one_line_of_records_becomes_a_picker(tmp_path, parent, capsys):
    onsets = write_line(tmp_path / "line", 60)
    labels = tmp_path / "labels.csv"
    labels.write_text("itp\n" + "".join(f"{at}\n" for at in onsets))
    data = str(tmp_path / "set")
    assert main(
        ["prepare", str(tmp_path / "line"), "--labels", str(labels), "--output", data]
    ) == 0  # fmt: skip
    said = capsys.readouterr().out
    first, second, _, *splits = said.splitlines()[:6]
    assert first.endswith("row 1 for trace_000.txt, row 60 for trace_059.txt")
    assert second.startswith("note split by blocks of neighbouring records")
    assert [line.split()[:2] for line in splits] == [
        ["dev", "8"],
        ["test", "16"],
        ["train", "36"],
    ]
    config = tmp_path / "config.json"
    settings = {"epochs": 25, "window_samples": 256, "learning_rate": 0.01, "shift_samples": 64}
    config.write_text(json.dumps({**settings, "tolerance_samples": 5}))
    run = str(tmp_path / "run")
    train = ["train", data, "--preset", parent, "--config", str(config), "--output", run]
    assert main(train) == 0
    said = capsys.readouterr().out
    assert "validation F1" in said
    lines = [line for line in unaligned(said).splitlines() if line.startswith("| ")]
    cells = [line.split(" | ") for line in lines[1:]]
    before_and_after = {row[0].removeprefix("| "): row[2].split(" ")[0] for row in cells}
    scores = {}
    for name, preset, sampling in (
        ("resampled", parent, "resample"),
        ("parent", parent, "reinterpret"),
        ("near-surface", "near-surface", "resample"),
        ("run", run, "reinterpret"),
    ):
        out = tmp_path / f"{name}.json"
        options = ["--tolerance-samples", "5", "--output", str(out), "--sampling", sampling]
        options += ["--channels", "Z"]
        assert main(["evaluate", preset, data, *options]) == 0
        scores[name] = json.loads(out.read_text())["P"]["f1"]
    assert scores["run"] > 0.9 > scores["parent"]
    assert before_and_after == {
        "small, resampled to 100 Hz": f"{scores['resampled']:.3f}",
        "small, samples as they are": f"{scores['parent']:.3f}",
        "near-surface": f"{scores['near-surface']:.3f}",
        "STA/LTA": "1.000",
        "trained": f"{scores['run']:.3f}",
    }
    assert "| P     | " in capsys.readouterr().out


def test_waveforms_and_labels_become_a_picker_by_one_command(tmp_path, parent, capsys):
    onsets = write_line(tmp_path / "line", 30)
    labels = tmp_path / "labels.csv"
    labels.write_text("itp\n" + "".join(f"{at}\n" for at in onsets))
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"epochs": 2, "window_samples": 256, "windows_per_record": 2}))
    options = ["--preset", parent, "--config", str(config), "--output"]
    run = tmp_path / "run"
    train = ["train", str(tmp_path / "line"), "--labels", str(labels), *options, str(run)]
    status = main(train)
    assert f"30 records (split by block) written to {run / 'dataset'}" in said(capsys)
    assert (run / "dataset" / "examples.png").is_file()
    data, other = str(tmp_path / "set"), tmp_path / "other"
    main(["prepare", str(tmp_path / "line"), "--labels", str(labels), "--output", data])
    assert main(["train", data, *options, str(other)]) == status
    weights = [PhaseNet.from_preset(folder / "best").get_weight_set() for folder in (run, other)]
    assert all(np.array_equal(array, weights[1][name]) for name, array in weights[0].items())
    capsys.readouterr()
    assert main(train) == status  # goes on, and there is nothing to do
    assert "dataset is complete, nothing to do (30 records" in said(capsys)


def order_of(records, parent, output, channels=None):
    return argparse.Namespace(
        records=str(records), labels=None, preset=parent, output=output, channels=channels
    )


def write_mixture(path, sets):
    with h5py.File(path, "w") as file:
        for n in range(24):
            channels = sets[n % len(sets)]
            data = np.random.default_rng(n).normal(size=(300, len(channels)))
            record = file.create_dataset(f"r{n:02d}", data=data)
            record.attrs.update(p_index=150.0, event=f"e{n // 4}", sampling_rate_hz=100.0)
            record.attrs["channels"] = channels
    return path


def test_a_network_of_two_channels_learns_from_all_records_that_have_both(tmp_path, parent, capsys):
    # Of 24 records 6 have Z alone: they lack what the most have.
    records = write_mixture(tmp_path / "mine.h5", ("ENZ", "EZ", "ENZ", "Z"))
    for name, channels, wanted, count in (
        ("two", "EZ", "EZ", 18),
        ("other", "xz", "EZ", 18),
        ("own", None, "ENZ", 12),
        ("all", "ENZ", "ENZ", 12),
        ("lacking", "NZ", "NZ", 12),
    ):
        order = order_of(records, parent, tmp_path / name, channels)
        made = read_dataset(settle_dataset(order, open_console(False)))
        assert [record.waveform.channels for record in made] == count * [tuple(wanted)]
        text = said(capsys)
        assert f"6 records of Z at 100 Hz: the data set holds {','.join(wanted)} at" in text
        assert ("6 records of E,Z at 100 Hz: the data set holds" in text) == (count == 12)
    # Where most lack one, it is padded.
    records = write_mixture(tmp_path / "few.h5", ("ENZ", "Z", "Z"))
    order = order_of(records, parent, tmp_path / "few", "EZ")
    made = read_dataset(settle_dataset(order, open_console(False)))
    assert [record.waveform.channels for record in made] == 16 * [("Z",)]
    text = said(capsys)
    assert (
        "8 records of E,Z at 100 Hz: the data set holds Z at 100 Hz, the most common, and the "
        "network pads the rest; phasenet-keras prepare --channels EZ takes those that have all"
    ) in text
    assert "phasenet-keras prepare --channels Z takes those of records with more" in text


def test_a_network_of_one_channel_learns_from_all_records_that_have_it(tmp_path, parent, capsys):
    records = write_mixture(tmp_path / "mine.h5", ("ENZ", "Z", "Z"))
    for name, channels, count in (("one", "z", 24), ("own", None, 16), ("all", "ENZ", 16)):
        order = order_of(records, parent, tmp_path / name, channels)
        made = read_dataset(settle_dataset(order, open_console(False)))
        assert [record.waveform.channels for record in made] == count * [("Z",)]
        hint = "phasenet-keras prepare --channels Z takes those of records with more"
        assert (hint in said(capsys)) == (count == 16)


@pytest.mark.parametrize("has_column", [False, True])
def test_a_data_set_without_splits_is_split_before_it_trains(has_column, tmp_path, parent, capsys):
    data = tmp_path / "set"
    write_dataset([r for n in range(6) for r in onsets(4, 4 * n, event=f"e{n}")], data)
    table = data / "metadata.csv"
    if not has_column:
        pd.read_csv(table).drop(columns="split").to_csv(table, index=False)
    before = table.read_bytes()
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"epochs": 1, "window_samples": 256, "windows_per_record": 2}))
    train = ["train", str(data), "--preset", parent, "--config", str(config), "--output"]
    assert main([*train, str(tmp_path / "run")]) in (0, 1)  # one epoch beats the parent, or not
    assert "24 records (split by event) written to" in said(capsys)
    assert main(["prepare", str(data), "--output", str(tmp_path / "same")]) == 0
    splits = [
        {r.name: r.split for r in read_dataset(folder)}
        for folder in (tmp_path / "run" / "dataset", tmp_path / "same")
    ]
    assert splits[0] == splits[1]
    assert set(splits[0].values()) == {"train", "dev", "test"}
    assert table.read_bytes() == before
    # Folds are splits of their own.
    order = order_of(data, parent, tmp_path / "c")
    assert settle_dataset(order, open_console(False), needs_splits=False) == data
    if not has_column:
        with pytest.raises(FormatError, match=r"no column 'split': `phasenet-keras prepare .*set "):
            read_dataset(data, "train")


def test_waveforms_to_train_on_need_labels(tmp_path, parent, capsys):
    write_line(tmp_path / "line", 3)
    run = tmp_path / "run"
    assert main(["train", str(tmp_path / "line"), "--preset", parent, "--output", str(run)]) == 2
    assert "holds no labels" in capsys.readouterr().err
    labels = tmp_path / "labels.csv"
    labels.write_text("fname,itp\nnone.txt,100\n")
    train = ["train", str(tmp_path / "line"), "--labels", str(labels), "--preset", parent]
    assert main([*train, "--output", str(run)]) == 2
    assert "there is no labelled record to train on" in capsys.readouterr().err
    assert not (run / "config.json").exists()


def test_what_is_wrong_with_an_order_to_train_is_said_before_waveforms_are_read(tmp_path, capsys):
    write_line(tmp_path / "line", 3)
    labels = tmp_path / "labels.csv"
    labels.write_text("itp\n100\n100\n100\n")
    order = [str(tmp_path / "line"), "--labels", str(labels), "--output"]
    for verb, output, options, words in (
        ("train", "run", ["--preset", "regionl"], "no preset 'regionl'"),
        ("train", "run", ["--strategy", "finetun"], "Did you mean 'finetune'"),
        ("compare", "run", ["--strategies", "finetun"], "Did you mean 'finetune'"),
        ("train", "line/run", ["--preset", "regional"], "all files of which are taken"),
    ):
        assert main([verb, *order, str(tmp_path / output), *options]) == 2
        assert words in capsys.readouterr().err
        assert not (tmp_path / output / "dataset").exists()


def test_rows_find_their_files_by_name_and_bad_rows_are_named(tmp_path, capsys):
    onsets = write_line(tmp_path / "line", 12)
    rows = [f"trace_{n:03d}.txt,{onsets[n]},{onsets[n] + 60}" for n in reversed(range(12))]
    rows[3] = "trace_099.txt,100,120"
    rows[5] = rows[5].split(",")[0] + ",5000,"
    labels = tmp_path / "labels.csv"
    labels.write_text("fname,itp,its\n" + "\n".join(rows) + "\n")
    out = str(tmp_path / "set")
    assert main(["prepare", str(tmp_path / "line"), "--labels", str(labels), "--output", out]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "skipped row 4: there is no file of this name" in said
    assert "skipped row 6: record trace_006: the P arrival at sample 5000 is outside" in said
    records = read_dataset(out)
    assert len(records) == 10
    assert records[0].name == "trace_011"
    assert records[0].arrivals == {"P": (onsets[11],), "S": (onsets[11] + 60,)}


def test_too_few_records_to_split_are_told_with_those_that_were_skipped(tmp_path, capsys):
    write_line(tmp_path / "line", 3)
    labels = tmp_path / "labels.csv"
    labels.write_text("fname,itp\ntrace_000.txt,100\ntrace_001.txt,5000\nother.txt,100\n")
    command = ["prepare", str(tmp_path / "line"), "--labels", str(labels), "--output"]
    assert main([*command, str(tmp_path / "set"), "--split-by", "block"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "three blocks at least are needed for three splits, there is 1" in said
    assert "2 rows or files were skipped: row 2: record trace_001: the P arrival at sample" in said
    assert "; row 3: there is no file of this name" in said
    labels.write_text("fname,itp\n" + "".join(f"trace_00{n}.txt,100\n" for n in range(2)))
    assert main([*command, str(tmp_path / "set"), "--split-by", "block"]) == 2
    assert "skipped" not in capsys.readouterr().err


def test_an_empty_field_was_looked_for_and_a_missing_column_was_not(tmp_path):
    write_line(tmp_path / "line", 2)
    labels = tmp_path / "labels.csv"
    labels.write_text("p_index,s_index\n100,\n110,150\n")
    [first, second] = read_labelled(tmp_path / "line", labels)
    assert first.arrivals == {"P": (100.0,), "S": ()}
    assert second.arrivals == {"P": (110.0,), "S": (150.0,)}
    labels.write_text("p_index\n100\n110\n")
    [first, _] = read_labelled(tmp_path / "line", labels)
    assert first.arrivals == {"P": (100.0,)}


def test_a_row_with_more_cells_than_the_header_is_refused(tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text("fname,itp,its\na.txt,117,2,200,5\n")
    with pytest.raises(FormatError, match="row 1 has 5 cells, the header 3: a comma in"):
        read_label_table(table)
    table.write_text("fname,itp,its\na.txt,117,200,,\n")
    assert read_label_table(table).rows[0] == {"fname": "a.txt", "itp": "117", "its": "200"}


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_a_comma_between_digits_is_a_decimal_comma_where_commas_do_not_separate(
    tmp_path, delimiter
):
    write_line(tmp_path / "line", 2)
    table = 'fname,itp,its,event,offset_m\ntrace_000.txt,117:2,"120:5 130",a:1,2:5\n'
    labels = tmp_path / "labels.csv"
    labels.write_text(table.replace(",", delimiter).replace(":", ","))
    [record] = read_labelled(tmp_path / "line", labels)
    assert record.arrivals == {"P": (117.2,), "S": (120.5, 130.0)}
    assert (record.event, record.waveform.offset_m) == ("a,1", 2.5)
    labels.write_text('fname,itp\ntrace_000.txt,"117, 200"\n')  # with a blank it lists arrivals
    [record] = read_labelled(tmp_path / "line", labels)
    assert record.arrivals == {"P": (117.0, 200.0)}
    labels.write_text("fname;itp\ntrace_000.txt;100,200,300\n")  # whatever is meant
    [bad] = read_labelled(tmp_path / "line", labels)
    assert "itp should be a number" in bad.text


def test_tables_that_cannot_be_used_are_refused(tmp_path):
    write_line(tmp_path / "line", 3)
    labels = tmp_path / "labels.csv"
    labels.write_text("a,b\n1,2\n")
    with pytest.raises(FormatError, match="no file of arrivals known here"):
        list(read_labelled(tmp_path / "line", labels))
    labels.write_text("itp\n100\n")
    with pytest.raises(FormatError, match=r"has 1 rows .* there are 3 files"):
        list(read_labelled(tmp_path / "line", labels))
    with pytest.raises(FormatError, match=r"none\.csv cannot be read: no such file$"):
        list(read_labelled(tmp_path / "line", tmp_path / "none.csv"))


@pytest.mark.shared
def test_specfem_ascii_output_with_its_labels(shared):
    run = shared / "data/specfem2d/native/run1_flat_ascii"
    records = list(read_labelled(run, run / "labels.csv"))
    assert not any(isinstance(record, BadRow) for record in records)
    assert len(records) == 16
    first = records[0]
    assert first.waveform.station == "AA.S0001..BX"
    assert first.waveform.channels == ("E", "Z")  # X and Z
    assert first.arrivals == {"P": (32.5,), "S": (43.53,)}
    assert first.waveform.offset_m == 4.0
    assert first.waveform.sampling_rate == pytest.approx(2000.0)
    assert first.gather == "run1_flat_ascii source 1"


def make_records(count, **fields):
    wave = Waveform(np.ones((10, 1)), 100.0, UTCDateTime(0), ("Z",), "A")
    return [
        LabelledWaveform(wave, {}, name=str(n), event=f"e{n // 5}", **fields) for n in range(count)
    ]


@pytest.mark.parametrize(("by", "size"), [("event", 5), ("block", 8)])
def test_splits_keep_groups_together(by, size):
    facts = [facts_of(record) for record in make_records(240)]
    splits = split_facts(facts, by)
    assert set(splits) == {"train", "dev", "test"}
    for begin in range(0, 240, size):
        assert len(set(splits[begin : begin + size])) == 1
    assert splits.count("train") / 240 == pytest.approx(0.6, abs=0.05)
    assert splits == split_facts(facts, by)


def test_records_in_memory_get_their_splits():
    """By event where there are three; copies, which only the samples tell, stay together."""
    records = assign_splits(make_records(240))
    facts = [facts_of(record) for record in records]
    assert [record.split for record in records] == split_facts(facts, "event")
    assert [record.name for record in records] == [str(n) for n in range(240)]
    data = [np.random.default_rng(n % 12).random((9, 1)) for n in range(24)]
    waves = [Waveform(d, 9.0, UTCDateTime(0), ("Z",), f"{n}") for n, d in enumerate(data)]
    copies = [LabelledWaveform(wave, {}, wave.station) for wave in waves]
    for seed in range(5):
        splits = [record.split for record in assign_splits(copies, "station", seed)]
        assert splits[:12] == splits[12:]


def test_impossible_splits_are_refused():
    with pytest.raises(ConfigError, match="Did you mean 'event'"):
        assign_splits(make_records(20), by="events")
    with pytest.raises(ConfigError, match="no record names its gather"):
        assign_splits(make_records(20), by="gather")
    facts = [facts_of(record) for record in make_records(20)]
    with pytest.raises(ConfigError, match="Did you mean 'event'"):
        split_facts(facts, "events")
    with pytest.raises(ConfigError, match=r"three stations at least .* there is 1: label"):
        split_facts(facts, "station")


@pytest.mark.parametrize("verb", [["train", "set"], ["prepare", "a.npz"]], ids=lambda v: v[0])
def test_impossible_seeds_are_refused_before_anything_is_read(verb, tmp_path, capsys):
    for seed in ("-1", "4294967296", "x"):
        with pytest.raises(SystemExit, match="2"):
            main([*verb, "--seed", seed, "--output", str(tmp_path / "out")])
        words = f"--seed: a whole number from 0 to 4294967295, received '{seed}'"
        assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_impossible_settings_are_refused_before_anything_is_read(tmp_path, capsys):
    config = tmp_path / "config.json"
    config.write_text('{"refit": "no"}')
    for verb in ("train", "compare"):
        command = [verb, "no-set", "--config", str(config), "--output", str(tmp_path / "out")]
        assert main(command) == 2
        assert "refit is true or false, or None, received 'no'" in capsys.readouterr().err
