"""The example of the manual's pictures: a real run of the bundled model, kept in this folder as `demo.npz`.

`python -m studio_plugins.generate.demo` draws it anew (after the bundled model has changed).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from studio_plugins.generate.request import GenerateRequest
from studio_plugins.generate.trajectory import Trajectory

if TYPE_CHECKING:
    from studio_plugins.generate.controls import Controls
    from studio_plugins.generate.on_stage import OnStage

FILE = Path(__file__).with_name("demo.npz")
REQUEST = GenerateRequest(seed=7, batch=4)


def show(shown: OnStage, controls: Controls) -> None:
    """Show the example as if it had just been drawn; only the controls when the file is not there."""
    controls.show_request(REQUEST)
    if FILE.is_file():
        shown.show_example(REQUEST, Trajectory.read(FILE))


def draw(path: Path = FILE) -> None:
    """Draw the example with the bundled model and write its steps."""
    from studio.engine import run_inline
    from studio_plugins.generate.jobs import live

    result = run_inline(live, REQUEST)
    path.write_bytes(result.steps.to_npz())


if __name__ == "__main__":
    draw()
