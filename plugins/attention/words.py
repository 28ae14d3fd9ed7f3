"""Tokens and numbers as they are written."""

from __future__ import annotations


def visible_word(text: str) -> str:
    """A token as it can be seen: spaces and line ends are signs."""
    text = text.replace("\n", "⏎").replace("\u0120", " ").replace("\u2581", " ")
    inside = text.strip(" ")
    before = len(text) - len(text.lstrip(" "))
    return ("·" * before + inside + "·" * (len(text) - before - len(inside))) or "∅"


def short(number: float) -> str:
    """A weight in four letters."""
    return f"{number:.2f}".lstrip("0") if 0.005 <= number < 9.995 else "0" if number < 0.005 else f"{number:.0f}"


def percent(share: float) -> str:
    """A probability: "12.3 %"; those near 0 and 1 with more digits, tiny ones as less than the last of them."""
    if 0.999 <= share < 0.999995:
        return f"{100 * share:.3f} %"
    if share >= 0.001 or share == 0:
        return f"{100 * share:.1f} %"
    return f"{100 * share:.3f} %" if share >= 5e-6 else "< 0.001 %"


def size(count: float) -> str:
    """Bytes: "81 KiB"."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.2f} GiB"
