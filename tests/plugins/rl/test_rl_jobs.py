"""Trainings that are broken off: what stays on the disk, who is offered it, and that it goes on exactly where it was."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from studio.ml.rl import files
from studio_plugins.rl import training
from studio_plugins.rl.request import RlRequest, RunFields
from tests.plugins.rl.rl_room import RlRoom, alone, heard, press, returns

POLE = RlRequest(
    world='{"id":"CartPole-v1"}', seeds=1, steps=3000,
    runs=(RunFields(agent="ppo", settings=(("worlds", 2), ("n_steps", 32), ("batch_size", 32), ("epochs", 1))),),
)  # fmt: skip


def broken_off(room: RlRoom, request: RlRequest | None = None, *, at: int = 60, rate: float = 1000) -> tuple[Any, list[Any]]:
    """A panel that was closed in the midst of its training, and the plans of its runs."""
    panel = room.open(steps=3000)
    if request is not None:
        assert panel.restore_request("rl", request.to_dict()) == []
        room.quiet()
    panel.stage.play.set_rate(rate)
    panel.zones.primary.click()
    room.reached(panel, at)
    close(room, panel)
    room.until(lambda: room.engine.wait_idle(0) and not any(seat.session for seat in panel.desk.seats))
    return panel, [seat.plan for seat in panel.desk.seats]


def close(room: RlRoom, panel: Any) -> None:
    """As the window closes a panel."""
    room.panels.remove(panel)
    panel.closing()
    room.engine.cancel_owner("rl")
    room.window.pump.forget(panel)
    panel.hide()


def taken_up(room: RlRoom) -> Any:
    """Another panel, in which what is offered was taken up."""
    panel = room.open()
    press(panel, "Take it up")
    room.quiet()
    return panel


def folders(room: RlRoom) -> list[Path]:
    runs = room.panel_dir / "runs"
    return sorted(runs.iterdir()) if runs.is_dir() else []


@pytest.mark.parametrize("request_", [None, POLE], ids=["tables", "networks"])
def test_a_closed_panel_goes_on_bit_for_bit(request_: RlRequest | None, rl_room: RlRoom) -> None:
    _, plans = broken_off(rl_room, request_)
    panel = rl_room.open()
    told = panel.last_message.text
    assert "broken off" in told and all(f"of {plan.steps:,}" in told for plan in plans)
    press(panel, "Take it up")
    rl_room.quiet()
    assert [seat.plan for seat in panel.desk.seats] == plans and panel.zones.primary.text() == "Go on"
    assert all(tile.header.mode == "paused" for tile in panel.stage.tiles.tiles)
    assert panel.controls.request().seeds == plans[0].seeds
    before = [seat.steps for seat in panel.desk.seats]
    assert all(steps >= 60 for steps in before) and not any(seat.session.done for seat in panel.desk.seats)
    panel.zones.primary.click()
    rl_room.trained(panel)
    for seat, plan in zip(panel.desk.seats, plans, strict=True):
        assert returns(seat.session) == returns(alone(plan))
    assert folders(rl_room) == []


def test_a_paused_training_is_offered_too_and_can_be_discarded(rl_room: RlRoom) -> None:
    panel = rl_room.open(steps=100_000)
    panel.stage.play.set_rate(500)
    panel.zones.primary.click()
    rl_room.reached(panel, 30)
    panel.zones.primary.click()
    rl_room.still(panel)
    close(rl_room, panel)
    again = rl_room.open()
    assert "broken off" in again.last_message.text and len(folders(rl_room)) == 2
    press(again, "Discard it")
    rl_room.quiet()
    assert folders(rl_room) == [] and again.last_message is None
    assert rl_room.open().last_message is None


def test_what_was_taken_up_and_not_gone_on_with_is_offered_again(rl_room: RlRoom) -> None:
    _, plans = broken_off(rl_room)
    panel = taken_up(rl_room)
    close(rl_room, panel)
    again = taken_up(rl_room)
    assert [seat.plan for seat in again.desk.seats] == plans


def test_another_panels_training_is_not_offered(rl_room: RlRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "SAVE_EVERY", 0.05)
    first = rl_room.open(steps=100_000)
    first.stage.play.set_rate(500)
    first.zones.primary.click()
    rl_room.until(lambda: sum((folder / "current.json").exists() for folder in folders(rl_room)) == 2)
    second = rl_room.open(quiet=False)
    rl_room.until(lambda: not [task for task in second.desk._tasks if not task.state.ended])
    assert second.last_message is None
    first.zones.primary.click()
    rl_room.still(first)
    close(rl_room, first)


def test_two_trainings_are_offered_one_after_the_other(rl_room: RlRoom) -> None:
    broken_off(rl_room, POLE)
    for folder in folders(rl_room):  # of a process that is gone
        folder.rename(folder.with_name(f"A-1.1-{folder.name[-8:]}"))
    panel = rl_room.open(steps=3000)
    panel.last_message.text.index("PPO")
    panel.stage.play.set_rate(1000)
    panel.zones.primary.click()
    rl_room.reached(panel, 60)
    close(rl_room, panel)
    again = rl_room.open()
    assert "Sarsa" in again.last_message.text and "PPO" not in again.last_message.text
    press(again, "Discard it")
    assert "PPO" in again.last_message.text and "Sarsa" not in again.last_message.text


# --- damage ---


def spoil(folder: Path, how: str) -> None:
    """Damage the last checkpoint of a folder."""
    latest = folder / str(json.loads((folder / "current.json").read_text())["latest"])
    table, arrays = latest / "session.json", latest / "session.safetensors"
    data = json.loads(table.read_text())
    if how == "cut short":
        arrays.write_bytes(arrays.read_bytes()[:-20])
    elif how == "half a table":
        table.write_text(table.read_text()[:100])
    elif how == "newer":
        table.write_text(json.dumps(data | {"format": 99}))
    else:
        named = load_file(arrays)
        named["0/kept/q"] = np.full_like(named["0/kept/q"], np.nan)
        save_file(named, arrays)
        table.write_text(json.dumps(data | {"sha256": files._checksum(arrays)}))


@pytest.mark.parametrize("how", ["cut short", "half a table", "nan"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(
    how: str, rl_room: RlRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "SAVE_EVERY", 0.02)
    _, plans = broken_off(rl_room, at=200)
    first, second = folders(rl_room)
    assert len([path for path in first.iterdir() if path.is_dir()]) == 2
    spoil(first, how)
    panel = rl_room.open()
    told = heard(panel)
    press(panel, "Take it up")
    rl_room.quiet()
    assert any("goes on from the one before" in text for text in told)
    assert [seat.plan for seat in panel.desk.seats] == plans
    panel.zones.primary.click()
    rl_room.trained(panel)
    assert [returns(seat.session) for seat in panel.desk.seats] == [returns(alone(plan)) for plan in plans]


@pytest.mark.parametrize("how", ["cut short", "half a table", "newer", "nan"])
def test_one_that_cannot_be_opened_leaves_the_others(how: str, rl_room: RlRoom) -> None:
    _, plans = broken_off(rl_room)
    first, second = folders(rl_room)
    spoil(first, how)
    panel = rl_room.open()
    offered, told = panel.last_message, heard(panel)
    press(panel, "Take it up")
    rl_room.quiet()
    assert [seat.plan for seat in panel.desk.seats] == plans[1:]
    words = {"newer": "newer version", "nan": "no numbers"}.get(how, "cut short")
    assert any(words in text for text in (offered.details, *told)), (offered, told)
    assert first in folders(rl_room), "nobody but the person takes it away"
    panel.zones.primary.click()
    rl_room.trained(panel)
    assert returns(panel.desk.seats[0].session) == returns(alone(plans[1]))


def test_what_is_damaged_is_removed_when_told_so(rl_room: RlRoom) -> None:
    broken_off(rl_room)
    first, second = folders(rl_room)
    spoil(first, "half a table")
    spoil(second, "newer")
    empty = first.with_name("C-1.1-12345678")
    empty.mkdir()
    panel = rl_room.open()
    assert panel.last_message.level == "warning" and "2 checkpoints cannot be used" in panel.last_message.text
    press(panel, "Remove what is damaged")
    rl_room.quiet()
    assert folders(rl_room) == [second]


def test_a_run_that_another_window_has_taken_up(rl_room: RlRoom) -> None:
    broken_off(rl_room)
    panel = rl_room.open()
    shutil.rmtree(folders(rl_room)[0])
    told = heard(panel)
    press(panel, "Take it up")
    rl_room.quiet()
    assert any("another window has taken it up" in text for text in told)
    assert len(panel.desk.seats) == 1 and panel.zones.primary.text() == "Go on"
