"""Tiny pipelines, built and opened once for all tests."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from studio.ml.diffusion.external.loading import load_external
from studio.ml.diffusion.external.model import ExternalModel
from tests.ml.diffusion.external.tiny import Pipelines


@pytest.fixture(scope="session")
def pipelines(tmp_path_factory: pytest.TempPathFactory) -> Pipelines:
    """Family -> its folder; not to be changed."""
    return Pipelines(tmp_path_factory.mktemp("pipelines"))


@pytest.fixture(scope="session")
def opened(pipelines: Pipelines) -> Callable[[str], ExternalModel]:
    """Family -> its model, opened as a person would."""
    return cache(lambda family: load_external(pipelines(family)))
