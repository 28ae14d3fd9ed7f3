"""Words for the axes of a sweep: which fields can vary, and how a grid of them is headed."""

from __future__ import annotations

from dataclasses import dataclass

from studio.host.pictures import GridLabels
from studio.host.request import FieldSpec, form_spec
from studio_plugins.generate.axes import AxisKind, AxisValue, label
from studio_plugins.generate.request import GenerateRequest
from studio_plugins.generate.sweep_request import SweepAxis, SweepRequest


@dataclass(frozen=True)
class AxisField:
    """A field that can vary: how its values are written, and an example."""

    name: str
    title: str
    kind: AxisKind
    choices: tuple[str, ...] = ()
    example: str = ""


_EXAMPLES = {
    "prompt": "a cat | a dog | a fish",
    "negative_prompt": "a dog | a fish",
    "ignore_prompt": "off, on",
    "guidance": "none, classifier-free, clip, classifier",
    "guidance_scale": "0-8 [5]",
    "clip_scale": "0-8 [5]",
    "classifier_scale": "0-8 [5]",
    "classifier_class": "cat | dog",
    "upsample": "off | emoji-upsample",
    "upsample_seed": "0-3",
    "upsample_scale": "1, 2, 4",
    "guidance_stop": "0.25-1 [4]",
    "steps": "5, 10, 20",
    "scheduler": "default, euler, ddim",
    "seed": "1-6",
    "eta": "0-1 (+0.25)",
}


def axis_fields() -> list[AxisField]:
    """Every field of a run that a sweep may vary, in the order of the form."""
    return [_axis_field(spec) for spec in form_spec(GenerateRequest) if spec.sweepable]


def axis_field(name: str) -> AxisField:
    """The field of this name. Raises KeyError when it cannot vary."""
    return {field.name: field for field in axis_fields()}[name]


def sweep_labels(request: SweepRequest) -> GridLabels:
    """Headings of the grid of a sweep."""
    columns = request.axes[0]
    if len(request.axes) == 1:
        return GridLabels(axis_field(columns.field).title, _names(columns))
    rows = request.axes[1]
    return GridLabels(axis_field(columns.field).title, _names(columns), axis_field(rows.field).title, _names(rows))


def _names(axis: SweepAxis) -> tuple[str, ...]:
    spec = {spec.name: spec for spec in form_spec(GenerateRequest)}[axis.field]
    titles = {choice.value: choice.label for choice in spec.choices}
    return tuple(titles.get(value, _value_name(value)) for value in axis.values)


def _value_name(value: AxisValue) -> str:
    return label(value) if str(value).strip() else "∅"


def _axis_field(spec: FieldSpec) -> AxisField:
    kind: AxisKind = "choice" if spec.choices else "int" if spec.kind in ("int", "seed") else "text"
    if spec.kind == "float":
        kind = "float"
    choices = tuple(str(choice.value) for choice in spec.choices)
    if spec.kind == "bool":
        kind, choices = "choice", ("off", "on")
    return AxisField(spec.name, spec.title, kind, choices, _EXAMPLES.get(spec.name, ", ".join(choices)))
