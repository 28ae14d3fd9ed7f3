"""`glassbox screenshots DIR`: every panel in its demo state, in both themes, without a screen."""

from __future__ import annotations

import argparse
import os

from studio.cli.errors import CommandError


def main(options: argparse.Namespace) -> int:
    # Pictures must not depend on the desktop they are made on; a person may still choose another platform.
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    try:
        options.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"{options.folder} cannot be made ({error.strerror}). Choose another folder.") from error
    from studio.app import screenshots

    for path in screenshots(options.folder, data_dir=options.data_dir):
        print(path)
    return 0
