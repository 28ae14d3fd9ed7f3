"""Settings: atomic TOML, and any garbage only resets what is bad."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.host import atomic
from studio.host.atomic import FileUnwritable
from studio.host.request import form_spec
from studio.host.settings import Settings, SettingsStore, SettingError, dump, parse


@pytest.fixture
def store(tmp_path: Path) -> SettingsStore:
    return SettingsStore(tmp_path / "data" / "settings.toml")


def test_defaults_without_a_file(store: SettingsStore) -> None:
    assert store.load() == Settings() == store.value and store.notes == []
    assert not store.path.exists() and store.value.panels.user_plugins_enabled is False


def test_update_saves_and_tells(store: SettingsStore) -> None:
    heard: list[Settings] = []
    stop = store.on_change(heard.append)
    store.update("appearance.theme", "dark")
    store.update("panels.disabled", ["a", "b"])
    store.update("appearance.theme", "dark")
    assert [s.appearance.theme for s in heard] == ["dark", "dark"] and heard[-1].panels.disabled == ("a", "b")
    stop()
    stop()
    store.update("engine.threads", 3)
    assert len(heard) == 2
    again = SettingsStore(store.path)
    assert again.load() == store.value and again.notes == []
    assert tomllib.loads(store.path.read_text())["engine"]["threads"] == 3


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("appearance.theme", "pink", "'light', 'dark' or 'system'"),
        ("appearance.font_scale", 99, "largest allowed is 2.5"),
        ("engine.threads", -1, "smallest allowed is 0"),
        ("engine.nothing", 1, "no setting"),
        ("nothing.at_all", 1, "no setting"),
        ("appearance", "x", "no setting"),
        ("", 1, "no setting"),
        ("model_fields.x", 1, "no setting"),
    ],
)
def test_bad_updates_say_what_is_possible(store: SettingsStore, key: str, value: object, words: str) -> None:
    with pytest.raises(SettingError, match=words):
        store.update(key, value)
    assert store.value == Settings() and not store.path.exists()


def test_bad_keys_are_reset_one_by_one(store: SettingsStore) -> None:
    store.path.parent.mkdir()
    text = (
        'odd = 3\n[appearance]\ntheme = "pink"\nfont_scale = 1.5\n'
        '[engine]\ndevice = "cuda"\nthreads = "many"\nturbo = true\n'
        "[panels]\nuser_plugins_enabled = true\ndisabled = [1]\n[future]\nx = 1\n"
    )
    store.path.write_text(text)
    value = store.load()
    assert value.appearance.theme == "system" and value.appearance.font_scale == 1.5
    assert value.engine.device == "cuda" and value.engine.threads == 0
    assert value.panels.user_plugins_enabled and value.panels.disabled == ()
    notes = "\n".join(store.notes)
    for name in ("“odd”", "“appearance.theme”", "“engine.threads”", "“engine.turbo”", "“panels.disabled”", "“future”"):
        assert name in notes
    assert len(store.notes) == 7 and "settings.toml.bak" in store.notes[-1]
    assert store.path.with_name("settings.toml.bak").read_text() == text
    assert store.load() == value and store.notes == []
    store.path.write_text("[[[")
    store.load()
    assert store.path.with_name("settings.toml.bak1").read_text() == "[[["
    assert store.path.with_name("settings.toml.bak").read_text() == text


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"\xff\xfe", b"[" * 5000, b"x = " + b"[" * 9000, b"appearance = 3", b"x = 1" + b"0" * 5000,
        b"a" * (1 << 21), b"\xef\xbb\xbf",
    ],
    ids=range(8),
)  # fmt: skip
def test_garbage_means_defaults(raw: bytes) -> None:
    value, notes = parse(raw)
    assert value == Settings() and bool(notes) == (raw not in (b"", b"\xef\xbb\xbf"))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200) | st.text(alphabet='[]="\n.\'#abcehlmnoprt_1 ', max_size=80).map(str.encode))
def test_any_bytes_give_settings(raw: bytes) -> None:
    value, notes = parse(raw)
    assert isinstance(value, Settings) and all(notes)


VALUES = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(max_size=8) | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
SECTIONS = {name: list(type(section).model_fields) for name, section in Settings()}
KEYS = sorted({key for keys in SECTIONS.values() for key in keys})


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.sampled_from(sorted(SECTIONS)) | st.text(max_size=4),
        st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4) | VALUES,
        max_size=5,
    )
)
def test_any_toml_gives_settings_that_survive(data: dict[str, object]) -> None:
    value, _ = parse(tomli_w.dumps(data).encode("utf-8", "replace"))
    again, notes = parse(dump(value))
    assert again == value and notes == []


def test_a_failed_save_keeps_the_old_file(store: SettingsStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.update("appearance.theme", "dark")
    before = store.path.read_bytes()

    def refuse(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic.os, "fsync", refuse)
    with pytest.raises(FileUnwritable, match="disk is full"):
        store.update("appearance.theme", "light")
    assert store.path.read_bytes() == before and store.value.appearance.theme == "light"
    store.path.write_bytes(b"bad = 1")
    store.load()
    assert "full" in store.notes[-1] and store.path.read_bytes() == b"bad = 1"


def test_unreadable_file(store: SettingsStore) -> None:
    store.path.mkdir(parents=True)
    assert store.load() == Settings() and "could not be read" in store.notes[0]


def test_every_setting_has_words_for_the_settings_page() -> None:
    for info in Settings.model_fields.values():
        assert info.annotation is not None
        for field in form_spec(info.annotation):
            assert field.title and field.help and field.kind != "other", field.name
