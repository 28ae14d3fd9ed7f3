"""The left column: the model, an example to begin with, and what it reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QPushButton, QWidget

from studio.ui.form import RequestForm
from studio.ui.panel_layout import PanelLayout
from studio.ui.tokens import SPACE_S
from studio_plugins.attention.choices import CAPTIONS, PICTURES, Offer, offers
from studio_plugins.attention.request import AttentionRequest
from studio_plugins.attention.results import Opened


class Controls(QWidget):
    """Builds its parts into a PanelLayout. Signals: `changed` at every edit, `submitted` on Ctrl+Enter, `opening` a folder
    is wanted, `exampled` an example was taken."""

    changed = Signal()
    submitted = Signal()
    opening = Signal()
    exampled = Signal()

    def __init__(self, zones: PanelLayout) -> None:
        super().__init__(zones)
        self.hide()  # only the owner of the parts below, which live in the zones
        self.opened: list[Opened] = []
        self.offers: dict[str, Offer] = {offer.id: offer for offer in offers()}
        self._quiet = False
        self._open = QPushButton("Open a folder…", zones)
        self._open.setToolTip("Any model folder of the transformers library: config.json, safetensors, tokenizer")
        self._open.clicked.connect(lambda _checked=False: self.opening.emit())
        self._examples = QComboBox(zones)
        self._examples.setAccessibleName("Examples")
        self._examples.activated.connect(self._take_example)
        self.form: RequestForm[AttentionRequest] = RequestForm(
            AttentionRequest, zones, providers={"models": lambda: [(offer.id, offer.title) for offer in self.offers.values()]}
        )
        self._examples.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._examples.setMinimumContentsLength(6)
        row = QWidget(zones)
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_S)
        layout.addWidget(self._examples, 1)
        layout.addWidget(self._open, 1)
        for widget in (row, self.form):
            zones.add_control(widget)
        self.form.changed.connect(self._edited)
        self.form.submitted.connect(self.submitted)
        if self.offer is None and self.offers:
            self.form.set_fields({"model": next(iter(self.offers))})
        if self.offer is not None:
            self.form.set_fields({"takes": self.offer.takes, **self.example(self.offer)})
        self._edited()

    @property
    def offer(self) -> Offer | None:
        """The chosen model, None when it is not among those offered."""
        return self.offers.get(str(self.form.field("model").value()))

    def look_again(self) -> None:
        """Find anew which models there are."""
        self.offers = {offer.id: offer for offer in offers(self.opened)}
        self.form.refresh_choices()

    def add_folder(self, found: Opened, *, choose: bool = True) -> None:
        """Offer a folder that was opened."""
        self.opened = [*(known for known in self.opened if known.place != found.place), found][-50:]
        self.look_again()
        if choose:
            self.form.set_fields({"model": found.place})

    def restore_folders(self, stored: Any) -> None:
        """Offer the folders of an earlier session; anything malformed is left out."""
        for entry in stored if isinstance(stored, list) else []:
            if isinstance(entry, Mapping) and all(isinstance(entry.get(name), str) for name in ("place", "title", "kind")):
                takes = entry.get("takes")
                if isinstance(takes, list) and Path(entry["place"]).is_absolute():
                    found = Opened(entry["place"], entry["title"], tuple(map(str, takes)), entry["kind"])
                    self.add_folder(found, choose=False)

    def folders(self) -> list[dict[str, Any]]:
        """What `restore_folders` takes."""
        return [{"place": o.place, "title": o.title, "takes": list(o.takes), "kind": o.kind} for o in self.opened]

    def set_off(self, names: Sequence[str]) -> None:
        """The heads that are off, in the request."""
        self.form.set_fields({"off": tuple(names)})

    def example(self, offer: Offer, at: int = 0) -> dict[str, Any]:
        """Fields of an example for a model."""
        if "picture" in offer.takes:
            given = {"picture": list(PICTURES)[at]}
            return {**given, "captions": CAPTIONS} if "captions" in offer.takes else given
        return {"text": offer.texts[at], "target": ""} if offer.texts else {}

    def _edited(self) -> None:
        offer, request = self.offer, self.form.valid_value()
        if self._quiet:
            return
        if offer is not None and request is not None and request.takes != offer.takes:
            self._quiet = True
            lacking = {name: value for name, value in self.example(offer).items() if not getattr(request, name)}
            self.form.set_fields({"takes": offer.takes, "off": (), **lacking})
            self._quiet = False
            self._fill_examples(offer)
        elif offer is not None and self._examples.count() < 2:
            self._fill_examples(offer)
        self.changed.emit()

    def _fill_examples(self, offer: Offer) -> None:
        self._examples.clear()
        self._examples.addItem("Examples …")
        titles = list(PICTURES.values()) if "picture" in offer.takes else list(offer.texts)
        for title in titles:
            self._examples.addItem(title)
        self._examples.view().setMinimumWidth(420)
        self._examples.setEnabled(bool(titles))

    def _take_example(self, at: int) -> None:
        self._examples.setCurrentIndex(0)
        if at > 0 and self.offer is not None:
            self.form.set_fields(self.example(self.offer, at - 1))
            self.exampled.emit()
