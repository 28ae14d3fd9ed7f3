"""The `ui()` field helper and `form_spec()`, the Qt-free description a control form is drawn from."""

from __future__ import annotations

import enum
import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

SEED_MAX = 2**63 - 1
PROMPT_MAX = 2000

Kind = Literal["int", "float", "bool", "str", "text", "choice", "seed", "list", "path", "other"]
_WIDGET_KINDS: Mapping[str, Kind] = {
    "prompt": "text", "text": "text", "seed": "seed", "choice": "choice", "path": "path", "file": "path",
}  # fmt: skip


@dataclass(frozen=True)
class Choice:
    """One entry of a choice field: the value stored and the label shown."""

    value: Any
    label: str


class Idle(NamedTuple):
    """Why a field has no effect with the others as they are, and whether a form leaves it out rather than greys it."""

    reason: str
    hidden: bool = False


@dataclass(frozen=True)
class FieldSpec:
    """What a form needs to draw one field.

    `kind` says what the value is, `widget` what the author asked for ("" = the default of the kind). `minimum` and
    `maximum` are inclusive unless `open_minimum`/`open_maximum`. `item` is the kind of a list's items. `default` is
    None for a required field (`required`) and for an optional one (`optional`: None is allowed as a value). `lines` is the
    height of a prompt.
    """

    name: str
    kind: Kind
    title: str
    help: str = ""
    unit: str = ""
    default: Any = None
    minimum: float | int | None = None
    maximum: float | int | None = None
    open_minimum: bool = False
    open_maximum: bool = False
    step: float | int | None = None
    log: bool = False
    advanced: bool = False
    widget: str = ""
    choices: tuple[Choice, ...] = ()
    choices_from: str = ""
    sweepable: bool = True
    optional: bool = False
    required: bool = False
    item: Kind | None = None
    max_length: int | None = None
    placeholder: str = ""
    group: str = ""
    lines: int = 4


def ui(
    default: Any = ...,
    *,
    title: str,
    help: str = "",
    unit: str = "",
    ge: float | None = None,
    le: float | None = None,
    gt: float | None = None,
    lt: float | None = None,
    step: float | None = None,
    log: bool = False,
    advanced: bool = False,
    widget: str | None = None,
    choices: Sequence[Any] | Mapping[Any, str] | None = None,
    choices_from: str = "",
    sweepable: bool = True,
    min_length: int | None = None,
    max_length: int | None = None,
    placeholder: str = "",
    group: str = "",
    lines: int = 4,
) -> Any:
    """A request field with everything its form control, tooltip and validation need.

    `choices`: values, (value, label) pairs or a mapping value → label; nothing else is then accepted.
    `choices_from`: name of a provider the panel fills in at run time (a list of models). `log`: a logarithmic slider.
    A field with `widget="seed"` gets the range 0..SEED_MAX and one with `widget="prompt"` at most PROMPT_MAX
    characters unless said otherwise.
    """
    if widget == "seed":
        ge, le = (0 if ge is None and gt is None else ge), (SEED_MAX if le is None and lt is None else le)
    if widget == "prompt" and max_length is None:
        max_length = PROMPT_MAX
    extra: dict[str, Any] = {
        "unit": unit, "step": step, "log": log, "advanced": advanced, "widget": widget or "",
        "choices_from": choices_from, "sweepable": sweepable, "placeholder": placeholder, "group": group,
        "lines": lines,
        "choices": [[c.value, c.label] for c in parse_choices(choices)],
    }  # fmt: skip
    limits = {"ge": ge, "le": le, "gt": gt, "lt": lt, "min_length": min_length, "max_length": max_length}
    given: dict[str, Any] = {name: limit for name, limit in limits.items() if limit is not None}
    return Field(default, title=title, description=help, json_schema_extra=extra, **given)


def parse_choices(choices: Any) -> tuple[Choice, ...]:
    """Values, (value, label) pairs or a mapping value → label as a tuple of Choice."""
    if not choices:
        return ()
    pairs: Iterable[Any] = choices.items() if isinstance(choices, Mapping) else choices
    return tuple(
        Choice(pair[0], str(pair[1])) if isinstance(pair, (tuple, list)) and len(pair) == 2 else Choice(pair, str(pair))
        for pair in pairs
    )


def form_spec(model: type[BaseModel]) -> list[FieldSpec]:
    """The fields of a request (or settings section) in order of declaration, described for a form."""
    return [_field_spec(name, info) for name, info in model.model_fields.items()]


def _field_spec(name: str, info: FieldInfo) -> FieldSpec:
    extra: dict[str, Any] = dict(info.json_schema_extra) if isinstance(info.json_schema_extra, dict) else {}
    annotation, optional = _strip_optional(info.annotation)
    choices = parse_choices(extra.get("choices")) or _choices_of(annotation)
    widget = str(extra.get("widget") or "")
    kind = _kind_of(annotation)
    if choices or extra.get("choices_from"):
        kind = "list" if kind == "list" else "choice"
    kind = _WIDGET_KINDS.get(widget, kind)
    low, high, max_length = _limits(info.metadata)
    default = info.get_default(call_default_factory=True, validated_data={})
    return FieldSpec(
        name=name,
        kind=kind,
        title=info.title or name.replace("_", " ").capitalize(),
        help=info.description or "",
        unit=str(extra.get("unit") or ""),
        default=None if default is PydanticUndefined else default,
        minimum=low[0],
        maximum=high[0],
        open_minimum=low[1],
        open_maximum=high[1],
        step=extra.get("step"),
        log=bool(extra.get("log")),
        advanced=bool(extra.get("advanced")),
        widget=widget,
        choices=choices,
        choices_from=str(extra.get("choices_from") or ""),
        sweepable=bool(extra.get("sweepable", True)),
        optional=optional,
        required=info.is_required(),
        item=_item_kind(annotation) if kind == "list" else None,
        max_length=max_length,
        placeholder=str(extra.get("placeholder") or ""),
        group=str(extra.get("group") or ""),
        lines=int(extra.get("lines") or 4),
    )


def _strip_optional(annotation: Any) -> tuple[Any, bool]:
    """(T, True) for `T | None`, otherwise the annotation unchanged and False."""
    if get_origin(annotation) in (Union, types.UnionType):
        rest = [a for a in get_args(annotation) if a is not type(None)]
        if len(rest) == 1 and len(rest) < len(get_args(annotation)):
            return rest[0], True
    return annotation, False


def _choices_of(annotation: Any) -> tuple[Choice, ...]:
    if get_origin(annotation) is Literal:
        return tuple(Choice(value, str(value)) for value in get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return tuple(Choice(member.value, member.name.replace("_", " ").capitalize()) for member in annotation)
    return ()


def _kind_of(annotation: Any) -> Kind:
    origin = get_origin(annotation) or annotation
    if origin in (list, tuple, set, frozenset):
        return "list"
    if isinstance(origin, type):
        if issubclass(origin, bool):  # before int: bool is an int
            return "bool"
        if issubclass(origin, int):
            return "int"
        if issubclass(origin, float):
            return "float"
        if issubclass(origin, Path):
            return "path"
        if issubclass(origin, str):
            return "str"
    return "other"


def _item_kind(annotation: Any) -> Kind:
    items = [a for a in get_args(annotation) if a is not Ellipsis]
    return _kind_of(items[0]) if items else "other"


def _limits(metadata: Iterable[Any]) -> tuple[tuple[Any, bool], tuple[Any, bool], int | None]:
    """((minimum, is open), (maximum, is open), max_length) from pydantic's constraint objects."""
    low: tuple[Any, bool] = (None, False)
    high: tuple[Any, bool] = (None, False)
    longest: int | None = None
    for item in metadata:
        match item:
            case annotated_types.Ge(ge=value):
                low = (value, False)
            case annotated_types.Gt(gt=value):
                low = (value, True)
            case annotated_types.Le(le=value):
                high = (value, False)
            case annotated_types.Lt(lt=value):
                high = (value, True)
            case annotated_types.MaxLen(max_length=value):
                longest = value
    return low, high, longest
