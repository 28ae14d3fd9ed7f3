"""What can leave the panel: curves, tables, experiments, the world's picture, an episode as a film, the script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from studio.host.export import Exportable, Picture
from studio.host.request import RequestError
from studio.ml.rl.learner import Episode
from studio_plugins.rl import curve_sharing
from studio_plugins.rl.drawing import Manner, still
from studio_plugins.rl.film import Reel, animation
from studio_plugins.rl.keeping import request_of
from studio_plugins.rl.plans import is_on_policy
from studio_plugins.rl.script import script
from studio_plugins.rl.sweep_page import sweep_exportables
from studio_plugins.rl.tile import COLOURS

if TYPE_CHECKING:
    from studio_plugins.rl.panel import RlPanel
    from studio_plugins.rl.request import RlRequest

_SCHEMA = 1


def exportables(panel: RlPanel) -> list[Exportable]:
    """Everything there is to export now. Only plots are drawn by the window; all else is made in another thread."""
    stage, found = panel.stage, list[Exportable]()
    if panel.desk.views:
        found += curve_sharing.curve_exportables(stage.curves, panel.lines.measured)
        found += curve_sharing.insight_exportables(panel.insight.table)
    found += curve_sharing.experiment_exportables(stage.experiment)
    found += curve_sharing.offpolicy_exportables(stage.judge)
    found += sweep_exportables(stage.sweep)
    index = panel.theatre.chosen
    view = panel.desk.views.get(index)
    if view is not None and index < len(panel.desk.seats):
        letter = panel.desk.seats[index].letter
        found.append(Exportable(f"world of run {letter}", "image", _picture(panel, index, view)))
        if (reel := reel_of(panel)) is not None:
            found.append(Exportable(reel.title, "animation", lambda: animation(reel)))
    try:
        request = panel.controls.request()
    except RequestError:
        return found  # what is in the controls makes no training, and so no script
    return [*found, Exportable("script", "script", lambda: script(request))]


def reel_of(panel: RlPanel, episode: Episode | None = None) -> Reel | None:
    """How to draw an episode of the chosen run: this one, else the one watched again, else the best."""
    index = panel.theatre.chosen
    view = panel.desk.views.get(index)
    if view is None or index >= len(panel.desk.seats):
        return None
    watched = panel.stage.replay.episode if panel.stage.play.watching == "replay" else None
    found = episode or watched or view.best
    if found is None:
        return None
    title = f"episode {found.number} of run {panel.desk.seats[index].letter}"
    return Reel(title, view.plan.world, found, view.look.table, manner_of(panel, index, view))


def manner_of(panel: RlPanel, index: int, view: Any) -> Manner:
    """How the stage draws a run now."""
    return Manner(panel.stage.overlays.overlays, COLOURS[index], not is_on_policy(view.plan))


def _picture(panel: RlPanel, index: int, view: Any) -> Any:
    """The world as the last look found it, with the settings of its run inside."""
    manner, request = manner_of(panel, index, view), request_of(view.plan)
    return lambda: Picture(still(view.look, manner), _told(request))


def _told(request: RlRequest) -> dict[str, Any]:
    return {"schema": _SCHEMA, "kind": request.kind, "request": request.to_dict()}
