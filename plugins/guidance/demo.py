"""The example of the manual's pictures: a real run of the bundled models, kept in this folder.

`python -m studio_plugins.guidance.demo` draws it anew (after a bundled model has changed).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from studio_plugins.guidance.request import GuidanceRequest
from studio_plugins.guidance.results import ColumnRun, Comparison
from studio_plugins.guidance.trajectory import read, to_npz

if TYPE_CHECKING:
    from studio_plugins.guidance.controls import Controls
    from studio_plugins.guidance.on_stage import Shown

STEPS, FIGURES = (Path(__file__).with_name(name) for name in ("demo.npz", "demo.json"))
REQUEST = GuidanceRequest(steps=12)


def show(shown: Shown, controls: Controls) -> None:
    """Show the example as if it had just been drawn; only the controls when its files are not there."""
    controls.show_request(REQUEST)
    if STEPS.is_file() and FIGURES.is_file():
        stored = json.loads(FIGURES.read_text(encoding="utf-8"))
        request = GuidanceRequest.checked(**stored["request"])
        controls.show_request(request)
        columns = zip(stored["columns"], read(STEPS), strict=True)
        runs = tuple(ColumnRun.of_summary(figures, steps, steps[-1].picture) for figures, steps in columns)
        shown.show(Comparison(request, runs))


def draw() -> None:
    """Draw the example with the bundled models and write its steps and figures."""
    from studio.engine import run_inline
    from studio_plugins.guidance.jobs import compare

    done = run_inline(compare, REQUEST)
    figures = {"request": done.request.to_dict(), "columns": [run.summary() for run in done.columns]}
    STEPS.write_bytes(to_npz([run.steps for run in done.columns], exact=False))
    FIGURES.write_text(json.dumps(figures, indent=1), encoding="utf-8")


if __name__ == "__main__":
    draw()
