"""What a model knows of language: suggestions while typing, examples, and a remark on what it will not understand."""

from __future__ import annotations

from studio.ml.diffusion.words import WordTokenizer
from studio.models.catalog import ModelInfo

EXAMPLES = (
    "a cat left of a red apple on a blue background",
    "two penguins on a yellow background",
    "a rocket above a house on a black background",
    "a small butterfly on a green background",
    "a pizza and a hamburger on a purple background",
    "a large sun on a white background",
)
_SHOWN = 6


def tokenizer_of(info: ModelInfo) -> WordTokenizer | None:
    """The model's tokenizer, None when its words are not listed."""
    return WordTokenizer(info.words, info.phrases) if info.words else None


def suggestions(info: ModelInfo) -> list[str]:
    """Words and phrases to offer while typing."""
    return sorted({word for word in (*info.words, *info.phrases, *info.classes) if len(word) > 1}, key=str.casefold)


def examples(info: ModelInfo) -> list[str]:
    """Example prompts of which the model knows every word; some of its classes where a prompt is a class."""
    if info.classes:
        return list(info.classes[:: -(-len(info.classes) // _SHOWN)])
    tokenizer = tokenizer_of(info)
    return [text for text in EXAMPLES if tokenizer is None or not tokenizer.unknown(text)]


def remark(prompt: str, info: ModelInfo | None, tokenizer: WordTokenizer | None, *, typing: bool = False) -> str:
    """A sentence about a prompt the model will not take in whole, empty when it will.

    While `typing`, a last word that may still become a known one is not remarked on.
    """
    if info is not None and not info.prompted:
        return f"{info.title} draws without a prompt: what is written here and the guidance scale have no effect."
    if info is not None and info.classes:
        return _class_remark(prompt, info, typing=typing)
    if not prompt.strip():
        return "Empty prompt: the model draws without any condition, and the guidance scale has no effect."
    if info is None or tokenizer is None:
        return ""
    unknown = tokenizer.unknown(prompt)
    if typing and unknown and prompt.lower().endswith(unknown[-1]):
        if any(word.startswith(unknown[-1]) for word in (*info.words, *info.phrases)):
            unknown = unknown[:-1]
    if unknown:
        words = ", ".join(f"“{word[:30]}”" for word in unknown[:_SHOWN])
        more = f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else ""
        return f"{info.title} does not know {words}{more} and leaves {'it' if len(unknown) == 1 else 'them'} out."
    left = tokenizer.overflow(prompt, info.length) if info.length else 0
    if left:
        return f"{info.title} reads {info.length} words: the last {left} {'is' if left == 1 else 'are'} left out."
    return ""


def _class_remark(prompt: str, info: ModelInfo, *, typing: bool) -> str:
    wanted, names = prompt.strip().casefold(), [name.casefold() for name in info.classes]
    number = wanted.isdecimal() and int(wanted) < len(names)
    if number:
        return f"Class {int(wanted)}: {info.classes[int(wanted)]}."
    if wanted in names or (typing and any(name.startswith(wanted) for name in names)):
        return ""
    return f"{info.title} draws {len(names)} classes: write one of them (begin to type to see them), or its number."
