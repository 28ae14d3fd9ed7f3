"""The whole window with real stores, a real engine and plugins that do everything wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu, QPlainTextEdit, QPushButton, QTabBar, QToolButton

from studio.app import Studio
from studio.engine import Done, Progress
from studio.host.commands import Command
from studio.host.imagemeta import write_png
from studio.ui.compare_page import ComparePage
from studio.ui.theme import theme


def panel_of(studio):
    return studio.window.panels.panel("fake")


def ended(panel) -> bool:
    return any(isinstance(event, Done) for event in panel.events)


def test_the_first_start_opens_the_first_panel_and_loads_no_torch_here(open_studio) -> None:
    studio = open_studio()
    assert studio.window.panels.current_id() == "fake"
    assert panel_of(studio).form.value().steps == 3
    assert studio.marks["start"] <= studio.marks["painted"]


def test_a_run_by_keyboard_ends_in_the_history(open_studio, qtbot) -> None:
    studio = open_studio()
    window, panel = studio.window, panel_of(studio)
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: ended(panel))
    window.toggle_dock("history")
    qtbot.waitUntil(lambda: window.history.model.rowCount() == 1)
    assert window.history.model.record(window.history.model.index(0)).request["steps"] == 3


@pytest.mark.parametrize("name", ["importing", "building"])
def test_a_plugin_that_cannot_open_says_why_and_the_window_lives(open_studio, qtbot, name: str) -> None:
    studio = open_studio()
    panels = studio.window.panels
    panels.open(name)
    qtbot.waitUntil(lambda: panels.frame(name).settled)
    assert panels.panel(name) is None
    assert any("a fault" in text.toPlainText() for text in panels.frame(name).findChildren(QPlainTextEdit))
    assert studio.window.activity.panel_button(name).property("broken") is True
    panels.open("fake")
    assert panels.current_id() == "fake"


def test_a_bad_manifest_stays_listed_greyed(open_studio, qtbot) -> None:
    studio = open_studio()
    button = studio.window.activity.panel_button("manifest")
    assert button.property("broken") is True and button.isEnabled()
    button.click()
    qtbot.waitUntil(lambda: studio.window.panels.frame("manifest").settled)


def test_a_fault_in_a_slot_is_shown_in_the_panels_own_bar(open_studio, qtbot) -> None:
    studio = open_studio()
    panel, frame = panel_of(studio), studio.window.panels.frame("fake")
    panel.form.set_fields({"fault": "slot"})
    panel.run()
    qtbot.waitUntil(lambda: "a fault in the slot" in frame.bar.text())
    assert frame.bar.level() == "error" and frame.bar.isVisible()
    panel.form.set_fields({"fault": ""})
    panel.events.clear()
    panel.run()
    qtbot.waitUntil(lambda: ended(panel))


def test_a_fault_in_a_job_reaches_the_panel_with_its_details(open_studio, qtbot) -> None:
    studio = open_studio()
    panel, frame = panel_of(studio), studio.window.panels.frame("fake")
    panel.form.set_fields({"fault": "job"})
    panel.run()
    qtbot.waitUntil(lambda: frame.bar.level() == "error")
    assert panel.last_message is not None and "a fault in the job" in panel.last_message.details


def test_the_session_comes_back(open_studio, close_studio) -> None:
    studio = open_studio()
    panel_of(studio).form.set_fields({"steps": 42})
    studio.window.panels.open("building")
    studio.window.panels.open("fake")
    close_studio(studio)
    again = open_studio()
    assert again.window.panels.open_ids() == ["fake", "building"] and again.window.panels.current_id() == "fake"
    assert panel_of(again).form.value().steps == 42


def test_a_damaged_session_and_layout_give_the_default_window(open_studio, data_dir) -> None:
    state = {"version": 1, "panels": [{"panel": "gone"}, {"panel": "fake", "state": {"request": 3}}], "active": "gone"}
    state["window"] = {"geometry": "?", "state": "bm9uc2Vuc2U="}
    (data_dir / "session.json").write_text(json.dumps(state), encoding="utf-8")
    studio = open_studio()
    assert studio.window.panels.open_ids() == ["fake"]
    assert "its last state" in studio.window.panels.frame("fake").bar.text()
    notes = [note.text for note in studio.notifications.items()]
    assert any("default layout" in note for note in notes)
    assert any("“gone” is not installed any more" in note for note in notes) and studio.window.bar.isVisible()


def test_the_layout_is_reset_to_what_it_was_at_first(open_studio, qtbot) -> None:
    window = open_studio().window
    for name in ("history", "help"):
        window.toggle_dock(name)
    window.docks["help"].setFloating(True)
    window.run_command("view.layout")
    assert all(dock.isHidden() and not dock.isFloating() for dock in window.docks.values())

    def stray() -> list[QTabBar]:  # Qt parks its spare tab bar outside of the window
        bars = [bar for bar in window.findChildren(QTabBar) if bar.parent() is window and bar.isVisible()]
        return [bar for bar in bars if window.rect().intersects(bar.geometry())]

    qtbot.waitUntil(lambda: not stray())


def test_menus_made_anew_leave_none_of_before_behind(open_studio, qtbot) -> None:
    window = open_studio().window
    bar = window.menuBar()
    for _ in range(3):
        window.menus.rebuild()

    def titles() -> list[str]:  # of a bar's own menu, for what finds no room, there is none
        children = bar.findChildren(QMenu, options=Qt.FindChildOption.FindDirectChildrenOnly)
        return [menu.title() for menu in children if menu.title()]

    qtbot.waitUntil(lambda: titles() == [action.text() for action in bar.actions()])


def test_safe_mode_leaves_own_plugins_and_the_session_out(open_studio) -> None:
    studio = open_studio(safe=True)
    assert studio.window.panels.open_ids() == [] and len(studio.window.panels.plugins) == 0


def test_a_crash_of_the_last_run_is_shown_with_details(open_studio, data_dir, qtbot) -> None:
    (data_dir / "crash").mkdir()
    (data_dir / "crash" / "running-999999-1.log").write_text("Fatal Python error: Segmentation fault", encoding="utf-8")
    studio = open_studio()
    qtbot.waitUntil(studio.window.bar.isVisible)
    assert "did not close properly" in studio.window.bar.text()


def test_an_unwritable_data_folder_is_said_and_the_window_works(open_studio, qtbot, tmp_path, close_studio) -> None:
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    studio = Studio(tmp_path / "file" / "data")
    studio.show()
    assert "nothing is kept" in studio.window.bar.text()
    qtbot.waitUntil(lambda: studio.services.engine is not None)
    close_studio(studio)


def test_an_uncaught_error_becomes_a_notification(open_studio, qtbot) -> None:
    studio = open_studio()
    error = RuntimeError("nobody caught this")
    studio.guard.record(RuntimeError, error, None)
    qtbot.waitUntil(lambda: any("nobody caught this" in note.text for note in studio.notifications.items()))


def test_restoring_settings_of_an_unknown_kind_is_said(open_studio) -> None:
    window = open_studio().window
    assert window.open_request("nonsense", {})
    assert "nonsense" in window.bar.text()


def test_restoring_says_what_could_not_be_mapped(open_studio) -> None:
    studio = open_studio()
    problems = studio.window.open_request("fake", {"steps": 9, "zoom": 1})
    assert panel_of(studio).form.value().steps == 9 and "zoom" in problems[0]
    assert "zoom" in studio.window.panels.frame("fake").bar.text()


def test_a_request_waits_for_its_panel_to_open(open_studio, qtbot) -> None:
    studio = open_studio()
    studio.window.panels.close("fake")
    studio.window.open_request("fake", {"steps": 11})
    qtbot.waitUntil(lambda: panel_of(studio) is not None)
    assert panel_of(studio).form.value().steps == 11


def test_closing_a_tab_cancels_its_tasks_only(open_studio, qtbot) -> None:
    studio = open_studio()
    panel = panel_of(studio)
    panel.form.set_fields({"steps": 100000})
    own = panel.run()
    other = studio.services.engine.submit(endless, owner="somebody else")
    studio.window.close_tab()
    qtbot.waitUntil(lambda: own.state.ended)
    assert panel.closed and not other.state.ended and studio.window.panels.open_ids() == []


def test_what_a_closing_panel_asks_for_as_it_is_hidden_ends_with_it(open_studio, qtbot, monkeypatch) -> None:
    studio = open_studio()
    panel = panel_of(studio)
    asked = []
    monkeypatch.setattr(type(panel), "hideEvent", lambda self, _event: asked.append(self.run()), raising=False)
    panel.form.set_fields({"steps": 100000})
    studio.window.close_tab()
    assert len(asked) == 1 and studio.window.pump.watching() == 0
    qtbot.waitUntil(lambda: asked[0].state.ended)


def endless(_request, _ctx):
    while True:
        yield Progress(0, 0)


def drop(window, path: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    copy, left = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    window.dropEvent(QDropEvent(QPointF(10, 10), copy, data, left, Qt.KeyboardModifier.NoModifier))


def test_a_dropped_picture_restores_its_settings(open_studio, qtbot, tmp_path) -> None:
    studio = open_studio()
    path = tmp_path / "mine.png"
    envelope = {"schema": 1, "kind": "fake", "request": {"steps": 77, "shade": 1, "fault": ""}}
    write_png(np.zeros((4, 4, 3), np.uint8), path, envelope, "a cat")
    drop(studio.window, path)
    qtbot.waitUntil(lambda: panel_of(studio).form.value().steps == 77)


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n garbage", b"text"])
def test_a_dropped_file_that_is_no_picture_is_said(open_studio, qtbot, tmp_path, content: bytes) -> None:
    window = open_studio().window
    path = tmp_path / "broken.png"
    path.write_bytes(content)
    drop(window, path)
    qtbot.waitUntil(lambda: "broken.png" in window.bar.text())
    assert window.bar.level() == "error"


def test_a_picture_without_settings_is_said(open_studio, qtbot, tmp_path) -> None:
    window = open_studio().window
    Image.new("RGB", (4, 4)).save(tmp_path / "plain.png")
    drop(window, tmp_path / "plain.png")
    qtbot.waitUntil(lambda: "carries no settings" in window.bar.text())


def test_replay_finds_no_difference_and_shows_it(open_studio, qtbot) -> None:
    studio = open_studio()
    window, panel = studio.window, panel_of(studio)
    panel.run()
    qtbot.waitUntil(lambda: ended(panel))
    window.toggle_dock("history")
    qtbot.waitUntil(lambda: window.history.model.rowCount() == 1)
    window.history.view.setCurrentIndex(window.history.model.index(0))
    window.history.detail.replay.click()
    qtbot.waitUntil(lambda: isinstance(window.tabs.currentWidget(), ComparePage))
    comparison = window.tabs.currentWidget().comparison
    assert comparison.differences == {"image.png": 0.0} and "bit for bit" in comparison.verdict
    window.close_tab()
    assert window.panels.current_id() == "fake"


def test_every_command_is_in_a_menu_and_runs_by_the_palette(open_studio, qtbot) -> None:
    studio = open_studio()
    window = studio.window
    window.palette_.open()
    QTest.keyClicks(window.palette_.line, "setti")
    QTest.keyClick(window.palette_.line, Qt.Key.Key_Return)
    assert window.tabs.tabText(window.tabs.currentIndex()) == "Settings" and window.palette_.isHidden()
    window.palette_.open()
    QTest.keyClick(window.palette_.line, Qt.Key.Key_Escape)
    assert window.palette_.isHidden()
    assert all(window.menus.action(command.id) for command in studio.services.commands if command.category)


def test_the_bar_holds_the_menu_of_the_panel_on_show_only(open_studio, qtbot) -> None:
    studio = open_studio()
    window, commands = studio.window, studio.services.commands
    called: list[str] = []
    for panel in ("fake", "importing"):
        commands.register(Command(f"{panel}.act", "Act", lambda panel=panel: called.append(panel), category=panel.title()))

    def shown() -> list[str]:
        return [action.text() for action in window.menuBar().actions() if action.isVisible()]

    window.panels.open("fake")
    qtbot.waitUntil(lambda: "Fake" in shown())
    assert "Importing" not in shown() and {"File", "Panels", "Help"} <= set(shown())
    window.show_settings()
    assert "Fake" not in shown()
    window.menus.action("fake.act").trigger()
    assert called == ["fake"]
    commands.unregister_prefix("fake.")
    commands.unregister_prefix("importing.")


def test_a_command_that_fails_is_told(open_studio) -> None:
    studio = open_studio()
    studio.services.commands.register(Command("fake.boom", "Boom", lambda: 1 / 0))
    studio.window.run_command("fake.boom")
    assert "division" in studio.window.bar.text()


def test_the_theme_is_switched_live_and_remembered(open_studio) -> None:
    studio = open_studio()
    studio.window.set_theme("dark")
    assert theme().dark and studio.services.settings.value.appearance.theme == "dark"


def test_settings_are_saved_as_they_are_changed(open_studio, data_dir) -> None:
    studio = open_studio()
    studio.window.show_settings()
    page = studio.window.tabs.currentWidget()
    page.form("export").set_fields({"jpeg_quality": 55})
    assert studio.services.settings.value.export.jpeg_quality == 55
    assert "55" in (data_dir / "settings.toml").read_text(encoding="utf-8")


def test_help_follows_the_panel_and_lists_the_shortcuts(open_studio) -> None:
    window = open_studio().window
    window.show_help("panel")
    assert "Fake help" in window.help.page.toPlainText()
    window.show_help("shortcuts")
    assert "Command palette" in window.help.page.toPlainText()
    for topic in window.help.topics():
        window.help.show_topic(topic)
        assert len(window.help.page.toPlainText()) > 20


def test_nothing_is_clipped_in_a_small_window(open_studio, qapp) -> None:
    studio = open_studio()
    window = studio.window
    window.resize(1024, 700)
    qapp.processEvents()
    assert (window.width(), window.height()) == (1024, 700)
    for button in window.findChildren(QPushButton) + window.findChildren(QToolButton):
        if button.isVisible():
            corner = button.mapTo(window, button.rect().bottomRight())
            assert corner.x() <= 1024 and corner.y() <= 700, button.accessibleName() or button.text()


def test_every_visible_button_has_an_accessible_name(open_studio) -> None:
    window = open_studio().window
    unnamed = [b for b in window.findChildren(QToolButton) if b.isVisible() and not (b.accessibleName() or b.text())]
    assert not [b.parent() for b in unnamed if b.objectName() != "qt_menubar_ext_button"]
