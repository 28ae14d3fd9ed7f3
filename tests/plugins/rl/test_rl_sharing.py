"""What leaves the panel: every export as a file, and episodes as films that show what really happened."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from PIL import Image
from PySide6.QtWidgets import QFileDialog

from studio.host.export import ExportError
from studio.host.imagemeta import read_metadata
from studio.ml.rl.grid import cliff
from studio.ml.rl.learner import Episode
from studio.ml.rl.worlds import Replay, WorldSpec
from studio.ui.theme import theme
from studio_plugins.rl import film
from studio_plugins.rl.drawing import Manner, Moment, TextArtist
from studio_plugins.rl.film import Reel, animation
from studio_plugins.rl.sharing import reel_of
from tests.plugins.panel_room import END
from tests.plugins.rl.learnt import trained

WAY = np.array([0, *[1] * 11, 2])
"""Along the edge of the cliff to the goal."""
CLIFF = WorldSpec("grid", grid=cliff())


def episode(actions, seed: int = 0) -> Episode:
    return Episode(0, 7, seed, np.asarray(actions), -13.0, len(actions), True)


def test_everything_that_is_offered_is_written(panel, room, tmp_path: Path) -> None:
    """Plots by the window, all else beside it."""
    from concurrent.futures import ThreadPoolExecutor

    panel.lines.draw_whole()
    room.quiet()
    room.qtbot.waitUntil(lambda: bool(panel.stage.curves.drawn()), timeout=END)
    offered = panel.exportables()
    assert {"world of run A", "script", "curves measured", "action values"} <= {one.name for one in offered}
    service, written = panel.context.export, {}
    with ThreadPoolExecutor(1) as other:
        for one in offered:
            path = tmp_path / service.suggest_name(one)
            here = one.kind == "plot"
            written[one.name] = service.save(one, path) if here else other.submit(service.save, one, path).result()
    assert all(path.stat().st_size > 100 for path in written.values())
    with written["curves measured"].open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    first = [float(row["value"]) for row in rows if (row["run"], row["measure"], row["seed"]) == ("A", "return", "0")]
    np.testing.assert_array_equal(first, panel.desk.views[0].curves["return"][0].values)
    told = read_metadata(written["world of run A"])
    assert told.kind == "rl" and told.request["runs"][0]["agent"] == "sarsa"
    best = panel.desk.views[0].best
    with Image.open(written[f"episode {best.number} of run A"]) as moving:
        assert moving.n_frames == best.length + 1


def test_nothing_but_the_script_is_offered_before_anything_is_trained(room) -> None:
    made = room.show(room.build())
    room.quiet()
    assert [one.kind for one in made.exportables() if one.kind != "image"] == ["script"]
    assert reel_of(made) is None


def test_a_film_of_a_grid_shows_the_agent_where_it_was(qapp) -> None:
    learner, _ = trained("sarsa", steps=500)
    shown = animation(Reel("x", CLIFF, episode(WAY), learner.look().table, Manner(token="series.1")))
    again = Replay(CLIFF, 0, WAY)
    cells = [cliff().cell(int(moment.observation)) for moment in again]
    assert len(shown.frames) == len(cells) == len(WAY) + 1
    colour = np.array(theme().color("series.1").getRgb()[:3])
    side = 64
    for frame, cell in zip(shown.frames, cells, strict=True):
        near = np.abs(frame.astype(int) - colour).sum(axis=2) < 6
        height, width = near.shape
        left, top = (width - 12 * side) // 2, 20
        y, x = top + cell[0] * side, left + cell[1] * side
        assert near[y : y + side, x : x + side].sum() > 400, f"the agent is not at {cell}"


def test_a_film_of_frames_is_what_the_world_itself_draws(qapp) -> None:
    env = gym.make("CartPole-v1", render_mode="rgb_array")
    env.reset(seed=3)
    expected, actions, over = [env.render()], [], False
    while not over:
        actions.append(len(actions) % 2)
        _, _, over, _, _ = env.step(actions[-1])
        expected.append(env.render())
    env.close()
    shown = animation(Reel("x", WorldSpec("CartPole-v1"), episode(actions, seed=3)))
    np.testing.assert_array_equal(shown.frames, expected)


@pytest.mark.parametrize(("name", "bound"), [("MOST_FRAMES", 10), ("MOST_BYTES", 8 * 400 * 600 * 3)])
def test_a_long_episode_is_thinned_and_its_end_kept(qapp, monkeypatch, name: str, bound: int) -> None:
    monkeypatch.setattr(film, name, bound)
    actions = [0, 1] * 10
    reel = Reel("x", WorldSpec("CartPole-v1"), episode(actions, seed=1))
    steps = film.filmed(reel)
    with pytest.raises(StopIteration) as end:
        while True:
            next(steps)
    made = end.value.value
    assert made.every > 1 and 2 < len(made.animation.frames) <= 11
    again = Replay(reel.world, 1, np.array(actions))
    times = [*range(0, len(actions), made.every), len(actions)][: len(made.animation.frames)]
    np.testing.assert_array_equal(made.animation.frames[1], again.at(times[1]).frame)
    np.testing.assert_array_equal(made.animation.frames[-1], again.at(len(actions)).frame)
    assert f"every {film._ordinal(made.every)} step" in made.told


def test_a_film_of_a_world_that_was_edited_since_says_so(qapp) -> None:
    def told(world: WorldSpec) -> str:
        steps = film.filmed(Reel("x", world, episode(WAY)))
        with pytest.raises(StopIteration) as end:
            while True:
                next(steps)
        return end.value.value.told

    assert "changed since" not in told(CLIFF)
    assert "changed since" in told(WorldSpec("grid", grid=replace(cliff(), step_reward=-2.0)))


def test_text_worlds_are_written_in_pictures_of_one_size(qapp) -> None:
    artist = TextArtist(["ab\ncd", "a longer line"])
    first, second = (artist.draw(Moment(text=text)) for text in ("ab\ncd", "a longer line"))
    assert first.shape == second.shape and (first != second).any()
    background = first[0, 0]
    assert (first != background).any(axis=(1, 2)).sum() > (second != background).any(axis=(1, 2)).sum() > 5


class Unseen(gym.Env):
    """A world without any picture."""

    observation_space, action_space = gym.spaces.Box(-1, 1, (2,), np.float32), gym.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(2, np.float32), {}

    def step(self, action):
        return np.zeros(2, np.float32), 0.0, False, False, {}


def test_a_world_without_a_picture_says_so(qapp, monkeypatch) -> None:
    monkeypatch.setattr(gym.envs.registration, "registry", dict(gym.envs.registration.registry))
    gym.register("Unseen-v0", entry_point=Unseen, max_episode_steps=5)
    with pytest.raises(ExportError, match="no picture"):
        animation(Reel("x", WorldSpec("Unseen-v0"), episode([0, 1])))


def test_the_replay_bar_asks_where_and_a_job_writes_the_film(panel, room, tmp_path: Path) -> None:
    best = panel.desk.views[0].best
    panel.stage.replay.exported.emit(best)
    dialog = next(one for one in panel.findChildren(QFileDialog) if one.isVisible())
    assert "GIF" in " ".join(dialog.nameFilters())
    dialog.reject()
    panel.outlet.write_episode(reel_of(panel, best), tmp_path / "best.gif")
    room.quiet()
    room.qtbot.waitUntil(lambda: (tmp_path / "best.gif").exists(), timeout=END)
    with Image.open(tmp_path / "best.gif") as moving:
        assert moving.n_frames == best.length + 1


def test_a_cancelled_film_leaves_no_file(panel, room, tmp_path: Path) -> None:
    said = []
    panel.posted.connect(lambda message: said.append(message.text if message else ""))
    panel.outlet.write_episode(reel_of(panel), tmp_path / "never.gif")
    panel.outlet._film.cancel()
    room.quiet()
    assert not (tmp_path / "never.gif").exists()
    assert "not saved" in said[-1]
