"""Reference cycles die on the GUI thread, wherever they were made."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from studio.ui import garbage
from studio.ui.garbage import FULL_EVERY, GarbageCollection

HERE = threading.get_ident()
MANY = 2000


class Cycle:
    """Refers to itself, and tells on which thread it dies."""

    def __init__(self, died: list[int]) -> None:
        self.me, self.died = self, died

    def __del__(self) -> None:
        self.died.append(threading.get_ident())


@pytest.fixture
def collection(qtbot: QtBot) -> Iterator[GarbageCollection]:
    gc.enable()
    found = GarbageCollection()
    found.start()
    assert not gc.isenabled()
    yield found
    found.stop()
    assert gc.isenabled()
    gc.disable()


def elsewhere(work: object) -> threading.Thread:
    thread = threading.Thread(target=work)  # type: ignore[arg-type]
    thread.start()
    return thread


def test_what_another_thread_makes_dies_here(collection: GarbageCollection, qtbot: QtBot) -> None:
    died: list[int] = []
    elsewhere(lambda: [Cycle(died) for _ in range(MANY)]).join()
    assert not died
    qtbot.waitUntil(lambda: len(died) == MANY)
    assert set(died) == {HERE}


def test_another_thread_waits_for_what_it_asks_for(
    collection: GarbageCollection, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(garbage, "PATIENCE", 60.0)  # after thousands of tests there is much to go through
    died: list[int] = []
    seen: list[int] = []

    def work() -> None:
        Cycle(died)
        collection.collect()
        seen.append(len(died))

    thread = elsewhere(work)
    qtbot.waitUntil(lambda: not thread.is_alive())
    assert seen == [1] and died == [HERE]


def test_it_waits_only_a_moment_for_a_gui_thread_that_is_busy(collection: GarbageCollection, qtbot: QtBot) -> None:
    died: list[int] = []
    Cycle(died)
    thread = elsewhere(collection.collect)
    thread.join(30)
    assert not thread.is_alive() and not died
    qtbot.waitUntil(lambda: died == [HERE])


def test_everything_is_gone_through_seldom_and_only_when_there_is_more(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    now, went = [0.0], list[int]()
    collection = GarbageCollection(clock=lambda: now[0])
    monkeypatch.setattr(gc, "get_count", lambda: (10**6, 10**6, 10**6))
    monkeypatch.setattr(gc, "collect", lambda generation=2: went.append(generation))
    held = [1000]
    monkeypatch.setattr(gc, "get_objects", lambda generation: range(held[0]))
    collection.look()
    assert went == [1], "not so soon"
    now[0] += FULL_EVERY
    collection.look()
    assert went == [1, 2], "there is more than nothing"
    now[0] += FULL_EVERY
    held[0] = 1200
    collection.look()
    assert went == [1, 2], "a fifth more is not enough"
    collection.look()
    assert went == [1, 2, 1]
    now[0] += FULL_EVERY
    held[0] = 1300
    collection.look()
    assert went == [1, 2, 1, 2]
