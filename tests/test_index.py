"""Files, folders and patterns that a person names: nothing is passed over, nothing taken twice."""

from __future__ import annotations

import pytest
from obspy import UTCDateTime, read
from records import write_station

from phasenet_keras import prepare, read_labelled, read_waveforms
from phasenet_keras.cli import main
from phasenet_keras.io.index import expand_paths
from phasenet_keras.io.tables import read_picks
from phasenet_keras.types import ConfigError


def files_in(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


def shown(root, *sources):
    return [path.relative_to(root).as_posix() for path in expand_paths(sources)]


def test_one_name_is_one_path_and_not_its_letters(tmp_path, monkeypatch):
    root = files_in(tmp_path, "in/1.x", "in/2.x", "a", "b")
    for source in (root / "in", str(root / "in"), str(root / "in" / "*")):
        assert expand_paths(source) == [root / "in" / "1.x", root / "in" / "2.x"]
    monkeypatch.chdir(root)
    assert [str(path) for path in expand_paths("ab")] == ["ab"]
    assert [str(path) for path in expand_paths("in/")] == ["in/1.x", "in/2.x"]


@pytest.mark.parametrize("given", [3, print, [["a.x"]], [UTCDateTime(0)]])
def test_what_is_no_path_is_refused(given, tmp_path):
    text = r"a text or a Path names .* \('in/\*\.sac'\), received [a-zU]"
    with pytest.raises(ConfigError, match=text):
        read_waveforms(given)
    with pytest.raises(ConfigError, match=text):
        list(read_labelled(given))
    with pytest.raises(ConfigError, match=text):
        prepare(given, tmp_path / "set")
    with pytest.raises(ConfigError, match=text):
        prepare(tmp_path, tmp_path / "set", given)
    assert not (tmp_path / "set").exists()


def test_what_is_in_memory_is_refused_with_what_to_do(tmp_path):
    table = pytest.importorskip("pandas").DataFrame({"p_sample": [300]})
    for given in (read(), read()[0]):
        kind = type(given).__name__
        for call in (lambda x: list(read_labelled(x)), lambda x: prepare(x, tmp_path / "set")):
            with pytest.raises(ConfigError, match=rf"received {kind}: .*\.write\(.*write_dataset"):
                call(given)
    with pytest.raises(ConfigError, match=r"received DataFrame: write it to one \(\.to_csv\("):
        list(read_labelled(tmp_path, table))
    with pytest.raises(ConfigError, match=r"received DataFrame: write it to one \(\.to_csv\("):
        prepare(tmp_path, tmp_path / "set", table)


def test_linked_folders_are_followed_in_order(tmp_path):
    files_in(tmp_path / "elsewhere", "2.x", "deep/1.x", ".hidden/3.x", ".4.x")
    root = files_in(tmp_path / "in", "a/1.x", "c.x", "z/1.x")
    (root / "b").symlink_to(tmp_path / "elsewhere")
    (root / ".d").symlink_to(tmp_path / "elsewhere")
    assert shown(root, root) == ["a/1.x", "b/2.x", "b/deep/1.x", "c.x", "z/1.x"]


def test_links_that_go_round_in_circles_end(tmp_path):
    root = files_in(tmp_path / "in", "a/1.x", "b/2.x")
    (root / "a" / "up").symlink_to(root)
    (root / "b" / "across").symlink_to(root / "a")
    (root / "c").symlink_to(root / "c")
    assert shown(root, root) == ["a/1.x", "b/2.x"]
    assert shown(root, root / "**") == ["a/1.x", "b/2.x"]
    assert shown(root, root / "**" / "b") == ["b/2.x"]


def test_a_pattern_takes_the_folders_that_it_matches(tmp_path):
    root = files_in(tmp_path, "in1/a/1.x", "in1/2.x", "in2/3.x", "in3.x", "other/4.x")
    (root / "in0").mkdir()
    assert shown(root, root / "in*") == ["in1/2.x", "in1/a/1.x", "in2/3.x", "in3.x"]
    assert shown(root, root / "in1" / "**") == ["in1/2.x", "in1/a/1.x"]
    assert shown(root, root / "in1" / "**" / "*.x") == ["in1/2.x", "in1/a/1.x"]
    assert shown(root, root / "in[0]") == ["in0"]


@pytest.mark.parametrize("other", ["./in/1.x", "in/../in/1.x", "{root}/in/1.x", "link.x", "in"])
def test_a_file_is_taken_once_by_its_first_name(tmp_path, monkeypatch, other):
    files_in(tmp_path, "in/1.x")
    (tmp_path / "link.x").symlink_to(tmp_path / "in" / "1.x")
    monkeypatch.chdir(tmp_path)
    named = ["in/1.x", other.format(root=tmp_path)]
    assert [str(path) for path in expand_paths(named)] == ["in/1.x"]
    assert len(expand_paths(reversed(named))) == 1


def test_a_linked_station_is_picked_once(preset, tmp_path):
    (tmp_path / "far").mkdir()
    file = write_station(tmp_path / "far" / "a.mseed")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "linked").symlink_to(tmp_path / "far")
    out = tmp_path / "p.csv"
    named = [str(tmp_path / "in"), file]
    assert main(["pick", *named, "--preset", preset, "--output", str(out)]) == 0
    assert len(read_picks(out)) == 1


def test_what_is_left_out_is_taken_where_it_is_named(tmp_path):
    root = files_in(tmp_path, "in/1.x", "in/own.x", "in/own.x.parts/2.x", "only/own.x")
    own = [root / "in" / "own.x", root / "in" / "own.x.parts", root / "only" / "own.x"]
    for source in (root / "in", root / "in" / "*", root / "in" / "**"):
        assert expand_paths([source], own) == [root / "in" / "1.x"]
    assert expand_paths([root / "in", own[0]], own) == [root / "in" / "1.x", own[0]]
    assert expand_paths([root / "only"], own) == [root / "only"]


@pytest.mark.parametrize("inside", ["", "*", "**"])
def test_a_run_does_not_read_what_it_wrote_before(preset, tmp_path, inside):
    write_station(tmp_path / "a.mseed")
    out = tmp_path / "picks.csv"
    command = ["pick", str(tmp_path / inside), "--preset", preset, "--output", str(out)]
    files_in(tmp_path, "picks.csv.parts/0-00000.csv")  # of a run that was killed
    for _ in range(2):
        assert main(command) == 0
        assert len(read_picks(out)) == 1


def test_annotations_among_the_records_are_not_records(preset, tmp_path):
    write_station(tmp_path / "a.mseed")
    command = ["annotate", str(tmp_path), "--preset", preset, "--output", str(tmp_path)]
    assert [main(command), main(command)] == [0, 0]
    assert len(list(tmp_path.glob("*.npz"))) == 1
