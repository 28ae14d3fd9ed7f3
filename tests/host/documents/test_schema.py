"""Documents of years ago open: each schema is brought to the next, and what is stored does not change by accident."""

from __future__ import annotations

import json
from typing import Any

import pytest

from studio.host.documents.schema import Damage, DocumentNewer, described, parse, to_json
from tests.host.documents.samples import sample


def renamed(data: dict[str, Any]) -> dict[str, Any]:
    """A step from schema 1 to 2, as one might come: the view gets another name inside."""
    data["document"]["view"] = {"camera": data["document"]["view"]}
    return data


def test_older_schemas_are_brought_forward_step_by_step() -> None:
    raw = to_json(described(sample(), lambda name, pixels: (name,)))
    same, around = parse(raw, "a")
    assert same.view == sample().view and around["made_by"].startswith("Glassbox Studio")
    newer, _ = parse(raw, "a", {1: renamed, 2: renamed})
    assert newer.view == {"camera": {"camera": dict(sample().view)}}
    data = json.loads(raw) | {"schema": 3}
    latest, _ = parse(json.dumps(data).encode(), "a", {1: renamed, 2: renamed})
    assert latest.view == sample().view
    with pytest.raises(DocumentNewer):
        parse(json.dumps(data).encode(), "a", {1: renamed})
    del data["document"]
    with pytest.raises(Damage, match="of schema 1 is incomplete"):
        parse(json.dumps(data | {"schema": 1}).encode(), "a", {1: renamed})


def test_the_description_is_what_was_agreed() -> None:
    data = json.loads(to_json(described(sample(), lambda name, pixels: (f"{name}.png",)), path="x"))
    assert data["format"] == "glassbox-document" and data["schema"] == 1 and data["path"] == "x"
    assert list(data["document"]) == ["width", "height", "layers", "hints", "mask", "versions", "request", "view"]
    assert data["document"]["layers"][1] == {
        "name": "", "visible": False, "opacity": 0.3,
        "pixels": {"width": 30, "height": 20, "channels": 4, "parts": ["layers/001.png"]},
    }  # fmt: skip
    assert data["document"]["mask"] == {"width": 30, "height": 20, "channels": 1, "parts": ["mask.png"]}
    assert data["document"]["versions"][1] == {
        "id": "20261123-2", "request": {}, "pixels": None, "kept": False, "applied": False, "created": "",
    }  # fmt: skip
