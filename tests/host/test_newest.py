"""One question at a time, and the newest next."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from studio.host.newest import Newest


class Desk:
    """Submits questions as tasks that end when told."""

    def __init__(self) -> None:
        self.now, self.tasks, self.asked = 0.0, [], []
        self.newest = Newest(self.submit, patience=1.0, clock=lambda: self.now)

    def submit(self, question):
        task = SimpleNamespace(state=SimpleNamespace(ended=False), cancelled=False)
        task.cancel = lambda: setattr(task, "cancelled", True)
        self.asked.append(question)
        self.tasks.append(task)
        return task

    def end(self, at=-1):
        self.tasks[at].state.ended = True
        self.newest.ended(self.tasks[at])


@pytest.fixture
def desk():
    return Desk()


def test_those_between_are_forgotten(desk):
    for question in "abcd":
        desk.newest.ask(question)
    assert desk.asked == ["a"]
    desk.end()
    assert desk.asked == ["a", "d"]
    desk.end()
    assert desk.asked == ["a", "d"] and not any(task.cancelled for task in desk.tasks)


def test_a_slow_answer_is_given_up_for_a_newer_question(desk):
    desk.newest.ask("slow")
    desk.newest.ask("newer")
    assert not desk.tasks[0].cancelled
    desk.now = 1.5
    desk.newest.ask("newest")
    assert desk.tasks[0].cancelled
    desk.end()
    assert desk.asked == ["slow", "newest"]


def test_an_answer_on_its_way_does_not_hold_up_the_next(desk):
    desk.newest.ask("first")
    desk.tasks[0].state.ended = True  # its event is still to be delivered
    desk.newest.ask("second")
    assert desk.asked == ["first", "second"]
    desk.newest.ask("third")
    desk.newest.ended(desk.tasks[0])
    assert desk.asked == ["first", "second"]
    desk.end()
    assert desk.asked == ["first", "second", "third"]


def test_a_question_that_cannot_be_submitted_blocks_nothing():
    newest = Newest(lambda question: None)
    newest.ask(1)
    newest.ask(2)
