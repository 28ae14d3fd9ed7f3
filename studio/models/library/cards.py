"""Licence and card of a model, as its makers put them beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

_CARDS = ("README.md", "MODEL_CARD.md")
_LICENCES = ("LICENSE", "LICENSE.md", "LICENSE.txt", "LICENCE", "COPYING")
_MAX_HEAD = 1 << 16
_FENCE = "---"


def card_file(folder: Path) -> str:
    """Path of the card in a folder; "" where there is none."""
    return next((str(folder / name) for name in _CARDS if (folder / name).is_file()), "")


def licence_of(folder: Path) -> str:
    """The licence named in the card's front matter, else the first line of a licence file; "" where none is stated."""
    card = card_file(folder)
    stated = licence_in(_head(Path(card))) if card else ""
    if stated:
        return stated
    for name in _LICENCES:
        lines = [line.strip(" #*\t") for line in _head(folder / name).splitlines()]
        title = next((line for line in lines if line), "")
        if title:
            return f"{title[:80]} ({name})"
    return ""


def licence_in(card: str) -> str:
    """The licence in a card's front matter: its own name where the short one says only "other"."""
    front, _ = split_card(card)
    short = _entries(front, "license")
    named = _entries(front, "license_name")
    return ", ".join(named if named and short in ([], ["other"]) else short)


def split_card(card: str) -> tuple[str, str]:
    """Front matter and text of a card; the first is empty where there is none."""
    lines = card.lstrip("\ufeff").splitlines()
    if not lines or lines[0].strip() != _FENCE:
        return "", card
    end = next((i for i, line in enumerate(lines[1:], 1) if line.strip() == _FENCE), 0)
    return ("\n".join(lines[1:end]), "\n".join(lines[end + 1 :])) if end else ("", card)


def _entries(front: str, key: str) -> list[str]:
    """The values of a key, which is a word or a list of words."""
    lines = front.splitlines()
    at = next((i for i, line in enumerate(lines) if line.startswith(f"{key}:")), None)
    if at is None:
        return []
    value = lines[at].partition(":")[2].strip()
    if value:
        return [_plain(part) for part in value.strip("[]").split(",") if _plain(part)]
    return [_plain(line.strip()[1:]) for line in _items(lines[at + 1 :])]


def _items(lines: Sequence[str]) -> list[str]:
    """The lines of a list until something else comes."""
    end = next((i for i, line in enumerate(lines) if not line.strip().startswith("- ")), len(lines))
    return list(lines[:end])


def _plain(text: str) -> str:
    return text.strip().strip("'\"")


def _head(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_HEAD).decode("utf-8", errors="replace")
    except OSError:
        return ""  # a licence that cannot be read is one that is not stated
