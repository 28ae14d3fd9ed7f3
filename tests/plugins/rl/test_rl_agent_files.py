"""Agents as files: what goes out acts alike when it comes in, and plays only where it fits; curves for TensorBoard."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from studio.engine import run_inline
from studio.ml.rl.errors import BadCheckpoint, BadSetting
from studio.ml.rl.session import Session
from studio.ml.rl.tensorboard import records
from studio.ml.rl.worlds import Description, WorldSpec, Worlds, describe
from studio_plugins.rl.agent_files import Guest, OpenOrder, SaveOrder, misfit, open_agent, opened, save_agent
from studio_plugins.rl.event_files import EventOrder, write_events
from studio_plugins.rl.plans import plans
from studio_plugins.rl.request import RlRequest, RunFields
from studio_plugins.rl.seat import Seat
from tests.plugins.panel_room import END

POLE = WorldSpec("CartPole-v1")


def seat(agent: str = "sarsa", steps: int = 3000, **request) -> Seat:
    plan = plans(RlRequest(runs=(RunFields(agent=agent),), seeds=1, steps=steps, **request))[0]
    made = Seat("A", plan)
    made.session = Session(plan)
    while not made.session.done:
        made.session.advance()
    return made


@pytest.fixture(scope="module")
def zipped(tmp_path_factory) -> Path:
    """An agent of Stable-Baselines3 as it saves itself."""
    import stable_baselines3 as sb3

    path = tmp_path_factory.mktemp("sb3") / "pole.zip"
    sb3.PPO("MlpPolicy", "CartPole-v1", n_steps=32, batch_size=32, device="cpu").save(path)
    return path


def invited(path: Path, world: WorldSpec | None = None) -> Guest:
    return run_inline(open_agent, OpenOrder(path, world))


@pytest.mark.parametrize("which", ["current", "best"])
def test_a_saved_table_acts_as_the_run_does(tmp_path: Path, which: str) -> None:
    run = seat()
    saved = run_inline(save_agent, SaveOrder(run, which, tmp_path / "agent"))
    assert {path.name for path in saved.path.iterdir()} == {"agent.json", "agent.safetensors"}
    guest, policy = opened(tmp_path / "agent" / "agent.json"), run.session.policy(which)
    for state in range(48):
        for u in (None, 0.03, 0.5, 0.999):
            assert guest.policy.act(state, u) == policy.act(state, u)
    told = invited(tmp_path / "agent" / "agent.json", run.plan.world).told
    assert f"{3000 if which == 'current' else run.session.bests[0].steps:,} steps" in told


def test_a_saved_network_acts_as_the_run_does(tmp_path: Path) -> None:
    run = seat("dqn", 60, world='{"id":"CartPole-v1"}')
    run_inline(save_agent, SaveOrder(run, "current", tmp_path / "agent"))
    guest = opened(tmp_path / "agent" / "agent.json")
    seen = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    assert [guest.policy.act(one) for one in seen] == [run.session.policy().act(one) for one in seen]
    run.session.close()


def test_agents_of_stable_baselines_are_saved_as_it_saves_them(tmp_path: Path) -> None:
    import stable_baselines3 as sb3

    run = seat("sb3", 40, world='{"id":"CartPole-v1"}')
    saved = run_inline(save_agent, SaveOrder(run, "current", tmp_path / "agent"))
    own = getattr(sb3, run.plan.settings.algorithm).load(saved.path, device="cpu")
    guest = opened(saved.path)
    for one in np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32):
        best = int(own.predict(one, deterministic=True)[0])
        assert guest.policy.act(one) == best == int(run.session.policy().act(one))
    run.session.close()


def test_there_is_no_best_policy_before_twenty_episodes(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="20 episodes"):
        run_inline(save_agent, SaveOrder(seat(steps=20), "best", tmp_path / "agent"))


def test_an_agent_is_refused_where_it_does_not_fit(tmp_path: Path, zipped: Path) -> None:
    run_inline(save_agent, SaveOrder(seat(steps=100), "current", tmp_path / "agent"))
    with pytest.raises(BadCheckpoint, match="48 states.*4 numbers"):
        invited(tmp_path / "agent" / "agent.json", POLE)
    with pytest.raises(BadCheckpoint, match="4 numbers.*6 numbers"):
        invited(zipped, WorldSpec("Acrobot-v1"))
    assert invited(zipped, POLE) == Guest(zipped, "pole.zip", opened(zipped).told)
    assert "3 numbers" in misfit(opened(zipped).home, describe(WorldSpec("Pendulum-v1")))


def test_continuous_actions_fit_by_their_bounds(tmp_path: Path) -> None:
    import stable_baselines3 as sb3

    path, about = tmp_path / "pendulum.zip", describe(WorldSpec("Pendulum-v1"))
    sb3.SAC("MlpPolicy", "Pendulum-v1", buffer_size=10, device="cpu").save(path)
    home = opened(path).home
    assert misfit(home, about) == ""
    assert "-2 to 2" in misfit(home, replace(about, low=(-1.0,), high=(1.0,)))


def test_pixels_fit_whichever_way_their_channels_lie() -> None:
    about = Description("pixels", (4, 84, 84), None, "discrete", 2)
    assert misfit(replace(about, shape=(84, 84, 4)), about) == ""
    assert "84 × 84 × 3" in misfit(replace(about, shape=(84, 84, 3)), about)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip", b'{"format": 1}'])
def test_a_damaged_file_is_refused_in_words(tmp_path: Path, content: bytes) -> None:
    for name in ("agent.json", "agent.zip"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(BadCheckpoint):
            opened(tmp_path / name)


# --- in the panel ---


def test_an_opened_agent_plays_in_the_world_of_the_run(panel, room, tmp_path: Path) -> None:
    played = []
    panel.desk.played.connect(played.append)
    returns = [list(record.totals) for record in panel.desk.seats[0].session.records]
    panel.outlet.write_agent(panel.desk.seats[0], "best", tmp_path / "agent")
    room.quiet()
    panel.outlet.read_agent(tmp_path / "agent" / "agent.json")
    room.qtbot.waitUntil(lambda: len(played) > 3, timeout=END)
    assert panel.stage.play.watching == "opened"
    assert {one.who for one in played} == {"opened"}
    assert panel.stage.tiles.tiles[0].header.mode == "opened agent"
    panel.theatre.watch_training()
    room.quiet()
    assert [list(record.totals) for record in panel.desk.seats[0].session.records] == returns


def test_an_agent_of_another_world_is_told_why_it_cannot_play(panel, room, zipped: Path) -> None:
    said = []
    panel.posted.connect(lambda message: said.append(message.text if message else ""))
    panel.outlet.read_agent(zipped)
    room.quiet()
    assert "cannot play in" in said[-1] and "48 states" in said[-1]
    assert panel.stage.play.watching == "training" and panel.desk.guest is None


def test_an_agent_whose_world_was_left_stops_with_the_reason(panel, room, zipped: Path) -> None:
    said = []
    panel.posted.connect(lambda message: said.append(message.text if message else ""))
    panel.theatre.invite(invited(zipped))
    room.quiet()
    assert "cannot play in" in said[-1]
    assert panel.stage.play.watching == "training"


def test_the_menu_offers_what_can_be_done_now(room) -> None:
    made = room.show(room.build())
    room.quiet()
    menu = made.stage.play.files.menu()

    def able() -> dict[str, bool]:
        menu.aboutToShow.emit()
        return {action.text(): action.isEnabled() for action in menu.actions() if not action.isSeparator()}

    assert [name for name, on in able().items() if on] == ["Let an agent from a file play…"]
    made.demo()
    assert all(able().values())


# --- TensorBoard ---


def test_each_seed_has_an_event_file_of_its_curves(tmp_path: Path) -> None:
    run = seat(seed=5)
    view = run.session.view()
    told = run_inline(write_events, EventOrder(tmp_path, (run,)))
    written = list(tmp_path.rglob("events.*"))
    assert told.files == len(written) == 1
    assert written[0].parent.relative_to(tmp_path) == Path("A Sarsa in Cliff walking, seed 5") / "seed 5"
    own = {f"train/{name}": seeds[0] for name, seeds in view.curves.items() if len(seeds[0])}
    assert written[0].stat().st_size == sum(map(len, records(own, 0.0)))


def test_a_folder_that_cannot_be_written_is_told(panel, room, tmp_path: Path) -> None:
    said = []
    panel.posted.connect(lambda message: said.append(message.text if message else ""))
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    panel.outlet.write_events_into(tmp_path / "file")
    room.quiet()
    assert said and "file" in said[-1] and "TensorBoard are in" not in said[-1]


def test_a_guest_changes_nothing_of_the_world_it_visits(zipped: Path) -> None:
    """It acts on the observations it is given, whatever their memory."""
    worlds = Worlds(POLE, 1, 0)
    seen = worlds.reset()
    before = seen.copy()
    assert opened(zipped).policy.act(seen[0]) in (0, 1)
    np.testing.assert_array_equal(seen, before)
    worlds.close()
