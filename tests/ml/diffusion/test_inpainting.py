"""Inpainting: known pixels come back exactly, the hole is drawn the way each method says, and nonsense is refused."""

from __future__ import annotations

import math
from typing import get_args

import pytest
import torch

from studio.ml.diffusion.glide import TextToImage, load_text2im
from studio.ml.diffusion.inpainting import Inpainter, InpaintingError, Method, load_inpainter
from studio.ml.diffusion.noise import NoiseSource
from studio.ml.diffusion.sampler import Resume
from studio.ml.diffusion.sampling import DEFAULT_STEPS, Sampling
from studio.ml.diffusion.schedule import Schedule
from studio.ml.diffusion.unet import NETWORKS, split_config
from studio.ml.diffusion.words import WordTokenizer
from tests.ml.diffusion.goldens import golden_fill
from tests.ml.diffusion.tiny import NETWORK, WORDS, given, model_folder, tiny_net

SIZE = 16
METHODS = get_args(Method)
PROMPTS, SEEDS = ["a cat", "a red dog"], [5, 9]
FAST = Sampling("dpmpp_2m", 4)


def network_of(kind, more_channels):
    net = NETWORKS[kind](*split_config({**NETWORK, "in_channels": 3 + more_channels}))
    golden_fill(net, kind)
    return net.eval().requires_grad_(False)


def model_of(net, cls=Inpainter, size=SIZE):
    return cls("tiny", net, WordTokenizer(WORDS, {}), Schedule.named("squaredcos_cap_v2"), size)


@pytest.fixture(scope="module")
def inpainter():
    return model_of(network_of("inpaint", 4))


@pytest.fixture(scope="module")
def untuned():
    return model_of(tiny_net().eval().requires_grad_(False), TextToImage)


@pytest.fixture(scope="module")
def picture():
    g = torch.Generator().manual_seed(1)
    image = torch.rand(2, 3, SIZE, SIZE, generator=g) * 2 - 1
    mask = torch.ones(2, 1, SIZE, SIZE, dtype=torch.bool)
    mask[0, :, 3:9, 4:12] = False
    mask[1] = torch.rand(1, SIZE, SIZE, generator=g) > 0.5
    return image, mask


def last(records):
    *_, record = records
    return record


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("sampler", DEFAULT_STEPS)
@pytest.mark.parametrize("gradient", [False, True], ids=["", "gradient"])
def test_known_pixels_come_back_bit_for_bit_and_the_hole_is_drawn(inpainter, picture, method, sampler, gradient):
    image, mask = picture
    cond_fn = given(lambda x, t: torch.sin(7 * x)) if gradient else None
    sampling = Sampling(sampler, 4, eta=0.5 if sampler == "ddim" else 0.0)
    record = last(inpainter.sample(image, mask, PROMPTS, SEEDS, method=method, sampling=sampling, cond_fn=cond_fn))
    keep = mask.expand_as(image)
    assert torch.equal(record.x[keep], image[keep]) and torch.equal(record.x0[keep], image[keep])
    assert record.x.isfinite().all() and (record.x[~keep] != image[~keep]).float().mean() > 0.99


@pytest.mark.parametrize("method", METHODS)
def test_with_everything_unknown_it_is_text_to_image(inpainter, untuned, method):
    """The same network and noise: not a bit differs from drawing from text alone."""
    model = inpainter if method == "trained" else Inpainter.of(untuned)
    plain = model_of(inpainter.net, TextToImage) if method == "trained" else untuned
    nothing = torch.zeros(1, 1, SIZE, SIZE)
    image = torch.full((1, 3, SIZE, SIZE), float("nan"))
    ours = last(model.sample(image, nothing, PROMPTS, SEEDS, method=method, sampling=FAST))
    assert torch.equal(ours.x, last(plain.sample(PROMPTS, SEEDS, sampling=FAST)).x)


@pytest.mark.parametrize("method", METHODS)
def test_with_nothing_unknown_it_is_the_picture(inpainter, picture, method):
    everything = torch.ones(1, 1, SIZE, SIZE)
    assert torch.equal(last(inpainter.sample(picture[0], everything, PROMPTS, SEEDS, method=method, sampling=FAST)).x, picture[0])


def test_the_network_sees_known_pixels_and_mask_and_nothing_of_the_hole(inpainter, picture):
    image, mask = picture
    spoilt = torch.where(mask, image, float("nan"))
    seen = []
    hook = inpainter.net.input_blocks[0].register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    try:
        record = last(inpainter.sample(spoilt, mask, PROMPTS, SEEDS, sampling=FAST))
    finally:
        hook.remove()
    assert len(seen) == 4 and record.x.isfinite().all()
    for x in seen:  # both halves of the guided batch
        assert torch.equal(x[:, 3:6], torch.cat([image * mask] * 2)) and torch.equal(x[:, 6:], torch.cat([mask] * 2).float())
    assert torch.equal(record.x, last(inpainter.sample(image, mask, PROMPTS, SEEDS, sampling=FAST)).x)


def test_only_what_is_known_steers_the_trained_network(inpainter, picture):
    image, mask = picture
    a = last(inpainter.sample(image, mask, PROMPTS, SEEDS, sampling=FAST)).x
    b = last(inpainter.sample(-image, mask, PROMPTS, SEEDS, sampling=FAST)).x
    hole = ~mask.expand_as(image)
    assert (a[hole] - b[hole]).abs().max() > 1e-3


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_replacing_x_t_is_the_loop_of_its_paper(untuned, picture, eta):
    """DDIM written out, known pixels of x_t drawn from q(x_t | x_0) before each evaluation; tolerance of float32: 1e-4."""
    image, mask = picture
    sampling = Sampling("ddim", 5, eta=eta)
    records = list(Inpainter.of(untuned).sample(image, mask, PROMPTS, SEEDS, method="replace_x_t", scale=None, sampling=sampling))
    schedule, noise = sampling.schedule(untuned.schedule), NoiseSource.of_seeds(SEEDS)
    denoiser, shape = untuned.denoiser(PROMPTS), (3, SIZE, SIZE)
    x = noise.initial(shape)
    for index, record in enumerate(records):
        k = len(schedule) - 1 - index
        a, before = schedule.alphas_cumprod[k], schedule.alphas_cumprod_prev[k]
        fresh = noise.initial(shape) if index == 0 else noise.step(index - 1, shape)
        x = torch.where(mask, math.sqrt(a) * image + math.sqrt(1 - a) * fresh, x)
        assert torch.allclose(record.x_t, x, atol=1e-4)
        eps = denoiser(x, torch.full((2,), int(schedule.timesteps[k]))).eps
        x0 = ((x - math.sqrt(1 - a) * eps) / math.sqrt(a)).clamp(-1, 1)
        sigma = eta * math.sqrt((1 - before) / (1 - a) * (1 - a / before))
        direction = (x - math.sqrt(a) * x0) / math.sqrt(1 - a)
        x = math.sqrt(before) * x0 + math.sqrt(max(0.0, 1 - before - sigma**2)) * direction
        x = x + sigma * noise.step(index, shape) if k else x
        hole = ~mask.expand_as(x)
        assert torch.allclose(record.x[hole], x[hole], atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_a_picture_does_not_depend_on_its_batch(inpainter, picture, method):
    image, mask = picture
    both = last(inpainter.sample(image, mask, PROMPTS, SEEDS, method=method, sampling=FAST)).x
    alone = last(inpainter.sample(image[1:], mask[1:], PROMPTS[1:], SEEDS[1:], method=method, sampling=FAST)).x
    assert (both[1:] - alone).abs().max() < 1e-3  # float32, magnified by 1 / sqrt(abar) at the noisiest step


@pytest.mark.parametrize("method", METHODS)
def test_a_run_resumes_where_it_stopped(inpainter, picture, method):
    whole = list(inpainter.sample(*picture, PROMPTS, SEEDS, method=method, sampling=FAST))
    again = list(
        inpainter.sample(*picture, PROMPTS, SEEDS, method=method, sampling=FAST, resume=Resume.after(whole[1]))
    )
    assert len(again) == 2 and torch.equal(again[-1].x, whole[-1].x)


def test_the_inpainting_up_sampler_takes_a_small_mask():
    model = model_of(network_of("upsample-inpaint", 7), size=32)
    g = torch.Generator().manual_seed(2)
    image, low_res = torch.rand(1, 3, 32, 32, generator=g) * 2 - 1, torch.rand(1, 3, 8, 8, generator=g) * 2 - 1
    small = torch.ones(1, 1, 8, 8)
    small[..., 2:5, 1:4] = 0
    full = small.repeat_interleave(4, 2).repeat_interleave(4, 3)
    run = {"prompts": ["a cat"], "seeds": [0], "scale": None, "sampling": FAST}
    x = last(model.sample(image, small, low_res=low_res, **run)).x
    keep = full.bool().expand_as(image)
    assert torch.equal(x[keep], image[keep]) and x.isfinite().all()
    assert torch.equal(x, last(model.sample(image, full, low_res=low_res, **run)).x)
    assert not torch.equal(x, last(model.sample(image, full, low_res=-low_res, **run)).x)
    with pytest.raises(InpaintingError, match="needs the low-resolution picture"):
        model.sample(image, full, **run)
    with pytest.raises(InpaintingError, match=r"\[1, 3, h, w\] finite"):
        model.sample(image, full, low_res=low_res[:, :2], **run)


IMAGE, MASK = torch.zeros(2, 3, SIZE, SIZE), torch.ones(2, 1, SIZE, SIZE)


@pytest.mark.parametrize(
    ("image", "mask", "message"),
    [
        (IMAGE[:, :, :8], MASK, "scale it to 16 x 16"),
        (IMAGE[:, :1], MASK, "must be .2, 3, 16, 16."),
        (IMAGE[0], MASK, "not .3, 16, 16."),
        (torch.zeros(3, 3, SIZE, SIZE), MASK, "not .3, 3"),
        (IMAGE.byte(), MASK, "bytes / 127.5 - 1"),
        (IMAGE + float("nan"), MASK, "Known pixels"),
        (IMAGE + 1.01, MASK, "from -1 to 1"),
        (IMAGE, MASK * 0.5, "must be hard"),
        (IMAGE, MASK * float("nan"), "must be hard"),
        (IMAGE, MASK[:, :, :8], "The mask must be"),
        (IMAGE, MASK[0], "The mask must be"),
        (IMAGE, torch.ones(2, 1, 5, 5), "smaller by a whole factor"),
        (IMAGE, torch.ones(2, 1, 0, 0), "The mask must be"),
        (IMAGE, MASK.expand(2, 3, SIZE, SIZE), "The mask must be"),
    ],
)
def test_pictures_and_masks_that_cannot_be_are_refused_before_the_run(inpainter, image, mask, message):
    with pytest.raises(InpaintingError, match=message):
        inpainter.sample(image, mask, PROMPTS, SEEDS)


def test_methods_that_cannot_be_are_refused(inpainter, untuned):
    with pytest.raises(InpaintingError, match="was not trained to inpaint; use replace_x0"):
        Inpainter.of(untuned).sample(IMAGE, MASK, PROMPTS, SEEDS)
    with pytest.raises(InpaintingError, match="Unknown method 'paint'"):
        inpainter.sample(IMAGE, MASK, PROMPTS, SEEDS, method="paint")
    with pytest.raises(InpaintingError, match="takes no low-resolution picture"):
        inpainter.sample(IMAGE, MASK, PROMPTS, SEEDS, low_res=IMAGE)
    with pytest.raises(ValueError, match="each picture needs one of both"):
        inpainter.sample(IMAGE, MASK, PROMPTS, SEEDS[:1])


def test_a_model_folder_opens_as_what_it_is(tmp_path, inpainter, picture):
    from studio.ml.training.export import write_model

    folder = model_folder(tmp_path / "tiny", kind="inpaint", network={**NETWORK, "in_channels": 7})
    config = {"name": "tiny"}
    text = (folder / "config.json").read_text()
    write_model(folder, inpainter.net, config, {})
    (folder / "config.json").write_text(text)
    model = load_inpainter(folder)
    assert last(model.sample(*picture, PROMPTS, SEEDS, sampling=FAST)).x.isfinite().all()
    with pytest.raises(ValueError, match="inpaint"):
        load_text2im(folder)
