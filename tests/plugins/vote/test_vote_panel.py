"""The panel as a person uses it, over a real engine and store."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from studio_plugins.vote.panel import VotePanel
from studio_plugins.vote.votes import read_votes
from tests.plugins.vote.conftest import keep

PATIENCE = 60_000
"""Milliseconds: the machine that runs the tests may be busy."""


def fill(store: Any, prompts: tuple[str, ...] = ("a cat", "a dog"), scales: tuple[float, ...] = (1.0, 3.0)) -> None:
    for prompt in prompts:
        for scale in scales:
            keep(store, prompt, 0, guidance_scale=scale, sampler="ddim")


def dealt(room: Any, qtbot: QtBot) -> VotePanel:
    """The panel with a pair on the stage."""
    panel: VotePanel = room.panel
    panel.show()
    qtbot.waitUntil(lambda: panel.stage.currentWidget() is panel.stage.page and not panel.desk.busy, timeout=PATIENCE)
    return panel


def voted(room: Any, qtbot: QtBot, number: int) -> None:
    """Wait until so many votes stand and the next pair (or the end) is there."""
    panel = room.panel
    qtbot.waitUntil(lambda: not panel.desk.busy and len(panel.desk.counted) == number, timeout=PATIENCE)


def test_an_empty_store_says_what_to_do_first(room: Any, qtbot: QtBot) -> None:
    panel = room.panel
    panel.show()
    qtbot.waitUntil(lambda: panel.desk.round is not None, timeout=PATIENCE)
    assert panel.stage.currentWidget() is panel.empty
    panel.empty.buttons[0].click()
    assert room.window.asked == [("generate", {})]
    assert not panel.zones.primary.isEnabled()
    fill(room.store)
    panel.empty.buttons[1].click()
    dealt(room, qtbot)


def test_nothing_on_the_page_tells_which_is_which(room: Any, qtbot: QtBot) -> None:
    fill(room.store)
    panel = dealt(room, qtbot)
    page = panel.stage.page
    pair = panel.desk.pair
    assert pair is not None and page.left.image() is not None and page.right.image() is not None
    texts = [label.text() for label in page.findChildren(QLabel)]
    for view in (page.left, page.right):
        texts += [view.toolTip(), view.accessibleDescription(), view.accessibleName(), view._caption]
        assert view.file_source is None and not view.menu_actions
    assert f"“{pair.left.prompt}”" in texts
    told = [text for text in texts if any(word in text for word in ("1", "3", pair.left.record, pair.right.record))]
    assert told == []


def test_votes_by_keys_and_clicks_are_on_disk_before_the_next_pair(room: Any, qtbot: QtBot) -> None:
    fill(room.store, ("a cat", "a dog", "a fish"))
    panel = dealt(room, qtbot)
    page = panel.stage.page
    page.setFocus()
    pairs = [panel.desk.pair]
    qtbot.keyClick(page, Qt.Key.Key_Right)
    voted(room, qtbot, 1)
    pairs.append(panel.desk.pair)
    qtbot.mouseClick(page.left, Qt.MouseButton.LeftButton, pos=QPoint(60, 60))
    voted(room, qtbot, 2)
    pairs.append(panel.desk.pair)
    qtbot.keyClick(page, Qt.Key.Key_Down)
    voted(room, qtbot, 3)
    votes = read_votes(room.votes).votes
    assert [vote.choice for vote in votes] == ["right", "left", "tie"]
    assert [(v.left.key, v.right.key) for v in votes] == [(p.left.key, p.right.key) for p in pairs]
    assert [v.left.contestant for v in votes] == [p.left.settings["guidance_scale"] for p in pairs]
    assert panel.stage.currentWidget() is panel.stage.finished


def test_a_drag_or_a_double_click_is_not_a_second_vote(room: Any, qtbot: QtBot) -> None:
    fill(room.store, ("a cat", "a dog", "a fish"))
    panel = dealt(room, qtbot)
    view = panel.stage.page.left
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=QPoint(50, 50))
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=QPoint(120, 120))
    assert not panel.desk.busy
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=QPoint(60, 60))
    qtbot.mouseDClick(view, Qt.MouseButton.LeftButton, pos=QPoint(60, 60))
    voted(room, qtbot, 1)
    assert len(read_votes(room.votes).votes) == 1 and view._scale is None


def test_the_last_vote_can_be_taken_back_and_its_pair_returns(room: Any, qtbot: QtBot) -> None:
    fill(room.store)
    panel = dealt(room, qtbot)
    first = panel.desk.pair
    assert not panel.stage.page.undo.isEnabled()
    panel.vote("left")
    voted(room, qtbot, 1)
    panel.stage.page.undo.click()
    voted(room, qtbot, 0)
    assert panel.desk.pair == first and read_votes(room.votes).votes == ()
    assert room.votes.read_bytes().count(b"\n") == 2


def test_the_standing_is_hidden_until_asked_for(room: Any, qtbot: QtBot) -> None:
    fill(room.store, ("a cat", "a dog", "a fish"))
    panel = dealt(room, qtbot)
    for number in (1, 2):
        pair = panel.desk.pair
        panel.vote("left" if pair.left.settings["guidance_scale"] == "3" else "right")
        voted(room, qtbot, number)
    assert not any(e.name in ("Standing", "Elo scores") for e in panel.exportables())
    assert panel.insight.model.text().count("$") == 2  # no numbers yet
    panel.zones.primary.click()
    qtbot.waitUntil(lambda: panel.stage.currentWidget() is panel.stage.standing, timeout=PATIENCE)
    table = panel.stage.standing.table
    assert [table.item(row, 0).text() for row in range(2)] == ["3", "1"]
    assert "virtual tie" in panel.stage.standing.note.text()
    offered = {e.name: e.produce() for e in panel.exportables()}
    assert offered["Standing"].columns["won"] == [2, 0] and offered["Votes of this contest"].rows == 2
    assert offered["Elo scores"] is panel.stage.standing.scores.plot
    panel._keep.click()
    qtbot.waitUntil(lambda: room.store.count(kind="vote") == 1, timeout=PATIENCE)
    panel.vote("left")  # no pair is shown now
    assert not panel.desk.busy
    panel.zones.primary.click()
    assert panel.stage.currentWidget() is panel.stage.page


def test_another_question_has_votes_of_its_own(room: Any, qtbot: QtBot) -> None:
    fill(room.store)
    panel = dealt(room, qtbot)
    panel.vote("tie")
    voted(room, qtbot, 1)
    panel.controls.form.set_fields({"question": "prompt"})
    voted(room, qtbot, 0)
    panel.controls.form.set_fields({"question": "better"})
    voted(room, qtbot, 1)


def test_contestants_are_chosen_by_ticks(room: Any, qtbot: QtBot) -> None:
    fill(room.store, scales=(1.0, 3.0, 5.0))
    panel = dealt(room, qtbot)
    items = panel.controls.list
    assert [items.item(row).data(Qt.ItemDataRole.UserRole) for row in range(3)] == ["1", "3", "5"]
    items.item(1).setCheckState(Qt.CheckState.Unchecked)
    qtbot.waitUntil(lambda: not panel.desk.busy and panel.desk.contest.contestants == ("1", "5"), timeout=PATIENCE)
    items.item(0).setCheckState(Qt.CheckState.Unchecked)
    qtbot.waitUntil(lambda: not panel.desk.busy and panel.stage.currentWidget() is panel.empty, timeout=PATIENCE)
    assert "two contestants" in panel.empty._text.text()


def test_a_change_while_a_vote_is_written_loses_no_vote(room: Any, qtbot: QtBot) -> None:
    fill(room.store)
    panel = dealt(room, qtbot)
    panel.vote("left")
    panel.controls.form.set_fields({"match": "any"})
    voted(room, qtbot, 1)
    assert panel.desk.contest.request.match == "any" and len(read_votes(room.votes).votes) == 1


def test_pictures_that_are_gone_are_noticed(room: Any, qtbot: QtBot) -> None:
    fill(room.store, ("a cat", "a dog", "a fish"))
    panel = dealt(room, qtbot)
    shown = {panel.desk.pair.left.record, panel.desk.pair.right.record}
    for record in room.store.records():
        if record.id not in shown:
            shutil.rmtree(record.folder)
    panel.vote("left")
    qtbot.waitUntil(lambda: panel.stage.currentWidget() is panel.stage.finished, timeout=PATIENCE)
    assert len(read_votes(room.votes).votes) == 1


def test_votes_that_cannot_be_written_are_told_and_the_pair_stays(room: Any, qtbot: QtBot) -> None:
    fill(room.store)
    panel = dealt(room, qtbot)
    pair = panel.desk.pair
    room.votes.mkdir()  # a folder stands where the file belongs
    panel.vote("left")
    qtbot.waitUntil(lambda: panel.last_message is not None, timeout=PATIENCE)
    assert panel.last_message.level == "error" and panel.desk.pair == pair
    room.votes.rmdir()
    assert panel.stage.page.buttons["left"].isEnabled()
    panel.vote("left")
    voted(room, qtbot, 1)
    assert panel.last_message is None


def test_new_pictures_are_seen_when_the_panel_is_shown_again(room: Any, qtbot: QtBot) -> None:
    fill(room.store, ("a cat",))
    panel = dealt(room, qtbot)
    panel.hide()
    keep(room.store, "a cat", 1, guidance_scale=9.0, sampler="ddim")
    panel.show()
    qtbot.waitUntil(lambda: panel.desk.round is not None and "9" in panel.desk.contest.pictures, timeout=PATIENCE)


@pytest.mark.parametrize("stored", [{}, {"request": 3}, {"request": {"field": 7, "match": "x", "contestants": [[1]], "nonsense": 1}}, {"layout": "x"}])
def test_a_state_of_any_shape_is_taken_or_left(room: Any, qtbot: QtBot, stored: Any) -> None:
    fill(room.store)
    room.panel.restore(stored)
    panel = dealt(room, qtbot)
    assert panel.desk.contest.request.field == "guidance_scale"


def test_the_settings_come_back_in_the_next_session(room: Any, qtbot: QtBot) -> None:
    for sampler in ("ddim", "ddpm"):
        for scale in (1.0, 3.0, 5.0):
            keep(room.store, "a cat", 0, guidance_scale=scale, sampler=sampler)
    request = {"question": "prompt", "field": "sampler", "match": "any", "query": "cat", "contestants": ["ddim", "ddpm"]}
    room.panel.restore({"request": request})
    panel = dealt(room, qtbot)
    again = panel.state()["request"]
    assert {name: again[name] for name in request} == request
    assert panel.restore_request("vote", {"field": "guidance_scale"}) == []
    assert panel.restore_request("generate", {}) != []


def test_the_example_shows_a_pair(room: Any) -> None:
    room.panel.demo()
    assert room.panel.stage.currentWidget() is room.panel.stage.page
    assert room.panel.stage.page.question.text() == "Which picture fits its prompt better?"
