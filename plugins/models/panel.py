"""The Models panel: every model on this machine, and the doors for more: import, folders, download."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QMessageBox, QPushButton, QStackedWidget, QWidget

from studio.engine import Event, Task
from studio.host.commands import Command
from studio.host.context import PanelContext
from studio.host.export import Exportable
from studio.host.panel import Panel
from studio.models.downloading import Downloaded
from studio.models.importing import Outcome
from studio.models.inventory import Entry, Inventory, inventory
from studio.models.library.holding import Holding
from studio.models.survey import Row, Survey
from studio.ui.cards import EmptyState
from studio.ui.panel_layout import PanelLayout
from studio.ui.tokens import SPACE_S
from studio_plugins.models.card_page import CardPage
from studio_plugins.models.desk import Desk
from studio_plugins.models.download_page import DownloadPage
from studio_plugins.models.dropping import dropped_folders
from studio_plugins.models.fetching import Fetching
from studio_plugins.models.import_page import ImportPage
from studio_plugins.models.insight import Insight
from studio_plugins.models.items import Item, Place, items_of
from studio_plugins.models.jobs import Imported
from studio_plugins.models.library_desk import LibraryDesk
from studio_plugins.models.model_list import ModelList
from studio_plugins.models.request import DownloadRequest, ImportRequest
from studio_plugins.models.tables import digests_table, library_table
from studio_plugins.models.words import files_table, models_table, summary_text

_IMPORT, _ADD, _DOWNLOAD = "Import released checkpoints…", "Add a folder…", "Download…"
_REMOVE, _FORGET = "Remove this model…", "Take this folder off the list"
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
        self.holdings: tuple[Holding, ...] = ()

    # --- life ---

    def build(self) -> None:
        self.desk, self.library = Desk(self.context, self), LibraryDesk(self.context, self)
        self.zones = PanelLayout(self)
        self.filter = QLineEdit(self.zones)
        self.filter.setPlaceholderText("Find a model")
        self.filter.setAccessibleName("Find a model")
        self.filter.setClearButtonEnabled(True)
        self.list = ModelList(self.zones)
        self.card, self.page, self.hub = CardPage(self.zones), ImportPage(self.zones), DownloadPage(self.zones)
        self.empty = EmptyState(
            "Every model on this machine",
            "Choose one on the left to read its card. Models in the Hugging Face cache are listed by themselves; add "
            "the folders that hold others, by button or by dropping them here. Or import the published GLIDE and ADM "
            "checkpoints.",
            icon="models", actions=[(_ADD, self.ask_folder), (_IMPORT, self.ask)],
        )  # fmt: skip
        self.stage = QStackedWidget(self.zones)
        for widget in (self.empty, self.card, self.page, self.hub):
            self.stage.addWidget(widget)
        self.zones.add_control(self.filter)
        self.zones.add_control(self.list)
        self.zones.set_stage(self.stage)
        self.zones.set_primary(_IMPORT, self.ask, tip="Choose the folder with the downloaded files")
        self.zones.add_secondary(self._doors())
        self._remove = _button(self.zones, _REMOVE, self.remove_shown, "")
        self.zones.add_secondary(self._remove)
        self.insight = Insight(self.zones, self._titles)
        self.setAcceptDrops(True)
        self._connect()
        self._register()
        self._offer_removal(None)
        self.desk.list_models()

    def _doors(self) -> QWidget:
        row = QWidget(self.zones)
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_S)
        add, fetch = "Look through a folder for models from now on", "List a model's files on Hugging Face, then fetch them"
        layout.addWidget(_button(row, _ADD, self.ask_folder, add), 1)
        layout.addWidget(_button(row, _DOWNLOAD, self.show_hub, fetch), 1)
        return row

    def _connect(self) -> None:
        desk, page = self.desk, self.page
        self.filter.textChanged.connect(self.list.set_filter)
        self.list.chosen.connect(self._show_item)
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
        library, hub, files = self.library, self.hub, self.insight.files
        self.fetching = Fetching(library, hub, self)
        library.said.connect(self.message)
        library.folders_changed.connect(desk.list_models)
        library.card_read.connect(self.card.add_card)
        library.digesting.connect(files.show_progress)
        library.digested.connect(files.show_digests)
        library.converted.connect(self._converted)
        files.digest_wanted.connect(library.digest)
        files.cancelled.connect(library.cancel_digest)
        files.conversion_wanted.connect(library.convert)
        self.fetching.fetched.connect(self._fetched)
        self.fetching.said.connect(self.message)
        hub.back.connect(self.show_models)

    def _register(self) -> None:
        for name, text, callback, category in (
            ("look", "Look for models on this machine", self.desk.list_models, "Models"),
            ("add", "Add a folder of models…", self.ask_folder, "Models"),
            ("remove", "Remove the imported model shown…", self.remove_shown, "Models"),
        ):
            self.context.commands.register(Command(f"models.{name}", text, callback, category=category))

    def closing(self) -> None:
        self.context.commands.unregister_prefix("models.")

    def state(self) -> dict[str, Any]:
        item = self.list.item_
        return {"model": item.id if item else self._wanted, "folder": self._folder, "layout": self.zones.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        model, folder = state.get("model"), state.get("folder")
        self._wanted = model if isinstance(model, str) else ""
        self._folder = folder if isinstance(folder, str) else ""
        self.zones.restore(state.get("layout"))

    def restore_request(self, kind: str, request: Mapping[str, Any]) -> list[str]:
        """Without a folder, or without an id, an order asks for it: so do the commands of the window."""
        if kind == ImportRequest.kind:
            folder = request.get("folder")
            self.look_into(Path(folder)) if isinstance(folder, str) and folder else self.ask()
        elif kind == DownloadRequest.kind:
            self.hub.repo.setText(str(request.get("repo") or ""))
            self.show_hub()
        else:
            return [f"settings of kind “{kind}”"]
        return []

    def demo(self) -> None:
        self._wanted = "emoji-base"
        self._show_models(inventory())

    def exportables(self) -> Sequence[Exportable]:
        found = [Exportable("Models on this machine", "table", lambda: models_table(self.entries))]
        if self.holdings:
            found.append(Exportable("Models of other programs", "table", lambda: library_table(self.holdings)))
        digests = [digest for made in self.insight.files.digests.values() for digest in made]
        if digests:
            found.append(Exportable("SHA-256 of weights", "table", lambda: digests_table(digests)))
        if self.page.survey is not None:
            rows, outcomes = self.page.survey.rows, self.page.outcomes
            found.append(Exportable("Files found in the folder", "table", lambda: files_table(rows, outcomes)))
        return found

    def on_event(self, task: Task, event: Event) -> None:
        self.desk.on_event(task, event)
        self.library.on_event(task, event)

    # --- models ---

    def show_models(self) -> None:
        """Leave the import or the download and show the card of the model chosen."""
        item = self.list.item_
        if item is not None:
            self._show_item(item)
        else:
            self.insight.show_item(None)
            self.stage.setCurrentWidget(self.empty)

    def _show_models(self, found: Inventory) -> None:
        offered = {holding.place for holding in found.holdings if holding.usable}
        if self.entries and offered != {holding.place for holding in self.holdings if holding.usable}:
            self._tell_others()
        self.entries, self.holdings = found.entries, found.holdings
        self._listing = True
        self.list.show_items(items_of(found))
        if self._wanted and self.list.choose(self._wanted):
            self._wanted = ""
        self._listing = False
        if self.stage.currentWidget() not in (self.page, self.hub):
            self.show_models()  # else the marks of what was verified stay on show
        if found.problems:
            self.message(" ".join(found.problems), "warning")

    def _show_item(self, item: Item) -> None:
        if self.desk.busy or self.library.busy or self._listing:
            return  # the import or the download stays on show
        self.card.show_item(item)
        self.stage.setCurrentWidget(self.card)
        self.insight.show_item(item)
        self._offer_removal(item)
        if isinstance(item.value, Holding) and item.value.card:
            self.library.read_card(item.value.card)
        self.state_changed.emit()

    def _titles(self) -> Mapping[str, str]:
        """Titles of the panels this window has, by id."""
        opening = (command for command in self.context.commands if command.id.startswith("panels."))
        return {command.id.removeprefix("panels."): command.title.removeprefix("Open ") for command in opening}

    def _offer_removal(self, item: Item | None) -> None:
        value = item.value if item is not None else None
        self._remove.setText(_FORGET if isinstance(value, Place) else _REMOVE)
        self._remove.setEnabled(isinstance(value, Place) or (isinstance(value, Entry) and value.origin == "imported"))
        self._remove.setToolTip(
            "Look through it no longer; its files stay as they are" if isinstance(value, Place)
            else "Remove an imported model from the disk; the files it was made of stay"
        )  # fmt: skip

    def remove_shown(self) -> None:
        """Take a folder off the list; ask whether an imported model is to be removed from the disk."""
        item = self.list.item_
        value = item.value if item is not None else None
        if isinstance(value, Place):
            self.library.forget_folder(value.folder)
        elif isinstance(value, Entry) and value.origin == "imported":
            self._ask_to_remove(value)
        else:
            self.message("Only imported models can be removed here: choose one on the left.", "info")

    def _ask_to_remove(self, entry: Entry) -> None:
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

    # --- folders ---

    def ask_folder(self) -> None:
        """Ask for a folder to look through."""
        self._ask_for_folder("Folder with models", self.add_folder)

    def add_folder(self, folder: Path) -> None:
        """Look through a folder from now on."""
        self._wanted = f"folder:{folder}"
        self.library.add_folder(folder)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.source() is None and dropped_folders(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        for folder in dropped_folders(event.mimeData()):
            self.add_folder(folder)
        event.acceptProposedAction()

    # --- download ---

    def show_hub(self) -> None:
        """Turn to the download, unless an import runs."""
        if self.desk.busy:
            self.message("An import is running: wait for it, or cancel it first.", "info")
            return
        self.stage.setCurrentWidget(self.hub)
        self.insight.show_item(None)
        self.hub.repo.setFocus()

    def _fetched(self, found: Downloaded) -> None:
        self._wanted = str(found.folder)
        self.stage.setCurrentWidget(self.card)
        self.desk.list_models()

    def _converted(self, files: Sequence[Path]) -> None:
        made = ", ".join(file.name for file in files)
        text = f"Converted: {made} lies beside the pickle now." if made else "There was nothing to convert."
        self.message(text, "success")
        self.desk.list_models()

    # --- import ---

    def ask(self) -> None:
        """Ask for the folder with the downloaded files."""
        self._ask_for_folder("Folder with released checkpoints", self.look_into)

    def _ask_for_folder(self, title: str, then: Callable[[Path], None]) -> None:
        dialog = QFileDialog(self, title, self._folder)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.fileSelected.connect(lambda name: then(Path(name)))
        dialog.open()

    def look_into(self, folder: Path) -> None:
        """See what lies in a folder, unless an import runs."""
        if self.desk.busy or self.library.busy:
            what = "An import" if self.desk.busy else "A download"
            self.message(f"{what} is running: wait for it, or cancel it first.", "info")
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
        self._offer_removal(None)
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
            self.message(*summary_text(found.outcomes, found.unkept))
            good = [outcome.model for outcome in found.outcomes if outcome.model]
            self._wanted = good[0] if good else self._wanted
        self._tell_others()
        self.desk.list_models()

    def _tell_others(self) -> None:
        """Let the other panels look for models again."""
        for command in list(self.context.commands):
            if command.id.endswith(_LOOK_AGAIN) and not command.id.startswith("models."):
                command.callback()


def _button(parent: QWidget, text: str, pressed: Callable[[], None], tip: str) -> QPushButton:
    button = QPushButton(text, parent)
    button.setToolTip(tip)
    button.clicked.connect(lambda _checked=False: pressed())
    return button
