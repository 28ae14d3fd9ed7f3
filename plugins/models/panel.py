"""The Models panel: what is on this machine, and the import of what was published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QMessageBox, QPushButton, QStackedWidget

from studio.engine import Event, Task
from studio.host.commands import Command
from studio.host.context import PanelContext
from studio.host.export import Exportable
from studio.host.panel import Panel
from studio.models.importing import Outcome
from studio.models.inventory import Entry, Inventory, inventory
from studio.models.survey import Row, Survey
from studio.ui.cards import EmptyState
from studio.ui.panel_layout import PanelLayout
from studio_plugins.models.card_page import CardPage
from studio_plugins.models.desk import Desk
from studio_plugins.models.import_page import ImportPage
from studio_plugins.models.insight import Insight
from studio_plugins.models.jobs import Imported
from studio_plugins.models.model_list import ModelList
from studio_plugins.models.request import ImportRequest
from studio_plugins.models.words import files_table, models_table

_IMPORT = "Import released checkpoints…"
_LOOK_AGAIN = ".models"
"""How the commands of other panels end that look for new models."""


class ModelsPanel(Panel):
    """Models on the left, the card or the import in the middle, facts on the right."""

    title = "Models"

    def __init__(self, context: PanelContext, parent: Any = None) -> None:
        super().__init__(context, parent)
        self._wanted = ""
        """The model to choose once the list is there."""
        self._folder = ""
        self._listing = False
        self.entries: tuple[Entry, ...] = ()

    # --- life ---

    def build(self) -> None:
        self.desk = Desk(self.context, self)
        self.zones = PanelLayout(self)
        self.list = ModelList(self.zones)
        self.card = CardPage(self.zones)
        self.page = ImportPage(self.zones)
        empty = EmptyState(
            "Every model on this machine",
            "Choose one on the left to read its card. Or import the published GLIDE and ADM checkpoints from the folder "
            "you downloaded them into: they are verified and then offered in every panel.",
            icon="models", actions=[(_IMPORT, self.ask)],
        )  # fmt: skip
        self.stage = QStackedWidget(self.zones)
        self.empty = empty
        for widget in (empty, self.card, self.page):
            self.stage.addWidget(widget)
        self.zones.add_control(self.list)
        self.zones.set_stage(self.stage)
        self.zones.set_primary(_IMPORT, self.ask, tip="Choose the folder with the downloaded files")
        self._remove = QPushButton("Remove this model…", self.zones)
        self._remove.setToolTip("Remove an imported model from the disk; the files it was made of stay")
        self._remove.clicked.connect(lambda _checked=False: self.ask_to_remove())
        self._remove.setEnabled(False)
        self.zones.add_secondary(self._remove)
        self.insight = Insight(self.zones)
        self._connect()
        self._register()
        self.desk.list_models()

    def _connect(self) -> None:
        desk, page = self.desk, self.page
        self.list.chosen.connect(self._show_entry)
        desk.listed.connect(self._show_models)
        desk.surveyed.connect(self._show_survey)
        desk.outcome.connect(self._show_outcome)
        desk.progress.connect(page.show_progress)
        desk.imported.connect(self._imported)
        desk.removed.connect(self._removed)
        desk.said.connect(self.message)
        page.again.connect(self.ask)
        page.wanted.connect(self.import_ticked)
        page.cancelled.connect(desk.cancel)
        page.back.connect(self.show_models)
        page.looked_at.connect(self._show_row)

    def _register(self) -> None:
        for name, text, callback, category in (
            ("import", _IMPORT, self.ask, "File"),
            ("look", "Look for models on this machine", self.desk.list_models, "Models"),
            ("remove", "Remove the imported model shown…", self.ask_to_remove, "Models"),
        ):
            self.context.commands.register(Command(f"models.{name}", text, callback, category=category))

    def closing(self) -> None:
        self.context.commands.unregister_prefix("models.")

    def state(self) -> dict[str, Any]:
        entry = self.list.entry
        return {"model": entry.info.id if entry else self._wanted, "folder": self._folder, "layout": self.zones.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        model, folder = state.get("model"), state.get("folder")
        self._wanted = model if isinstance(model, str) else ""
        self._folder = folder if isinstance(folder, str) else ""
        self.zones.restore(state.get("layout"))

    def restore_request(self, kind: str, request: Mapping[str, Any]) -> list[str]:
        folder = request.get("folder")
        if kind != ImportRequest.kind or not isinstance(folder, str) or not folder:
            return [f"settings of kind “{kind}”"]
        self.look_into(Path(folder))
        return []

    def demo(self) -> None:
        self._wanted = "emoji-base"
        self._show_models(inventory())

    def exportables(self) -> Sequence[Exportable]:
        found = [Exportable("Models on this machine", "table", lambda: models_table(self.entries))]
        if self.page.survey is not None:
            rows, outcomes = self.page.survey.rows, self.page.outcomes
            found.append(Exportable("Files found in the folder", "table", lambda: files_table(rows, outcomes)))
        return found

    def on_event(self, task: Task, event: Event) -> None:
        self.desk.on_event(task, event)

    # --- models ---

    def show_models(self) -> None:
        """Leave the import and show the card of the model chosen."""
        entry = self.list.entry
        if entry is not None:
            self._show_entry(entry)
        else:
            self.insight.show_entry(None)
            self.stage.setCurrentWidget(self.empty)

    def _show_models(self, found: Inventory) -> None:
        self.entries = found.entries
        self._listing = True
        self.list.show_entries(found.entries)
        if self._wanted and self.list.choose(self._wanted):
            self._wanted = ""
        self._listing = False
        if self.stage.currentWidget() is not self.page:
            self.show_models()  # else the marks of what was verified stay on show
        if found.problems:
            self.message(" ".join(found.problems), "warning")

    def _show_entry(self, entry: Entry) -> None:
        if self.desk.busy or self._listing:
            return  # the import stays on show
        self.card.show_entry(entry)
        self.stage.setCurrentWidget(self.card)
        self.insight.show_entry(entry)
        self._remove.setEnabled(entry.origin == "imported")
        self.state_changed.emit()

    def ask_to_remove(self) -> None:
        """Ask whether the imported model on show is to be removed from the disk."""
        entry = self.list.entry
        if entry is None or entry.origin != "imported":
            self.message("Only imported models can be removed here: choose one on the left.", "info")
            return
        box = QMessageBox(QMessageBox.Icon.Question, "Remove a model", f"Remove “{entry.info.title}” from this machine?", parent=self)
        box.setInformativeText("Its converted weights are deleted. The files it was imported from stay where they are.")
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        yes = box.addButton("Remove", QMessageBox.ButtonRole.DestructiveRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.buttonClicked.connect(lambda button: self.desk.remove(entry.info.id) if button is yes else None)
        box.open()

    def _removed(self, name: str) -> None:
        self.message(f"“{name}” was removed.", "info")
        self._tell_others()
        self.desk.list_models()

    # --- import ---

    def ask(self) -> None:
        """Ask for the folder with the downloaded files."""
        dialog = QFileDialog(self, "Folder with released checkpoints", self._folder)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.fileSelected.connect(lambda name: self.look_into(Path(name)))
        dialog.open()

    def look_into(self, folder: Path) -> None:
        """See what lies in a folder, unless an import runs."""
        if self.desk.busy:
            self.message("An import is running: wait for it, or cancel it first.", "info")
            return
        self._folder = str(folder)
        self.desk.look_into(folder)
        self.state_changed.emit()

    def import_ticked(self) -> None:
        """Import what is ticked."""
        rows = self.page.ticked()
        if rows and not self.desk.busy:
            request = ImportRequest(folder=self._folder, files=tuple(str(row.path) for row in rows))
            self.message("")
            self.page.set_busy(self.desk.import_models(request))

    def _show_survey(self, found: Survey) -> None:
        self.page.show_survey(found)
        self.stage.setCurrentWidget(self.page)
        self._remove.setEnabled(False)
        self._show_row(self.page.row())

    def _show_row(self, row: Row | None) -> None:
        if self.stage.currentWidget() is self.page:
            self.insight.show_row(row, self.page.outcomes.get(str(row.path)) if row is not None else None)

    def _show_outcome(self, outcome: Outcome) -> None:
        self.page.show_outcome(outcome)
        self._show_row(self.page.row())

    def _imported(self, found: Imported | None) -> None:
        for outcome in found.outcomes if found is not None else ():
            self._show_outcome(outcome)  # snapshots come only while the panel is visible
        self.page.set_busy(False)
        if found is not None:
            self.message(*_summary(found))
            good = [outcome.model for outcome in found.outcomes if outcome.model]
            self._wanted = good[0] if good else self._wanted
        self._tell_others()
        self.desk.list_models()

    def _tell_others(self) -> None:
        """Let the other panels look for models again."""
        for command in list(self.context.commands):
            if command.id.endswith(_LOOK_AGAIN) and not command.id.startswith("models."):
                command.callback()


def _summary(found: Imported) -> tuple[str, str]:
    """What to say of an import, and how loudly."""
    good = [outcome for outcome in found.outcomes if outcome.model]
    bad = len(found.outcomes) - len(good)
    text = f"{len(good)} model{'s' if len(good) != 1 else ''} imported and verified; every panel offers them now."
    if bad:
        text += f" {bad} could not be imported: the reason is in its row."
    if found.unkept:
        text += f" The report is not in History. {found.unkept}"
    return text, "warning" if bad or found.unkept else "success"
