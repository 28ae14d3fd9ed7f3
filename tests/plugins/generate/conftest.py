"""Tiny random models in place of the bundled ones, and a room of Generate panels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.plugins.panel_room import PanelRoom
from tests.plugins.tiny_models import (
    CLASSIFIER, CLIP, TINY, UPSAMPLER, write_tiny_classifier, write_tiny_clip, write_tiny_model,
)  # fmt: skip


@pytest.fixture(scope="session")
def models_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models as `resources/models` is one: the tiny model, its companions, and one of another kind."""
    root = tmp_path_factory.mktemp("models")
    write_tiny_model(root / TINY)
    write_tiny_model(root / UPSAMPLER, seed=3, size=64, kind="upsample")
    write_tiny_clip(root / CLIP)
    write_tiny_classifier(root / CLASSIFIER)
    (root / "oracle").mkdir()
    (root / "oracle" / "config.json").write_text('{"kind": "oracle"}')
    return root


@pytest.fixture
def bundled(models_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The tiny model takes the place of the bundled ones."""
    from studio.models import catalog

    monkeypatch.setattr(catalog, "bundled_folder", lambda: models_folder)
    yield models_folder


class GenerateRoom(PanelRoom):
    """Generate panels that draw with the tiny model."""

    def __call__(self, state: Any = None, prompt: str = "a cat left of a dog", steps: int = 4) -> Any:
        panel = self.build()
        if state is None:
            panel.controls.form.set_fields({"model": TINY, "prompt": prompt, "steps": steps, "seed": 5})
        else:
            panel.restore(state)
        return self.show(panel)


@pytest.fixture
def desk_room(qtbot, tmp_path, bundled):
    from studio_plugins.generate.panel import GeneratePanel

    with GenerateRoom("generate", GeneratePanel, tmp_path, qtbot) as room:
        yield room
