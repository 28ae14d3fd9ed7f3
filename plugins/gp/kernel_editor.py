"""The kernel in both of its forms, text above and blocks below; each follows the other."""

from __future__ import annotations

import re

from PySide6.QtCore import Signal
from PySide6.QtGui import QFocusEvent
from PySide6.QtWidgets import QLabel, QLineEdit, QVBoxLayout, QWidget

from studio.ml.gp.errors import GPError, KernelTextError
from studio.ml.gp.grammar import KERNELS, parse, usage
from studio.ml.gp.kernel import Kernel
from studio.ui.theme import restyle
from studio.ui.tokens import SPACE_S
from studio_plugins.gp.blocks import Blocks


class KernelEditor(QWidget):
    """Signal: `edited` (kernel, merge key: edits that follow each other with the same one belong together)."""

    edited = Signal(object, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._kernel: Kernel | None = None
        heading = QLabel("Kernel", self)
        heading.setProperty("tone", "muted")
        self.line = _Line(self)
        self.line.setAccessibleName("Kernel as text")
        self.line.setPlaceholderText("1.2*RBF(0.4) + Periodic(1)*Linear")
        offered = "<br>".join(usage(kind) for kind in KERNELS)
        self.line.setToolTip(f"<qt>Sums and products of<br>{offered}<br>A number in front is a factor.</qt>")
        self._problem = QLabel(self)
        self._problem.setProperty("tone", "error")
        self._problem.setWordWrap(True)
        self._problem.hide()
        self.blocks = Blocks(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_S)
        for widget in (heading, self.line, self._problem, self.blocks):
            layout.addWidget(widget)
        self.line.editingFinished.connect(self._read)
        self.line.textEdited.connect(self._check)
        self.blocks.edited.connect(self.edited)
        self.blocks.refused.connect(self._say)

    def show_kernel(self, kernel: Kernel, inputs: int = 1) -> None:
        """Show a kernel over so many inputs; says nothing. Text that is being typed is left alone."""
        self._kernel = kernel
        self.blocks.show_kernel(kernel, inputs)
        if not (self.line.hasFocus() and self.line.isModified()):
            self._write()

    def problem(self) -> str:
        """What is wrong with the text, empty where nothing is."""
        return "" if self._problem.isHidden() else self._problem.text()

    def _write(self) -> None:
        self.line.setText(_readable(str(self._kernel)))
        self.line.setCursorPosition(0)
        self._say("")

    def _check(self, text: str) -> None:
        """While typing: say what is wrong so far, where something is."""
        try:
            parse(text)
        except GPError as error:
            self._say(_words(error))
        else:
            self._say("")

    def _read(self) -> None:
        if not self.line.isModified():
            return
        self.line.setModified(False)
        try:
            kernel = parse(self.line.text())
        except GPError as error:
            self._say(_words(error))
            if isinstance(error, KernelTextError):
                self.line.setCursorPosition(error.column - 1)
            return
        self._kernel = kernel
        self._write()
        self.edited.emit(kernel, "")

    def _say(self, problem: str) -> None:
        self._problem.setText(problem)
        self._problem.setVisible(bool(problem))
        if bool(self.line.property("invalid")) != bool(problem):
            self.line.setProperty("invalid", bool(problem))
            restyle(self.line)


class _Line(QLineEdit):
    """Shows its beginning once the person has left it."""

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        if not self.property("invalid"):
            self.setCursorPosition(0)


def _readable(text: str) -> str:
    """Kernel text with at most six digits in a number: a fit gives seventeen. The kernel itself keeps them all."""
    return re.sub(r"\d+\.\d{5,}(e[-+]?\d+)?|\d+e[-+]?\d+", lambda found: f"{float(found[0]):.6g}", text)


def _words(error: GPError) -> str:
    """The message without the marked text below it, which stands in the field above."""
    return str(error).splitlines()[0]
