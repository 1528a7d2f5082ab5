"""The nouns of the project: records, annotations, picks, and the errors.

Everything else imports from here; this module costs only NumPy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import total_ordering
from typing import TYPE_CHECKING, Any

import numpy as np

from phasenet_keras.short_repr import ShortRepr
from phasenet_keras.values import frozen_samples, time_type, utc_time

if TYPE_CHECKING:
    from obspy import UTCDateTime

__all__ = [
    "SPLITS",
    "Annotation",
    "ConfigError",
    "FormatError",
    "LabelledWaveform",
    "MissingExtraError",
    "PhaseNetKerasError",
    "Pick",
    "PresetError",
    "ShapeError",
    "TextOnlyError",
    "Waveform",
    "nearest_name",
    "refuse_unknown",
]

SPLITS = ("train", "dev", "test")


class PhaseNetKerasError(ValueError):
    """Base of all errors that this package raises on purpose."""


class FormatError(PhaseNetKerasError):
    """A file is not what it should be: unknown format, truncated, empty."""


class TextOnlyError(FormatError):
    """A file is sound, but holds a logger's messages where records are wanted."""


class PresetError(PhaseNetKerasError):
    """A preset is missing, damaged, or not made for what it is asked to do."""


class ShapeError(PhaseNetKerasError):
    """An array has the wrong shape, type or values, or weights do not fit a network."""


class ConfigError(PhaseNetKerasError):
    """A setting is unknown, has the wrong type, or contradicts another."""


class MissingExtraError(PhaseNetKerasError, ImportError):
    """An optional package is not installed, or cannot be imported.

    Args:
        what: that needs it.
        package: that is missing.
        extra: of this package, that brings it.
        error: of the import; if the package is there, its words say what is wrong with it.

    Example:
        >>> raise MissingExtraError("picks as Parquet", "pyarrow", "parquet")
        Traceback (most recent call last):
        ...
        phasenet_keras.types.MissingExtraError: picks as Parquet need pyarrow, which is not \
installed: pip install 'phasenet-keras[parquet]'
    """

    def __init__(self, what: str, package: str, extra: str, error: Exception | None = None) -> None:
        is_there = error is not None and not isinstance(error, ModuleNotFoundError)
        why = f"cannot be imported ({error})" if is_there else "is not installed"
        super().__init__(
            f"{what} need {package}, which {why}: pip install 'phasenet-keras[{extra}]'"
        )


def nearest_name(name: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the nearest known name, or an empty string.

    Capitals are no difference: of two names that differ by them alone, the first is meant.
    """
    by_letters = {item.lower(): item for item in reversed(list(known))}
    close = get_close_matches(str(name).lower(), list(by_letters), n=1)
    return f" Did you mean '{by_letters[close[0]]}'?" if close else ""


def refuse_unknown(given: Mapping[str, object], known: Iterable[str], what: str) -> None:
    """Raise `ConfigError` if ``given`` has a key that is not in ``known``.

    Example:
        >>> refuse_unknown({"depht": 5}, ["depth", "stride"], "a network")
        Traceback (most recent call last):
        ...
        phasenet_keras.types.ConfigError: a network has no setting 'depht'. Did you mean 'depth'?
    """
    known = list(known)
    for key in given:
        if key not in known:
            hint = nearest_name(key, known) or f" Known: {', '.join(known)}."
            raise ConfigError(f"{what} has no setting '{key}'.{hint}")


@dataclass(frozen=True, eq=False, repr=False)
class Waveform(ShortRepr):
    """One stretch of record of one station: no gap, no NaN, one sampling rate.

    Attributes:
        data: ``(n_samples, n_channels)`` float32, in the record's own units. It is a copy that
            cannot be written to; data of another `Waveform` are shared.
        sampling_rate: in Hz.
        start_time: UTC time of sample 0; a `datetime`, `datetime64` or ISO 8601 text becomes one.
        channels: name of each column, canonically ``("E", "N", "Z")`` or a part of it.
        station: SEED id without the component letter, e.g. ``"CX.PB01..HH"``.
        units: of ``data``, where known.
        offset_m: distance from the source in metres, where known.
        source: name of the file it came from.
        zero_time: UTC time that the file's own times count from (trigger, shot), where it has any.

    Raises:
        ShapeError: for data that have not one column a channel, are empty, masked or not finite, a
            rate that is no number above 0, a time or an offset that is none, and for a station, a
            channel or a unit that is no text.

    Example:
        >>> from obspy import UTCDateTime
        >>> wave = Waveform(np.zeros((300, 1)), 100.0, UTCDateTime(0), ("Z",), "XX.A..HH")
        >>> wave.n_samples, wave.duration_s
        (300, 3.0)
    """

    data: np.ndarray
    sampling_rate: float
    start_time: UTCDateTime
    channels: tuple[str, ...]
    station: str
    units: str | None = None
    offset_m: float | None = None
    source: str = ""
    zero_time: UTCDateTime | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.channels, Iterable):
            raise ShapeError(f"channels are names, as ('N', 'Z'), received {self.channels!r}")
        channels = tuple(str(_text(name, "a channel")) for name in self.channels)
        data = _samples(self.data)
        hint = "; a text is taken letter by letter" if isinstance(self.channels, str) else ""
        names = ",".join(channels)
        if data.ndim != 2 or 0 in data.shape or data.shape[1] != len(channels):
            raise ShapeError(
                f"a waveform of channels {names or '(none)'} needs data of shape "
                f"(n_samples, {len(channels)}), received {data.shape}{hint}"
            )
        if len(set(channels)) != len(channels):
            raise ShapeError(f"a waveform has each channel once, received {names}{hint}")
        station = _text(self.station, "a station")
        if not np.isfinite(data).all():
            raise ShapeError(
                f"the waveform of {station} holds NaN or infinite samples in float32, or masked "
                "ones: split it there, as read_waveforms and Stream.split do"
            )
        rate = _number(self.sampling_rate, "a sampling rate")
        if not (np.isfinite(rate) and rate > 0):
            raise ShapeError(f"a sampling rate is above 0 Hz, received {rate}")
        start_time = _utc_time(self.start_time, "a start time")
        vars(self).update(data=data, channels=channels, sampling_rate=rate, start_time=start_time)
        if self.units is not None:
            _text(self.units, "a unit")
        if self.offset_m is not None:
            vars(self).update(offset_m=_number(self.offset_m, "an offset in metres"))
        if self.zero_time is not None:
            vars(self).update(zero_time=_utc_time(self.zero_time, "a zero time"))

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        vars(self).update(state)
        self.data.flags.writeable = False  # which pickles and deep copies do not keep

    @property
    def n_samples(self) -> int:
        """Number of samples in each channel."""
        return self.data.shape[0]

    @property
    def duration_s(self) -> float:
        """Length in seconds, samples over sampling rate."""
        return self.n_samples / self.sampling_rate


@dataclass(frozen=True, eq=False, repr=False)
class LabelledWaveform(ShortRepr):
    """A record and its arrivals.

    Attributes:
        waveform: the record.
        arrivals: onsets by phase, in fractional samples from the first: ``{"P": (498.2,)}``, or
            one number, ``{"P": 498.2}``. A phase with an empty tuple was looked for and is not
            there; a phase that is not a key was not labelled: unknown, not noise. The same sample
            given twice is one arrival.
        name: of the record in its data set.
        event, gather: what it belongs to, where known: events and shots are never split. Names of
            several events are joined: ``"a + b"``. Empty where they are not known, not None.
        split: ``"train"``, ``"dev"`` or ``"test"``, or empty.

    Raises:
        ShapeError: for an arrival that is outside of the record or no number, and for other types.
        ConfigError: for another split.

    Example:
        >>> from obspy import UTCDateTime
        >>> wave = Waveform(np.ones((300, 1)), 100.0, UTCDateTime(0), ("Z",), "XX.A..HH")
        >>> LabelledWaveform(wave, {"P": (120,), "S": ()}).arrivals
        {'P': (120.0,), 'S': ()}
    """

    waveform: Waveform
    arrivals: Mapping[str, tuple[float, ...]]
    name: str = ""
    event: str = ""
    gather: str = ""
    split: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.waveform, Waveform):
            raise ShapeError(
                f"a labelled record has a Waveform, received {type(self.waveform).__name__}"
            )
        what = f"record {self.name or self.waveform.station}"
        for value, noun in ((self.name, "it"), (self.event, "an event"), (self.gather, "a gather")):
            _text(value, f"{what}: {noun}", " (empty where it is not known)")
        if not isinstance(self.arrivals, Mapping):
            raise ShapeError(
                f'{what}: arrivals are samples by phase, such as {{"P": (498.2,)}}, received '
                f"{self.arrivals!r}"
            )
        if self.split and self.split not in SPLITS:
            raise ConfigError(
                f"{what}: a split is one of {', '.join(SPLITS)}, or empty; received "
                f"{self.split!r}.{nearest_name(self.split, SPLITS)}"
            )
        arrivals = {
            _text(phase, f"{what}: a phase"): _sample_numbers(given, f"{what}, {phase}")
            for phase, given in self.arrivals.items()
        }
        for phase, sample in ((phase, s) for phase, found in arrivals.items() for s in found):
            if not 0 <= sample <= self.waveform.n_samples - 1:
                raise ShapeError(
                    f"{what}: the {phase} arrival at sample {sample:g} is outside of its "
                    f"{self.waveform.n_samples} samples: leave out a phase that is not known, give "
                    "() for one that is not there"
                )
        object.__setattr__(self, "arrivals", arrivals)


@dataclass(frozen=True, eq=False, repr=False)
class Annotation(ShortRepr):
    """What the network says of a record: one probability a sample and phase.

    Attributes:
        probabilities: ``(n_samples, n_phases)`` float32, the softmax output (not calibrated).
        phases: name of each column, noise first: ``("N", "P", "S")``.
        sampling_rate: of ``probabilities``, in Hz (the network's, not the record's).
        start_time: UTC time of sample 0.
        station, source: as in `Waveform`.
    """

    probabilities: np.ndarray
    phases: tuple[str, ...]
    sampling_rate: float
    start_time: UTCDateTime
    station: str
    source: str = ""


@total_ordering
@dataclass(frozen=True, eq=False, repr=False)
class Pick(ShortRepr):
    """One arrival, as picked. Ordered by time, then station, then phase.

    Attributes:
        time: UTC time of the onset.
        station, source: as in `Waveform`.
        phase: ``"P"`` or ``"S"``.
        probability: the network's output at the pick, 0 to 1.
        amplitude: largest absolute excursion from the mean about the pick, over all channels, in
            the 300 samples of the network (3 s at 100 Hz) from the pick on; in ``units``.
        units: of ``amplitude``, where known.
        preset: name of the preset that picked it.
        sample: index of the pick in the annotation, at ``sampling_rate``.
        sampling_rate: of the annotation, in Hz.
        start_time: UTC time of sample 0 of the annotation.
        snr_db: signal-to-noise ratio: rms of the record in the 300 samples of the network from
            the pick on over that in the 300 before, in dB; None where there is no room.

    Raises:
        ShapeError: for a time, a station or a sampling rate that is none, see `Waveform`.
    """

    time: UTCDateTime
    station: str
    phase: str
    probability: float
    amplitude: float | None = None
    units: str | None = None
    preset: str = ""
    sample: int = 0
    sampling_rate: float = field(default=float("nan"))
    start_time: UTCDateTime | None = None
    source: str = ""
    snr_db: float | None = None

    def __post_init__(self) -> None:
        _text(self.station, "a station")
        # There are millions of picks: what is right is not set again.
        if not isinstance(self.time, time_type()):
            object.__setattr__(self, "time", _utc_time(self.time, "the time of a pick"))
        if self.start_time is not None and not isinstance(self.start_time, time_type()):
            object.__setattr__(self, "start_time", _utc_time(self.start_time, "a start time"))
        if type(self.sampling_rate) is not float:
            vars(self).update(sampling_rate=_number(self.sampling_rate, "a sampling rate"))

    @property
    def _key(self) -> tuple[float, str, str, float]:
        # The probability last: equal keys are equal picks, so that the order is total.
        return (self.time.timestamp, self.station, self.phase, self.probability)

    def __eq__(self, other: object) -> bool:
        return self._key == other._key if isinstance(other, Pick) else NotImplemented

    def __lt__(self, other: Pick) -> bool:
        return self._key < other._key if isinstance(other, Pick) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key)


def _samples(given: Any) -> np.ndarray:
    try:
        array = np.asarray(given)
    except ValueError as error:
        raise ShapeError(f"a waveform has as many samples in each channel: {error}") from error
    if array.dtype.kind not in "iufb":
        raise ShapeError(f"a waveform holds real numbers, received dtype {array.dtype}")
    return frozen_samples(given, array)


def _text(value: Any, what: str, hint: str = "") -> str:
    if not isinstance(value, str):
        raise ShapeError(f"{what} is named by text{hint}, received {value!r}")
    return value


def _number(value: Any, what: str) -> float:
    try:
        # Of which float() would make seconds since 1970, 0 or 1.
        if isinstance(value, str | bytes | bool | np.bool_ | time_type()):
            raise TypeError("text, truth and times are no numbers")
        return float(value)
    except (TypeError, ValueError) as error:
        raise ShapeError(f"{what} is a number, received {value!r}") from error


def _sample_numbers(given: Any, what: str) -> tuple[float, ...]:
    """Return the arrivals of a phase, each once, sorted; one number is one arrival."""
    what = f"{what}: each arrival, in samples ((time - start_time) * sampling_rate),"
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        return (_number(given, what),)
    values = np.atleast_1d(given) if isinstance(given, np.ndarray) else given
    return tuple(sorted({_number(value, what) for value in values}))


def _utc_time(value: Any, what: str) -> UTCDateTime:
    time = utc_time(value)
    if time is None:
        raise ShapeError(
            f"{what} is a UTCDateTime, datetime, datetime64 or ISO 8601 text in UTC, of the years "
            f"1 to 9999; received {value!r}"
        )
    return time
