"""What is going on: the pictures found, the contest, the pair shown, the votes. Submits jobs and hears of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Signal

from studio.engine import Cancelled, Done, EngineClosed, Event, Failed, Task
from studio.host.context import PanelContext
from studio_plugins.vote import jobs
from studio_plugins.vote.contest import Contest, Pair
from studio_plugins.vote.jobs import Ask, Round, Survey
from studio_plugins.vote.request import VoteRequest
from studio_plugins.vote.votes import Choice, Vote

VOTES_FILE = "votes.jsonl"
_QUEUE = "votes"  # one after another, and none is ever replaced: a vote that was cast must reach the disk


class Desk(QObject):
    """`surveyed` Survey; `dealt` Round of the present contest; `tallied` Standing; `said` text, level, details."""

    surveyed = Signal(object)
    dealt = Signal(object)
    tallied = Signal(object)
    said = Signal(str, str, str)

    def __init__(self, context: PanelContext, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.context = context
        self.votes_file = context.panel_dir / VOTES_FILE
        self.survey: Survey | None = None
        self.request = VoteRequest()
        self.round: Round | None = None
        """The last answer about `request`; None while there is none yet."""
        self._asking: Task | None = None
        self._looking: Task | None = None
        self._counting: Task | None = None
        self._keeping: Task | None = None

    # --- asking ---

    def look(self) -> None:
        """Look through the results store."""
        self._looking = self._submit(jobs.survey, None, title="Look for pictures", lane="quick", replace="look")

    def set_contest(self, request: VoteRequest) -> None:
        """Another contest among the pictures found: it is worked out with its first pair."""
        self.request, self.round = request, None
        self._ask()

    def vote(self, choice: Choice) -> None:
        """Cast a vote on the pair shown; it is on disk before the next pair comes."""
        pair = self.pair
        if pair is not None and not self.busy:
            request = self.request
            cast = Vote.now(request.question, request.field, pair.side(pair.left), pair.side(pair.right), choice)
            self._ask(cast=cast)

    def undo(self) -> None:
        """Take the last vote of this contest back, and show its pair again."""
        last = self.last_vote
        if last is not None and not self.busy:
            self._ask(undo=last, again=self._pair_of(last))

    def count(self) -> None:
        """Work out the standing."""
        if self.round is not None:
            self._counting = self._submit(
                jobs.tally, self.round, title="Count the votes", lane="quick", replace="tally"
            )

    def keep(self) -> None:
        """Keep the standing as a result."""
        request = self.request.replace(votes=str(self.votes_file))
        self._keeping = self._submit(jobs.keep_standing, request, title="Keep the standing", replace="keep")

    def _ask(self, **what: Any) -> None:
        entries = self.survey.entries if self.survey else ()
        ask = Ask(self.request, entries, self.votes_file, self.contest, **what)
        self._asking = self._submit(jobs.ask, ask, title="The next pair", lane="quick", queue=_QUEUE)

    def _submit(self, job: Callable[..., Any], request: Any, **options: Any) -> Task | None:
        try:
            return self.context.submit(job, request, **options)
        except EngineClosed as error:
            self.said.emit(str(error), "warning", "")
            return None

    # --- what is known ---

    @property
    def busy(self) -> bool:
        """Whether a vote is being written or a pair being read."""
        return self._asking is not None

    @property
    def contest(self) -> Contest | None:
        """The contest of `request`, once it is worked out."""
        return self.round.contest if self.round else None

    @property
    def pair(self) -> Pair | None:
        """The pair shown."""
        return self.round.pair if self.round else None

    @property
    def counted(self) -> list[Vote]:
        """The votes of this contest, in order."""
        shown = self.round
        return [vote for vote in shown.ballots.votes if shown.contest.counts(vote)] if shown else []

    @property
    def last_vote(self) -> Vote | None:
        votes = self.counted
        return votes[-1] if votes else None

    def _pair_of(self, vote: Vote) -> Pair | None:
        """The pair a vote was about, where both pictures are still kept."""
        entries = {entry.key: entry for entry in (self.survey.entries if self.survey else ())}
        left, right = entries.get(vote.left.key), entries.get(vote.right.key)
        return Pair(left, right, vote.field) if left is not None and right is not None else None

    # --- hearing ---

    def on_event(self, task: Task, event: Event) -> None:
        """Take in an event; one of a task that was replaced is of no interest."""
        if isinstance(event, Done):
            self._done(task, event.result)
        elif isinstance(event, Failed):
            if task is self._asking:
                self._asking = None  # the pair stays, and the vote can be cast again
            self.said.emit(event.error.message, "error", event.error.details)
        elif isinstance(event, Cancelled) and task is self._asking:
            self._ask()  # whatever was cancelled, the file says which votes were cast

    def _done(self, task: Task, result: Any) -> None:
        if task is self._looking:
            self.survey = result
            self.surveyed.emit(result)
        elif task is self._asking:
            self._asking = None
            self.round = result
            if result.gone:
                self.said.emit(f"{result.gone} The results are looked through again.", "warning", "")
                self.look()
            else:
                self.dealt.emit(result)
        elif task is self._counting:
            self.tallied.emit(result)
        elif task is self._keeping:
            self.said.emit("The standing and its votes are in History.", "success", "")
