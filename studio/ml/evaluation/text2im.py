"""The table of a text-to-image model: prompt accuracy, diversity and Frechet distance by guidance scale."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

from studio.ml.diffusion.glide import load_text2im
from studio.ml.diffusion.sampling import DEFAULT_STEPS, Sampling
from studio.ml.evaluation.emoji import PROMPT_SETS, Accuracy, Evaluation, Spread
from studio.ml.evaluation.oracle import load_oracle
from studio.resources import resource


def report(folder: Path, options: argparse.Namespace) -> Iterator[str]:
    """Markdown lines, as they are measured."""
    model = load_text2im(folder)
    oracle = load_oracle(options.oracle or resource("models", "emoji-oracle"))
    evaluation = Evaluation(model, oracle, Sampling(options.sampler, options.steps))
    steps = options.steps or DEFAULT_STEPS[options.sampler]
    yield f"Sampler {options.sampler}, {steps} steps; {options.count} prompts a figure, fixed seeds, 95 % intervals. "
    yield "A picture counts when the oracle finds everything that was asked for and nothing else."
    yield ""
    yield "| prompts | scale | all right | interval | nouns | background | relation | size | s/picture |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for prompts in PROMPT_SETS:
        if options.sets and not any(word in prompts.name for word in options.sets):
            continue
        for scale in options.scales:
            started = time.perf_counter()
            row = evaluation.accuracy(prompts, scale, options.count)
            yield _accuracy_row(row, (time.perf_counter() - started) / options.count)
    if not options.no_spread:
        yield ""
        yield "| scale | diversity | of renders | Frechet distance | of renders |"
        yield "|---|---|---|---|---|"
        for scale in options.scales:
            yield _spread_row(evaluation.spread(scale))


def _accuracy_row(row: Accuracy, seconds: float) -> str:
    shares = " | ".join(f"{value:.1%}" for value in (row.nouns, row.background, row.relation, row.size))
    interval = f"{row.low:.1%} to {row.high:.1%}"
    return f"| {row.prompts} | {row.scale:g} | **{row.share:.1%}** | {interval} | {shares} | {seconds:.2f} |"


def _spread_row(row: Spread) -> str:
    measured = f"{row.diversity:.2f} | {row.real_diversity:.2f} | {row.frechet:.2f} | {row.real_frechet:.2f}"
    return f"| {row.scale:g} | {measured} |"
