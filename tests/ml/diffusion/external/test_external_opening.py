"""Opening what people have on their disks: whole folders, broken and dangerous ones, single files. No network."""

from __future__ import annotations

import json
import shutil
import socket

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from studio.ml.diffusion.external.asked import Asked
from studio.ml.diffusion.external.conversion import convert_pickle, pickles_in
from studio.ml.diffusion.external.errors import ExternalError, PickleRefused
from studio.ml.diffusion.external.family import abilities_of, family_of
from studio.ml.diffusion.external.folder import read_folder
from studio.ml.diffusion.external.headers import read_header
from studio.ml.diffusion.external.loading import load_external
from studio.ml.diffusion.external.memory import weight_bytes
from studio.ml.diffusion.external.single_file import find_settings
from tests.ml.diffusion.external.ldm import single_file_state
from tests.ml.diffusion.external.tiny import FAMILIES, changed_json, folder_of

UNET = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """The libraries are told that they are online, and every attempt to reach anything fails the test."""
    from huggingface_hub import constants

    def refused(*_):
        raise AssertionError("something tried to reach the network")

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)


@pytest.fixture
def folder(pipelines, tmp_path):
    """A folder of Stable Diffusion 1 to spoil."""
    return shutil.copytree(pipelines("sd1"), tmp_path / "model")


def picture(model):
    *_, last = model.sample(Asked("a red cat", (1,), steps=2, width=16, height=16))
    return last.pictures


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_folder_tells_what_it_is_before_anything_is_loaded(pipelines, opened, family):
    found = read_folder(pipelines(family))
    model = opened(family)
    assert family_of(found) == model.family
    assert set(abilities_of(found)) == set(model.capabilities)
    assert found.precision == "float32"
    # Shared weights are saved once; the tied embedding of T5 is the only one.
    assert weight_bytes(found, "float32") == pytest.approx(model.nbytes, rel=0.02)
    assert weight_bytes(found, "float16") * 2 == weight_bytes(found, "float32")
    parts = [weight_bytes(found, "float16", offload) for offload in ("none", "model", "sequential")]
    assert parts == sorted(parts, reverse=True) and parts[2] > 0


def test_a_model_opens_without_the_network(pipelines):
    assert picture(load_external(pipelines("sd1"))).std() > 5


def test_a_variant_and_shards_are_found(tmp_path):
    place = folder_of("sd1", tmp_path / "shards", variant="fp16", max_shard_size="60KB")
    assert len(list((place / "unet").glob("*.safetensors"))) > 1
    found = read_folder(place)
    assert found.variant == "fp16"
    assert picture(load_external(place)).std() > 5
    next(iter(sorted((place / "unet").glob("*.safetensors")))).unlink()
    with pytest.raises(ExternalError, match="is missing: the download is not complete"):
        read_folder(place)


SPOILED = {
    "no index": (lambda f: (f / "model_index.json").unlink(), "no model_index.json"),
    "index cut off": (lambda f: (f / "model_index.json").write_text('{"_class_name": "Sta'), "is damaged"),
    "index of a list": (lambda f: (f / "model_index.json").write_text("[]"), "holds no settings"),
    "no part": (lambda f: shutil.rmtree(f / "text_encoder"), "its part “text_encoder” is missing"),
    "no tokenizer": (lambda f: shutil.rmtree(f / "tokenizer"), "its part “tokenizer” is missing"),
    "no settings": (lambda f: (f / "unet/config.json").unlink(), "unet/config.json is missing"),
    "no weights": (lambda f: (f / UNET).unlink(), "weights of “unet” are missing"),
    "half": (lambda f: (f / "unet/a.incomplete").touch(), "half downloaded"),
    "cut off": (lambda f: (f / UNET).write_bytes((f / UNET).read_bytes()[:-100]), "its end is missing"),
    "empty": (lambda f: (f / UNET).write_bytes(b""), "damaged or no safetensors"),
    "not one": (lambda f: (f / UNET).write_bytes(b"PK" * 500), "does not begin like one"),
    "a pickle": (lambda f: (f / UNET).rename(f / "unet/diffusion_pytorch_model.bin"), "is a pickle"),
    "own class": (lambda f: changed_json(f / "model_index.json", _class_name=["own", "Own"]), "code of its own"),
    "own part": (lambda f: changed_json(f / "model_index.json", unet=["os", "Own"]), r"code of its own \(unet: os.Own"),
    "unknown class": (lambda f: changed_json(f / "model_index.json", _class_name="NewPipeline"), "NewPipeline.*newer"),
    "other width": (lambda f: changed_json(f / "unet/config.json", cross_attention_dim=24), "cannot be opened"),
    "other act": (lambda f: changed_json(f / "unet/config.json", act_fn="nonsense"), "cannot be opened"),
    "wrong reader": (lambda f: changed_json(f / "text_encoder/config.json", num_hidden_layers=3), "are incomplete"),
    "no pictures": (lambda f: changed_json(f / "model_index.json", _class_name="UnconditionalPipeline"), "newer"),
}  # fmt: skip


@pytest.mark.parametrize("what", sorted(SPOILED))
def test_what_is_wrong_with_a_folder_is_said(folder, what):
    spoil, words = SPOILED[what]
    spoil(folder)
    with pytest.raises(ExternalError, match=words) as found:
        load_external(folder)
    assert str(found.value).endswith(".")


def test_code_beside_the_weights_is_never_run(folder):
    changed_json(folder / "model_index.json", unet=["trap", "UNet"])
    (folder / "unet" / "trap.py").write_text("raise SystemExit('ran')")
    (folder / "trap.py").write_text("raise SystemExit('ran')")
    with pytest.raises(ExternalError, match="refused"):
        load_external(folder)


def test_weights_that_are_no_numbers_are_named_at_the_first_step(folder):
    state = load_file(folder / UNET)
    state["conv_in.weight"][0] = float("nan")
    save_file(state, folder / UNET, metadata={"format": "pt"})
    with pytest.raises(ExternalError, match="weights of “unet” hold values that are no numbers"):
        picture(load_external(folder))


def test_a_folder_of_pickles_is_converted_and_opens(folder, opened):
    for name in ("unet/diffusion_pytorch_model", "vae/diffusion_pytorch_model", "text_encoder/model"):
        file = folder / f"{name}.safetensors"
        torch.save(load_file(file), folder / f"{name.replace('/model', '/pytorch_model')}.bin")
        file.unlink()
    with pytest.raises(PickleRefused, match="Convert it"):
        load_external(folder)
    assert len(pickles_in(folder)) == 3
    for file in pickles_in(folder):
        convert_pickle(file)
    assert pickles_in(folder) == []
    assert np.array_equal(picture(load_external(folder)), picture(opened("sd1")))


class Trap:
    def __reduce__(self):
        return print, ("ran",)


def test_a_pickle_that_would_run_code_is_not_converted(tmp_path, capsys):
    file = tmp_path / "model.ckpt"
    torch.save({"state_dict": {"w": torch.ones(2)}, "trap": Trap()}, file)
    with pytest.raises(PickleRefused, match="asks to run code"):
        convert_pickle(file)
    assert "ran" not in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == [file]


def test_conversion_finds_the_weights_inside_and_overwrites_nothing(tmp_path):
    file = tmp_path / "model.ckpt"
    torch.save({"state_dict": {"w": torch.arange(6.0).reshape(2, 3).T, "n": torch.tensor(3)}, "epoch": 7}, file)
    found = load_file(convert_pickle(file))
    assert set(found) == {"w", "n"} and torch.equal(found["w"], torch.arange(6.0).reshape(2, 3).T)
    with pytest.raises(ExternalError, match="exists already"):
        convert_pickle(file)
    for name, content in (("none.pt", {"epoch": 7}), ("list.pt", [torch.ones(1)])):
        torch.save(content, tmp_path / name)
        with pytest.raises(ExternalError, match="holds no weights"):
            convert_pickle(tmp_path / name)
    (tmp_path / "torn.pt").write_bytes(file.read_bytes()[:200])
    with pytest.raises(ExternalError, match="damaged"):
        convert_pickle(tmp_path / "torn.pt")


@pytest.fixture
def single(opened, tmp_path):
    file = tmp_path / "cat.safetensors"
    save_file(single_file_state(opened("sd1").pipeline), file)
    return file


def test_a_single_file_opens_with_the_small_files_of_a_folder(single, pipelines, opened):
    small = shutil.ignore_patterns("*.safetensors")
    shutil.copytree(pipelines("sdxl"), single.parent / "another", ignore=small)
    shutil.copytree(pipelines("sd1-inpaint"), single.parent / "holes", ignore=small)
    place = shutil.copytree(pipelines("sd1"), single.parent / "settings", ignore=small)
    assert find_settings(single) == place
    model = load_external(single)
    assert (model.name, model.family, model.precision) == ("cat", "Stable Diffusion 1.x", "float32")
    assert np.array_equal(picture(model), picture(opened("sd1")))


def test_a_single_file_alone_says_what_it_needs(single, pipelines, tmp_path):
    with pytest.raises(ExternalError, match="Put a diffusers folder of the same family"):
        load_external(single)
    with pytest.raises(ExternalError, match="another family or width"):
        load_external(single, settings=pipelines("sdxl"))
    save_file({"lora.down": torch.ones(1)}, tmp_path / "adapter.safetensors")
    with pytest.raises(ExternalError, match="no whole model of a known kind"):
        load_external(tmp_path / "adapter.safetensors")
    torch.save({}, tmp_path / "old.ckpt")
    with pytest.raises(PickleRefused, match="Convert it"):
        load_external(tmp_path / "old.ckpt")
    with pytest.raises(ExternalError, match="no folder"):
        load_external(tmp_path / "nowhere")


def test_a_header_is_read_for_what_it_is(tmp_path):
    file = tmp_path / "some.safetensors"
    save_file({"a": torch.ones(2, 3, dtype=torch.float16), "b": torch.ones(1)}, file)
    header = read_header(file)
    assert header.shapes == {"a": (2, 3), "b": (1,)} and header.numbers == {"float16": 6, "float32": 1}
    assert (header.numel, header.precision, header.nbytes) == (7, "float16", file.stat().st_size)
    for content in (b"", b"12345678", (2**62).to_bytes(8, "little") + b"{}", (2).to_bytes(8, "little") + b"[]"):
        file.write_bytes(content)
        with pytest.raises(ExternalError, match="damaged or no safetensors"):
            read_header(file)
    entry = json.dumps({"a": {"dtype": "F32", "shape": [-1, "x"], "data_offsets": [0, 4]}}).encode()
    file.write_bytes(len(entry).to_bytes(8, "little") + entry + b"1234")
    with pytest.raises(ExternalError, match="makes no sense"):
        read_header(file)
