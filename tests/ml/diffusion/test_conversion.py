"""Weights written piece by piece: any tensor comes back bit for bit, and every change on the disk is noticed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from studio.ml.diffusion import conversion
from studio.ml.diffusion.checkpoint import UnsafeWeights, read_layout, read_state
from studio.ml.diffusion.conversion import DTYPES, compare, digest, nbytes_of, write_safetensors
from studio.ml.diffusion.weights import CorruptWeights
from tests.ml.diffusion.test_checkpoint import Bomb


@pytest.fixture
def state() -> dict[str, Tensor]:
    """A tensor of every number format, with every bit pattern that its bytes can have, odd sizes and layouts."""
    random = torch.Generator().manual_seed(0)
    made = {
        str(dtype): torch.randint(0, 256, (7, 24), dtype=torch.uint8, generator=random).view(dtype)
        for dtype in DTYPES
        if dtype != torch.bool
    }
    return made | {
        "flags": torch.rand(5, generator=random) > 0.5,
        "number": torch.tensor(float("nan")),
        "empty": torch.zeros(0, 3),
        "transposed": torch.rand(6, 4, generator=random).t(),
        "last": torch.rand(1000, generator=random)[::3],
    }


def finish(steps: object) -> list[int]:
    return list(steps)  # type: ignore[call-overload, no-any-return]


@pytest.mark.parametrize("chunk", [8, 1000, 1 << 20])
def test_every_bit_comes_back_through_the_librarys_own_reader(
    tmp_path: Path, state: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(conversion, "CHUNK", chunk)
    file = tmp_path / "w.safetensors"
    written = finish(write_safetensors(state, file))
    assert sum(written) == nbytes_of(state) and max(written) <= chunk
    found = load_file(file)
    assert set(found) == set(state)
    for name, value in state.items():
        assert found[name].dtype == value.dtype and found[name].shape == value.shape
        assert found[name].numpy(force=True).tobytes() == value.contiguous().numpy(force=True).tobytes() if (
            value.dtype != torch.bfloat16
        ) else torch.equal(found[name].view(torch.int16), value.contiguous().view(torch.int16))
    assert sum(finish(compare(state, file))) == nbytes_of(state)


@pytest.mark.parametrize("name", ["torch.float32", "number", "flags", "last"])
def test_one_changed_bit_is_noticed(tmp_path: Path, state: dict[str, Tensor], name: str) -> None:
    file = tmp_path / "w.safetensors"
    changed = {key: value.clone(memory_format=torch.contiguous_format) for key, value in state.items()}
    changed[name].reshape(-1).view(torch.uint8)[-1] ^= 1
    finish(write_safetensors(changed, file))
    with pytest.raises(CorruptWeights, match=rf"{name} came back from the disk changed"):
        finish(compare(state, file))


def test_another_shape_or_another_set_of_names_is_noticed(tmp_path: Path, state: dict[str, Tensor]) -> None:
    finish(write_safetensors(state | {"last": state["last"][None]}, tmp_path / "shape"))
    finish(write_safetensors(state | {"more": torch.zeros(1)}, tmp_path / "names"))
    for file, words in (("shape", "another shape"), ("names", "does not hold the tensors")):
        with pytest.raises(CorruptWeights, match=words):
            finish(compare(state, tmp_path / file))


def test_numbers_that_have_no_name_in_the_format_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(CorruptWeights, match="complex64"):
        finish(write_safetensors({"c": torch.zeros(2, dtype=torch.complex64)}, tmp_path / "w"))
    assert not (tmp_path / "w").read_bytes()


def test_the_digest_is_that_of_hashlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversion, "CHUNK", 7)
    (tmp_path / "f").write_bytes(b"to be or not to be")
    steps = digest(tmp_path / "f")
    read = []
    with pytest.raises(StopIteration) as ended:
        while True:
            read.append(next(steps))
    assert ended.value.value == hashlib.sha256(b"to be or not to be").hexdigest() and read == [7, 7, 4]


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before torch 1.6"])
def test_the_layout_of_a_pickle_is_read_without_its_numbers(
    tmp_path: Path, state: dict[str, Tensor], zipped: bool
) -> None:
    file = tmp_path / "w.pt"
    torch.save(state, file, _use_new_zipfile_serialization=zipped)
    found = read_layout(file)
    assert {name: (value.shape, value.dtype) for name, value in found.items()} == {
        name: (value.shape, value.dtype) for name, value in read_state(file).items()
    }
    torch.save(state | {"x": Bomb(tmp_path / "trap")}, file, _use_new_zipfile_serialization=zipped)
    with pytest.raises(UnsafeWeights):
        read_layout(file)
    assert not (tmp_path / "trap").exists()


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before torch 1.6"])
def test_a_missing_end_shows_in_the_layout(tmp_path: Path, zipped: bool) -> None:
    file = tmp_path / "w.pt"
    torch.save({"a": torch.zeros(10_000)}, file, _use_new_zipfile_serialization=zipped)
    file.write_bytes(file.read_bytes()[:-5_000])
    with pytest.raises(CorruptWeights, match="damaged"):
        read_layout(file)
