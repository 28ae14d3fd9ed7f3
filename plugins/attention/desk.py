"""Between what is looked at and the engine: reads, writes, switches off, and fetches what a view needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from studio.engine import Cancelled, Done, ErrorInfo, Event, Failed, Priority, Snapshot, Task
from studio.host.context import PanelContext
from studio.host.desk import Actions, TaskDesk
from studio.host.newest import Newest
from studio_plugins.attention import jobs, quick, tracing
from studio_plugins.attention.insight import Insight
from studio_plugins.attention.request import AttentionRequest, head_name
from studio_plugins.attention.results import (
    Effects, HeadEffects, HeadMap, LensRows, Lines, Opened, Overview, PairProducts, Patch, Read, Saved, Sides, Strip,
    Written, WrittenToken,
)  # fmt: skip
from studio_plugins.attention.sight import Sight
from studio_plugins.attention.stage import Stage

QUICK_CELLS = 1 << 20
"""Cells of a map up to which it is recomputed on the quick lane: some ten milliseconds."""


class Desk(TaskDesk):
    """Signals: `found` a folder that can be opened (Opened), `ended` a reading or a text is complete, `wished` other
    settings are asked for (fields), `loaded` a session file (its fields)."""

    found = Signal(object)
    ended = Signal()
    wished = Signal(object)
    loaded = Signal(object)

    def __init__(self, context: PanelContext, sight: Sight, stage: Stage, insight: Insight, parent: QObject) -> None:
        super().__init__(context, parent)
        self._sight, self._stage, self._insight = sight, stage, insight
        self._sets = context.panel_dir / "sets.json"
        self._too_long: tuple[int, int] | None = None
        self._asked_heads: Newest[quick.HeadOrder] = Newest(self._submit_head)
        self._asked_lines: Newest[quick.LinesOrder] = Newest(lambda order: self._quietly(quick.lines, order, "a row"))
        self._asked_pairs: Newest[quick.LinesOrder] = Newest(lambda order: self._quietly(quick.pair, order, "a pair"))
        self._asked_patches: Newest[quick.PatchOrder] = Newest(lambda order: self._quietly(quick.patch, order, "cells"))
        self._asked_effects: Newest[jobs.EffectOrder] = Newest(self._submit_effect)
        self._asked_sides: Newest[quick.SidesOrder] = Newest(self._submit_sides)
        sight.chose.connect(self.ask_head)
        sight.pointed.connect(self.ask_pair)
        sight.mapped.connect(self.ask_pair)
        sight.switched.connect(self.ask_effect)
        stage.turned.connect(lambda _page: self.ask_page())
        stage.ordered.connect(self._ordered)
        stage.map.wanted.connect(self.ask_patch)
        stage.sides.asked.connect(self.ask_sides)
        stage.picture.asked.connect(self.ask_sides)
        stage.effect.asked_each.connect(self.test_each)
        stage.effect.asked_text.connect(lambda: self.ask_effect(text=True))
        stage.effect.sets_changed.connect(self.save_sets)
        stage.writing.asked_lens.connect(self.ask_lens)

    # --- asking ---

    def read(self, request: AttentionRequest) -> Task | None:
        """Capture one reading; an earlier one that still runs is given up."""
        self._too_long = None
        return self.submit(jobs.read, request, "reading", priority=Priority.INTERACTIVE, replace="read")

    def write(self, request: AttentionRequest) -> Task | None:
        """Let the model write on."""
        self._too_long = None
        return self.submit(jobs.write, request, "writing", replace="read")

    def probe(self, place: Path) -> Task | None:
        """Look into a folder that is to be opened."""
        return self.submit(quick.probe, place, f"looking into {place.name}", lane="quick", replace="probe")

    def load_sets(self) -> None:
        """The sets of heads kept before."""
        self.submit(quick.load_sets, self._sets, "sets of heads", lane="quick")

    def save_sets(self, sets: dict[str, tuple[str, ...]]) -> None:
        """Keep them."""
        self.submit(quick.save_sets, (self._sets, Saved(sets)), "sets of heads", lane="quick", replace="sets")

    def load_session(self, path: Path) -> None:
        """Read a session file."""
        self.submit(quick.load_session, path, f"reading {path.name}", lane="quick", replace="session")

    def save_file(self, path: Path, content: bytes) -> None:
        """Write a file beside the lanes."""
        self.submit(quick.save_file, quick.SaveOrder(path, content), f"saving {path.name}", lane="quick")

    def ask_head(self) -> None:
        """The map of the head looked at."""
        overview, head = self._sight.overview, self._sight.head
        if overview is not None and head is not None:
            self._asked_heads.ask(quick.HeadOrder(overview.key, head, self._sight.part))
            self.ask_page()

    def ask_page(self) -> None:
        """What the page on show needs."""
        if self._stage.page == "sides" or (self._stage.page == "picture" and self._stage.picture.wants_sides):
            self.ask_sides()

    def ask_sides(self) -> None:
        """Four maps of the place of the head looked at."""
        overview, head, page = self._sight.overview, self._sight.head, self._stage.sides
        if overview is not None and head is not None:
            self._asked_sides.ask(
                quick.SidesOrder(
                    overview.key, head, self._sight.part, overview.request, 0, page.chosen_answer, page.drop_sink.isChecked()
                )
            )

    def ask_pair(self) -> None:
        """What the tokens pointed at need that is not here: rows of long texts, and q·k."""
        sight = self._sight
        overview, head, site = sight.overview, sight.head, sight.site
        if overview is None or head is None or site is None:
            return
        order = quick.LinesOrder(overview.key, head, min(sight.part, site.parts - 1), sight.row, sight.column)
        if sight.map is not None and sight.values() is None and (sight.row >= 0 or sight.column >= 0):
            # A column needs every row; of a long text that is a map, which is for the pinned one only.
            self._asked_lines.ask(order if sight.pinned else quick.LinesOrder(order.key, head, order.part, sight.row, -1))
        if sight.row >= 0 and sight.column >= 0 and site.method != "weights":
            self._asked_pairs.ask(order)

    def ask_patch(self, rows: range, columns: range) -> None:
        """Cells exactly."""
        overview, head = self._sight.overview, self._sight.head
        if overview is not None and head is not None:
            part = min(self._sight.part, overview.site(head[0]).parts - 1)
            self._asked_patches.ask(quick.PatchOrder(overview.key, head, part, rows, columns))

    def ask_effect(self, *, text: bool = False) -> None:
        """What the heads that are off change."""
        overview, off = self._sight.overview, self._sight.off
        if overview is not None and off and overview.scores:
            self._asked_effects.ask(jobs.EffectOrder(overview.key, overview.request, off, overview.request.tokens if text else 0))

    def test_each(self) -> None:
        """Every head off by itself."""
        overview = self._sight.overview
        if overview is not None and overview.scores:
            order = jobs.EffectOrder(overview.key, overview.request, frozenset())
            self.submit(jobs.each_effect, order, "testing every head", replace="each")

    def ask_lens(self) -> None:
        """What each layer would answer."""
        overview = self._sight.overview
        if overview is not None:
            order = jobs.EffectOrder(overview.key, overview.request, self._sight.off)
            self.submit(jobs.lens, order, "logit lens", priority=Priority.INTERACTIVE, replace="lens")

    def _quietly(self, job: Any, order: Any, title: str) -> Task | None:
        return self.submit(job, order, title, lane="quick")

    def _submit_head(self, order: quick.HeadOrder) -> Task | None:
        site = self._sight.site
        small = site is not None and site.queries * site.keys <= QUICK_CELLS
        lane: dict[str, Any] = {"lane": "quick"} if small else {"priority": Priority.INTERACTIVE}
        return self.submit(quick.head, order, "a map", **lane)

    def _submit_effect(self, order: jobs.EffectOrder) -> Task | None:
        return self.submit(jobs.effect, order, "switching heads off", priority=Priority.INTERACTIVE)

    def _submit_sides(self, order: quick.SidesOrder) -> Task | None:
        return self.submit(quick.sides, order, "maps side by side", priority=Priority.INTERACTIVE)

    def _ordered(self, statistic: str) -> None:
        if statistic == "effect" and "effect" not in self._sight.statistics:
            self.test_each()

    # --- hearing ---

    def on_event(self, task: Task, event: Event) -> None:
        super().on_event(task, event)
        if isinstance(event, (Done, Failed, Cancelled)):
            for questions in (
                self._asked_heads, self._asked_lines, self._asked_pairs, self._asked_patches, self._asked_effects, self._asked_sides,
            ):  # fmt: skip
                questions.ended(task)
            if task.lane == "compute" and task.id != self._task_id and not self.pending() and self._sight.overview is not None:
                self.status.emit(self._sight.overview.badge, None)

    def _begin(self, task: Task) -> None:
        if isinstance(task.request, (AttentionRequest, jobs.EffectOrder)) and task.title != "switching heads off":
            super()._begin(task)
            if task.title == "writing":
                self._stage.writing.begin()

    def _follow(self, task: Task, event: Event) -> None:
        if not isinstance(event, Snapshot):
            return
        if isinstance(event.data, Overview):
            self._open(event.data)
        elif isinstance(event.data, Strip):
            self._sight.fill(event.data)
        elif isinstance(event.data, WrittenToken):
            self._stage.writing.add(event.data)
        elif isinstance(event.data, HeadEffects):
            self._effects_of_each(event.data)
        elif event.name == "too long":
            self._too_long = event.data

    def _open(self, overview: Overview) -> None:
        before = self._sight.overview
        if before is not None and before.key == overview.key:
            return
        self._sight.open(overview)
        if before is not None:
            self.submit(tracing.let_go, before.key, "letting go", lane="quick")

    def _done(self, task: Task, result: Any) -> None:
        if isinstance(result, Read):
            self._whole(result)
        elif isinstance(result, Written):
            self._whole(result.read)
            self._stage.writing.finish(result.tokens, result.full)
        elif isinstance(result, HeadMap):
            self._sight.take_map(result)
        elif isinstance(result, Lines):
            self._sight.take_lines(result)
        elif isinstance(result, PairProducts):
            self._insight.show_products(result)
        elif isinstance(result, Patch):
            self._stage.map.take_patch(result)
        elif isinstance(result, Sides):
            self._stage.sides.show_sides(result)
            self._stage.picture.show_sides(result)
        elif isinstance(result, Effects):
            self._stage.effect.show_effects(result)
        elif isinstance(result, HeadEffects):
            self._effects_of_each(result)
            self.status.emit("Every head was tested: sort the heads by it.", None)
        elif isinstance(result, LensRows):
            self._stage.writing.show_answers(result)
            self.status.emit("" if self._sight.overview is None else self._sight.overview.badge, None)
        elif isinstance(result, Opened):
            self.found.emit(result)
        elif isinstance(result, quick.Session):
            self.loaded.emit(result.fields)
        elif isinstance(result, Saved):
            self._stage.effect.set_sets(result.sets)
        else:
            super()._done(task, result)

    def _whole(self, read: Read) -> None:
        self._open(read.overview)
        for strip in read.strips:
            if (strip.site, strip.first) not in self._sight.thumbnails:
                self._sight.fill(strip)
        self._sight.count(read.statistics)
        self.status.emit(read.overview.badge, None)
        self.ended.emit()

    def _effects_of_each(self, found: HeadEffects) -> None:
        if self._sight.overview is not None and found.key == self._sight.overview.key:
            self._sight.statistics["effect"] = dict(found.values)
            self._sight.counted.emit()

    def show_read(self, read: Read, found: HeadMap | None = None) -> None:
        """A reading that nobody waits for (the pictures of the manual)."""
        self._sight.open(read.overview)
        self._whole(read)
        if found is not None:
            self._sight.choose(found.head)
            self._sight.take_map(found)

    def _cancelled(self, task: Task) -> None:
        if isinstance(task.request, AttentionRequest):
            super()._cancelled(task)
        if self._stage.writing.tokens and task.title == "writing":
            self._stage.writing.finish(tuple(self._stage.writing.tokens), False)

    def _remedies(self, task: Task, error: ErrorInfo) -> Actions:
        if isinstance(task.request, AttentionRequest) and self._too_long is not None:
            fits = [("Keep its start", "start"), ("Keep its end", "end")]
            if "target" not in task.request.takes and task.title == "reading":
                fits.append(("Read it in windows", "windows"))
            return [(text, lambda fit=fit: self.wished.emit({"fit": fit})) for text, fit in fits]
        if "no longer in memory" in error.message:
            return [("Read again", lambda: self.wished.emit({}))]
        return ()


def off_names(sight: Sight) -> tuple[str, ...]:
    """The heads that are off, as a request names them."""
    return tuple(sorted(head_name(*head) for head in sight.off))
