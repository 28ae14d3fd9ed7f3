from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from studio.ml.diffusion.bpe import END, TokenizerCorrupt, TokenizerMissing, load_bpe


def byte_letters() -> list[str]:
    """GPT-2's printable stand-ins for the 256 bytes, in its order."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in printable]
    letters = {b: chr(b) for b in printable} | {b: chr(256 + i) for i, b in enumerate(others)}
    return [letters[b] for b in [*printable, *others]]


LETTERS = byte_letters()
MERGES = [("c", "a"), ("ca", "t"), ("Ġ", "cat")]
VOCABULARY = {token: i for i, token in enumerate([*LETTERS, "ca", "cat", "Ġcat"])}


def write(folder: Path, vocabulary: str = "vocab.json", merges: str = "merges.txt") -> Path:
    texts = {
        vocabulary: json.dumps(VOCABULARY),
        merges: "#version: 0.2\n" + "\n".join(" ".join(pair) for pair in MERGES) + "\n",
    }
    for name, text in texts.items():
        data = text.encode()
        (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return folder


@pytest.mark.parametrize(
    "names", [("vocab.json", "merges.txt"), ("encoder.json", "vocab.bpe"), ("encoder.json.gz", "vocab.bpe.gz")]
)
def test_merges_lower_case_and_padding(tmp_path: Path, names: tuple[str, str]) -> None:
    tokenizer = load_bpe(write(tmp_path, *names))
    assert tokenizer.size == 259
    ids, mask = tokenizer.encode("CAT cat ct", 8)
    tokens = [VOCABULARY[token] for token in ("cat", "Ġcat", "Ġ", "c", "t")]
    assert ids == [*tokens, END, END, END]
    assert mask == [True] * 5 + [False] * 3
    assert tokenizer.encode("", 3) == ([END] * 3, [False] * 3)


def test_long_and_strange_text(tmp_path: Path) -> None:
    tokenizer = load_bpe(write(tmp_path))
    assert tokenizer.encode("cat cat cat", 2)[1] == [True, True]
    assert tokenizer.overflow("cat cat cat", 2) == 1
    assert tokenizer.overflow("cat", 2) == 0
    ids, mask = tokenizer.encode("é🙂\x00\n" * 2500, 128)
    assert len(ids) == len(mask) == 128 and all(mask)
    assert tokenizer.unknown("é🙂") == []


def test_missing_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "vocab.json").write_text("{}")
    with pytest.raises(TokenizerMissing, match=r"vocab\.json and merges\.txt or encoder\.json and vocab\.bpe"):
        load_bpe(tmp_path)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("vocab.json", b"{"),
        ("vocab.json", b"[1, 2]"),
        ("vocab.json", b'{"a": 5}'),
        ("vocab.json", b"\xff\xfe"),
        ("merges.txt", b"a b c\n"),
        ("merges.txt", b"x y\n"),
        ("merges.txt", b"\xff\xfe\n"),
    ],
)
def test_corrupt_files(tmp_path: Path, name: str, data: bytes) -> None:
    folder = write(tmp_path)
    (folder / name).write_bytes(data)
    with pytest.raises(TokenizerCorrupt):
        load_bpe(folder)


def test_corrupt_gzip(tmp_path: Path) -> None:
    folder = write(tmp_path, "encoder.json.gz", "vocab.bpe.gz")
    for data in (b"no gzip", (folder / "encoder.json.gz").read_bytes()[:-12]):
        (folder / "encoder.json.gz").write_bytes(data)
        with pytest.raises(TokenizerCorrupt):
            load_bpe(folder)
