"""Requests: frozen pydantic models that hold everything which determines a result.

One class serves the control form (`form_spec`), the command line, the PNG metadata and "Copy as Python".
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

from studio.host.request_errors import RequestError, explain, field_errors
from studio.host.request_fields import PROMPT_MAX, SEED_MAX, Choice, FieldSpec, Idle, form_spec, parse_choices, ui

__all__ = [
    "PROMPT_MAX", "SEED_MAX", "Choice", "FieldSpec", "Idle", "Request", "RequestError", "explain", "field_errors",
    "form_spec", "split_kind", "ui", "what_fits",
]  # fmt: skip


class Request(BaseModel):
    """Base of all requests: pure data, JSON both ways, comparable with `==`.

    A subclass sets `kind` (the job kind of its plugin.toml) and declares its fields with `ui(...)`. Sequences are
    tuples, so that a request is hashable. NaN and infinities are refused: they have no JSON form.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True, protected_namespaces=()
    )
    kind: ClassVar[str] = ""

    @field_validator("*", mode="after")
    @classmethod
    def _within_choices(cls, value: Any, info: ValidationInfo) -> Any:
        """A field with fixed `choices` accepts nothing else."""
        extra = cls.model_fields[info.field_name or ""].json_schema_extra
        choices = parse_choices(extra.get("choices")) if isinstance(extra, dict) else ()
        if choices and value not in [choice.value for choice in choices]:
            raise ValueError(f"{value!r} is not offered; choose one of {', '.join(str(c.value) for c in choices)}")
        return value

    def without_effect(self) -> Mapping[str, Idle]:
        """The fields that change nothing with the others as they are; forms grey or hide them and say why."""
        return {}

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON-compatible data, without the kind."""
        return self.model_dump(mode="json")

    def to_json(self, *, indent: int | None = None) -> str:
        """The request as JSON text with its `kind`; `from_json` of the same class reads it back to an equal value."""
        return json.dumps({"kind": self.kind, **self.to_dict()}, ensure_ascii=False, indent=indent)

    @classmethod
    def from_json(cls, data: str | bytes | Mapping[str, Any]) -> Self:
        """Read JSON text or a mapping, with or without `kind`, or the envelope kept in PNG files.

        Raises RequestError (with a sentence for people) when it is not JSON, is of another kind, or a field is bad.
        """
        kind, fields = split_kind(data)
        if kind and cls.kind and kind != cls.kind:
            raise RequestError(f"This is a “{kind}” request, not a “{cls.kind}” one. Open it in its own panel.")
        return cls.checked(**fields)

    @classmethod
    def checked(cls, **fields: Any) -> Self:
        """Build a request; a bad value raises RequestError, whose `fields` name what to correct."""
        try:
            return cls.model_validate(fields)
        except ValueError as error:  # pydantic.ValidationError is a ValueError
            raise RequestError.from_validation(error, cls) from error

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed, validated again. Raises RequestError."""
        return type(self).checked(**{**{name: getattr(self, name) for name in type(self).model_fields}, **changes})

    def digest(self) -> str:
        """sha256 (hex) of the canonical JSON: equal requests have equal digests, on every machine."""
        canonical = json.dumps({"kind": self.kind, **self.to_dict()}, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


def split_kind(data: str | bytes | Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Split JSON text or a mapping into (kind, fields); the kind is "" when the data does not say.

    Accepts `{"kind": ..., field: ...}` and the stored envelope `{"schema": 1, "kind": ..., "request": {...}}`.
    Raises RequestError when the text is no JSON object.
    """
    if isinstance(data, Mapping):
        found: Any = dict(data)
    else:
        try:
            found = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise RequestError(f"This is not a request file: it is not valid JSON ({error}).") from error
    if not isinstance(found, dict):
        raise RequestError("This is not a request file: it should hold one JSON object with the fields of a request.")
    kind = found.pop("kind", "")
    if not isinstance(kind, str):
        raise RequestError("The “kind” of this request is not text, so it is unknown which panel it belongs to.")
    inner = found.get("request")
    return kind, dict(inner) if isinstance(inner, Mapping) and "schema" in found else found


RequestT = TypeVar("RequestT", bound=Request)


def what_fits(model: type[RequestT], stored: Mapping[str, Any]) -> tuple[RequestT, list[str]]:
    """A request kept by this or another version: what is bad or unknown gets its default, and a sentence each."""
    titles = {spec.name: spec.title for spec in form_spec(model)}
    notes = [f"“{name}” is not a setting of this version" for name in stored if name not in titles]
    good = {name: value for name, value in stored.items() if name in titles}
    while True:
        try:
            return model.checked(**good), notes
        except RequestError as error:
            bad = {name: error.fields[name] for name in good if name in error.fields}
            if not bad:  # they do not go together, and nothing says which of them would be right
                return model.checked(), [*notes, str(error)]
        notes += [f"{titles[name]}: {problem}" for name, problem in bad.items()]
        good = {name: value for name, value in good.items() if name not in bad}
