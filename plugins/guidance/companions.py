"""Which networks there are to guide with, and why a column cannot be drawn without one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from studio.models.catalog import ModelInfo
from studio.models.guiding import first_class
from studio.models.shelf import Shelf
from studio_plugins.guidance.request import Guidance, GuidanceRequest


class Companions:
    """The CLIPs and classifiers on this machine: bundled, imported, opened, and those in the panel's `folder`."""

    def __init__(self, folder: Path) -> None:
        self._clips, self._classifiers = (Shelf(folder, kinds=(kind,)) for kind in ("clip", "classifier"))

    @property
    def clips(self) -> list[ModelInfo]:
        return self._clips.models

    @property
    def classifiers(self) -> list[ModelInfo]:
        return self._classifiers.models

    def look(self) -> None:
        """Find them anew."""
        self._clips.look()
        self._classifiers.look()

    def classes(self, request: GuidanceRequest) -> tuple[str, ...]:
        """What the chosen classifier tells apart."""
        info = _named(self.classifiers, request.classifier_model)
        return () if info is None else info.classes

    def automatic_class(self, request: GuidanceRequest) -> str | None:
        """The first thing in the prompt that the chosen classifier knows."""
        return first_class(request.prompt, self.classes(request))

    def missing(self, guidance: Guidance, request: GuidanceRequest, model: ModelInfo | None) -> str:
        """Why this guidance cannot act, in a few words; "" when it can."""
        if guidance.needs_clip:
            problem = _problem("CLIP", self.clips, request.clip_model, model)
            if problem:
                return problem
        if guidance.classifier:
            problem = _problem("classifier", self.classifiers, request.classifier_model, model)
            if problem:
                return problem
            if not guidance.classifier_class and self.automatic_class(request) is None:
                return "the prompt names no class: choose one"
            if guidance.classifier_class and guidance.classifier_class not in self.classes(request):
                return f"the classifier has no class “{guidance.classifier_class}”"
        if guidance.free and model is not None and model.kind != "text2im":
            return "only a model of text can be guided so"
        return ""


def _named(infos: Sequence[ModelInfo], name: str) -> ModelInfo | None:
    return next((info for info in infos if info.id == name), None)


def _problem(kind: str, infos: Sequence[ModelInfo], name: str, model: ModelInfo | None) -> str:
    info = _named(infos, name)
    if info is None:
        return f"there is no {kind} “{name}” here" if name else f"there is no {kind} here"
    if model is not None and info.size != model.size:
        return f"{info.title} sees {info.size}×{info.size} pixels, the model draws {model.size}×{model.size}"
    return ""
