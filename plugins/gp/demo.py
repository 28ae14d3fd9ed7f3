"""The example of the manual's pictures: one point that is trusted less, really fitted and conditioned when asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from studio_plugins.gp import answers
from studio_plugins.gp.examples import EXAMPLES

if TYPE_CHECKING:
    from studio_plugins.gp.panel import GpPanel

SAMPLES = 4


def show(panel: GpPanel) -> None:
    """Fit the example here and now, without the engine; it takes some tenths of a second."""
    from studio.ml.gp.fitting import completed, fit

    scene = EXAMPLES["trust"].scene()
    fitted = completed(fit(scene.model, scene.data))
    panel.document.start_with(scene.with_model(fitted.model))
    panel.stage.fit(scene.points)
    panel.view_bar.set_view(replace(panel.view_bar.view, samples=SAMPLES))
    panel.insight.show_fit(fitted)
    panel.show_now(answers.answer)
