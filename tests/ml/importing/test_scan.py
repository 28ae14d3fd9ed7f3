"""What a folder of files is said to hold: good ones, damaged ones, malicious ones, foreign ones, missing vocabularies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import save_file

from studio.ml.importing.making import plans
from studio.ml.importing.published import Published
from studio.ml.importing.scan import Found, candidates, scan, tensors
from tests.ml.importing.reduced import FILES, Bomb, random_state, reduce, write_files

@pytest.fixture(scope="module")
def known() -> Iterator[list[Published]]:
    """Small networks, made once: their shapes are remembered."""
    with pytest.MonkeyPatch.context() as patch:
        yield reduce(patch)


def looked(folder: Path, known: list[Published]) -> dict[str, Found]:
    return {found.path.name: found for found in scan(folder, known)}


def test_each_file_is_told_by_its_content_and_not_by_its_name(tmp_path: Path, known: list[Published]) -> None:
    folder = write_files(tmp_path, known)
    found = looked(folder, known)
    assert {name: one.network.name for name, one in found.items() if one.network} == FILES
    assert all(one.formats == ("float32",) and not one.problem for one in found.values())
    with_text = {name for name, one in found.items() if one.vocabulary is not None}
    assert with_text == {"base.pt", "upsample.pt", "base_inpaint.pt", "upsample_inpaint.pt", "clip_text_enc.pt"}
    made = plans(list(found.values()))
    assert sorted(plan.name for plan in made) == sorted({*FILES.values(), "glide-clip"} - {"glide-clip-image", "glide-clip-text"})
    assert not any(plan.problem for plan in made)
    base, upsample = (folder / "base.pt").read_bytes(), folder / "upsample.pt"
    (folder / "base.pt").write_bytes(upsample.read_bytes())
    upsample.write_bytes(base)
    found = looked(folder, known)
    assert found["base.pt"].network and found["base.pt"].network.name == "glide-upsample"


def test_what_is_wrong_with_a_file_is_said_and_the_others_are_found(tmp_path: Path, known: list[Published]) -> None:
    folder = write_files(tmp_path / "files", known, ["base.pt", "64x64_diffusion.pt"])
    base = random_state(next(network for network in known if network.name == "glide-base"))
    (folder / "cut.pt").write_bytes((folder / "base.pt").read_bytes()[:50_000])
    (folder / "text.pth").write_text("no checkpoint at all")
    (folder / "empty.safetensors").write_bytes(b"")
    torch.save({**base, "z": Bomb(tmp_path / "trap")}, folder / "evil.pt")
    torch.save({**base, "z": Bomb(tmp_path / "trap")}, folder / "evil.pth", _use_new_zipfile_serialization=False)
    torch.save({"state_dict": base}, folder / "wrapped.pt")
    torch.save({**base, "out.2.bias": torch.zeros(7)}, folder / "other.pt")
    torch.save({"x": torch.zeros(3)}, folder / "foreign.pt")
    (folder / "notes.txt").write_text("not looked at")
    found = looked(folder, known)
    says = {
        "cut.pt": "is damaged", "text.pth": "is damaged", "empty.safetensors": "is damaged",
        "evil.pt": "asks to run code", "evil.pth": "asks to run code", "wrapped.pt": "no plain table of tensors",
        "other.pt": "Closest is GLIDE (filtered) 64x64, with 1 differences: out.2.bias is 7, expected 6",
        "foreign.pt": "None of the published networks",
    }  # fmt: skip
    assert {name: one.problem for name, one in found.items() if one.problem}.keys() == says.keys()
    for name, words in says.items():
        assert words in found[name].problem and found[name].network is None, found[name]
    assert not (tmp_path / "trap").exists()
    assert {plan.name for plan in plans(list(found.values()))} == {"glide-base", "adm-64"}


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda folder: (folder / "vocab.bpe.gz").unlink(), "GPT-2's vocabulary is missing: put vocab.json and merges.txt"),
        (lambda folder: (folder / "encoder.json.gz").write_bytes(b"\x1f\x8b nothing"), "cannot be used"),
        (lambda folder: (folder / "vocab.json").write_text('{"a": 0, "b": 1}'), "vocab.json has 2 tokens; this network reads 259"),
        (lambda folder: (folder / "bpe_simple_vocab_16e6.txt.gz").unlink(), "CLIP's vocabulary is missing"),
        (lambda folder: (folder / "clip_image_enc.pt").unlink(), "other half is missing: put the file of glide-clip-image"),
    ],
)  # fmt: skip
def test_what_is_missing_beside_a_file_is_named(tmp_path: Path, known: list[Published], spoil: object, says: str) -> None:
    folder = write_files(tmp_path, known, ["base.pt", "clip_image_enc.pt", "clip_text_enc.pt"])
    (folder / "merges.txt").write_text("#version: 0.2\n")  # with vocab.json a second, wrong pair
    spoil(folder)  # type: ignore[operator]
    problems = [plan.problem for plan in plans(list(looked(folder, known).values()))]
    assert len(problems) == 2 and sum(says in problem for problem in problems) == 1, problems


def test_a_vocabulary_one_level_below_or_above_is_found(tmp_path: Path, known: list[Published]) -> None:
    write_files(tmp_path / "weights", known, ["base.pt"])
    (tmp_path / "bpe").mkdir()
    for name in ("encoder.json.gz", "vocab.bpe.gz"):
        (tmp_path / "weights" / name).rename(tmp_path / "bpe" / name)
    found = looked(tmp_path, known)["base.pt"]
    assert found.vocabulary and found.vocabulary.files == (tmp_path / "bpe/encoder.json.gz", tmp_path / "bpe/vocab.bpe.gz")


def test_one_level_below_is_looked_at_and_no_deeper(tmp_path: Path) -> None:
    for place in ("a.pt", "b/c.PTH", "b/d/e.pt", ".hidden/f.pt", "own/g.safetensors", "own/config.json", "h.bin"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).touch()
    (tmp_path / "loop").symlink_to(tmp_path)
    found = [str(path.relative_to(tmp_path)) for path in candidates(tmp_path)]
    assert found == ["a.pt", "b/c.PTH", "loop/a.pt"]


@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
def test_looking_reads_no_numbers(tmp_path: Path, known: list[Published], kind: str) -> None:
    state = random_state(known[0]) | {"huge": torch.zeros(16, 1 << 20)}
    file = tmp_path / ("w.safetensors" if kind == "safetensors" else "w.pt")
    save_file(state, file) if kind == "safetensors" else torch.save(
        state, file, _use_new_zipfile_serialization=kind == "zip"
    )
    del state
    list(scan(tmp_path, known))  # what is imported at the first time is not the file
    before = psutil.Process().memory_info().rss
    (found,) = scan(tmp_path, known)
    assert "huge is not expected" in found.problem and found.nbytes > 64 << 20
    assert psutil.Process().memory_info().rss - before < 16 << 20


def test_safetensors_are_mapped_and_not_read_whole(tmp_path: Path) -> None:
    save_file({"a": torch.ones(16, 1 << 20)}, tmp_path / "w.safetensors")
    before = psutil.Process().memory_info().rss
    found = tensors(tmp_path / "w.safetensors")
    assert psutil.Process().memory_info().rss - before < 16 << 20
    assert bool((found["a"][3, :5] == 1).all())
