"""The panel's named commands, for the menu and the palette."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from studio.host.commands import Command
from studio_plugins.inpaint.looking import Way

if TYPE_CHECKING:
    from studio_plugins.inpaint.panel import InpaintPanel


def register_commands(panel: InpaintPanel) -> None:
    """Offer everything the panel can do by name; closing the panel takes them back."""
    document, versions, looking, painting = panel.document, panel.versions, panel.looking, panel.painting

    def picture() -> bool:
        return not document.is_empty

    def chosen() -> bool:
        return versions.current is not None

    def on_chosen(action: Callable[[Any], object]) -> Callable[[], object]:
        return lambda: action(versions.current) if versions.current is not None else None

    offered: tuple[tuple[str, str, Callable[[], Any], Callable[[], bool] | None], ...] = (
        ("paint", "Paint into the selection", painting.paint, picture),
        ("methods", "Compare the methods on this selection", painting.compare_methods, picture),
        ("cancel", "Cancel what is being drawn", panel.desk.cancel, panel.run_bar.cancel.isEnabled),
        ("open", "Open a picture or a document…", panel.intake.ask, None),
        ("paste", "Open the picture on the clipboard", panel.intake.paste, None),
        ("blank", "New blank picture", panel.intake.blank, None),
        ("example", "Try the example", panel.intake.example, None),
        ("save", "Save the document", panel.outlet.save, picture),
        ("save_as", "Save the document as…", panel.outlet.save_as, picture),
        ("export", "Export the picture…", panel.outlet.export_picture, picture),
        ("export_layers", "Export layers as OpenRaster…", panel.outlet.export_layers, picture),
        ("script", "Copy as Python", panel.outlet.copy_script, None),
        ("apply", "Apply this version as a layer", on_chosen(painting.apply), chosen),
        ("again", "Apply this version, and paint again on it", on_chosen(painting.paint_again), chosen),
        ("keep", "Keep this version, or do not", on_chosen(versions.keep), chosen),
        ("discard", "Discard this version", on_chosen(versions.discard), chosen),
        ("document", "Show the document without a version", partial(versions.choose, None), chosen),
        ("previous", "Previous version", partial(versions.step, -1), lambda: bool(versions.all)),
        ("next", "Next version", partial(versions.step, 1), lambda: bool(versions.all)),
        ("slider", "Compare by a slider", partial(looking.set_way, Way.SLIDER), chosen),
        ("beside", "Compare side by side", partial(looking.set_way, Way.BESIDE), chosen),
        ("blink", "Compare by blinking", partial(looking.set_way, Way.BLINK), chosen),
        ("over", "Show the version alone", partial(looking.set_way, Way.OVER), chosen),
        ("undo", "Undo on the canvas", panel.canvas.view.undo, document.undo.canUndo),
        ("redo", "Redo on the canvas", panel.canvas.view.redo, document.undo.canRedo),
        ("models", "Look for new models", panel.look_for_models, None),
    )
    for name, text, callback, enabled in offered:
        command = Command(f"inpaint.{name}", text, callback, category="Inpaint", enabled=enabled)
        panel.context.commands.register(command)
