"""A kernel as blocks: one card for each, joined by + and ×, with its values and a sketch of what it does."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QComboBox, QFrame, QGridLayout, QHBoxLayout, QLabel, QMenu, QVBoxLayout, QWidget

from studio.ml.gp.errors import GPError
from studio.ml.gp.kernel import Kernel, Product, Scale, Sum
from studio.ml.gp.stationary import Stationary
from studio.ui.icons import IconButton
from studio.ui.tokens import SPACE_S, SPACE_XS
from studio.ui.wheel import WHEELED, wheel_passed_on
from studio_plugins.gp import tree
from studio_plugins.gp.number_edit import NumberEdit
from studio_plugins.gp.sketch import Sketch
from studio_plugins.gp.words import FIELD_WORDS, KERNEL_WORDS


class Blocks(QWidget):
    """The blocks of one kernel. Signals: `edited` (kernel, merge key), `refused` (why a value cannot be taken)."""

    edited = Signal(object, str)
    refused = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._kernel: Kernel | None = None
        self._span, self._inputs = (0.0, 1.0), 1
        self._cards: dict[tree.Path, Card] = {}
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(SPACE_XS)

    def show_kernel(self, kernel: Kernel, inputs: int | None = None) -> None:
        """Show a kernel over so many inputs (as before where None); where only its values differ, the cards stay and
        take the new ones."""
        self._inputs = inputs or self._inputs
        same = self._kernel is not None and _structure(kernel) == _structure(self._kernel)
        self._kernel = kernel
        if not same:
            self._rebuild()
        for path, card in self._cards.items():
            card.show_part(tree.at(kernel, path), self._span, self._inputs)

    def set_span(self, span: tuple[float, float]) -> None:
        """The stretch of x over which the sketches are drawn."""
        self._span = span
        if self._kernel is not None:
            self.show_kernel(self._kernel)

    def cards(self) -> dict[tree.Path, Card]:
        """The card of each block by its path."""
        return dict(self._cards)

    def _rebuild(self) -> None:
        assert self._kernel is not None
        while (item := self._layout.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        self._cards = {}
        self._layout.addWidget(self._part(self._kernel, (), self))

    def _part(self, part: Kernel, path: tree.Path, parent: QWidget) -> QWidget:
        """The widget of a part: a card, or a frame with the cards of its parts."""
        inner = part.kernel if isinstance(part, Scale) else part
        if not inner.parts:
            return self._card(path, parent)
        frame = QFrame(parent)
        if path:
            frame.setProperty("edge", "left")
        layout = QVBoxLayout(frame)
        layout.setContentsMargins(SPACE_S if path else 0, 0, 0, 0)
        layout.setSpacing(SPACE_XS)
        if inner is not part or not isinstance(inner, Sum | Product):
            layout.addWidget(self._card(path, frame))
        sign = {Sum: "+", Product: "×"}.get(type(inner), "then")
        inner_path = (*path, 0) if inner is not part else path
        for index, child in enumerate(inner.parts):
            if index:
                layout.addWidget(_sign(sign, frame))
            layout.addWidget(self._part(child, (*inner_path, index), frame))
        return frame

    def _card(self, path: tree.Path, parent: QWidget) -> Card:
        card = Card(path, parent)
        card.wanted.connect(self._change)
        self._cards[path] = card
        return card

    def _change(self, change: Callable[[Kernel], Kernel | None], merge: str) -> None:
        assert self._kernel is not None
        try:
            made = change(self._kernel)
        except GPError as error:
            self.refused.emit(str(error))
            self.show_kernel(self._kernel)
            return
        if made is None:
            self.refused.emit("The last block stays: a Gaussian process needs a kernel.")
        else:
            self.edited.emit(made, merge)


class Card(QFrame):
    """One block. Signal: `wanted` (a function from the whole kernel to the one wanted, merge key)."""

    wanted = Signal(object, str)

    def __init__(self, path: tree.Path, parent: QWidget) -> None:
        super().__init__(parent)
        self.path = path
        self._inner, self._inputs = path, 1
        self._length: float | tuple[float, ...] | None = None
        self.setProperty("surface", "card")
        self.factor = NumberEdit("Factor", "Variance c in c·k: the functions are √c times as tall.", self)
        self.factor.setFixedWidth(58)
        self.factor.edited.connect(self._set_factor)
        self._times = QLabel("×", self)
        self._times.setProperty("tone", "faint")
        self.kind = QComboBox(self)
        self.kind.setAccessibleName("Kernel of this block")
        self.kind.setMaxVisibleItems(16)
        for name in tree.kinds():
            self.kind.addItem(KERNEL_WORDS[name].title, name)
            self.kind.setItemData(self.kind.count() - 1, KERNEL_WORDS[name].meaning, Qt.ItemDataRole.ToolTipRole)
        self.kind.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.kind.activated.connect(self._set_kind)
        self.kind.installEventFilter(self)
        self._heading = QLabel(self)
        self._more = IconButton("more", "Add, multiply or remove. Changes of this block", self, size=14)
        self._more.clicked.connect(self._open_menu)
        top = QHBoxLayout()
        top.setSpacing(4)
        for widget, stretch in ((self.factor, 0), (self._times, 0), (self.kind, 1), (self._heading, 1), (self._more, 0)):
            top.addWidget(widget, stretch)
        self._fields = QGridLayout()
        self._fields.setHorizontalSpacing(SPACE_S)
        self._fields.setVerticalSpacing(4)
        self._edits: dict[tuple[str, int], NumberEdit] = {}
        self._sketch = Sketch(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_S, SPACE_S, SPACE_S, SPACE_S)
        layout.setSpacing(SPACE_XS)
        layout.addLayout(top)
        layout.addLayout(self._fields)
        layout.addWidget(self._sketch)

    def show_part(self, part: Kernel, span: tuple[float, float], inputs: int = 1) -> None:
        """Show the part at this card's path; its structure is the one the card was made for."""
        self._inputs = inputs
        inner = part.kernel if isinstance(part, Scale) else part
        self._inner = (*self.path, 0) if inner is not part else self.path
        for widget in (self.factor, self._times):
            widget.setVisible(inner is not part)
        if isinstance(part, Scale):
            self.factor.set_value(part.variance)
        group = isinstance(inner, Sum | Product)
        self.kind.setVisible(not group)
        self._heading.setVisible(group)
        self._heading.setText("the sum of" if isinstance(inner, Sum) else "the product of")
        if not group:
            self.kind.setCurrentIndex(self.kind.findData(inner.name))
            self.kind.setToolTip(KERNEL_WORDS[inner.name].meaning)
        self._length = inner.length if isinstance(inner, Stationary) else None
        self._show_values(inner)
        self._sketch.setVisible(not inner.parts)
        if not inner.parts:
            self._sketch.show_kernel(part, span, inputs)

    def edit(self, name: str, index: int = 0) -> NumberEdit:
        """The line of one value. Raises KeyError."""
        return self._edits[name, index]

    def _show_values(self, inner: Kernel) -> None:
        values = {
            (field.name, i): (value, field.name in {hyper.name for hyper in inner.hyper if hyper.positive})
            for field in dataclasses.fields(inner)
            if not isinstance(getattr(inner, field.name), Kernel | tuple) or _numbers(getattr(inner, field.name))
            for i, value in enumerate(_each(getattr(inner, field.name)))
        }
        if list(values) != list(self._edits):
            self._rebuild_fields({key: positive for key, (_, positive) in values.items()})
        for key, (value, _) in values.items():
            self._edits[key].set_value(float(value))

    def _rebuild_fields(self, wanted: dict[tuple[str, int], bool]) -> None:
        while (item := self._fields.takeAt(0)) is not None:
            item.widget().hide()
            item.widget().deleteLater()
        self._edits = {}
        for place, ((name, index), positive) in enumerate(wanted.items()):
            word = FIELD_WORDS[name]
            many = sum(other == name for other, _ in wanted) > 1
            label = QLabel(f"{word.title} {index + 1}" if many else word.title, self)
            label.setProperty("tone", "muted")
            edit = NumberEdit(label.text(), word.meaning, self, least="above" if positive else None)
            edit.setFixedWidth(58)
            edit.edited.connect(partial(self._set_value, name, index))
            label.setToolTip(edit.toolTip())
            row, column = divmod(place, 2)
            self._fields.addWidget(label, row, 2 * column)
            self._fields.addWidget(edit, row, 2 * column + 1)
            self._edits[name, index] = edit
        self._fields.setColumnStretch(0, 1)
        self._fields.setColumnStretch(2, 1)

    # --- what is wanted ---

    def _want(self, change: Callable[[Kernel], Kernel | None], merge: str = "") -> None:
        self.wanted.emit(change, merge)

    def _set_factor(self, value: float, small: bool) -> None:
        self._want(lambda kernel: tree.scaled(kernel, self.path, value), f"factor {self.path}" if small else "")

    def _set_value(self, name: str, index: int, value: float, small: bool) -> None:
        def change(kernel: Kernel) -> Kernel:
            before = getattr(tree.at(kernel, self._inner), name)
            after: Any = value
            if isinstance(before, tuple):
                after = (*before[:index], value, *before[index + 1 :])
            elif isinstance(before, int):
                after = max(0, round(value))
            return tree.with_value(kernel, self._inner, name, after)

        self._want(change, f"{name} {index} {self._inner}" if small else "")

    def _set_kind(self, _index: int) -> None:
        kind = tree.kinds()[self.kind.currentData()]
        self._want(lambda kernel: tree.as_kind(kernel, self._inner, kind))

    def _open_menu(self) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for text, sign in (("Add a kernel (+)", "+"), ("Multiply by a kernel (×)", "*")):
            inner = menu.addMenu(text)
            for name, kind in tree.kinds().items():
                action = QAction(KERNEL_WORDS[name].title, inner)
                action.triggered.connect(partial(self._join, kind, sign))
                inner.addAction(action)
        if self.factor.isHidden():
            menu.addAction("Give it a factor").triggered.connect(lambda: self._want(lambda k: tree.scaled(k, self.path, 1.0)))
        else:
            menu.addAction("Take the factor away").triggered.connect(
                lambda: self._want(lambda k: tree.scaled(k, self.path, None))
            )
        if isinstance(self._length, tuple):
            menu.addAction("One length-scale for all inputs").triggered.connect(lambda: self._set_lengths(1))
        elif self._length is not None and self._inputs > 1:
            menu.addAction("A length-scale for each input").triggered.connect(lambda: self._set_lengths(self._inputs))
        menu.addSeparator()
        menu.addAction("Remove").triggered.connect(lambda: self._want(lambda k: tree.without(k, self.path)))
        menu.popup(self._more.mapToGlobal(self._more.rect().bottomLeft()))

    def _set_lengths(self, count: int) -> None:
        before = self._length if isinstance(self._length, tuple) else (self._length or 1.0,)
        after: Any = before[0] if count == 1 else (before * count)[:count]
        self._want(lambda kernel: tree.with_value(kernel, self._inner, "length", after))

    def _join(self, kind: type[Kernel], sign: str, _checked: bool = False) -> None:
        self._want(lambda kernel: tree.joined(kernel, self.path, tree.fresh(kind), sign))

    def eventFilter(self, watched: Any, event: Any) -> bool:
        return (isinstance(watched, WHEELED) and wheel_passed_on(watched, event)) or super().eventFilter(watched, event)


def _sign(text: str, parent: QWidget) -> QLabel:
    label = QLabel(text, parent)
    label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
    label.setProperty("tone", "muted")
    return label


def _structure(kernel: Kernel) -> tuple[Any, ...]:
    """What decides which cards there are, and nothing of their values."""
    return (kernel.name, *map(_structure, kernel.parts))


def _numbers(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(one, float | int) for one in value)


def _each(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)
