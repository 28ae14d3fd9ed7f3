"""Does the few-step default draw as truly as 100 DDPM steps, and how much sooner? The bundled oracle marks both."""

from __future__ import annotations

import time

from studio.ml.diffusion.glide import load_text2im
from studio.ml.diffusion.sampling import DEFAULT_STEPS, Sampling, SamplerName
from studio.ml.evaluation.emoji import PROMPT_SETS, Accuracy, Evaluation
from studio.ml.evaluation.oracle import load_oracle
from studio.resources import resource
from tests.bench.figure import Figure

PROMPTS, SCALE, SLACK_POINTS = 100, 3.0, 3.0


def run() -> list[Figure]:
    """Accuracy lost (in points) and the ratio of the times, over prompts of one object."""
    default, slow = _measure("dpmpp_2m"), _measure("ddpm")
    figures = []
    for few, many in zip(default[0], slow[0], strict=True):
        note = f"{few.share:.1%} against {many.share:.1%}, {PROMPTS} prompts, scale {SCALE:g}"
        figures.append(Figure.at_most(f"accuracy lost by the few-step default, {few.prompts}", 100 * (many.share - few.share), "points", SLACK_POINTS, note))
    note = f"{DEFAULT_STEPS['dpmpp_2m']} steps of DPM-Solver++ against {DEFAULT_STEPS['ddpm']} of DDPM: {default[1]:.0f} s and {slow[1]:.0f} s"
    return [*figures, Figure.at_most("time of the few-step default over 100 DDPM steps", default[1] / slow[1], "", 0.25, note)]


def _measure(sampler: SamplerName) -> tuple[list[Accuracy], float]:
    model, oracle = load_text2im(resource("models", "emoji-base")), load_oracle(resource("models", "emoji-oracle"))
    evaluation = Evaluation(model, oracle, Sampling(sampler))
    start = time.perf_counter()
    rows = [evaluation.accuracy(prompts, SCALE, PROMPTS) for prompts in PROMPT_SETS[:1]]
    return rows, time.perf_counter() - start
