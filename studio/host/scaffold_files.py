"""The files of a new plugin. @ID@, @TITLE@ and @CLASS@ are filled in by `scaffold.write_plugin`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_MANIFEST = '''\
# Read by the studio without importing anything of this plugin. After a change, restart the studio.
id = "@ID@"
title = "@TITLE@"
description = "A random walk, drawn step by step."
version = "0.1"
order = 500
entry = "panel:@CLASS@Panel"

[jobs]
@ID@ = "jobs:run"

[requests]
@ID@ = "request:@CLASS@Request"
'''

_REQUEST = '''\
"""Everything that determines a result. The form, the command line and the History are made from these fields."""

from __future__ import annotations

from typing import ClassVar

from studio.host.request import Request, ui


class @CLASS@Request(Request):
    """One random walk."""

    kind: ClassVar[str] = "@ID@"

    steps: int = ui(200, title="Steps", help="How many steps the walk takes.", ge=1, le=10_000, step=10, log=True)
    drift: float = ui(0.0, title="Drift", help="Mean of one step.", ge=-1, le=1, step=0.01)
    volatility: float = ui(0.1, title="Volatility", help="Standard deviation of one step.", ge=0, le=10, step=0.01)
    seed: int = ui(1, title="Seed", help="The same seed gives the same walk.", widget="seed")
'''

_JOBS = '''\
"""The work. A job is a generator: between two `yield`s it can be paused or cancelled. No Qt here."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np

from studio.engine import Event, JobContext, Metric, Progress

from .request import @CLASS@Request

CHUNK = 20  # steps between two yields: each yield costs a little


def run(request: @CLASS@Request, ctx: JobContext) -> Generator[Event, Any, dict[str, float]]:
    """Draw x_n = x_(n-1) + drift + volatility * eps_n, keep the walk as CSV, and return where it ended."""
    random = np.random.default_rng(request.seed)
    walk = [0.0]
    for step in range(1, request.steps + 1):
        walk.append(walk[-1] + request.drift + request.volatility * float(random.standard_normal()))
        yield Metric("x", step, walk[-1])
        if step % CHUNK == 0 or step == request.steps:
            yield Progress(step, request.steps, f"step {step}")
    summary = {"end": walk[-1], "lowest": min(walk), "highest": max(walk)}
    results = ctx.services.get("results")
    if results is not None:  # None when the job is run from a notebook
        table = "step,x\\n" + "".join(f"{step},{x!r}\\n" for step, x in enumerate(walk))
        results.add(request.kind, request, {"walk.csv": table.encode()}, title=f"Seed {request.seed}", metrics=summary)
    return summary
'''

_PANEL = '''\
"""The panel: controls on the left, the curve in the middle, what it means on the right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtWidgets import QLabel

from studio.engine import Done, Event, Failed, Metric, Task
from studio.host.export import Exportable
from studio.host.panel import Panel
from studio.host.request import RequestError
from studio.ui.curves import Curves
from studio.ui.form import RequestForm
from studio.ui.panel_layout import PanelLayout

from .jobs import run
from .request import @CLASS@Request


class @CLASS@Panel(Panel):
    """Draws random walks."""

    title = "@TITLE@"

    def build(self) -> None:
        zones = PanelLayout(self)
        self.form = RequestForm(@CLASS@Request, self)
        self.form.changed.connect(self.state_changed)
        zones.add_control(self.form)
        zones.set_primary("Run", self.run, shortcut="Ctrl+Return", tip="Draw the walk")
        self.curves = Curves("step", "x", self)
        zones.set_stage(self.curves)
        self.facts = QLabel("Press Run.", self)
        self.facts.setWordWrap(True)
        zones.add_insight("x\\u2099 = x\\u2099\\u208b\\u2081 + drift + volatility \\u00b7 \\u03b5\\u2099", self.facts)

    def run(self) -> None:
        """Start the job; one that still runs is replaced."""
        try:
            request = self.form.value()
        except RequestError as error:
            self.message(str(error), "error")
            return
        self.message("")
        self.curves.clear()
        self.context.submit(run, request, title=f"{self.title}: seed {request.seed}", replace="run")

    def on_event(self, task: Task, event: Event) -> None:
        if isinstance(event, Metric):
            self.curves.append(event.series, event.x, event.y)
        elif isinstance(event, Done):
            self._tell(event.result)
        elif isinstance(event, Failed):
            self.message(event.error.message, "error", event.error.details)

    def _tell(self, summary: Mapping[str, float]) -> None:
        self.facts.setText("\\n".join(f"{name}: {value:.4g}" for name, value in summary.items()))

    def state(self) -> dict[str, Any]:
        request = self.form.valid_value()
        return {"request": request.to_dict()} if request else {}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.form.set_fields(state.get("request", {}))

    def restore_request(self, kind: str, request: Mapping[str, Any]) -> list[str]:
        return self.form.set_fields(request)

    def exportables(self) -> Sequence[Exportable]:
        return [
            Exportable("Curve", "plot", self.curves.plot_item),
            Exportable("Walk", "table", lambda: dict(zip(("step", "x"), self.curves.data()["x"]))),
        ] if self.curves.data() else []

    def demo(self) -> None:
        from studio.engine import JobContext

        for event in run(@CLASS@Request(), JobContext()):
            if isinstance(event, Metric):
                self.curves.append(event.series, event.x, event.y)
'''

_HELP = '''\
# @TITLE@

Draws a random walk `x_n = x_(n-1) + drift + volatility * eps_n` with independent normal `eps_n`. Every walk is kept in
the History with its settings.

## Make it yours

1. `request.py`: the fields that determine a result. The form is made from them.
2. `jobs.py`: the work, a generator. Yield `Metric`, `Preview` or `Progress` often: cancel and pause act between yields.
3. `panel.py`: what is shown. `on_event` receives what the job yields.
4. `plugin.toml`: name, order, and which function belongs to which kind of request.

To publish it, make a package with an entry point in the group `glassbox.panels` whose value is the package's name.
'''

FILES: Mapping[str, str] = MappingProxyType(
    {"plugin.toml": _MANIFEST, "request.py": _REQUEST, "jobs.py": _JOBS, "panel.py": _PANEL, "help.md": _HELP}
)
