"""The example of the manual's pictures: a real run of the bundled model, kept in this folder as `demo.npz`.

`python -m studio_plugins.tokens.demo` draws it anew (after the bundled model has changed).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from studio_plugins.tokens.request import TokensRequest
from studio_plugins.tokens.run import TokenRun

if TYPE_CHECKING:
    from studio_plugins.tokens.controls import Controls
    from studio_plugins.tokens.desk import Desk

FILE = Path(__file__).with_name("demo.npz")
REQUEST = TokensRequest(steps=10, heads="mean")


def show(desk: Desk, controls: Controls) -> None:
    """Show the example as if it had just been drawn; only the controls when the file is not there."""
    controls.form.set_value(REQUEST)
    if FILE.is_file():
        desk.show_example(REQUEST, TokenRun.read(FILE))


def draw(path: Path = FILE) -> None:
    """Draw the example with the bundled model and write its maps."""
    from studio.engine import run_inline
    from studio_plugins.tokens.jobs import live

    path.write_bytes(run_inline(live, REQUEST).run.to_npz())


if __name__ == "__main__":
    draw()
