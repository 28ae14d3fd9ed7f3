"""The help page of the models that ship: what each is and what was measured of it, out of its own card."""

from __future__ import annotations

import re

from studio.resources import resource

_SHOWN = ("What it is", "Measured quality")
_INTRODUCTION = """# The models that ship, and how good they are

Every model here was trained by this project and measured with the command named; the numbers are those of its card, which
also tells the data, the recipe and the time it took. “The oracle” is `emoji-oracle`, an independent network trained on renders only.
"""


def models_page() -> str:
    """Markdown: each bundled model's name, purpose and measured quality."""
    parts = [_INTRODUCTION]
    for card in sorted(resource("models").glob("*/MODEL_CARD.md")):
        sections = card_sections(card.read_text(encoding="utf-8"))
        shown = "\n\n".join(sections[title] for title in _SHOWN if title in sections)
        parts.append(f"## {card.parent.name}\n\n`glassbox evaluate {card.parent.name}`\n\n{shown}\n")
    return "\n".join(parts)


def card_sections(card: str) -> dict[str, str]:
    """The card's second-level sections by their titles."""
    pieces = re.split(r"^## (.+)$", card, flags=re.MULTILINE)
    return {title.strip(): text.strip() for title, text in zip(pieces[1::2], pieces[2::2], strict=True)}
