"""The panel's named commands, for the menu and the palette."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from studio.host.commands import Command

if TYPE_CHECKING:
    from studio_plugins.generate.panel import GeneratePanel


def register_commands(panel: GeneratePanel) -> None:
    """Offer everything the panel can do by name; closing the panel takes them back."""
    desk, stage, outlet = panel.desk, panel.stage, panel.outlet

    def something() -> bool:
        return stage.count > 0

    offered: tuple[tuple[str, str, Callable[[], Any], Callable[[], bool] | None], ...] = (
        ("run", "Generate a picture", panel.generate, None),
        ("next", "Generate next, before what waits", lambda: panel.generate(front=True), None),
        ("instead", "Generate instead of what runs and waits", lambda: panel.generate(instead=True), None),
        ("cancel", "Cancel what is being drawn", desk.cancel, panel.run_bar.cancel.isEnabled),
        ("variations", "Draw variations of this picture", panel.variations, something),
        ("sweep", "Draw the grid of a sweep", panel.run_sweep, None),
        ("live", "Live mode on or off", panel.run_bar.live.toggle, None),
        ("save", "Save this picture as…", outlet.save_as, something),
        ("copy", "Copy this picture", outlet.copy, something),
        ("script", "Copy as Python", panel.copy_script, None),
        ("open_model", "Open a model…", panel.opening.ask, None),
        ("open_model_folder", "Open a model folder…", lambda: panel.opening.ask(folder=True), None),
        ("models", "Look for new models", panel.opening.look_again, None),
        ("clear_prompts", "Forget earlier prompts", panel.forget_prompts, lambda: bool(panel.prompts.prompts)),
    )
    for name, text, callback, enabled in offered:
        panel.context.commands.register(
            Command(f"generate.{name}", text, callback, category="Generate", enabled=enabled)
        )
