"""The inpainting task: it starts as the base model, shows the network what is known, and weighs the hole."""

from __future__ import annotations

import copy
import json

import pytest
import torch

from studio.ml.data.scenes import Vocabulary
from studio.ml.diffusion.words import WordTokenizer
from studio.ml.training.emoji_inpaint import EVEN_SHARE, EmojiInpaint, hole_weights, widened
from studio.ml.training.recipes import recipes
from studio.resources import resource


@pytest.fixture(scope="module")
def task() -> EmojiInpaint:
    made = recipes()["emoji-inpaint"].task()
    assert isinstance(made, EmojiInpaint)
    return made


def batch_of(task, indices):
    examples = [task.sample(i) for i in indices]
    return {key: torch.stack([example[key] for example in examples]) for key in examples[0]}


def test_the_network_begins_as_the_base_whatever_is_known(task):
    # plain layout: the kernels for channels-last round otherwise with seven channels than with three
    base = copy.deepcopy(task.base.net).double().to(memory_format=torch.contiguous_format)
    network = widened(base).double()
    g = torch.Generator().manual_seed(0)
    x, image = torch.randn(2, 2, 3, 32, 32, generator=g, dtype=torch.float64)
    keep, t = torch.rand(2, 1, 32, 32, generator=g) > 0.5, torch.tensor([3, 800])
    ids, mask = zip(*(task.tokenizer.encode(text, 24) for text in ("a cat", "two dogs")), strict=True)
    text = base.encode_text(torch.tensor(ids), torch.tensor(mask))
    with torch.no_grad():
        # measured 0; group norms compute in float32, so a last bit of the first sum may grow to 1e-6 elsewhere
        assert torch.allclose(network(x, t, text, image=image, mask=keep), base(x, t, text), rtol=0, atol=1e-6)
        assert torch.equal(network(x, t, text), network(x, t, text, image=image, mask=keep))


def test_the_known_pixels_are_learnt_from(task):
    """One gradient step reaches the new channels, the text transformer too (encoded inside forward)."""
    network = task.build()
    loss, parts = task.loss(network, batch_of(task, range(4)))
    loss.backward()
    first = network.input_blocks[0][0].weight.grad
    assert (first[:, 3:].abs().amax(dim=(0, 2, 3)) > 0).all()
    assert network.token_embedding.weight.grad.abs().max() > 0
    assert parts["mse"].isfinite() and parts["vb"].isfinite()


def test_samples_are_keyed_by_their_index(task):
    again = recipes()["emoji-inpaint"].task()
    for index in (0, 17):
        first, second = task.sample(index), again.sample(index)
        assert all(torch.equal(first[key], second[key]) for key in first)
    assert task.sample(0)["keep"].dtype == torch.bool and task.sample(0)["keep"].shape == (1, 32, 32)


def test_pictures_and_noise_are_the_base_tasks(task):
    """Masks have random numbers of their own, so they change nothing of what the base task would draw."""
    base = super(EmojiInpaint, task).sample(3)
    ours = task.sample(3)
    assert all(torch.equal(base[key], ours[key]) for key in ("image", "noise", "t"))


def test_weights_of_the_hole_have_mean_one_and_favour_the_hole():
    keep = torch.ones(3, 1, 8, 8, dtype=torch.bool)
    keep[0, :, :2, :2] = False
    keep[1] = False
    weights = hole_weights(keep)
    assert torch.allclose(weights.mean(dim=(1, 2, 3)), torch.ones(3))
    assert weights[0, 0, 0, 0] == pytest.approx(EVEN_SHARE + (1 - EVEN_SHARE) * 16)
    assert weights[0, 0, 7, 7] == pytest.approx(EVEN_SHARE)
    assert (weights[1:] == 1).all()


def test_a_base_of_other_words_is_refused():
    with pytest.raises(ValueError, match="same vocabulary"):
        EmojiInpaint(resource("models", "emoji-base"), Vocabulary.of_size(31, 8))


def test_the_exported_folder_says_what_it_is(task, tmp_path):
    task.export(task.build(), tmp_path, {"Training": "none"})
    config = json.loads((tmp_path / "config.json").read_text())
    assert (config["kind"], config["name"], config["network"]["in_channels"]) == ("inpaint", "emoji-inpaint", 7)
    assert WordTokenizer(config["tokenizer"]["words"], config["tokenizer"]["phrases"]).size == config["network"]["n_vocab"]
    card = (tmp_path / "MODEL_CARD.md").read_text()
    assert "emoji-base" in card and "half plane 10%" in card
