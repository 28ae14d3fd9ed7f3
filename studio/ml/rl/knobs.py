"""Settings of agents as frozen dataclasses whose fields say how to show them: one source for science, forms and sweeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import Field, dataclass, field, fields, replace
from math import isfinite
from numbers import Real
from typing import Any

from studio.ml.rl.errors import BadSetting

_KEY = "knob"
_KINDS: Mapping[str, tuple[type, str]] = {
    "float": (Real, "a number"), "int": (Real, "a whole number"), "bool": (bool, "on or off (true or false)"), "str": (str, "text"),
}  # fmt: skip


@dataclass(frozen=True)
class Knob:
    """How one setting is shown and checked.

    low, high: the range, both ends allowed. step: of a slider. log: moved by factors. live: may be changed between two
    steps of a run; others need a new one. advanced: folded away at first. choices: of a setting that is a word, by
    what it is called. needs: another setting and the values of it under which this one means anything.
    """

    label: str
    help: str
    low: float | None = None
    high: float | None = None
    step: float | None = None
    log: bool = False
    live: bool = True
    advanced: bool = False
    choices: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, tuple[Any, ...]] | None = None


def knob(
    default: Any, label: str, help: str, *, low: float | None = None, high: float | None = None,
    step: float | None = None, log: bool = False, live: bool = True, advanced: bool = False,
    choices: Sequence[str] | Mapping[str, str] = (), needs: tuple[str, tuple[Any, ...]] | None = None,
) -> Any:
    """A dataclass field with its `Knob`. choices: words, or what each is called."""
    called = choices if isinstance(choices, Mapping) else {word: word for word in choices}
    shown = Knob(label, help, low, high, step, log, live, advanced, called, needs)
    return field(default=default, metadata={_KEY: shown})


def knob_of(setting: Field[Any]) -> Knob:
    """The knob of a field made by `knob`."""
    found = setting.metadata[_KEY]
    assert isinstance(found, Knob)
    return found


def check(settings: Any) -> None:
    """For `__post_init__`: every number finite and in its range, every word among its choices. Raises BadSetting."""
    for setting in fields(settings):
        shown, value = knob_of(setting), getattr(settings, setting.name)
        kind, called = _KINDS.get(str(setting.type), (object, ""))
        if not isinstance(value, kind) or isinstance(value, bool) and kind is Real:
            raise BadSetting(f"{shown.label} is {called}, not {value!r}.")
        if shown.choices and value not in shown.choices:
            raise BadSetting(f"{shown.label} is one of {', '.join(shown.choices)}, not {value!r}.")
        if isinstance(value, bool) or not isinstance(value, Real):
            continue
        number = float(value)
        if not isfinite(number):
            raise BadSetting(f"{shown.label} must be a finite number, not {value}.")
        if shown.low is not None and number < shown.low or shown.high is not None and number > shown.high:
            low = "" if shown.low is None else f" from {shown.low:g}"
            high = "" if shown.high is None else f" up to {shown.high:g}"
            raise BadSetting(f"{shown.label} goes{low}{high}, not {number:g}.")
        if setting.type == "int" and not number.is_integer():
            raise BadSetting(f"{shown.label} is a whole number, not {number:g}.")


def idle(settings: Any) -> tuple[str, ...]:
    """Names of the settings that mean nothing with the others as they are."""
    found = []
    for setting in fields(settings):
        needs = knob_of(setting).needs
        if needs is not None and getattr(settings, needs[0]) not in needs[1]:
            found.append(setting.name)
    return tuple(found)


def needs_new_run(before: Any, after: Any) -> tuple[str, ...]:
    """Labels of the settings that differ and cannot be changed in a run."""
    changed = (f for f in fields(before) if getattr(before, f.name) != getattr(after, f.name))
    return tuple(knob_of(f).label for f in changed if not knob_of(f).live)


def live_part(before: Any, after: Any) -> Any:
    """`before` with what may be changed in a run taken from `after`. Raises BadSetting where the two do not go together."""
    return replace(before, **{f.name: getattr(after, f.name) for f in fields(before) if knob_of(f).live})
