"""`python -m studio` and the `glassbox` command. Imports nothing heavy: the window shows before torch is loaded."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (default: sys.argv) and return the exit code: 0 done, 1 failed, 2 misused, 130 interrupted."""
    from studio.cli import main as command_line

    return command_line(list(sys.argv[1:] if arguments is None else arguments))


if __name__ == "__main__":
    sys.exit(main())
