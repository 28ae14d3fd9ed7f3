"""The command line as a person uses it: what it prints, where, and with which exit code."""

from __future__ import annotations

import io
import json
import sys
import types
from pathlib import Path

import pytest

import studio
from studio.__main__ import main
from studio.cli import OWN_PARSER, bench, window
from studio.cli.bar import Bar, duration
from studio.cli.errors import CommandError
from studio.cli.models import bundled, summary_of
from studio.cli.parser import build_parser

Capture = pytest.CaptureFixture[str]


def test_version(capsys: Capture) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"Glassbox Studio {studio.__version__}\n"


def test_help_names_every_command(capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = capsys.readouterr().out
    for command in ("run", "train", "evaluate", "bench", "screenshots", "models", "new-plugin", "--data-dir", "--safe", "--theme"):
        assert command in shown


@pytest.mark.parametrize("arguments", [["jump"], ["run"], ["--theme", "pink"], ["models", "--nonsense"]])
def test_misuse_is_exit_code_2(arguments: list[str], capsys: Capture) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert "usage: glassbox" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["train", "evaluate", "bench"])
def test_commands_with_their_own_options_get_all_of_them(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[list[str]] = []

    def run(arguments: list[str]) -> int:
        got.append(arguments)
        return 7

    module = types.ModuleType(OWN_PARSER[command])
    monkeypatch.setattr(module, "main", run, raising=False)
    monkeypatch.setitem(sys.modules, OWN_PARSER[command], module)
    assert main([command, "emoji-base", "--help", "--steps=3"]) == 7
    assert got == [["emoji-base", "--help", "--steps=3"]]


@pytest.mark.parametrize("command", sorted(OWN_PARSER))
def test_commands_with_their_own_options_exist(command: str) -> None:
    from studio.cli import own_parser

    assert callable(own_parser(command))


def test_a_missing_part_of_a_command_is_named(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setitem(OWN_PARSER, "train", "studio.ml.no_such_module")
    assert main(["train", "x"]) == 1
    assert "install Glassbox Studio again" in capsys.readouterr().err


def test_interruption_is_exit_code_130(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    def interrupted(options: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("studio.cli.models.main", interrupted)
    assert main(["models"]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_no_screen_is_said_before_qt_aborts(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    for name in ("QT_QPA_PLATFORM", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(window.sys, "platform", "linux")
    assert main([]) == 1
    assert "there is no screen here" in capsys.readouterr().err
    monkeypatch.setenv("DISPLAY", ":0")
    window.check_display()


def test_the_window_gets_its_options(monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[dict[str, object]] = []
    app = types.ModuleType("studio.app")
    monkeypatch.setattr(app, "main", lambda **options: got.append(options) or 0, raising=False)
    monkeypatch.setitem(sys.modules, "studio.app", app)
    assert main([]) == 0
    assert main(["--data-dir", "/some/where", "--safe", "--theme", "dark"]) == 0
    assert got == [
        {"data_dir": None, "safe": False, "theme": None},
        {"data_dir": Path("/some/where"), "safe": True, "theme": "dark"},
    ]


@pytest.mark.parametrize("arguments", [["--data-dir", "here", "run", "a.json"], ["run", "a.json", "--data-dir", "here"]])
def test_the_data_folder_counts_before_and_after_the_command(arguments: list[str]) -> None:
    assert build_parser().parse_args(arguments).data_dir == Path("here")
    assert build_parser().parse_args(["run", "a.json"]).data_dir is None


def test_bench_outside_a_checkout_says_where_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(studio, "__file__", str(tmp_path / "studio" / "__init__.py"))
    with pytest.raises(CommandError, match="part of the source checkout"):
        bench.checkout()


def model_folder(root: Path, name: str = "tiny") -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}", encoding="utf-8")
    (folder / "model.safetensors").write_bytes(b"abc")
    (folder / "MODEL_CARD.md").write_text("# Tiny\n\nDraws  nothing\nat all.\n\nMore.\n", encoding="utf-8")
    return folder


def test_models_are_listed_with_their_digests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    model_folder(tmp_path)
    (tmp_path / "not-a-model").mkdir()
    (model,) = bundled(tmp_path)
    assert model.bytes == 3
    assert model.sha256 == {"model.safetensors": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}
    assert model.summary == "Draws nothing at all."
    monkeypatch.setattr("studio.cli.models.resource", lambda name: tmp_path)
    assert main(["models"]) == 0
    assert "Draws nothing at all." in capsys.readouterr().out
    assert main(["models", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["name"] == "tiny"


@pytest.mark.parametrize(
    ("card", "summary"),
    [("", ""), ("# Only a title\n", ""), ("---\nlicense: mit\n---\n\n# T\n\nText.", "Text."), ("Text at once.\n\nMore", "Text at once.")],
)
def test_the_summary_is_the_first_paragraph(card: str, summary: str) -> None:
    assert summary_of(card) == summary


def test_new_plugin_is_found_by_discovery(tmp_path: Path, capsys: Capture) -> None:
    from studio.host.discovery import discover

    assert main(["new-plugin", "My Panel", "--data-dir", str(tmp_path)]) == 0
    assert str(tmp_path / "plugins") in capsys.readouterr().out
    (found,) = [item for item in discover(tmp_path / "plugins", enabled=True) if item.source == "user"]
    assert found.usable, found.error


def test_new_plugin_overwrites_nothing(tmp_path: Path, capsys: Capture) -> None:
    assert main(["new-plugin", "My Panel", str(tmp_path)]) == 0
    assert main(["new-plugin", "My Panel", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("glassbox: ")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_bar_says_what_how_far_and_how_long() -> None:
    terminal = Terminal()
    bar = Bar(terminal)
    bar.draw(1, 4, "step 1 of 4", eta=125)
    line = terminal.getvalue()
    assert "25%" in line and "step 1 of 4" in line and "2:05 to go" in line
    bar.clear()
    assert terminal.getvalue().endswith("\r")


def test_the_bar_is_silent_in_a_pipe_and_survives_odd_totals() -> None:
    pipe = io.StringIO()
    Bar(pipe).draw(1, 4)
    assert pipe.getvalue() == ""
    terminal = Terminal()
    for done, total in ((0, 0), (5, 4), (-1, 4)):
        Bar(terminal).draw(done, total)
    assert "100%" in terminal.getvalue()


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0 s"), (59, "59 s"), (61, "1:01"), (3723, "1:02:03"), (-3, "0 s")])
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
