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

from phasenet_keras.data.resampling import resample_record
from phasenet_keras.data.settings import SEED, checked_type, number, optional, settle
from phasenet_keras.io.channels import channel_names
from phasenet_keras.io.dataset_table import METADATA, facts_of_row
from phasenet_keras.io.index import check_path
from phasenet_keras.io.instruments import are_one_rate
from phasenet_keras.io.labels.files import Labels
from phasenet_keras.io.new_files import read_json, write_json
from phasenet_keras.io.parts import BadRow, Item, RecordFacts, by_reason
from phasenet_keras.io.seisbench import PREPARED, WAVEFORMS, put_in_place, read_facts
from phasenet_keras.io.selection import CODES, Selection
from phasenet_keras.io.sources import open_source, with_options
from phasenet_keras.io.wording import counted
from phasenet_keras.picking.one_run import only_run
from phasenet_keras.short_repr import ShortRepr
from phasenet_keras.training.checks_arrivals import check_places
from phasenet_keras.training.checks_data import one_moment
from phasenet_keras.training.finished import (
    check_output,
    damage_of,
    keep_table,
    order_of,
    read_note,
    refuse_no_dataset,
    refuse_other,
    whole_marks,
)
from phasenet_keras.training.grouping import groups_of
from phasenet_keras.training.onsets import check_growth
from phasenet_keras.training.splits import check_leakage, choose_split_by, split_facts
from phasenet_keras.training.staging import ORDER, STAGE, Stage
from phasenet_keras.types import SPLITS, ConfigError

__all__ = ["PrepareSettings", "Prepared", "prepare"]

KINDS = {
    "seed": SEED,
    **dict.fromkeys(("sampling_rate_hz", "resample_hz", "window_s"), optional(number(above=0))),
}
# So many reasons are said where there are too few records left to split.
MOST_REASONS = 5
NO_EVENTS = (
    "split by blocks of neighbouring records, since none names its event and none has a date: if "
    "several records are of one event, name it (a column event in the table), or it is on two sides"
)


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
        fewer_channels: True takes the most common set of what then is there, which may lack some of
            `channels`: a network's, which pads those.
        sampling_rate_hz: of the data set, but for the drift of clocks (1e-4); None takes the most
            common one.
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
    fewer_channels: bool | None = None
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
        settle(self, KINDS)
        if self.sampling_rate_hz and self.resample_hz:
            raise ConfigError(
                "sampling_rate_hz takes the records of one rate, resample_hz brings all to one: "
                "give one of them"
            )
        if self.random_position and self.window_s is None:
            raise ConfigError(
                "windows at random positions need a length: give --window-s (in Python window_s=)"
            )


@dataclass(frozen=True, repr=False)
class Prepared(ShortRepr):
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
    labels: Labels | None = None,
    settings: PrepareSettings | None = None,
    *,
    overwrite: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> Prepared:
    """Build a data set (a SeisBench folder) from any source; see `open_source`.

    The data set appears when it is complete. A call that was stopped goes on where it was; a call
    that is repeated does nothing, unless a file is no longer whole: then it is built anew.

    Args:
        waveforms: a folder, a file or a pattern.
        output: folder of the data set; it is made if needed.
        labels: a table or a catalogue, where the waveforms do not hold their labels themselves; or
            several files of one kind, a folder or a pattern.
        settings: None for the defaults.
        overwrite: True takes the place of another data set.
        on_progress: told the numbers of parts read and of all parts.

    Raises:
        FormatError: if the source is of no known kind, or waveforms and labels do not fit.
        ConfigError: if another data set, an input or what is of none is in the folder, another run
            is writing there, splits are impossible, or given splits have the same samples on two
            sides.
        OSError: naming the file, if there is no room for it.

    Example:
        >>> made = prepare("waveform/", "set/", "waveform.csv")  # doctest: +SKIP
        >>> len(made.facts), made.split_by  # doctest: +SKIP
        (100, 'block')
    """
    hint = "PrepareSettings(seed=1) is one"
    settings = checked_type(settings or PrepareSettings(), PrepareSettings, "settings", hint)
    output = check_path(output, "a folder")
    check_output(waveforms, labels, output)
    order = order_of(waveforms, labels, output, asdict(settings))
    if made := _as_before(output, order, overwrite):
        return made
    refuse_no_dataset(output)
    with only_run(output):
        if made := _as_before(output, order, overwrite):  # another run has ended meanwhile
            return made
        note = read_note(output)
        if not overwrite:
            refuse_other(output, note, order, begun=read_json(output / STAGE / ORDER))
        is_same = note is not None and note["order"] == order
        damage = damage_of(output, note) if note is not None and is_same else ""
        with Stage(output / STAGE, order) as stage:
            _read_all(stage, waveforms, labels, output, settings, on_progress)
            kept = keep_table(output) if damage else ""
            made = _finish(stage, output, settings, order)
    return replace(made, notes=[*made.notes, f"{damage}: built anew{kept}"]) if damage else made


def _as_before(output: Path, order: Mapping[str, Any], overwrite: bool) -> Prepared | None:
    """Return what came of this order before, if it is there and whole."""
    note = read_note(output)
    if note is None or note["order"] != order or damage_of(output, note):
        return None
    facts = read_facts(output)
    if len(facts) != note["n_records"]:
        if overwrite:
            return None
        raise ConfigError(
            f"{output / METADATA} holds {len(facts)} records, {note['n_records']} were written: if "
            "you have removed some, leave it as it is; --overwrite (in Python "
            "overwrite=True) builds the data set anew"
        )
    if read_json(output / STAGE / ORDER) == order:
        shutil.rmtree(output / STAGE, ignore_errors=True)
    bad = [BadRow(*item) for item in note["skipped"]]
    return Prepared(facts, bad, note["notes"], note["leaks"], note["split_by"], is_new=False)


def _read_all(
    stage: Stage,
    waveforms: str | PathLike[str],
    labels: Labels | None,
    output: Path,
    settings: PrepareSettings,
    on_progress: Callable[[int, int], None] | None,
) -> None:
    with warnings.catch_warnings(record=True, action="always") as caught:
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
        text = f"{counted(stage.n_unsure, 'record')} with several events, of which some have a P "
        text += "or S labelled"
        if settings.window_s is None:
            text += " and others not: what was not labelled is learned as noise (--window-s cuts"
            text += " windows, in which such a phase is not known)"
        else:
            text += " and others not: that phase is not known there (shorter windows know more;"
            text += " --complete takes it as absent)"
        stage.notes[text] = None
    if stage.n_unlabelled:
        text = f"left out: {counted(stage.n_unlabelled, 'record')} without a labelled arrival"
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
    facts = [facts_of_row(row["meta"], row.get("digests", ())) for row in rows]
    try:
        split_by, splits = _splits(facts, settings)
    except ConfigError as error:  # those that are missing may be among the skipped
        raise ConfigError(f"{error}{_said_of_skipped(bad)}") from error
    n_given = sum(bool(fact.split) for fact in facts)
    if split_by and n_given:
        notes.append(f"the splits of {counted(n_given, 'record')} are not used")
    if split_by and settings.split_by is None:
        notes += _said_of_events(facts, split_by)
    found = check_places(facts) + check_growth(row.get("growth", (0, 0)) for row in rows)
    notes += [f"{finding.name}: {finding.text}" for finding in found]
    facts = [replace(fact, split=split) for fact, split in zip(facts, splits, strict=True)]
    leaks = check_leakage(facts)
    errors = [text for text in leaks if text.startswith("error:")]
    if errors:
        raise ConfigError(
            f"{'; '.join(errors)}: correct the column 'split', or give --split-by "
            "(in Python split_by=)"
        )
    table = [{**row["meta"], "split": fact.split} for row, fact in zip(rows, facts, strict=True)]
    beside = output / f".{WAVEFORMS}-part"
    try:
        stage.write(beside, [fact.name for fact in facts], channels)
        put_in_place(beside, table, output)
    finally:
        beside.unlink(missing_ok=True)
    content = {
        **whole_marks(output, len(facts)),
        "leaks": leaks,
        "notes": notes,
        "order": order,
        "skipped": [(item.row, item.text) for item in bad],
        "split_by": split_by,
    }
    write_json(content, output / PREPARED)
    return Prepared(facts, bad, notes, leaks, split_by)


def _said_of_skipped(bad: Sequence[BadRow]) -> str:
    if not bad:
        return ""
    reasons = by_reason(bad)
    rest = "; …" if len(reasons) > MOST_REASONS else ""
    n_skipped = "1 row or file was" if len(bad) == 1 else f"{len(bad)} rows or files were"
    return f". {n_skipped} skipped: {'; '.join(reasons[:MOST_REASONS])}{rest}"


def _splits(facts: Sequence[RecordFacts], settings: PrepareSettings) -> tuple[str, list[str]]:
    given = [fact.split for fact in facts]
    if settings.split_by is None and set(given) <= set(SPLITS):
        return "", given
    by = settings.split_by or choose_split_by(facts)
    return by, split_facts(facts, by, settings.seed)


def _said_of_events(facts: Sequence[RecordFacts], split_by: str) -> list[str]:
    """Return what `check_leakage` cannot say: that no event is known, or one moment is all."""
    is_named = any(fact.event or fact.gather for fact in facts)
    if split_by == "block" and not is_named and not any(groups_of(facts, "time")):
        return [NO_EVENTS]
    by, name = one_moment(facts) or ("", "")
    if by != "time":
        return []
    text = f"all splits are of one moment, {name} (one earthquake, one shot), so that scores say"
    return [f"{text} nothing of others: label records of others"]


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
    near = [chosen]
    for kind, _ in fitting.most_common():  # clocks drift to both sides
        if kind[0] == chosen[0] and are_one_rate(hz for _, hz in (*near, kind)):
            near.append(kind)
    kept = [row for row, kind in zip(rows, kinds, strict=True) if kind in near]
    why = f"the data set holds {_words(chosen)}; choose with --channels and --sampling-rate-hz"
    if settings.channels != chosen[0] and settings.channels in {names for names, _ in fitting}:
        why = f"the data set holds {_words(chosen)}, the most common, and the network pads the rest"
        why += f"; phasenet-keras prepare --channels {settings.channels} takes those that have all"
    if not are_one_rate(rate_hz for _, rate_hz in others):
        why += ", or bring all to one rate with --resample-hz"
    more = [kind for kind in others if set(chosen[0]) < set(kind[0])]
    if any(are_one_rate((kind[1], chosen[1])) for kind in more):
        why += f"; phasenet-keras prepare --channels {chosen[0]} takes those of records with more"
    bad = [BadRow(None, f"{_said(k, n)}: {why}") for k, n in others.items() if k not in near]
    return tuple(chosen[0]), kept, bad


def _kind(row: Mapping[str, Any]) -> tuple[str, float]:
    return "".join(row["channels"]), float(f"{row['meta']['trace_sampling_rate_hz']:.6g}")


def _fits(kind: tuple[str, float], settings: PrepareSettings) -> bool:
    wanted = settings.sampling_rate_hz
    is_of_channels = settings.fewer_channels or settings.channels in (None, kind[0])
    return is_of_channels and (wanted is None or are_one_rate((kind[1], wanted)))


def _hz(rate_hz: float | None) -> str:
    return "" if rate_hz is None else f"{rate_hz:g} Hz"


def _words(kind: tuple[str, float]) -> str:
    return f"{','.join(kind[0])} at {_hz(kind[1])}"


def _said(kind: tuple[str, float], count: int) -> str:
    return f"{counted(count, 'record')} of {_words(kind)}"
