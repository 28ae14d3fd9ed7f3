"""Requests: JSON both ways, digest, the form description, and words for bad values."""

from __future__ import annotations

import enum
import json
import string
from typing import ClassVar, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError, model_validator

from studio.host.request import SEED_MAX, Choice, Request, RequestError, explain, form_spec, split_kind, ui, what_fits


class Colour(enum.Enum):
    RED = "red"
    DARK_BLUE = "dark blue"


class Sample(Request):
    kind: ClassVar[str] = "sample"
    prompt: str = ui("a cat", title="Prompt", help="What to draw.", widget="prompt")
    steps: int = ui(20, title="Steps", ge=1, le=1000, step=1, unit="steps")
    scale: float = ui(3.0, title="Guidance scale", ge=0, le=50, step=0.5, log=True)
    seed: int = ui(0, title="Seed", widget="seed", sweepable=False)
    sampler: Literal["ddim", "dpm++"] = ui("ddim", title="Sampler")
    model: str = ui("emoji-base", title="Model", choices_from="models")
    size: int = ui(64, title="Size", choices=[(32, "small"), (64, "large")], advanced=True)
    tiles: tuple[int, ...] = ui((), title="Tiles")
    eta: float | None = ui(None, title="Eta", gt=0, lt=1)
    colour: Colour = ui(Colour.RED, title="Colour")
    note: str = ui("", title="Note", max_length=5)
    fancy: bool = False


def test_json_round_trip_and_equality() -> None:
    request = Sample(prompt="ein „Hund“ 🐕\nzwei", seed=SEED_MAX, tiles=(1, 2), colour=Colour.DARK_BLUE)
    again = Sample.from_json(request.to_json())
    assert again == request and hash(again) == hash(request) and again.digest() == request.digest()
    assert json.loads(request.to_json())["kind"] == "sample"
    assert Sample.from_json(request.to_dict()) == request
    assert Sample.from_json({"schema": 1, "kind": "sample", "request": request.to_dict(), "provenance": {}}) == request


@given(
    st.builds(
        dict,
        prompt=st.text(max_size=200),
        steps=st.integers(1, 1000),
        scale=st.floats(0, 50),
        seed=st.integers(0, SEED_MAX),
        tiles=st.lists(st.integers()).map(tuple),
        eta=st.none() | st.floats(0, 1, exclude_min=True, exclude_max=True),
    )
)
def test_any_good_values_survive_json(values: dict[str, object]) -> None:
    try:
        request = Sample.checked(**values)
    except RequestError as error:  # lone surrogates are no text, and ints have limits of their own
        assert error.fields.keys() <= {"prompt", "tiles"}
        return
    assert Sample.from_json(request.to_json()) == request


def test_digest_is_pinned_and_tells_kinds_apart() -> None:
    class Other(Sample):
        kind: ClassVar[str] = "other"

    assert Sample().digest() != Other().digest() != Sample(seed=1).digest()
    assert len(Sample().digest()) == 64 and set(Sample().digest()) <= set(string.hexdigits)


def test_requests_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Sample().steps = 3  # type: ignore[misc]
    assert Sample().replace(steps=5).steps == 5
    with pytest.raises(RequestError, match="too large"):
        Sample().replace(steps=5000)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("prompt", "x" * 10_000, "Prompt: 10,000 characters are too many; at most 2,000"),
        ("prompt", "\ud800", "Prompt: the text holds characters"),
        ("seed", -1, "Seed: -1 is too small; the smallest allowed is 0"),
        ("seed", SEED_MAX + 1, "is too large; the largest allowed is 9223372036854775807"),
        pytest.param("seed", 10**5000, "Seed: a very long number is", id="endless"),
        ("steps", "many", "Steps: “many” is not a whole number"),
        ("steps", 2.5, "Steps: 2.5 is not a whole number"),
        ("scale", float("nan"), "Guidance scale: nan is"),
        ("scale", None, "Guidance scale: None is not a number"),
        ("sampler", "euler", "Sampler: “euler” is not offered; choose 'ddim' or 'dpm++'"),
        ("size", 48, "Size: 48 is not offered; choose one of 32, 64"),
        ("tiles", [1, "x"], "Tiles: item 2: “x” is not a whole number"),
        ("eta", 1, "Eta: 1 is too large; it must be less than 1"),
        ("fancy", "perhaps", "Fancy: “perhaps” is neither true nor false"),
        ("unknown", 1, "Unknown: this field is unknown here"),
    ],
)
def test_bad_values_say_what_to_change(field: str, value: object, words: str) -> None:
    with pytest.raises(RequestError) as caught:
        Sample.checked(**{field: value})
    assert words in str(caught.value)
    assert list(caught.value.fields) == [field]


def test_explain_names_every_bad_field() -> None:
    with pytest.raises(ValidationError) as caught:
        Sample(steps=0, seed=-1)
    assert explain(caught.value).splitlines() == [
        "Steps: 0 is too small; the smallest allowed is 1.",
        "Seed: -1 is too small; the smallest allowed is 0.",
    ]


@pytest.mark.parametrize(
    "text", ["", "[1]", "{", "nul", "3", '"x"', '{"kind": 3}', "[" * 9000, b"\xff\xfe\x00"], ids=range(9)
)
def test_what_is_no_request_is_refused(text: str | bytes) -> None:
    with pytest.raises(RequestError):
        Sample.from_json(text)


def test_another_kind_is_refused() -> None:
    with pytest.raises(RequestError, match="“other” request"):
        Sample.from_json('{"kind": "other"}')
    assert split_kind('{"kind": "other", "a": 1}') == ("other", {"a": 1})


@given(st.binary(max_size=300) | st.text(max_size=300))
def test_any_text_gives_a_request_or_a_request_error(data: str | bytes) -> None:
    try:
        assert isinstance(Sample.from_json(data), Sample)
    except RequestError as error:
        assert str(error)


def test_form_spec_describes_every_field() -> None:
    spec = {field.name: field for field in form_spec(Sample)}
    assert list(spec) == list(Sample.model_fields)
    kinds = {name: field.kind for name, field in spec.items()}
    assert kinds == {
        "prompt": "text", "steps": "int", "scale": "float", "seed": "seed", "sampler": "choice", "model": "choice",
        "size": "choice", "tiles": "list", "eta": "float", "colour": "choice", "note": "str", "fancy": "bool",
    }  # fmt: skip
    steps = spec["steps"]
    assert (steps.title, steps.unit, steps.minimum, steps.maximum, steps.step, steps.default) == (
        "Steps", "steps", 1, 1000, 1, 20,
    )  # fmt: skip
    assert spec["scale"].log and not spec["seed"].sweepable and spec["size"].advanced
    assert (spec["seed"].minimum, spec["seed"].maximum) == (0, SEED_MAX)
    assert spec["sampler"].choices == (Choice("ddim", "ddim"), Choice("dpm++", "dpm++"))
    assert spec["size"].choices == (Choice(32, "small"), Choice(64, "large"))
    assert spec["colour"].choices[1] == Choice("dark blue", "Dark blue")
    assert spec["tiles"].item == "int" and spec["model"].choices_from == "models"
    assert spec["eta"].optional and spec["eta"].open_minimum and spec["eta"].open_maximum
    assert spec["prompt"].max_length == 2000 and spec["note"].max_length == 5 and spec["fancy"].title == "Fancy"
    assert not any(field.required for field in spec.values())


def test_of_stored_settings_what_fits_is_taken_and_the_rest_is_named() -> None:
    stored = {"prompt": "a cat", "steps": 0, "scale": 2.0, "from_another_version": 1}
    request, notes = what_fits(Sample, stored)
    assert (request.prompt, request.scale, request.steps) == ("a cat", 2.0, Sample().steps)
    assert len(notes) == 2 and "from_another_version" in notes[0] and notes[1].startswith("Steps: ")
    assert what_fits(Sample, Sample(prompt="a dog").to_dict()) == (Sample(prompt="a dog"), [])


def test_settings_that_do_not_go_together_become_the_defaults() -> None:
    class Span(Request):
        kind: ClassVar[str] = "span"
        start: int = ui(0, title="Start")
        stop: int = ui(10, title="Stop")

        @model_validator(mode="after")
        def _ordered(self) -> "Span":
            if self.start > self.stop:
                raise ValueError("the start is after the stop")
            return self

    request, notes = what_fits(Span, {"start": 7, "stop": 3})
    assert request == Span() and notes == ["the start is after the stop."]
