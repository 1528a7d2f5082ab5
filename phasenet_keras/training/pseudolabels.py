"""Picks of a whole survey, corrected gather by gather: pseudo labels for self-training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from phasenet_keras.data.settings import checked_type
from phasenet_keras.io.geometry import Geometry
from phasenet_keras.io.text_tables import name_key
from phasenet_keras.io.wording import some
from phasenet_keras.training.correction import CorrectionConfig
from phasenet_keras.training.physics import reciprocity_weights, shot_column
from phasenet_keras.training.robust import (
    GatherCorrection,
    choose_settings,
    correct_one,
    one_thread,
)
from phasenet_keras.training.splits import spread
from phasenet_keras.training.survey import OUT_OF_ORDER, PICK_KEPT, Point, with_offsets
from phasenet_keras.types import ConfigError, nearest_name

if TYPE_CHECKING:
    from pandas import DataFrame, Series

__all__ = ["correct_picks"]

# Of differences between reciprocal picks: picks are not better than this.
LEAST_SPREAD_SAMPLES = 1.5
# A pick is near a curve within so many of its uncertainties, as figures show them.
IN_BAND = 2.0
NO_OFFSET = "no offset"


def correct_picks(
    table: DataFrame,
    config: CorrectionConfig | None = None,
    *,
    sources: Mapping[Any, Point] | None = None,
    receivers: Mapping[Any, Point] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> DataFrame:
    """Correct the picks of a survey by the moveout of each gather and phase.

    Curves of P and S know nothing of each other. Where they put S of a trace before its P, the
    picks are its times if both are near their curves and in order; else the less certain time is
    dropped.

    Args:
        table: one row a pick: ``shot`` (or ``gather``), ``receiver``, ``phase``, and ``sample``
            or ``time_s``; a receiver without a pick is a row without a time. Optional:
            ``offset_m`` (signed), ``probability``. Of two picks of one phase on one trace the
            more probable counts, of equals the earlier.
        config: default `CorrectionConfig()`.
        sources: coordinates of each shot, as `signed_offsets` takes them. Names match as in
            `read_geometry`: 1, "1" and "01" are one, and ``"*"`` stands for all shots.
        receivers: the same of each receiver. Without these two and without ``offset_m``,
            receiver number minus shot number serves: shot 5 is taken to stand at receiver 5.
        progress: called with the number of gathers done and of all.

    Returns:
        A copy of the table, row by row, with ``corrected``, ``residual`` and ``uncertainty`` in
        the unit of the times (their names end in ``_sample``, ``_samples``, or ``_s``), and
        ``is_outlier, how, mirrored, note``: see `GatherCorrection`. ``note`` says why a row was
        not used, or has the time of its pick. With ``config.reciprocity`` also
        ``reciprocity_weight``. Its ``attrs`` hold the settings and the gathers they were chosen on.

    Raises:
        ConfigError: for missing columns, coordinates or sampling rate, if no row can be used,
            without scikit-learn, or where reciprocity is to weigh picks and no two shots recorded
            each other.

    Example:
        >>> import pandas as pd
        >>> receiver = range(1, 25)
        >>> picks = pd.DataFrame({"shot": 1, "receiver": receiver, "phase": "P"})
        >>> picks["sample"] = [60.0 + 3 * n for n in receiver]
        >>> picks.loc[9, "sample"] = 400.0
        >>> correct_picks(picks, CorrectionConfig(choose="given")).loc[9, "how"]
        'moved'
    """
    config = _checked(table, config)
    survey = _Survey(table, config, sources, receivers)
    settings = dict(config.phases)
    chosen_on: dict[str, list] = {}
    if config.choose == "cross_validation":
        for phase in settings:
            keys = survey.to_choose_on(phase)
            pairs = [survey.gather(key) for key in keys]
            settings[phase] = choose_settings(pairs, settings[phase])
            chosen_on[phase] = [key[0] for key in keys]
    with one_thread():
        for done, (key, rows) in enumerate(survey.gathers.items(), start=1):
            found = correct_one(*survey.gather(key), settings[key[1]], survey.trust[rows])
            survey.put(rows, found)
            if progress is not None:
                progress(done, len(survey.gathers))
    survey.settle_order()
    result = survey.result()
    result.attrs["settings"] = {phase: asdict(item) for phase, item in settings.items()}
    result.attrs["chosen_on"] = chosen_on
    return result


class _Survey:
    """A table of picks as arrays, its gathers as row numbers, and the columns to be filled."""

    def __init__(
        self,
        table: DataFrame,
        config: CorrectionConfig,
        sources: Mapping[Any, Point] | None,
        receivers: Mapping[Any, Point] | None,
    ) -> None:
        self.table, self.config, n = table, config, len(table)
        self.shot = shot_column(table)
        _require(table, (self.shot, "receiver", "phase"))
        self.note = np.full(n, "", dtype=object)
        self.usable = np.ones(n, bool)
        self.seconds, self.rate = _unit(table, config)
        self.times = self._times("time_s" if self.seconds else "sample") * self.rate
        self._refuse(~table["phase"].isin(list(config.phases)), "no settings for this phase")
        self.offsets = self._offsets(sources, receivers)
        self._refuse(~np.isfinite(self.offsets), NO_OFFSET)
        for name in (self.shot, "receiver"):
            self._refuse(table[name].isna(), f"no {name}")
        if n and not self.usable.any():
            raise ConfigError(self._why_none(sources, receivers))
        self.gathers = self._gathers()
        self.trust = self._trust()
        self.values = np.full((3, n), np.nan)
        self.is_outlier, self.mirrored = np.zeros((2, n), bool)
        self.how = np.full(n, "dropped", dtype=object)

    def _refuse(self, rows: Any, note: str) -> None:
        rows = np.asarray(rows, bool)
        self.note[rows] = note
        self.usable &= ~rows

    def _times(self, column: str) -> np.ndarray:
        times = _numbers(self.table[column])
        self.note[self.table[column].notna().to_numpy() & np.isnan(times)] = (
            f"{column} is not a number: taken as no pick"
        )
        return times

    def _offsets(
        self, sources: Mapping[Any, Point] | None, receivers: Mapping[Any, Point] | None
    ) -> np.ndarray:
        if (sources is None) != (receivers is None):
            raise ConfigError("offsets need coordinates of sources and receivers: give both")
        if sources is not None and receivers is not None:
            places: list[Any] = [
                {name_key(str(name)): point for name, point in given.items()}
                for given in (receivers, sources)
            ]
            table = self.table.rename(columns={self.shot: "shot"})
            return with_offsets(table, Geometry(*places))["offset_m"].to_numpy()
        if "offset_m" in self.table:
            return _numbers(self.table["offset_m"])
        return _numbers(self.table["receiver"]) - _numbers(self.table[self.shot])

    def _why_none(
        self, sources: Mapping[Any, Point] | None, receivers: Mapping[Any, Point] | None
    ) -> str:
        """Say why no row can be used, and which names do not meet."""
        [(note, count)] = Counter(self.note).most_common(1)
        shots, names, phases = (
            some(map(str, self.table[name].unique())) for name in (self.shot, "receiver", "phase")
        )
        there = f", and coordinates of shots {some(map(str, sources))}" if sources else ""
        there += f" and receivers {some(map(str, receivers))}" if receivers else ""
        if note == NO_OFFSET and sources is None:
            columns = [str(name) for name in self.table.columns if name != "offset_m"]
            there += "; give signed offsets in metres in a column offset_m, or coordinates of "
            there += f"sources and receivers.{nearest_name('offset_m', columns)}"
        return (
            f"no row of the table can be used: {note} ({count} of {len(self.table)} rows). It has "
            f"shots {shots}, receivers {names} and phases {phases}; there are settings for phases "
            f"{', '.join(self.config.phases)}{there}"
        )

    def _gathers(self) -> dict[tuple[Any, str], np.ndarray]:
        names = [self.shot, "receiver", "phase"]
        probability = np.zeros(len(self.table))
        if "probability" in self.table:
            probability = np.nan_to_num(_numbers(self.table["probability"]))
        keys = self.table[names].assign(
            missing=np.isnan(self.times),
            improbable=-probability,
            time=self.times,
            row=np.arange(len(self.table)),
        )
        keys = keys[self.usable].sort_values(["missing", "improbable", "time"], kind="stable")
        again = keys.duplicated(names)
        twice = np.isin(np.arange(len(self.table)), keys["row"][again])
        self._refuse(twice, "duplicate: another pick of this trace and phase was taken")
        groups = keys[~again].sort_values("row").groupby([self.shot, "phase"])["row"]
        return {key: rows.to_numpy() for key, rows in groups}

    def _trust(self) -> np.ndarray:
        """Return the weight of each row: 1 where there is no reciprocal pick."""
        if not self.config.reciprocity:
            return np.ones(len(self.table))
        picks = self.table[[self.shot, "receiver", "phase"]]
        times = np.where(self.usable, self.times, np.nan)
        picks = picks.assign(sample=times, offset_m=self.offsets)
        weights = reciprocity_weights(picks, LEAST_SPREAD_SAMPLES)
        if np.isnan(weights).all():
            raise ConfigError(
                "reciprocity cannot weigh these picks: no two shots recorded each other. Shot 5 "
                "has to stand at receiver 5 and be named like it"
            )
        return np.nan_to_num(weights, nan=1.0)

    def gather(self, key: tuple[Any, str]) -> tuple[np.ndarray, np.ndarray]:
        """Return offsets and times (samples) of one shot and phase."""
        rows = self.gathers[key]
        return self.offsets[rows], self.times[rows]

    def to_choose_on(self, phase: str) -> list[tuple[Any, str]]:
        """Return gathers of a phase, evenly taken from those that have many picks."""
        counts = {k: int(np.isfinite(self.gather(k)[1]).sum()) for k in self.gathers}
        counts = {key: count for key, count in counts.items() if key[1] == phase}
        rich = [key for key, count in counts.items() if 2 * count >= max(counts.values()) > 0]
        return spread(rich, self.config.gathers_to_choose)

    def put(self, rows: np.ndarray, found: GatherCorrection) -> None:
        """Take over what was found for one gather."""
        self.values[:, rows] = np.stack([found.time, found.residual, found.uncertainty])
        self.is_outlier[rows], self.mirrored[rows] = found.is_outlier, found.mirrored
        self.how[rows] = found.how
        silent = rows[(found.how == "dropped") & (self.note[rows] == "")]
        self.note[silent] = "no curve here: too few picks, or it leaves the bounds"

    def settle_order(self) -> None:
        """Let no S be earlier than the P of its trace."""
        used = np.concatenate([*self.gathers.values()]) if self.gathers else np.empty(0, int)
        keys = self.table.iloc[used][[self.shot, "receiver", "phase"]].assign(row=used)
        keys = keys[np.isfinite(self.values[0, used])]
        p, s = (keys[keys["phase"] == phase].drop(columns="phase") for phase in "PS")
        pairs = p.merge(s, on=[self.shot, "receiver"])
        for pair in pairs[["row_x", "row_y"]].to_numpy():
            time, residual, uncertainty = self.values[:, pair]
            if time[0] <= time[1]:
                continue
            # The uncertainty of a mirrored time is that of its picks: it does not judge them.
            near = ~self.mirrored[pair] & (np.abs(residual) <= IN_BAND * uncertainty)
            fits = near | (self.how[pair] == "kept")
            if fits.all() and self.times[pair[0]] <= self.times[pair[1]]:
                self.values[:2, pair] = self.times[pair], np.zeros(2)
                self.how[pair] = "kept"
                self.mirrored[pair] = self.is_outlier[pair] = False
                self.note[pair] = f"{PICK_KEPT}: the curves put S before P"
                continue
            worse = pair[int(uncertainty[1] >= uncertainty[0])]
            self.values[:, worse] = np.nan
            self.how[worse], self.mirrored[worse] = "dropped", False
            self.note[worse] = f"{OUT_OF_ORDER}: less certain than the other phase of its trace"

    def result(self) -> DataFrame:
        """Return the table with the new columns."""
        corrected, residual, uncertainty = self.values / self.rate
        unit, units = ("s", "s") if self.seconds else ("sample", "samples")
        columns = {
            f"corrected_{unit}": corrected,
            f"residual_{units}": residual,
            f"uncertainty_{units}": uncertainty,
            "is_outlier": self.is_outlier,
            "how": self.how,
            "mirrored": self.mirrored,
            "note": self.note,
        }
        if self.config.reciprocity:
            columns["reciprocity_weight"] = self.trust
        return self.table.assign(**columns)


def _checked(table: Any, config: Any) -> CorrectionConfig:
    """Return the settings, if these and the table are what they should be."""
    import pandas as pd

    if not isinstance(table, pd.DataFrame):
        raise ConfigError(
            f"picks to be corrected are a pandas DataFrame, received {type(table).__name__}: "
            "columns are shot, receiver, phase and sample or time_s"
        )
    hint = "CorrectionConfig.from_dict takes a mapping"
    return checked_type(config or CorrectionConfig(), CorrectionConfig, "config", hint)


def _require(table: DataFrame, names: Sequence[str]) -> None:
    missing = [name for name in names if name not in table]
    if missing:
        raise ConfigError(
            f"a table of picks has columns {', '.join(names)} and sample or time_s; "
            f"{', '.join(missing)} is missing, received "
            f"{', '.join(map(str, table.columns)) or 'no columns'}"
        )


def _unit(table: DataFrame, config: CorrectionConfig) -> tuple[bool, float]:
    """Return whether times are in seconds, and samples a unit of time."""
    if "sample" in table:
        return False, 1.0
    if "time_s" not in table:
        raise ConfigError("a table of picks has a column sample or time_s: add one")
    if config.sampling_rate_hz is None:
        raise ConfigError("times are in seconds: set sampling_rate_hz, or give a column sample")
    return True, config.sampling_rate_hz


def _numbers(column: Series) -> np.ndarray:
    import pandas as pd

    numbers = pd.to_numeric(column, errors="coerce").to_numpy(float, na_value=np.nan)
    return np.where(np.isfinite(numbers), numbers, np.nan)
