"""The example of the manual's pictures: Sarsa and Q-learning on the cliff, really trained when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from studio_plugins.rl.request import RlRequest

if TYPE_CHECKING:
    from studio_plugins.rl.panel import RlPanel

REQUEST = RlRequest(seeds=5, steps=6000)


def show(panel: RlPanel) -> None:
    """Train the example here and now, without the engine; it takes about a second."""
    from studio.engine import run_inline
    from studio.ml.rl.session import Session
    from studio_plugins.rl.bands import measured
    from studio_plugins.rl.jobs import CurveOrder, draw
    from studio_plugins.rl.offers import described
    from studio_plugins.rl.plans import plans, world_of
    from studio_plugins.rl.seat import LETTERS, Seat

    panel.desk.described.emit(described(world_of(REQUEST)))
    panel.controls.set_shared(seeds=REQUEST.seeds, steps=REQUEST.steps)
    panel.stage.begin()
    panel.desk.seats = [Seat(letter, plan) for letter, plan in zip(LETTERS, plans(REQUEST), strict=False)]
    panel.desk.seated.emit()
    for index, seat in enumerate(panel.desk.seats):
        seat.session = Session(seat.plan)
        while not seat.session.done:
            seat.session.advance()
        view = seat.session.view(frame=True)
        panel.desk.views[index] = view
        panel.desk.viewed.emit(index, view)
    runs = tuple(measured(seat.letter, panel.desk.views[index]) for index, seat in enumerate(panel.desk.seats))
    curves = run_inline(draw, CurveOrder(runs, panel.stage.curves.choices(), 1000))
    panel.stage.curves.offer(curves.measures)
    panel.stage.curves.show_drawn(curves.upper, curves.lower)
    panel.desk.moved.emit()
