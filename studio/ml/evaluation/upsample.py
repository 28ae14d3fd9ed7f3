"""How well an up-sampling model restores emoji scenes: against the true large picture, and against what it was given.

`report` is what `glassbox evaluate` prints for a model of this kind.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from studio.ml.data import captions, scenes
from studio.ml.diffusion.glide import TextToImage, load_text2im
from studio.ml.diffusion.sampling import Sampling
from studio.ml.diffusion.upsampling import FACTOR, Upsampler, averaged, eight_bit, load_upsampler
from studio.ml.evaluation.judge import judge
from studio.ml.evaluation.metrics import wilson_interval
from studio.ml.evaluation.oracle import Oracle, Reading, as_tensor, load_oracle
from studio.resources import resource

SEED = 92
BATCH = 10
BASE = "emoji-base"

Enlarge = Callable[[Tensor, Sequence[str], Sequence[int]], Tensor]
"""(small pictures [B, 3, h, h], prompts, seeds) -> [B, 3, 4h, 4h], all in [-1, 1]."""


@dataclass(frozen=True)
class Fidelity:
    """One way to enlarge, over N scenes whose large pictures are known; all [N].

    psnr in dB; distance: `FeatureDistance`; back: PSNR of the result, averaged down, against the small picture.
    seconds: per picture.
    """

    psnr: Tensor
    distance: Tensor
    back: Tensor
    seconds: float


@dataclass(frozen=True)
class Agreement:
    """One way to enlarge pictures that a base model drew, where there is no truth; counts of `trials`.

    same: the oracle reads the same objects and background from the result, averaged down; asked: what it reads then is
    what the prompt asked for. back: mean PSNR of the result, averaged down, against the drawn picture.
    """

    trials: int
    same: int
    asked: int
    back: float


class FeatureDistance:
    """A perceptual distance after LPIPS (Zhang et al. 2018, arXiv 1801.03924, eq. 1), in the oracle's two feature maps.

    Per map: features divided by their norm over channels, squared difference summed over channels, mean over pixels;
    then summed over the maps. Unlike LPIPS's, the maps are not weighted by people's judgement.
    """

    def __init__(self, oracle: Oracle) -> None:
        self.oracle = oracle

    @torch.no_grad()
    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        """a, b [B, 3, H, W] in [-1, 1] -> [B]."""
        pairs = zip(self._maps(a), self._maps(b), strict=True)
        return torch.stack([(u - v).square().sum(dim=1).mean(dim=(1, 2)) for u, v in pairs]).sum(dim=0)

    def _maps(self, x: Tensor) -> tuple[Tensor, Tensor]:
        fine = self.oracle.stem(x)
        return F.normalize(fine, dim=1), F.normalize(self.oracle.down(fine), dim=1)


def psnr(a: Tensor, b: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB of pictures [B, 3, H, W] in [-1, 1]: 10 log10(2^2 / mean squared error), [B]."""
    return 10 * torch.log10(4 / (a - b).square().mean(dim=(1, 2, 3)).clamp(min=1e-12))


def interpolated(mode: str) -> Enlarge:
    """Enlarging without a model; mode: "bilinear" or "bicubic"."""
    return lambda small, prompts, seeds: F.interpolate(small, scale_factor=FACTOR, mode=mode).clamp(-1, 1)


def by_model(model: Upsampler, sampling: Sampling | None = None, *, consistent: bool | None = None) -> Enlarge:
    """Enlarging by the model, in its own way where nothing else is asked for."""

    def enlarge(small: Tensor, prompts: Sequence[str], seeds: Sequence[int]) -> Tensor:
        *_, last = model.sample(small, prompts, seeds, sampling=sampling, consistent=consistent)
        return last.x.clamp(-1, 1).cpu()

    return enlarge


def ways(model: Upsampler, sampling: Sampling | None = None) -> dict[str, Enlarge]:
    """The ways that are compared, by name."""
    return {
        "bilinear": interpolated("bilinear"),
        "bicubic": interpolated("bicubic"),
        model.name: by_model(model, sampling),
    }


def lesser_ways(model: Upsampler, sampling: Sampling | None = None) -> dict[str, Enlarge]:
    """The model's own way without one of its parts, by name."""
    enlarge = by_model(model, sampling)
    return {
        f"{model.name}, not consistent": by_model(model, sampling, consistent=False),
        f"{model.name}, no prompt": lambda small, prompts, seeds: enlarge(small, [""] * len(prompts), seeds),
    }


def draw_scenes(
    vocabulary: scenes.Vocabulary, count: int, *, kind: scenes.Kind | None = None, grid: int | None = None
) -> list[scenes.Scene]:
    """Fixed scenes, combinations held out from training among them; `grid`: objects on whole pixels of that side."""
    rng = np.random.default_rng(SEED)
    drawn = [scenes.draw(rng, vocabulary, kind=kind, held=None) for _ in range(count)]
    return drawn if grid is None else [scenes.on_grid(scene, grid) for scene in drawn]


def fidelity(enlarge: Enlarge, asked: Sequence[scenes.Scene], pixels: int, distance: FeatureDistance) -> Fidelity:
    """Enlarge the scenes' averaged renders and compare with the renders themselves, `pixels` wide."""
    parts: list[tuple[Tensor, Tensor, Tensor]] = []
    seconds = 0.0
    for start in range(0, len(asked), BATCH):
        part = asked[start : start + BATCH]
        true = as_tensor(np.stack([scenes.render(scene, pixels) for scene in part]))
        small = eight_bit(averaged(true))
        begun = time.perf_counter()
        large = enlarge(small, [captions.plain_caption(scene) for scene in part], range(start, start + len(part)))
        seconds += time.perf_counter() - begun
        parts.append((psnr(large, true), distance(large, true), psnr(averaged(large), small)))
    whole, perceived, back = (torch.cat(column) for column in zip(*parts, strict=True))
    return Fidelity(whole, perceived, back, seconds / len(asked))


def agreement(enlarge: Enlarge, base: TextToImage, oracle: Oracle, asked: Sequence[scenes.Scene]) -> Agreement:
    """Let the base model draw what the scenes' captions say, enlarge it, and read both."""
    same, right, back = 0, 0, 0.0
    for start in range(0, len(asked), BATCH):
        part = asked[start : start + BATCH]
        prompts, seeds = [captions.plain_caption(scene) for scene in part], range(start, start + len(part))
        *_, last = base.sample(prompts, seeds)
        small = eight_bit(last.x.cpu())
        after = averaged(enlarge(small, prompts, seeds))
        before, again = oracle.read(small), oracle.read(after)
        same += sum(_shown(a) == _shown(b) for a, b in zip(before, again, strict=True))
        right += sum(judge(scene, reading).all for scene, reading in zip(part, again, strict=True))
        back += psnr(after, small).sum().item()
    return Agreement(len(asked), same, right, back / len(asked))


def report(folder: Path, options: argparse.Namespace) -> Iterator[str]:
    """Markdown lines, as they are measured; `options.count` scenes a figure. Raises WeightsError."""
    model = load_upsampler(folder)
    oracle = load_oracle(options.oracle or resource("models", "emoji-oracle"))
    sampling = model.sampling if options.steps is None else Sampling(options.sampler, options.steps)
    compared = ways(model, sampling)
    steps = len(sampling.schedule(model.schedule))
    yield f"Sampler {sampling.sampler}, {steps} steps; {options.count} fresh scenes a figure, fixed seeds. “Nearer” is"
    yield "the share of the scenes in which a way comes nearer to the truth than bicubic interpolation does. The"
    yield "feature distance is LPIPS's formula in the oracle's features, not LPIPS's network. The model holds every"
    yield "predicted picture to average down to the small one; “not consistent” is the network without that."
    yield from _against_truth(model, oracle, {**compared, **lesser_ways(model, sampling)}, options.count, on_grid=True)
    yield from _against_truth(model, oracle, compared, options.count, on_grid=False)
    yield from _against_base(model, oracle, compared, options.count)


def _against_truth(
    model: Upsampler, oracle: Oracle, compared: dict[str, Enlarge], count: int, *, on_grid: bool
) -> Iterator[str]:
    place = "on whole small pixels, as a base model draws them" if on_grid else "anywhere"
    yield ""
    yield f"Objects {place}; the small picture is the average of the true one."
    yield ""
    yield "| enlarged by | PSNR (dB) | nearer | feature distance | nearer | PSNR averaged down | s/picture |"
    yield "|---|---|---|---|---|---|---|"
    vocabulary = scenes.Vocabulary(oracle.config.nouns, oracle.config.backgrounds)
    asked = draw_scenes(vocabulary, count, grid=model.low_res_size if on_grid else None)
    distance = FeatureDistance(oracle)
    rows = {name: fidelity(enlarge, asked, model.image_size, distance) for name, enlarge in compared.items()}
    yield from (_fidelity_row(name, row, rows["bicubic"]) for name, row in rows.items())


def _against_base(model: Upsampler, oracle: Oracle, compared: dict[str, Enlarge], count: int) -> Iterator[str]:
    base = load_text2im(resource("models", BASE))
    asked = draw_scenes(scenes.Vocabulary(oracle.config.nouns, oracle.config.backgrounds), count, kind="single")
    yield ""
    yield f"Pictures that {base.name} drew of {count} prompts of one object. There is no true large picture: the result"
    yield "is averaged down, and the oracle says whether it shows the same as before, and what the prompt asked for."
    yield ""
    yield "| enlarged by | reads the same | interval | shows what was asked | interval | PSNR averaged down |"
    yield "|---|---|---|---|---|---|"
    for name in ("bicubic", model.name):
        yield _agreement_row(name, agreement(compared[name], base, oracle, asked))


def _shown(reading: Reading) -> tuple[Counter[str], str]:
    return Counter(seen.noun for seen in reading.objects), reading.background


def _fidelity_row(name: str, row: Fidelity, bicubic: Fidelity) -> str:
    nearer = (row.psnr > bicubic.psnr).double().mean(), (row.distance < bicubic.distance).double().mean()
    pixels, features = ("" if row is bicubic else f"{share.item():.0%}" for share in nearer)
    error, perceived, back = (column.mean().item() for column in (row.psnr, row.distance, row.back))
    return f"| {name} | {error:.2f} | {pixels} | {perceived:.4f} | {features} | {back:.1f} | {row.seconds:.2f} |"


def _agreement_row(name: str, row: Agreement) -> str:
    shares = []
    for hits in (row.same, row.asked):
        low, high = wilson_interval(hits, row.trials)
        shares.append(f"{hits / row.trials:.1%} | {low:.1%} to {high:.1%}")
    return f"| {name} | {' | '.join(shares)} | {row.back:.1f} |"
