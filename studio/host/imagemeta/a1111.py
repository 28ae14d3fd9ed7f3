"""The `parameters` text of AUTOMATIC1111's web UI, which nearly every image tool reads.

    PROMPT
    Negative prompt: NEGATIVE
    Steps: 20, Sampler: DDIM, CFG scale: 3, Seed: 1, Size: 64x64, Model: emoji-base

The last line counts as settings only if it holds at least three `key: value` pairs; a value holding a comma, colon or
newline is quoted as JSON. (Source: modules/infotext_utils.py and modules/processing.py of stable-diffusion-webui.)
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# The original is \s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$). Keys are bounded here and the leading \s* is
# left out (a search skips it anyway), which keeps the time linear on hostile text; the matches stay the same.
_PAIR = re.compile(r'(\w[\w \-/]{1,100}):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
_SIZE = re.compile(r"^(\d{1,9})x(\d{1,9})$")
_KEY = re.compile(r"^\w[\w \-/]{1,100}$")
_NEGATIVE = "Negative prompt:"
_MAX_LINE = 100_000


@dataclass(frozen=True)
class Parameters:
    """A parsed text: the two prompts and the settings as they stand there (`Size` split into `Size-1`, `Size-2`)."""

    prompt: str = ""
    negative_prompt: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)


def parse_parameters(text: str) -> Parameters:
    """Read a `parameters` text; any text is accepted (what has no settings line is all prompt)."""
    *lines, last = text.strip().split("\n")
    pairs = _PAIR.findall(last) if len(last) <= _MAX_LINE else []
    if len(pairs) < 3:
        lines, pairs = [*lines, last], []
    prompt: list[str] = []
    negative: list[str] = []
    target = prompt
    for line in lines:
        line = line.strip()
        if line.startswith(_NEGATIVE):
            target = negative
            line = line[len(_NEGATIVE) :].strip()
        target.append(line)
    settings: dict[str, str] = {}
    for key, value in pairs:
        value = _unquote(value)
        size = _SIZE.match(value)
        if size:
            settings[f"{key}-1"], settings[f"{key}-2"] = size.groups()
        else:
            settings[key] = value
    return Parameters("\n".join(prompt).strip("\n"), "\n".join(negative).strip("\n"), settings)


def format_parameters(
    prompt: str,
    negative_prompt: str = "",
    *,
    steps: int | None = None,
    sampler: str | None = None,
    guidance_scale: float | None = None,
    seed: int | None = None,
    size: tuple[int, int] | None = None,
    model_hash: str | None = None,
    model: str | None = None,
    extra: Mapping[str, Any] | None = None,
    version: str | None = None,
) -> str:
    """The `parameters` text, keys in A1111's order; None is left out. `size` is (width, height).

    `extra` keys that the grammar cannot hold (they need two or more letters, digits, spaces, `-` or `/`) raise
    ValueError.
    """
    ordered: dict[str, Any] = {
        "Steps": steps, "Sampler": sampler, "CFG scale": guidance_scale, "Seed": seed,
        "Size": f"{size[0]}x{size[1]}" if size else None, "Model hash": model_hash, "Model": model, **(extra or {}),
        "Version": version,
    }  # fmt: skip
    for key in ordered:
        if not _KEY.match(key):
            raise ValueError(f"“{key}” cannot be a key of a parameters text")
    settings = ", ".join(f"{k}: {_quote(v)}" for k, v in ordered.items() if v is not None and str(v) != "")
    parts = [prompt, f"{_NEGATIVE} {negative_prompt}" if negative_prompt else "", settings]
    return "\n".join(part for place, part in enumerate(parts) if part or place == 0)


def _quote(value: Any) -> str:
    text = f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)
    if any(mark in text for mark in ',\n:"') or text != text.strip():
        return json.dumps(text, ensure_ascii=False)
    return text


def _unquote(text: str) -> str:
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, str) else text
