"""What can leave the panel: pictures, grid, animation, curves, script."""

from __future__ import annotations

from math import nan
from typing import Any

import numpy as np

from studio.host.export import Animation, Exportable, ExportError, Picture, Table
from studio.host.imagemeta import envelope
from studio.host.pictures import Pixels, enlarge, labelled_grid, tile
from studio_plugins.generate.insight import Insight
from studio_plugins.generate.keeping import parameters_text
from studio_plugins.generate.on_stage import OnStage
from studio_plugins.generate.script import script
from studio_plugins.generate.stage import Stage
from studio_plugins.generate.sweep_labels import sweep_labels
from studio_plugins.generate.trajectory import SERIES, StepData

GIF_SIDE = 384


def exportables(shown: OnStage, stage: Stage, insight: Insight) -> list[Exportable]:
    """Everything there is to export now. Values are taken now, so that writing needs no widget (plots excepted)."""
    found: list[Exportable] = []
    request = shown.request
    pictures = stage.pictures()
    if stage.count:
        found.append(picture(shown, stage, stage.current))
        if shown.sweep is not None:
            cells, sweep = list(pictures), shown.sweep
            glassbox = envelope(sweep.kind, sweep.to_dict(), shown.provenance)
            found.append(
                Exportable("grid", "image", lambda: Picture(labelled_grid(cells, sweep_labels(sweep)), glassbox))
            )
        elif len(pictures) > 1 and request is not None:
            glassbox = envelope(request.kind, request.to_dict(), shown.provenance)
            found.append(Exportable("all pictures", "image", lambda: Picture(tile(pictures), glassbox)))
    if stage.steps and request is not None:
        steps = list(stage.steps)
        found.append(Exportable("animation of the steps", "animation", lambda: animation(steps, noisy=False)))
        if stage.knows_noisy:
            found.append(Exportable("animation of the noise", "animation", lambda: animation(steps, noisy=True)))
        if not request.public:  # whose predictions are not known
            found += [
                Exportable("norms per step", "table", lambda: step_table(steps)),
                Exportable("norms plot", "plot", insight.norms.plot_item),
                Exportable("cosine plot", "plot", insight.cosine.plot_item),
            ]
    if request is not None:
        made = shown.provenance
        found.append(Exportable("script", "script", lambda: script(request, made)))
    return found


def picture(shown: OnStage, stage: Stage, index: int) -> Exportable:
    """One picture as it is shown; the result itself carries its settings, a step on the way does not."""
    pictures = stage.pictures()
    if not 0 <= index < len(pictures):
        raise ExportError("There is no picture yet. Press Generate first.")
    pixels: Pixels = np.array(pictures[index])
    request = shown.settings_of(index)
    if request is None or not stage.at_end:
        step = stage.step
        return Exportable(f"step {step.index + 1}" if step else "picture", "image", lambda: Picture(pixels))
    own = 0 if shown.sweep is not None else index
    made = {**shown.provenance, "picture": own, "seed": request.seed + own}
    text = parameters_text(request, (pixels.shape[1], pixels.shape[0]), own)
    data = Picture(pixels, envelope(request.kind, request.to_dict(), made), text)
    return Exportable(request.condition.strip()[:50] or "picture", "image", lambda: data)


def animation(steps: list[StepData], *, noisy: bool) -> Animation:
    """x0 (or x_t) of all steps, the batch side by side, enlarged."""
    side = max(step.x0.shape[1] for step in steps)  # the second stage's, where there is one
    frames = [tile(enlarge(step.noisy if noisy else step.x0, side // step.x0.shape[1])) for step in steps]
    factor = max(1, GIF_SIDE // max(frames[0].shape[:2]))
    return Animation(enlarge(np.stack(frames), factor), fps=max(4.0, min(25.0, len(frames) / 3)), hold=1.5)


def step_table(steps: list[StepData]) -> Table:
    """One row per step and picture."""
    stages = len({step.stage for step in steps}) > 1
    names = list(dict.fromkeys([*SERIES, *(name for step in steps for name in step.numbers())]))
    rows: list[dict[str, Any]] = []
    for step in steps:
        for picture in range(step.norms.shape[1]):
            row = {"step": step.index + 1, "t": step.t, "alpha_bar": step.alpha_bar, "picture": picture + 1}
            found = step.numbers(picture)
            rows.append({"stage": step.stage, **row, **{name: found.get(name, nan) for name in names}})
    return Table({name: [row[name] for row in rows] for name in rows[0] if stages or name != "stage"})
