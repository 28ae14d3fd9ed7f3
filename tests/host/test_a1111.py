"""The `parameters` grammar, against the original parser of stable-diffusion-webui."""

from __future__ import annotations

import json
import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from studio.host.imagemeta import format_parameters, parse_parameters

ORIGINAL = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
SIZE = re.compile(r"^(\d+)x(\d+)$")


def original(text: str) -> tuple[str, str, dict[str, str]]:
    """parse_generation_parameters of modules/infotext_utils.py, without its defaults for missing keys."""
    result: dict[str, str] = {}
    prompt = negative = ""
    done = False
    *lines, last = text.strip().split("\n")
    if len(ORIGINAL.findall(last)) < 3:
        lines.append(last)
        last = ""
    for line in lines:
        line = line.strip()
        if line.startswith("Negative prompt:"):
            done = True
            line = line[16:].strip()
        if done:
            negative += ("" if negative == "" else "\n") + line
        else:
            prompt += ("" if prompt == "" else "\n") + line
    for key, value in ORIGINAL.findall(last):
        if value == "":
            continue  # the original prints an error and goes on
        if value[0] == '"' and value[-1] == '"':
            try:
                value = json.loads(value)
            except ValueError:
                pass
        size = SIZE.match(value) if isinstance(value, str) else None
        if size:
            result[f"{key}-1"], result[f"{key}-2"] = size.groups()
        else:
            result[key] = value
    return prompt, negative, result


LINES = st.lists(
    st.text(max_size=30)
    | st.sampled_from(
        ["Negative prompt: x", "Steps: 2, Seed: 3, Size: 4x5", 'Model: "a, b", Steps: 1, Seed: 2', "a:b,cc: d"]
    ),
    max_size=5,
).map("\n".join)


@given(LINES | st.text(alphabet='ab :,"\\-/x1\n', max_size=80))
@example('Steps: 20, Sampler: "a\\"b", CFG scale: 7, Odd: "open, Size: 1x2')
def test_parses_like_the_original(text: str) -> None:
    found = parse_parameters(text)
    prompt, negative, values = original(text)
    assert (found.prompt.strip("\n"), found.negative_prompt.strip("\n")) == (prompt.strip("\n"), negative.strip("\n"))
    assert {key: value for key, value in found.settings.items() if value != ""} == values


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60),
    st.dictionaries(st.sampled_from(["Model hash", "VAE", "Lora hashes"]), st.text(max_size=20), max_size=3),
    st.integers(0, 2**63),
    st.floats(0, 100, allow_nan=False),
)
def test_what_is_written_comes_back(prompt: str, negative: str, extra: dict[str, str], seed: int, scale: float) -> None:
    text = format_parameters(
        prompt, negative, steps=20, sampler="DPM++ 2M", guidance_scale=scale, seed=seed, size=(64, 32), extra=extra
    )
    assert original(text)[2]["Seed"] == str(seed)
    found = parse_parameters(text)
    if not (prompt + negative).startswith("Negative prompt:"):  # the grammar cannot tell such a prompt from a mark
        assert found.prompt == prompt.strip() or prompt.strip() != prompt
    assert float(found.settings["CFG scale"]) == scale and found.settings["Sampler"] == "DPM++ 2M"
    assert (found.settings["Size-1"], found.settings["Size-2"]) == ("64", "32")
    for key, value in extra.items():
        if value != "" and not SIZE.match(value):
            assert found.settings[key] == value


def test_the_written_form_is_pinned() -> None:
    text = format_parameters(
        "a cat,\nleft", "blurry", steps=20, sampler="DDIM", guidance_scale=3.0, seed=1, size=(64, 48), model_hash="abc",
        model="emoji: base", extra={"Eta": 0.5, "Nothing": None}, version="glassbox 0.1",
    )  # fmt: skip
    assert text == (
        "a cat,\nleft\nNegative prompt: blurry\nSteps: 20, Sampler: DDIM, CFG scale: 3, Seed: 1, Size: 64x48, "
        'Model hash: abc, Model: "emoji: base", Eta: 0.5, Version: glassbox 0.1'
    )
    with pytest.raises(ValueError, match="cannot be a key"):
        format_parameters("", extra={"a:b": 1})


@pytest.mark.parametrize(
    "text",
    ["a" * 300_000, " " * 300_000, "ab:" * 100_000, 'ab:"' * 75_000, "a " * 49_000, 'ab: "' + "\\" * 80_000],
    ids=range(6),
)  # fmt: skip
def test_hostile_texts_take_linear_time(text: str) -> None:
    start = time.process_time()
    parse_parameters(text)
    assert time.process_time() - start < 2.0
