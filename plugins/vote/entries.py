"""Pictures that can be compared, and what their settings say: read from the results store and from the PNG files."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.host.imagemeta import ImageMetadata, parse_parameters

MATCHED_BY = frozenset({"prompt", "seed"})
"""Pictures are paired by these, so they cannot be what contestants differ in."""
_BOOKKEEPING = frozenset({"batch", "precision", "weights", "columns", "probes"})
_DIGEST = "sha256"
_PREFERRED = ("guidance", "guidance_kind", "model", "guidance_scale", "sampler")
_LONGEST = 160


@dataclass(frozen=True)
class Entry:
    """One picture: the result and file it is kept in, its prompt and seed, and its settings as text."""

    record: str
    file: str
    path: Path
    prompt: str
    seed: int | None
    settings: Mapping[str, str]

    @property
    def key(self) -> tuple[str, str]:
        """What a vote remembers of it."""
        return self.record, self.file


def entry_of(record: str, path: Path, found: ImageMetadata) -> Entry | None:
    """The picture as an entry.

    None when it carries no settings of this studio with a prompt (a grid, a plot), or is only what a second stage
    enlarged.
    """
    request, made = found.request or {}, found.provenance
    prompt = request.get("prompt")
    if not isinstance(prompt, str) or made.get("stage") == "base":
        return None
    own = made.get("seed", request.get("seed"))
    seed = own if isinstance(own, int) and not isinstance(own, bool) else None
    settings = {name: text for name, text in flat(request) if not name.endswith(_DIGEST)}
    if "column" in made:  # several ways to guide share one request; the text for other tools says whose picture this is
        settings["guidance"] = text_of(parse_parameters(found.texts.get("parameters", "")).settings.get("Guidance"))
    return Entry(record, path.name, path, prompt, seed, settings)


def flat(data: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Settings as (name, text): those inside others with a dotted name, lists as JSON."""
    for name, value in data.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", text_of(value)


def text_of(value: Any) -> str:
    """A setting's value in words."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:g}"
    if value is None or value == "":
        return "none"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def values(entries: Iterable[Entry], field: str) -> dict[str, int]:
    """Every value of a setting among the pictures and how many have it, numbers in order."""
    counts = Counter(entry.settings[field] for entry in entries if field in entry.settings)
    return {value: counts[value] for value in sorted(counts, key=_natural)}


def fields(entries: Iterable[Entry]) -> list[str]:
    """The settings in which the pictures differ, so that they make contestants; the most telling ones first."""
    first: dict[str, str] = {}
    telling: set[str] = set()
    for entry in entries:
        for name, text in entry.settings.items():
            if first.setdefault(name, text) != text:
                telling.add(name)
    names = sorted(telling - MATCHED_BY - _BOOKKEEPING)
    return sorted(names, key=lambda name: _PREFERRED.index(name) if name in _PREFERRED else len(_PREFERRED))


def field_title(name: str) -> str:
    """ "guidance_scale" -> "Guidance scale"."""
    words = name.replace("_", " ").replace(".", ": ")
    return words[:1].upper() + words[1:]


def _natural(text: str) -> tuple[tuple[float, str], ...]:
    """Sorts "2" before "10", and words alphabetically."""
    parts = re.findall(r"\d+(?:\.\d+)?|\D+", text)
    return tuple((float(part), "") if part[0].isdigit() else (float("inf"), part.casefold()) for part in parts)
