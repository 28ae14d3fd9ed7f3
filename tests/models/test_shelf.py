"""What was opened in one panel is offered in all, whoever writes at the same time, and lists of before are taken over."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from studio.models.catalog import ModelInfo, imported_folder
from studio.models.shelf import Shelf, opened_folder, opened_models


def checkpoint(folder: Path, name: str = "base.pt", **more: object) -> ModelInfo:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"weights")
    return ModelInfo(str(folder / name), f"Model {name}", folder / name, 64, length=128, **more)  # type: ignore[arg-type]


def offered(shelf: Shelf) -> list[str]:
    shelf.look()
    return [info.id for info in shelf.models if not info.id.startswith("emoji")]


def test_what_one_panel_opened_another_offers_with_all_it_knows(tmp_path: Path) -> None:
    info = checkpoint(tmp_path, kind="class-conditional", classes=("cat", "dog"))
    first, second = Shelf(tmp_path / "generate"), Shelf(tmp_path / "tokens")
    first.look()
    assert first.add(info) == info
    first.save()
    assert offered(second) == [info.id] and next(m for m in second.models if m.id == info.id) == info
    assert opened_models() == [info]
    assert offered(Shelf(tmp_path / "other", kinds=("text2im",))) == []


def test_two_panels_that_save_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    shelves = [Shelf(tmp_path / name) for name in "ab"]
    infos = [checkpoint(tmp_path, f"{name}.pt") for name in "ab"]
    for shelf, info in zip(shelves, infos, strict=True):
        shelf.look()
        shelf.add(info)
    for shelf in shelves:
        shelf.save()
    assert set(offered(Shelf(tmp_path / "c"))) == {info.id for info in infos}


def test_the_list_of_a_studio_before_is_taken_over_and_then_removed(tmp_path: Path) -> None:
    info = checkpoint(tmp_path)
    old = tmp_path / "generate" / "opened.json"
    old.parent.mkdir()
    entry = {"path": info.id, "title": info.title, "size": 64, "length": 128, "prompt": True}
    old.write_text(json.dumps({"models": [entry, {"path": str(tmp_path / "gone.pt"), "size": 64, "length": 1}]}))
    shelf = Shelf(old.parent)
    problems, to_save = shelf.look()
    assert to_save and len(problems) == 1 and "gone.pt” is no longer in" in problems[0]
    shelf.save()
    assert not old.exists() and Shelf(old.parent).look() == ([], False)
    assert offered(Shelf(tmp_path / "tokens")) == [info.id]


@pytest.mark.parametrize("content", ["{", "[]", "3", '{"path": 3}', '{"path": "/gone/x.pt"}'])
def test_a_damaged_or_outdated_entry_stands_in_nobodys_way(tmp_path: Path, content: str) -> None:
    info = checkpoint(tmp_path)
    shelf = Shelf(tmp_path / "generate")
    shelf.look()
    shelf.add(info)
    shelf.save()
    (opened_folder() / "bad.json").write_text(content)
    problems, to_save = shelf.look()
    assert len(problems) == 1 and to_save and offered(shelf) == [info.id]
    shelf.save()
    assert shelf.look() == ([], False)


@pytest.mark.parametrize("content", ["{", "[]", '{"models": [3]}'])
def test_a_damaged_list_of_before_is_said_once(tmp_path: Path, content: str) -> None:
    (tmp_path / "opened.json").write_text(content)
    shelf = Shelf(tmp_path)
    problems, to_save = shelf.look()
    assert len(problems) == 1 and to_save
    shelf.save()
    assert shelf.look() == ([], False)


def test_imported_models_are_offered_everywhere(tmp_path: Path) -> None:
    folder = imported_folder() / "glide-base"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"kind": "text2im", "name": "GLIDE", "image_size": 64}))
    assert offered(Shelf(tmp_path / "generate")) == offered(Shelf(tmp_path / "tokens")) == [str(folder)]
