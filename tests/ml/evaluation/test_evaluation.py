"""The shipped oracle reads renders, and the evaluation tells a drawing model from one that cannot draw."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from studio.ml.data import captions, scenes
from studio.ml.diffusion.sampler import StepRecord
from studio.ml.evaluation import main
from studio.ml.evaluation.command import _write_card
from studio.ml.evaluation.emoji import PROMPT_SETS, Evaluation
from studio.ml.evaluation.judge import judge
from studio.ml.evaluation.oracle import as_tensor, load_oracle
from studio.resources import resource


@pytest.fixture(scope="module")
def oracle():
    return load_oracle(resource("models", "emoji-oracle"))


def drawn(oracle, count, seed=0):
    vocabulary = scenes.Vocabulary(oracle.config.nouns, oracle.config.backgrounds)
    rng = np.random.default_rng(seed)
    return [scenes.draw(rng, vocabulary, held=None) for _ in range(count)]


def test_the_oracle_reads_renders_it_never_saw(oracle):
    asked = drawn(oracle, 300)
    pictures = np.stack([scenes.render(scene, oracle.config.pixels) for scene in asked])
    verdicts = [judge(s, r).all for s, r in zip(asked, oracle.read(as_tensor(pictures)), strict=True)]
    assert np.mean(verdicts) >= 0.99


def test_the_oracle_does_not_see_what_is_not_there(oracle):
    asked = drawn(oracle, 200)
    pictures = np.stack([scenes.render(scene, oracle.config.pixels) for scene in asked])
    others = asked[1:] + asked[:1]
    verdicts = [judge(s, r).all for s, r in zip(others, oracle.read(as_tensor(pictures)), strict=True)]
    assert np.mean(verdicts) < 0.05


class Renderer:
    """Stands for a perfect model (or, with a share of wrong answers, a worse one): draws what the caption's scene is."""

    def __init__(self, oracle, wrong):
        self.oracle, self.wrong, self.calls = oracle, wrong, 0
        self.vocabulary = scenes.Vocabulary(oracle.config.nouns, oracle.config.backgrounds)

    def sample(self, prompts, seeds, scale, sampling):
        pictures = [self.picture(prompt, seed) for prompt, seed in zip(prompts, seeds, strict=True)]
        x = as_tensor(np.stack(pictures))
        yield StepRecord(0, 1, 0, x, x, x, x, None)

    def picture(self, prompt, seed):
        for noun in self.vocabulary.nouns if seed % 100 >= self.wrong else ():
            for colour in self.vocabulary.backgrounds:
                scene = scenes.Scene("single", (scenes.Placed(noun, 0.5, 0.5, 0.56),), colour)
                if prompt == captions.plain_caption(scene):
                    return scenes.render(scene, self.oracle.config.pixels)
        return np.zeros((self.oracle.config.pixels,) * 2 + (3,), np.uint8)


def test_accuracy_counts_what_is_right(oracle):
    single = PROMPT_SETS[0]
    rng = np.random.default_rng((77, 0))
    unsized = [scenes.draw(rng, Renderer(oracle, 0).vocabulary, kind="single").size == "" for _ in range(200)]
    perfect = Evaluation(Renderer(oracle, 0), oracle).accuracy(single, 1.0, 200)
    worse = Evaluation(Renderer(oracle, 30), oracle).accuracy(single, 1.0, 200)
    assert perfect.share == pytest.approx(np.mean(unsized), abs=0.02)
    expected = np.mean([ok and i % 100 >= 30 for i, ok in enumerate(unsized)])
    assert worse.share == pytest.approx(expected, abs=0.02)
    assert perfect.low < perfect.share < perfect.high


def test_the_shipped_model_draws_what_is_asked(oracle):
    from studio.ml.diffusion.glide import load_text2im

    torch.manual_seed(0)
    evaluation = Evaluation(load_text2im(resource("models", "emoji-base")), oracle)
    assert evaluation.accuracy(PROMPT_SETS[0], 3.0, 40).share >= 0.85


def test_unknown_models_and_damaged_cards(tmp_path, capsys):
    assert main(["no-such-model"]) == 2
    assert "no-such-model" in capsys.readouterr().err
    card = tmp_path / "MODEL_CARD.md"
    card.write_text("# m\n\n## Measured quality\n\nold\n\n## Licence\n\nMIT\n")
    _write_card(card, ["new"])
    assert card.read_text() == "# m\n\n## Measured quality\n\nnew\n\n## Licence\n\nMIT\n"
