"""What is written down of one learner's run: every episode, and every figure it measured, thinned as it grows.

A `Series` of any length takes the same room: once it is full, neighbouring points are joined into their mean, and from
then on each point stands for twice as many samples. So means are kept, and drawing a curve never depends on how long a
run has been going.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite, nan
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from studio.ml.rl.errors import BadCheckpoint
from studio.ml.rl.learner import Episode, Floats, Turn

Column: TypeAlias = "array[Any]"

POINTS = 2000
RECENT = 32
"""Finished episodes that stay ready to be replayed; the best one does too."""


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Points of one measure of one seed, [n] each: environment steps, finished episodes, seconds computed, values."""

    steps: NDArray[np.int64]
    episodes: NDArray[np.int64]
    seconds: Floats
    values: Floats

    def __len__(self) -> int:
        return len(self.values)


EMPTY = Curve(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), np.empty(0))


class Cut(NamedTuple):
    """Where a series was: samples so far, their sum, and the place of the last one."""

    samples: int
    total: float
    steps: int
    episodes: int
    seconds: float


class Series:
    """Samples at rising steps, as at most `limit` means of `stride` samples each and one of those still gathered."""

    def __init__(self, limit: int = POINTS) -> None:
        self.limit, self.stride = limit - limit % 2, 1
        self._steps, self._episodes = array("q"), array("q")
        self._seconds, self._values = array("d"), array("d")
        self._gathered, self._sum = 0, 0.0
        self._samples, self._total = 0, 0.0
        self._last = (0, 0, 0.0)
        self._curve: Curve | None = EMPTY

    @property
    def now(self) -> Cut:
        """Where the series is, so that it can be cut back to here."""
        return Cut(self._samples, self._total, *self._last)

    def add(self, steps: int, episodes: int, seconds: float, value: float) -> None:
        self._curve, self._last = None, (steps, episodes, seconds)
        self._samples += 1
        self._total += value
        self._gathered += 1
        self._sum += value
        if self._gathered == self.stride:
            self._steps.append(steps)
            self._episodes.append(episodes)
            self._seconds.append(seconds)
            self._values.append(self._sum / self.stride)
            self._gathered, self._sum = 0, 0.0
            if len(self._values) >= self.limit:
                self._halve()

    def _halve(self) -> None:
        values = np.array(self._values)
        self._steps, self._episodes, self._seconds = self._steps[1::2], self._episodes[1::2], self._seconds[1::2]
        self._values = array("d", ((values[::2] + values[1::2]) / 2).tobytes())
        self.stride *= 2

    def curve(self) -> Curve:
        """A copy of the points; the last one is the mean of the samples still gathered."""
        if self._curve is None:
            steps, episodes, seconds, values = (np.array(column) for column in self._columns())
            if self._gathered:
                steps, episodes = np.append(steps, self._last[0]), np.append(episodes, self._last[1])
                seconds = np.append(seconds, self._last[2])
                values = np.append(values, self._sum / self._gathered)
            self._curve = Curve(steps, episodes, seconds, values)
        return self._curve

    def _columns(self) -> tuple[Column, Column, Column, Column]:
        return self._steps, self._episodes, self._seconds, self._values

    def cut(self, at: Cut) -> None:
        """Takes back every sample after `at`, a former `now`."""
        full = at.samples // self.stride
        for column in self._columns():
            del column[full:]
        self._gathered = at.samples - full * self.stride
        self._sum = at.total - self.stride * float(np.sum(self._values)) if self._gathered else 0.0
        self._place(at)

    def _place(self, at: Cut) -> None:
        self._samples, self._total, self._curve = at.samples, at.total, None
        self._last = (at.steps, at.episodes, at.seconds)

    def keep(self) -> dict[str, Any]:
        gathered = {"gathered": self._gathered, "sum": self._sum}
        return {"stride": self.stride, "limit": self.limit, **gathered, "now": [*self.now]}

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {name: np.array(column) for name, column in zip(Curve.__slots__, self._columns(), strict=True)}

    @classmethod
    def of(cls, kept: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Series:
        """What `keep` and `arrays` gave."""
        series = cls(int(kept["limit"]))
        series.stride, series._gathered, series._sum = int(kept["stride"]), int(kept["gathered"]), float(kept["sum"])
        samples, total, steps, episodes, seconds = kept["now"]
        series._place(Cut(int(samples), float(total), int(steps), int(episodes), float(seconds)))
        for name, column in zip(Curve.__slots__, series._columns(), strict=True):
            column.frombytes(np.ascontiguousarray(arrays[name], dtype=column.typecode).tobytes())
        return series


class RecordMark(NamedTuple):
    """Where a record was, so that it can be cut back to there."""

    episodes: int
    seconds: float
    series: Mapping[str, Cut]
    recent: tuple[Episode, ...]
    best: Episode | None


BEGINNING = RecordMark(0, 0.0, {"return": Cut(0, 0.0, 0, 0, 0.0), "length": Cut(0, 0.0, 0, 0, 0.0)}, (), None)
"""Where every record begins."""


class Record:
    """Of one learner. `episodes` counts finished ones; columns of all of them are kept, of figures only the series."""

    def __init__(self, points: int = POINTS) -> None:
        self.points = points
        self.steps, self.seconds_at = array("q"), array("d")
        self.totals, self.lengths, self.ended = array("d"), array("q"), array("b")
        self.seconds = 0.0
        self.series: dict[str, Series] = {"return": Series(points), "length": Series(points)}
        self.recent: deque[Episode] = deque(maxlen=RECENT)
        self.best: Episode | None = None

    @property
    def episodes(self) -> int:
        return len(self.totals)

    def hear(self, turn: Turn, steps: int, seconds: float) -> None:
        """Writes down a turn after which the learner has made `steps`; `seconds`: how long it took."""
        self.seconds += seconds
        for episode in turn.episodes:
            self._end(episode)
        for name, value in turn.figures.items():
            series = self.series.get(name)
            if series is None:
                series = self.series[name] = Series(self.points)
            series.add(steps, len(self.totals), self.seconds, value)

    def _end(self, episode: Episode) -> None:
        length = len(episode.actions)
        self.steps.append(episode.steps)
        self.seconds_at.append(self.seconds)
        self.totals.append(episode.total)
        self.lengths.append(length)
        self.ended.append(episode.terminated)
        place = (episode.steps, len(self.totals), self.seconds)
        self.series["return"].add(*place, episode.total)
        self.series["length"].add(*place, length)
        self.recent.append(episode)
        if self.best is None or episode.total > self.best.total:
            self.best = episode

    def recent_mean(self, episodes: int) -> float:
        """Mean return of the last so many episodes; nan before there are as many."""
        return sum(self.totals[-episodes:]) / episodes if len(self.totals) >= episodes else nan

    def curve(self, measure: str) -> Curve:
        return self.series[measure].curve() if measure in self.series else EMPTY

    def mark(self) -> RecordMark:
        series = {name: series.now for name, series in self.series.items()}
        return RecordMark(self.episodes, self.seconds, series, tuple(self.recent), self.best)

    def cut(self, at: RecordMark) -> None:
        """Back to where `mark` was taken."""
        for column in (self.steps, self.seconds_at, self.totals, self.lengths, self.ended):
            del column[at.episodes :]
        for name in [*self.series]:
            if name in at.series:
                self.series[name].cut(at.series[name])
            else:
                del self.series[name]
        self.seconds, self.best = at.seconds, at.best
        self.recent = deque(at.recent, maxlen=RECENT)

    def copy(self) -> Record:
        return Record.of(*self.keep())

    def keep(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """JSON data and arrays by name."""
        arrays: dict[str, NDArray[Any]] = {name: np.array(getattr(self, name)) for name in _COLUMNS}
        arrays["ended"] = arrays["ended"].astype(np.int8)
        for name, series in self.series.items():
            arrays |= {f"series/{name}/{column}": values for column, values in series.arrays().items()}
        told = [_episode_told(e, f"recent/{k}", arrays) for k, e in enumerate(self.recent)]
        best = None if self.best is None else _episode_told(self.best, "best", arrays)
        data = {"points": self.points, "seconds": self.seconds, "recent": told, "best": best}
        return data | {"series": {name: series.keep() for name, series in self.series.items()}}, arrays

    @classmethod
    def of(cls, data: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Record:
        """What `keep` gave. Raises BadCheckpoint."""
        try:
            record = cls(int(data["points"]))
            for name in _COLUMNS:
                column = getattr(record, name)
                column.frombytes(np.ascontiguousarray(arrays[name], dtype=column.typecode).tobytes())
            if len({len(getattr(record, name)) for name in _COLUMNS}) > 1:
                raise BadCheckpoint("The checkpoint's episodes are not of one length; it may have been cut short.")
            record.series = {
                name: Series.of(kept, {column: arrays[f"series/{name}/{column}"] for column in Curve.__slots__})
                for name, kept in data["series"].items()
            }
            record.seconds = float(data["seconds"])
            record.recent.extend(_episode_of(told, arrays) for told in data["recent"])
            record.best = None if data["best"] is None else _episode_of(data["best"], arrays)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            if isinstance(error, BadCheckpoint):
                raise
            raise BadCheckpoint(f"The checkpoint's curves cannot be read ({error!r}); take an earlier one.") from error
        return record


_COLUMNS = ("steps", "seconds_at", "totals", "lengths", "ended")


def _episode_told(episode: Episode, name: str, arrays: dict[str, NDArray[Any]]) -> dict[str, Any]:
    arrays[name] = episode.actions
    total = episode.total if isfinite(episode.total) else None
    return {
        "actions": name, "place": episode.place, "number": episode.number, "seed": episode.seed, "total": total,
        "steps": episode.steps, "terminated": episode.terminated,
    }  # fmt: skip


def _episode_of(told: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Episode:
    total = nan if told["total"] is None else float(told["total"])
    place, number, seed, steps = (int(told[name]) for name in ("place", "number", "seed", "steps"))
    return Episode(place, number, seed, arrays[told["actions"]], total, steps, bool(told["terminated"]))
