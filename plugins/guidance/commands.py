"""The panel's named commands, for the menu and the palette."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from studio.host.commands import Command

if TYPE_CHECKING:
    from studio_plugins.guidance.panel import GuidancePanel


def register_commands(panel: GuidancePanel) -> None:
    """Offer everything the panel can do by name; closing the panel takes them back."""
    columns = panel.columns

    def something() -> bool:
        return panel.shown.request is not None

    offered: tuple[tuple[str, str, Callable[[], Any], Callable[[], bool] | None], ...] = (
        ("run", "Compare the columns", panel.compare, None),
        ("cancel", "Cancel the comparison", panel.desk.cancel, panel.run_bar.cancel.isEnabled),
        ("fork", "Fork the chosen column from the step shown", panel.fork, panel.controls.bar.fork.isEnabled),
        ("add", "Add a column", columns.add, lambda: not columns.full),
        ("duplicate", "Duplicate the chosen column", columns.duplicate, lambda: not columns.full),
        ("remove", "Remove the chosen column", columns.remove, lambda: len(columns.all) > 1),
        ("fit", "Show whole pictures", panel.stage.table.fit, something),
        ("save", "Save the table as a picture…", panel.save_table, something),
        ("copy", "Copy the chosen column's picture", panel.copy, something),
        ("script", "Copy as Python", panel.copy_script, None),
        ("models", "Look for new models", panel.look_again, None),
    )
    for name, text, callback, enabled in offered:
        panel.context.commands.register(
            Command(f"guidance.{name}", text, callback, category="Guidance lab", enabled=enabled)
        )
