"""The History dock on a real store."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QAbstractItemModelTester
from PySide6.QtWidgets import QLabel

from studio.host.results import ResultsStore
from studio.ui.background import Background
from studio.ui.history_dock import HistoryDock
from studio.ui.history_model import PAGE, THUMBNAIL, HistoryModel, load_picture, when
from studio.ui.replay import Comparison, compare


def png(shade: int, size: int = 8) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((size, size, 3), shade, np.uint8)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def store(tmp_path) -> Iterator[ResultsStore]:
    made = ResultsStore(tmp_path / "results")
    yield made
    made.close()


@pytest.fixture
def background(qapp) -> Iterator[Background]:
    made = Background("test-disk")
    yield made
    assert made.close()


@pytest.fixture
def dock(qtbot, store, background) -> Iterator[HistoryDock]:
    for index, prompt in enumerate(["a cat", "a dog", "a red apple"]):
        store.add("fake", {"prompt": prompt, "seed": index}, {"image.png": png(index)}, title=prompt)
    made = HistoryDock()
    qtbot.addWidget(made)
    made.resize(320, 640)
    made.show()
    made.attach(store, background)
    qtbot.waitUntil(lambda: made.model.rowCount() == 3)
    yield made
    made.stop()


def titles(dock: HistoryDock) -> list[str]:
    return [dock.model.index(row).data() for row in range(dock.model.rowCount())]


def test_the_newest_comes_first_with_thumbnails(dock, qtbot) -> None:
    assert titles(dock) == ["a red apple", "a dog", "a cat"]
    qtbot.waitUntil(lambda: dock.model.index(0).data(THUMBNAIL) is not None)


def test_search_narrows_and_says_when_nothing_is_found(dock, qtbot) -> None:
    dock.search.setText("dog")
    qtbot.waitUntil(lambda: titles(dock) == ["a dog"])
    dock.search.setText("zebra")
    qtbot.waitUntil(lambda: dock.model.rowCount() == 0)
    assert not dock.view.isVisible() and "zebra" in dock._empty._text.text()


def test_starred_results_are_found_again(dock, qtbot) -> None:
    dock.star(dock.model.record(dock.model.index(1)))
    qtbot.waitUntil(lambda: dock.model.record(dock.model.index(1)).starred)
    dock._starred.click()
    qtbot.waitUntil(lambda: titles(dock) == ["a dog"])


def test_deleting_goes_to_the_trash_and_is_undone(dock, qtbot, store) -> None:
    dock.trash([dock.model.record(dock.model.index(0))])
    qtbot.waitUntil(lambda: titles(dock) == ["a dog", "a cat"])
    qtbot.waitUntil(dock.bar.isVisible)
    assert store.count(trashed=True) == 1
    dock.bar._buttons[0].click()
    qtbot.waitUntil(lambda: dock.model.rowCount() == 3)
    assert store.count(trashed=True) == 0


def test_the_trash_is_shown_and_given_back(dock, qtbot) -> None:
    dock.trash([dock.model.record(dock.model.index(2))])
    qtbot.waitUntil(lambda: dock.model.rowCount() == 2)
    dock._trash.click()
    qtbot.waitUntil(lambda: titles(dock) == ["a cat"])
    dock.trash([dock.model.record(dock.model.index(0))])
    qtbot.waitUntil(lambda: dock.model.rowCount() == 0)
    dock._trash.click()
    qtbot.waitUntil(lambda: dock.model.rowCount() == 3)


def test_a_choice_shows_its_request_and_what_can_be_done(dock, qtbot) -> None:
    asked: list[object] = []
    dock.restore_asked.connect(asked.append)
    dock.view.setCurrentIndex(dock.model.index(1))
    assert dock.detail.isVisible() and dock.detail._facts.fact("Seed") == "1"
    dock.detail.restore.click()
    assert asked[0].title == "a dog"


def test_the_request_of_a_sweep_is_shown_in_words_and_nothing_is_cut(dock, qtbot, store) -> None:
    axes = [{"field": "steps", "values": [1, 2.5]}, {"field": "sampler", "values": ["ddim"]}]
    request = {"base": {"prompt": "a cat", "seed": 7, "keep": True}, "axes": axes}
    store.add("sweep", request, {"a.txt": b"x"}, title="grid", provenance={"machine": "one_long_word_without_any_break" * 3})
    qtbot.waitUntil(lambda: dock.model.rowCount() == 4)
    dock.view.setCurrentIndex(dock.model.index(0))
    facts = dock.detail._facts
    assert (facts.fact("Seed"), facts.fact("Keep")) == ("7", "yes")
    assert facts.fact("Axes") == "steps: 1, 2.5; sampler: ddim"
    dock.resize(260, 700)
    qtbot.waitUntil(lambda: facts.width() <= facts.parentWidget().width())


def test_the_history_claims_to_be_empty_only_once_it_was_read(qtbot, tmp_path) -> None:
    dock = HistoryDock()
    qtbot.addWidget(dock)
    words = [label.text() for label in dock._empty.findChildren(QLabel)]
    assert any("Opening" in text for text in words) and "Nothing here yet" not in words
    dock._loaded()
    assert "Nothing here yet" in [label.text() for label in dock._empty.findChildren(QLabel)]


def test_a_replay_that_differs_says_what_has_changed_since(store) -> None:
    made = [
        store.add("fake", {"prompt": "x"}, {"a.txt": b"x"}, title="x", provenance={"model_sha256": sha, "device": "cpu", "seed": 1})
        for sha in ("a" * 64, "b" * 64)
    ]
    different = Comparison(made[0], made[1], {"image.png": 3.0})
    assert different.changed == ["model_sha256"] and different.verdict.endswith("Not the same as then: the weights of the model.")
    assert Comparison(made[0], made[0], {"image.png": 3.0}).verdict == "The largest difference is 3."


def test_the_choice_stays_when_the_list_is_read_again(dock, qtbot, store) -> None:
    dock.view.setCurrentIndex(dock.model.index(1))
    store.add("fake", {"prompt": "new"}, {"a.txt": b"x"}, title="new")
    qtbot.waitUntil(lambda: dock.model.rowCount() == 4)
    assert dock.selected()[0].title == "a dog" and dock.detail.isVisible()


def test_a_picture_is_copied(dock, qtbot) -> None:
    dock.copy(dock.model.record(dock.model.index(0)))
    qtbot.waitUntil(lambda: dock.bar.level() == "success")
    assert QGuiApplication.clipboard().image().width() == 8


def test_results_are_dragged_out_as_files(dock, store) -> None:
    data = dock.model.mimeData([dock.model.index(0)])
    assert data.urls()[0].toLocalFile() == str(store.records()[0].files["image.png"])


def test_a_result_made_elsewhere_appears(dock, qtbot, store) -> None:
    store.add("fake", {"prompt": "new"}, {"a.txt": b"x"}, title="new")
    qtbot.waitUntil(lambda: titles(dock)[0] == "new")


def test_a_result_that_vanished_is_said(dock, qtbot, store) -> None:
    record = dock.model.record(dock.model.index(0))
    store.delete(record.id)
    dock.star(record)
    qtbot.waitUntil(lambda: dock.bar.level() == "error")
    assert "not in the store any more" in dock.bar.text()


def test_many_results_come_by_pages(qtbot, store, background) -> None:
    for index in range(PAGE + 5):
        store.add("fake", {"n": index}, {"a.txt": b"x"})
    model = HistoryModel()
    model.attach(store, background)
    qtbot.waitUntil(lambda: model.rowCount() == PAGE)
    assert model.canFetchMore()
    model.fetchMore()
    qtbot.waitUntil(lambda: model.rowCount() == PAGE + 5)
    assert not model.canFetchMore()
    tester = QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Warning)
    model.refresh()
    with qtbot.waitSignal(model.loaded):
        pass
    assert model.rowCount() == PAGE + 5
    tester.deleteLater()
    model.stop()
    model.deleteLater()


def test_pictures_that_are_none_give_none(tmp_path) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(b"\x89PNG broken")
    assert load_picture(path) is None
    path.write_bytes(png(3, 64))
    assert load_picture(path, 16).width() == 16


def test_comparing_names_the_largest_difference(store) -> None:
    first = store.add("fake", {}, {"image.png": png(10), "notes.txt": b"x", "only.npy": npy(np.zeros(3))})
    second = store.add("fake", {}, {"image.png": png(13), "notes.txt": b"y"})
    result = compare(first, second)
    assert result.differences == {"image.png": 3.0} and result.largest == 3.0
    assert any("only.npy" in note for note in result.notes)
    third = store.add("fake", {}, {"image.png": png(10, 16)})
    assert "another shape" in " ".join(compare(first, third).notes)


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def test_times_are_said_as_people_say_them() -> None:
    assert when("2001-02-03T10:20:30+00:00").startswith("3 Feb 2001")
    assert when("nonsense") == "nonsense"


def test_delete_key_moves_the_selection_to_the_trash(dock, qtbot) -> None:
    dock.activateWindow()
    dock.view.setFocus()
    qtbot.waitUntil(dock.view.hasFocus)
    dock.view.setCurrentIndex(dock.model.index(0))
    qtbot.keyClick(dock.view, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: dock.model.rowCount() == 2)
