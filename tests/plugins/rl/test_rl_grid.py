"""Grid worlds on the screen: what is painted, what is read out, and what mouse and keyboard change."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QImage, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from shiboken6 import delete

from studio.ml.rl.agent import Settings
from studio.ml.rl.errors import BadWorld
from studio.ml.rl.grid import GridWorld, cliff, windy
from studio.ml.rl.learner import Look, TableLook
from studio.ml.rl.td import QLearning
from studio.ml.rl.walk import Walk
from studio.ui.theme import theme
from studio.ui.tokens import contrast
from studio_plugins.rl.grid_edits import MOST_WIND, Pen, between, drawn, nudged, resized
from studio_plugins.rl.grid_layers import greedy_actions
from studio_plugins.rl.grid_tools import GridTools
from studio_plugins.rl.grid_view import GridView
from studio_plugins.rl.overlays import HEATS, Overlays, _oklab, _srgb, brief, ramp, shades, short

PLAIN = Overlays(heat="none", behaviour=False, target=False, optimal=False, trail=False, numbers=False)
MIDDLE = Qt.MouseButton.LeftButton


@pytest.fixture(autouse=True)
def light(qapp: QApplication) -> None:
    theme().apply("light", 1.0)


@pytest.fixture
def view(qtbot) -> GridView:
    shown = GridView()
    qtbot.addWidget(shown)
    shown.resize(760, 360)
    shown.show()
    return shown


def learnt(steps: int = 4000) -> Look:
    """A look at a real agent on the cliff; it stands where its last step led."""
    world, agent = cliff(), None
    agent = QLearning(Walk(world.model, 0), Settings(), 0)
    visits, trail, last = np.zeros(48, np.int64), [], None
    for _ in range(steps):
        last = agent.step()
        trail = [last.state] if last.time == 0 else trail
        trail.append(last.next)
        visits[last.state] += 1
    assert last is not None
    q = np.array(agent.q)
    policy = np.array([agent.settings.exploration.probabilities(row, agent.episode) for row in agent.q])
    table = TableLook(q, policy, visits, np.ones(48), last.next, tuple(trail), last)
    return Look(steps, last.episode, last.time, last.total, grid=world, action=last.action, table=table)


def at(view: GridView, cell: tuple[int, int]) -> QPoint:
    board = view.board()
    assert board is not None
    return board.rect(cell).center()


def colour(view: GridView, cell: tuple[int, int], corner: bool = True) -> QColor:
    """What is painted in a cell, away from its middle."""
    image, point = view.grab().toImage(), at(view, cell)
    board = view.board()
    assert board is not None
    return image.pixelColor(point + (QPoint(board.cell // 3, -board.cell // 3) if corner else QPoint()))


def stroke(view: GridView, *cells: tuple[int, int], button: Qt.MouseButton = MIDDLE) -> None:
    QTest.mousePress(view, button, pos=at(view, cells[0]))
    for cell in cells[1:]:
        QTest.mouseMove(view, at(view, cell))
    QTest.mouseRelease(view, button, pos=at(view, cells[-1]))


# --- painting ---


def test_cells_are_where_the_board_says_and_look_like_what_they_are(view: GridView) -> None:
    view.set_overlays(PLAIN)
    world = cliff().put((0, 3), "#").put((1, 5), "H")
    view.show_grid(world)
    assert colour(view, (0, 0)) == theme().color("raised")
    assert colour(view, (0, 3)) == theme().color("border_strong")
    assert len({colour(view, cell).name() for cell in ((0, 0), (0, 3), (1, 5), (3, 11))}) == 4
    for r in range(4):
        for c in range(12):
            assert view.board().at(at(view, (r, c))) == (r, c)
    assert view.board().at(QPoint(0, 0)) is None


@pytest.mark.parametrize("name", ["light", "dark"])
def test_a_map_has_the_colours_of_its_scale_and_the_legend_its_ends(view: GridView, name: str) -> None:
    theme().apply(name)
    look = learnt()
    view.set_overlays(replace(PLAIN, heat="value"))
    view.show_look(look)
    shown, table = view.shades, ramp("value")
    assert shown is not None and look.table is not None
    best = look.table.q.max(axis=1).reshape(4, 12)
    for cell in ((0, 4), (2, 2), (1, 9)):
        share = (best[cell] - shown.low) / (shown.high - shown.low)
        expected = table[int(share * 255 + 0.5)]
        assert colour(view, cell).getRgb()[:3] == tuple(expected)
    assert shown.ends() == (short(shown.low), short(shown.high))


def test_action_values_are_four_triangles_in_the_order_of_the_moves(view: GridView) -> None:
    q = np.tile([0.0, 1.0, 2.0, 3.0], (9, 1))
    world = GridWorld(3, 3, start=(2, 2))
    table = TableLook(q, np.full((9, 4), 0.25), np.ones(9, np.int64), np.zeros(9), state=8)
    view.set_overlays(replace(PLAIN, heat="actions"))
    view.show_look(Look(9, 0, 0, 0.0, grid=world, table=table))
    image, centre, reach = view.grab().toImage(), at(view, (0, 1)), view.board().cell // 3
    places = {"U": (0, -reach), "R": (reach, 0), "D": (0, reach), "L": (-reach, 0)}
    seen = [image.pixelColor(centre + QPoint(*places[move])).getRgb()[:3] for move in world.moves]
    assert seen == [tuple(ramp("actions")[round(k * 255 / 3)]) for k in range(4)]


def test_every_overlay_changes_the_picture_and_none_is_painted_where_nothing_is_known(view: GridView) -> None:
    look = learnt(60)
    view.set_overlays(PLAIN)
    view.show_look(look)
    bare = view.grab().toImage()
    pictures = [bare]
    best = np.tile([0.0, 1.0, 0.0, 0.0], (48, 1))
    full = replace(look, table=replace(look.table, optimal=best))
    view.show_look(full)
    for change in ({"heat": "value", "numbers": True}, {"heat": "visits"}, {"heat": "error"}, *({n: True} for n in ("behaviour", "target", "optimal", "trail"))):
        view.set_overlays(replace(PLAIN, **change))
        pictures.append(view.grab().toImage())
    assert all(a != b for k, a in enumerate(pictures) for b in pictures[k + 1 :])
    unseen = next(s for s in range(36) if not look.table.visits[s])
    view.set_overlays(replace(PLAIN, heat="value", behaviour=True, target=True))
    assert colour(view, divmod(unseen, 12)) == theme().color("raised")


def test_the_agent_is_drawn_where_it_stands_in_the_colour_of_its_run(view: GridView) -> None:
    look = learnt()
    view.set_overlays(PLAIN)
    view.set_agent("series.1", on_policy=True)
    view.show_look(replace(look, table=replace(look.table, state=17, transition=None), action=None))
    assert colour(view, (1, 5), corner=False) == theme().color("series.1")
    assert colour(view, (1, 6), corner=False) == theme().color("raised")


def test_single_steps_slide_and_jumps_do_not(view: GridView, qtbot) -> None:
    look = learnt()
    view.show_look(replace(look, time=3, table=replace(look.table, state=14)))
    assert not view._glide.sliding
    view.show_look(replace(look, time=4, table=replace(look.table, state=15)))
    assert view._glide.sliding
    qtbot.waitUntil(lambda: not view._glide.sliding)
    assert view._glide.place == (1.0, 3.0)
    view.show_look(replace(look, time=40, table=replace(look.table, state=30)))
    assert not view._glide.sliding and view._glide.place == (2.0, 6.0)


def test_greedy_actions_are_all_that_no_other_beats() -> None:
    q = np.array([[1.0, 1.0, 0.0, -1.0], [0.0, 0.0, 0.0, 0.0]])
    table = TableLook(q, np.full((2, 4), 0.25), np.array([3, 0]), np.zeros(2), state=0)
    assert greedy_actions(table).tolist() == [[1, 1, 0, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize("name", ["light", "dark"])
@pytest.mark.parametrize("heat", [heat for heat in HEATS if heat != "none"])
def test_lightness_runs_evenly_along_every_scale(qapp, name: str, heat: str) -> None:
    theme().apply(name)
    codes = ["#{:02x}{:02x}{:02x}".format(*rgb) for rgb in ramp(heat)]
    lightness = np.array([_oklab(code)[0] for code in codes])
    steps = np.diff(lightness[::5])  # neighbours may round to equal bytes
    assert (steps > 0).all() if theme().dark else (steps < 0).all()
    assert np.abs(lightness - np.linspace(lightness[0], lightness[-1], 256)).max() < 0.01  # rounding to bytes
    assert contrast(codes[0], codes[-1]) > 6


def test_oklab_is_the_published_one() -> None:
    # Ottosson's table of test values, by way of sRGB: white, and pure red as in CSS Color 4.
    assert np.allclose(_oklab("#ffffff"), [1, 0, 0], atol=1e-6)
    assert np.allclose(_oklab("#ff0000"), [0.627955, 0.224863, 0.125846], atol=1e-5)
    assert _srgb(np.array([_oklab("#12ab9e")])).tolist() == [[0x12, 0xAB, 0x9E]]


def test_a_few_far_numbers_do_not_flatten_a_map_and_are_said_to_lie_beyond() -> None:
    look = learnt()
    shown = shades("actions", cliff(), look.table)
    assert look.table.q.min() < -90 < shown.low < -10 and shown.below
    assert shown.ends()[0].startswith("≤ ")
    lake = TableLook(np.zeros((48, 4)), np.full((48, 4), 0.25), np.ones(48, np.int64), np.zeros(48), state=0)
    lake.q[3, 1] = 1.0
    assert shades("value", cliff(), lake).high == 1.0  # the one number that differs is what is to be seen


def test_a_scale_grows_at_once_and_shrinks_slowly() -> None:
    table = learnt(2000).table
    first = shades("value", cliff(), table)
    halved = shades("value", cliff(), replace(table, q=table.q / 2), first)
    assert first.low < halved.low < shades("value", cliff(), replace(table, q=table.q / 2)).low
    assert shades("value", cliff(), replace(table, q=table.q * 2), first).low == shades("value", cliff(), replace(table, q=table.q * 2)).low


@pytest.mark.parametrize(
    ("number", "long", "few"),
    [(-12.345, "−12.3", "−12"), (0.0, "0", "0"), (1234.5, "1,234", "1234"), (63159, "63,159", "63k"), (0.3512, "0.351", "0.35")],
)
def test_numbers_are_short(number: float, long: str, few: str) -> None:
    assert (short(number), brief(number)) == (long, few)
    assert brief(-9.83, fewer=True) == "−10" and brief(0.35, fewer=True) in ("0.3", "0.4")


def test_overlays_are_kept_and_nonsense_is_as_usual() -> None:
    chosen = Overlays(heat="visits", optimal=True, trail=False)
    assert Overlays.of(chosen.to_dict()) == chosen
    assert Overlays.of({"heat": 3, "trail": "no"}) == Overlays.of(None) == Overlays()


# --- reading out ---


def test_pointing_at_a_cell_tells_its_numbers(view: GridView, qtbot) -> None:
    look = learnt()
    view.show_look(look)
    before = view.grab().toImage()
    with qtbot.waitSignal(view.hovered) as said:
        QTest.mouseMove(view, at(view, (2, 4)))
    assert said.args == [(2, 4)]
    told = view.readout((2, 4))
    assert told[0] == "row 3, column 5 · floor"
    assert f"→ Q {short(look.table.q[28, 1])}" in told[2]
    assert f"visits {look.table.visits[28]:,}" in told[5]
    assert view.grab().toImage() != before
    assert view.readout((3, 4)) == ["row 4, column 5 · cliff, reward −100", "not visited yet"]


def test_the_keyboard_goes_from_cell_to_cell_and_says_what_is_there(view: GridView, qtbot) -> None:
    view.show_look(learnt())
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Down, Qt.Key.Key_Left, Qt.Key.Key_Left):
        QTest.keyClick(view, key)
    assert view.accessibleDescription().startswith("row 2, column 1 · floor")
    with qtbot.waitSignal(view.picked) as picked:
        QTest.keyClick(view, Qt.Key.Key_Return)
    assert picked.args == [(1, 0)]


# --- editing ---


def test_a_stroke_is_one_edit_and_skips_no_cell(view: GridView) -> None:
    edits = []
    view.edited.connect(lambda after, before, text: edits.append((after, before, text)))
    view.show_look(learnt())
    view.set_pen(Pen("wall"))
    stroke(view, (1, 2), (1, 9))
    assert len(edits) == 1
    after, before, text = edits[0]
    assert before == cliff() and text == "Draw wall"
    assert after.walls == {(1, c) for c in range(2, 10)}
    assert view.grid == after  # on show before the agent has it
    view.show_look(learnt())
    assert view.grid == after
    stroke(view, (2, 2))  # before the first edit has arrived
    assert edits[1][1] == after and edits[1][0].walls == after.walls | {(2, 2)}
    view.show_look(replace(learnt(), grid=edits[1][0]))
    view.show_look(replace(learnt(), grid=cliff()))  # the agent's world is what is shown: an undo
    assert view.grid == cliff()


def test_an_edit_that_was_not_taken_is_dropped(view: GridView) -> None:
    view.show_look(learnt(50))
    view.set_pen(Pen("hole"))
    stroke(view, (1, 1))
    assert view.grid != cliff()
    view.drop_edit()
    assert view.grid == cliff()


def test_the_right_button_erases_and_an_unchanged_world_is_no_edit(view: GridView) -> None:
    edits = []
    view.edited.connect(lambda after: edits.append(after))  # a slot may take the new world alone
    view.show_grid(cliff().reward((3, 4), 7.0))
    view.set_pen(Pen("cliff"))
    stroke(view, (3, 2), (3, 5), button=Qt.MouseButton.RightButton)
    assert edits[0].cliffs == {(3, c) for c in (1, 6, 7, 8, 9, 10)} and edits[0].rewards == ()
    view.show_grid(cliff())
    stroke(view, (3, 2), (3, 5))
    assert len(edits) == 1


def test_what_cannot_be_is_refused_and_changes_nothing(view: GridView, qtbot) -> None:
    edits = []
    view.edited.connect(lambda after: edits.append(after))
    view.show_grid(cliff())
    view.set_pen(Pen("wall"))
    with qtbot.waitSignal(view.refused) as said:
        stroke(view, (3, 0))
    assert "The start stands here" in said.args[0]
    assert edits == [] and view.grid == cliff()
    stroke(view, (2, 0), (3, 0), (2, 0))  # a long stroke goes around the start
    assert edits[0].walls == {(2, 0)}


def test_the_start_is_dragged(view: GridView) -> None:
    edits = []
    view.edited.connect(lambda after: edits.append(after))
    view.show_grid(cliff())
    view.set_pen(Pen("start"))
    stroke(view, (3, 0), (2, 1), (0, 4))
    assert len(edits) == 1 and edits[0].start == (0, 4)
    assert edits[0] == replace(cliff(), start=(0, 4))


def test_rewards_are_set_by_click_and_moved_by_the_wheel(view: GridView) -> None:
    edits = []
    view.edited.connect(lambda after: edits.append(after))
    view.show_grid(cliff())
    view.set_pen(Pen("reward", 2.5))
    stroke(view, (0, 6))
    assert dict(edits[-1].rewards) == {(0, 6): 2.5}
    turn(view, (0, 6), 120)
    assert dict(edits[-1].rewards) == {(0, 6): 3.5}
    turn(view, (0, 7), -120)
    assert dict(edits[-1].rewards)[(0, 7)] == -2.0  # one less than a step gives


def test_wind_blows_in_the_column_pointed_at(view: GridView) -> None:
    edits = []
    view.edited.connect(lambda after: edits.append(after))
    view.show_grid(windy())
    view.set_pen(Pen("wind", 3))
    stroke(view, (2, 0), (2, 2))
    assert edits[-1].wind == (3, 3, 3, 1, 1, 1, 2, 2, 1, 0)
    for _ in range(MOST_WIND + 3):
        turn(view, (0, 9), 120)
    assert edits[-1].wind[9] == MOST_WIND


def turn(view: GridView, cell: tuple[int, int], by: int) -> None:
    point = QPointF(at(view, cell))
    event = QWheelEvent(
        point, view.mapToGlobal(point), QPoint(), QPoint(0, by), Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(view, event)


def test_everything_is_drawn_by_keyboard_too(view: GridView) -> None:
    edits = []
    view.edited.connect(lambda after: edits.append(after))
    view.show_grid(GridWorld(3, 3, start=(2, 2)))
    view.set_pen(Pen("goal"))
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Right, Qt.Key.Key_Space):
        QTest.keyClick(view, key)
    assert edits[-1].goals == {(0, 1)}
    view.set_pen(Pen("reward", 1.0))
    QTest.keyClick(view, Qt.Key.Key_Plus)
    assert dict(edits[-1].rewards) == {(0, 1): 0.0}


def test_strokes_are_unbroken_lines_of_cells() -> None:
    assert between((0, 0), (0, 3)) == [(0, 1), (0, 2), (0, 3)]
    assert between((4, 1), (0, 1)) == [(3, 1), (2, 1), (1, 1), (0, 1)]
    path = between((0, 0), (3, 7))
    assert path[-1] == (3, 7) and all(abs(b[1] - a[1]) == 1 for a, b in zip(path, path[1:], strict=False))


def test_a_resized_world_keeps_what_is_inside_and_never_loses_its_start() -> None:
    world = windy().put((6, 9), "#").reward((0, 9), 4.0)
    smaller = resized(world, 7, 8)
    assert smaller.wind == (0, 0, 0, 1, 1, 1, 2, 2) and smaller.walls == frozenset() and smaller.rewards == ()
    assert smaller.goals == world.goals and resized(smaller, 9, 12).wind == (0, 0, 0, 1, 1, 1, 2, 2, 0, 0, 0, 0)
    with pytest.raises(BadWorld, match="put it elsewhere first"):
        resized(world, 3, 10)
    with pytest.raises(BadWorld, match="Nobody enters a wall"):
        drawn(world, Pen("reward", 1.0), [(6, 9)])
    assert nudged(cliff(), Pen("reward"), (3, 4), 1).rewards == (((3, 4), -99.0),)


# --- tools ---


def test_tools_choose_the_pen_and_edit_the_whole_world(qtbot) -> None:
    tools = GridTools()
    qtbot.addWidget(tools)
    pens, edits, shapes, refusals = [], [], [], []
    tools.pen_changed.connect(pens.append)
    tools.edited.connect(lambda after: edits.append(after))
    tools.reshaped.connect(lambda after, before, text: shapes.append((after, before, text)))
    tools.refused.connect(refusals.append)
    assert not tools.isEnabled()
    tools.set_grid(cliff())
    assert tools.isEnabled() and edits == [] and shapes == []
    tools.set_tool("reward")
    tools.number.setValue(-3.0)
    assert pens[-1] == Pen("reward", -3.0)
    tools.set_tool("wall")
    assert pens[-1].tool == "wall" and tools.number.isHidden()
    tools.slip.setValue(0.25)
    assert edits[-1] == replace(cliff(), slip=0.25)
    tools.columns.setValue(14)
    assert shapes[-1][0].columns == 14 and shapes[-1][1] == edits[-1]
    tools.set_grid(cliff())
    tools.rows.setValue(2)
    assert "put it elsewhere" in refusals[-1] and tools.rows.value() == 4
    actions = {action.text(): action for action in tools.more.menu().actions()}
    actions["Windy grid"].trigger()
    assert shapes[-1][0] == windy()
    tools.set_grid(cliff().put((0, 0), "#"))
    actions["Clear the walls"].trigger()
    assert edits[-1] == cliff()


def test_a_view_that_is_gone_leaves_nothing(qtbot) -> None:
    view = GridView()
    view.resize(400, 200)
    view.show()
    view.show_look(learnt(50))
    assert not view.grab().toImage() == QImage()
    view.close()
    delete(view)
    gone = weakref.ref(view)
    del view
    gc.collect()
    assert gone() is None
    theme().apply("dark")  # nobody hears of it who is not there
