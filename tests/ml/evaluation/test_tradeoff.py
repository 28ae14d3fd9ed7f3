"""The trade-off's numbers on models whose quality and diversity are known, and what each guidance is drawn with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from studio.ml.data import captions, scenes
from studio.ml.diffusion.classifier import ClassifierConfig, EncoderUNet, NoisyClassifier
from studio.ml.diffusion.schedule import Schedule
from studio.ml.evaluation import tradeoff
from studio.ml.evaluation.metrics import wilson_interval
from studio.ml.evaluation.oracle import Oracle, as_pixels, as_tensor, load_oracle
from studio.ml.evaluation.points import Point, Setting
from studio.ml.evaluation.tradeoff import BATCH, MissingModel, Tradeoff
from studio.resources import resource


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    return load_oracle(resource("models", "emoji-oracle"))


@pytest.fixture(autouse=True)
def small_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tradeoff, "REFERENCE_PICTURES", 200)


class Sampled:
    """The part of a step record that is looked at."""

    def __init__(self, x: Tensor) -> None:
        self.x = x


class Painter:
    """Stands for a text-to-image model: paints what `paint` says, and remembers how it was asked."""

    def __init__(self, paint: Callable[[str, int], np.ndarray]) -> None:
        self.paint = paint
        self.asked: list[dict[str, Any]] = []
        self.schedule = Schedule.named("squaredcos_cap_v2")
        self.device, self.image_size = torch.device("cpu"), 32

    def sample(self, prompts: Sequence[str], seeds: Sequence[int], **settings: Any) -> Any:
        self.asked.append({"prompts": list(prompts), "seeds": list(seeds), **settings})
        pictures = [self.paint(prompt, seed) for prompt, seed in zip(prompts, seeds, strict=True)]
        yield Sampled(as_tensor(np.stack(pictures)))


class Meaning:
    """Stands for a CLIP whose pictures and prompts all point the same way, or the opposite way where white."""

    logit_scale = 100.0

    def encode_text(self, prompts: Sequence[str]) -> Tensor:
        return torch.tensor([[1.0, 0.0]] * len(prompts))

    def encode_image(self, x: Tensor, t: Tensor) -> Tensor:
        assert (t == 0).all()
        sign = torch.where(x.mean(dim=(1, 2, 3)) > 0.99, -1.0, 1.0)
        return torch.stack([sign, torch.zeros_like(sign)], dim=1)


def of_caption(oracle: Oracle, prompt: str) -> scenes.Scene:
    for noun in oracle.config.nouns:
        for colour in oracle.config.backgrounds:
            for size, side in scenes.SIZES.items():
                scene = scenes.Scene("single", (scenes.Placed(noun, 0.5, 0.5, side),), colour, size=size)
                if prompt == captions.plain_caption(scene):
                    return scene
    raise AssertionError(f"no scene says {prompt!r}")


def drawn(experiment: Tradeoff, setting: Setting) -> np.ndarray:
    parts = [list(experiment.steps(setting, part))[-1].x for part in experiment.batches()]
    return as_pixels(torch.cat(parts))


def white(prompt: str, seed: int) -> np.ndarray:
    return np.full((32, 32, 3), 255, np.uint8)


def test_a_perfect_painter_without_ideas_is_right_and_never_diverse(oracle: Oracle) -> None:
    painter = Painter(lambda prompt, seed: scenes.render(of_caption(oracle, prompt), 32))
    experiment = Tradeoff(painter, oracle, clip=Meaning(), prompts=10, per_prompt=3)  # type: ignore[arg-type]
    setting = Setting("classifier-free", 3.0)
    found = experiment.measure(setting, drawn(experiment, setting))
    assert found.point.accuracy >= 0.9 and found.point.diversity == 0
    assert found.point.clip_score == pytest.approx(1) and found.point.clip_error == pytest.approx(0)
    assert found.faults.count("") == found.point.right


def test_a_painter_of_nothing_is_never_right(oracle: Oracle) -> None:
    experiment = Tradeoff(Painter(white), oracle, clip=Meaning(), prompts=5, per_prompt=2)  # type: ignore[arg-type]
    found = experiment.measure(Setting("unguided"), drawn(experiment, Setting("unguided")))
    assert found.point.right == 0 and set(found.faults) == {"other objects"}
    assert found.point.clip_score == pytest.approx(-1)
    assert found.point.frechet > 10 * experiment.renders().point.frechet


def test_true_scenes_are_right_diverse_and_near_the_reference(oracle: Oracle) -> None:
    experiment = Tradeoff(Painter(white), oracle, prompts=25, per_prompt=4)  # type: ignore[arg-type]
    point = experiment.renders().point
    assert point.kind == "renders" and point.pictures == 100
    assert point.accuracy > 0.95 and point.diversity > 0.5
    assert point.clip_score is None and point.clip_error is None
    assert point.interval == wilson_interval(point.right, 100)


def test_the_clip_scores_error_is_that_of_a_mean(oracle: Oracle) -> None:
    dim = np.full((32, 32, 3), 40, np.uint8)
    painter = Painter(lambda prompt, seed: white(prompt, seed) if seed % 4 == 0 else dim)
    experiment = Tradeoff(painter, oracle, clip=Meaning(), prompts=10, per_prompt=4)  # type: ignore[arg-type]
    point = experiment.measure(Setting("unguided"), drawn(experiment, Setting("unguided"))).point
    scores = [-1.0, 1.0, 1.0, 1.0] * 10
    assert point.clip_score == pytest.approx(np.mean(scores))
    assert point.clip_error == pytest.approx(np.std(scores, ddof=1) / 40**0.5)


def test_a_picture_of_the_wrong_size_or_background_says_so(oracle: Oracle) -> None:
    def other(prompt: str, seed: int) -> np.ndarray:
        scene = of_caption(oracle, prompt)
        colour = "white" if scene.background != "white" else "black"
        return scenes.render(scenes.Scene("single", scene.objects, colour), 32)

    experiment = Tradeoff(Painter(other), oracle, prompts=8, per_prompt=2)  # type: ignore[arg-type]
    found = experiment.measure(Setting("unguided"), drawn(experiment, Setting("unguided")))
    assert found.point.right == 0 and found.faults.count("another background") >= 12


def test_every_setting_has_the_same_prompts_and_noise(oracle: Oracle) -> None:
    painter = Painter(white)
    experiment = Tradeoff(painter, oracle, clip=Meaning(), prompts=9, per_prompt=2, seed=40)  # type: ignore[arg-type]
    for setting in (Setting("unguided"), Setting("classifier-free", 2.0), Setting("clip", 5.0)):
        drawn(experiment, setting)
    parts = len(experiment.batches())
    assert parts == 2 and len(experiment.batches()[0]) == BATCH
    unguided, free, clip = (painter.asked[i * parts : (i + 1) * parts] for i in range(3))
    for asked in (free, clip):
        assert [call["prompts"] for call in asked] == [call["prompts"] for call in unguided]
        assert [call["seeds"] for call in asked] == [call["seeds"] for call in unguided]
    assert sum((call["seeds"] for call in unguided), []) == list(range(40, 58))
    assert [call["scale"] for call in (unguided[0], free[0], clip[0])] == [None, 2.0, None]
    assert unguided[0]["cond_fn"] is None and free[0]["cond_fn"] is None and clip[0]["cond_fn"] is not None
    assert not any(scenes.held_out(scene) for scene in experiment.asked)


def test_without_a_prompt_only_classifier_free_guidance_is_told_it(oracle: Oracle) -> None:
    painter = Painter(white)
    few = {"prompts": 2, "per_prompt": 2}
    experiment = Tradeoff(painter, oracle, clip=Meaning(), base="nothing", **few)  # type: ignore[arg-type]
    for setting in (Setting("unguided"), Setting("classifier-free", 2.0), Setting("clip", 5.0)):
        drawn(experiment, setting)
    assert [any(call["prompts"]) for call in painter.asked] == [False, True, False]


def test_each_picture_is_guided_to_its_own_noun(oracle: Oracle) -> None:
    config = ClassifierConfig(
        image_size=32, model_channels=32, num_res_blocks=1, attention_resolutions=(), channel_mult=(1, 1),
        num_head_channels=32, out_channels=len(oracle.config.nouns),
    )  # fmt: skip
    net = EncoderUNet(config).eval().requires_grad_(False)
    schedule = Schedule.named("squaredcos_cap_v2")
    classifier = NoisyClassifier("random", net, tuple(oracle.config.nouns), schedule, 32)
    painter = Painter(white)
    experiment = Tradeoff(painter, oracle, classifier=classifier, prompts=7, per_prompt=2)  # type: ignore[arg-type]
    drawn(experiment, Setting("classifier", 2.0))
    x, t = torch.randn(2, 3, 32, 32), torch.tensor([300, 300])
    (gradient,) = painter.asked[1]["cond_fn"](x, t)  # the second batch: pictures 12 and 13
    nouns = [oracle.config.nouns.index(experiment.scenes[i].objects[0].noun) for i in (12, 13)]
    expected = torch.log_softmax(classifier(x, t), dim=1)[[0, 1], nouns]
    torch.testing.assert_close(gradient.score, expected)


def test_a_guidance_without_its_model_is_refused_in_words(oracle: Oracle) -> None:
    experiment = Tradeoff(Painter(white), oracle, prompts=2, per_prompt=2)  # type: ignore[arg-type]
    with pytest.raises(MissingModel, match="needs a classifier"):
        drawn(experiment, Setting("classifier", 1.0))
    with pytest.raises(MissingModel, match="needs a CLIP"):
        drawn(experiment, Setting("clip", 1.0))


def test_a_point_cannot_have_more_right_pictures_than_pictures() -> None:
    with pytest.raises(ValueError, match="5 of 4"):
        Point(kind="clip", scale=1, pictures=4, right=5, frechet=1, diversity=1)
