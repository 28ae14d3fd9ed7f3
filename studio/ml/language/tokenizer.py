"""Text to tokens for the bundled language models: whole words and punctuation, each with its place in the text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

PADDING, START, END = 0, 1, 2
"""Ids that are no words: what fills a batch up, what stands in front of a text, what ends it."""
_SPECIAL = ("<padding>", "<start>", "<end>")
_CLOSING = (".", ",", ":", "?")
_WORD = r"[^\W_]+|[.,:?]"


@dataclass(frozen=True)
class Encoding:
    """A text as tokens.

    offsets: start and end (exclusive) of each in the characters of the text, equal for start and end tokens, the same
    twice where one word stands for two. unknown: words the model never saw, left out of the tokens.
    """

    ids: tuple[int, ...]
    pieces: tuple[str, ...]
    offsets: tuple[tuple[int, int], ...]
    unknown: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)


class TextTokenizer:
    """Words and punctuation to whole numbers; `phrases` maps what people type (an alias) to words the model knows."""

    def __init__(self, words: Sequence[str], phrases: Mapping[str, str] | None = None) -> None:
        self.words = tuple(words)
        self.phrases = {typed: meant for typed, meant in dict(phrases or {}).items() if typed != meant}
        if len(set(self.words)) != len(self.words):
            raise ValueError("a word is in the vocabulary twice")
        self._pieces = (*_SPECIAL, *self.words)
        self._ids = {word: i for i, word in enumerate(self.words, start=len(_SPECIAL))}
        # What aliases stand for is looked for as well, longest first: the apple of "red apple" is no alias any more.
        same = sorted({*self.phrases, *self.phrases.values()}, key=len, reverse=True)
        whole = "|".join(rf"\b{re.escape(phrase)}\b" for phrase in same)
        self._token = re.compile(f"{whole}|{_WORD}" if whole else _WORD)

    @property
    def size(self) -> int:
        """Number of ids."""
        return len(self._pieces)

    def encode(self, text: str, *, start: bool = True, end: bool = False) -> Encoding:
        """The tokens of a text, between a start and an end token where wanted; case makes no difference."""
        found = [(START, (0, 0))] if start else []
        unknown: list[str] = []
        for word, span in self._words_in(text.lower()):
            if word in self._ids:
                found.append((self._ids[word], span))
            else:
                unknown.append(word)
        if end:
            found.append((END, (len(text), len(text))))
        ids, offsets = tuple(i for i, _ in found), tuple(span for _, span in found)
        return Encoding(ids, tuple(map(self.piece, ids)), offsets, tuple(dict.fromkeys(unknown)))

    def _words_in(self, text: str) -> Iterator[tuple[str, tuple[int, int]]]:
        """Words and marks with their places; those an alias stands for all have the place of the alias."""
        for match in self._token.finditer(text):
            if match[0] in self.phrases:
                yield from ((word, match.span()) for word in self.phrases[match[0]].split())
            else:
                for part in re.finditer(_WORD, match[0]):
                    yield part[0], (match.start() + part.start(), match.start() + part.end())

    def piece(self, token: int) -> str:
        """What an id stands for: "cat", "<start>"."""
        return self._pieces[token]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of ids, without start, end and padding."""
        words = [self._pieces[token] for token in ids if token >= len(_SPECIAL)]
        text = ""
        for word in words:
            text += word if word in _CLOSING or not text else f" {word}"
        return text


class TextConfig(BaseModel):
    """The vocabulary of a `TextTokenizer`, as kept in config.json."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    words: tuple[str, ...]
    phrases: dict[str, str] = {}

    def tokenizer(self) -> TextTokenizer:
        """Raises ValueError for a word that comes twice."""
        return TextTokenizer(self.words, self.phrases)
