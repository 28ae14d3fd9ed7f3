"""Plain settings become guidance that acts: the right networks, classes and scales, and words for what does not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from studio.engine import JobContext, run_inline
from studio.ml.data.nouns import NOUNS
from studio.ml.diffusion.classifier import ClassifierConfig, EncoderUNet
from studio.ml.diffusion.glide import TextToImage
from studio.ml.diffusion.gradients import ClassifierGuidance
from studio.ml.diffusion.guidance import Scale
from studio.ml.diffusion.sampling import Sampling
from studio.ml.diffusion.schedule import Schedule
from studio.ml.diffusion.unet import Text2ImUNet, split_config
from studio.ml.diffusion.words import WordTokenizer
from studio.ml.training.export import write_model
from studio.models.catalog import ModelMissing
from studio.models.companions import CompanionMismatch, check_same_size
from studio.models.guiding import GuidanceSettings, NoClass, Strength, first_class, open_guidance
from tests.ml.diffusion.goldens import golden_fill

CLASSES = ("cat", "dog", "red apple")
SIZE = 16


@pytest.fixture(scope="module")
def model() -> TextToImage:
    words = ("a", "cat", "dog", "left", "of")
    network = {
        "model_channels": 32, "num_res_blocks": 1, "attention_resolutions": [2], "channel_mult": [1, 1],
        "num_head_channels": 16, "text_ctx": 8, "xf_width": 32, "xf_layers": 1, "xf_heads": 2, "n_vocab": 6,
    }  # fmt: skip
    net = Text2ImUNet(*split_config(network))
    golden_fill(net, "guided")
    net.requires_grad_(False)
    return TextToImage("drawing", net, WordTokenizer(words), Schedule.named("squaredcos_cap_v2"), SIZE)


def classifier_folder(folder: Path, **changes: Any) -> Path:
    network = {
        "image_size": changes.get("image_size", SIZE), "model_channels": 32, "num_res_blocks": 1,
        "attention_resolutions": (2,), "channel_mult": (1, 1), "num_head_channels": 16, "out_channels": 3,
    }  # fmt: skip
    config = ClassifierConfig(**network)
    net = EncoderUNet(config)
    golden_fill(net, "guiding-classifier")
    described = {
        "kind": "classifier", "name": "tiny-classifier", "image_size": SIZE, "schedule": "squaredcos_cap_v2",
        "steps": 1000, "classes": CLASSES, "network": config.model_dump(),
    }  # fmt: skip
    write_model(folder, net, described | changes, {})
    return folder


def opened(model: Any, prompts: list[str], settings: GuidanceSettings) -> Any:
    def job(_request: None, ctx: JobContext) -> Any:
        return (yield from open_guidance(model, prompts, settings, ctx))

    return run_inline(job, None, context=JobContext())


def guided_by_classifier(folder: Path, **changes: Any) -> GuidanceSettings:
    return GuidanceSettings({"classifier": Strength(2.0)}, classifier=str(folder), **changes)


def test_classifier_free_guidance_needs_no_companion(model: TextToImage) -> None:
    course = Strength(4.0, "interval", 0.2, 0.7)
    found = opened(model, ["a cat"], GuidanceSettings({"classifier-free": course}, negative="a dog"))
    assert found.scale == Scale(4.0, "interval", 0.2, 0.7) and found.negative == "a dog"
    assert found.cond_fn is None and found.companions == {} and found.targets == ()


def test_no_kind_at_all_is_the_conditional_model(model: TextToImage) -> None:
    found = opened(model, ["a cat"], GuidanceSettings({}))
    assert found.scale is None and found.cond_fn is None


def test_the_classifier_climbs_the_class_each_prompt_names(model: TextToImage, tmp_path: Path) -> None:
    folder = classifier_folder(tmp_path / "classifier")
    prompts = ["two dogs left of a cat", "a cat"]
    found = opened(model, prompts, guided_by_classifier(folder))
    assert found.targets == ("dog", "cat") and set(found.companions) == {"classifier"}
    x = torch.randn(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    t = torch.tensor([500, 500])
    (gradient,) = found.cond_fn(x, t)
    from studio.ml.diffusion.classifier import load_classifier

    (wanted,) = [ClassifierGuidance(load_classifier(folder), torch.tensor([1, 0]), 2.0)(x, t)]
    assert gradient.name == "classifier" and torch.equal(gradient.value, wanted.value)
    first = next(model.sample(prompts, [1, 2], scale=None, sampling=Sampling(steps=2), cond_fn=found.cond_fn))
    assert [term.name for term in first.parts.terms] == ["classifier"]


def test_a_class_chosen_holds_for_every_picture(model: TextToImage, tmp_path: Path) -> None:
    folder = classifier_folder(tmp_path / "classifier")
    assert opened(model, ["a cat", ""], guided_by_classifier(folder, target="dog")).targets == ("dog", "dog")
    with pytest.raises(NoClass, match="dragon.*cat, dog, red apple"):
        opened(model, ["a cat"], guided_by_classifier(folder, target="dragon"))
    with pytest.raises(NoClass, match="names nothing the classifier knows.*cat"):
        opened(model, ["a dragon"], guided_by_classifier(folder))


def test_companions_that_do_not_fit_or_are_not_there_are_refused_in_words(model: TextToImage, tmp_path: Path) -> None:
    large = classifier_folder(tmp_path / "large", image_size=32)
    with pytest.raises(CompanionMismatch, match="32×32.*16×16.*classifier guidance"):
        opened(model, ["a cat"], guided_by_classifier(large))
    other = classifier_folder(tmp_path / "other", schedule="linear")
    with pytest.raises(CompanionMismatch, match="another noise schedule"):
        opened(model, ["a cat"], guided_by_classifier(other))
    with pytest.raises(ModelMissing, match="Classifier guidance needs the model “nowhere”"):
        opened(model, ["a cat"], GuidanceSettings({"classifier": Strength(1.0)}, classifier="nowhere"))


def test_a_companion_of_the_same_size_passes(model: TextToImage) -> None:
    check_same_size(model, model, "anything")


@pytest.mark.parametrize(
    ("prompt", "wanted"),
    [
        ("a cat left of a dog", "cat"),
        ("two Dogs and a cat", "dog"),
        ("an apple", "red apple"),
        ("three apples on a blue background", "red apple"),
        ("a category of catalogues", None),
        ("", None),
    ],
)
def test_the_first_thing_a_prompt_names(prompt: str, wanted: str | None) -> None:
    assert first_class(prompt, CLASSES) == wanted


def test_every_noun_of_the_scenes_is_found_by_itself() -> None:
    assert [first_class(f"a small {noun}", tuple(NOUNS)) for noun in NOUNS] == list(NOUNS)
    assert first_class("a cat", ()) is None
