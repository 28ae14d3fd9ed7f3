"""The left column: what to draw into the selection, and how."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from studio.host.request import RequestError
from studio.models.catalog import EXTERNAL, ModelInfo, find_models
from studio.models.external import scheduler_choices
from studio.ui.form import RequestForm
from studio.ui.panel_layout import PanelLayout
from studio.ui.text_fields import SeedField
from studio_plugins.inpaint.choices import MODELS, OFF
from studio_plugins.inpaint.request import DIGEST_OF, PIXELS_OF, InpaintRequest

_FACTOR = 4  # an up-sampler's pictures are that many times as wide as those it is given


class Controls(QWidget):
    """Builds the form into a PanelLayout. Signals: `changed` at every edit, `submitted` on Ctrl+Enter."""

    changed = Signal()
    submitted = Signal()

    def __init__(self, zones: PanelLayout) -> None:
        super().__init__(zones)
        self.hide()  # only the owner of the form, which lives in the zones
        self._models: dict[str, ModelInfo] = {}
        self._chosen = ""
        self._upsamplers: list[ModelInfo] = []
        self.look()
        self.form: RequestForm[InpaintRequest] = RequestForm(
            InpaintRequest,
            zones,
            providers={
                "models": lambda: [(info.id, info.title) for info in self._models.values()],
                "upsamplers": lambda: [(OFF, "Off"), *((info.id, info.title) for info in self._upsamplers)],
                "schedulers": self._schedulers,
            },
        )
        zones.add_control(self.form)
        self.form.changed.connect(self._edited)
        self.form.submitted.connect(self.submitted)

    def look(self) -> list[str]:
        """Find anew which models there are; returns a sentence for each that cannot be used."""
        found, problems = find_models(kinds=(*MODELS, "upsample", EXTERNAL))
        self._models = {info.id: info for info in found if info.kind in MODELS or _changes_pictures(info)}
        self._upsamplers = [info for info in found if info.kind == "upsample"]
        return problems

    @property
    def model(self) -> ModelInfo | None:
        """The chosen model, None when it is not on this machine."""
        return self._models.get(str(self.form.field("model").value()))

    @property
    def seed(self) -> SeedField:
        """The seed's editor, which also knows whether the seed is kept."""
        field = self.form.field("seed")
        assert isinstance(field, SeedField)
        return field

    @property
    def size(self) -> int:
        """Pixels of a side that the chosen model draws; 0 where that is not known before it is opened."""
        return self.model.size if self.model is not None else 0

    @property
    def native(self) -> int | None:
        """Pixels of a side that come out after the second stage, None without one."""
        upsampled = str(self.form.field("upsample").value()) != OFF
        return _FACTOR * self.size if upsampled and self.size else None

    def look_again(self) -> list[str]:
        """`look`, and offer what was found."""
        problems = self.look()
        self.form.refresh_choices()
        return problems

    def show_request(self, request: InpaintRequest) -> None:
        """Put a request into the form; its seed is then kept."""
        self.form.set_value(request)
        self.seed.set_fixed(True)

    def request(self) -> InpaintRequest:
        """What the form says, about pixels still to be named. Raises RequestError."""
        blank = dict.fromkeys((*PIXELS_OF, *PIXELS_OF.values(), *DIGEST_OF.values()), "")
        return self.form.value().replace(**blank)

    def valid_request(self) -> InpaintRequest | None:
        """As `request`; None while something in the form is not valid."""
        try:
            return self.request()
        except RequestError:
            return None

    def _edited(self) -> None:
        model = str(self.form.field("model").value())
        if model != self._chosen:
            self._chosen = model
            self.form.set_choices("scheduler", self._schedulers())
        self.changed.emit()

    def _schedulers(self) -> list[tuple[str, str]]:
        """Those that fit the chosen model; only its own where it is none of the public ones."""
        info = self._models.get(self._chosen)
        offered = scheduler_choices(info)
        return offered if info is not None and info.kind == EXTERNAL else offered[:1]


def _changes_pictures(info: ModelInfo) -> bool:
    """Whether a public model draws into pictures, or changes them."""
    return info.kind == EXTERNAL and bool({"inpaint", "image2image"} & {*info.abilities})
