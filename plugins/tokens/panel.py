"""The Token attention panel: where on the picture each word acts, at every step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtGui import QGuiApplication, QKeySequence, QShortcut
from PySide6.QtWidgets import QFileDialog, QProgressBar

from studio.engine import Event, Task
from studio.host.commands import Command
from studio.host.export import Exportable
from studio.host.panel import Panel
from studio.host.request import RequestError, what_fits
from studio.models.catalog import EXTERNAL
from studio.models.shelf import Shelf
from studio.ui.cancel_row import CancelRow
from studio.ui.cards import EmptyState
from studio.ui.elided import ElidedLabel
from studio.ui.icons import IconButton
from studio.ui.panel_layout import PanelLayout
from studio_plugins.tokens import demo, sharing
from studio_plugins.tokens.controls import EXAMPLES, Controls
from studio_plugins.tokens.desk import Desk
from studio_plugins.tokens.insight import Insight
from studio_plugins.tokens.looking import Look
from studio_plugins.tokens.request import TokensRequest
from studio_plugins.tokens.run import ATTENTION_FILE
from studio_plugins.tokens.script import script
from studio_plugins.tokens.stage import Stage

FOLLOWED = ("sd1", "sd2", "sdxl", "sdxl-refiner", "sd3", "flux", "pixart")
"""Families of public models whose attention to words can be told from that to pixels."""


class TokensPanel(Panel):
    """Controls on the left, words and maps in the middle, the shares in numbers on the right."""

    title = "Token attention"

    # --- life ---

    def build(self) -> None:
        self.shelf = Shelf(self.context.panel_dir, kinds=("text2im", EXTERNAL), families=FOLLOWED)
        problems, _forget = self.shelf.look()
        self.zones = PanelLayout(self)
        self.controls = Controls(self.zones, self.shelf.models)
        self.stage = Stage(self._empty_state(), self.zones)
        self.insight = Insight(self.zones, self.stage)
        self.desk = Desk(self.context, self.stage, self.insight, self)
        self.run_bar = CancelRow(parent=self)
        self._build_tools()
        self.zones.set_stage(self.stage)
        self.zones.set_primary(
            "Draw and follow", self.draw, shortcut="Ctrl+Return", tip="Draw the prompt and write down its attention"
        )
        self.zones.add_secondary(self.run_bar)
        self._connect()
        self._register_commands()
        self._tell_models(problems)

    def _build_tools(self) -> None:
        self._progress = QProgressBar(self.zones)
        self._progress.setRange(0, 1000)
        self._progress.setTextVisible(False)
        self._progress.setFixedWidth(120)
        self._progress.setAccessibleName("Progress of the picture")
        self._progress.hide()
        self.status = ElidedLabel(self.zones)
        self.status.setProperty("tone", "muted")
        self.save_button = IconButton("save", "Save maps… as .npz, with the text of each token", self.zones)
        self.save_button.setEnabled(False)
        for widget in (self._progress, self.status):
            self.zones.add_stage_tool(widget)
        for widget in (self.stage.look_bar.every_step, self.stage.look_bar.display, self.save_button):
            self.zones.add_stage_tool(widget, right=True)

    def _connect(self) -> None:
        self.controls.changed.connect(self.state_changed)
        self.controls.submitted.connect(self.draw)
        self.run_bar.cancelled.connect(self.desk.cancel)
        self.desk.said.connect(self.message)
        self.desk.busy.connect(self.run_bar.set_busy)
        self.desk.status.connect(self._show_status)
        self.desk.changed.connect(self._refresh)
        self.stage.shown.connect(self._refresh)
        self.save_button.clicked.connect(lambda _checked=False: self.save_maps())
        QShortcut(QKeySequence("Esc"), self).activated.connect(self._escape)

    def _register_commands(self) -> None:
        def something() -> bool:
            return self.stage.step is not None

        offered = (
            ("run", "Draw and follow the words", self.draw, None),
            ("cancel", "Cancel what is being drawn", self.desk.cancel, self.run_bar.cancel.isEnabled),
            ("save", "Save maps…", self.save_maps, something),
            ("script", "Copy as Python", self.copy_script, None),
            ("models", "Look for new models", self.look_again, None),
            ("every_step", "Mean of all steps on or off", self.stage.look_bar.every_step.toggle, something),
        )
        for name, text, callback, enabled in offered:
            command = Command(f"tokens.{name}", text, callback, category="Token attention", enabled=enabled)
            self.context.commands.register(command)

    def closing(self) -> None:
        self.stage.timeline.stop()
        self.context.commands.unregister_prefix("tokens.")

    def state(self) -> dict[str, Any]:
        form = self.controls.form.valid_value()
        return {
            "request": form.to_dict() if form else {"prompt": self.controls.form.prompt_field().value()},
            "keep_seed": self.controls.seed.fixed,
            "look": asdict(self.stage.look_bar.look),
            "layout": self.zones.state(),
            "result": self.desk.record_id,
            "word": self.stage.row,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        stored = state.get("request")
        if isinstance(stored, Mapping):
            self._show_request(stored)
        if isinstance(state.get("keep_seed"), bool):
            self.controls.seed.set_fixed(state["keep_seed"])
        self.zones.restore(state.get("layout"))
        look, word = Look.of(state.get("look")), state.get("word")
        if isinstance(state.get("result"), str):
            self.stage.resume(look, word if isinstance(word, int) else 0)
            self.desk.load(state["result"])
        else:
            self.stage.look_bar.show_look(look)

    def restore_request(self, kind: str, request: Mapping[str, Any]) -> list[str]:
        if kind != TokensRequest.kind:
            return super().restore_request(kind, request)
        notes = self._show_request(request)
        self.controls.seed.set_fixed(True)
        self.desk.find(request)
        return notes

    def demo(self) -> None:
        demo.show(self.desk, self.controls)

    def exportables(self) -> Sequence[Exportable]:
        return sharing.exportables(self.desk, self.stage, self.insight)

    def on_event(self, task: Task, event: Event) -> None:
        self.desk.on_event(task, event)

    # --- drawing ---

    def draw(self) -> None:
        """Draw what the controls say."""
        self.controls.form.advance_seeds()
        try:
            request = self.controls.form.value()
        except RequestError as error:
            self.message(f"This cannot be drawn yet. {error}", "error")
            return
        self.message("")
        self.desk.draw(request)

    def save_maps(self) -> None:
        """Ask where, then write the maps of the run shown."""
        if self.stage.step is None:
            return
        dialog = QFileDialog(self, "Save maps", ATTENTION_FILE, "NumPy archive (*.npz)")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.fileSelected.connect(lambda name: self.desk.save_maps(Path(name)))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def copy_script(self) -> None:
        """A Python script that draws what is shown, or what the controls say, on the clipboard."""
        request = self.desk.request or self.controls.form.valid_value()
        if request is not None:
            made = self.desk.result.provenance if self.desk.result is not None else {}
            QGuiApplication.clipboard().setText(script(request, made))
            self.message("The script is on the clipboard. It needs Glassbox Studio's Python, but no window.", "success")

    def look_again(self) -> None:
        """Find anew which models there are (one was imported or removed)."""
        problems, _forget = self.shelf.look()
        self.controls.set_models(self.shelf.models)
        self._tell_models(problems)

    # --- what is shown ---

    def _tell_models(self, problems: Sequence[str]) -> None:
        if not self.shelf.models:
            again = ("Look again", self.look_again)
            self.message("There is no model to draw with. Install the studio again.", "error", actions=(again,))
        elif problems:
            self.message(" ".join(problems), "warning")

    def _show_request(self, stored: Mapping[str, Any]) -> list[str]:
        """Put a request kept by this or another version into the form; what is bad or unknown is named."""
        before = self.controls.model
        request, notes = what_fits(TokensRequest, stored)
        self.controls.form.set_value(request)
        if self.controls.model is None:
            notes.append(f"the model “{request.model}” is not on this machine; choose another one")
            if before is not None:
                self.controls.form.set_fields({"model": before.id, "model_sha256": ""})
        return notes

    def _refresh(self) -> None:
        self.save_button.setEnabled(self.stage.step is not None)
        self.state_changed.emit()

    def _show_status(self, text: str, share: float | None) -> None:
        self.status.setText(text)
        self._progress.setVisible(share is not None)
        if share is not None:
            self._progress.setValue(round(1000 * share))

    def _escape(self) -> None:
        if self.run_bar.cancel.isEnabled():
            self.desk.cancel()
        else:
            self.stage.view.pick(None)

    def _empty_state(self) -> EmptyState:
        return EmptyState(
            "See where each word looks",
            "Ctrl+Enter draws the prompt on the left and writes down, at every step, where on the picture each of its "
            "words acts. Or start from one of these.",
            icon="tokens",
            actions=[(text, partial(self._draw_example, text)) for text in EXAMPLES[:3]],
        )

    def _draw_example(self, prompt: str) -> None:
        self.controls.form.set_fields({"prompt": prompt})
        self.draw()
