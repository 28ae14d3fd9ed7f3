"""`glassbox`: open the window."""

from __future__ import annotations

import argparse
import os
import sys

from studio.cli.errors import CommandError


def check_display() -> None:
    """Qt aborts the process where there is no screen; say so first. Raises CommandError."""
    asked = os.environ.get("QT_QPA_PLATFORM", "")
    if sys.platform.startswith("linux") and not asked and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise CommandError(
            "there is no screen here (neither DISPLAY nor WAYLAND_DISPLAY is set). Start it on a desktop, or use the commands "
            "that need none: glassbox run, train, evaluate, models (see glassbox --help)"
        )


def main(options: argparse.Namespace) -> int:
    check_display()
    from studio.app import main as open_window

    return int(open_window(data_dir=options.data_dir, safe=options.safe, theme=options.theme))
