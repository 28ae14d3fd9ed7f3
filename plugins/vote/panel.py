"""The Blind vote panel: two pictures, one question, and nobody says which settings made which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QPushButton, QToolButton

from studio.engine import Event, Task
from studio.host.commands import Command
from studio.host.context import PanelContext
from studio.host.export import Exportable
from studio.host.panel import Panel
from studio.ui.cards import EmptyState
from studio.ui.elided import ElidedLabel
from studio.ui.panel_layout import PanelLayout
from studio_plugins.vote import demo
from studio_plugins.vote.controls import Controls
from studio_plugins.vote.desk import Desk
from studio_plugins.vote.entries import field_title
from studio_plugins.vote.insight import Insight
from studio_plugins.vote.jobs import MOST_PICTURES, Round, Survey
from studio_plugins.vote.request import QUESTIONS, VoteRequest
from studio_plugins.vote.stage import Stage
from studio_plugins.vote.standing import Standing, standing_table, votes_table

_SHOW, _HIDE = "Show the standing", "Go on voting"
_DRAW_FIRST = (
    "Draw the same prompt in Generate with two settings, for example two guidance scales, or a grid of them (Sweep). "
    "Every value of the setting becomes a contestant."
)
_NO_SUCH_PROMPT = "No two pictures with these words in their prompts differ in a setting. Ask for other words."
_TOO_FEW = "Tick at least two contestants on the left."
_NOTHING_IN_COMMON = (
    "These contestants have no prompt in common. Draw the same prompts with both settings, or let any pictures meet."
)


class VotePanel(Panel):
    """Who is compared on the left, the pair in the middle, how far it is on the right."""

    title = "Blind vote"

    def __init__(self, context: PanelContext, parent: Any = None) -> None:
        super().__init__(context, parent)
        self._seen = -1

    # --- life ---

    def build(self) -> None:
        self.zones = PanelLayout(self)
        self.controls = Controls(self.zones)
        self.empty = EmptyState(
            "Nothing to compare yet",
            _DRAW_FIRST,
            icon="vote",
            actions=[("Open Generate", self.open_generate), ("Look again", self.look)],
        )
        finished = EmptyState(
            "Every pair was judged",
            "Look at the standing, or draw more pictures and vote on.",
            icon="vote",
            actions=[(_SHOW, self.toggle_standing), ("Take the last vote back", self.undo)],
        )
        self.stage = Stage(self.empty, finished, self.zones)
        self.insight = Insight(self.zones)
        self.desk = Desk(self.context, self)
        self.zones.set_stage(self.stage)
        tip = "The Elo scores of these contestants; hidden until you ask"
        self.zones.set_primary(_SHOW, self.toggle_standing, shortcut="Ctrl+Return", tip=tip)
        self._keep = QPushButton("Keep standing in History", self.zones)
        self._keep.setToolTip("Keep the scores and all votes of this contest as a result")
        self._keep.clicked.connect(lambda _checked=False: self.desk.keep())
        self.zones.add_secondary(self._keep)
        self._look = QToolButton(self.zones)
        self._look.setText("Look again")
        self._look.setToolTip("Look through the results for new pictures")
        self._look.clicked.connect(lambda _checked=False: self.look())
        self._status = ElidedLabel(self.zones)
        self._status.setProperty("tone", "faint")
        for widget in (self._look, self._status):
            self.zones.add_stage_tool(widget)
        self._connect()
        self._show_buttons()

    def _connect(self) -> None:
        desk, page = self.desk, self.stage.page
        self.controls.changed.connect(self._edited)
        page.chosen.connect(self.vote)
        page.undone.connect(self.undo)
        desk.surveyed.connect(self._surveyed)
        desk.dealt.connect(self._dealt)
        desk.tallied.connect(self._tallied)
        desk.said.connect(lambda text, level, details: self.message(text, level, details))
        desk.said.connect(lambda *_said: self._show_buttons())
        for name, text, callback in (
            ("left", "Vote for the left picture", lambda: self.vote("left")),
            ("right", "Vote for the right picture", lambda: self.vote("right")),
            ("tie", "Vote for a tie", lambda: self.vote("tie")),
            ("undo", "Take the last vote back", self.undo),
            ("standing", "Show or hide the standing", self.toggle_standing),
            ("keep", "Keep the standing in History", desk.keep),
            ("look", "Look for new pictures", self.look),
        ):
            self.context.commands.register(Command(f"vote.{name}", text, callback, category="Blind vote"))

    def closing(self) -> None:
        self.context.commands.unregister_prefix("vote.")

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self.layout() is not None and self.context.results.counter != self._seen:
            self.look()  # pictures were drawn since

    def state(self) -> dict[str, Any]:
        request = self.controls.request()
        return {"request": request.to_dict() if request else {}, "layout": self.zones.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        request = state.get("request")
        if isinstance(request, Mapping):
            self.controls.show_request(request)
        self.zones.restore(state.get("layout"))

    def restore_request(self, kind: str, request: Mapping[str, Any]) -> list[str]:
        if kind != VoteRequest.kind:
            return [f"settings of kind “{kind}”"]
        return self.controls.show_request(request)

    def demo(self) -> None:
        demo.show(self)

    def on_event(self, task: Task, event: Event) -> None:
        self.desk.on_event(task, event)

    def exportables(self) -> Sequence[Exportable]:
        offered = []
        votes, shown = self.desk.counted, self.stage.standing.found
        if self._standing_shown and shown is not None:
            offered.append(Exportable("Standing", "table", lambda: standing_table(shown)))
            offered.append(Exportable("Elo scores", "plot", lambda: self.stage.standing.scores.plot))
        if votes:
            offered.append(Exportable("Votes of this contest", "table", lambda: votes_table(votes)))
        return offered

    # --- what a person does ---

    def look(self) -> None:
        """Look through the results for pictures."""
        self._seen = self.context.results.counter
        self._status.setText("Looking through the results …")
        self.desk.look()

    def vote(self, choice: Any) -> None:
        """Cast a vote on the pair shown; not while the standing is."""
        if self.stage.currentWidget() is self.stage.page:
            self.desk.vote(choice)
            self._show_buttons()

    def undo(self) -> None:
        """Take the last vote back."""
        self.desk.undo()
        self._show_buttons()

    def toggle_standing(self) -> None:
        """Show the scores, or go on voting blind."""
        if self._standing_shown:
            self.insight.show_standing(None)
            self.show_round()
        else:
            self.desk.count()

    def open_generate(self) -> None:
        """Go to where pictures are made."""
        for problem in self.context.open_request("generate", {}):
            self.message(problem, "warning")

    # --- showing ---

    @property
    def _standing_shown(self) -> bool:
        return self.stage.currentWidget() is self.stage.standing

    def _surveyed(self, found: Survey) -> None:
        self.controls.offer(found.fields)
        self._set_contest()
        if found.more:
            self.message(f"Only the newest {MOST_PICTURES:,} pictures take part; there are more in History.", "info")

    def _edited(self) -> None:
        if self.desk.survey is not None:
            self._set_contest()
        self.state_changed.emit()

    def _set_contest(self) -> None:
        request = self.controls.request()
        if request is None:
            return
        self.desk.set_contest(request)
        self.insight.show_standing(None)
        self._show_buttons()

    def _dealt(self, _round: Round) -> None:
        self.message("")
        self.show_round()

    def show_round(self) -> None:
        """The pair the desk has, or why there is none."""
        shown = self.desk.round
        if shown is None:
            return
        contest = shown.contest
        self.controls.show_contestants(contest.pictures, contest.contestants)
        self.insight.show_contest(contest)
        self.insight.show_round(shown)
        if contest.pairs:
            self.stage.show_round(shown, contest.request.question)
        else:
            self.empty.set_text("Nothing to compare yet", self._why_nothing())
            self.stage.setCurrentWidget(self.empty)
        votes = len(self.desk.counted)
        status = f"{votes} vote{'s' if votes != 1 else ''}, {shown.left_over:,} pairs to judge"
        self._status.setText(status if contest.pairs else "")
        self._show_buttons()

    def _why_nothing(self) -> str:
        contest = self.desk.contest
        if contest is None or not contest.request.field:
            return _DRAW_FIRST
        if len(contest.pictures) < 2:
            return _NO_SUCH_PROMPT if contest.request.query.strip() else _DRAW_FIRST
        return _TOO_FEW if len(contest.contestants) < 2 else _NOTHING_IN_COMMON

    def _tallied(self, found: Standing) -> None:
        contest = self.desk.contest
        if contest is None:
            return
        if not found.votes:
            self.message("There is no vote in this contest yet: judge a pair first.", "info")
            return
        self.insight.show_standing(found)
        request = contest.request
        self.stage.standing.show_standing(found, QUESTIONS[request.question], field_title(request.field))
        self.stage.setCurrentWidget(self.stage.standing)
        self._show_buttons()

    def _show_buttons(self) -> None:
        ready = self.desk.pair is not None and not self.desk.busy
        self.stage.page.set_ready(ready, undo=self.desk.last_vote is not None and not self.desk.busy)
        if self.zones.primary is not None:
            self.zones.primary.setText(_HIDE if self._standing_shown else _SHOW)
            self.zones.primary.setEnabled(bool(self.desk.counted) or self._standing_shown)
        self._keep.setVisible(self._standing_shown)
