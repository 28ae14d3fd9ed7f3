"""Tiles of runs side by side, frames, and the bars that play them."""

from __future__ import annotations

import gc
import weakref
from math import inf

import numpy as np
import pytest
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QStandardItemModel
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from shiboken6 import delete

from studio.ml.rl.grid import cliff
from studio.ml.rl.learner import Episode, Look
from studio.ui.theme import theme
from studio_plugins.rl.frame_view import FrameView
from studio_plugins.rl.overlay_bar import OverlayBar
from studio_plugins.rl.overlays import Overlays
from studio_plugins.rl.phase import PhaseMeter
from studio_plugins.rl.play_bar import MOST_FRAMES, MOST_STEPS, PlayBar, rate_of, tick_of
from studio_plugins.rl.play_keys import PlayKeys, idle_action, keys_for
from studio_plugins.rl.replay_bar import ReplayBar
from studio_plugins.rl.tile import COLOURS, RunTile
from studio_plugins.rl.tiles import RunTiles, columns_for

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture(autouse=True)
def light(qapp: QApplication) -> None:
    theme().apply("light", 1.0)


@pytest.fixture
def shown(qtbot):
    def show(widget: QWidget, width: int = 640, height: int = 420):
        qtbot.addWidget(widget)
        widget.resize(width, height)
        widget.show()
        return widget

    return show


def look(**fields) -> Look:
    return Look(**{"steps": 1234, "episode": 7, "time": 3, "total": -13.0, **fields})


def checker(height: int, width: int) -> np.ndarray:
    frame = np.zeros((height, width, 3), np.uint8)
    frame[np.indices((height, width)).sum(axis=0) % 2 == 0] = (250, 120, 10)
    return frame


# --- frames ---


def test_a_frame_keeps_its_proportions_and_stands_in_the_middle(shown) -> None:
    view = shown(FrameView(), 400, 300)
    view.show_look(look(frame=np.full((100, 160, 3), (10, 200, 30), np.uint8)))
    box = view.target()
    assert box.width() / box.height() == pytest.approx(1.6, abs=0.02) and abs(box.center().x() - 200) <= 1
    image = view.grab().toImage()
    assert image.pixelColor(200, 150).getRgb()[:3] == (10, 200, 30)
    assert image.pixelColor(200, 3) == theme().color("sunken")


def test_small_worlds_keep_hard_edges_in_equal_squares(shown) -> None:
    view = shown(FrameView(), 400, 300)
    view.show_look(look(frame=checker(8, 8)))
    box, image = view.target(), view.grab().toImage()
    assert box.width() % 8 == 0 and box.width() == box.height()
    seen = {image.pixelColor(x, y).getRgb()[:3] for x in range(box.left(), box.right() + 1) for y in (box.top() + 1, box.center().y())}
    assert seen == {(250, 120, 10), (0, 0, 0)}


def test_large_frames_are_shrunk_smoothly(shown) -> None:
    view = shown(FrameView(), 208, 158)
    view.show_look(look(frame=checker(600, 800)))
    image, centre = view.grab().toImage(), view.target().center()
    red = image.pixelColor(centre).red()
    assert 95 <= red <= 155  # neither of the two colours: their mean


def test_a_frame_outlives_the_array_it_came_in(shown) -> None:
    view = shown(FrameView(), 300, 200)
    frame = np.full((50, 75, 3), (9, 99, 199), np.uint8)
    view.show_frame(frame[:, ::-1])  # not contiguous
    del frame
    gc.collect()
    np.full((50, 75, 3), 255, np.uint8)
    assert view.grab().toImage().pixelColor(150, 100).getRgb()[:3] == (9, 99, 199)


def test_text_worlds_and_empty_ones_say_so_in_words(shown) -> None:
    view = shown(FrameView(), 300, 200)
    empty = view.grab().toImage()
    view.show_look(look(text="+---+\n|R G|\n+---+"))
    written = view.grab().toImage()
    view.show_sentence("This world renders only to a window of its own.")
    assert len({empty.bits().tobytes(), written.bits().tobytes(), view.grab().toImage().bits().tobytes()}) == 3
    assert view.accessibleDescription() == "This world renders only to a window of its own."


@pytest.mark.parametrize("saliency", [np.eye(50, 75), np.array([0.1, -2.0, 0.5])])
def test_saliency_lies_over_the_frame_until_it_is_switched_off(shown, saliency: np.ndarray) -> None:
    view = shown(FrameView(), 300, 200)
    view.show_frame(np.full((50, 75, 3), 128, np.uint8))
    bare = view.grab().toImage()
    view.set_saliency(saliency, ("a", "b", "c"))
    assert view.grab().toImage() != bare
    view.set_saliency_shown(False)
    assert view.grab().toImage() == bare


# --- phase ---


def test_the_phase_is_a_share_of_the_last_second_and_a_steady_word() -> None:
    meter = PhaseMeter()
    assert meter.share is None and meter.word is None
    for k in range(60):
        meter.note("collect" if k % 2 else "update", k / 30)
    words = set()
    for k in range(60, 120):  # alternating all the time: one word, not sixty changes
        meter.note("collect" if k % 2 else "update", k / 30)
        words.add(meter.word)
    assert words == {"both"} and meter.share == pytest.approx(0.5, abs=0.02)
    for k in range(120, 132):
        meter.note("update", k / 30)
    assert meter.word == "update" and 0.25 < meter.share < 0.5
    meter.note("collect", 10.0, collect=0.25)  # counted rather than sampled
    assert meter.share == 0.25


# --- tiles ---


def test_a_tile_shows_who_learns_and_how_far_it_is(shown) -> None:
    tile = shown(RunTile(1, "SARSA", on_policy=True))
    tile.show_look(look(grid=cliff()), rate=45_200.0)
    assert tile.header.facts.parts() == ["step 1,234", "episode 7", "return −13", "45,200 steps/s"]
    assert (tile.header.letter, tile.header.badge, tile.header.phase_word()) == ("B", "on-policy", "collect")
    assert tile.accessibleName() == "Run B: SARSA, on-policy"
    assert "step 1,234" in tile.accessibleDescription()
    chip = tile.header.grab().toImage().pixelColor(11, 15)
    assert chip == theme().color(COLOURS[1])
    tile.set_mode("paused")
    assert tile.header.phase_word() == "paused"


def test_a_tile_takes_the_view_that_fits_its_looks(shown) -> None:
    tile = shown(RunTile(0, "DQN", on_policy=False))
    assert tile.view is tile.frame_view
    tile.show_look(look(grid=cliff()))
    assert tile.view is tile.grid_view and tile.aspect() == 3.0
    tile.show_look(look(frame=checker(20, 30)))
    assert tile.view is tile.frame_view and tile.aspect() == 1.5
    tile.show_look(look())  # sampled without a frame
    assert not tile.frame_view.image.isNull()


def test_trouble_is_told_with_its_ways_out(shown, qtbot) -> None:
    tile = shown(RunTile(0, "DQN", on_policy=False))
    assert tile._trouble.isHidden()
    tile.show_trouble("Diverged: the loss is no longer a number. Lower the learning rate.")
    assert tile._trouble.isVisible() and tile.trouble().startswith("Diverged")
    for button, signal in ((tile._trouble.rewind, tile.rewind), (tile._trouble.new_run, tile.new_run)):
        with qtbot.waitSignal(signal):
            QTest.mouseClick(button, LEFT)
    tile.show_trouble("")
    assert tile._trouble.isHidden()


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_tiles_are_equal_and_do_not_overlap(shown, count: int) -> None:
    tiles = shown(RunTiles(), 1280, 760)
    tiles.set_runs([("Q-learning", False), ("SARSA", True), ("DQN", False), ("PPO", True)][:count])
    boxes = [tile.geometry() for tile in tiles.tiles]
    assert len({(box.width(), box.height()) for box in boxes}) == 1
    assert all(tiles.rect().contains(box) for box in boxes)
    assert not any(a.intersects(b) for k, a in enumerate(boxes) for b in boxes[k + 1 :])
    rows = {1: 1, 2: 1, 3: 1, 4: 2}[count]
    assert len({box.top() for box in boxes}) == rows


def test_wide_worlds_are_stacked_where_that_makes_them_much_larger() -> None:
    assert columns_for(2, QSize(1280, 620), 3.0) == 2
    assert columns_for(2, QSize(600, 900), 3.0) == 1
    assert columns_for(4, QSize(1280, 760), 1.5) == 2
    assert columns_for(4, QSize(2000, 330), 1.0) == 4


def test_one_tile_is_selected_by_click_or_focus(shown) -> None:
    tiles = shown(RunTiles(), 1000, 500)
    tiles.set_runs([("Q-learning", False), ("SARSA", True)])
    said = []
    tiles.selected.connect(lambda place: said.append(place))
    assert tiles.index == 0 and tiles.tiles[0].chosen
    QTest.mouseClick(tiles.tiles[1].view, LEFT)
    assert said == [1] and tiles.current is tiles.tiles[1]
    assert [tile.chosen for tile in tiles.tiles] == [False, True]
    assert tiles.tiles[1].accessibleName().endswith("selected")
    edge = tiles.tiles[1].grab().toImage().pixelColor(1, 200)
    assert edge == theme().color(COLOURS[1])
    QTest.mouseClick(tiles.tiles[0].header, LEFT)
    assert said == [1, 0]


def test_runs_come_and_go_without_leaving_anything(shown, qtbot) -> None:
    tiles = shown(RunTiles(), 1000, 500)
    tiles.set_runs([("Q-learning", False), ("SARSA", True), ("DQN", False)])
    tiles.select(2)
    gone, kept = weakref.ref(tiles.tiles[2]), tiles.tiles[0]
    tiles.set_runs([("Q-learning", False), ("Expected SARSA", True)])
    assert tiles.tiles[0] is kept and tiles.index == 1 and tiles.tiles[1].header.title == "Expected SARSA"
    QApplication.sendPostedEvents(None, 52)  # deferred deletion
    gc.collect()
    assert gone() is None
    with pytest.raises(ValueError, match="at most 4"):
        tiles.set_runs([("A", True)] * 5)


def test_edits_of_a_world_pass_through_its_tile(shown, qtbot) -> None:
    tile = shown(RunTile(0, "SARSA", on_policy=True))
    tile.show_look(look(grid=cliff()))
    with qtbot.waitSignal(tile.edited) as said:
        tile.grid_view.edited.emit(cliff().put((0, 0), "#"), cliff(), "Draw wall")
    assert said.args[0].walls == {(0, 0)}


# --- what lies over the world ---


def test_the_overlay_bar_says_what_is_chosen(shown) -> None:
    bar = shown(OverlayBar(), 400, 40)
    said = []
    bar.changed.connect(lambda overlays: said.append(overlays))
    bar.set_overlays(Overlays(heat="visits", trail=False))
    assert said == [] and bar.heat.currentText() == "Visits"
    QTest.mouseClick(bar.toggles["optimal"], LEFT)
    assert said == [Overlays(heat="visits", trail=False, optimal=True)]
    bar.set_optimal_known(False)
    assert not bar.toggles["optimal"].isEnabled()


# --- playing ---


@pytest.mark.parametrize("training", [True, False])
def test_the_speed_slider_goes_by_equal_factors(training: bool) -> None:
    last = 99 if training else 100
    rates = [rate_of(tick, training=training) for tick in (0, last // 3, 2 * last // 3, last)]
    assert rates[0] == 1 and rates[-1] == (MOST_STEPS if training else MOST_FRAMES)
    assert rates[1] ** 3 == pytest.approx(rates[-1], rel=0.05)
    for tick in (0, 7, 50, 99):
        assert abs(tick_of(rate_of(tick, training=training), training=training) - tick) <= 1
    assert rate_of(100, training=True) == inf and tick_of(inf, training=True) == 100


def test_the_play_bar_tells_what_is_watched_and_how_fast(shown, qtbot) -> None:
    bar = shown(PlayBar(), 1000, 44)
    bar.set_actions(["up", "right", "down", "left"], turn_based=True)
    speeds, watched = [], []
    bar.speed_changed.connect(lambda rate: speeds.append(rate))
    bar.watched.connect(lambda watch: watched.append(watch))
    assert bar.watching == "training" and bar.rate == inf and bar.wait.isHidden()
    QTest.keyClick(bar.speed, Qt.Key.Key_Left)
    assert speeds[-1] == MOST_STEPS and bar.shown_speed.text() == "100,000 steps/s"
    bar.watch.setCurrentIndex(bar.watch.findData("human"))
    bar.watch.activated.emit(bar.watch.currentIndex())
    assert watched == ["human"] and bar.wait.isVisible() and bar.wait.isChecked()
    assert "up" in bar.keys.text() and "↑" in bar.keys.text()
    assert speeds[-1] == bar.rate == pytest.approx(12, rel=0.03)
    bar.set_watching("training")
    assert bar.rate == MOST_STEPS  # each has a speed of its own


def test_what_cannot_be_watched_is_greyed(shown) -> None:
    bar = shown(PlayBar(), 1000, 44)
    model = bar.watch.model()
    assert isinstance(model, QStandardItemModel)

    def able(watch: str) -> bool:
        return model.item(bar.watch.findData(watch)).isEnabled()

    assert able("training") and able("current") and not able("best") and not able("replay")
    bar.set_best_known(True)
    bar.set_replay(1204)
    assert able("best") and able("replay") and bar.watch.itemText(bar.watch.findData("replay")) == "Replay of episode 1,204"
    bar.set_watching("replay")
    said = []
    bar.watched.connect(lambda watch: said.append(watch))
    bar.set_replay(None)  # what is watched is gone: training again
    assert said == ["training"] and bar.watching == "training"
    bar.set_actions([])
    assert not able("human")


def test_one_step_pauses_first(shown, qtbot) -> None:
    bar = shown(PlayBar(), 1000, 44)
    order = []
    bar.paused.connect(lambda paused: order.append(f"paused {paused}"))
    bar.stepped.connect(lambda: order.append("stepped"))
    QTest.mouseClick(bar.step, LEFT)
    QTest.mouseClick(bar.step, LEFT)
    QTest.mouseClick(bar.pause, LEFT)
    assert order == ["paused True", "stepped", "stepped", "paused False"]
    assert bar.pause.accessibleName() == "Pause"


@pytest.mark.parametrize(
    ("names", "keys", "idle"),
    [
        (["up", "right", "down", "left"], ["Up", "Right", "Down", "Left"], None),
        (["push left", "push right"], ["Left", "Right"], None),
        (["NOOP", "FIRE", "RIGHT", "LEFT", "RIGHTFIRE"], ["Space", "Right", "Left", "1"], 0),
        (["turn left", "turn right", "forward", "pickup", "drop", "toggle", "done"], ["Left", "Right", "Up", "Space", "Return", "1", "2"], None),
        (["action 0", "action 1"], ["1", "2"], None),
    ],
)  # fmt: skip
def test_keys_follow_the_names_of_actions(names: list[str], keys: list[str], idle: int | None) -> None:
    assert [key.name.removeprefix("Key_") for key in keys_for(names).values()] == keys
    assert idle_action(names) == idle


def test_keys_act_only_while_a_person_plays_and_are_held_until_released(shown) -> None:
    tile = shown(RunTile(0, "You", on_policy=True))
    tile.show_look(look(grid=cliff()))
    keys, acted = PlayKeys(tile), []
    keys.set_actions(["up", "right", "down", "left", "noop"])
    keys.acted.connect(lambda action: acted.append(action))
    tile.give_keys(keys)
    QTest.keyClick(tile.view, Qt.Key.Key_Up)
    assert acted == [] and keys.held() == 4
    keys.active = True
    QTest.keyPress(tile.view, Qt.Key.Key_Left)
    QTest.keyPress(tile.view, Qt.Key.Key_Up)
    assert acted == [3, 0] and keys.held() == 0
    QTest.keyRelease(tile.view, Qt.Key.Key_Up)
    assert keys.held() == 3
    QTest.keyRelease(tile.view, Qt.Key.Key_Left)
    assert keys.held() == 4


# --- replays ---


def episode(number: int, length: int, total: float) -> Episode:
    return Episode(0, number, number, np.zeros(length, np.int64), total, 100 * number, True)


def test_episodes_are_chosen_scrubbed_and_exported(shown, qtbot) -> None:
    bar = shown(ReplayBar(), 700, 110)
    best, recent = episode(3, 13, -13.0), episode(9, 40, -139.0)
    assert not bar.export.isEnabled()
    bar.set_episodes([best], [recent])
    assert [bar.choice.itemText(k) for k in range(2)] == [
        "Best · Episode 3: return −13, 13 steps, at step 300", "Recent · Episode 9: return −139, 40 steps, at step 900",
    ]  # fmt: skip
    moved = []
    bar.moved.connect(lambda place: moved.append(place))
    with qtbot.waitSignal(bar.chosen) as chosen:
        bar.choice.activated.emit(0)
    assert chosen.args == [best] and bar.timeline.count() == 14 and bar.timeline.value == 0 and moved == []
    QTest.keyClick(bar.timeline._strip, Qt.Key.Key_End)
    assert moved == [13]
    bar.set_place(5)
    assert moved == [13] and bar.timeline.value == 5
    with qtbot.waitSignal(bar.exported) as exported:
        QTest.mouseClick(bar.export, LEFT)
    assert exported.args == [best]
    bar.set_episodes([], [episode(11, 5, -5.0)])
    assert bar.choice.count() == 2  # not anew at each episode
    bar.choice.showPopup()
    bar.choice.hidePopup()
    assert bar.choice.count() == 2 and bar.choice.itemText(1).startswith("Recent · Episode 11")
    # The one that is watched stays.
    assert bar.episode is best and bar.choice.currentText().startswith("Watched · Episode 3")
    with qtbot.waitSignal(bar.closed):
        QTest.mouseClick(bar.close_button, LEFT)


def test_nothing_stays_when_the_stage_goes(qtbot) -> None:
    stage = QWidget()
    parts = [RunTiles(stage), PlayBar(stage), ReplayBar(stage), OverlayBar(stage), FrameView(stage)]
    parts[0].set_runs([("Q-learning", False), ("SARSA", True)])
    parts[0].tiles[0].show_look(look(grid=cliff()))
    stage.resize(900, 600)
    stage.show()
    stage.grab()
    refs = [weakref.ref(part) for part in parts]
    stage.close()
    delete(stage)
    del parts, stage
    gc.collect()
    assert [ref() for ref in refs] == [None] * 5
