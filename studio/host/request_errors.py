"""Words for people from pydantic's validation errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ValidationError

_SHOWN = 60


class RequestError(ValueError):
    """A request that cannot be used. The message says what to change; `fields` maps field name → sentence."""

    def __init__(self, message: str, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.fields: dict[str, str] = dict(fields or {})

    @classmethod
    def from_validation(cls, error: ValueError, model: type[BaseModel] | None = None) -> Self:
        """Wrap pydantic's error; the message has one line for every bad field."""
        if not isinstance(error, ValidationError):
            return cls(str(error))
        return cls(explain(error, model), field_errors(error, model))


def explain(error: ValidationError, model: type[BaseModel] | None = None) -> str:
    """One line a bad field, in words a person can act on. With the model, fields are named by their titles."""
    lines = []
    for name, sentence in field_errors(error, model).items():
        lines.append(f"{_title(name, model)}: {sentence}" if name else sentence)
    return "\n".join(lines)


def field_errors(error: ValidationError, model: type[BaseModel] | None = None) -> dict[str, str]:
    """Field name → what is wrong with it. The key "" holds what concerns the whole request."""
    found: dict[str, str] = {}
    for detail in error.errors(include_url=False):
        location = detail["loc"]
        name = str(location[0]) if location else ""
        where = f"item {location[1] + 1}: " if len(location) > 1 and isinstance(location[1], int) else ""
        sentence = where + _sentence(detail, model, name)
        found[name] = f"{found[name]} {sentence}" if name in found else sentence
    return found


def _title(name: str, model: type[BaseModel] | None) -> str:
    info = model.model_fields.get(name) if model else None
    return (info.title if info and info.title else None) or name.replace("_", " ").capitalize()


def _sentence(detail: Any, model: type[BaseModel] | None, name: str) -> str:
    context: Mapping[str, Any] = detail.get("ctx", {})
    given = _shown(detail.get("input"))
    match detail["type"]:
        case "greater_than_equal":
            return f"{given} is too small; the smallest allowed is {context['ge']}."
        case "greater_than":
            return f"{given} is too small; it must be more than {context['gt']}."
        case "less_than_equal":
            return f"{given} is too large; the largest allowed is {context['le']}."
        case "less_than":
            return f"{given} is too large; it must be less than {context['lt']}."
        case "string_too_long":
            length = f"{len(detail['input']):,}" if isinstance(detail.get("input"), str) else "this many"
            return f"{length} characters are too many; at most {context['max_length']:,} are possible. Shorten it."
        case "string_too_short":
            return "this must not be empty." if context["min_length"] == 1 else (
                f"at least {context['min_length']} characters are needed.")  # fmt: skip
        case "missing":
            return "a value is needed."
        case "extra_forbidden":
            return "this field is unknown here; it may come from another version. Remove it."
        case "literal_error" | "enum":
            return f"{given} is not offered; choose {context['expected']}."
        case "finite_number":
            return f"{given} is not a finite number."
        case "string_unicode":
            return "the text holds characters that are not valid Unicode. Type it again."
        case "int_parsing" | "int_type" | "int_from_float" | "int_parsing_size":
            return f"{given} is not a whole number."
        case "float_parsing" | "float_type":
            return f"{given} is not a number."
        case "bool_parsing" | "bool_type":
            return f"{given} is neither true nor false."
        case "string_type":
            return f"{given} is not text."
        case "value_error":
            return _as_sentence(str(context.get("error", detail["msg"])))
    return f"{_as_sentence(str(detail['msg']))} (given: {given})"


def _as_sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else text + "."


def _shown(value: Any) -> str:
    try:
        text = value if isinstance(value, str) else repr(value)
    except ValueError:  # repr of an int with more digits than sys.get_int_max_str_digits()
        text = "a very long number"
    text = text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
    return f"“{text}”" if isinstance(value, str) else text
