"""`glassbox evaluate MODEL`: measure a model that ships with the studio and print its table, whatever its kind."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from studio.ml.diffusion.model_folder import parse_config
from studio.ml.diffusion.sampling import DEFAULT_STEPS
from studio.ml.diffusion.weights import WeightsError
from studio.resources import resource


class MeasuredConfig(BaseModel):
    """The part of config.json that says how a model is measured."""

    model_config = ConfigDict(frozen=True, extra="allow")

    kind: Literal[
        "text2im", "upsample", "inpaint", "clip", "classifier", "oracle", "vision", "causal", "encoder-decoder"
    ]

    @property
    def module(self) -> str:
        """The module whose `report(folder, options)` measures it."""
        return f"studio.ml.evaluation.{'reading' if self.kind == 'oracle' else self.kind.replace('-', '_')}"


def main(argv: Sequence[str]) -> int:
    """Parse the arguments, measure, print a table in Markdown; 0 on success, 2 with a message otherwise."""
    parser = argparse.ArgumentParser(prog="glassbox evaluate", description="Measure a bundled model.")
    parser.add_argument("model", help="name of a bundled model, or a model folder")
    parser.add_argument("--oracle", type=Path, help="folder of the oracle (default: the bundled emoji-oracle)")
    parser.add_argument("--count", type=int, default=500, help="trials per figure (default 500)")
    parser.add_argument("--card", action="store_true", help="also write the figures into the model's card")
    drawing = parser.add_argument_group("models that draw from a prompt")
    drawing.add_argument(
        "--scales", type=float, nargs="+", default=[1.0, 2.0, 3.0, 5.0], help="guidance scales to sweep"
    )
    drawing.add_argument("--sampler", choices=list(DEFAULT_STEPS), default="dpmpp_2m")
    drawing.add_argument("--steps", type=int, help="network evaluations (default: what suits the sampler)")
    drawing.add_argument(
        "--sets", nargs="+", metavar="WORDS", help="only prompt sets whose name contains one of these"
    )
    drawing.add_argument("--no-spread", action="store_true", help="leave diversity and Frechet distance out")
    options = parser.parse_args(argv)
    try:
        folder = Path(options.model) if Path(options.model).is_dir() else resource("models", options.model)
        measure = import_module(parse_config(folder, MeasuredConfig).module)
        lines = []
        for line in measure.report(folder, options):
            print(line, flush=True)
            lines.append(line)
        if options.card:
            _write_card(folder / "MODEL_CARD.md", lines)
    except (WeightsError, FileNotFoundError, ValueError) as error:
        print(f"glassbox evaluate: {error}", file=sys.stderr)
        return 2
    return 0


_HEADING = "## Measured quality"


def _write_card(card: Path, lines: Sequence[str]) -> None:
    """Replace the card's section of figures, or add it at the end."""
    text = card.read_text(encoding="utf-8") if card.exists() else ""
    before, _, rest = text.partition(_HEADING)
    after = rest[rest.index("\n## ") + 1 :] if "\n## " in rest else ""
    section = "\n".join([_HEADING, "", *lines, "", ""])
    card.write_text(before.rstrip() + "\n\n" + section + after, encoding="utf-8")
