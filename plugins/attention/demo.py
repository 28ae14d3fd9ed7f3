"""The example of the manual's pictures: a bundled model really reads a sentence, here and now."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from studio_plugins.attention.choices import Offer

if TYPE_CHECKING:
    from studio_plugins.attention.panel import AttentionPanel


def show(panel: AttentionPanel) -> None:
    """Read the first example of the first bundled model without the engine; it takes a second or two."""
    from studio.engine import JobContext, run_inline
    from studio_plugins.attention import jobs, quick
    from studio_plugins.attention.request import AttentionRequest

    offer = first_of(list(panel.controls.offers.values()))
    if offer is None:
        return
    panel.controls.form.set_fields({"model": offer.id, **panel.controls.example(offer), "takes": offer.takes})
    # With the engine's own models, so that the views can go on asking about what is read here.
    context = JobContext(device="cpu", models=panel.context.engine.models)
    request = AttentionRequest(model=offer.id, takes=offer.takes, **panel.controls.example(offer))
    if "target" in offer.takes:  # the whole text it writes, so that its maps have rows
        written = run_inline(jobs.write, request, context=context)
        read = written.read
    else:
        written, read = None, run_inline(jobs.read, request, context=context)
    values = read.statistics.values["induction"]  # the head that looks at what followed the same word before
    head = max(read.overview.heads, key=lambda key: -1.0 if math.isnan(values[key]) else values[key])
    found = run_inline(quick.head, quick.HeadOrder(read.overview.key, head), context=context)
    panel.desk.show_read(read, found)
    if written is not None:
        panel.stage.writing.finish(written.tokens, written.full)
    row = found.shape[0] - 1
    panel.sight.point(row, int(np.nanargmax(found.levels[0].values[row])), pin=True)
    order = quick.LinesOrder(read.overview.key, head, 0, panel.sight.row, panel.sight.column)
    panel.insight.show_products(run_inline(quick.pair, order, context=context))


def first_of(offered: list[Offer]) -> Offer | None:
    """A causal model, else one that writes, else any."""
    for kind in ("causal", "encoder-decoder", "vision"):
        found = next((offer for offer in offered if offer.kind == kind), None)
        if found is not None:
            return found
    return None
