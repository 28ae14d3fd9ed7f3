"""The left column: the settings of a run, and what the model will not take in of the prompt."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from studio.ml.diffusion.words import WordTokenizer
from studio.models.catalog import EXTERNAL, ModelInfo
from studio.models.external import scheduler_choices
from studio.ui.form import RequestForm
from studio.ui.panel_layout import PanelLayout
from studio.ui.text_fields import SeedField
from studio_plugins.tokens.request import TokensRequest, quoted

EXAMPLES = (
    "a cat on a blue background",
    "a small red apple on a green background",
    "two penguins on a yellow background",
    "a rocket above a house on a black background",
)


class Controls(QWidget):
    """Builds the form into a PanelLayout. Signals: `changed` at every edit, `submitted` on Ctrl+Enter."""

    changed = Signal()
    submitted = Signal()

    def __init__(self, zones: PanelLayout, models: Sequence[ModelInfo]) -> None:
        super().__init__(zones)
        self.hide()  # only the owner of the form, which lives in the zones
        self._models: dict[str, ModelInfo] = {info.id: info for info in models}
        self.form: RequestForm[TokensRequest] = RequestForm(
            TokensRequest,
            zones,
            providers={
                "models": lambda: [(i.id, i.title) for i in self._models.values()],
                "schedulers": lambda: scheduler_choices(None),  # those of the model follow with it
            },
        )
        zones.add_control(self.form)
        self.form.changed.connect(self._edited)
        self.form.submitted.connect(self.submitted)
        self.form.prompt_field().set_history(list(EXAMPLES))
        self._edited()

    def set_models(self, models: Sequence[ModelInfo]) -> None:
        """Offer these models; the first is chosen when the one chosen is none of them."""
        self._models = {info.id: info for info in models}
        self.form.refresh_choices()
        if self._models and self.model is None:
            self.form.set_fields({"model": next(iter(self._models)), "model_sha256": ""})
        self._edited()

    @property
    def model(self) -> ModelInfo | None:
        """The chosen model, None when it is not among those offered."""
        return self._models.get(str(self.form.field("model").value()))

    @property
    def seed(self) -> SeedField:
        """The seed's editor, which also knows whether the seed is kept."""
        field = self.form.field("seed")
        assert isinstance(field, SeedField)
        return field

    def _edited(self) -> None:
        prompt, info = self.form.prompt_field(), self.model
        request = self.form.valid_value()
        if info is not None and request is not None and request.public != (info.kind == EXTERNAL):
            self.form.set_fields({"public": not request.public})
            return  # edited again by that
        self.form.set_choices("scheduler", scheduler_choices(info))
        prompt.set_suggestions([word for word in (*info.words, *info.phrases) if len(word) > 1] if info else [])
        prompt.set_note(note(prompt.value(), info))
        self.changed.emit()


def note(prompt: str, info: ModelInfo | None) -> str:
    """A sentence on how the model takes a prompt; empty where its words are not listed."""
    if info is not None and not info.prompted:
        return f"{info.title} draws without a prompt, so there are no words to follow."
    if not prompt.strip():
        return "Empty prompt: all text positions are padding, and only that can be looked at."
    if info is None or not info.words:
        return ""
    tokenizer = WordTokenizer(info.words, info.phrases)
    unknown, left = tokenizer.unknown(prompt), tokenizer.overflow(prompt, info.length) if info.length else 0
    if unknown:
        return f"{info.title} does not know {quoted(unknown)}: left out."
    return f"{info.title} reads {info.length} words: the last {left} are left out." if left else ""
