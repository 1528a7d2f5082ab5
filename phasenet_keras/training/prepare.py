"""Building a data set from any source of labelled records."""

from __future__ import annotations

import shutil
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

from phasenet_keras.data.resampling import SAME_RATE, resample_record
from phasenet_keras.io.channels import channel_names
from phasenet_keras.io.parts import BadRow, Item, RecordFacts
from phasenet_keras.io.seisbench import (
    METADATA,
    SPLITS,
    WAVEFORMS,
    facts_of_row,
    read_facts,
    write_metadata,
)
from phasenet_keras.io.selection import CODES, Selection
from phasenet_keras.io.sources import PREPARED, input_files, open_source, with_options
from phasenet_keras.training.checks_data import check_places
from phasenet_keras.training.splits import check_leakage, choose_split_by, split_facts
from phasenet_keras.training.staging import Stage, read_json, write_json
from phasenet_keras.types import ConfigError, PhaseNetKerasError

__all__ = ["PREPARED", "PrepareSettings", "Prepared", "prepare"]

STAGE = ".prepare"
SHOWN = 3
# A change of this number makes finished data sets be built anew.
LAYOUT = 3


@dataclass(frozen=True)
class PrepareSettings:
    """How a data set is built.

    Attributes:
        split_by: ``"event"``, ``"gather"``, ``"station"``, ``"time"`` or ``"block"``; None keeps
            splits that all records have, else chooses, see
            `phasenet_keras.training.splits.choose_split_by`.
        seed: of the splits and of random windows.
        channels: of the data set, e.g. ``"Z"``; records with more give these, others are skipped.
            None takes the most common set.
        sampling_rate_hz: of the data set, within 0.5 %; None takes the most common one.
        resample_hz: rate to which all records are brought; None leaves them as they are.
        complete: True says that all arrivals are labelled: a phase without one is absent.
        window_s: cuts longer records around their arrivals, in seconds.
        random_position: True puts the windows at random about the arrivals.
        network, station, location, channel: patterns of codes that are wanted of waveform files,
            see `phasenet_keras.io.selection.Selection`; None takes all.

    Raises:
        ConfigError: for channels that are none, and numbers that are not above 0.
    """

    split_by: str | None = None
    seed: int = 0
    channels: str | None = None
    sampling_rate_hz: float | None = None
    resample_hz: float | None = None
    complete: bool = False
    window_s: float | None = None
    random_position: bool = False
    network: str | None = None
    station: str | None = None
    location: str | None = None
    channel: str | None = None

    @property
    def selection(self) -> Selection:
        """What is wanted of waveform files."""
        return Selection(**{name: getattr(self, name) for name in CODES})

    def __post_init__(self) -> None:
        if self.channels is not None:
            names = channel_names(self.channels, "ENZ")
            object.__setattr__(self, "channels", "".join(sorted(names)))
        for name in ("sampling_rate_hz", "resample_hz", "window_s"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise ConfigError(f"{name} should be a number above 0, received {value}")
        if self.sampling_rate_hz and self.resample_hz:
            raise ConfigError(
                "sampling_rate_hz takes the records of one rate, resample_hz brings all to one: "
                "give one of them"
            )
        if self.random_position and self.window_s is None:
            raise ConfigError("windows at random positions need a length: give --window-s")


@dataclass(frozen=True)
class Prepared:
    """What came of it.

    Attributes:
        facts: of the records of the data set, in its order; none if nothing could be done.
        bad: rows and files that were skipped, and why.
        notes: what else there is to know.
        leaks: sentences of `check_leakage`.
        split_by: what was kept together; empty for splits that were given.
        is_new: False if the data set was there already and is as asked for.
    """

    facts: Sequence[RecordFacts]
    bad: Sequence[BadRow]
    notes: Sequence[str]
    leaks: Sequence[str]
    split_by: str
    is_new: bool = True


def prepare(
    waveforms: str | PathLike[str],
    output: str | PathLike[str],
    labels: str | PathLike[str] | None = None,
    settings: PrepareSettings | None = None,
    *,
    overwrite: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> Prepared:
    """Build a data set (a SeisBench folder) from any source; see `open_source`.

    The data set appears when it is complete. A call that was stopped goes on where it was; a call
    that is repeated does nothing.

    Args:
        waveforms: a folder, a file or a pattern.
        output: folder of the data set; it is made if needed.
        labels: a table or a catalogue, where the waveforms do not hold their labels themselves.
        settings: None for the defaults.
        overwrite: True takes the place of another data set.
        on_progress: told the numbers of parts read and of all parts.

    Raises:
        FormatError: if the source is of no known kind, or waveforms and labels do not fit.
        ConfigError: if another data set is in the folder, splits are impossible, or given splits
            have the same samples on two sides.

    Example:
        >>> made = prepare("waveform/", "set/", "waveform.csv")  # doctest: +SKIP
        >>> len(made.facts), made.split_by  # doctest: +SKIP
        (100, 'block')
    """
    settings = settings or PrepareSettings()
    output = Path(output)
    if Path(waveforms).resolve() == output.resolve():
        raise ConfigError(f"{output} is the source itself: write elsewhere")
    order = _order(waveforms, labels, output, settings)
    before = read_json(output / PREPARED)
    if before and before["order"] == order and (output / METADATA).is_file():
        return _as_before(output, before)
    _refuse_other(output, before, order, overwrite)
    stage = Stage(output / STAGE, order)
    try:
        _read_all(stage, waveforms, labels, output, settings, on_progress)
        made = _finish(stage, output, settings, order)
    except PhaseNetKerasError:
        stage.remove()
        raise
    stage.remove()
    return made


def _order(
    waveforms: str | PathLike[str],
    labels: str | PathLike[str] | None,
    output: Path,
    settings: PrepareSettings,
) -> dict[str, Any]:
    """Return what was asked for, with the sizes and times of the inputs, as JSON can hold it."""
    paths = [*input_files(waveforms, labels, output), *([] if labels is None else [Path(labels)])]
    inputs = {}
    for path in paths:
        if path.is_file():
            about = path.stat()
            inputs[str(path.resolve())] = [about.st_size, about.st_mtime_ns]
    # Without a selection an order is as before there were any: data sets need not be built anew.
    asked = {k: v for k, v in asdict(settings).items() if k not in CODES or v is not None}
    return {
        "inputs": inputs,
        "labels": None if labels is None else str(Path(labels).resolve()),
        "layout": LAYOUT,
        "settings": asked,
        "waveforms": str(Path(waveforms).resolve()),
    }


def _refuse_other(
    output: Path, before: Mapping[str, Any] | None, order: Mapping[str, Any], overwrite: bool
) -> None:
    if overwrite or not (before or (output / METADATA).exists() or (output / WAVEFORMS).exists()):
        return
    why = "which was not made by prepare" if before is None else _difference(before["order"], order)
    raise ConfigError(
        f"{output} holds another data set ({why}): give another --output, or --overwrite"
    )


def _difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Say how the order of a data set differs from this one."""
    old, new = before.get("settings", {}), now["settings"]
    for name in ("waveforms", "labels"):
        if before.get(name) != now[name]:
            return f"its {name} are {before.get(name)}"
    for name in [*new, *CODES]:
        if old.get(name) != new.get(name):
            return f"its {name} is {old.get(name)}, not {new.get(name)}"
    if before.get("layout") != now["layout"]:
        return "made by another version of this program"
    inputs = before.get("inputs", {})
    changed = sorted(
        Path(path).name
        for path in {*inputs, *now["inputs"]}
        if inputs.get(path) != now["inputs"].get(path)
    )
    return f"{len(changed)} of its inputs have changed: {', '.join(changed[:SHOWN])}"


def _as_before(output: Path, before: Mapping[str, Any]) -> Prepared:
    shutil.rmtree(output / STAGE, ignore_errors=True)
    return Prepared(
        read_facts(output),
        [BadRow(*item) for item in before["skipped"]],
        before["notes"],
        before["leaks"],
        before["split_by"],
        is_new=False,
    )


def _read_all(
    stage: Stage,
    waveforms: str | PathLike[str],
    labels: str | PathLike[str] | None,
    output: Path,
    settings: PrepareSettings,
    on_progress: Callable[[int, int], None] | None,
) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        source = open_source(waveforms, labels, output, settings.selection)
    stage.note(caught)
    cut = partial(
        with_options,
        complete=settings.complete,
        window_s=settings.window_s,
        seed=settings.seed if settings.random_position else None,
    )
    stage.fill(
        source.parts,
        lambda items: _at_rate(cut(items), settings.resample_hz),
        channels=settings.channels,
        keep_unlabelled=source.says_all,
        on_progress=on_progress,
    )
    stage.bad = [*source.bad, *stage.bad]
    if stage.n_unsure:
        text = f"{stage.n_unsure} records hold several events, of which some have a P or S labelled"
        if settings.window_s is None:
            text += " and others not: what was not labelled is learned as noise (--window-s cuts"
            text += " windows, in which such a phase is not known)"
        else:
            text += " and others not: that phase is not known there (shorter windows know more;"
            text += " --complete takes it as absent)"
        stage.notes[text] = None
    if stage.n_unlabelled:
        text = f"{stage.n_unlabelled} records without a labelled arrival are left out"
        stage.notes[f"{text} (--complete keeps them as noise, if all arrivals are labelled)"] = None


def _at_rate(items: Iterable[Item], rate_hz: float | None) -> Iterator[Item]:
    """Yield the items, records at a rate, if one is asked for."""
    for item in items:
        if isinstance(item, BadRow) or rate_hz is None:
            yield item
            continue
        try:
            yield resample_record(item, rate_hz)
        except ConfigError as error:  # no ratio of whole numbers comes near
            yield BadRow(None, f"{item.name}: {error}")


def _finish(
    stage: Stage, output: Path, settings: PrepareSettings, order: Mapping[str, Any]
) -> Prepared:
    """Choose the records, split them and write the data set."""
    channels, rows, others = _of_one_kind(stage.rows, settings)
    bad, notes = [*stage.bad, *others], list(stage.notes)
    if not rows:
        return Prepared([], bad, notes, [], "")
    facts = [facts_of_row(row["meta"], row["digest"]) for row in rows]
    split_by, splits = _splits(facts, settings)
    n_given = sum(bool(fact.split) for fact in facts)
    if split_by and n_given:
        notes.append(f"the splits that {n_given} records had are not used")
    notes += [f"{finding.name}: {finding.text}" for finding in check_places(facts)]
    facts = [replace(fact, split=split) for fact, split in zip(facts, splits, strict=True)]
    leaks = check_leakage(facts)
    errors = [text for text in leaks if text.startswith("error:")]
    if errors:
        raise ConfigError(f"{'; '.join(errors)}: correct the column 'split', or give --split-by")
    table = [{**row["meta"], "split": fact.split} for row, fact in zip(rows, facts, strict=True)]
    (output / PREPARED).unlink(missing_ok=True)
    stage.write(output / WAVEFORMS, [fact.name for fact in facts], channels)
    write_metadata(table, output)
    content = {
        "leaks": leaks,
        "notes": notes,
        "order": order,
        "skipped": [(item.row, item.text) for item in bad],
        "split_by": split_by,
    }
    write_json(content, output / PREPARED)
    return Prepared(facts, bad, notes, leaks, split_by)


def _splits(facts: Sequence[RecordFacts], settings: PrepareSettings) -> tuple[str, list[str]]:
    given = [fact.split for fact in facts]
    if settings.split_by is None and set(given) <= set(SPLITS):
        return "", given
    by = settings.split_by or choose_split_by(facts)
    return by, split_facts(facts, by, settings.seed)


def _of_one_kind(
    rows: Sequence[dict[str, Any]], settings: PrepareSettings
) -> tuple[tuple[str, ...], list[dict[str, Any]], list[BadRow]]:
    """Return the channels of the data set, its rows, and what is said of the others."""
    kinds = [_kind(row) for row in rows]
    fitting = Counter(kind for kind in kinds if _fits(kind, settings))
    others = Counter(kinds)
    if not fitting:
        asked = ", ".join(filter(None, (settings.channels, _hz(settings.sampling_rate_hz))))
        return (), [], [BadRow(None, f"{_said(k, n)}: not {asked}") for k, n in others.items()]
    chosen = fitting.most_common(1)[0][0]
    near = [kind for kind in fitting if _same_rate(kind[1], chosen[1]) and kind[0] == chosen[0]]
    kept = [row for row, kind in zip(rows, kinds, strict=True) if kind in near]
    why = f"the data set holds {_words(chosen)}; choose with --channels and --sampling-rate-hz"
    if any(not _same_rate(rate_hz, chosen[1]) for _, rate_hz in others):
        why += ", or bring all to one rate with --resample-hz"
    return (
        tuple(chosen[0]),
        kept,
        [BadRow(None, f"{_said(k, n)}: {why}") for k, n in others.items() if k not in near],
    )


def _kind(row: Mapping[str, Any]) -> tuple[str, float]:
    return "".join(row["channels"]), float(f"{row['meta']['trace_sampling_rate_hz']:.6g}")


def _fits(kind: tuple[str, float], settings: PrepareSettings) -> bool:
    wanted = settings.sampling_rate_hz
    return settings.channels in (None, kind[0]) and (wanted is None or _same_rate(kind[1], wanted))


def _same_rate(rate_hz: float, wanted_hz: float) -> bool:
    return abs(rate_hz / wanted_hz - 1.0) <= SAME_RATE


def _hz(rate_hz: float | None) -> str:
    return "" if rate_hz is None else f"{rate_hz:g} Hz"


def _words(kind: tuple[str, float]) -> str:
    return f"{','.join(kind[0])} at {_hz(kind[1])}"


def _said(kind: tuple[str, float], count: int) -> str:
    return f"{count} record{'s' if count > 1 else ''} of {_words(kind)}"
