"""A progress bar for a terminal, and single lines where there is none."""

from __future__ import annotations

import shutil
from typing import TextIO

WIDTH = 24


def duration(seconds: float) -> str:
    """`3 s`, `2:05`, `1:02:03`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"


class Bar:
    """Draws what / how far / how long to go over one line of `stream`; silent when `shown` is False or it is no terminal."""

    def __init__(self, stream: TextIO, shown: bool = True) -> None:
        self.stream = stream
        self.shown = shown and stream.isatty()
        self._width = 0

    def draw(self, done: float, total: float, text: str = "", eta: float | None = None) -> None:
        """Show `done` of `total` (any unit; a total of 0 means unknown)."""
        if not self.shown:
            return
        share = min(1.0, max(0.0, done / total)) if total > 0 else 0.0
        full = round(share * WIDTH)
        left = f"  {duration(eta)} to go" if eta is not None else ""
        line = f"{'█' * full}{'·' * (WIDTH - full)} {share:4.0%}  {text}{left}"
        line = line[: shutil.get_terminal_size().columns - 1]
        self.stream.write("\r" + line.ljust(self._width))
        self.stream.flush()
        self._width = len(line)

    def clear(self) -> None:
        """Wipe the line, so that ordinary text may follow."""
        if self.shown and self._width:
            self.stream.write("\r" + " " * self._width + "\r")
            self.stream.flush()
            self._width = 0
