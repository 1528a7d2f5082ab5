"""A run that cannot be is refused before its folder is claimed, and leaves nothing changed."""

from __future__ import annotations

import ast
import random
import shutil
from dataclasses import replace

import numpy as np
import pytest
from training_runs import CONFIG, onsets, same, small_parent

from phasenet_keras import Picker, compare, evaluate, train
from phasenet_keras.io.parts import BadRow
from phasenet_keras.training.demands import check_no_leak, check_one_rate
from phasenet_keras.training.pseudo_records import GatherTrace
from phasenet_keras.training.selftrain import self_train
from phasenet_keras.training.teacher import Teacher
from phasenet_keras.types import ConfigError

SHORT = replace(CONFIG, epochs=1, refit=False)


def at_rate(records, rate):
    return [replace(r, waveform=replace(r.waveform, sampling_rate=rate)) for r in records]


def states():
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002
    return random.getstate(), (kind, keys.tolist(), *rest)


def test_the_global_generators_are_as_they_were(tmp_path):
    """A notebook's loop of permutations and runs gets another permutation each time."""
    parent = small_parent()
    random.seed(5)
    np.random.seed(6)  # noqa: NPY002
    before = states()
    train(parent, onsets(8), onsets(4, 50), tmp_path / "a", config=SHORT)
    assert states() == before

    def fail(report):
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        train(parent, onsets(8), onsets(4, 50), tmp_path / "b", config=SHORT, on_epoch=fail)
    assert states() == before


def test_records_of_several_rates_are_refused_and_nothing_is_claimed(tmp_path):
    slow = at_rate(onsets(4, 50), 50.0)
    for dev, test, words in (
        (slow, [], r"\(to train on 100 Hz; to validate on 50 Hz\): bring them to one"),
        (
            onsets(4, 50),
            at_rate(onsets(2, 80), 200.0),
            "to train and validate on 100 Hz; to test 200 Hz",
        ),
    ):
        with pytest.raises(ConfigError, match=f"different sampling rates.*{words}"):
            train(small_parent(), onsets(8), dev, tmp_path / "r", config=SHORT, test_records=test)
    mixed = [
        replace(record, split=split)
        for split, records in (
            ("train", onsets(8)),
            ("dev", onsets(4, 50)),
            ("test", at_rate(onsets(2, 80), 50.0)),
        )
        for record in records
    ]
    with pytest.raises(ConfigError, match="to train and validate on 100 Hz; to test 50 Hz"):
        compare(small_parent(), mixed, tmp_path / "r", strategies="scratch", config=SHORT)
    assert not (tmp_path / "r").exists()


def test_a_call_that_fails_leaves_the_folder_to_the_corrected_one(tmp_path):
    parent, learn, check = small_parent(), onsets(8), onsets(4, 50)
    for given in (
        {"weights": {"r0": {"P": 2.0}}},
        {"config": replace(SHORT, class_weights=(1, 2))},
        {"strategy": {"name": "x", "load": ["dwn*"]}},
    ):
        with pytest.raises(ConfigError):
            train(parent, learn, check, tmp_path / "run", **{"config": SHORT, **given})
        assert not (tmp_path / "run").exists()
    with pytest.raises(ConfigError, match=r"factor for each of N, P, S, received 2: \(1, 2\)"):
        train(parent, learn, check, tmp_path / "run", config=replace(SHORT, class_weights=(1, 2)))
    assert train(parent, learn, check, tmp_path / "run", config=SHORT).history


def test_a_generator_of_records_trains_as_a_list_does(tmp_path):
    runs = [
        train(small_parent(), make(onsets(8)), make(onsets(4, 50)), tmp_path / name, config=SHORT)
        for name, make in (("list", list), ("generator", iter))
    ]
    assert same(*(run.net for run in runs))
    picker = Picker(small_parent(), sampling="reinterpret")
    assert evaluate(picker, iter(onsets(3))) == evaluate(picker, onsets(3))


WAVE = onsets(1)[0].waveform


@pytest.mark.parametrize(
    ("records", "words"),
    [
        (None, "are a list of LabelledWaveform, received NoneType"),
        (onsets(1)[0], "are a list of LabelledWaveform, received LabelledWaveform"),
        ([WAVE], "number 1 is a Waveform: read_dataset and read_labelled"),
        ("ab", "number 1 is a str"),
        (
            [*onsets(2), BadRow(3, "no file a")],
            r"number 3 is a row that gave none \(row 3: no file a\)",
        ),
    ],
    ids=["none", "one", "waveform", "text", "bad row"],
)
def test_what_are_no_records_is_refused_with_what_to_do(records, words, tmp_path):
    parent = small_parent()
    calls = (
        lambda: train(parent, records, onsets(2, 50), tmp_path / "r"),
        lambda: train(parent, onsets(2), records, tmp_path / "r"),
        lambda: compare(parent, records, tmp_path / "r"),
        lambda: self_train(parent, records, [], tmp_path / "r"),
        lambda: evaluate(Picker(parent), records),
    )
    for call in calls:
        with pytest.raises(ConfigError, match=words):
            call()
    assert not (tmp_path / "r").exists()


def test_an_array_of_records_is_a_list_of_them(tmp_path):
    array = np.empty(8, object)
    array[:] = onsets(8)
    assert train(small_parent(), array, onsets(4, 50), tmp_path / "r", config=SHORT).history


def test_names_and_pickers_where_networks_are_wanted(tmp_path):
    parent, records = small_parent(), onsets(2)
    rest = (records, onsets(2, 50), tmp_path / "r")
    with pytest.raises(ConfigError, match=r"PhaseNet\.from_preset\('regional', rebalance=True\)"):
        train("regional", *rest)
    with pytest.raises(ConfigError, match=r"received Picker: give its network, picker\.net"):
        compare(Picker(parent), records, tmp_path / "r")
    with pytest.raises(ConfigError, match=r"Picker\.from_preset\('regional'\)"):
        evaluate("regional", records)
    with pytest.raises(ConfigError, match=r"received PhaseNet; of a network: Picker\(net\)"):
        evaluate(parent, records)
    with pytest.raises(ConfigError, match="config is a TrainConfig, received dict"):
        train(parent, *rest, config={"epochs": 1})
    with pytest.raises(ConfigError, match=r"a strategy is a name, JSON .* received None"):
        train(parent, *rest, strategy=None)
    with pytest.raises(ConfigError, match=r"a probability by phase, .*'P': 0\.3.* received 0\.5"):
        Picker(parent, thresholds=0.5)


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """A run that has ended, and how to give it again in a copy of its folder."""
    settings = {"config": replace(CONFIG, epochs=2, refit=False), "keep_parent": False}

    def give(folder):
        return train(small_parent(), onsets(8), onsets(4, 50), folder, **settings)

    folder = tmp_path_factory.mktemp("ended") / "run"
    return give(folder).history, folder, give


@pytest.mark.parametrize("damage", [b"", b"PK no zip", None], ids=["empty", "other", "cut short"])
def test_a_damaged_state_is_said_and_nothing_is_lost(damage, ended, tmp_path):
    _, folder, give = ended
    state = shutil.copytree(folder, tmp_path / "run") / "last.npz"
    whole = state.read_bytes()
    state.write_bytes(whole[: len(whole) // 2] if damage is None else damage)
    left = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    with pytest.raises(ConfigError, match=r"last\.npz, the state .* cannot be read .*remove it"):
        give(tmp_path / "run")
    assert all(path.read_bytes() == content for path, content in left.items())


def test_a_run_whose_state_was_removed_begins_anew_and_a_whole_copy_will_do(ended, tmp_path):
    history, folder, give = ended
    state = shutil.copytree(folder, tmp_path / "run") / "last.npz"
    whole = state.read_bytes()
    state.unlink()
    assert give(tmp_path / "run").history == history
    state.write_bytes(whole)
    assert give(tmp_path / "run").history == history


def silent(records, arrivals):
    return [replace(record, arrivals=arrivals) for record in records]


@pytest.mark.parametrize("arrivals", [{}, {"P": ()}, {"Pg": (9.0,)}])
def test_records_without_a_single_arrival_are_refused(arrivals, tmp_path):
    calls = (
        ("4 records to validate on", onsets(8), silent(onsets(4, 50), arrivals)),
        ("8 records to train on", silent(onsets(8), arrivals), onsets(4, 50)),
    )
    for what, learn, check in calls:
        with pytest.raises(ConfigError, match=f"none of the {what} has an arrival of P or S") as no:
            train(small_parent(), learn, check, tmp_path / "run", config=CONFIG)
        assert ("arrivals of Pg are ignored" in str(no.value)) == ("Pg" in arrivals)
    assert not (tmp_path / "run").exists()


def test_one_label_is_enough_and_a_teacher_needs_none(tmp_path):
    learn = [*onsets(1), *silent(onsets(7, 1), {})]
    result = train(small_parent(), learn, onsets(4, 50), tmp_path / "one", config=SHORT)
    assert result.history[0].train_loss > 0
    result = train(
        small_parent(), silent(learn, {}), onsets(4, 50), tmp_path / "taught", config=SHORT,
        teacher=Teacher(small_parent(2), share=np.float32(0.5)),
    )  # fmt: skip
    assert result.history[0].train_loss > 0


def test_a_part_of_a_comparison_without_labels_is_refused_before_any_run(tmp_path):
    records = [
        *silent(onsets(1, split="train"), {}),
        *onsets(8, 1, split="train"),
        *onsets(4, 50, split="dev"),
        *onsets(4, 80, split="test"),
    ]
    given = {"strategies": "scratch", "config": SHORT}
    with pytest.raises(ConfigError, match="none of the 1 records to train on"):
        compare(small_parent(), records, tmp_path / "r", sizes=(1,), **given)
    assert not (tmp_path / "r").exists()


def test_copies_among_the_test_records_are_refused(tmp_path):
    def copies(records):
        return [replace(record, name=f"copy {record.name}") for record in records]

    same = r"test records? with the same samples .*: copy r\d+ of r\d+"
    for records in (onsets(2), onsets(2, 50)):
        test_records = [*onsets(4, 80), *copies(records)]
        with pytest.raises(ConfigError, match=f"2 {same}"):
            train(
                small_parent(), onsets(8), onsets(4, 50), tmp_path / "r", config=SHORT,
                test_records=test_records,
            )  # fmt: skip
    mixed = [
        *onsets(8, split="train"),
        *onsets(4, 50, split="dev"),
        *copies(onsets(1, split="test")),
    ]
    with pytest.raises(ConfigError, match=f"1 {same}; remove"):
        compare(small_parent(), mixed, tmp_path / "r", strategies="scratch", config=SHORT)
    unlabelled = [GatherTrace("s9", "1", 5.0, onsets(1, 300)[0])]
    with pytest.raises(ConfigError, match=f"1 {same}"):
        self_train(small_parent(), mixed, unlabelled, tmp_path / "r", config=SHORT)
    assert not (tmp_path / "r").exists()


def test_layers_frozen_by_hand_are_refused_not_thawed(tmp_path):
    parent, data = small_parent(), (onsets(8), onsets(4, 50))
    parent.input_conv.trainable = parent.down0_bn.trainable = False
    with pytest.raises(ConfigError, match=r"frozen \(input_conv, down0_bn\)") as refused:
        train(parent, *data, tmp_path / "run", config=SHORT)
    assert not (tmp_path / "run").exists()
    assert "(for layer in parent.layers: layer.trainable = True)" in str(refused.value)
    for layer in parent.layers:
        layer.trainable = True
    plan = ast.literal_eval(str(refused.value).rpartition("strategy=")[2])
    run = train(parent, *data, tmp_path / "run", strategy=plan, config=SHORT, keep_parent=False)
    before, after = parent.get_weight_set(), run.net.get_weight_set()
    moved = {name.split("_")[0] for name in before if not np.array_equal(before[name], after[name])}
    assert moved == {"down1", "up0", "output"}
    parent.trainable = False
    with pytest.raises(ConfigError, match="strategy='freeze_encoder'"):
        compare(parent, [], tmp_path / "r")


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ("nothing.h5", r"such as \{'r7': \{'P': 0\.5\}\}; received 'nothing\.h5'.*from_preset"),
        ([{"P": 1.0}], r"received \[\{'P': 1\.0\}\]"),
        (np.ones(3), r"received array\("),
        ({"r0": 0.5}, r"received \{'r0': 0\.5\}"),
        (
            {"r0": {"P": "half"}},
            r"the weight of P of record 'r0' is a number from 0 to 1, received 'half'",
        ),
        ({"r0": {"P": 1.5}}, r"is a number from 0 to 1, received 1\.5"),
        ({"r0": {"P": float("nan")}}, "is a number from 0 to 1, received nan"),
    ],
)
def test_weights_of_labels_are_numbers_by_record_and_phase(weights, words, tmp_path):
    with pytest.raises(ConfigError, match=words):
        train(small_parent(), onsets(8), onsets(4, 50), tmp_path / "r", weights=weights)
    assert not (tmp_path / "r").exists()


def test_weights_of_labels_may_be_numpy_s_numbers(tmp_path):
    runs = [
        train(
            small_parent(), onsets(8), onsets(4, 50), tmp_path / "r", config=SHORT,
            weights={"r0": {"P": value}},
        )
        for value in (0.5, np.float32(0.5))
    ]  # fmt: skip
    assert runs[0].history == runs[1].history


def test_names_of_two_data_sets_are_no_leak(tmp_path):
    """Records are numbered alike in each, by default; that of one record twice is one."""
    others = [replace(r, name=f"r{n}") for n, r in enumerate(onsets(4, 50))]
    assert {r.name for r in others} < {r.name for r in onsets(8)}
    assert check_no_leak(onsets(8), others) is None
    with pytest.raises(ConfigError, match=r"2 names are in training and validation, e\.g\. r0, r1"):
        check_no_leak(onsets(8), onsets(2))


def test_gathers_of_pseudo_labels_do_not_make_one_shot_several():
    labelled = onsets(2, gather="shot 1")
    pseudo = [*onsets(2, 20, gather="unlabelled/2"), *onsets(2, 30, gather="unlabelled/3")]
    assert check_no_leak([*labelled, *pseudo], onsets(2, 50, gather="shot 1")) is None


def test_rates_of_drifting_clocks_are_one():
    check_one_rate(
        {"to train": at_rate(onsets(2), 100.0), "to test": at_rate(onsets(2), 100.000002)}
    )
    with pytest.raises(ConfigError, match=r"to train 100 Hz; to test 100\.02 Hz"):
        check_one_rate(
            {"to train": at_rate(onsets(2), 100.0), "to test": at_rate(onsets(2), 100.02)}
        )


def test_leaks_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"1 event is in training and validation, e\.g\. e1"):
        train(
            small_parent(),
            [*onsets(2, event="e1"), *onsets(2, 10, event="e2"), *onsets(2, 20, event="e3")],
            onsets(4, 50, event="e1"),
            tmp_path / "run",
            config=CONFIG,
        )
    with pytest.raises(ConfigError, match=r"1 event is in training and test, e\.g\. e9"):
        train(
            small_parent(),
            [*onsets(2, event="e1"), *onsets(2, 10, event="e2")],
            onsets(2, 50, event="e9"),
            tmp_path / "run",
            config=CONFIG,
            test_records=onsets(2, 60, event="e9"),
        )
    with pytest.raises(ConfigError, match="2 names are in training and validation"):
        train(small_parent(), onsets(4), onsets(4, 2), tmp_path / "run", config=CONFIG)


@pytest.mark.parametrize(
    ("n_train", "n_dev", "lacking"),
    [
        (4, 0, "validate on (split 'dev')"),
        (0, 4, "learn from (split 'train')"),
        (0, 0, "learn from (split 'train') or validate on (split 'dev')"),
    ],
)
def test_the_split_that_is_missing_is_named_and_how_to_make_one(n_train, n_dev, lacking, tmp_path):
    with pytest.raises(ConfigError) as error:
        train(small_parent(), onsets(n_train), onsets(n_dev, 50), tmp_path / "run", config=CONFIG)
    assert f"there are none to {lacking}: `phasenet-keras prepare DATASET " in str(error.value)
    assert "prepare DATASET --output OTHER` splits" in str(error.value)
    assert not (tmp_path / "run").exists()
