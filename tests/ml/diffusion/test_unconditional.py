"""ADM networks that draw from noise or from a class: as model folders, as released files, and guided by a classifier."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from studio.ml.diffusion import released
from studio.ml.diffusion.classifier import UnknownClass
from studio.ml.diffusion.gradients import ClassifierGuidance, together
from studio.ml.diffusion.model_folder import BadModelFolder
from studio.ml.diffusion.released import ReleasedNetwork
from studio.ml.diffusion.sampling import Sampling
from studio.ml.diffusion.unconditional import (
    ClassConditional,
    Unconditional,
    load_class_conditional,
    load_released,
    load_unconditional,
)
from studio.ml.diffusion.unet import UNet, UNetConfig
from tests.ml.diffusion.goldens import golden_fill

CLASSES = ["cat", "Cat", "red fox", "grey fox"]
SHAPE: dict[str, Any] = {
    "model_channels": 32, "num_res_blocks": 1, "attention_resolutions": [2], "channel_mult": [1, 1],
    "num_head_channels": 16,
}  # fmt: skip


def folder(tmp_path: Path, *, with_classes: bool, **changes: Any) -> Path:
    network = {**SHAPE, "num_classes": len(CLASSES) if with_classes else None}
    net = golden_fill(UNet(UNetConfig(**network)), "tiny")
    config = {
        "kind": "class-conditional" if with_classes else "unconditional", "name": "tiny", "image_size": 16,
        "schedule": "linear", "network": network, "classes": CLASSES if with_classes else [],
    }  # fmt: skip
    tmp_path.mkdir(exist_ok=True)
    save_file(net.state_dict(), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(config | changes))
    return tmp_path


def drawn(model: ClassConditional | Unconditional, prompts: list[str], **options: Any) -> Tensor:
    *_, last = model.sample(prompts, range(len(prompts)), sampling=Sampling("ddim", 3), **options)
    return last.x


def test_a_class_is_what_the_network_is_told(tmp_path: Path) -> None:
    model = load_class_conditional(folder(tmp_path, with_classes=True))
    x, t = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(0)), torch.full((4,), 500)
    eps = model.denoiser(["cat", "Cat", "GREY  fox", "2"])(x, t).eps
    expected = model.net(x, t, torch.tensor([0, 1, 3, 2]))[:, :3]
    assert torch.equal(eps, expected)
    assert torch.equal(model.labels(["red fox", "0"]), torch.tensor([2, 0]))


def test_pictures_of_a_batch_are_those_drawn_alone_and_differ_by_class(tmp_path: Path) -> None:
    model = load_class_conditional(folder(tmp_path, with_classes=True))
    both = drawn(model, ["cat", "red fox"])
    cat, fox = drawn(model, ["cat"]), drawn(model, ["red fox"])
    assert (both[:1] - cat).abs().mean() < 1e-4  # sums in another order, enlarged by every step
    assert (cat - fox).abs().mean() > 1e-2


def test_without_classes_a_prompt_changes_nothing(tmp_path: Path) -> None:
    model = load_unconditional(folder(tmp_path, with_classes=False))
    assert torch.equal(drawn(model, ["cat"]), drawn(model, ["fox"]))


def test_classifier_guidance_of_a_class_raises_its_score(tmp_path: Path) -> None:
    """The classifier is a closed form, log p(class 1 | x) ~ mean of x: guided pictures are brighter."""

    def classifier(x: Tensor, t: Tensor) -> Tensor:
        return torch.stack([torch.zeros(len(x)), 300 * x.mean(dim=(1, 2, 3))], dim=1)

    model = load_class_conditional(folder(tmp_path, with_classes=True))
    guide = together([ClassifierGuidance(classifier, torch.tensor([1]), 30.0)])
    assert drawn(model, ["cat"], cond_fn=guide).mean() > drawn(model, ["cat"]).mean() + 0.05


@pytest.mark.parametrize(("name", "says"), [("rad fox", "“red fox” or “grey fox”"), ("", "“cat” is one"), ("4", "0 to 3")])
def test_an_unknown_class_is_said_with_those_alike(tmp_path: Path, name: str, says: str) -> None:
    model = load_class_conditional(folder(tmp_path, with_classes=True))
    with pytest.raises(UnknownClass, match=says):
        model.sample([name], [0])
    with pytest.raises(ValueError, match="2 prompts and 1 seeds"):
        model.sample(["cat", "cat"], [0])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"classes": CLASSES[:3]}, "names 3 classes for a network of 4"),
        ({"kind": "unconditional"}, "classes are needed for"),
        ({"kind": "unconditional", "classes": []}, "one of the kind “class-conditional” is needed"),
        ({"network": {"model_channels": 7}}, "no network that can be built"),
        ({"schedule": "cosy"}, "no network that can be built"),
    ],
)
def test_a_folder_that_does_not_fit_is_refused_in_words(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(BadModelFolder, match=says):
        load_class_conditional(folder(tmp_path, with_classes=True, **changes))


def test_released_files_draw_by_class_and_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = UNetConfig(**SHAPE)
    table = {
        name: ReleasedNetwork(name, f"Tiny {name}", "adm", 16, "linear", plain.model_copy(update={"num_classes": count}))
        for name, count in (("free", None), ("imagenet", 1000), ("four", 4))
    }
    monkeypatch.setattr(released, "released_networks", lambda: table)
    for name, network in table.items():
        torch.save(golden_fill(network.build(device="cpu"), name).state_dict(), tmp_path / f"{name}.pt")
    made = {name: load_released(tmp_path / f"{name}.pt", tmp_path / "cache") for name in table}
    assert isinstance(made["free"], Unconditional)
    imagenet, four = made["imagenet"], made["four"]
    assert isinstance(imagenet, ClassConditional) and isinstance(four, ClassConditional)
    assert imagenet.index("class 207") == 207 and four.classes == ("class 0", "class 1", "class 2", "class 3")
    assert drawn(imagenet, ["class 207"]).shape == (1, 3, 16, 16)
