"""Model folders of each architecture, made once a run, and what to ask their models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from transformers.utils import logging

from studio.ml.attention.opening import open_folder
from studio.ml.attention.subject import Subject
from studio.ml.attention.values import Asked
from tests.ml.attention import folders

Opened = Callable[[str], Subject]


@pytest.fixture(scope="session", autouse=True)
def quiet() -> Iterator[None]:
    """No bars and no advice while models are saved."""
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    yield
    logging.set_verbosity_warning()


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Name of an architecture -> its folder."""
    made: dict[str, Path] = {}

    def folder(name: str) -> Path:
        if name not in made:
            made[name] = folders.save(name, tmp_path_factory.mktemp(name))
        return made[name]

    return folder


@pytest.fixture(scope="session")
def opened(saved: Callable[[str], Path]) -> Opened:
    """Name of an architecture -> its model, opened from its folder."""
    models: dict[str, Subject] = {}

    def subject(name: str) -> Subject:
        if name not in models:
            models[name] = open_folder(saved(name))
        return models[name]

    return subject


def asked(name: str) -> Asked:
    """Something for every architecture to read."""
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    if name in folders.TEXTS:
        return Asked(text=folders.TEXT.replace("red", "[MASK]") if name in folders.FILLS else folders.TEXT)
    if name in folders.BOTH:
        return Asked(text=folders.TEXT, target="the dog sat")
    if name in folders.PICTURES:
        return Asked(picture=picture)
    if name in folders.PAIRS:
        return Asked(picture=picture, captions=("the cat", "the red dog sat on the mat"))
    return Asked(sound=rng.standard_normal(16000).astype(np.float32), target="the dog sat")
