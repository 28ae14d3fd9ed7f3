"""`glassbox evaluate MODEL`: print what a bundled text-to-image model can do, as the oracle sees it."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from studio.ml.diffusion.glide import load_text2im
from studio.ml.diffusion.sampling import DEFAULT_STEPS, Sampling
from studio.ml.diffusion.weights import WeightsError
from studio.ml.evaluation.emoji import PROMPT_SETS, Accuracy, Evaluation, Spread
from studio.ml.evaluation.oracle import load_oracle
from studio.resources import resource


def main(argv: Sequence[str]) -> int:
    """Parse the arguments, measure, print a table in Markdown; 0 on success, 2 with a message otherwise."""
    parser = argparse.ArgumentParser(prog="glassbox evaluate", description="Measure a bundled text-to-image model.")
    parser.add_argument("model", help="name of a bundled model, or a model folder")
    parser.add_argument("--oracle", type=Path, help="folder of the oracle (default: the bundled emoji-oracle)")
    parser.add_argument("--count", type=int, default=500, help="prompts per figure (default 500)")
    parser.add_argument("--scales", type=float, nargs="+", default=[1.0, 2.0, 3.0, 5.0], help="guidance scales to sweep")
    parser.add_argument("--sampler", choices=list(DEFAULT_STEPS), default="dpmpp_2m")
    parser.add_argument("--steps", type=int, help="network evaluations (default: what suits the sampler)")
    parser.add_argument("--sets", nargs="+", metavar="WORDS", help="only prompt sets whose name contains one of these")
    parser.add_argument("--no-spread", action="store_true", help="leave diversity and Frechet distance out")
    parser.add_argument("--card", action="store_true", help="also write the figures into the model's card")
    options = parser.parse_args(argv)
    try:
        folder = Path(options.model) if Path(options.model).is_dir() else resource("models", options.model)
        model = load_text2im(folder)
        oracle = load_oracle(options.oracle or resource("models", "emoji-oracle"))
        evaluation = Evaluation(model, oracle, Sampling(options.sampler, options.steps))
        lines = []
        for line in _report(evaluation, options):
            print(line, flush=True)
            lines.append(line)
        if options.card:
            _write_card(folder / "MODEL_CARD.md", lines)
    except (WeightsError, FileNotFoundError, ValueError) as error:
        print(f"glassbox evaluate: {error}", file=sys.stderr)
        return 2
    return 0


def _report(evaluation: Evaluation, options: argparse.Namespace) -> Iterator[str]:
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
    return f"| {row.prompts} | {row.scale:g} | **{row.share:.1%}** | {row.low:.1%} to {row.high:.1%} | {shares} | {seconds:.2f} |"


def _spread_row(row: Spread) -> str:
    return f"| {row.scale:g} | {row.diversity:.2f} | {row.real_diversity:.2f} | {row.frechet:.2f} | {row.real_frechet:.2f} |"


_HEADING = "## Measured quality"


def _write_card(card: Path, lines: Sequence[str]) -> None:
    """Replace the card's section of figures, or add it at the end."""
    text = card.read_text(encoding="utf-8") if card.exists() else ""
    before, _, rest = text.partition(_HEADING)
    after = rest[rest.index("\n## ") + 1 :] if "\n## " in rest else ""
    section = "\n".join([_HEADING, "", *lines, "", ""])
    card.write_text(before.rstrip() + "\n\n" + section + after, encoding="utf-8")
