"""Up-sampling: the network sees the small picture as it was trained to, by GLIDE's recipe, and nonsense is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from studio.ml.diffusion import released
from studio.ml.diffusion.checkpoint import open_checkpoint
from studio.ml.diffusion.glide import TextToImage, load_text2im
from studio.ml.diffusion.model_folder import BadModelFolder
from studio.ml.diffusion.noise import NoiseSource
from studio.ml.diffusion.released import ReleasedNetwork
from studio.ml.diffusion.sampling import Sampling
from studio.ml.diffusion.schedule import Schedule
from studio.ml.diffusion.unet import NETWORKS, split_config
from studio.ml.diffusion.upsampling import Upsampler, averaged, cascade, eight_bit, load_upsampler, null_space, upsampler_of
from studio.ml.diffusion.weights import WeightsError
from studio.ml.diffusion.words import WordTokenizer
from tests.ml.diffusion.goldens import golden_fill
from tests.ml.diffusion.test_bpe import VOCABULARY, write
from tests.ml.diffusion.tiny import NETWORK, WORDS, model_folder, tiny_net

SIZE, SMALL = 16, 4
PROMPTS, SEEDS = ["a cat", "a red dog"], [5, 9]
FAST = Sampling("ddim", respacing=[0, 300, 700])
LINEAR = Schedule.named("linear")


@pytest.fixture(scope="module")
def net():
    net = NETWORKS["upsample"](*split_config({**NETWORK, "in_channels": 6}))
    golden_fill(net, "upsample")
    return net.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def upsampler(net):
    return Upsampler("tiny", net, WordTokenizer(WORDS, {}), LINEAR, SIZE)


@pytest.fixture
def small():
    return eight_bit(torch.rand(2, 3, SMALL, SMALL, generator=torch.Generator().manual_seed(1)) * 2 - 1)


def last(records):
    *_, record = records
    return record


def test_by_default_it_does_what_glide_did(upsampler, net, small):
    records = list(upsampler.sample(small, PROMPTS, SEEDS))
    assert [record.t for record in records] == LINEAR.respace("fast27").timesteps[::-1].tolist()
    first = records[0]
    noise = NoiseSource.of_seeds(SEEDS, image=1).initial((3, SIZE, SIZE))
    assert torch.equal(first.x_t, 0.997 * noise)
    for record in records[::13]:  # eps of the prompt alone, the small picture beside it
        alone = net(record.x_t, torch.full((2,), record.t), upsampler.encode(PROMPTS), small)
        torch.testing.assert_close(record.eps, alone[:, :3])
        assert record.parts.eps_uncond is None
    assert records[-1].x.shape == (2, 3, SIZE, SIZE)
    a, before = (LINEAR.alphas_cumprod[record.t] for record in records[:2])  # DDIM's first step, eta = 0 (Song et al. 2021, eq. 12)
    x0 = ((first.x_t - (1 - a) ** 0.5 * first.eps) / a**0.5).clamp(-1, 1)
    eps = (first.x_t - a**0.5 * x0) / (1 - a) ** 0.5
    torch.testing.assert_close(first.x, before**0.5 * x0 + (1 - before) ** 0.5 * eps, rtol=1e-4, atol=1e-5)


def test_guidance_is_possible(upsampler, net, small):
    record = next(upsampler.sample(small, PROMPTS, SEEDS, scale=3.0, sampling=FAST))
    t = torch.full((2,), record.t)
    cond, empty = (net(record.x_t, t, upsampler.encode(texts), small)[:, :3] for texts in (PROMPTS, ["", ""]))
    torch.testing.assert_close(record.eps, empty + 3 * (cond - empty), rtol=1e-4, atol=1e-5)


def test_a_consistent_picture_averages_down_to_the_small_one(upsampler, small):
    small = small.clamp(-0.9, 0.9)
    free = last(upsampler.sample(small, PROMPTS, SEEDS, sampling=FAST)).x0
    held = last(upsampler.sample(small, PROMPTS, SEEDS, sampling=FAST, consistent=True)).x0
    error = (averaged(held) - eight_bit(small)).abs().mean()
    assert error < 0.5 * (averaged(free) - eight_bit(small)).abs().mean()  # clamping to [-1, 1] comes after it


def test_the_null_space_step_never_leads_away_from_the_truth():
    g = torch.Generator().manual_seed(2)
    true, predicted = torch.rand(2, 3, 16, 16, generator=g), torch.rand(2, 3, 16, 16, generator=g)
    held = null_space(averaged(true))(predicted)
    torch.testing.assert_close(averaged(held), averaged(true))
    before, after = (predicted - true).square().sum(), (held - true).square().sum()
    unseen = (predicted - torch.nn.functional.interpolate(averaged(predicted - true), scale_factor=4) - true).square().sum()
    torch.testing.assert_close(after, unseen)  # the part of the error that averaging cannot see is left as it was
    assert after < before


def test_the_small_picture_is_rounded_to_eight_bits(upsampler, small):
    def drawn(picture):
        return last(upsampler.sample(picture, PROMPTS, SEEDS, sampling=FAST)).x

    inner = small.clamp(-0.9, 0.9)
    assert torch.equal(drawn(eight_bit(inner)), drawn(eight_bit(inner) + 0.4 / 127.5))
    assert not torch.equal(drawn(eight_bit(inner)), drawn(eight_bit(inner) + 0.6 / 127.5))


def test_eight_bit_keeps_what_a_file_can_hold():
    stored = torch.arange(256)
    assert torch.equal(((eight_bit(stored / 127.5 - 1) + 1) * 127.5).round().long(), stored)
    assert torch.equal(eight_bit(torch.tensor([-1.2, 1.2])), torch.tensor([-1.0, 1.0]))


def test_averaging_is_the_mean_of_four_by_four_pixels():
    picture = np.random.default_rng(0).random((1, 3, 8, 8), dtype=np.float32)
    expected = picture.reshape(1, 3, 2, 4, 2, 4).mean(axis=(3, 5))
    np.testing.assert_allclose(averaged(torch.from_numpy(picture)).numpy(), expected, rtol=1e-6)


def test_each_picture_is_what_it_would_be_alone(upsampler, small):
    both = last(upsampler.sample(small, PROMPTS, SEEDS, sampling=FAST)).x
    second = last(upsampler.sample(small[1:], PROMPTS[1:], SEEDS[1:], sampling=FAST)).x
    torch.testing.assert_close(both[1:], second, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda small: small[0], r"4x4 pixels"),
        (lambda small: small[:, :1], r"4x4 pixels"),
        (lambda small: torch.nn.functional.interpolate(small, scale_factor=2), r"given \[2, 3, 8, 8\]"),
        (lambda small: small[:1], "1 pictures and 2 prompts"),
        (lambda small: (small + 1) * 127.5, r"must lie in \[-1, 1\]"),
        (lambda small: small / 0, "no numbers"),
        (lambda small: small * float("nan"), "no numbers"),
    ],
)
def test_pictures_that_cannot_be_enlarged_are_refused_before_the_first_step(upsampler, small, change, words):
    with pytest.raises(ValueError, match=words):
        upsampler.sample(change(small), PROMPTS, SEEDS)


def test_prompts_and_seeds_must_be_as_many(upsampler, small):
    with pytest.raises(ValueError, match="2 prompts and 1 seeds"):
        upsampler.sample(small, PROMPTS, SEEDS[:1])


def test_a_cascade_enlarges_what_was_drawn(upsampler):
    base = TextToImage("base", tiny_net().eval(), WordTokenizer(WORDS, {}), Schedule.named("squaredcos_cap_v2"), SMALL)
    enlarged = []

    def enlarge(picture):
        enlarged.append(picture)
        return upsampler.sample(picture, PROMPTS, SEEDS, sampling=FAST)

    records = list(cascade(base.sample(PROMPTS, SEEDS, sampling=Sampling(steps=4)), enlarge))
    assert [record.stage for record in records] == ["base"] * 4 + ["upsample"] * 3
    assert torch.equal(enlarged[0], records[3].step.x.clamp(-1, 1))
    alone = last(upsampler.sample(enlarged[0], PROMPTS, SEEDS, sampling=FAST))
    assert torch.equal(records[-1].step.x, alone.x)


def test_a_model_folder_says_how_it_is_sampled(tmp_path, net, small):
    about = {"kind": "upsample", "net": net, "network": {**NETWORK, "in_channels": 6}}
    plain = load_upsampler(model_folder(tmp_path / "plain", **about))
    assert plain.sampling == Sampling("ddim", respacing="fast27") and plain.low_res_size == SMALL
    own = load_upsampler(model_folder(tmp_path / "own", **about, sampling={"sampler": "dpmpp_2m", "steps": 5}))
    assert own.sampling == Sampling("dpmpp_2m", steps=5)
    assert len(list(own.sample(small, PROMPTS, SEEDS))) == 5
    assert not plain.consistent and load_upsampler(model_folder(tmp_path / "held", **about, consistent=True)).consistent
    with pytest.raises(BadModelFolder, match="sampl"):
        load_upsampler(model_folder(tmp_path / "bad", **about, sampling={"sampler": "guess"}))
    with pytest.raises(BadModelFolder, match="upsample"):
        load_upsampler(model_folder(tmp_path / "text"))
    with pytest.raises(BadModelFolder, match="text2im"):
        load_text2im(tmp_path / "plain")


def test_a_released_checkpoint_enlarges(tmp_path, monkeypatch, net, small):
    text = net.text.model_copy(update={"n_vocab": len(VOCABULARY)})
    tiny = ReleasedNetwork("tiny", "Tiny GLIDE", "upsample", SIZE, "linear", net.config, text)
    base = ReleasedNetwork("base", "Tiny base", "text2im", SIZE, "linear", tiny_net().config, text)
    monkeypatch.setattr(released, "released_networks", lambda: {"tiny": tiny, "base": base})
    # the padding id of GPT-2 lies outside this small vocabulary
    monkeypatch.setattr("studio.ml.diffusion.bpe.END", 0)
    write(tmp_path)
    paths = tmp_path / "up.pt", tmp_path / "base.pt"
    for path, network in zip(paths, (tiny, base), strict=True):
        torch.save(network.build(device="cpu").state_dict(), path)
    opened, other = (open_checkpoint(path, tmp_path / "cache") for path in paths)
    model = upsampler_of(opened, paths[0])
    assert (model.name, model.image_size, model.schedule.name) == ("Tiny GLIDE", SIZE, "linear")
    assert last(model.sample(small, PROMPTS, SEEDS, sampling=FAST)).x.isfinite().all()
    with pytest.raises(WeightsError, match="Tiny base, which does not enlarge"):
        upsampler_of(other, paths[1])
