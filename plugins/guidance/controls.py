"""The left column: prompt, columns of guidance with the settings of the chosen one, and what they have in common."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLabel, QLineEdit, QWidget

from studio.host.request import RequestError
from studio.ml.diffusion.words import WordTokenizer
from studio.models.catalog import ModelInfo
from studio.ui.collapsible import Collapsible
from studio.ui.form import RequestForm
from studio.ui.panel_layout import PanelLayout
from studio.ui.text_fields import SeedField
from studio_plugins.guidance.column_bar import ColumnBar
from studio_plugins.guidance.columns import Columns
from studio_plugins.guidance.companions import Companions
from studio_plugins.guidance.request import EXAMPLE_PROMPT, Guidance, GuidanceRequest
from studio_plugins.guidance.titles import guidance_title

EXAMPLES = (
    EXAMPLE_PROMPT,
    "a rocket above a house on a black background",
    "a dog right of a pizza on a green background",
    "two penguins on a yellow background",
    "a small butterfly on a green background",
    "a frog below a star on a purple background",
)
"""Prompts in which guidance makes a difference, to choose without typing."""
_ALL = tuple(GuidanceRequest.model_fields)


class Controls(QWidget):
    """Builds its parts into a PanelLayout. Signals: `changed` at every edit, `submitted` on Ctrl+Enter."""

    changed = Signal()
    submitted = Signal()

    def __init__(
        self, zones: PanelLayout, columns: Columns, models: Sequence[ModelInfo], companions: Companions
    ) -> None:
        super().__init__(zones)
        self.hide()  # only the owner of the parts below, which live in the zones
        self.columns = columns
        self._models = {info.id: info for info in models}
        self._companions = companions
        self._offered: tuple[str, ...] = ()
        self._offering = ""
        providers = {
            "models": lambda: [(info.id, info.title) for info in self._models.values()],
            "clips": lambda: [(info.id, info.title) for info in companions.clips],
            "classifiers": lambda: [(info.id, info.title) for info in companions.classifiers],
        }
        self._prompt = RequestForm(GuidanceRequest, zones, exclude=[name for name in _ALL if name != "prompt"])
        self.bar = ColumnBar(columns, zones)
        self._reason = QLabel(zones)
        self._reason.setProperty("tone", "error")
        self._reason.setWordWrap(True)
        self.guidance: RequestForm[Guidance] = RequestForm(Guidance, zones, providers={"classes": self._classes})
        self._name = QLineEdit(zones)
        self._name.setAccessibleName("Name of the column")
        self._name.setToolTip("What this column is called; empty: its guidance in few words")
        self.common = RequestForm(GuidanceRequest, zones, exclude=["prompt", "columns"], providers=providers)
        zones.add_control(self._prompt)
        section = Collapsible("Columns", zones)
        for widget in (self.bar, self._reason, self.guidance, self._name):
            section.add(widget)
        zones.add_control(section)
        shared = Collapsible("In common", zones)
        shared.add(self.common)
        zones.add_control(shared)
        for form in (self._prompt, self.common):
            form.changed.connect(self._edited)
            form.submitted.connect(self.submitted)
        self.guidance.changed.connect(self._guided)
        self.guidance.submitted.connect(self.submitted)
        self._name.textEdited.connect(columns.rename)
        columns.changed.connect(self._edited)
        columns.chosen.connect(lambda _index: self._show_column())
        self._show_column()
        self._edited()

    # --- the request ---

    def request(self) -> GuidanceRequest:
        """What the controls say. Raises RequestError."""
        self.guidance.value()  # while it is not valid, the chosen column is not what is shown
        return self.common.value().replace(prompt=self._prompt.value().prompt, columns=self.columns.all)

    def valid_request(self) -> GuidanceRequest | None:
        """The request, None while something is not valid."""
        try:
            return self.request()
        except RequestError:
            return None

    def show_request(self, request: GuidanceRequest) -> None:
        """Put a request into the controls; its seed is then kept."""
        self._prompt.set_fields({"prompt": request.prompt})
        self.common.set_fields({name: getattr(request, name) for name in _ALL if name not in ("prompt", "columns")})
        self.seed.set_fixed(True)
        self.columns.set_all(request.columns)

    @property
    def prompt(self) -> str:
        return str(self._prompt.prompt_field().value())

    @property
    def seed(self) -> SeedField:
        """The seed's editor, which also knows whether the seed is kept."""
        field = self.common.field("seed")
        assert isinstance(field, SeedField)
        return field

    @property
    def prompt_editor(self) -> QWidget:
        return self._prompt.prompt_field().focus_widget()

    @property
    def model(self) -> ModelInfo | None:
        """The chosen model, None when it is not on this machine."""
        return self._models.get(str(self.common.field("model").value()))

    def set_models(self, models: Sequence[ModelInfo]) -> None:
        """Offer these models, and the companions as they are now."""
        self._models = {info.id: info for info in models}
        self.common.refresh_choices()
        self._edited()

    def missing(self, guidance: Guidance) -> str:
        """Why a guidance cannot act, "" when it can."""
        request = self.valid_request()
        return "" if request is None else self._companions.missing(guidance, request, self.model)

    # --- edits ---

    def _guided(self) -> None:
        try:
            guidance = self.guidance.value()
        except RequestError as error:
            self._tell(str(error))
            return
        if guidance == self.columns.column.guidance:
            self._edited()  # what was wrong is right again
        else:
            self.columns.set_guidance(guidance)

    def _show_column(self) -> None:
        column = self.columns.column
        self.guidance.set_value(column.guidance)
        if self._name.text() != column.name:
            self._name.setText(column.name)
        self._edited()

    def _edited(self) -> None:
        self._name.setPlaceholderText(f"name: {guidance_title(self.columns.column.guidance)}")
        request = self.valid_request()
        if request is not None:
            self._offer_classes(request)
            reason = self._companions.missing(self.columns.column.guidance, request, self.model)
            self._tell(f"Cannot be drawn: {reason}." if reason else "")
        self._remark()
        self.changed.emit()

    def _tell(self, problem: str) -> None:
        self._reason.setText(problem)
        self._reason.setVisible(bool(problem))

    def _classes(self) -> list[tuple[str, str]]:
        return [("", "Automatic"), *((name, name) for name in self._offered)]

    def _offer_classes(self, request: GuidanceRequest) -> None:
        self._offered = self._companions.classes(request)
        automatic = self._companions.automatic_class(request)
        label = f"Automatic: {automatic}" if automatic else "Automatic"
        self.guidance.set_choices("classifier_class", [("", label), *((name, name) for name in self._offered)])

    def _remark(self) -> None:
        """Say which words the model does not know, and offer those that it does."""
        info, field = self.model, self._prompt.prompt_field()
        note, examples = "", list(EXAMPLES)
        if info is not None and info.words:
            known = WordTokenizer(info.words, info.phrases)
            examples = [text for text in EXAMPLES if not known.unknown(text)]
            unknown = known.unknown(self.prompt)
            if unknown:
                words = ", ".join(f"“{word[:30]}”" for word in unknown[:6])
                note = f"{info.title} does not know {words} and leaves {'it' if len(unknown) == 1 else 'them'} out."
        if info is not None and info.id != self._offering:
            self._offering = info.id
            field.set_suggestions([word for word in (*info.words, *info.phrases) if len(word) > 1])
            field.set_history(examples)
        field.set_note(note)
