"""Our sampling loop, previews included, against diffusers' own loop over the same network and steps."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from studio.ml.diffusion.denoiser import EpsDenoiser
from studio.ml.diffusion.guidance import Unguided
from studio.ml.diffusion.noise import NoiseSource
from studio.ml.diffusion.sampler import dpmpp_2m
from studio.ml.diffusion.schedule import Schedule
from tests.bench.figure import Figure

STEPS, SIZE, ROUNDS = 15, 32, 15
LIMIT_PERCENT = 3.0


def run(rounds: int = ROUNDS) -> list[Figure]:
    """Overhead of our loop in percent: median over rounds of ours/theirs - 1, the two taking turns at going first."""
    ours, theirs = _loops()
    difference = float(np.abs(ours() - theirs()).max())
    ratios = []
    for i in range(rounds):
        pair = (ours, theirs) if i % 2 else (theirs, ours)
        seconds = {loop: _timed(loop) for loop in pair}
        ratios.append(seconds[ours] / seconds[theirs])
    overhead = 100 * (statistics.median(ratios) - 1)
    note = f"{STEPS} steps of DPM-Solver++ 2M, UNet2DModel {SIZE}x{SIZE}, {rounds} rounds, our previews included"
    return [
        Figure.at_most("sampling loop against diffusers: overhead with previews", overhead, "%", LIMIT_PERCENT, note),
        Figure.at_most("sampling loop against diffusers: largest difference of the pictures", difference, "", 1e-3),
    ]


def _loops() -> tuple[Callable[[], NDArray[np.float32]], Callable[[], NDArray[np.float32]]]:
    from diffusers import DPMSolverMultistepScheduler, UNet2DModel

    torch.manual_seed(0)
    net = UNet2DModel(
        sample_size=SIZE,
        block_out_channels=(32, 64, 64),
        down_block_types=("DownBlock2D", "AttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
    ).eval()
    full = Schedule.named("linear")
    spaced = full.respace(f"logsnr{STEPS}")
    start = NoiseSource(0, [0]).initial((3, SIZE, SIZE))
    scheduler = DPMSolverMultistepScheduler(trained_betas=full.betas, final_sigmas_type="zero")

    def ours() -> NDArray[np.float32]:
        model = Unguided().of(EpsDenoiser(lambda x, t: net(x, t).sample))
        for record in dpmpp_2m(model, start, spaced, clip=False):
            preview(record.x0)
        return record.x.numpy()

    @torch.no_grad()
    def theirs() -> NDArray[np.float32]:
        scheduler.set_timesteps(timesteps=spaced.timesteps[::-1].tolist())
        x = start
        for t in scheduler.timesteps:
            x = scheduler.step(net(x, t).sample, t, x).prev_sample
        return x.numpy()

    return ours, theirs


def preview(x0: Tensor) -> NDArray[np.uint8]:
    """What a panel is sent at every step: [B, 3, H, W] in [-1, 1] -> uint8 [B, H, W, 3] in main memory."""
    pixels = ((x0.clamp(-1, 1) + 1) * 127.5).round().byte()
    return pixels.permute(0, 2, 3, 1).contiguous().cpu().numpy()


def _timed(loop: Callable[[], object]) -> float:
    begin = time.perf_counter()
    loop()
    return time.perf_counter() - begin
