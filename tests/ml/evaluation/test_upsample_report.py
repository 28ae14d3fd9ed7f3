"""Figures of up-sampling: each against a closed form or a second computation, and the report on a tiny model."""

from __future__ import annotations

import argparse

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from studio.ml.data import scenes
from studio.ml.diffusion.glide import load_text2im
from studio.ml.diffusion.upsampling import eight_bit, load_upsampler
from studio.ml.evaluation import upsample
from studio.ml.evaluation.oracle import load_oracle
from studio.ml.training.emoji_upsample import EmojiUpsample
from studio.resources import resource

VOCABULARY = scenes.Vocabulary.of_size(32, 8)


@pytest.fixture(scope="module")
def oracle():
    return load_oracle(resource("models", "emoji-oracle"))


def nearest(small, prompts, seeds):
    return F.interpolate(small, scale_factor=4)


def test_psnr_of_an_even_difference():
    a = torch.zeros(3, 3, 4, 4)
    offsets = torch.tensor([0.02, 0.2, 2.0])
    expected = 20 * np.log10(2 / offsets.numpy())  # 40, 20 and 0 dB
    np.testing.assert_allclose(upsample.psnr(a, a + offsets[:, None, None, None]).numpy(), expected, atol=1e-4)


def test_feature_distance_is_lpips_formula(oracle):
    a, b = (eight_bit(torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(s)) * 2 - 1) for s in (1, 2))
    distance = upsample.FeatureDistance(oracle)
    expected = np.zeros(2)
    with torch.no_grad():
        for layers in ((oracle.stem,), (oracle.stem, oracle.down)):
            maps = []
            for x in (a, b):
                for layer in layers:
                    x = layer(x)
                y = x.double().numpy()
                maps.append(y / np.sqrt((y**2).sum(axis=1, keepdims=True)))
            expected += ((maps[0] - maps[1]) ** 2).sum(axis=1).mean(axis=(1, 2))
    np.testing.assert_allclose(distance(a, b).numpy(), expected, rtol=1e-4)
    assert torch.equal(distance(a, a), torch.zeros(2))


def test_fidelity_sees_the_true_picture_and_the_small_one(oracle):
    asked = upsample.draw_scenes(VOCABULARY, 12, grid=32)
    distance = upsample.FeatureDistance(oracle)
    rows = {
        "nearest": upsample.fidelity(nearest, asked, 128, distance),
        "bicubic": upsample.fidelity(upsample.interpolated("bicubic"), asked, 128, distance),
    }
    assert rows["nearest"].back.min() > 100  # averaging down undoes it exactly
    assert 20 < rows["bicubic"].back.mean() < 50
    assert rows["bicubic"].psnr.mean() > rows["nearest"].psnr.mean() > 15
    assert all(len(row.psnr) == len(row.distance) == 12 for row in rows.values())


def test_agreement_of_pictures_that_average_back_is_complete(oracle):
    asked = upsample.draw_scenes(VOCABULARY, 2, kind="single")
    base = load_text2im(resource("models", "emoji-base"))
    row = upsample.agreement(nearest, base, oracle, asked)
    assert (row.trials, row.same) == (2, 2) and row.back > 100
    black = upsample.agreement(lambda small, prompts, seeds: nearest(small, prompts, seeds) * 0 - 1, base, oracle, asked)
    assert black.same == 0 and black.asked == 0


def test_scenes_are_the_same_every_time_and_may_lie_on_the_grid():
    assert upsample.draw_scenes(VOCABULARY, 5) == upsample.draw_scenes(VOCABULARY, 5)
    for scene in upsample.draw_scenes(VOCABULARY, 20, grid=32):
        assert all(float(32 * placed.side).is_integer() for placed in scene.objects)


def test_the_report_has_a_row_for_every_way(tmp_path):
    network = {
        "model_channels": 32, "num_res_blocks": 1, "attention_resolutions": (), "channel_mult": (1, 1, 1, 1),
        "num_head_channels": 32, "text_ctx": 24, "xf_width": 32, "xf_layers": 1, "xf_heads": 2,
    }  # fmt: skip
    task = EmojiUpsample(128, VOCABULARY, network)
    task.export(task.build(), tmp_path, {})
    options = argparse.Namespace(oracle=None, count=2, steps=1, sampler="ddim")
    lines = list(upsample.report(tmp_path, options))
    assert lines[0].startswith("Sampler ddim, 1 steps; 2 fresh scenes")
    rows = [line.split("|")[1].strip() for line in lines if line.startswith("|") and "---" not in line]
    model = "emoji-upsample"
    ways, lesser = ["bilinear", "bicubic", model], [f"{model}, not consistent", f"{model}, no prompt"]
    assert rows == ["enlarged by", *ways, *lesser, "enlarged by", *ways, "enlarged by", "bicubic", model]


def test_the_shipped_model_comes_nearer_to_the_truth_than_bicubic_interpolation(oracle):
    model = load_upsampler(resource("models", "emoji-upsample"))
    asked = upsample.draw_scenes(VOCABULARY, 4, grid=model.low_res_size)
    distance = upsample.FeatureDistance(oracle)
    enlarged, bicubic = (
        upsample.fidelity(way, asked, model.image_size, distance)
        for way in (upsample.by_model(model), upsample.interpolated("bicubic"))
    )
    assert enlarged.psnr.mean() > bicubic.psnr.mean()
    assert enlarged.distance.mean() < bicubic.distance.mean()
    assert enlarged.back.min() > 45  # what it draws averages down to the small picture
