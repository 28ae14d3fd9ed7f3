"""Our sampling against a diffusers pipeline with a network of the same shape: ms per step and per picture.

Meant for an accelerator, where it runs with the shape of a bundled model (small: launching kernels is what takes time)
and with that of GLIDE's base model; on the CPU only the small one runs, and the notes say so.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from studio.engine.devices import choose, default_dtype
from studio.ml.diffusion.denoiser import EpsDenoiser
from studio.ml.diffusion.guidance import Unguided
from studio.ml.diffusion.noise import NoiseSource
from studio.ml.diffusion.sampler import ddim
from studio.ml.diffusion.schedule import Schedule
from studio.ml.diffusion.unet import UNet, UNetConfig
from tests.bench.figure import Figure
from tests.bench.sampling import preview

Loop = Callable[[], Tensor | None]
"""One whole run; our own give their pictures [B, 3, H, W], on the CPU."""

DIFFERENCE = 1e-2
"""How far a faster way's pictures may be from those of eager float32."""


@dataclass(frozen=True)
class Load:
    """What is drawn: networks of this shape, pictures of `size` pixels, `batch` at once, `steps` of DDIM."""

    name: str
    shape: UNetConfig
    size: int
    batch: int
    steps: int
    rounds: int


GLIDE = Load(
    "GLIDE's base",
    UNetConfig(
        model_channels=192, out_channels=3, num_res_blocks=3, attention_resolutions=(2, 4, 8),
        channel_mult=(1, 2, 3, 4), num_head_channels=64,
    ),
    size=64, batch=8, steps=25, rounds=3,
)  # fmt: skip
SMALL = Load(
    "a bundled model",
    UNetConfig(
        model_channels=32, out_channels=3, num_res_blocks=1, attention_resolutions=(2, 4), channel_mult=(1, 2, 3),
        num_head_channels=32,
    ),
    size=32, batch=1, steps=10, rounds=3,
)  # fmt: skip


def run() -> list[Figure]:
    """Milliseconds per picture of each way, ms per step in the note; and how far our faster ways' pictures are off."""
    device = choose()
    return [figure for load in ((SMALL,) if device == "cpu" else (SMALL, GLIDE)) for figure in figures(load, device)]


def figures(load: Load, device: str) -> Iterator[Figure]:
    """The figures of one load; times have no limits, they are for comparing."""
    where = "no accelerator here: the CPU" if device == "cpu" else device
    truth: Tensor | None = None
    for name, loop in loops(load, device):
        title = f"{load.name}, {name}"
        pictures = loop()  # kernels are chosen, or compiled
        yield _timing(title, loop, load, where)
        if truth is not None and pictures is not None:
            difference = (pictures - truth).abs().max().item()
            yield Figure.at_most(f"{title}: largest difference to eager float32", difference, "", DIFFERENCE)
        truth = pictures if truth is None else truth


def loops(load: Load, device: str) -> Iterator[tuple[str, Loop]]:
    """Our ways to run it, then diffusers'; each network is built when its turn comes."""
    own: torch.dtype = getattr(torch, default_dtype(device))
    yield "ours, eager float32", ours(our_network(load, device, torch.float32), load, device, torch.float32)
    fast = our_network(load, device, own).to(memory_format=torch.channels_last)
    yield f"ours, as the studio opens it ({own}, channels last)".replace("torch.", ""), ours(fast, load, device, own)
    if device != "cpu":
        graphs = torch.compile(fast, mode="reduce-overhead")  # CUDA graphs: one launch a step
        yield "ours, compiled besides", ours(graphs, load, device, own)
    for dtype in dict.fromkeys((torch.float32, own)):
        yield f"diffusers' DDIMPipeline ({dtype})".replace("torch.", ""), theirs(load, device, dtype)


def our_network(load: Load, device: str, dtype: torch.dtype) -> UNet:
    """The ADM U-Net without classes; random weights, also where training begins with zeros."""
    torch.manual_seed(0)
    net = UNet(load.shape).eval().requires_grad_(False)
    for parameter in net.parameters():
        if not parameter.any():
            parameter.normal_(std=0.02)
    return net.to(device, dtype)


def their_network(load: Load, device: str, dtype: torch.dtype) -> nn.Module:
    """diffusers' U-Net built as ours: the same widths, residual resampling, scale and shift, attention and heads."""
    from diffusers import UNet2DModel

    shape = load.shape
    widths = tuple(int(mult * shape.model_channels) for mult in shape.channel_mult)
    attended = [2**level in shape.attention_resolutions for level in range(len(widths))]
    torch.manual_seed(0)
    net: nn.Module = UNet2DModel(
        sample_size=load.size,
        block_out_channels=widths,
        layers_per_block=shape.num_res_blocks,
        down_block_types=tuple("AttnDownBlock2D" if here else "DownBlock2D" for here in attended),
        up_block_types=tuple("AttnUpBlock2D" if here else "UpBlock2D" for here in reversed(attended)),
        downsample_type="resnet",
        upsample_type="resnet",
        resnet_time_scale_shift="scale_shift",
        attention_head_dim=shape.num_head_channels,
    )
    net.eval().requires_grad_(False).to(device)
    return net if dtype == torch.float32 else net.to(dtype)


def ours(net: Callable[[Tensor, Tensor], Tensor], load: Load, device: str, dtype: torch.dtype) -> Loop:
    """A whole run with a preview of every step, as a panel gets it."""
    spaced = Schedule.named("linear").respace(load.steps)
    noise = NoiseSource(0, range(load.batch), device=device)

    def loop() -> Tensor:
        model = Unguided().of(EpsDenoiser(net, dtype=dtype))
        for record in ddim(model, noise.initial((3, load.size, load.size)), spaced):
            preview(record.x0)
        return record.x.cpu()

    return loop


def theirs(load: Load, device: str, dtype: torch.dtype) -> Loop:
    """The same network in diffusers' own pipeline, which makes no previews."""
    from diffusers import DDIMPipeline, DDIMScheduler

    pipeline = DDIMPipeline(their_network(load, device, dtype), DDIMScheduler()).to(device)
    pipeline.set_progress_bar_config(disable=True)

    def loop() -> None:
        pipeline(batch_size=load.batch, num_inference_steps=load.steps, output_type="np")

    return loop


def flops(net: Callable[..., object], load: Load, device: str, dtype: torch.dtype) -> float:
    """Floating-point operations of one evaluation of the batch, counted; attention is left out on the CPU."""
    x = torch.zeros(load.batch, 3, load.size, load.size, device=device, dtype=dtype)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        net(x, torch.zeros(load.batch, dtype=torch.long, device=device))
    return float(counter.get_total_flops())


def _timing(name: str, loop: Loop, load: Load, where: str) -> Figure:
    seconds = statistics.median(_timed(loop) for _ in range(load.rounds))
    per_step, per_picture = 1000 * seconds / load.steps, 1000 * seconds / load.batch
    note = f"{per_step:.1f} ms a step; {load.batch} of {load.size}x{load.size} pixels at once, {load.steps} steps; {where}"
    return Figure(name, per_picture, "ms/picture", None, True, note)


def _timed(loop: Loop) -> float:
    begin = time.perf_counter()
    loop()
    return time.perf_counter() - begin
