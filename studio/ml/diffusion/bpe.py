"""The byte-pair tokenizer of the released GLIDE checkpoints: GPT-2's, over lower-cased text."""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path

from tokenizers import Tokenizer, decoders
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel

END = 50256
"""Fills the rest of the context; its mask is False and the network's learned padding takes its place."""

PAIRS = (("vocab.json", "merges.txt"), ("encoder.json", "vocab.bpe"), ("encoder.json.gz", "vocab.bpe.gz"))


class TokenizerMissing(FileNotFoundError):
    """No vocabulary beside the checkpoint; the message names the files to put there."""


class TokenizerCorrupt(ValueError):
    """A vocabulary that cannot be read or is not GPT-2's."""


class BpeTokenizer:
    """Text to integers, with the same methods as the bundled models' `WordTokenizer`."""

    def __init__(self, vocabulary: dict[str, int], merges: list[tuple[str, str]]) -> None:
        try:
            self._tokenizer = Tokenizer(BPE(vocabulary, merges))
        except Exception as error:  # the library raises no narrower class
            raise TokenizerCorrupt(f"The vocabulary and the merges do not belong together ({error}).") from error
        self._tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
        self._tokenizer.decoder = decoders.ByteLevel()
        self.size = self._tokenizer.get_vocab_size()

    def encode(self, text: str, length: int) -> tuple[list[int], list[bool]]:
        """Ids and mask, both `length` long; tokens beyond `length` are cut off (see `overflow`)."""
        ids = self._ids(text)[:length]
        padding = length - len(ids)
        return ids + [END] * padding, [True] * len(ids) + [False] * padding

    def piece(self, token: int) -> str:
        """The text of an id, a leading space included; "\ufffd" for bytes that are no whole character."""
        return str(self._tokenizer.decode([token]))

    def unknown(self, text: str) -> list[str]:
        """Always empty: bytes spell every text."""
        return []

    def overflow(self, text: str, length: int) -> int:
        """How many tokens do not fit into `length`."""
        return max(0, len(self._ids(text)) - length)

    def _ids(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text.lower()).ids)


def load_bpe(folder: Path) -> BpeTokenizer:
    """The tokenizer from GPT-2's two files in `folder`, under any of their usual names.

    Raises TokenizerMissing or TokenizerCorrupt.
    """
    for vocabulary_name, merges_name in PAIRS:
        vocabulary, merges = folder / vocabulary_name, folder / merges_name
        if vocabulary.is_file() and merges.is_file():
            return BpeTokenizer(_vocabulary(vocabulary), _merges(merges))
    names = " or ".join(" and ".join(pair) for pair in PAIRS)
    raise TokenizerMissing(
        f"This checkpoint needs GPT-2's vocabulary. Put {names} into {folder} (they are published with GPT-2)."
    )


def _vocabulary(file: Path) -> dict[str, int]:
    try:
        found = json.loads(read_text(file))
    except json.JSONDecodeError as error:
        raise TokenizerCorrupt(f"{file.name} is no JSON file ({error}).") from error
    if not isinstance(found, dict) or sorted(map(str, found.values())) != sorted(map(str, range(len(found)))):
        raise TokenizerCorrupt(f"{file.name} does not number its tokens from 0.")
    return found


def _merges(file: Path) -> list[tuple[str, str]]:
    lines = [line for line in read_text(file).splitlines() if line and not line.startswith("#version")]
    pairs = [tuple(line.split(" ")) for line in lines]
    if any(len(pair) != 2 for pair in pairs):
        raise TokenizerCorrupt(f"{file.name} is no list of merges: each line must hold two pieces.")
    return [(pair[0], pair[1]) for pair in pairs]


def read_text(file: Path) -> str:
    """The text of a vocabulary file, compressed or not. Raises TokenizerCorrupt."""
    data = file.read_bytes()
    try:
        return (gzip.decompress(data) if file.suffix == ".gz" else data).decode("utf-8")
    except (UnicodeDecodeError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise TokenizerCorrupt(f"{file.name} is damaged ({error}).") from error
