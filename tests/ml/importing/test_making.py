"""Published files become model folders: proved bit for bit, opened, tried; and nothing is kept that is not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch
from safetensors.torch import load_file, save_file

from studio.ml.clip.model import NoisedClip
from studio.ml.diffusion.classifier import NoisyClassifier
from studio.ml.diffusion.glide import TextToImage
from studio.ml.diffusion.inpainting import Inpainter
from studio.ml.diffusion.sampling import Sampling
from studio.ml.diffusion.unconditional import ClassConditional, Unconditional
from studio.ml.diffusion.upsampling import Upsampler
from studio.ml.diffusion.weights import CorruptWeights, NotEnoughMemory, sha256_of
from studio.ml.importing import making
from studio.ml.importing.loading import load_model
from studio.ml.importing.making import CannotImport, NotEnoughDisk, Plan, Step, make, plans
from studio.ml.importing.published import Published
from studio.ml.importing.record import Record
from studio.ml.importing.scan import scan, tensors
from tests.ml.importing.reduced import random_state, reduce, write_files

CLASSES = {
    "base.pt": TextToImage,
    "base_inpaint.pt": Inpainter,
    "upsample_inpaint.pt": Inpainter,
    "64x64_diffusion.pt": ClassConditional,
    "256x256_diffusion_uncond.pt": Unconditional,
    "64x64_classifier.pt": NoisyClassifier,
}


@pytest.fixture(scope="module")
def known() -> Iterator[list[Published]]:
    """Small networks, made once: their shapes are remembered."""
    with pytest.MonkeyPatch.context() as patch:
        yield reduce(patch)


def plan_of(folder: Path, known: list[Published]) -> Plan:
    (plan,) = plans(list(scan(folder, known)))
    return plan


def made(plan: Plan, folder: Path, known: list[Published]) -> tuple[list[Step], Record]:
    folder.mkdir()
    steps, work = [], make(plan, folder, known)
    while True:
        try:
            steps.append(next(work))
        except StopIteration as end:
            return steps, end.value


@pytest.mark.parametrize(("file", "kind"), CLASSES.items())
def test_a_file_becomes_a_model_that_opens_and_equals_it_bit_for_bit(
    tmp_path: Path, known: list[Published], file: str, kind: type
) -> None:
    source, folder = write_files(tmp_path / "files", known, [file]), tmp_path / "model"
    plan = plan_of(source, known)
    steps, record = made(plan, folder, known)
    assert [step.done for step in steps] == sorted(step.done for step in steps) and steps[-1].done == steps[-1].total
    state, copy = tensors(source / file), load_file(folder / "model.safetensors")
    assert state.keys() == copy.keys() and all(torch.equal(state[name], copy[name]) for name in state)
    assert record.untried == "" and record.tensors == len(state)
    assert record.sha256 == sha256_of([folder / "model.safetensors"])
    assert record.sources[0].sha256 == sha256_of([source / file]) in (folder / "MODEL_CARD.md").read_text()
    shutil.rmtree(source)  # the model stands by itself
    model = load_model(folder)
    assert isinstance(model, kind) and model.sha256 == record.sha256
    assert all(torch.equal(value, state[name]) for name, value in model.net.state_dict().items())
    config = json.loads((folder / "config.json").read_text())
    assert config["imported"]["sha256"] == record.sha256 and config["image_size"] == model.image_size


def test_the_halves_of_clip_become_one_model(tmp_path: Path, known: list[Published]) -> None:
    source, folder = write_files(tmp_path / "files", known, ["clip_image_enc.pt", "clip_text_enc.pt"]), tmp_path / "m"
    _, record = made(plan_of(source, known), folder, known)
    assert [part.name for part in record.sources] == ["clip_image_enc.pt", "clip_text_enc.pt"] and record.untried == ""
    clip = load_model(folder)
    assert isinstance(clip, NoisedClip) and clip.logit_scale == 100
    halves = tensors(source / "clip_image_enc.pt"), tensors(source / "clip_text_enc.pt")
    for half, state in zip((clip.image_encoder, clip.text_encoder), halves, strict=True):
        assert all(torch.equal(value, state[name]) for name, value in half.state_dict().items())
    cosine = clip.similarity(torch.zeros(1, 3, 64, 64), torch.zeros(1, dtype=torch.long), clip.encode_text(["cat", "dog"]))
    assert cosine.shape == (1, 2) and bool((cosine.abs() <= 1).all())


def test_half_precision_and_safetensors_and_old_pickles_are_kept_as_they_are(
    tmp_path: Path, known: list[Published]
) -> None:
    network = next(network for network in known if network.name == "adm-64-classifier")
    state = {name: value.half() for name, value in random_state(network).items()}
    for i, file in enumerate(("a.safetensors", "b.pth")):
        source = tmp_path / f"files{i}"
        source.mkdir()
        if file.endswith("s"):
            save_file(state, source / file)
        else:
            torch.save(state, source / file, _use_new_zipfile_serialization=False)
        _, record = made(plan_of(source, known), tmp_path / f"m{i}", known)
        copy = load_file(tmp_path / f"m{i}" / "model.safetensors")
        assert record.formats == ("float16",) and all(torch.equal(copy[name], state[name]) for name in state)


def test_an_imported_base_draws_and_an_imported_upsampler_enlarges_it(tmp_path: Path, known: list[Published]) -> None:
    models = []
    for file in ("base.pt", "upsample.pt"):
        source = write_files(tmp_path / file[:-3], known, [file])
        made(plan_of(source, known), tmp_path / f"{file}-model", known)
        models.append(load_model(tmp_path / f"{file}-model"))
    base, upsampler = models
    assert isinstance(upsampler, Upsampler)
    *_, small = base.sample(["a cat"], [0], sampling=Sampling("ddim", 1), scale=None)
    first = next(upsampler.sample(small.x, ["a cat"], [0], sampling=Sampling("ddim", 1)))
    assert first.x.shape == (1, 3, 256, 256) and bool(first.x.isfinite().all())


def _nan(source: Path) -> None:
    state = {name: value.clone() for name, value in tensors(source / "64x64_classifier.pt").items()}
    torch.save(state | {"out.2.c_proj.bias": torch.full((1000,), torch.nan)}, source / "64x64_classifier.pt")


def test_weights_that_compute_no_numbers_are_refused(tmp_path: Path, known: list[Published]) -> None:
    source = write_files(tmp_path / "files", known, ["64x64_classifier.pt"])
    _nan(source)
    with pytest.raises(CorruptWeights, match="is not a number"):
        made(plan_of(source, known), tmp_path / "m", known)


def test_a_change_on_the_way_to_the_disk_is_noticed(
    tmp_path: Path, known: list[Published], monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoiled(state: dict[str, torch.Tensor], file: Path) -> object:
        yield from write(state, file)
        data = bytearray(file.read_bytes())
        data[-1] ^= 1
        file.write_bytes(data)

    write: Callable[..., object] = making.write_safetensors
    monkeypatch.setattr(making, "write_safetensors", spoiled)
    source = write_files(tmp_path / "files", known, ["64x64_classifier.pt"])
    with pytest.raises(CorruptWeights, match="came back from the disk changed"):
        made(plan_of(source, known), tmp_path / "m", known)


def test_a_source_that_is_written_to_meanwhile_ends_the_import_in_words(tmp_path: Path, known: list[Published]) -> None:
    """Cutting a mapped file short would end the process at the next read of it."""
    folder = write_files(tmp_path / "downloads", known, ["64x64_classifier.pt"])
    (plan,) = plans(list(scan(folder, known)))
    target = tmp_path / "model"
    target.mkdir()
    steps = make(plan, target, known)
    next(steps)
    with (folder / "64x64_classifier.pt").open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(CorruptWeights, match="changed by another program while it was imported"):
        list(steps)


def test_too_little_disk_is_said_with_numbers_before_anything_is_written(
    tmp_path: Path, known: list[Published], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_files(tmp_path / "files", known, ["64x64_classifier.pt"])
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=making.SPARE + 1000))
    with pytest.raises(NotEnoughDisk, match=r"needs 0\.00 GiB on the disk of .* 0\.06 GiB are free"):
        made(plan_of(source, known), tmp_path / "m", known)
    assert not list((tmp_path / "m").iterdir())


def test_too_little_memory_skips_the_trial_and_says_so_and_stops_only_what_cannot_be_mapped(
    tmp_path: Path, known: list[Published], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_files(tmp_path / "files", known, ["64x64_classifier.pt"])
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=1000))
    _, record = made(plan_of(source, known), tmp_path / "m", known)
    assert record.untried is not None and "0.00 GiB were free" in record.untried
    assert "Not evaluated: it needs" in (tmp_path / "m" / "MODEL_CARD.md").read_text()
    state = {name: value.clone() for name, value in tensors(source / "64x64_classifier.pt").items()}
    torch.save(state, source / "64x64_classifier.pt", _use_new_zipfile_serialization=False)
    with pytest.raises(NotEnoughMemory, match="To convert adm-64-classifier"):
        made(plan_of(source, known), tmp_path / "n", known)


def test_a_plan_that_lacks_something_is_not_begun(tmp_path: Path, known: list[Published]) -> None:
    source = write_files(tmp_path / "files", known, ["clip_text_enc.pt"])
    with pytest.raises(CannotImport, match="other half is missing"):
        made(plan_of(source, known), tmp_path / "m", known)
