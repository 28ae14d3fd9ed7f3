"""Captions read back: which scene a prompt asks for, so that a picture can be judged by its prompt alone."""

from __future__ import annotations

import re

from studio.ml.data.captions import phrases
from studio.ml.data.nouns import plural
from studio.ml.data.scenes import Kind, Placed, Relation, Scene, Vocabulary

_NUMBERS = {"two": 2, "three": 3}
_RELATIONS: dict[str, Relation] = {
    "left of": "left of", "right of": "right of", "above": "above", "over": "above", "below": "below", "under": "below",
}  # fmt: skip
_RELATION = re.compile(r"\b(" + "|".join(_RELATIONS) + r")\b")
_UNPLACED = (0.5, 0.5, 0.0)


def asked_for(prompt: str, vocabulary: Vocabulary) -> Scene | None:
    """The scene a prompt describes, with places and sizes left open; None when it names no noun of the vocabulary.

    Understands what `studio.ml.data.captions` writes, and the aliases. `background` is "" where none is named.
    """
    text = " ".join(re.findall(r"[\w,]+", prompt.lower()))
    table = phrases(vocabulary)
    text = _any(table).sub(lambda found: table[found[1]], text)
    nouns = {plural(noun): noun for noun in vocabulary.nouns} | {noun: noun for noun in vocabulary.nouns}
    mentions = list(_any(nouns).finditer(text))
    if not mentions:
        return None
    named = [nouns[mention[1]] for mention in mentions]
    rest = _any(nouns).sub("#", text)  # the red of a red apple is no background
    before = text[: mentions[0].start()].split()[-1:]
    number = _NUMBERS.get(before[0], 1) if before else 1
    if len(named) == 1 and number > 1:
        named *= number
    between = text[mentions[0].end() : mentions[1].start()] if len(mentions) == 2 else ""
    relation = _RELATION.search(between)
    kind = _kind(len(mentions), number, relation is not None)
    return Scene(
        kind,
        tuple(Placed(noun, *_UNPLACED) for noun in named),
        _background(rest, vocabulary),
        size=before[0] if kind == "single" and before and before[0] in ("small", "large") else "",
        relation=_RELATIONS[relation[1]] if relation is not None else None,
    )


def _any(names: dict[str, str]) -> re.Pattern[str]:
    longest_first = sorted(names, key=len, reverse=True)
    return re.compile(r"\b(" + "|".join(map(re.escape, longest_first)) + r")\b")


def _kind(mentions: int, number: int, related: bool) -> Kind:
    if mentions == 1:
        return "single" if number == 1 else "count"
    if mentions == 2:
        return "relation" if related else "pair"
    return "trio"


def _background(text: str, vocabulary: Vocabulary) -> str:
    """The colour said last; objects have none of their own in this language."""
    colours = re.findall(r"\b(" + "|".join(vocabulary.backgrounds) + r")\b", text)
    return str(colours[-1]) if colours else ""
