"""Every window test starts in the light theme at 100 %; what it may leave behind is checked in tests/conftest.py."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QApplication

from studio.ui.theme import theme


@pytest.fixture(autouse=True)
def light_theme(qapp: QApplication) -> None:
    theme().apply("light", 1.0)
