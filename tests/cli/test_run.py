"""`glassbox run` with a plugin of the person's own: real discovery, real engine, real store."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.__main__ import main
from studio.host.settings import SettingsStore

Capture = pytest.CaptureFixture[str]

PLUGIN_TOML = """
id = "adder"
title = "Adder"
entry = "panel:Nothing"
[jobs]
add = "jobs:add"
[requests]
add = "jobs:AddRequest"
"""

JOBS = '''
from typing import ClassVar
from studio.engine import Log, Progress
from studio.host.request import Request

class AddRequest(Request):
    kind: ClassVar[str] = "add"
    a: int
    b: int = 1

def add(request, ctx):
    yield Progress(0, 2, "adding")
    yield Log("carrying")
    if request.a < 0:
        raise ValueError("only what is there can be added")
    files = {"sum.txt": str(request.a + request.b).encode(), "note.md": b"n"}
    record = ctx.services["results"].add("add", request, files, title="sum")
    yield Progress(2, 2)
    return record.id
'''


@pytest.fixture
def studio_dir(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "data" / "plugins" / "adder"
    folder.mkdir(parents=True)
    (folder / "plugin.toml").write_text(PLUGIN_TOML, encoding="utf-8")
    (folder / "jobs.py").write_text(JOBS, encoding="utf-8")
    settings = SettingsStore(tmp_path / "data" / "settings.toml")
    settings.load()
    settings.update("panels.user_plugins_enabled", True)
    settings.save()
    yield tmp_path / "data"


def request_file(folder: Path, **content: object) -> Path:
    path = folder / "request.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def run(studio_dir: Path, *arguments: object) -> int:
    return main(["run", *map(str, arguments), "--data-dir", str(studio_dir)])


def test_a_request_is_run_and_its_result_kept(studio_dir: Path, tmp_path: Path, capsys: Capture) -> None:
    assert run(studio_dir, request_file(tmp_path, kind="add", a=2, b=3)) == 0
    out, err = capsys.readouterr()
    written = {Path(line).name: Path(line) for line in out.splitlines()}
    assert written["sum.txt"].read_text(encoding="utf-8") == "5"
    assert studio_dir / "results" in written["sum.txt"].parents
    assert "carrying" in err


def test_out_as_file_takes_the_one_that_fits(studio_dir: Path, tmp_path: Path, capsys: Capture) -> None:
    target = tmp_path / "new" / "five.txt"
    assert run(studio_dir, request_file(tmp_path, kind="add", a=2, b=3), "--out", target) == 0
    assert target.read_text(encoding="utf-8") == "5"
    assert capsys.readouterr().out == f"{target}\n"


def test_out_as_folder_takes_all(studio_dir: Path, tmp_path: Path) -> None:
    assert run(studio_dir, request_file(tmp_path, kind="add", a=2), "--out", tmp_path / "all") == 0
    assert {path.name for path in (tmp_path / "all").iterdir()} == {"sum.txt", "note.md"}


def test_out_that_fits_nothing_keeps_the_result(studio_dir: Path, tmp_path: Path, capsys: Capture) -> None:
    assert run(studio_dir, request_file(tmp_path, kind="add", a=2), "--out", tmp_path / "x.png") == 1
    assert "give a folder instead" in capsys.readouterr().err
    assert list((studio_dir / "results" / "records").iterdir())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"kind": "add"}, "a"),
        ({"kind": "add", "a": "two"}, "a"),
        ({"kind": "add", "a": 1, "colour": 3}, "Colour"),
        ({"a": 1}, "does not say what to run"),
        ({"kind": "fly", "a": 1}, "No plugin offers “fly”"),
        ({"kind": "add", "a": -1}, "only what is there can be added"),
    ],
)
def test_a_bad_request_is_said_in_words(
    studio_dir: Path, tmp_path: Path, capsys: Capture, content: dict[str, object], message: str
) -> None:
    assert run(studio_dir, request_file(tmp_path, **content)) == 1
    err = capsys.readouterr().err
    assert message in err and "Traceback" not in err


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"\xff\xfe\x00", b'{"kind": 3}', b"[" * 100_000])
def test_a_broken_request_file_is_said_in_words(studio_dir: Path, tmp_path: Path, capsys: Capture, raw: bytes) -> None:
    path = tmp_path / "broken.json"
    path.write_bytes(raw)
    assert run(studio_dir, path) == 1
    assert "Traceback" not in capsys.readouterr().err


def test_a_missing_file_and_a_picture_without_settings(studio_dir: Path, tmp_path: Path, capsys: Capture) -> None:
    from PIL import Image

    assert run(studio_dir, tmp_path / "nowhere.json") == 1
    assert "there is no file" in capsys.readouterr().err
    Image.new("RGB", (4, 4)).save(tmp_path / "plain.png")
    assert run(studio_dir, tmp_path / "plain.png") == 1
    assert "carries no settings" in capsys.readouterr().err
    (tmp_path / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 30)
    assert run(studio_dir, tmp_path / "torn.png") == 1
    assert "torn.png" in capsys.readouterr().err


def test_a_picture_of_ours_is_run_again(studio_dir: Path, tmp_path: Path, capsys: Capture) -> None:
    import numpy as np

    from studio.host.imagemeta import write_png

    picture = tmp_path / "made.png"
    write_png(np.zeros((4, 4, 3), np.uint8), picture, {"schema": 1, "kind": "add", "request": {"a": 20, "b": 22}}, "")
    assert run(studio_dir, picture, "--out", tmp_path / "sum.txt") == 0
    assert (tmp_path / "sum.txt").read_text(encoding="utf-8") == "42"


def test_a_picture_of_another_tool_is_taken_as_far_as_it_fits(capsys: Capture) -> None:
    from typing import ClassVar

    from studio.cli.run import Order, build_request
    from studio.host.request import Request

    class Draw(Request):
        kind: ClassVar[str] = "draw"
        prompt: str
        steps: int = 20
        model: str = "ours"

    order = Order("draw", {"prompt": "a cat", "steps": "many", "model": "theirs", "width": 512}, foreign=True)
    assert build_request(Draw, order) == Draw(prompt="a cat")
    err = capsys.readouterr().err
    assert "steps: many" in err and "model: theirs" in err and "width: 512" in err


def test_an_unwritable_data_folder_is_said_in_words(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    assert run(tmp_path / "file", request_file(tmp_path, kind="add", a=1)) == 1
    assert "--data-dir" in capsys.readouterr().err


def test_the_store_is_whole_afterwards(studio_dir: Path, tmp_path: Path) -> None:
    assert run(studio_dir, request_file(tmp_path, kind="add", a=2)) == 0
    with sqlite3.connect(studio_dir / "results" / "index.sqlite") as index:
        assert index.execute("pragma integrity_check").fetchone() == ("ok",)
    index.close()
