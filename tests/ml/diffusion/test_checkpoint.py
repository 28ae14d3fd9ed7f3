"""Released checkpoints as files: good ones, foreign ones, broken ones, and ones that would run code."""

from __future__ import annotations

import io
import os
import pickle
import random
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from studio.ml.diffusion import released
from studio.ml.diffusion.checkpoint import UnsafeWeights, open_checkpoint, read_state
from studio.ml.diffusion.released import ReleasedNetwork, UnknownCheckpoint
from studio.ml.diffusion.unet import Text2ImUNet, split_config
from studio.ml.diffusion.weights import (
    CorruptWeights,
    NotEnoughMemory,
    WeightsError,
    WrongWeights,
    load_into,
    sha256_of,
)
from tests.ml.diffusion.tiny import NETWORK, tiny_net


@pytest.fixture(autouse=True)
def tiny_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Released networks of a size a test can write."""
    unet, text = split_config(NETWORK)
    table = {"tiny": ReleasedNetwork("tiny", "Tiny GLIDE", "text2im", 16, "squaredcos_cap_v2", unet, text)}
    monkeypatch.setattr(released, "released_networks", lambda: table)


@pytest.fixture
def state() -> dict[str, Tensor]:
    return tiny_net().state_dict()


def equal(net: torch.nn.Module, state: dict[str, Tensor]) -> bool:
    return all(torch.equal(value, state[name]) for name, value in net.state_dict().items())


class Bomb:
    """Pickles to a call of os.mkdir: any reader that obeys leaves a folder behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before torch 1.6"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_pt_file_is_converted_once(tmp_path: Path, state: dict[str, Tensor], zipped: bool, dtype: torch.dtype) -> None:
    file, cache = tmp_path / "base.pt", tmp_path / "cache"
    state = {name: value.to(dtype) for name, value in state.items()}
    torch.save(state, file, _use_new_zipfile_serialization=zipped)
    checkpoint = open_checkpoint(file, cache)
    assert checkpoint.network.name == "tiny"
    assert checkpoint.sha256 == sha256_of([file])
    assert [f.name for f in cache.iterdir()] == [f"{checkpoint.sha256}.safetensors"]
    with safe_open(checkpoint.files[0], "pt") as content:
        assert content.get_tensor("out.2.bias").dtype == dtype
    written = checkpoint.files[0].stat().st_mtime_ns
    net = checkpoint.load()
    assert isinstance(net, Text2ImUNet) and not net.training
    assert equal(net, {name: value.float() for name, value in state.items()})
    assert not any(parameter.requires_grad for parameter in net.parameters())
    again = open_checkpoint(file, cache)
    assert again == checkpoint and again.files[0].stat().st_mtime_ns == written


def test_safetensors_file_and_shards_are_used_where_they_lie(tmp_path: Path, state: dict[str, Tensor]) -> None:
    cache, shards = tmp_path / "cache", tmp_path / "shards"
    shards.mkdir()
    save_file(state, tmp_path / "base.SafeTensors")
    names = list(state)
    save_file({name: state[name] for name in names[:50]}, shards / "a.safetensors")
    save_file({name: state[name] for name in names[50:]}, shards / "b.safetensors")
    for path in (tmp_path / "base.SafeTensors", shards):
        assert equal(open_checkpoint(path, cache).load(), state)
    assert not cache.exists()


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before torch 1.6"])
@pytest.mark.parametrize("name", ["base.pt", "base.safetensors"])
def test_a_file_that_would_run_code_is_refused(
    tmp_path: Path, state: dict[str, Tensor], zipped: bool, name: str
) -> None:
    trap = tmp_path / "trap"
    torch.save({**state, "z": Bomb(trap)}, tmp_path / name, _use_new_zipfile_serialization=zipped)
    with pytest.raises(UnsafeWeights, match="safetensors"):
        open_checkpoint(tmp_path / name, tmp_path / "cache")
    assert not trap.exists()
    assert not (tmp_path / "cache").exists()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol:UserWarning")
def test_a_bare_pickle_is_refused(tmp_path: Path) -> None:
    trap, file = tmp_path / "trap", tmp_path / "model.pt"
    file.write_bytes(pickle.dumps(Bomb(trap)))
    with pytest.raises(UnsafeWeights):
        open_checkpoint(file, tmp_path / "cache")
    assert not trap.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b"PK\x03\x04" + b"\0" * 50,
        b"\x89PNG\r\n\x1a\n" + b"\0" * 100,
        b"\x80\x02}q\x00.",
        b"\0" * 9 + b"{" * 100,
    ],
)
def test_foreign_files(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "model.pt"
    file.write_bytes(content)
    with pytest.raises((CorruptWeights, UnknownCheckpoint)) as caught:
        open_checkpoint(file, tmp_path / "cache")
    assert len(str(caught.value)) > 30


@pytest.mark.parametrize("kind", ["pt", "safetensors"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_truncated_files(tmp_path: Path, state: dict[str, Tensor], kind: str, share: float) -> None:
    file = tmp_path / f"base.{kind}"
    torch.save(state, file) if kind == "pt" else save_file(state, file)
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(CorruptWeights, match=r"base\.(pt|safetensors) is damaged"):
        open_checkpoint(file, tmp_path / "cache")


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"state_dict": {"a": torch.zeros(1)}}, "no plain table of tensors"),
        ([torch.zeros(1)], "no plain table of tensors"),
        ({"a": torch.zeros(3, 3).to_sparse()}, "sparse"),
    ],
)
def test_other_contents(tmp_path: Path, found: object, words: str) -> None:
    file = tmp_path / "base.pt"
    torch.save(found, file)
    with pytest.raises(CorruptWeights, match=words):
        open_checkpoint(file, tmp_path / "cache")


def test_another_network_is_named_by_its_differences_and_not_kept(tmp_path: Path, state: dict[str, Tensor]) -> None:
    file = tmp_path / "base.pt"
    state["out.2.bias"] = torch.zeros(7)
    torch.save(state, file)
    with pytest.raises(UnknownCheckpoint, match=r"Tiny GLIDE, with 1 differences: out\.2\.bias is 7, expected 6"):
        open_checkpoint(file, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_checkpoint(tmp_path / "none.pt", tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"no \.safetensors file"):
        open_checkpoint(tmp_path / "empty", tmp_path)


def test_shards_that_do_not_belong_together(tmp_path: Path, state: dict[str, Tensor]) -> None:
    for name in ("a", "b"):
        save_file(state, tmp_path / f"{name}.safetensors")
    with pytest.raises(CorruptWeights, match="second time"):
        open_checkpoint(tmp_path, tmp_path)


def test_memory_is_checked_first(tmp_path: Path, state: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save(state, tmp_path / "base.pt", _use_new_zipfile_serialization=False)  # cannot be mapped, is read whole
    save_file(state, tmp_path / "base.safetensors")
    small = open_checkpoint(tmp_path / "base.safetensors", tmp_path)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=1000))
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("read before memory was checked"))
    with pytest.raises(NotEnoughMemory, match="GiB are free"):
        open_checkpoint(tmp_path / "base.pt", tmp_path / "cache")
    with pytest.raises(NotEnoughMemory, match="half precision"):
        small.load()


def test_an_interrupted_conversion_leaves_nothing(
    tmp_path: Path, state: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    torch.save(state, tmp_path / "base.pt")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        open_checkpoint(tmp_path / "base.pt", tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_loading_is_all_or_nothing(tmp_path: Path, state: dict[str, Tensor]) -> None:
    net = tiny_net()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    changed = {name: value + 1 for name, value in state.items()}
    del changed["out.2.bias"]
    save_file(changed, tmp_path / "part.safetensors")
    with pytest.raises(WrongWeights, match=r"part\.safetensors does not fit this network: out\.2\.bias is missing"):
        load_into(net, [tmp_path / "part.safetensors"])
    assert equal(net, before)


def test_random_damage_never_gives_anything_but_a_clear_error(tmp_path: Path) -> None:
    """Bytes changed or cut anywhere: the file opens (damage in a number) or is refused in one of our own words."""
    rng, state = random.Random(0), {"a": torch.arange(12.0).view(3, 4), "b": torch.zeros(2)}
    buffer = io.BytesIO()
    torch.save(state, buffer)
    save_file(state, tmp_path / "whole")
    refused = 0
    for data in (buffer.getvalue(), (tmp_path / "whole").read_bytes()):
        for _ in range(60):
            damaged = bytearray(data)
            for _ in range(rng.randint(1, 8)):
                damaged[rng.randrange(len(data))] = rng.randrange(256)
            file = tmp_path / "damaged"
            file.write_bytes(damaged[: rng.randrange(len(data))] if rng.random() < 0.2 else damaged)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # torch may warn of what it finds before it gives up
                    open_checkpoint(file, tmp_path / "cache")
            except (WeightsError, UnknownCheckpoint):
                refused += 1
    assert refused == 120  # whole or not, these two tensors are no released network


def test_reading_runs_nothing_and_maps_the_file(tmp_path: Path, state: dict[str, Tensor]) -> None:
    file = tmp_path / "base.pt"
    torch.save(state, file)
    before = psutil.Process().memory_info().rss
    found = read_state(file)
    assert psutil.Process().memory_info().rss - before < file.stat().st_size
    assert set(found) == set(state)
