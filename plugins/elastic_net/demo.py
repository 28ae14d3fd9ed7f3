"""The example of the manual's pictures: the diabetes data, really fitted and cross-validated when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from studio_plugins.elastic_net.request import ElasticNetRequest

if TYPE_CHECKING:
    from studio_plugins.elastic_net.panel import ElasticNetPanel

REQUEST = ElasticNetRequest(mix=0.7, strength=0.05)
CHOSEN = "bmi"


def show(panel: ElasticNetPanel) -> None:
    """Fit the example here and now, without the engine; it takes some tenths of a second."""
    from studio.engine import run_inline
    from studio_plugins.elastic_net.jobs import Order, ValidationOrder, answer, crossvalidate

    found = run_inline(answer, Order(REQUEST, plane=True, updates=True))
    panel.desk.curve = run_inline(crossvalidate, ValidationOrder(REQUEST, found.known))
    panel.desk.answer = found
    panel.controls.form.set_value(REQUEST)
    panel.desk.answered.emit(found)
    panel.desk.validated.emit(panel.desk.curve)
    panel.stage.path.choose(found.problem.names.index(CHOSEN))
