"""The command registry and its fuzzy search."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.host.commands import Command, CommandError, CommandRegistry, fuzzy_score


@pytest.fixture
def registry() -> CommandRegistry:
    registry = CommandRegistry()
    for command_id, title, category, shortcut in (
        ("file.open", "Open picture…", "File", "Ctrl+O"),
        ("file.export", "Export…", "File", "Ctrl+E"),
        ("view.theme.dark", "Use dark theme", "View", ""),
        ("view.theme.light", "Use light theme", "View", ""),
        ("panel.generate", "Open Generate", "Panels", ""),
    ):
        registry.register(Command(command_id, title, lambda c=command_id: c, shortcut, category))  # type: ignore[misc]
    return registry


def test_run_and_refuse(registry: CommandRegistry) -> None:
    assert registry.run("file.open") == "file.open" and "file.open" in registry and len(registry) == 5
    with pytest.raises(CommandError, match="no command “x”"):
        registry.run("x")
    allowed: list[bool] = []
    registry.register(Command("a.b", "Sometimes", lambda: 1, enabled=lambda: bool(allowed)))
    with pytest.raises(CommandError, match="“Sometimes” is not possible now"):
        registry.run("a.b")
    allowed.append(True)
    assert registry.run("a.b") == 1


def test_ids_and_shortcuts_are_unique(registry: CommandRegistry) -> None:
    with pytest.raises(CommandError, match="already a command"):
        registry.register(Command("file.open", "Again", int))
    with pytest.raises(CommandError, match="belongs to “Open picture…”"):
        registry.register(Command("other", "Other", int, "ctrl + o"))
    for bad in (Command("", "x", int), Command("x", " ", int)):
        with pytest.raises(CommandError, match="needs an id and a title"):
            registry.register(bad)
    assert registry.by_shortcut("CTRL+E") is registry.get("file.export") and registry.by_shortcut("F1") is None


def test_unregister_tells_listeners(registry: CommandRegistry) -> None:
    told: list[int] = []
    stop = registry.on_change(lambda: told.append(len(registry)))
    registry.unregister("file.open")
    registry.unregister("file.open")
    registry.unregister_prefix("view.")
    assert told == [4, 3, 2] and [c.id for c in registry] == ["file.export", "panel.generate"]
    stop()
    stop()
    registry.register(Command("file.open", "Open", int, "Ctrl+O"))
    assert len(told) == 3


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("dark", "view.theme.dark"), ("gen", "panel.generate"), ("export", "file.export"), ("ult", "view.theme.light"),
        ("theme light", "view.theme.light"), ("open", "file.open"), ("DARK view", "view.theme.dark"),
    ],
)  # fmt: skip
def test_search_finds_what_is_meant(registry: CommandRegistry, text: str, first: str) -> None:
    assert registry.search(text)[0].id == first


def test_search_order_and_limits(registry: CommandRegistry) -> None:
    assert registry.search("zzz") == [] and len(registry.search()) == 5 and len(registry.search(limit=2)) == 2
    registry.run("view.theme.light")
    registry.run("file.export")
    assert [c.id for c in registry.search()][:2] == ["file.export", "view.theme.light"]
    assert registry.search("theme")[0].id == "view.theme.light"


@given(st.text(max_size=20), st.text(max_size=40))
def test_score_of_anything(query: str, text: str) -> None:
    score = fuzzy_score(query, text)
    assert (score is not None) if not query.split() else True
    if text.split():
        assert fuzzy_score(text, text) is not None
