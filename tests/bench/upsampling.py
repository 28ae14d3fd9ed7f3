"""How long the bundled up-sampler takes over one picture, by default and with GLIDE's 27 DDIM steps."""

from __future__ import annotations

import time

import torch

from studio.ml.diffusion.sampling import Sampling
from studio.ml.diffusion.upsampling import Upsampler, load_upsampler
from studio.resources import resource
from tests.bench.figure import Figure
from tests.bench.sampling import preview

LIMIT_SECONDS = 8.0


def run() -> list[Figure]:
    """Seconds per up-sampled picture, previews included, the second of two runs."""
    model = load_upsampler(resource("models", "emoji-upsample"))
    ways = {"default": model.sampling, "GLIDE's fast27": Upsampler.sampling}
    return [seconds_per_picture(model, name, sampling) for name, sampling in ways.items()]


def seconds_per_picture(model: Upsampler, name: str, sampling: Sampling) -> Figure:
    """One picture enlarged with `sampling`."""
    small = torch.zeros(1, 3, model.low_res_size, model.low_res_size)
    for _ in range(2):
        begin = time.perf_counter()
        for record in model.sample(small, ["a cat on a blue background"], [0], sampling=sampling):
            preview(record.x0)
        seconds = time.perf_counter() - begin
    note = (
        f"{model.low_res_size} -> {model.image_size} pixels, {record.total} steps of {sampling.sampler}, "
        f"{torch.get_num_threads()} CPU threads"
    )
    return Figure.at_most(f"up-sampling one picture, {name}", seconds, "s", LIMIT_SECONDS, note)
