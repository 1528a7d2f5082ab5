"""`Picker`: records in, probabilities or picks out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from inspect import signature
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from phasenet_keras.data.preprocess import MISSING, SAMPLING
from phasenet_keras.data.settings import number, optional, settled, whole
from phasenet_keras.io.waveforms import waveforms_of
from phasenet_keras.models.inference import (
    ANY_ENGINE,
    NetworkThreads,
    compile_forward,
    engine_for,
    load_network,
)
from phasenet_keras.picking.batches import Submit
from phasenet_keras.picking.no_picks import why_no_picks
from phasenet_keras.picking.search import Found, PickSearch
from phasenet_keras.picking.stream_state import StreamSettings
from phasenet_keras.picking.whole import whole_runs
from phasenet_keras.short_repr import ShortRepr
from phasenet_keras.types import (
    Annotation,
    ConfigError,
    LabelledWaveform,
    PhaseNetKerasError,
    Pick,
    PresetError,
    ShapeError,
    Waveform,
    refuse_unknown,
)

if TYPE_CHECKING:
    from obspy import Stream, Trace

    from phasenet_keras.models.contract import Preset
    from phasenet_keras.models.litert import NetworkWeights
    from phasenet_keras.models.phasenet import PhaseNet

__all__ = ["Picker", "RecordResult"]

# Pieces of about this length are fastest on a CPU (120,000 to 250,000).
CHUNK_SAMPLES = 131_072


@dataclass(frozen=True, eq=False, repr=False)
class RecordResult(ShortRepr):
    """What became of one record.

    Attributes:
        waveform: the record.
        annotation: its probabilities, or None if it could not be run.
        picks: its picks, by time.
        no_picks: why there are none, of a record that was run; empty if there are.
        error: why it could not be run at all.
    """

    waveform: Waveform
    annotation: Annotation | None
    picks: list[Pick] = field(default_factory=list)
    no_picks: str = ""
    error: PhaseNetKerasError | None = None

    @property
    def failed(self) -> bool:
        """The record could not be run at all."""
        return self.error is not None

    @property
    def reason(self) -> str:
        """Why there are no picks; empty if there are."""
        return str(self.error) if self.error else self.no_picks


class Picker:
    """Picks arrivals with a network, by the network's signal contract.

    It can be pickled and copied. Workers that are spawned can use any; workers that are forked, the
    default of `multiprocessing` on Linux before Python 3.14, one of the engine ``"litert"`` only.

    Args:
        net: a network with a preset (`PhaseNet.from_preset`).
        preset: a contract; None takes the network's own. After a ``fit`` of your own that is still
            its parent's: see "A contract of its own" in ``docs/how-to/strategy.md``.
        thresholds: least probability of a pick, by phase; those of the preset where not given.
        min_distance_s: least time between two picks of one phase, in seconds of the record; None
            takes the preset's.
        sampling: ``"resample"`` brings records to the preset's sampling rate, ``"reinterpret"``
            takes their samples as they are (for kHz data).
        missing: ``"zero"`` pads channels that a record lacks, ``"error"`` refuses it.
        chunk_samples: records are run in pieces of this many samples, which changes nothing but
            speed and memory.
        follow: run the network itself, so that a later change of its weights counts; else a copy
            is run, made at the first record and rearranged for speed (the same within 1e-5).
        engine: ``"keras"``, or ``"litert"`` (``pip install 'phasenet-keras[fast]'``): the same
            within 1e-5, in less time and memory, from a copy that is made at once. See
            `from_preset`, which then loads no Keras.

    Raises:
        PresetError: if there is no contract, or it is for another network.
        ConfigError: for an unknown phase, engine, or a setting out of range.
        MissingExtraError: for an engine that is not installed.

    Example:
        >>> from phasenet_keras import PhaseNet, Picker, read_waveforms
        >>> net = PhaseNet.from_preset("ncedc")  # doctest: +SKIP
        >>> [(p.phase, p.sample) for p in Picker(net).pick(read_waveforms())]  # doctest: +SKIP
        [('P', 471), ('S', 568)]
    """

    # Of a `TablePicker` it is only so where the table has any.
    has_probabilities = True

    def __init__(
        self,
        net: PhaseNet | NetworkWeights,
        *,
        preset: Preset | None = None,
        thresholds: Mapping[str, float] | None = None,
        min_distance_s: float | None = None,
        sampling: str = "resample",
        missing: str = "zero",
        chunk_samples: int = CHUNK_SAMPLES,
        follow: bool = False,
        engine: str = "keras",
    ) -> None:
        if not hasattr(net, "preset"):
            raise ConfigError(
                f"a Picker takes a network, received {type(net).__name__}: load one with "
                "PhaseNet.from_preset(name)"
            )
        preset = preset or net.preset
        if preset is None:
            raise PresetError(
                "this network has no signal contract (sampling rate, window, thresholds): load it "
                "with PhaseNet.from_preset, or pass preset=Preset(...)"
            )
        preset.check_network(net.config)
        if not isinstance(thresholds, Mapping | None):
            raise ConfigError(
                f"thresholds are a probability by phase, such as {dict(preset.thresholds)}, "
                f"received {thresholds!r}"
            )
        thresholds = dict(thresholds or {})
        refuse_unknown(thresholds, preset.thresholds, "thresholds")
        for phase, value in thresholds.items():
            thresholds[phase] = settled(f"the threshold of {phase}", number(0, 1), value)
        self.net = net
        self.preset = preset
        self.thresholds = {**preset.thresholds, **thresholds}
        self.min_distance_s = settled("min_distance_s", optional(number(0)), min_distance_s)
        self.sampling = settled("sampling", SAMPLING, sampling)
        self.missing = settled("missing", MISSING, missing)
        self.chunk_samples = settled("chunk_samples", whole(1), chunk_samples)
        self.follow = follow
        self.engine = engine
        self._forward = compile_forward(net, preset.window_samples, follow=follow, engine=engine)
        self._threads = NetworkThreads(self._forward)

    def __repr__(self) -> str:
        preset, channels = self.preset, ",".join(self.preset.config.channels)
        said = ", ".join(f"{phase} {value:g}" for phase, value in self.thresholds.items())
        return f"Picker({preset.name}, {channels}, {preset.sampling_rate:g} Hz, {said})"

    def __copy__(self) -> Picker:
        """Return a picker of the same network as it is compiled, whose thresholds may differ."""
        new = object.__new__(type(self))
        new.__dict__.update(self.__dict__)
        return new

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what makes it anew, for `pickle` and deep copies: the network and the options."""
        return partial(type(self), **self.options()), (self.net,)

    def options(self) -> dict[str, Any]:
        """Return all that makes it anew, beside its network."""
        return {name: getattr(self, name) for name in OPTIONS}

    @classmethod
    def from_preset(
        cls,
        name_or_path: str | PathLike[str],
        *,
        engine: str = "keras",
        channels: str | Sequence[str] | None = None,
        adapt: str = "select",
        **options: Any,
    ) -> Picker:
        """Load a preset as a picker; with the engine ``"litert"`` neither TensorFlow nor Keras is.

        Args:
            name_or_path: name of a preset or a preset folder.
            engine: ``"keras"``, ``"litert"``, or ``"auto"``: see `engine_for`.
            channels: as in `PhaseNet.from_preset`.
            adapt: as in `PhaseNet.from_preset`.
            **options: of the `Picker`.

        Raises:
            PresetError: if there is no such preset, it is damaged, or cannot be fetched.
            ConfigError, MissingExtraError: as from the `Picker`.

        Example:
            >>> picker = Picker.from_preset("ncedc", engine="litert")  # doctest: +SKIP
        """
        refuse_unknown(options, OPTIONS, "a Picker")
        if settled("an engine", ANY_ENGINE, engine) == "auto":
            engine = "keras" if options.get("follow") else engine_for(name_or_path)
        net = load_network(name_or_path, engine, channels=channels, adapt=adapt)
        return cls(net, engine=engine, **options)

    def annotate(self, records: Stream | Trace | Waveform | Iterable[Waveform]) -> list[Annotation]:
        """Return the probabilities of records, in the order of `pick_each`.

        Args:
            records: waveforms, an `obspy.Stream` or traces.

        Raises:
            PhaseNetKerasError: if a record cannot be run: wrong channels, far too low a rate.
        """
        return [run.annotation() for run in whole_runs(self, _as_waveforms(records))]

    def pick(self, records: Stream | Trace | Waveform | Iterable[Waveform]) -> list[Pick]:
        """Return the picks of records, by time.

        Args:
            records: waveforms, an `obspy.Stream` or traces.

        Raises:
            PhaseNetKerasError: if a record cannot be run: wrong channels, far too low a rate.
        """
        picks = []
        for result in self.pick_each(records):
            if result.error:
                raise result.error
            picks += result.picks
        return sorted(picks)

    def pick_each(
        self, waveforms: Stream | Trace | Waveform | Iterable[Waveform]
    ) -> Iterator[RecordResult]:
        """Pick records; say of each why, if there are no picks. Does not raise on bad records.

        Short records go through the network together, which takes a quarter of the time: some are
        taken from ``waveforms`` ahead of the results.

        Args:
            waveforms: any number, of which those of a million samples are held; an
                `obspy.Stream` or traces, which are all held, for they may belong together.

        Yields:
            What became of each record: of waveforms in their order; then, by station and time, of
            the records that traces make, see `read_waveforms`, which warns of those without any.

        Raises:
            PhaseNetKerasError: for what are no records.

        Example:
            >>> results = picker.pick_each(read_waveforms("events/"))  # doctest: +SKIP
            >>> [len(result.picks) for result in results]  # doctest: +SKIP
            [2, 0, 3]
        """
        for run in whole_runs(self, _as_waveforms(waveforms)):
            if run.prepared is None:
                yield RecordResult(run.waveform, None, error=run.error)
                continue
            wave, annotation = run.waveform, run.annotation()
            search = PickSearch(
                self._thresholds_by_column(),
                self.min_distance_samples(annotation.sampling_rate),
                self.preset.window_samples,
                wave.sampling_rate / annotation.sampling_rate,
            )
            search.add(wave.data)
            search.feed(annotation.probabilities)
            picks = sorted(self.pick_of(it, annotation, wave.units) for it in search.finish())
            reason = ""
            if not picks:
                reason = why_no_picks(
                    self.preset,
                    search.highest,
                    search.n_samples,
                    bool(run.prepared.live_channels),
                    wave.n_samples,
                    wave.sampling_rate,
                )
            yield RecordResult(wave, annotation, picks, reason)

    def pick_record(self, waveform: Stream | Trace | Waveform) -> RecordResult:
        """Pick one record and say why, if there are no picks. Does not raise on bad records.

        Args:
            waveform: a record, or the traces of one.

        Raises:
            PhaseNetKerasError: for what is no record, or several.
        """
        found = list(_as_waveforms(waveform))
        if len(found) != 1:
            raise ConfigError(f"one record is wanted, received {len(found)}: pick_each takes more")
        [result] = self.pick_each(found)
        return result

    def pick_of(self, found: Found, annotation: Annotation, units: str | None) -> Pick:
        """Return what was found in samples as a pick of an annotation."""
        return Pick(
            time=annotation.start_time + found.sample / annotation.sampling_rate,
            station=annotation.station,
            phase=annotation.phases[found.column],
            probability=found.probability,
            amplitude=found.amplitude,
            units=units,
            preset=self.preset.name,
            sample=found.sample,
            sampling_rate=annotation.sampling_rate,
            start_time=annotation.start_time,
            source=annotation.source,
            snr_db=found.snr_db,
        )

    def stream_settings(self, sampling_rate: float, submit: Submit | None = None) -> StreamSettings:
        """Return what is done to records that come in pieces.

        Args:
            sampling_rate: of the annotation, in Hz.
            submit: runs the network; None for `submit`.
        """
        return StreamSettings(
            submit=submit or self.submit,
            config=self.preset.config,
            window_samples=self.preset.window_samples,
            chunk_samples=self.chunk_samples,
            thresholds=self._thresholds_by_column(),
            mpd=self.min_distance_samples(sampling_rate),
            normalization=self.preset.normalization,
        )

    @property
    def submit(self) -> Submit:
        """``(batch, samples, channels)`` to the future of ``(batch, samples, phases)``."""
        return self._threads

    def fixtures(self) -> tuple[object, ...]:
        """Return what states of records refer to, but do not hold: this and the network."""
        return (self, self._threads)

    def _thresholds_by_column(self) -> dict[int, float]:
        phases = self.preset.config.phases
        return {phases.index(phase): value for phase, value in self.thresholds.items()}

    def min_distance_samples(self, sampling_rate: float) -> int:
        """Return the least distance of two picks of a phase, in samples of the annotation."""
        if self.min_distance_s is not None:
            return round(self.min_distance_s * sampling_rate)
        # Of the network's time: reinterpreted records keep the distance in samples.
        return round(self.preset.min_distance_s * self.preset.sampling_rate)


OPTIONS = tuple(signature(Picker).parameters)[1:]


def _as_waveforms(records: Stream | Trace | Waveform | Iterable[Waveform]) -> Iterator[Waveform]:
    """Yield waveforms as they come, and last those of traces, which may belong together."""
    if isinstance(records, np.ndarray):
        raise ShapeError(
            "an array alone has no time and no sampling rate: pass Waveform(data, sampling_rate, "
            "start_time, channels, station), or call the network itself"
        )
    if isinstance(records, Waveform) or hasattr(records, "stats"):
        records = [records]
    traces: list[Trace] = []
    for item in records if isinstance(records, Iterable) else [records]:  # a Stream: its traces
        if isinstance(item, Waveform):
            yield item
        elif hasattr(item, "stats"):
            traces.append(item)
        elif hasattr(item, "traces"):
            traces += item
        else:
            is_labelled = isinstance(item, LabelledWaveform)
            raise ConfigError(
                f"records are Waveforms or ObsPy traces, received {type(item).__name__}; "
                + ("give record.waveform" if is_labelled else "read files with read_waveforms")
            )
    yield from waveforms_of(traces)
