"""Tiny random models in place of the bundled ones, a picture to change and a store to keep it in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.plugins.tiny_models import CLIP, TINY, UPSAMPLER, write_tiny_clip, write_tiny_model

INPAINT = "tiny-inpaint"
ANOTHER = "tiny-inpaint-2"


@pytest.fixture(scope="session")
def inpaint_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models as `resources/models` is one."""
    root = tmp_path_factory.mktemp("inpaint-models")
    write_tiny_model(root / INPAINT, kind="inpaint")
    write_tiny_model(root / ANOTHER, kind="inpaint", seed=9)
    write_tiny_model(root / TINY)
    write_tiny_model(root / UPSAMPLER, seed=3, size=64, kind="upsample")
    write_tiny_clip(root / CLIP)
    return root


@pytest.fixture
def tiny_bundled(inpaint_models: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The tiny networks take the place of the bundled ones."""
    from studio.models import catalog

    monkeypatch.setattr(catalog, "bundled_folder", lambda: inpaint_models)
    yield inpaint_models


@pytest.fixture
def store(tmp_path):
    from studio.host.results import ResultsStore

    store = ResultsStore(tmp_path / "results")
    yield store
    store.close()


@pytest.fixture(scope="session")
def photo():
    """A picture of 40 x 50 pixels and a selection in it."""
    picture = np.random.default_rng(1).integers(0, 256, (40, 50, 3), np.uint8)
    mask = np.zeros((40, 50), np.uint8)
    mask[12:18, 20:27] = 255
    return picture, mask


@pytest.fixture
def run(store, photo):
    """(request, job, inputs) -> (result, events), on the photo unless other pixels are given."""
    from studio.engine import JobContext, run_inline
    from studio_plugins.inpaint.inputs import InpaintInputs
    from studio_plugins.inpaint.jobs import InpaintOrder, inpaint, methods, paint

    def run(request, job=paint, inputs=None, kept=True):
        events = []
        context = JobContext(services={"results": store} if kept else {})
        asked = request if job in (inpaint, methods) else InpaintOrder(request, inputs or InpaintInputs(*photo))
        return run_inline(job, asked, context=context, on_event=events.append), events

    return run
