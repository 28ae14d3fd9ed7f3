"""What can go wrong in the Agents panel: it says so in words, loses nothing, and stays alive."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio.ml.rl.grid import GridWorld
from studio.ml.rl.worlds import WorldSpec, remote, trust
from studio_plugins.rl import keeping
from studio_plugins.rl.controls import world_text
from studio_plugins.rl.request import RlRequest, RunFields
from tests.plugins.rl.rl_room import RlRoom, alone, heard, press, returns

PPO = (RunFields(agent="ppo", settings=(("worlds", 1), ("n_steps", 64), ("batch_size", 32), ("epochs", 1))),)
WORLD = '''
import gymnasium, numpy as np, time
{top}

class Odd(gymnasium.Env):
    metadata = {{"render_modes": [{modes}]}}

    def __init__(self, render_mode=None):
        self.render_mode = render_mode
        self.observation_space = {space}
        self.action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.time = 0
        {reset}
        return np.zeros(3, np.float32), {{}}

    def step(self, action):
        self.time += 1
        seen, reward = np.full(3, self.time / 100, np.float32), 1.0
        if self.time >= 50:
            {step}
        return seen, reward, self.time >= 200, False, {{}}
'''


def odd(
    folder: Path, *, top: str = "", reset: str = "pass", step: str = "pass", modes: str = "",
    space: str = "gymnasium.spaces.Box(-1e9, 1e9, (3,), np.float32)",
) -> Path:  # fmt: skip
    path = folder / "odd.py"
    path.write_text(WORLD.format(top=top, reset=reset, step=step, modes=modes, space=space))
    return path


def begin(room: RlRoom, panel: Any, world: WorldSpec, runs: tuple[RunFields, ...] = PPO, **shared: int) -> None:
    """Open a world and train in it."""
    request = RlRequest(world=world_text(world), runs=runs, **{"seeds": 1, "steps": 400, **shared})
    assert panel.restore_request("rl", request.to_dict()) == []
    room.quiet()
    assert panel.controls.described.spec == world
    panel.begin()


def still_trains(room: RlRoom, panel: Any) -> None:
    """All is as ever: the cliff can be opened and trained in."""
    begin(room, panel, WorldSpec("grid", grid=GridWorld.drawn("S..G")), (RunFields(agent="sarsa"),))
    room.trained(panel)
    assert panel.desk.seats[0].steps == 400


# --- worlds of others ---


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"top": "raise OSError('no licence')"}, ("OSError", "no licence")),
        ({"reset": "raise KeyError('lost')"}, ("KeyError", "lost")),
        ({"top": "import nobody_has_this"}, ("needs nobody_has_this", "pip install nobody_has_this")),
        ({"space": "gymnasium.spaces.Sequence(gymnasium.spaces.Discrete(3))"}, ("observes",)),
    ],
    ids=["raises at import", "raises in reset", "package", "space"],
)
def test_a_file_that_cannot_be_opened(parts: dict[str, str], words: tuple[str, ...], rl_room: RlRoom, tmp_path: Path) -> None:
    panel = rl_room.open()
    before, state = panel.controls.described, panel.state()
    panel.controls.world.file_named.emit(odd(tmp_path, **parts))
    rl_room.quiet()
    assert panel.controls.described is before and panel.state() == state
    told = panel.last_message
    assert told.level == "error" and all(word in told.text for word in words), told.text
    assert panel.zones.primary.text() == "Train"
    still_trains(rl_room, panel)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"step": "raise KeyError('lost')"}, "KeyError: 'lost'"), ({"step": "reward = float('nan')"}, "reward was nan"),
        ({"step": "seen = np.zeros(2, np.float32)"}, "(2,)"),
        ({"step": "time.sleep(1000)"}, "did not answer step within"),
    ],
    ids=["raises", "nan", "shape", "hangs"],
)
def test_a_world_that_goes_wrong_while_it_is_learnt_in(
    parts: dict[str, str], words: str, rl_room: RlRoom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote.RemoteBank.__init__, "__kwdefaults__", {"start": 30.0, "patience": 3.0})
    panel = rl_room.open()
    panel.controls.world.file_named.emit(odd(tmp_path, **parts))
    rl_room.quiet()
    panel.controls.set_shared(seeds=1, steps=400)
    panel.begin()
    rl_room.trained(panel)
    tile = panel.stage.tiles.tiles[0]
    assert words in tile.trouble() and tile._trouble.isVisible()
    assert {record.title.split(",")[0] for record in rl_room.store.records()} >= {f"{tile.header.title} in odd.py: Odd"}
    still_trains(rl_room, panel)


def test_a_world_with_a_window_of_its_own(rl_room: RlRoom, tmp_path: Path) -> None:
    panel = rl_room.open()
    panel.controls.world.file_named.emit(odd(tmp_path, modes='"human"'))
    rl_room.quiet()
    assert "window of its own" in panel.controls.world._about.text()
    begin(rl_room, panel, panel.controls.described.spec, steps=64)
    rl_room.trained(panel)
    assert not panel.stage.tiles.tiles[0].trouble() and panel.desk.seats[0].steps == 64


def test_a_file_that_was_changed_after_it_was_trusted(rl_room: RlRoom, tmp_path: Path) -> None:
    path = odd(tmp_path)
    panel = rl_room.open()
    stored = RlRequest(world=world_text(trust(path, "Odd")), runs=PPO, seeds=1, steps=64).to_dict()
    path.write_text(path.read_text() + "\n# changed\n")
    panel.restore_request("rl", stored)
    rl_room.quiet()
    assert "changed since it was trusted" in panel.last_message.text
    asked: list[Path] = []
    panel.controls.world.ask_trust = asked.append
    panel.desk.distrusted.disconnect()
    panel.desk.distrusted.connect(asked.append)
    press(panel, "Trust it anew…")
    assert asked == [path]


@pytest.mark.parametrize(
    ("world", "words"), [("NoSuch-v0", "knows no world"), ("LunarLander-v2", "LunarLander-v3"), ("grid", "grid")]
)
def test_worlds_that_are_not_there(world: str, words: str, rl_room: RlRoom) -> None:
    panel = rl_room.open()
    before = panel.state()["request"]
    stored = {**RlRequest().to_dict(), "world": json.dumps({"id": world})}
    notes = panel.restore_request("rl", stored)
    rl_room.quiet()
    told = [*notes, panel.last_message.text if panel.last_message else ""]
    assert any(words in text for text in told), told
    assert panel.state()["request"] == before
    assert panel.controls.world._box.currentText() == "Cliff walking"


def test_a_session_whose_world_is_gone_is_not_forgotten(rl_room: RlRoom) -> None:
    panel = rl_room.show(rl_room.build())
    stored = {**RlRequest().to_dict(), "world": '{"id":"NoSuch-v0"}'}
    panel.restore({"request": stored})
    rl_room.quiet()
    assert "knows no world" in panel.last_message.text and panel.state()["request"] == stored
    panel._begin_in(WorldSpec("NoSuch-v1"))
    rl_room.quiet()
    still_trains(rl_room, panel)
    assert len(panel.desk.seats) == 1, "what could not be opened does not begin later"
    assert panel.state()["request"]["world"] != stored["world"]


@pytest.mark.parametrize(
    "broken",
    [
        {"world": "{"}, {"world": "[]"}, {"world": 7}, {"runs": []}, {"runs": [{"agent": "nobody"}]}, {"steps": -1},
        {"runs": [{"agent": "sarsa", "settings": [["alpha", "much"]]}]}, {"seeds": 1000}, {"seed": "x"},
        {"runs": [{"agent": "sarsa", "settings": [["colour", 1]]}]}, {"nonsense": 1},
    ],
    ids=str,
)
def test_broken_requests(broken: dict[str, Any], rl_room: RlRoom) -> None:
    panel = rl_room.open()
    assert panel.restore_request("rl", {**RlRequest().to_dict(), **broken}), "what could not be is named"
    panel.restore({"request": {**RlRequest().to_dict(), **broken}, "page": 3, "layout": "x", "stage": [], "together": None})
    rl_room.quiet()
    assert panel.controls.described is not None and len(panel.controls.runs) >= 1


# --- diverging ---


def test_a_run_that_diverges(rl_room: RlRoom) -> None:
    """Rewards beyond all measure: it says so, keeps the last good values, and both ways out of it work."""
    panel = rl_room.open()
    grid = GridWorld.drawn("S...G", step_reward=1e306)
    runs = (RunFields(agent="q_learning", settings=(("alpha", 1.0), ("gamma", 1.0))),)
    begin(rl_room, panel, WorldSpec("grid", grid=grid), runs, steps=100_000)
    rl_room.trained(panel)
    tile, seat = panel.stage.tiles.tiles[0], panel.desk.seats[0]
    assert "grow without bound" in tile.trouble() and tile._trouble.isVisible() and seat.steps < 100_000
    assert np.isfinite(seat.session.view().look.table.q).all()
    tile._trouble.rewind.click()
    rl_room.quiet()
    assert not tile.trouble() and panel.zones.primary.text() == "Go on"
    panel.editing.edit(replace(grid, step_reward=-1.0), grid, "Change reward of a step")
    panel.press()
    rl_room.trained(panel)
    assert not tile.trouble() and seat.steps == 100_000
    panel.editing.edit(grid, grid, "Change reward of a step")
    rl_room.quiet()
    tile._trouble.new_run.click()
    rl_room.trained(panel)
    assert "grow without bound" in tile.trouble() and panel.desk.seats[0] is not seat
    still_trains(rl_room, panel)


# --- checkpoints ---


def test_a_full_disk_while_checkpoints_are_written(rl_room: RlRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    from studio.ml.rl import store
    from studio_plugins.rl import training

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(training, "SAVE_EVERY", 0.01)
    monkeypatch.setattr(store, "write", full)
    panel = rl_room.open(steps=30_000)
    told = heard(panel)
    panel.zones.primary.click()
    rl_room.trained(panel)
    warnings = [text for text in told if "No checkpoint" in text]
    assert warnings and len(warnings) == len(set(warnings)) and "No space left" in warnings[0]
    assert all(returns(seat.session) == returns(alone(seat.plan)) for seat in panel.desk.seats)


def test_a_full_disk_while_runs_are_kept(rl_room: RlRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    """New training lets go of a run only once it is kept."""
    panel = rl_room.open(steps=100_000)
    panel.stage.play.set_rate(500)
    panel.zones.primary.click()
    rl_room.reached(panel, 50)
    panel.zones.primary.click()
    rl_room.still(panel)
    old = panel.desk.seats
    whole = [returns(seat.session) for seat in old]

    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    real = keeping.keep
    monkeypatch.setattr(keeping, "keep", full)
    panel.stage.play.set_rate(100_000)
    panel.controls.set_shared(steps=500)
    panel.begin()
    rl_room.trained(panel)
    assert panel.last_message.level == "error" and rl_room.store.records() == []
    assert [returns(seat.session) for seat in old] == whole
    monkeypatch.setattr(keeping, "keep", real)
    press(panel, "Try again")
    rl_room.quiet()
    assert len(rl_room.store.records()) >= 1


# --- sizes ---


def test_one_cell_is_a_world_too(rl_room: RlRoom) -> None:
    panel = rl_room.open()
    begin(rl_room, panel, WorldSpec("grid", grid=GridWorld.drawn("S")), (RunFields(agent="sarsa"),))
    rl_room.trained(panel)
    assert panel.desk.seats[0].steps == 400


def test_a_world_of_3600_cells(rl_room: RlRoom) -> None:
    panel = rl_room.open()
    rows = ["." * 60] * 60
    rows[0], rows[59] = "S" + "." * 59, "." * 59 + "G"
    begin(rl_room, panel, WorldSpec("grid", grid=GridWorld.drawn("\n".join(rows))), RlRequest().runs, steps=20_000)
    rl_room.trained(panel)
    assert [seat.steps for seat in panel.desk.seats] == [20_000] * 2
    assert panel.stage.tiles.tiles[0].grid_view.grid.rows == 60


def test_a_hundred_seeds_and_a_hundred_million_steps(rl_room: RlRoom) -> None:
    panel = rl_room.open(seeds=100, steps=100_000_000)
    panel.zones.primary.click()
    rl_room.until(lambda: all(index in panel.desk.views and panel.desk.views[index].total > 20_000 for index in (0, 1)))
    panel.zones.primary.click()
    rl_room.still(panel)
    assert all(len(view.curves["return"]) == 100 for view in panel.desk.views.values())


def test_a_buffer_that_does_not_fit(rl_room: RlRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    from studio.ml.rl.deep import replay

    monkeypatch.setattr(replay, "SHARE", 1e-6)
    panel = rl_room.open()
    runs = (RunFields(agent="dqn", settings=(("buffer_size", 5_000_000),)),)
    begin(rl_room, panel, WorldSpec("CartPole-v1"), runs)
    rl_room.quiet()
    assert panel.last_message.level == "error" and "GB" in panel.last_message.text, panel.last_message.text
    assert panel.zones.primary.text() == "Train"
    still_trains(rl_room, panel)
