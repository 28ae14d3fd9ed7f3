"""The up-sampling task: crops that fit their small pictures, wear within bounds, and a folder the studio can open."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

from studio.ml.data import scenes
from studio.ml.diffusion.upsampling import averaged, eight_bit, load_upsampler
from studio.ml.training import emoji_upsample
from studio.ml.training.emoji_upsample import LARGEST_NOISE, EmojiUpsample, worn

NETWORK = {
    "model_channels": 32, "num_res_blocks": 1, "attention_resolutions": (), "channel_mult": (1, 1), "num_head_channels": 32,
    "text_ctx": 24, "xf_width": 32, "xf_layers": 1, "xf_heads": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def task():
    return EmojiUpsample(64, scenes.Vocabulary.of_size(8, 3), NETWORK, crop=32)


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def test_an_example_is_decided_by_its_index(task):
    first, again, other = task.sample(7), task.sample(7), task.sample(8)
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["image"], other["image"])
    shapes = {"image": (3, 32, 32), "low_res": (3, 8, 8), "noise": (3, 32, 32), "tokens": (24,), "mask": (24,), "t": ()}
    assert {key: tuple(value.shape) for key, value in first.items()} == shapes


def test_crops_of_both_pictures_show_the_same(task, monkeypatch):
    monkeypatch.setattr(emoji_upsample, "WORN_SHARE", 0.0)
    for example in map(task.sample, range(40)):
        assert torch.equal(example["low_res"], eight_bit(averaged(example["image"][None]))[0])


def test_half_of_the_small_pictures_are_worn(task):
    def is_worn(example):
        return not torch.equal(example["low_res"], eight_bit(averaged(example["image"][None]))[0])

    assert 70 <= sum(is_worn(task.sample(i)) for i in range(200)) <= 130
    assert all(torch.equal(task.sample(i)["low_res"], eight_bit(task.sample(i)["low_res"])) for i in range(20))


def test_wear_adds_noise_within_bounds_and_keeps_what_is_even(rng):
    even = torch.full((1, 3, 32, 32), 0.25)
    added = [worn(even, rng) - even for _ in range(20)]
    assert all(0 <= noise.std() < 1.1 * LARGEST_NOISE and abs(noise.mean()) < 0.01 for noise in added)


def test_blur_is_a_gaussian_of_the_stated_spread(rng, monkeypatch):
    monkeypatch.setattr(emoji_upsample, "LARGEST_NOISE", 0.0)
    dot = torch.zeros(1, 1, 5, 5)
    dot[0, 0, 2, 2] = 1
    for _ in range(10):
        blurred = worn(dot, rng)[0, 0]
        assert blurred.sum() == pytest.approx(1, abs=1e-5)
        beside, corner, middle = blurred[2, 1], blurred[1, 1], blurred[2, 2]
        assert beside / middle < torch.exp(torch.tensor(-1 / (2 * emoji_upsample.LARGEST_BLUR**2))) + 1e-4
        assert corner * middle == pytest.approx(float(beside**2), abs=1e-6)  # separable


def test_gradients_reach_every_weight(task):
    torch.manual_seed(0)
    network = task.build()
    for parameter in network.parameters():  # zero-initialised layers would stop what comes before them
        parameter.data += 0.02 * torch.randn_like(parameter)
    batch = default_collate([task.sample(i) for i in range(2)])
    loss, parts = task.loss(network, batch)
    loss.backward()
    assert loss.isfinite() and parts["mse"] > 0
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in network.parameters())


def test_an_exported_folder_opens_and_samples_as_it_says(task, tmp_path):
    task.export(task.build(), tmp_path, {"Training": "none"})
    model = load_upsampler(tmp_path)
    assert (model.image_size, model.low_res_size, model.sampling) == (64, 16, task.sampling)
    assert model.schedule.name == "linear" and model.consistent
    small = torch.zeros(1, 3, 16, 16)
    *_, last = model.sample(small, ["a cat on a blue background"], [1])
    assert last.total == len(task.sampling.schedule(model.schedule)) and last.x.isfinite().all()
    assert "32x32 pixels" in (tmp_path / "MODEL_CARD.md").read_text()


def test_a_preview_shows_every_row(task):
    assert task.preview(task.build().eval()).shape == (4 * 64, emoji_upsample.PREVIEWED * 64, 3)


@pytest.mark.parametrize(("pixels", "crop"), [(66, 32), (64, 30), (64, 128)])
def test_sizes_that_do_not_fit_are_refused(pixels, crop):
    with pytest.raises(ValueError, match="multiples of 4"):
        EmojiUpsample(pixels, scenes.Vocabulary.of_size(8, 3), NETWORK, crop=crop)
