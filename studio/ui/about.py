"""Help pages that are written when they are opened: shortcuts and About."""

from __future__ import annotations

import platform

from PySide6.QtCore import qVersion
from PySide6.QtGui import QKeySequence

from studio import __version__
from studio.ui.help_dock import Topic
from studio.ui.services import Services


def about_topics(services: Services) -> list[Topic]:
    """Keyboard shortcuts and About, for the Help dock."""
    return [
        Topic("shortcuts", "Keyboard shortcuts", lambda: shortcuts_page(services)),
        Topic("about", "About Glassbox Studio", lambda: about_page(services)),
    ]


def shortcuts_page(services: Services) -> str:
    """Every command with a shortcut, by category, then the keys of pictures and timelines."""
    lines = ["# Keyboard shortcuts", ""]
    commands = sorted((c for c in services.commands if c.shortcut), key=lambda c: (c.category, c.title))
    for category in dict.fromkeys(c.category.partition("/")[0] for c in commands):
        lines += ["", f"### {category or 'Everywhere'}", "", "| | |", "|---|---|"]
        for command in (c for c in commands if c.category.partition("/")[0] == category):
            keys = QKeySequence(command.shortcut).toString(QKeySequence.SequenceFormat.NativeText)
            lines.append(f"| **{keys}** | {command.title} |")
    lines += [
        "", "### In a panel", "", "| | |", "|---|---|",
        "| **Ctrl+Enter** | The panel's main button |",
        "| **Tab**, **Shift+Tab** | Next, previous control |",
        "| **+**, **-**, **0** | Zoom a picture in, out, to fit |",
        "| **Arrows** | Move in a picture, a grid or a timeline |",
        "| **Space** | Play a timeline |",
        "| **Ctrl+C** | Copy the picture |",
    ]  # fmt: skip
    return "\n".join(lines)


def about_page(services: Services) -> str:
    """Version, system, device, folders."""
    engine = services.engine
    device = engine.device_info() if engine is not None else None
    rows = {
        "Version": __version__,
        "Python": platform.python_version(),
        "Qt": qVersion() or "",
        "System": platform.platform(terse=True),
        "Device": f"{device.name}, {device.dtype}" if device else "not started",
        "Data folder": str(services.paths.root),
    }
    table = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
    return (
        "# Glassbox Studio\n\nLook inside machine-learning models while they work.\n\n"
        f"| | |\n|---|---|\n{table}\n\n"
        "Free software under the MIT licence. It needs no account and sends nothing anywhere: "
        "see [Privacy](topic:privacy)."
    )
