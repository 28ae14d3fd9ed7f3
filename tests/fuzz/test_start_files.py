"""Any session.json and settings.toml at the start of the real window: it opens, says what it left out, and closes."""

from __future__ import annotations

import json
import shutil
import tomllib
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytestqt.qtbot import QtBot

from studio.host.session import SessionStore
from tests.e2e.helpers import close
from tests.fuzz.test_requests import anything, fields_of
from studio_plugins.generate.request import GenerateRequest

STATES = st.fixed_dictionaries(
    {},
    optional={
        "request": fields_of([*GenerateRequest.model_fields]) | anything,
        **dict.fromkeys(("keep_seed", "sweep", "layout", "result", "path", "tensor", "view", "colours", "recent"), anything),
    },
)
PANELS = st.fixed_dictionaries(
    {"panel": st.sampled_from(["generate", "inspector", "gone"]) | anything}, optional={"state": STATES | anything, "name": anything}
)
sessions = st.one_of(
    st.fixed_dictionaries(
        {"version": st.just(1)},
        optional={
            "panels": st.lists(PANELS, max_size=3) | anything, "active": st.sampled_from(["generate", "gone"]) | anything,
            "window": st.dictionaries(st.sampled_from(["geometry", "state"]), anything | st.binary(max_size=40).map(str)) | anything,
        },
    ).map(lambda data: json.dumps(data).encode()),
    st.binary(max_size=100),
)  # fmt: skip
KEYS = [
    "appearance.theme", "appearance.font_scale", "engine.device", "engine.threads", "engine.cache_gib", "panels.disabled",
    "panels.user_plugins_enabled", "general.restore_session", "general.check_previous_crash", "export.jpeg_quality",
]  # fmt: skip
VALUES = ['""', '"dark"', "0", "-1", "1e99", "nan", "inf", "true", "[]", '["generate"]', "{}", "2026-01-01", '"\\u0000"', '"x"', "9" * 30]
settings_files = st.one_of(
    st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(VALUES)), max_size=4).map(
        lambda pairs: "\n".join(f"{key} = {value}" for key, value in dict(pairs).items()).encode()
    ),
    st.binary(max_size=60),
)


def test_any_files_of_last_time_open_a_window(open_studio: Any, qtbot: QtBot, tmp_path: Path) -> None:
    @given(session=sessions, kept=settings_files)
    @settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
    def starts(session: bytes, kept: bytes) -> None:
        data = tmp_path / "data"
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir()
        (data / "session.json").write_bytes(session)
        (data / "settings.toml").write_bytes(kept)
        studio = open_studio(data)
        faults = [note for note in studio.notifications.items() if "Something went wrong" in note.text or "fault" in note.text]
        assert studio.window.isVisible() and not faults, faults
        for name in studio.window.panels.open_ids():
            assert studio.window.panels.panel(name) is not None
        studio.window.set_theme("dark")
        assert tomllib.loads((data / "settings.toml").read_text(encoding="utf-8"))["appearance"]["theme"] == "dark"
        close(studio)
        again = SessionStore(data / "session.json")
        assert again.load() is not None and again.notes == []

    starts()
