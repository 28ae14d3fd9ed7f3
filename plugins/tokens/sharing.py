"""What can leave the panel: the picture with a map, all maps side by side, the animation, the numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from studio.host.export import Animation, Exportable, Picture, Table
from studio.host.imagemeta import envelope
from studio.host.pictures import tile
from studio.ml.diffusion.attention_maps import View
from studio_plugins.tokens.desk import Desk
from studio_plugins.tokens.insight import Insight
from studio_plugins.tokens.looking import Look
from studio_plugins.tokens.painting import overlay, strip
from studio_plugins.tokens.results import parameters_text
from studio_plugins.tokens.run import TokenRun
from studio_plugins.tokens.script import script
from studio_plugins.tokens.stage import Stage


def exportables(desk: Desk, stage: Stage, insight: Insight) -> list[Exportable]:
    """Everything there is to export now. Values are taken now, so that writing needs no widget (plots excepted)."""
    run, request = stage.run, desk.request
    if run is None or request is None or stage.step is None:
        return []
    made = desk.result.provenance if desk.result is not None else {}
    glassbox: Mapping[str, Any] = envelope(request.kind, request.to_dict(), made)
    painted, clean, row, look = stage.painted(), stage.clean(), stage.row, stage.look_bar.look
    sheet, view, name = (clean, stage.maps(), stage.headings(), _title(stage)), stage.view_of(None), run.plan.names[row]
    found = [
        Exportable(f"map of {name}", "image", lambda: Picture(painted, glassbox)),
        Exportable("maps of all words", "image", lambda: Picture(strip(*sheet), glassbox)),
        Exportable(f"animation of {name}", "animation", lambda: animation(run, row, look, view)),
        Exportable("shares step by step", "table", lambda: step_table(run, view)),
        Exportable("shares layer by layer", "table", lambda: layer_table(run)),
        Exportable("words and padding plot", "plot", insight.totals.plot_item),
        Exportable("each word plot", "plot", insight.tokens.plot_item),
        Exportable("script", "script", lambda: script(request, made)),
    ]
    if desk.result is not None:
        picture = desk.result.picture
        text = parameters_text(request, picture)
        found.insert(0, Exportable("picture", "image", lambda: Picture(picture, glassbox, text)))
    return found


def animation(run: TokenRun, row: int, look: Look, view: View) -> Animation:
    """Every step: the picture as it forms, and beside it one word's map; one colour scale for all steps."""
    maps = [run.attention.shares(View(i, view.layer, view.head))[row] for i in range(len(run.steps))]
    top = max(float(share.max()) for share in maps)
    frames = [
        tile(np.stack([overlay(step.x0, share, top, opacity, smooth=look.smooth) for opacity in (0.0, look.opacity)]))
        for step, share in zip(run.steps, maps, strict=True)
    ]
    return Animation(np.stack(frames), fps=max(4.0, min(25.0, len(frames) / 3)), hold=1.5)


def step_table(run: TokenRun, view: View) -> Table:
    """One row per step: its number, t, and the shares of each token, of padding and of the picture."""
    course = run.attention.course(view)
    columns: dict[str, Any] = {
        "step": [step.maps.index + 1 for step in run.steps],
        "t": [step.maps.t for step in run.steps],
    }
    return Table(columns | {label: course[:, i].tolist() for i, label in enumerate(run.plan.labels)})


def layer_table(run: TokenRun) -> Table:
    """One row per layer, mean of all steps and heads."""
    layers = run.plan.layers
    masses = np.stack([run.attention.masses(View(layer=i)) for i in range(len(layers))])
    columns: dict[str, Any] = {
        "layer": [layer.name for layer in layers],
        "height": [layer.height for layer in layers],
        "width": [layer.width for layer in layers],
        "heads": [layer.heads for layer in layers],
    }
    return Table(columns | {label: masses[:, i].tolist() for i, label in enumerate(run.plan.labels)})


def _title(stage: Stage) -> str:
    """What the small maps are of."""
    run, bar = stage.run, stage.look_bar
    assert run is not None and stage.step is not None
    maps = stage.step.maps
    when = f"mean of {len(run.steps)} steps" if bar.look.every_step else f"step {maps.index + 1}, t = {maps.t}"
    where = [bar.layers.currentText().lower(), *([bar.heads.currentText().lower()] if bar.look.layer >= 0 else [])]
    return f"Share of attention: {', '.join([*where, when])}"
