"""Labelled records in HDF5, one group or dataset a record, its attributes the labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from phasenet_keras.io.channels import COMPONENTS, components_of
from phasenet_keras.io.hdf5_files import (
    DAMAGE,
    opened,
    record_named,
    record_names,
    values_of,
)
from phasenet_keras.io.labels.hdf5_attributes import (
    INDICES,
    arrivals_in,
    first_text,
    number_in,
    text_of,
    texts_of,
)
from phasenet_keras.io.labels.row_columns import (
    ARRIVAL_COLUMNS,
    DISTANCE_COLUMNS,
    SAMPLE_COLUMNS,
    SPLIT_NAMES,
    TIME_COLUMNS_IN_WORDS,
)
from phasenet_keras.io.no_waveforms import MOST_RECORDS, OTHER_SHAPES, check_are_channels
from phasenet_keras.io.parts import BadRow, Item, Part, blocks
from phasenet_keras.io.rates import DEFAULT_RATE_HZ, rate_of, said_of_no_rate, says_rate
from phasenet_keras.io.registry import say
from phasenet_keras.io.times import NO_TIME, START_TIMES, time_in
from phasenet_keras.io.wording import some
from phasenet_keras.types import FormatError, LabelledWaveform, ShapeError, Waveform

if TYPE_CHECKING:
    import h5py

__all__ = ["hdf5_parts", "holds_labels", "records_named", "waveform_named"]

LABELS = {*ARRIVAL_COLUMNS["P"], *ARRIVAL_COLUMNS["S"], INDICES}
CHANNELS = ("channels", "component", "components")
STATIONS = ("station_id", "station", "station_code", "receiver_code")
EVENTS = ("event", "event_id", "source_id")
DEFAULT_CHANNELS = {3: COMPONENTS, 1: ("Z",)}
MAX_CHANNELS = 3
# Groups that hold records but are no event.
CONTAINERS = {"data", "records", "waveforms"}


def hdf5_parts(path: Path) -> list[Part]:
    """Plan the reading of labelled records, a few hundred a part: PhaseNet's layout, its relatives.

    A record is a group with a dataset ``data``, or a dataset; groups may hold others, e.g. one an
    event. Its attributes are the labels; all others are also looked for in the groups above it.

    =============  ==========================================================================
    what           attributes, in the order in which they are looked for
    =============  ==========================================================================
    P, S           ``p_sample, p_index, itp, p_idx, p_arrival_sample``, and so for S (``its``);
                   ``phase_index`` with the names in ``phase_type``. In samples, one or several;
                   ``other_p_indices`` are further ones. NaN, -1, -999 or none: not labelled.
                   Where none is in samples, by time since the first: ``p_time_s, p_ms, p_us`` …
    sampling rate  ``sampling_rate_hz, sampling_rate, sample_rate, fs`` in Hz, ``dt_s, dt,
                   sampling_interval`` in s, and such with ``_khz, _mhz, _ms, _us``, in any case;
                   else 100 Hz, which is said
    channels       ``channels, component, components``, a list or ``E,N,Z``; else E, N, Z or Z
    station        ``station_id``; ``station`` with ``network``; else the record's name
    start          ``start_time, starttime, begin_time, trace_start_time`` (UTC); else 1970
    groups         ``event, event_id, source_id``, else the group it is in; ``gather``, ``shot``
    split          ``split``: train, dev or test, or validation and such, as in tables
    offset         ``offset_m, distance_m``, ``distance_km``
    =============  ==========================================================================

    Data are ``(samples, channels)``, or ``(channels, samples)`` where the first length is 3 or
    less and below the second. Phases are unknown, not absent, where they have no arrival, except
    where ``trace_category`` is ``noise``.

    Records that cannot be used are numbered from 1, in the order of the file.

    Raises:
        FormatError: if the file is no HDF5, its records are of several sensors, or none is
            labelled.

    Example:
        >>> import h5py
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "a.h5"
        ...     with h5py.File(path, "w") as file:
        ...         record = file.create_dataset("quake/XX.A", data=np.ones((300, 3), "f4"))
        ...         record.attrs.update(p_index=120, s_index=np.nan)
        ...     [record] = [item for part in hdf5_parts(path) for item in part()]
        >>> record.name, record.event, record.arrivals
        ('quake/XX.A', 'quake', {'P': (120.0,)})
    """
    names = record_names(path)
    with opened(path) as file:
        _check_are_channels(file, names)
        if not _any_labelled(file, names):
            raise FormatError(_said_of_no_labels(file, names))
    numbered = list(enumerate(names, start=1))
    parts = blocks(len(names))
    return [partial(records_named, path, numbered[part.start : part.stop]) for part in parts]


def holds_labels(path: Path) -> bool:
    """Tell if a record of a file has attributes of arrivals, or is said to be noise."""
    with opened(path) as file:
        return _any_labelled(file, record_names(path))


def _any_labelled(file: h5py.File, names: Iterable[str]) -> bool:
    for name in names:
        with suppress(FormatError):  # it is reported where it is read
            if _is_labelled(record_named(file, name)[1]):
                return True
    return False


def _said_of_no_labels(file: h5py.File, names: Iterable[str]) -> str:
    """Return what a file holds in place of labelled records, and what can be done."""
    found = []
    for name in names:
        with suppress(FormatError):
            found.append(f"{name} {record_named(file, name)[0].shape}")
    return (
        f"{file.filename} holds no labelled record, but {some(found) or 'nothing'}: records have "
        "their arrivals as attributes (p_sample, or p_time_s, p_ms, p_us), or in a table that "
        "names them (--labels, column fname). If an array is of several events or sensors: "
        f"{OTHER_SHAPES}"
    )


def _check_are_channels(file: h5py.File, names: Sequence[str]) -> None:
    """Refuse a file whose records are of several sensors; see `check_are_channels`."""
    records = []
    for name in names[:MOST_RECORDS]:
        with suppress(FormatError, *DAMAGE):  # it is reported where it is read
            dataset, own, attributes = record_named(file, name)
            n_channels = 1 if {*CHANNELS} & {*attributes} else min(dataset.shape)
            records.append((n_channels, arrivals_in(own)))
    check_are_channels(records, file.filename)


def records_named(
    path: Path, numbered: Iterable[tuple[int | None, str]], *, needs_labels: bool = True
) -> Iterator[Item]:
    """Yield the records of a file that have these names, each with its number if it is bad."""
    with opened(path) as file:
        for number, name in numbered:
            try:
                yield _record(file, name, path.name, needs_labels=needs_labels)
            except (FormatError, ShapeError) as error:
                yield BadRow(number, f"{name}: {error}")


def _record(file: h5py.File, name: str, source: str, *, needs_labels: bool) -> LabelledWaveform:
    dataset, own, attributes = record_named(file, name)
    if needs_labels and not _is_labelled(own):
        raise FormatError(
            f"it has no attribute of arrivals ({', '.join(SAMPLE_COLUMNS['P'])}, {INDICES}; "
            f"{TIME_COLUMNS_IN_WORDS.partition(' and ')[0]}; and so for S): write it, or give a "
            "table with the record's name in a column fname (--labels)"
        )
    attributes = _nearest(own, attributes)
    wave = _waveform(name, dataset, attributes, source)
    arrivals = arrivals_in(own, wave)
    if _is_noise(own):
        arrivals = {phase: arrivals.get(phase, ()) for phase in SAMPLE_COLUMNS}
    shot = first_text(attributes, "shot")
    split = first_text(attributes, "split")
    return LabelledWaveform(
        wave,
        {phase: arrivals.get(phase, ()) for phase in SAMPLE_COLUMNS}
        if _is_noise(own)
        else arrivals,
        name=name,
        event=_event(attributes, name),
        gather=f"shot {shot}" if shot else first_text(attributes, "gather"),
        split=SPLIT_NAMES.get(split.lower(), ""),
    )


def waveform_named(file: h5py.File, name: str, source: str, headers_only: bool = False) -> Waveform:
    """Return a record by its name, labelled or not; of headers alone the samples are zeros.

    Raises:
        FormatError: saying what is wrong with it; what has no labels says its rate, and something
            of its own (files of one array a quantity have a rate, too).
        ShapeError: as `Waveform`.
    """
    dataset, own, attributes = record_named(file, name)
    attributes = _nearest(own, attributes)
    if not (_is_labelled(own) or _is_record(own, attributes)):
        _layout(dataset, attributes)  # what is of another shape is none, whatever it says
        raise FormatError(
            "nothing says that it is a record: write its sampling_rate_hz as an attribute, and its "
            "channels, station and start_time"
        )
    return _waveform(name, dataset, attributes, source, headers_only)


def _nearest(own: Mapping[str, Any], attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return all attributes but those of groups above that a record says by another name itself."""
    rates = [*filter(says_rate, attributes)]
    named = (START_TIMES, CHANNELS, STATIONS, EVENTS, [name for name in rates if name != "dt"])
    said = [names for names in named if any(texts_of(own.get(name)) for name in names)]
    hidden = {name for names in said for name in names if name not in own}
    return {name: value for name, value in attributes.items() if name not in hidden}


def _is_record(own: Mapping[str, Any], attributes: Mapping[str, Any]) -> bool:
    """Tell by its attributes if what has no labels is a record."""
    if _said_rate(attributes)[0] is None:
        return False
    says_itself = bool({*CHANNELS, *START_TIMES, *STATIONS} & set(own))
    return says_itself or _said_rate(own)[0] is not None


def _waveform(
    name: str,
    dataset: h5py.Dataset,
    attributes: Mapping[str, Any],
    source: str,
    headers_only: bool = False,
) -> Waveform:
    data, channels = _samples(dataset, attributes, headers_only)
    return Waveform(
        data=data,
        sampling_rate=_rate(attributes, source),
        start_time=time_in(first_text(attributes, *START_TIMES) or NO_TIME, START_TIMES[0]),
        channels=channels,
        station=_station(attributes, name),
        units=first_text(attributes, "units", "unit") or None,
        offset_m=_offset_m(attributes),
        source=source,
    )


def _is_noise(own: Mapping[str, Any]) -> bool:
    return text_of(own.get("trace_category")).lower() == "noise"


def _is_labelled(own: Mapping[str, Any]) -> bool:
    return bool(LABELS & set(own)) or _is_noise(own)


def _samples(
    dataset: h5py.Dataset, attributes: Mapping[str, Any], headers_only: bool
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return ``(samples, channels)`` and the components, in the order E, N, Z."""
    names, is_turned = _layout(dataset, attributes)
    try:
        data = np.atleast_2d(values_of(dataset, headers_only=headers_only))
    except OSError as error:
        raise FormatError(f"its data cannot be read: {error}") from error
    data = data.T if is_turned else data
    by_component = {component: code for code, component in components_of(names).items()}
    order = tuple(name for name in COMPONENTS if name in by_component)
    return data[:, [names.index(by_component[name]) for name in order]], order


def _layout(dataset: h5py.Dataset, attributes: Mapping[str, Any]) -> tuple[list[str], bool]:
    """Return what the channels of a record are called, and if they are its first side.

    Raises:
        FormatError: for arrays of other shapes, before they are read: they may be large.
    """
    shape = dataset.shape
    if shape is None or len(shape) not in (1, 2) or dataset.dtype.kind not in "iuf":
        raise FormatError(
            f"its data should be numbers of shape (samples, channels), received {dataset.dtype} "
            f"of shape {shape}" + (f"; {OTHER_SHAPES}" if shape and len(shape) > 2 else "")
        )
    n_samples, n_channels = shape if len(shape) == 2 else (1, *shape)
    is_turned = len(shape) == 1 or (n_samples <= MAX_CHANNELS and n_samples < n_channels)
    n_channels = n_samples if is_turned else n_channels
    names = _channel_names(attributes, n_channels)
    if not len({*components_of(names).values()}) == len(names) == n_channels:
        raise FormatError(
            f"its data of shape {shape} do not fit channels {','.join(names) or '(none named)'}: "
            "each column needs a name, and each name should stand for another of E, N, Z"
            + (f"; {OTHER_SHAPES}" if n_channels > MAX_CHANNELS else "")
        )
    return names, is_turned


def _channel_names(attributes: Mapping[str, Any], n_channels: int) -> list[str]:
    value = next((attributes[key] for key in CHANNELS if key in attributes), None)
    names = texts_of(value)
    if len(names) == 1 and n_channels > 1:
        # "E,N,Z", or letter by letter "ENZ".
        names = names[0].replace(",", " ").split()
        if len(names) == 1 and len(names[0]) == n_channels:
            names = list(names[0])
    return names or list(DEFAULT_CHANNELS.get(n_channels, ()))


def _rate(attributes: Mapping[str, Any], source: str) -> float:
    rate, has_other_dt = _said_rate(attributes)
    if rate is None:
        say(said_of_no_rate(source, attributes))
    if has_other_dt:
        say(
            f"{source}: dt is no step of {rate:g} Hz, which another attribute says, and is not used"
        )
    return DEFAULT_RATE_HZ if rate is None else rate


def _said_rate(attributes: Mapping[str, Any]) -> tuple[float | None, bool]:
    """Return the rate that attributes say, and if `dt`, as that of a residual, is none of it."""
    number = partial(number_in, attributes)
    try:
        return rate_of(attributes, number), False
    except FormatError:
        rate = rate_of((name for name in attributes if name != "dt"), number)
        if rate is None:
            raise
        return rate, True


def _station(attributes: Mapping[str, Any], name: str) -> str:
    station = first_text(attributes, *STATIONS)
    network = first_text(attributes, "network", "network_code")
    if station and network and "." not in station:
        location = first_text(attributes, "location")
        return f"{network}.{station}.{location}.{first_text(attributes, 'instrument')}"
    return station or name.rsplit("/", 1)[-1]


def _event(attributes: Mapping[str, Any], name: str) -> str:
    group = name.rsplit("/", 2)[-2] if "/" in name else ""
    return first_text(attributes, *EVENTS) or ("" if group.lower() in CONTAINERS else group)


def _offset_m(attributes: Mapping[str, Any]) -> float | None:
    distance_km = number_in(attributes, "distance_km")
    known = [number_in(attributes, name) for name in DISTANCE_COLUMNS]
    known.append(None if distance_km is None else 1000.0 * distance_km)
    return next((offset_m for offset_m in known if offset_m is not None), None)
