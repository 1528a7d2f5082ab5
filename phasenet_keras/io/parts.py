"""What readers of labelled records yield, and the parts that a source is read in."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from phasenet_keras.types import ConfigError, LabelledWaveform

__all__ = [
    "BadRow",
    "Item",
    "JoinedRecord",
    "Part",
    "RecordFacts",
    "blocks",
    "by_reason",
    "check_records",
    "events_in",
    "joint_event",
]

# A source is read again from the begin of a part after an interruption.
MIN_PART_RECORDS = 100
MAX_PARTS_OF_A_FILE = 20
# Between the names of the events that are in one record.
AND = " + "
# More rows or files of one reason are said in one line, with so many of their names.
SHOWN = 3
# What may differ between texts of one reason: words of numbers, paths and file names.
_NAMES = re.compile(r"\S*[\d/\\]\S*|\S+\.\w\S*")


@dataclass(frozen=True)
class BadRow:
    """A row or a file that gave no record, and why. Of rows, empty ones count, the header not.

    Of several tables a row has its number and the name of its file, "3 of a.csv".
    """

    row: int | str | None
    text: str

    def __str__(self) -> str:
        return self.text if self.row is None else f"row {self.row}: {self.text}"


def by_reason(bad: Sequence[BadRow]) -> list[str]:
    """Return what was skipped and why, many rows or files of one reason in one line."""
    groups: dict[str, list[BadRow]] = {}
    for item in bad:
        groups.setdefault(_NAMES.sub("", item.text), []).append(item)
    said: list[str] = []
    for first, *others in groups.values():
        if len(others) < SHOWN:
            said += map(str, (first, *others))
            continue
        names = [_own_name(item, first) for item in others[:SHOWN]]
        said.append(f"{first} (and {len(others)} others: {', '.join(names)}, …)")
    return said


def _own_name(item: BadRow, first: BadRow) -> str:
    """Return what tells a row or file from another that was skipped for the same reason."""
    if item.row != first.row:
        return f"row {item.row}"
    words = zip(item.text.split(), first.text.split(), strict=False)
    return next((word.strip("()[]:;,'") for word, other in words if word != other), item.text)


def check_records(records: Iterable[object], what: str = "records") -> Iterator[LabelledWaveform]:
    """Yield records as they are, as long as they are labelled ones.

    Args:
        records: what was given as labelled records.
        what: they are, for the error.

    Raises:
        ConfigError: for the first that is none, such as a row that `read_labelled` could not use,
            and for what holds nothing at all.

    Example:
        >>> list(check_records(None, "records to test"))
        Traceback (most recent call last):
        ...
        phasenet_keras.types.ConfigError: records to test are a list of LabelledWaveform, received \
NoneType
    """
    if not isinstance(records, Iterable):
        raise ConfigError(f"{what} are a list of LabelledWaveform, received {_kind(records)}")
    for number, record in enumerate(records, start=1):
        if isinstance(record, BadRow):
            raise ConfigError(
                f"{what} are LabelledWaveform; number {number} is a row that gave none ({record}): "
                "correct it, or take [item for item in items if isinstance(item, LabelledWaveform)]"
            )
        if not isinstance(record, LabelledWaveform):
            raise ConfigError(
                f"{what} are LabelledWaveform; number {number} is a {_kind(record)}: read_dataset "
                "and read_labelled give such records, LabelledWaveform(waveform, {'P': (498,)}) is "
                "one"
            )
        yield record


def _kind(value: object) -> str:
    return type(value).__name__


Item = LabelledWaveform | BadRow
Part = Callable[[], Iterable[Item]]


@dataclass(frozen=True)
class RecordFacts:
    """What there is to know of a record of a data set without its samples.

    Attributes:
        name, split, event, gather, arrivals: as in `LabelledWaveform`.
        station, sampling_rate, channels: as in `Waveform`.
        start_s, duration_s: of the record, in seconds; from 1970.
        digests: of the samples of each channel that is not constant, where they are known.

    Raises:
        ConfigError: for arrivals without a sampling rate, which have no time.
    """

    name: str
    split: str = ""
    event: str = ""
    gather: str = ""
    station: str = ""
    arrivals: Mapping[str, tuple[float, ...]] | None = None
    sampling_rate: float = 0.0
    channels: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    start_s: float = 0.0
    duration_s: float = 0.0

    def __post_init__(self) -> None:
        if not self.sampling_rate > 0 and any((self.arrivals or {}).values()):
            raise ConfigError(
                f"record {self.name}: arrivals in samples need a sampling rate above 0 Hz, "
                f"received {self.sampling_rate!r}"
            )


@dataclass(frozen=True, eq=False, repr=False)
class JoinedRecord(LabelledWaveform):
    """A record with arrivals of several events, as long as it may still be cut between them.

    Attributes:
        origins: phase, sample and event of each arrival.
        lacking: the events of which nobody labelled an arrival at this station, by phase.
        unsure: phases that some of its events lack, see `with_unsure`.
    """

    origins: tuple[tuple[str, float, str], ...] = ()
    lacking: Mapping[str, frozenset[str]] = field(default_factory=dict)
    unsure: tuple[str, ...] = ()

    def with_unsure(self, *, keep: bool) -> JoinedRecord:
        """Note the phases that an event in the record lacks: its arrival may be there all the same.

        An arrival that nobody labelled is learned as noise, unless its phase is not known in the
        record: then the arrivals of other events are not learned, either.

        Args:
            keep: the arrivals of such phases; else they are left out, and the phases not known.
        """
        events = {event for _, _, event in self.origins}
        nameless = Counter(phase for phase, _, event in self.origins if not event)
        unsure = tuple(
            phase
            for phase in self.arrivals
            if len(events & self.lacking.get(phase, frozenset())) > nameless[phase]
        )
        left_out = () if keep else unsure
        known = {phase: s for phase, s in self.arrivals.items() if phase not in left_out}
        return replace(self, arrivals=known, unsure=unsure)


def joint_event(events: Iterable[str]) -> str:
    """Return one name for all events of a record; empty if one of them is not known.

    Example:
        >>> joint_event(["b", "a", "b"]), joint_event(["a", ""])
        ('a + b', '')
    """
    names = sorted(set(events))
    return AND.join(names) if all(names) else ""


def events_in(event: str) -> list[str]:
    """Return the events that a name is of, as `joint_event` has joined them.

    Example:
        >>> events_in("a + b"), events_in("")
        (['a', 'b'], [])
    """
    return event.split(AND) if event else []


def blocks(count: int) -> list[range]:
    """Return the numbers of ``count`` records in blocks, at most twenty of them.

    Example:
        >>> blocks(150)
        [range(0, 100), range(100, 150)]
    """
    size = max(MIN_PART_RECORDS, -(-count // MAX_PARTS_OF_A_FILE))
    return [range(begin, min(begin + size, count)) for begin in range(0, count, size)]
