"""Tiny random models in place of the bundled ones, and a room of Guidance panels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.plugins.panel_room import PanelRoom
from tests.plugins.tiny_models import CLASSIFIER, CLIP, TINY, write_tiny_classifier, write_tiny_clip, write_tiny_model


@pytest.fixture(scope="session")
def guidance_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models as `resources/models` is one."""
    root = tmp_path_factory.mktemp("guidance-models")
    write_tiny_model(root / TINY)
    write_tiny_clip(root / CLIP)
    write_tiny_classifier(root / CLASSIFIER)
    return root


@pytest.fixture
def bundled(guidance_models: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The tiny networks take the place of the bundled ones."""
    from studio.models import catalog

    monkeypatch.setattr(catalog, "bundled_folder", lambda: guidance_models)
    yield guidance_models


class GuidanceRoom(PanelRoom):
    """Guidance panels that draw with the tiny models."""

    def __call__(self, state: Any = None, steps: int = 4, **fields: Any) -> Any:
        panel = self.build()
        if state is None:
            panel.controls.show_request(tiny_request(steps=steps, **fields))
        else:
            panel.restore(state)
        return self.show(panel)


@pytest.fixture
def guidance_room(qtbot, tmp_path, bundled):
    from studio_plugins.guidance.panel import GuidancePanel

    with GuidanceRoom("guidance", GuidancePanel, tmp_path, qtbot) as room:
        yield room


def tiny_request(**fields):
    """A comparison of the default columns with the tiny networks."""
    from studio_plugins.guidance.request import GuidanceRequest

    tiny = {"model": TINY, "clip_model": CLIP, "classifier_model": CLASSIFIER, "steps": 4, "seed": 5}
    return GuidanceRequest(**{**tiny, "prompt": "a cat left of a dog", **fields})
