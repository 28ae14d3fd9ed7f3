"""`glassbox new-plugin`: a working panel to start from."""

from __future__ import annotations

import argparse

from studio.cli.errors import CommandError


def main(options: argparse.Namespace) -> int:
    from studio.host.atomic import FileUnwritable
    from studio.host.paths import DataPaths
    from studio.host.scaffold import ScaffoldError, write_plugin

    own_folder = options.folder is None
    paths = DataPaths.default(options.data_dir)
    try:
        folder = write_plugin(options.name, paths.ensure().plugins if own_folder else options.folder)
    except (ScaffoldError, FileUnwritable) as error:
        raise CommandError(str(error)) from error
    print(folder)
    if own_folder:
        print("Switch on “plugins of your own” in the settings, then open the panel from the activity bar.")
    else:
        print(f"To use it, move the folder to {paths.plugins} and switch on “plugins of your own” in the settings.")
    return 0
