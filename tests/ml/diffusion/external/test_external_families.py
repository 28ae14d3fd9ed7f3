"""Every family draws what diffusers' own class for the task draws, from the same folder with the same noise."""

from __future__ import annotations

import diffusers
import numpy as np
import pytest
import torch
from PIL import Image

from studio.ml.diffusion.external.asked import Asked
from studio.ml.diffusion.external.preview import encoded

SIZE = 32
SEEDS = (5, 2**40)
RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
MASK = np.zeros((SIZE, SIZE), np.uint8)
MASK[8:24, 4:20] = 255

TASKS = [
    ("sd1", "text2im", "StableDiffusionPipeline"),
    ("sd1", "image2image", "StableDiffusionImg2ImgPipeline"),
    ("sd1", "inpaint", "StableDiffusionInpaintPipeline"),
    ("sd1-inpaint", "inpaint", "StableDiffusionInpaintPipeline"),
    ("sd2", "text2im", "StableDiffusionPipeline"),
    ("sd2", "image2image", "StableDiffusionImg2ImgPipeline"),
    ("sd2", "inpaint", "StableDiffusionInpaintPipeline"),
    ("sdxl", "text2im", "StableDiffusionXLPipeline"),
    ("sdxl", "image2image", "StableDiffusionXLImg2ImgPipeline"),
    ("sdxl", "inpaint", "StableDiffusionXLInpaintPipeline"),
    ("sd3", "text2im", "StableDiffusion3Pipeline"),
    ("sd3", "image2image", "StableDiffusion3Img2ImgPipeline"),
    ("sd3", "inpaint", "StableDiffusion3InpaintPipeline"),
    ("flux", "text2im", "FluxPipeline"),
    ("flux", "image2image", "FluxImg2ImgPipeline"),
    ("flux", "inpaint", "FluxInpaintPipeline"),
    ("pixart", "text2im", "PixArtAlphaPipeline"),
    ("lcm", "text2im", "LatentConsistencyModelPipeline"),
    ("lcm", "image2image", "LatentConsistencyModelImg2ImgPipeline"),
    ("deepfloyd", "text2im", "IFPipeline"),
]
NEGATIVE = {"sd1", "sd1-inpaint", "sd2", "sdxl", "sd3", "pixart", "deepfloyd"}
PIXART = {"use_resolution_binning": False, "clean_caption": False}
MORE = {"pixart": PIXART, "deepfloyd": {"clean_caption": False}}


def own_call(folder, family, task, class_name):
    """The picture of the class written for the task, as its documentation calls it."""
    left = {"safety_checker": None} if family in {"sd1", "sd1-inpaint", "sd2", "lcm", "deepfloyd"} else {}
    pipeline = getattr(diffusers, class_name).from_pretrained(folder, local_files_only=True, **left)
    pipeline.set_progress_bar_config(disable=True)
    call = {
        "prompt": ["a red cat"] * len(SEEDS),
        "num_inference_steps": 3,
        "guidance_scale": 4.0,
        "generator": [torch.Generator().manual_seed(seed) for seed in SEEDS],
        "output_type": "np",
    } | MORE.get(family, {})
    if family in NEGATIVE:
        call["negative_prompt"] = ["dog"] * len(SEEDS)
    if task != "image2image" or family in {"sd3", "flux"}:
        call |= {"height": SIZE, "width": SIZE}
    if task != "text2im":
        call |= {"image": [Image.fromarray(PICTURE)] * len(SEEDS), "strength": 0.7}
    if task == "inpaint":
        call["mask_image"] = [Image.fromarray(MASK)] * len(SEEDS)
    return (pipeline(**call).images * 255).round().astype(np.uint8)


def asked_for(family, task, **changes):
    settings = {
        "prompt": "a red cat",
        "negative": "dog" if family in NEGATIVE else "",
        "seeds": SEEDS,
        "steps": 3,
        "scale": 4.0,
        "width": SIZE,
        "height": SIZE,
        "image": None if task == "text2im" else PICTURE,
        "mask": MASK if task == "inpaint" else None,
        "strength": 0.7 if task != "text2im" else 1.0,
    }
    return Asked(**settings | changes)


@pytest.mark.parametrize(("family", "task", "class_name"), TASKS)
def test_pictures_are_those_of_diffusers_own_class(pipelines, opened, family, task, class_name):
    *steps, last = opened(family).sample(asked_for(family, task))
    expected = own_call(pipelines(family), family, task, class_name)
    assert last.pictures.shape == (2, SIZE, SIZE, 3)
    assert np.abs(last.pictures.astype(int) - expected.astype(int)).max() <= 1
    assert last.pictures.std() > 5, "a flat picture would be equal to another flat one"
    assert [step.index for step in steps] == list(range(steps[0].total))
    assert all(step.pictures is None for step in steps)


@pytest.mark.parametrize("family", ["sd1", "sdxl", "sd3", "flux", "pixart", "lcm", "deepfloyd"])
def test_a_picture_does_not_depend_on_its_batch(opened, family):
    model = opened(family)
    *_, both = model.sample(asked_for(family, "text2im"))
    *_, alone = model.sample(asked_for(family, "text2im", seeds=SEEDS[1:]))
    assert np.abs(both.pictures[1].astype(int) - alone.pictures[0].astype(int)).max() <= 1
    assert np.abs(both.pictures[0].astype(int) - alone.pictures[0].astype(int)).max() > 1


def test_families_are_told_by_name_with_what_they_can_do(opened):
    every = ("text2im", "image2image", "inpaint")
    assert {
        family: (opened(family).family, opened(family).capabilities)
        for family in ("sd1", "sd1-inpaint", "sd2", "sdxl", "sd3", "flux", "pixart", "lcm", "deepfloyd")
    } == {
        "sd1": ("Stable Diffusion 1.x", every),
        "sd1-inpaint": ("Stable Diffusion 1.x", ("inpaint",)),
        "sd2": ("Stable Diffusion 2.x", every),
        "sdxl": ("Stable Diffusion XL", every),
        "sd3": ("Stable Diffusion 3.x", every),
        "flux": ("Flux", every),
        "pixart": ("PixArt", ("text2im", "inpaint")),
        "lcm": ("Latent consistency model", every),
        "deepfloyd": ("DeepFloyd IF", every),
    }


@pytest.mark.parametrize(("family", "evaluations"), [("sd1", 2), ("sdxl", 2), ("sd3", 2), ("flux", 1), ("lcm", 1)])
def test_guidance_is_counted_as_a_second_evaluation(opened, family, evaluations):
    steps = list(opened(family).sample(asked_for(family, "text2im")))
    assert [step.evaluations for step in steps] == [evaluations] * 3 + [0]


@pytest.mark.parametrize("family", ["pixart", "lcm"])
def test_a_network_without_masks_fills_a_hole_and_keeps_the_latents_around_it(opened, family, monkeypatch):
    model = opened(family)
    vae = model.pipeline.vae
    with torch.no_grad():
        known = encoded(vae, torch.from_numpy(PICTURE).permute(2, 0, 1)[None] / 127.5 - 1)
    seen = []
    decode = vae.decode

    def watched(z, **more):
        seen.append(z * vae.config.scaling_factor)
        return decode(z, **more)

    monkeypatch.setattr(vae, "decode", watched)
    *_, last = model.sample(asked_for(family, "inpaint", strength=1.0))
    hole = np.zeros((SIZE // 2, SIZE // 2), bool)
    hole[4:12, 2:10] = True
    change = (seen[-1] - known).abs().amax(dim=1).numpy()
    assert change[:, ~hole].max() < 1e-5
    assert change[:, hole].min() > 1e-3
    assert np.abs(last.pictures[0].astype(int) - last.pictures[1].astype(int))[MASK > 0].max() > 1
