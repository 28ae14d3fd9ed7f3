"""The left column: prompt, settings, sweep, and the ways to run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QMenu, QPushButton, QToolButton, QWidget

from studio.ml.diffusion.words import WordTokenizer
from studio.models.catalog import EXTERNAL, ModelInfo
from studio.models.external import scheduler_choices
from studio.ui.collapsible import Collapsible
from studio.ui.form import RequestForm
from studio.ui.panel_layout import PanelLayout
from studio.ui.text_fields import SeedField
from studio.ui.theme import theme
from studio_plugins.generate.choices import GUIDANCES, PUBLIC_GUIDANCES
from studio_plugins.generate.companions import Companions
from studio_plugins.generate.request import DIGEST_OF, GenerateRequest
from studio_plugins.generate.sweep_form import SweepForm
from studio_plugins.generate.words import examples, remark, suggestions, tokenizer_of


class Controls(QWidget):
    """Builds its parts into a PanelLayout. Signals: `changed` at every edit, `submitted` on Ctrl+Enter,
    `open_asked` when another model is wanted."""

    changed = Signal()
    submitted = Signal()
    open_asked = Signal()

    def __init__(self, zones: PanelLayout, models: Sequence[ModelInfo], own: Path) -> None:
        super().__init__(zones)
        self.hide()  # only the owner of the parts below, which live in the zones
        self._models = {info.id: info for info in models}
        self._known: WordTokenizer | None = None
        self._history: tuple[str, ...] = ()
        self._named: dict[str, tuple[str, str]] = {}
        self._classes: list[tuple[str, str]] = []
        self.companions = Companions(own)
        self.form: RequestForm[GenerateRequest] = RequestForm(
            GenerateRequest,
            zones,
            providers={
                "models": lambda: [(info.id, info.title) for info in self._models.values()],
                "clips": self.companions.clip_choices,
                "classifiers": self.companions.classifier_choices,
                "upsamplers": self.companions.upsampler_choices,
                "schedulers": lambda: scheduler_choices(None),  # those of the model follow with it
            },
        )
        self.sweep = SweepForm(zones)
        section = Collapsible("Sweep", zones, expanded=False)
        section.add(self.sweep)
        self.sweep_section = section
        zones.add_control(self.form)
        zones.add_control(section)
        self.form.changed.connect(self._edited)
        self.form.submitted.connect(self.submitted)
        self._add_open_button()
        self._model_id = ""
        self.set_models(models)

    def set_models(self, models: Sequence[ModelInfo]) -> None:
        """Offer these models; the first is chosen when the one chosen is none of them."""
        self._models = {info.id: info for info in models}
        self._known = None
        self.companions.look()
        self.form.refresh_choices()
        if self._models and self.model is None:
            self.form.set_fields({"model": next(iter(self._models))})
        self._edited()

    def choose_model(self, info: ModelInfo) -> None:
        """Choose a model; settings made with the weights of another one are no longer a replay."""
        self.form.set_fields({"model": info.id, "model_sha256": ""})

    @property
    def model(self) -> ModelInfo | None:
        """The chosen model, None when it is not on this machine."""
        return self._models.get(str(self.form.field("model").value()))

    @property
    def models(self) -> list[ModelInfo]:
        """The models offered."""
        return list(self._models.values())

    @property
    def seed(self) -> SeedField:
        """The seed's editor, which also knows whether the seed is kept."""
        field = self.form.field("seed")
        assert isinstance(field, SeedField)
        return field

    def set_history(self, prompts: Sequence[str]) -> None:
        """Earlier prompts, offered before the examples."""
        self._history = tuple(prompts)
        self._offer_prompts()

    def show_request(self, request: GenerateRequest) -> None:
        """Put a request into the form; its seed is then kept."""
        self.form.set_value(request)

    def prompt(self) -> str:
        return self.form.prompt_field().value()

    def _add_open_button(self) -> None:
        field = self.form.field("model")
        button = QPushButton("Open a model…", field)
        button.setProperty("role", "link")
        button.setToolTip("Draw with a public model, a released GLIDE checkpoint or a model of your own")
        button.clicked.connect(self.open_asked)
        layout = field.layout()
        assert layout is not None
        layout.addWidget(button)
        layout.setAlignment(button, Qt.AlignmentFlag.AlignLeft)

    def _offer_prompts(self) -> None:
        offered = examples(self.model) if self.model else []
        self.form.prompt_field().set_history(list(dict.fromkeys([*self._history, *offered])))

    def _edited(self) -> None:
        info = self.model
        if (info.id if info else "") != self._model_id or self._known is None:
            self._model_id = info.id if info else ""
            self._known = tokenizer_of(info) if info else None
            for name in ("prompt", "negative_prompt"):
                self.form.prompt_field(name).set_suggestions(suggestions(info) if info else [])
            self._offer_prompts()
            self._offer_choices(info)
        request = self.form.valid_value()
        if request is not None and (self._forget_digests(request) or self._fit_to(info, request)):
            return  # edited again by that
        self._remark(info)
        if request is not None:
            self._show_companions(request, info)
        self.changed.emit()

    def _offer_choices(self, info: ModelInfo | None) -> None:
        """The schedulers and guidances that the model knows."""
        known = PUBLIC_GUIDANCES if info is not None and info.kind == EXTERNAL else tuple(GUIDANCES)
        self.form.set_choices("scheduler", scheduler_choices(info))
        self.form.set_choices("guidance", [(kind, GUIDANCES[kind]) for kind in known])

    def _fit_to(self, info: ModelInfo | None, request: GenerateRequest) -> bool:
        """Note in the form whether a public model draws, and leave out guidance that it does not know."""
        if info is None or request.public == (info.kind == EXTERNAL):
            return False
        fields: dict[str, object] = {"public": not request.public}
        if not request.public and request.guidance not in PUBLIC_GUIDANCES:
            fields["guidance"] = PUBLIC_GUIDANCES[0]
        self.form.set_fields(fields)
        self._offer_choices(info)
        return True

    def _remark(self, info: ModelInfo | None) -> None:
        """What the model will not take in of the prompts."""
        prompt, negative = self.form.prompt_field(), self.form.prompt_field("negative_prompt")
        typing = prompt.focus_widget().hasFocus()
        prompt.set_note("" if prompt.idle_reason() else remark(self.prompt(), info, self._known, typing=typing))
        known = self._known if negative.value().strip() and not negative.idle_reason() else None
        typing = negative.focus_widget().hasFocus()
        negative.set_note("" if known is None else remark(negative.value(), info, known, typing=typing))

    def _show_companions(self, request: GenerateRequest, info: ModelInfo | None) -> None:
        """The classes to choose from, and which network is not there or does not fit."""
        classes = self.companions.class_choices(request)
        if classes != self._classes:
            self._classes = classes
            self.form.set_choices("classifier_class", classes)
        self.form.field("guidance").set_note(self.companions.guidance_problem(request, info))
        self.form.field("upsample").set_note(self.companions.upsampling_problem(request, info))

    def _forget_digests(self, request: GenerateRequest) -> bool:
        """Settings made with the weights of another model are no longer a replay once another one is chosen by hand."""
        named = {name: (getattr(request, name), getattr(request, digest)) for name, digest in DIGEST_OF.items()}
        before, self._named = self._named, named
        stale = [
            DIGEST_OF[name]
            for name, (model, digest) in named.items()
            if digest and name in before and before[name][1] == digest and before[name][0] != model
        ]
        if stale:
            self.form.set_fields(dict.fromkeys(stale, ""))
        return bool(stale)


class RunBar(QWidget):
    """The row below the primary button: other ways to queue, Live, Cancel."""

    live_toggled = Signal(bool)
    cancelled = Signal()

    def __init__(self, actions: Sequence[tuple[str, str, Callable[[], object]]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._menu = QMenu(self)
        for text, tip, callback in actions:
            action = self._menu.addAction(text)
            action.setToolTip(tip)
            action.triggered.connect(lambda _checked=False, call=callback: call())
        self._menu.setToolTipsVisible(True)
        more = QToolButton(self)
        more.setText("Queue")
        more.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        more.setMenu(self._menu)
        more.setToolTip("Other ways to run: at the front of the queue, instead of what runs now")
        more.setAccessibleName("Queue options")
        self._more = more
        self.live = QToolButton(self)
        self.live.setText("Live")
        self.live.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.live.setCheckable(True)
        self.live.setToolTip("Draw again with every change. Live pictures are kept only when you ask")
        self.live.setAccessibleName("Live mode")
        self.live.toggled.connect(self.live_toggled)
        self.cancel = QToolButton(self)
        self.cancel.setText("Cancel")
        self.cancel.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.cancel.setToolTip("Cancel what is being drawn (Esc)")
        self.cancel.setEnabled(False)
        self.cancel.clicked.connect(self.cancelled)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(more)
        row.addWidget(self.live)
        row.addStretch(1)
        row.addWidget(self.cancel)
        theme().changed.connect(self._paint_icons)
        self._paint_icons()

    def set_busy(self, running: int, waiting: int) -> None:
        """Show whether something runs, and how many wait."""
        self.cancel.setEnabled(bool(running or waiting))
        self._more.setText(f"Queue ({waiting})" if waiting else "Queue")

    def _paint_icons(self) -> None:
        self._more.setIcon(theme().icon("queue", "muted"))
        self.live.setIcon(theme().icon("sparkle", "muted"))
        self.cancel.setIcon(theme().icon("stop", "error"))
