"""The example of the manual's pictures: a bundled model really reads a sentence, here and now."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    context = JobContext(device="cpu")
    request = AttentionRequest(model=offer.id, takes=offer.takes, **panel.controls.example(offer))
    if "target" in offer.takes:  # the whole text it writes, so that its maps have rows
        written = run_inline(jobs.write, request, context=context)
        read = written.read
    else:
        written, read = None, run_inline(jobs.read, request, context=context)
    values = read.statistics.values["previous"]
    crosses = [site.name for site in read.overview.sites if site.kind == "cross"]
    among = [head for head in read.overview.heads if not crosses or head[0] == crosses[len(crosses) // 2]]
    head = max(among, key=lambda key: values.get(key, 0.0) if values.get(key, 0.0) == values.get(key, 0.0) else 0.0)
    found = run_inline(quick.head, quick.HeadOrder(read.overview.key, head), context=context)
    panel.desk.show_read(read, found)
    if written is not None:
        panel.stage.writing.finish(written.tokens, written.full)
    row = min(5, found.shape[0] - 1)
    panel.sight.point(row, int(found.levels[0].values[row].argmax()) if found.levels[0].values[row].max() > 0 else 0, pin=True)
    order = quick.LinesOrder(read.overview.key, head, 0, panel.sight.row, panel.sight.column)
    panel.insight.show_products(run_inline(quick.pair, order, context=context))


def first_of(offered: list[Offer]) -> Offer | None:
    """A causal model, else one that writes, else any."""
    for kind in ("causal", "encoder-decoder", "vision"):
        found = next((offer for offer in offered if offer.kind == kind), None)
        if found is not None:
            return found
    return None
