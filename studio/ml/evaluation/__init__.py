"""Measuring the bundled models: an oracle that reads pictures, a judge that compares, figures of merit."""

from __future__ import annotations

from collections.abc import Sequence


def main(argv: Sequence[str]) -> int:
    """`glassbox evaluate`; see `studio.ml.evaluation.command`."""
    from studio.ml.evaluation import command

    return command.main(argv)
