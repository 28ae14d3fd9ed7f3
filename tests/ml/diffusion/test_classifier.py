"""The noise-aware classifier against the released code, and what its loading says of bad folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from studio.ml.diffusion.classifier import ClassifierConfig, EncoderUNet, NoisyClassifier, UnknownClass, load_classifier
from studio.ml.diffusion.model_folder import BadModelFolder
from studio.ml.diffusion.released_classifiers import released_classifiers
from studio.ml.diffusion.schedule import Schedule
from studio.ml.diffusion.weights import CorruptWeights, WrongWeights, sha256_of
from studio.ml.training.export import write_model
from tests.ml.diffusion.goldens import arrays, checkpoint_keys, description, golden_fill, relative_error

TINY = ClassifierConfig(
    image_size=16, model_channels=32, num_res_blocks=1, attention_resolutions=(2,), channel_mult=(1, 1),
    num_head_channels=16, out_channels=3,
)  # fmt: skip


def tiny_net() -> EncoderUNet:
    net = EncoderUNet(TINY)
    golden_fill(net, "tiny-classifier")
    return net


def folder_with(folder: Path, **changes: Any) -> Path:
    config = {
        "kind": "classifier", "name": "tiny", "image_size": 16, "schedule": "squaredcos_cap_v2", "steps": 1000,
        "classes": ["cat", "dog", "owl"], "network": TINY.model_dump(),
    }  # fmt: skip
    write_model(folder, tiny_net(), config | changes, {})
    return folder


def test_logits_and_gradient_equal_the_reference() -> None:
    golden, about = arrays("adm_classifier"), description("adm_classifier")
    config = {key: value for key, value in about["config"].items() if key != "pool"}
    net = EncoderUNet(ClassifierConfig(**config))
    assert [[key, list(value.shape)] for key, value in net.state_dict().items()] == about["params"]
    golden_fill(net, about["fill_tag"])
    x = golden["x"].requires_grad_()
    logits = net(x, golden["t"])
    assert relative_error(logits.detach(), golden["logits"]) < 1e-4
    chosen = logits.log_softmax(dim=1).gather(1, golden["y"][:, None])
    (gradient,) = torch.autograd.grad(chosen.sum(), x)
    assert relative_error(gradient, golden["grad_log_p"]) < 1e-4


@pytest.mark.parametrize("size", [64, 128, 256])
def test_names_shapes_and_order_are_those_of_the_published_classifiers(size: int) -> None:
    published = checkpoint_keys()[f"adm_{size}x{size}_classifier"]
    expected = {key: tuple(shape) for key, shape in published["keys"]}
    classifier = released_classifiers()[f"adm-{size}-classifier"]
    assert list(classifier.shapes().items()) == list(expected.items())
    net = classifier.build()
    assert all(parameter.is_meta for parameter in net.parameters())
    assert sum(parameter.numel() for parameter in net.parameters()) == published["parameters"]


def test_the_largest_classifier_pools_the_same_eight_pixels() -> None:
    # Its tensors are in no list at hand; by guided-diffusion's flags it halves 512 pixels six times.
    shapes = released_classifiers()["adm-512-classifier"].shapes()
    assert shapes["out.2.positional_embedding"] == (512, 8 * 8 + 1)
    assert shapes["input_blocks.0.0.weight"] == (64, 3, 3, 3)


def test_loading(tmp_path: Path) -> None:
    model = load_classifier(folder_with(tmp_path))
    assert (model.name, model.classes, model.image_size) == ("tiny", ("cat", "dog", "owl"), 16)
    assert (model.schedule.name, model.schedule.T) == ("squaredcos_cap_v2", 1000)
    assert model.sha256 == sha256_of([tmp_path / "model.safetensors"])
    assert model.nbytes == sum(value.numel() * 4 for value in tiny_net().state_dict().values())
    assert model.index("dog") == 1
    with pytest.raises(UnknownClass, match="knows no “cow”; its classes are cat, dog, owl"):
        model.index("cow")


def test_logits_are_differentiable_in_the_picture_alone(tmp_path: Path) -> None:
    model = load_classifier(folder_with(tmp_path))
    x = torch.randn(2, 3, 16, 16, requires_grad=True)
    model(x, torch.tensor([0, 999])).sum().backward()
    assert x.grad is not None and x.grad.abs().amax(dim=(1, 2, 3)).min() > 0
    assert all(parameter.grad is None for parameter in model.net.parameters())


def test_half_precision_gives_nearly_the_same_logits(tmp_path: Path) -> None:
    whole = load_classifier(folder_with(tmp_path))
    half = load_classifier(tmp_path, dtype=torch.bfloat16)
    x, t = torch.randn(2, 3, 16, 16), torch.tensor([10, 500])
    logits = half(x, t)
    assert logits.dtype == torch.float32
    assert relative_error(logits, whole(x, t)) < 0.05


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "text2im"}, "kind"),
        ({"classes": ["cat"]}, "names 1 classes and 16 pixels for a network of 3 classes"),
        ({"image_size": 64}, "64 pixels for a network of 3 classes and 16 pixels"),
        ({"schedule": "sigmoid"}, "no network that can be built"),
        ({"network": {"model_channels": 32}}, "no network that can be built"),
        ({"network": TINY.model_dump() | {"num_head_channels": 7}}, "no network that can be built"),
    ],
)
def test_a_config_that_cannot_be_is_told(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BadModelFolder, match=message):
        load_classifier(folder_with(tmp_path, **changes))


def test_missing_damaged_and_foreign_weights_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(BadModelFolder, match="no model folder"):
        load_classifier(tmp_path / "nowhere")
    folder = folder_with(tmp_path / "model")
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CorruptWeights):
        load_classifier(folder)
    weights.unlink()
    with pytest.raises(BadModelFolder, match="no weights"):
        load_classifier(folder)
    wider = TINY.model_dump() | {"out_channels": 4}
    config = json.loads((folder / "config.json").read_text()) | {"network": wider, "classes": list("abcd")}
    write_model(folder, tiny_net(), config, {})
    with pytest.raises(WrongWeights, match="c_proj"):
        load_classifier(folder)


def test_an_unsaved_network_can_be_wrapped() -> None:
    model = NoisyClassifier("mine", tiny_net(), ("a", "b", "c"), Schedule.named("linear"), 16)
    assert model(torch.zeros(1, 3, 16, 16), torch.tensor([5])).shape == (1, 3)
