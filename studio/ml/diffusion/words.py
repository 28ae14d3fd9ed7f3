"""A word-level tokenizer for the bundled models, whose language is small and closed.

Released GLIDE checkpoints use byte-pair encoding instead; both offer the same methods.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_WORD = re.compile(r"[^\W_]+")


class WordTokenizer:
    """Words to integers. Id 0 is padding; `phrases` maps what people type (an alias) to the words the model knows."""

    def __init__(self, words: Sequence[str], phrases: Mapping[str, str] | None = None) -> None:
        self.words = tuple(words)
        self.phrases = dict(phrases or {})
        self._ids = {word: i for i, word in enumerate(self.words, start=1)}
        longest_first = sorted(self.phrases, key=len, reverse=True)
        self._phrase = re.compile(r"\b(" + "|".join(map(re.escape, longest_first)) + r")\b") if self.phrases else None

    @property
    def size(self) -> int:
        """Number of ids, padding included."""
        return len(self.words) + 1

    def encode(self, text: str, length: int) -> tuple[list[int], list[bool]]:
        """Ids and mask, both `length` long; unknown words are left out, words beyond `length` are cut off."""
        ids = [self._ids[word] for word in self._split(text) if word in self._ids][:length]
        padding = length - len(ids)
        return ids + [0] * padding, [True] * len(ids) + [False] * padding

    def piece(self, token: int) -> str:
        """The word of an id; "" for padding."""
        return self.words[token - 1] if token else ""

    def unknown(self, text: str) -> list[str]:
        """The words of `text` that the model has never seen, each once, in order."""
        return list(dict.fromkeys(word for word in self._split(text) if word not in self._ids))

    def overflow(self, text: str, length: int) -> int:
        """How many known words do not fit into `length`."""
        return max(0, sum(word in self._ids for word in self._split(text)) - length)

    def _split(self, text: str) -> list[str]:
        text = text.lower()
        if self._phrase is not None:
            text = self._phrase.sub(lambda match: self.phrases[match[1]], text)
        return _WORD.findall(text)
