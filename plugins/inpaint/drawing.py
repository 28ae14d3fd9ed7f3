"""A run put to work: steps out, what the person is shown of each, and what came of it. On the engine's thread."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from studio.engine import Event, Metric, Preview, Progress, Snapshot
from studio.host.pictures import Pixels
from studio_plugins.inpaint.painters import Painted
from studio_plugins.inpaint.preparing import Run
from studio_plugins.inpaint.results import Cost, Filled, kept_steps

if TYPE_CHECKING:
    from studio.ml.diffusion.seams import Seam
    from studio.ml.diffusion.views import View

PREVIEW_SIDE = 512


class OnPicture:
    """The region of a picture at a size for the screen, with what is being drawn in its place."""

    def __init__(self, run: Run) -> None:
        from studio.ml.diffusion.regions import Region, flat, resampled

        region, view = run.view.region, run.view
        side = min(region.side, PREVIEW_SIDE)
        self._under = resampled(flat(region.cut(run.inputs.picture)), side)
        self._composite = resampled(view.composite, side)
        self._region = Region(0, 0, side, side)

    def __call__(self, patches: Pixels) -> Pixels:
        """Patches [N, m, m, 3] -> the region with each of them, [N, side, side, 3]."""
        from studio.ml.diffusion.compositing import paste_back

        return np.stack([paste_back(self._under, patch, self._region, self._composite) for patch in patches])


def fill(run: Run, *, label: str = "") -> Generator[Event, None, Filled]:
    """Draw the variants of a run.

    Yields per step: Progress over both stages, Preview of the region with x0 in it, Metric "guidance" (mean of
    ‖ε(x|y) − ε(x|∅)‖) and "seam" (mean jump across the border of the drawn cells, in levels of 255), and Snapshot
    "step <i>" (Painted). label: what the names of all these begin with, where several runs are told apart.
    """
    seams: tuple[Seam, ...] = ()
    cost, steps, shown = Cost(), [], OnPicture(run)
    painted = _stages(run)
    while True:
        begin = time.perf_counter()
        step = next(painted, None)
        if step is None:
            break
        cost = cost.after(step, time.perf_counter() - begin)
        steps.append(replace(step, pictures=None))
        if step.pictures is not None and step.stage == "base":
            seams = tuple(seams_of(step.pictures, run.view))
        yield Progress(cost.steps, cost.steps + _to_come(step, run), f"{label}{_words(step, run)}")
        yield from _events(step, run.view, shown, cost.steps, label)
        last = step
    assert last.pictures is not None
    return Filled(last.pictures, seams, cost, kept_steps(steps))


def seams_of(pictures: Pixels, view: View) -> Iterator[Seam]:
    """The seam of each picture [N, n, n, 3] of a view, against what was there before."""
    from studio.ml.diffusion.seams import seam_of

    for picture in pictures:
        yield seam_of(picture, view.drawn, view.truth, view.known)


def _stages(run: Run) -> Iterator[Painted]:
    """Steps of the painter, its pictures matched in colour, then those of what enlarges them."""
    for step in run.painter.paint(run.view, run.request):
        if step.pictures is not None:
            step = replace(step, pictures=_matched(step.pictures, run))
        yield step
    if run.enlarger is not None and step.pictures is not None:
        yield from run.enlarger.enlarge(step.pictures, run.request)


def _matched(pictures: Pixels, run: Run) -> Pixels:
    from studio.ml.diffusion.compositing import colour_matched

    view, how = run.view, run.request.colour_match
    return np.stack([colour_matched(picture, view.truth, view.drawn, view.ring, how) for picture in pictures])


def _events(step: Painted, view: View, shown: OnPicture, done: int, label: str) -> Iterator[Event]:
    pictures = step.x0 if step.pictures is None else step.pictures
    if pictures is not None:
        yield Preview(shown(pictures), label.strip(" :"))
        if pictures.shape[1:3] == view.drawn.shape and not view.all_drawn:
            yield Metric(f"{label}seam", done, float(np.mean([seam.jump for seam in seams_of(pictures, view)])))
    if step.guidance is not None:
        yield Metric(f"{label}guidance", done, step.guidance)
    yield Snapshot(f"{label}step {done - 1}", replace(step, pictures=None))


def _to_come(step: Painted, run: Run) -> int:
    """Steps after this one, of this stage and the next."""
    second = run.enlarger.steps if run.enlarger is not None and step.stage == "base" else 0
    return step.total - step.done + second


def _words(step: Painted, run: Run) -> str:
    where = f"step {step.done} of {step.total}"
    if run.enlarger is None:
        return where
    return f"{'enlarging' if step.stage == 'upsample' else 'drawing small'}, {where}"
