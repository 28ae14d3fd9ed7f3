"""A sweep as a value: which settings of an agent take which values, and the cells and trainings that this comes to."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import Field, dataclass, fields, replace
from itertools import product
from math import exp, log
from typing import Any

from studio.ml.rl.errors import BadSetting
from studio.ml.rl.knobs import idle, knob_of
from studio.ml.rl.plan import Plan
from studio.ml.rl.worlds import WorldSpec

Value = bool | int | float | str

MOST_VALUES, MOST_CELLS = 25, 100
HOW = "write values like 0.1, 0.3, 0.5, or a range like 0.001 to 0.1 in 5"
_RANGE = re.compile(r"^\s*(\S+)\s+to\s+(\S+)\s+in\s+(\d+)\s*$")
_YES, _NO = ("yes", "true", "on", "1"), ("no", "false", "off", "0")
_NOT_SWEPT = ("more",)


@dataclass(frozen=True)
class Axis:
    """A setting and the values it takes. label: what it is called."""

    name: str
    label: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Cell:
    """One combination: its place in the sweep, the values along the axes, and the settings with them."""

    number: int
    values: tuple[Value, ...]
    settings: Any


@dataclass(frozen=True)
class Sweep:
    """An agent in a world, once for each combination of values and each seed. Raises BadSetting."""

    world: WorldSpec
    kind: str
    settings: Any
    axes: tuple[Axis, ...]
    seed: int = 0
    seeds: int = 3
    steps: int = 15_000

    def __post_init__(self) -> None:
        if not 1 <= len(self.axes) <= 2:
            raise BadSetting(f"A sweep goes over one or two settings, not {len(self.axes)}.")
        if len(self.axes) == 2 and self.axes[0].name == self.axes[1].name:
            raise BadSetting(f"{self.axes[0].label} is there twice; choose another second setting.")
        count = 1
        for axis in self.axes:
            count *= len(axis.values)
        if count > MOST_CELLS:
            raise BadSetting(f"These are {count} combinations, and at most {MOST_CELLS} can be; leave some values out.")
        self.cells()
        self.plan(self.cells()[0])

    def cells(self) -> tuple[Cell, ...]:
        """All combinations, the second setting changing fastest. Raises BadSetting where one cannot be."""
        names = [axis.name for axis in self.axes]
        combined = product(*(axis.values for axis in self.axes))
        return tuple(
            Cell(k, values, replace(self.settings, **dict(zip(names, values, strict=True))))
            for k, values in enumerate(combined)
        )

    def plan(self, cell: Cell) -> Plan:
        """The training of a cell."""
        return Plan(self.world, self.kind, cell.settings, self.seed, self.seeds, self.steps)

    @property
    def trainings(self) -> int:
        return len(self.cells()) * self.seeds

    def words(self, cell: Cell) -> str:
        """A cell by its values: "ε 0.1, Step size α 0.5"."""
        return ", ".join(f"{axis.label} {shown(value)}" for axis, value in zip(self.axes, cell.values, strict=True))


@dataclass(frozen=True)
class Unit:
    """What one process trains: a cell on some of its seeds."""

    number: int
    cell: int
    plan: Plan
    seeds: tuple[int, ...]


def units(sweep: Sweep, family: str) -> tuple[Unit, ...]:
    """A cell each for tables, which are quick; a training each for networks, the first seed of all cells first."""
    together = family == "tabular"
    parts = [range(sweep.seeds)] if together else [range(k, k + 1) for k in range(sweep.seeds)]
    pairs = [(cell, tuple(sweep.seed + k for k in part)) for part in parts for cell in sweep.cells()]
    return tuple(Unit(n, cell.number, sweep.plan(cell), seeds) for n, (cell, seeds) in enumerate(pairs))


def swept(settings: Any) -> tuple[Field[Any], ...]:
    """Settings that a sweep can go over: those that mean something with the others as they are."""
    idling = idle(settings)
    return tuple(f for f in fields(settings) if f.name not in idling and f.name not in _NOT_SWEPT)


def axis_of(settings: Any, name: str, text: str) -> Axis:
    """A setting with the values that are written in `text`. Raises BadSetting, in words."""
    setting = next(f for f in fields(settings) if f.name == name)
    label = knob_of(setting).label
    values = tuple(dict.fromkeys(_values(text, setting)))
    if not values:
        raise BadSetting(f"{label}: {HOW}.")
    if len(values) > MOST_VALUES:
        raise BadSetting(f"{label}: at most {MOST_VALUES} values, not {len(values)}.")
    for value in values:
        replace(settings, **{name: value})  # says in words which one cannot be
    return Axis(name, label, values)


def _values(text: str, setting: Field[Any]) -> list[Value]:
    knob, usual = knob_of(setting), setting.default
    if isinstance(usual, (int, float)) and not isinstance(usual, bool):
        whole = isinstance(usual, int)
        if found := _RANGE.match(text):
            low, high = (_number(part, knob.label) for part in found.groups()[:2])
            return _spread(low, high, int(found.group(3)), whole=whole, by_factors=knob.log, label=knob.label)
        numbers = [_number(part, knob.label) for part in text.split(",") if part.strip()]
        if whole and (broken := [number for number in numbers if number != int(number)]):
            raise BadSetting(f"{knob.label} is a whole number, not {broken[0]:g}.")
        return [int(number) if whole else number for number in numbers]
    if isinstance(usual, bool):
        return [_switch(part.strip(), knob.label) for part in text.split(",") if part.strip()]
    if knob.choices:
        return [_word(part.strip(), knob.choices, knob.label) for part in text.split(",") if part.strip()]
    return [part.strip() for part in text.split(";")]


def _spread(low: float, high: float, count: int, *, whole: bool, by_factors: bool, label: str) -> list[Value]:
    if not 2 <= count <= MOST_VALUES or low >= high:
        raise BadSetting(f"{label}: a range goes from low to high in 2 to {MOST_VALUES} values, like 0.1 to 0.5 in 3.")
    shares = [k / (count - 1) for k in range(count)]
    if by_factors and low > 0:
        found = [exp(log(low) + share * log(high / low)) for share in shares]
    else:
        found = [low + share * (high - low) for share in shares]
    return [round(x) if whole else float(f"{x:.4g}") for x in found]


def _number(text: str, label: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise BadSetting(f"{label}: “{text.strip()}” is no number; {HOW}.") from None


def _switch(text: str, label: str) -> bool:
    if text.lower() not in _YES + _NO:
        raise BadSetting(f"{label} is yes or no, not “{text}”.")
    return text.lower() in _YES


def _word(text: str, choices: Mapping[str, str], label: str) -> str:
    for word, called in choices.items():
        if text.lower() in (word.lower(), called.lower()):
            return word
    raise BadSetting(f"{label} is one of {', '.join(choices)}, not “{text}”.")


def suggested(settings: Any, name: str) -> str:
    """Values to begin with, about the present one, as a person would write them."""
    setting = next(f for f in fields(settings) if f.name == name)
    knob, now = knob_of(setting), getattr(settings, name)
    if isinstance(now, bool):
        return "no, yes"
    if knob.choices:
        return ", ".join(knob.choices)
    if isinstance(now, str):
        return now
    low = float("-inf") if knob.low is None else knob.low
    high = float("inf") if knob.high is None else knob.high
    if not now:
        around = [0.0, high / 4, high / 2] if high < float("inf") else [0.0, 1.0, 2.0]
    elif knob.log:
        around = [now / 4, now / 2, now, now * 2, now * 4]
    else:
        around = [now / 4, now / 2, now, min(2 * now, (now + high) / 2)]
    whole = isinstance(now, int)
    kept = (min(max(x, low), high) for x in around)
    return written([max(1, round(x)) if whole and x else round(x) if whole else float(f"{x:.4g}") for x in kept])


def written(values: Sequence[Value]) -> str:
    """Values as the field takes them, each once."""
    return ", ".join(dict.fromkeys(shown(value) for value in values))


def shown(value: Value) -> str:
    """A value as a person writes it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
