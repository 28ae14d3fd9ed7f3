"""Which networks there are beside those that draw: to guide with and to enlarge with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from studio.models.catalog import ModelInfo, find_models
from studio.models.guiding import first_class
from studio_plugins.generate.choices import OFF
from studio_plugins.generate.request import GenerateRequest

_TIMES = 4  # an up-sampler's pictures are that many times as wide as those it is given


class Companions:
    """CLIPs, classifiers and up-samplers on this machine: bundled and imported ones, and those in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._found: list[ModelInfo] = []

    def look(self) -> None:
        """Find them anew."""
        self._found, _ = find_models([self._folder], kinds=("clip", "classifier", "upsample"))

    def clip_choices(self) -> list[tuple[str, str]]:
        """(name, label) of each."""
        return [(info.id, info.title) for info in self._of("clip")]

    def classifier_choices(self) -> list[tuple[str, str]]:
        """(name, label) of each."""
        return [(info.id, info.title) for info in self._of("classifier")]

    def upsampler_choices(self) -> list[tuple[str, str]]:
        """(name, label) of none and of each."""
        found = [(info.id, f"{info.size}×{info.size} with {info.title}") for info in self._of("upsample")]
        return [(OFF, "Off"), *found]

    def class_choices(self, request: GenerateRequest) -> list[tuple[str, str]]:
        """(class, label) of what the chosen classifier tells apart, after the automatic choice for the prompt."""
        classes = self._classes(request)
        first = first_class(request.condition, classes)
        return [("", f"Automatic: {first}" if first else "Automatic"), *((name, name) for name in classes)]

    def guidance_problem(self, request: GenerateRequest, model: ModelInfo | None) -> str:
        """Why the guidance chosen cannot act, in a sentence; empty when it can."""
        if {"clip", "clip-x0"} & {*request.kinds}:
            problem = self._problem("clip", "CLIP", request.clip_model, model)
            if problem:
                return problem
        if "classifier" in request.kinds:
            problem = self._problem("classifier", "classifier", request.classifier_model, model)
            if problem:
                return problem
            if not request.classifier_class and first_class(request.condition, self._classes(request)) is None:
                return "The prompt names nothing the classifier knows: choose a class."
        return ""

    def upsampling_problem(self, request: GenerateRequest, model: ModelInfo | None) -> str:
        """Why the pictures cannot be enlarged, in a sentence; empty when they can, or need not be."""
        if not request.upsampled:
            return ""
        info = self._named("upsample", request.upsample)
        if info is None:
            return f"There is no up-sampler “{request.upsample}” on this machine."
        if model is not None and info.size != _TIMES * model.size:
            small = info.size // _TIMES
            return f"It enlarges {small}×{small}, and {model.title} draws {model.size}×{model.size}."
        return ""

    def _classes(self, request: GenerateRequest) -> Sequence[str]:
        info = self._named("classifier", request.classifier_model)
        return () if info is None else info.classes

    def _of(self, kind: str) -> list[ModelInfo]:
        return [info for info in self._found if info.kind == kind]

    def _named(self, kind: str, name: str) -> ModelInfo | None:
        return next((info for info in self._of(kind) if info.id == name), None)

    def _problem(self, kind: str, title: str, name: str, model: ModelInfo | None) -> str:
        info = self._named(kind, name)
        if info is None:
            return f"There is no {title} “{name}” on this machine. Another one can be chosen under Advanced."
        if model is not None and info.size != model.size:
            return f"{info.title} knows {info.size}×{info.size}, and {model.title} draws {model.size}×{model.size}."
        return ""
