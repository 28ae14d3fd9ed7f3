"""The left column: the question, who is compared with whom, and which contestants take part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QListWidget, QListWidgetItem

from studio.host.request import RequestError
from studio.ui.collapsible import Collapsible
from studio.ui.form import RequestForm
from studio.ui.panel_layout import PanelLayout
from studio_plugins.vote.entries import field_title
from studio_plugins.vote.request import VoteRequest

_NAME = Qt.ItemDataRole.UserRole
_ROW = 26
_MOST_ROWS = 9


class Controls(QObject):
    """The form and the list of contestants. `changed` when the request differs."""

    changed = Signal()

    def __init__(self, zones: PanelLayout) -> None:
        super().__init__(zones)
        self._fields: list[str] = []
        self._taking: dict[str, tuple[str, ...]] = {}
        """Who takes part, by the setting they differ in; none means all."""
        self._quiet = False
        self.form = RequestForm(VoteRequest, zones, providers={"fields": self._choices})
        self.list = QListWidget(zones)
        self.list.setAccessibleName("Contestants that take part")
        self.list.itemChanged.connect(lambda _item: self._ticked())
        self.section = Collapsible("Contestants", zones)
        self.section.add(self.list)
        zones.add_control(self.form)
        zones.add_control(self.section)
        self.section.hide()
        self.form.changed.connect(self._edited)

    def _choices(self) -> Sequence[tuple[str, str]]:
        return [(name, field_title(name)) for name in self._fields]

    def offer(self, fields: Sequence[str]) -> None:
        """The settings in which the pictures differ; the one chosen stays if it is still among them."""
        chosen = self.form.field("field").value()
        self._quiet = True
        self._fields = list(fields)
        self.form.refresh_choices()
        self.form.set_fields({"field": chosen if chosen in fields else next(iter(fields), "")})
        self._quiet = False

    def show_contestants(self, pictures: Mapping[str, int], taking: Sequence[str]) -> None:
        """Everybody there is, ticked where they take part."""
        wanted = [
            (name, f"{name}   ({count} picture{'s' if count != 1 else ''})", name in taking)
            for name, count in pictures.items()
        ]
        self.section.setVisible(bool(wanted))
        if wanted == [(i.data(_NAME), i.text(), i.checkState() == Qt.CheckState.Checked) for i in self._items()]:
            return  # filling it anew would take the focus from the box just clicked
        self._quiet = True
        self.list.clear()
        for name, text, ticked in wanted:
            item = QListWidgetItem(text, self.list)
            item.setData(_NAME, name)
            item.setToolTip(name)
            item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsSelectable)
            item.setCheckState(Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked)
        self.list.setFixedHeight(_ROW * min(_MOST_ROWS, max(2, len(wanted))) + 4)
        self._quiet = False

    def _items(self) -> list[QListWidgetItem]:
        return [self.list.item(row) for row in range(self.list.count())]

    def request(self) -> VoteRequest | None:
        """What the form and the ticks say; None while it is not valid."""
        value = self.form.valid_value()
        return None if value is None else value.replace(contestants=self._taking.get(value.field, ()))

    def show_request(self, stored: Mapping[str, Any]) -> list[str]:
        """Put a stored request into the form. Returns what it cannot take, in words."""
        request, problems = fitting(stored)
        self._quiet = True
        if request.field and request.field not in self._fields:
            # The pictures may not have been looked through yet; `offer` drops it if it is not there.
            self._fields.append(request.field)
            self.form.refresh_choices()
        self._taking[request.field] = request.contestants
        self.form.set_value(request)
        self._quiet = False
        self.changed.emit()
        return problems

    def _edited(self) -> None:
        if not self._quiet:
            self.changed.emit()

    def _ticked(self) -> None:
        value = self.form.valid_value()
        if self._quiet or value is None:
            return
        items = self._items()
        ticked = tuple(i.data(_NAME) for i in items if i.checkState() == Qt.CheckState.Checked)
        self._taking[value.field] = ticked if len(ticked) < len(items) else ()
        self.changed.emit()


def fitting(stored: Mapping[str, Any]) -> tuple[VoteRequest, list[str]]:
    """What of a stored request is valid, the rest as by default, and in words what was not."""
    fields = {name: value for name, value in stored.items() if name in VoteRequest.model_fields and name != "votes"}
    try:
        return VoteRequest.checked(**fields), []
    except RequestError as error:
        left = {name: value for name, value in fields.items() if name not in error.fields}
        return VoteRequest.checked(**left), [f"{name}: {fields[name]!r}" for name in fields if name in error.fields]
