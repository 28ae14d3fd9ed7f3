"""Text to the tokens that CLIP's text encoder reads: every prompt ends in a token of its own, where it is read."""

from __future__ import annotations

import html
import unicodedata
from pathlib import Path

from tokenizers import Regex, Tokenizer
from tokenizers.decoders import ByteLevel as Characters
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split

from studio.ml.diffusion.bpe import TokenizerCorrupt, TokenizerMissing, read_text
from studio.ml.diffusion.words import WordTokenizer

FILES = ("bpe_simple_vocab_16e6.txt.gz", "bpe_simple_vocab_16e6.txt")
"""CLIP's merges, as published with it."""
MERGES = 48_894
"""How many of the file's merges CLIP uses."""
_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+"
_END_OF_WORD = "</w>"


class EndedWords(WordTokenizer):
    """Words of a small closed language; id 0 ends the prompt (its mask is True there) and fills the rest."""

    def encode(self, text: str, length: int) -> tuple[list[int], list[bool]]:
        """Ids and mask, both `length` long; of the words at most `length` - 1 have room."""
        ids, used = super().encode(text, length - 1)
        return [*ids, 0], [True, *used]

    def overflow(self, text: str, length: int) -> int:
        """How many known words do not fit beside the end."""
        return super().overflow(text, length - 1)


class ClipTokenizer:
    """CLIP's byte pairs over lower-cased text (Radford et al. 2021), between a start and an end token.

    Ids are the 256 bytes, the same at the end of a word, the merges in order, start, end. Entities of HTML are
    resolved as CLIP does; its repair of wrongly decoded text (ftfy) is not part of this.
    """

    def __init__(self, merges: list[tuple[str, str]]) -> None:
        pieces = _bytes() + [piece + _END_OF_WORD for piece in _bytes()] + [first + second for first, second in merges]
        self.start, self.end = len(pieces), len(pieces) + 1
        self.size = len(pieces) + 2
        try:
            model = BPE({piece: i for i, piece in enumerate(pieces)}, merges, end_of_word_suffix=_END_OF_WORD)
        except Exception as error:  # the library raises no narrower class
            raise TokenizerCorrupt(f"The merges do not follow from one another ({error}).") from error
        self._tokenizer = Tokenizer(model)
        words = Split(Regex(_WORDS), behavior="removed", invert=True)
        self._tokenizer.pre_tokenizer = Sequence([words, ByteLevel(add_prefix_space=False, use_regex=False)])
        self._characters = Characters()

    def encode(self, text: str, length: int) -> tuple[list[int], list[bool]]:
        """Ids and mask, both `length` long; start and end are among them, tokens that have no room are cut off."""
        ids = [self.start, *self._ids(text)[: length - 2], self.end]
        padding = length - len(ids)
        return ids + [0] * padding, [True] * len(ids) + [False] * padding

    def piece(self, token: int) -> str:
        """The text of an id, with a space at the end of a word; "" for start, end and spare ids.

        "\ufffd" stands for bytes that are no whole character.
        """
        found = self._tokenizer.id_to_token(token)
        if found is None:
            return ""
        text = str(self._characters.decode([found.removesuffix(_END_OF_WORD)]))
        return text + " " if found.endswith(_END_OF_WORD) else text

    def unknown(self, text: str) -> list[str]:
        """Always empty: bytes spell every text."""
        return []

    def overflow(self, text: str, length: int) -> int:
        """How many tokens do not fit between start and end."""
        return max(0, len(self._ids(text)) - (length - 2))

    def _ids(self, text: str) -> list[int]:
        plain = unicodedata.normalize("NFC", html.unescape(html.unescape(text)))
        return list(self._tokenizer.encode(plain.lower()).ids)


def load_clip_tokenizer(folder: Path) -> ClipTokenizer:
    """The tokenizer from CLIP's file of merges in `folder`. Raises TokenizerMissing or TokenizerCorrupt."""
    file = next((folder / name for name in FILES if (folder / name).is_file()), None)
    if file is None:
        raise TokenizerMissing(
            f"This checkpoint needs CLIP's vocabulary. Put {' or '.join(FILES)} into {folder} "
            "(it is published with CLIP)."
        )
    lines = read_text(file).split("\n")[1 : MERGES + 1]  # the first line is a heading
    pairs = [tuple(line.split()) for line in lines if line]
    if not pairs or any(len(pair) != 2 for pair in pairs):
        raise TokenizerCorrupt(f"{file.name} is no list of merges: each line after the first must hold two pieces.")
    return ClipTokenizer([(pair[0], pair[1]) for pair in pairs])


def _bytes() -> list[str]:
    """A printable character for each byte, in CLIP's order: those that are printable themselves come first."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    return [chr(byte) for byte in printable] + [chr(256 + i) for i in range(256 - len(printable))]
