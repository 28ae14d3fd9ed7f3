"""The shipped emoji-classifier: what it knows at which noise, and that its gradient points where guidance needs it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from studio.ml.data import scenes
from studio.ml.diffusion.classifier import NoisyClassifier, load_classifier
from studio.ml.diffusion.noise import NoiseSource, noised
from studio.ml.evaluation.oracle import as_tensor
from studio.resources import resource


@pytest.fixture(scope="module")
def model() -> NoisyClassifier:
    return load_classifier(resource("models", "emoji-classifier"))


@pytest.fixture(scope="module")
def renders() -> tuple[torch.Tensor, torch.Tensor]:
    """200 fresh scenes of one object [200, 3, 32, 32] and the classes of their nouns."""
    vocabulary = scenes.Vocabulary.of_size(32, 8)
    rng = np.random.default_rng(4711)
    drawn = [scenes.draw(rng, vocabulary, kind="single", held=None) for _ in range(200)]
    pictures = as_tensor(np.stack([scenes.render(scene, 32) for scene in drawn]))
    return pictures, torch.tensor([vocabulary.nouns.index(scene.objects[0].noun) for scene in drawn])


@pytest.mark.parametrize(("t", "least"), [(0, 0.97), (250, 0.9), (500, 0.7)])
def test_it_names_what_it_sees(
    model: NoisyClassifier, renders: tuple[torch.Tensor, torch.Tensor], t: int, least: float
) -> None:
    pictures, nouns = renders
    x = noised(pictures, NoiseSource(0, range(200)).initial((3, 32, 32)), model.schedule, t)
    with torch.no_grad():
        named = model(x, torch.full((200,), t)).argmax(dim=1)
    assert (named == nouns).float().mean() >= least


def test_a_step_along_the_gradient_makes_another_class_likelier(
    model: NoisyClassifier, renders: tuple[torch.Tensor, torch.Tensor]
) -> None:
    pictures, nouns = renders[0][:32], renders[1][:32]
    t = torch.full((32,), 400)
    x = noised(pictures, NoiseSource(1, range(32)).initial((3, 32, 32)), model.schedule, 400).requires_grad_()
    other = ((nouns + 7) % 32)[:, None]
    before = model(x, t).log_softmax(dim=1).gather(1, other)
    (gradient,) = torch.autograd.grad(before.sum(), x)
    with torch.no_grad():
        step = 0.5 * gradient / gradient.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
        after = model(x + step, t).log_softmax(dim=1).gather(1, other)
    assert (after > before).all()


def test_its_config_and_card_say_what_it_is(model: NoisyClassifier) -> None:
    assert model.classes == scenes.Vocabulary.of_size(32, 8).nouns
    assert (model.schedule.name, model.image_size) == ("squaredcos_cap_v2", 32)
    card = (resource("models", "emoji-classifier") / "MODEL_CARD.md").read_text(encoding="utf-8")
    for heading in ("## What it is", "## Data", "## Recipe", "## Training", "## Measured quality", "## Licence"):
        assert heading in card
