"""The Attention panel: any transformer, where every head of every layer looks, and what changes without it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from PySide6.QtGui import QGuiApplication, QKeySequence, QShortcut
from PySide6.QtWidgets import QFileDialog, QProgressBar

from studio.engine import Event, Task
from studio.host.commands import Command
from studio.host.export import Exportable
from studio.host.panel import Panel
from studio.host.request import RequestError, what_fits
from studio.ui.cancel_row import CancelRow
from studio.ui.cards import EmptyState
from studio.ui.drop import SUFFIXES
from studio.ui.elided import ElidedLabel
from studio.ui.icons import IconButton
from studio.ui.panel_layout import PanelLayout
from studio_plugins.attention import demo, sharing
from studio_plugins.attention.controls import Controls
from studio_plugins.attention.desk import Desk, off_names
from studio_plugins.attention.insight import Insight
from studio_plugins.attention.painting import Shading
from studio_plugins.attention.request import AttentionRequest
from studio_plugins.attention.results import Opened
from studio_plugins.attention.script import script
from studio_plugins.attention.sight import Sight
from studio_plugins.attention.stage import Stage

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "encoder": "an encoder: it reads both ways", "causal": "a causal model: it writes on",
        "encoder-decoder": "an encoder-decoder: it turns one text into another", "vision": "a vision model: it looks at a picture",
        "clip": "a model that compares a picture with captions",
    }
)  # fmt: skip


class AttentionPanel(Panel):
    """Model and input on the left, all heads and one of them in the middle, the numbers on the right."""

    title = "Attention"

    # --- life ---

    def build(self) -> Iterator[None]:
        self.sight = Sight(self)
        self.zones = PanelLayout(self)
        self.controls = Controls(self.zones)
        yield
        self.stage = Stage(self.sight, self._empty_state(), self.zones)
        yield
        self.insight = Insight(self.zones, self.sight)
        self.desk = Desk(self.context, self.sight, self.stage, self.insight, self)
        self.run_bar = CancelRow("Cancel what is being read (Esc)", parent=self)
        self._build_tools()
        self.zones.set_stage(self.stage)
        tip = "Let the model read this, and keep Q and K of every head"
        self.zones.set_primary("Read", self.read, shortcut="Ctrl+Return", tip=tip)
        self.zones.add_secondary(self.run_bar)
        self._connect()
        self._register_commands()
        self.desk.load_sets()

    def _build_tools(self) -> None:
        self._progress = QProgressBar(self.zones)
        self._progress.setRange(0, 1000)
        self._progress.setTextVisible(False)
        self._progress.setFixedWidth(120)
        self._progress.setAccessibleName("Progress")
        self._progress.hide()
        self.status = ElidedLabel(self.zones)
        self.status.setProperty("tone", "muted")
        self._npz = IconButton("save", "Save this head’s map… (.npz with tokens, .svg)", self.zones)
        self._npz.setEnabled(False)
        self._copy = IconButton("copy", "Copy as Python", self.zones)
        self._copy.setEnabled(False)
        for widget in (self._progress, self.status):
            self.zones.add_stage_tool(widget)
        for widget in (self._copy, self._npz):
            self.zones.add_stage_tool(widget, right=True)

    def _connect(self) -> None:
        self.controls.changed.connect(self.state_changed)
        self.controls.submitted.connect(self.read)
        self.controls.exampled.connect(self.read)
        self.controls.opening.connect(self.ask_folder)
        self.run_bar.cancelled.connect(self.desk.cancel)
        self.desk.said.connect(self.message)
        self.desk.busy.connect(self.run_bar.set_busy)
        self.desk.status.connect(self._show_status)
        self.desk.found.connect(self._take_folder)
        self.desk.ended.connect(self.state_changed)
        self.desk.wished.connect(self._wish)
        self.desk.loaded.connect(self._take_session)
        self.stage.dropped.connect(self._drop)
        self.stage.writing.asked.connect(self.write)
        self.stage.turned.connect(lambda _page: self.state_changed.emit())
        self.sight.switched.connect(self._switched)
        self.sight.mapped.connect(lambda: self._npz.setEnabled(True))
        self.sight.opened.connect(lambda: self._copy.setEnabled(True))
        self._npz.clicked.connect(lambda _on=False: self.save_map())
        self._copy.clicked.connect(lambda _on=False: self.copy_script())
        QShortcut(QKeySequence("Esc"), self).activated.connect(self._escape)

    def _register_commands(self) -> None:
        def something() -> bool:
            return self.sight.overview is not None

        offered = (
            ("run", "Read the input", self.read, None),
            ("write", "Write on", self.write, something),
            ("open", "Open a transformers folder…", self.ask_folder, None),
            ("cancel", "Cancel what is being read", self.desk.cancel, self.run_bar.cancel.isEnabled),
            ("each", "Test every head by switching it off", self.desk.test_each, something),
            ("on", "Switch all heads on", lambda: self.sight.set_off(frozenset()), something),
            ("save", "Save this head’s map…", self.save_map, something),
            ("script", "Copy as Python", self.copy_script, something),
            ("models", "Look for new models", self.controls.look_again, None),
        )
        for name, text, callback, enabled in offered:
            self.context.commands.register(Command(f"attention.{name}", text, callback, category="Attention", enabled=enabled))

    def closing(self) -> None:
        self.stage.writing.stop()
        self.context.commands.unregister_prefix("attention.")

    def state(self) -> dict[str, Any]:
        form = self.controls.form.valid_value()
        head = self.sight.head
        return {
            "request": form.to_dict() if form else None, "folders": self.controls.folders(), "page": self.stage.page,
            "order": self.stage.mosaic.order, "shading": self.sight.shading.to_dict(), "layout": self.zones.state(),
            "split": self.stage.split.sizes(), "head": list(head) if head is not None else None,
            "read": self.sight.overview is not None,
        }  # fmt: skip

    def restore(self, state: Mapping[str, Any]) -> None:
        self.controls.restore_folders(state.get("folders"))
        self.zones.restore(state.get("layout"))
        self.stage.show_page(state.get("page"))
        self.sight.shade(Shading.of(state.get("shading")))
        sizes = state.get("split")
        if isinstance(sizes, list) and len(sizes) == 2 and all(isinstance(size, int) and size > 0 for size in sizes):
            self.stage.split.setSizes(sizes)
        if isinstance(state.get("order"), str) and state["order"] != "effect":
            self.stage.set_order(state["order"])
        head = state.get("head")
        if isinstance(head, list) and len(head) == 2 and isinstance(head[0], str) and isinstance(head[1], int):
            self.sight.head = (head[0], head[1])
        stored = state.get("request")
        if isinstance(stored, Mapping):
            self._show_request(stored)
            if state.get("read") is True:
                self.read()

    def restore_request(self, kind: str, request: Mapping[str, Any]) -> list[str]:
        if kind != AttentionRequest.kind:
            return super().restore_request(kind, request)
        notes = self._show_request(request)
        self.read()
        return notes

    def demo(self) -> None:
        demo.show(self)

    def exportables(self) -> Sequence[Exportable]:
        return sharing.exportables(self.sight, self.stage)

    def on_event(self, task: Task, event: Event) -> None:
        self.desk.on_event(task, event)

    # --- doing ---

    def read(self) -> None:
        """Let the model read what the controls say."""
        request = self._request()
        if request is not None:
            self.desk.read(request)

    def write(self) -> None:
        """Let it write on."""
        request = self._request()
        if request is not None:
            self.stage.show_page("writing")
            self.desk.write(request.replace(off=off_names(self.sight) if self.sight.overview is not None else ()))

    def _request(self) -> AttentionRequest | None:
        try:
            request = self.controls.form.value()
        except RequestError as error:
            self.message(f"This cannot be read yet. {error}", "error")
            return None
        self.message("")
        return request

    def ask_folder(self) -> None:
        """Ask which model folder to open."""
        dialog = QFileDialog(self, "Open a transformers folder")
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.fileSelected.connect(lambda name: self.open_folder(Path(name)))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def open_folder(self, place: Path) -> None:
        """Look into a folder, then offer and choose it."""
        self.message("")
        self.desk.probe(place.absolute())

    def save_map(self) -> None:
        """Ask where, then write the map of the head looked at."""
        if self.sight.values() is None:
            self.message(
                "The map of so long a text is never held as a whole. Zoom in to see its cells exactly; “Export…” writes a "
                "picture of it whose pixels are maxima.", "warning",
            )  # fmt: skip
            return
        dialog = QFileDialog(self, "Save the map", "attention.npz", "NumPy archive (*.npz);;SVG drawing (*.svg)")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.fileSelected.connect(lambda name: self.save_map_as(Path(name)))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def save_map_as(self, path: Path) -> None:
        """Write the map with its tokens: .svg as a drawing, anything else as .npz."""
        if path.suffix.lower() == ".svg":
            self.desk.save_file(path, sharing.map_svg(self.sight).encode())
        else:
            path = path if path.suffix.lower() == ".npz" else path.with_name(f"{path.name}.npz")
            self.desk.save_file(path, sharing.map_npz(self.sight))

    def copy_script(self) -> None:
        """A script that shows the head looked at, on the clipboard."""
        if self.sight.overview is not None:
            QGuiApplication.clipboard().setText(script(self.sight))
            self.message("The script is on the clipboard. It needs Glassbox Studio’s Python, but no window.", "success")

    # --- what is shown ---

    def _show_request(self, stored: Mapping[str, Any]) -> list[str]:
        request, notes = what_fits(AttentionRequest, stored)
        self.controls.form.set_value(request)
        if self.controls.offer is None:
            notes.append(f"the model “{request.model}” is not on this machine; choose another one")
            self.controls.form.set_fields({"model": next(iter(self.controls.offers), "")})
        return notes

    def _take_folder(self, found: Opened) -> None:
        self.controls.add_folder(found)
        self.message(f"“{found.title}” is {KINDS[found.kind]}. Press Read.", "success")
        self.state_changed.emit()

    def _take_session(self, stored: Mapping[str, Any]) -> None:
        notes = self.restore_request(AttentionRequest.kind, stored)
        if notes:
            self.message(f"Not everything could be taken over: {'; '.join(notes)}.", "warning")

    def _drop(self, path: Path) -> None:
        if path.suffix.lower() == ".json":
            self.desk.load_session(path)
            return
        if path.suffix.lower() not in SUFFIXES:
            self.open_folder(path)
            return
        offer = self.controls.offer
        if offer is not None and "picture" not in offer.takes:
            sees = next((one for one in self.controls.offers.values() if "picture" in one.takes), None)
            act = ((f"Look at it with {sees.title}", partial(self._look_at, str(path), sees.id)),) if sees is not None else ()
            self.message(f"{offer.title} reads text; it cannot look at a picture.", "warning", actions=act)
            return
        self._look_at(str(path), "")

    def _look_at(self, path: str, model: str) -> None:
        if model:
            self.controls.form.set_fields({"model": model})
        self.controls.form.set_fields({"picture": path})
        self.read()

    def _switched(self) -> None:
        if self.sight.overview is not None:
            self.controls.set_off(off_names(self.sight))
            if self.sight.off and self.sight.map is not None and self.stage.page in ("map", "lines"):
                self.stage.show_page("effect")

    def _wish(self, fields: Mapping[str, Any]) -> None:
        self.controls.form.set_fields(dict(fields))
        self.read()

    def _show_status(self, text: str, share: float | None) -> None:
        self.status.setText(text)
        self._progress.setVisible(share is not None)
        if share is not None:
            self._progress.setValue(round(1000 * share))

    def _escape(self) -> None:
        if self.run_bar.cancel.isEnabled():
            self.desk.cancel()
        else:
            self.sight.point(-1, -1, pin=True)

    def _empty_state(self) -> EmptyState:
        def take(offer_id: str) -> None:
            offer = self.controls.offers[offer_id]
            self.controls.form.set_fields({"model": offer_id})
            self.controls.form.set_fields(self.controls.example(offer))
            self.read()

        titles = {
            "causal": "A model that writes stories", "encoder-decoder": "A model that tells captions from the other side",
            "vision": "A model that sees",
        }  # fmt: skip
        actions: list[tuple[str, Any]] = []
        for kind, title in titles.items():
            offer = next((one for one in self.controls.offers.values() if one.kind == kind), None)
            if offer is not None:
                actions.append((title, partial(take, offer.id)))
        actions.append(("Open a folder…", self.ask_folder))
        return EmptyState(
            "See where a transformer looks",
            "Ctrl+Enter lets the model on the left read its input. Every head of every layer shows at a glance; any of "
            "them exactly, with what happens when it is switched off.",
            icon="attention", actions=actions,
        )  # fmt: skip
