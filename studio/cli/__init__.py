"""The command line: one module a command, each imported only when it is used."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from studio.cli.errors import CommandError

OWN_PARSER = {"train": "studio.ml.training.command", "evaluate": "studio.ml.evaluation", "bench": "studio.cli.bench"}
"""Commands that read their own arguments: module with `main(arguments) -> int`."""

INTERRUPTED = 130


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; errors a person can act on become one line on stderr."""
    rest = list(arguments)
    try:
        if rest and rest[0] in OWN_PARSER:
            return own_parser(rest[0])(rest[1:])
        from studio.cli.parser import build_parser

        options = build_parser().parse_args(rest)
        return int(import_module(f"studio.cli.{options.module}").main(options))
    except CommandError as error:
        print(f"glassbox: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("glassbox: interrupted", file=sys.stderr)
        return INTERRUPTED


def own_parser(command: str) -> Callable[[list[str]], int]:
    """The `main` of a command that reads its own arguments. Raises CommandError where this installation lacks it."""
    name = OWN_PARSER[command]
    try:
        run: Callable[[list[str]], int] = import_module(name).main
    except ModuleNotFoundError as error:
        if error.name is None or not name.startswith(error.name):
            raise CommandError(f"“glassbox {command}” needs {error.name}. Install: pip install {error.name}") from error
        raise CommandError(f"this installation lacks “glassbox {command}”; install Glassbox Studio again") from error
    return run
