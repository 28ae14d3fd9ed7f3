"""The arguments of every command, with nothing imported that a command itself needs."""

from __future__ import annotations

import argparse
from pathlib import Path

from studio import __version__

THEMES = ("light", "dark", "system")
EPILOG = """\
commands with options of their own (try --help after them):
  train RECIPE     train one of the bundled models again, or go on from a checkpoint
  evaluate MODEL   measure a bundled model
  bench            measure this machine and print every figure the studio promises

Without a command the window opens."""


def build_parser() -> argparse.ArgumentParser:
    """The parser of `glassbox`; the chosen command is `options.module`, a module of studio.cli."""
    parser = argparse.ArgumentParser(
        prog="glassbox", description="Look inside machine-learning models while they work.", epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter, parents=[_data()],
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"Glassbox Studio {__version__}")
    parser.add_argument("--safe", action="store_true", help="open the window with default layout and settings and without plugins of your own")
    parser.add_argument("--theme", choices=THEMES, help="colours of the window, this time only")
    parser.set_defaults(module="window", data_dir=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    run = commands.add_parser("run", parents=[_data()], help="make a result again from its request, without a window")
    run.add_argument("source", type=Path, metavar="REQUEST.json|IMAGE.png", help="a request, or a picture that carries one")
    run.add_argument("--out", type=Path, metavar="PATH", help="also copy what is made to this file or folder")
    run.add_argument("--device", metavar="DEVICE", help="auto, cpu, cuda, cuda:1, mps or xpu (default: as in the settings)")
    run.add_argument("--quiet", action="store_true", help="no progress bar")
    run.set_defaults(module="run")

    shots = commands.add_parser("screenshots", parents=[_data()], help="a picture of every panel in a demo state, in both themes")
    shots.add_argument("folder", type=Path, metavar="DIR")
    shots.set_defaults(module="screenshots")

    models = commands.add_parser("models", help="the models that ship with the studio")
    models.add_argument("--json", action="store_true", help="as JSON")
    models.set_defaults(module="models")

    plugin = commands.add_parser("new-plugin", parents=[_data()], help="write a working panel to start from")
    plugin.add_argument("name", metavar="NAME")
    plugin.add_argument("folder", type=Path, nargs="?", metavar="DIR", help="where (default: the studio's own plugin folder)")
    plugin.set_defaults(module="new_plugin")
    return parser


def _data() -> argparse.ArgumentParser:
    """--data-dir, before or after the command; one parser each, as a default set in one would be the default of all."""
    data = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    told = "folder for results, settings and plugins (default: yours, or $GLASSBOX_DATA_DIR)"
    data.add_argument("--data-dir", type=Path, metavar="DIR", help=told)
    return data
