"""A tab that shows a result and its replay side by side, and where they differ."""

from __future__ import annotations

import numpy as np
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from studio.ui.cards import Facts
from studio.ui.history_model import caption_of, when
from studio.ui.image_view import ImageView
from studio.ui.message_bar import MessageBar
from studio.ui.replay import Comparison, pixels_of
from studio.ui.tokens import SPACE_L, SPACE_S


class ComparePage(QWidget):
    """Kept, replayed, difference (enlarged so that the largest is white)."""

    def __init__(self, comparison: Comparison, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("surface", "surface")
        self.comparison = comparison
        heading = QLabel(caption_of(comparison.before), self)
        heading.setProperty("tone", "title")
        heading.setWordWrap(True)
        verdict = MessageBar(self)
        level = "success" if comparison.largest == 0 else "warning"
        verdict.show_message(comparison.verdict, level)
        views = QHBoxLayout()
        views.setSpacing(SPACE_S)
        before, after = comparison.pictures
        for title, picture in (
            (f"Kept, {when(comparison.before.created)}", before), (f"Replayed, {when(comparison.after.created)}", after),
        ):  # fmt: skip
            views.addLayout(_column(title, _view(picture), self), 1)
        if before is not None and after is not None and before.size() == after.size():
            views.addLayout(_column("Difference", _difference_view(comparison), self), 1)
        facts = Facts(self)
        rows = {name: f"largest difference {value:g}" for name, value in comparison.differences.items()}
        rows |= {f"Note {i + 1}": note for i, note in enumerate(comparison.notes)}
        facts.set_facts(rows)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_L, SPACE_L, SPACE_L, SPACE_L)
        layout.setSpacing(SPACE_L)
        layout.addWidget(heading)
        layout.addWidget(verdict)
        layout.addLayout(views, 1)
        layout.addWidget(facts)


def _column(title: str, view: ImageView, parent: QWidget) -> QVBoxLayout:
    label = QLabel(title, parent)
    label.setProperty("tone", "muted")
    column = QVBoxLayout()
    column.setSpacing(4)
    column.addWidget(label)
    column.addWidget(view, 1)
    return column


def _view(picture: object) -> ImageView:
    view = ImageView()
    view.set_image(picture)  # type: ignore[arg-type]
    view.set_placeholder("No picture")
    return view


def _difference_view(comparison: Comparison) -> ImageView:
    before, after = comparison.pictures
    assert before is not None and after is not None
    first, second = (pixels_of(image)[:, :, :3].astype(np.int16) for image in (before, after))
    difference = np.abs(first - second)
    top = int(difference.max())
    view = ImageView()
    scaled = (difference * (255 // top if top else 0)).astype(np.uint8)
    view.set_image(scaled, caption=f"|difference| × {255 // top}" if top else "no difference anywhere")
    view.set_values(difference)
    return view
