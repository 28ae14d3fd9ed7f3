"""The fixtures of the end-to-end tests: what is thrown at the studio here arrives at a real window."""

from __future__ import annotations

from tests.e2e.conftest import models, open_studio, tiny_models

__all__ = ["models", "open_studio", "tiny_models"]
