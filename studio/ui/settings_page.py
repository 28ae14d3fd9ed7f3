"""The Settings tab: one form a section, saved as it is changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from studio.host.atomic import FileUnwritable
from studio.host.discovery import Discovered
from studio.host.request import form_spec
from studio.host.settings import Section, Settings, SettingError, SettingsStore
from studio.ui.form import RequestForm
from studio.ui.message_bar import MessageBar
from studio.ui.panel_layout import Column
from studio.ui.tokens import SPACE_L, SPACE_M, SPACE_S

_WIDTH = 560
_TITLES = {
    "appearance": "Appearance", "engine": "Engine", "panels": "Panels", "general": "Start and exit", "export": "Saving pictures",
}  # fmt: skip
_LABELS: dict[str, dict[str, Callable[[str], str]]] = {
    "appearance": {"theme": str.capitalize}, "export": {"image_format": str.upper},
}  # fmt: skip
_NOTES = {"engine": "Device and threads take effect at the next start.", "panels": "Panels change at the next start."}


class SettingsPage(QWidget):
    """Each edit is validated and written at once; what cannot be written is said on top."""

    folder_asked = Signal()

    def __init__(
        self,
        store: SettingsStore,
        plugins: Sequence[Discovered],
        providers: Mapping[str, Callable[[], Sequence[Any]]],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setProperty("surface", "surface")
        self._store = store
        self._forms: dict[str, RequestForm[Section]] = {}
        self._plugins: dict[str, QCheckBox] = {}
        self._loading = False
        self.bar = MessageBar(self)
        column = Column(self)
        column.setMaximumWidth(_WIDTH + 4 * SPACE_L)
        column.layout_.setContentsMargins(SPACE_L * 2, SPACE_L * 2, SPACE_L * 2, SPACE_L * 2)
        column.layout_.setSpacing(SPACE_L)
        heading = QLabel("Settings", self)
        heading.setProperty("tone", "hero")
        column.add(heading)
        for name, info in Settings.model_fields.items():
            section = info.annotation
            if isinstance(section, type) and issubclass(section, Section):
                column.add(self._card(name, section, plugins, providers))
        where = QPushButton("Open the data folder", self)
        where.setToolTip(str(store.path.parent))
        where.clicked.connect(lambda _checked=False: self.folder_asked.emit())
        row = QWidget(self)
        box = QHBoxLayout(row)
        box.setContentsMargins(0, 0, 0, 0)
        box.addWidget(where)
        box.addStretch(1)
        column.add(row)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.bar)
        middle = QHBoxLayout()
        middle.addStretch(1)
        middle.addWidget(column, 100)
        middle.addStretch(1)
        layout.addLayout(middle, 1)
        self._stop = store.on_change(lambda _settings: self.reload())
        self.destroyed.connect(self._stop)
        self.reload()

    def stop(self) -> None:
        """Listen no more to the settings (the tab closes)."""
        self._stop()

    def reload(self) -> None:
        """Show the current values."""
        self._loading = True
        for name, form in self._forms.items():
            section = getattr(self._store.value, name)
            if form.valid_value() != section:
                form.set_value(section)
        for plugin_id, box in self._plugins.items():
            box.setChecked(plugin_id not in self._store.value.panels.disabled)
        self._loading = False

    def form(self, section: str) -> RequestForm[Section]:
        """The form of a section. Raises KeyError."""
        return self._forms[section]

    def _card(
        self, name: str, section: type[Section], plugins: Sequence[Discovered], providers: Mapping[str, Callable[[], Sequence[Any]]]
    ) -> QWidget:
        card = QFrame(self)
        card.setProperty("surface", "card")
        card.setMaximumWidth(_WIDTH)
        layout = QVBoxLayout(card)
        layout.setContentsMargins(SPACE_L, SPACE_L, SPACE_L, SPACE_L)
        layout.setSpacing(SPACE_M)
        title = QLabel(_TITLES.get(name, name.capitalize()), card)
        title.setProperty("tone", "title")
        layout.addWidget(title)
        form: RequestForm[Section] = RequestForm(section, card, exclude=("disabled",), providers=providers)
        form.changed.connect(partial(self._changed, name))
        for field, label in _LABELS.get(name, {}).items():
            choices = next(spec.choices for spec in form_spec(section) if spec.name == field)
            form.set_choices(field, [(choice.value, label(str(choice.value))) for choice in choices])
        self._forms[name] = form
        layout.addWidget(form)
        if name == "panels":
            layout.addLayout(self._plugin_list(plugins))
        if name in _NOTES:
            note = QLabel(_NOTES[name], card)
            note.setProperty("tone", "faint")
            layout.addWidget(note)
        return card

    def _plugin_list(self, plugins: Sequence[Discovered]) -> QVBoxLayout:
        layout = QVBoxLayout()
        layout.setSpacing(SPACE_S)
        for found in plugins:
            if found.manifest is None:
                text = QLabel(f"{found.name}: {found.error}", self)
                text.setProperty("tone", "error")
                text.setWordWrap(True)
                layout.addWidget(text)
                continue
            box = QCheckBox(found.manifest.title, self)
            box.setToolTip(f"{found.manifest.description}\nVersion {found.manifest.version}, {found.source}")
            box.toggled.connect(lambda _on: self._panels_changed())
            self._plugins[found.manifest.id] = box
            layout.addWidget(box)
        return layout

    def _panels_changed(self) -> None:
        off = tuple(sorted(plugin_id for plugin_id, box in self._plugins.items() if not box.isChecked()))
        if not self._loading:
            self._update("panels.disabled", off)

    def _changed(self, name: str) -> None:
        if self._loading:
            return
        section = self._forms[name].valid_value()
        if section is None:
            return
        current = getattr(self._store.value, name)
        for key in type(section).model_fields:
            if key != "disabled" and getattr(section, key) != getattr(current, key):
                self._update(f"{name}.{key}", getattr(section, key))

    def _update(self, key: str, value: Any) -> None:
        try:
            self._store.update(key, value)
        except (SettingError, FileUnwritable) as error:
            self.bar.show_message(str(error), "error")
