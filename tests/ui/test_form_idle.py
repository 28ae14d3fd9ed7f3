"""Fields without effect are greyed or left out, say why, and keep their values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import pytest

from studio.host.request import Idle, Request, ui
from studio.ui.collapsible import Collapsible
from studio.ui.form import RequestForm


class Lamp(Request):
    kind: ClassVar[str] = "lamp"
    on: bool = ui(True, title="On")
    brightness: int = ui(5, title="Brightness", ge=0, le=10)
    colour: str = ui("red", title="Colour", group="Look")
    tint: str = ui("", title="Tint", group="Look", max_length=3)

    def without_effect(self) -> Mapping[str, Idle]:
        if self.on:
            return {}
        return {
            "brightness": Idle("The lamp is off."),
            "colour": Idle("The lamp is off.", hidden=True),
            "tint": Idle("The lamp is off.", hidden=True),
        }


@pytest.fixture
def form(qtbot) -> RequestForm[Lamp]:
    made = RequestForm(Lamp)
    qtbot.addWidget(made)
    made.show()
    return made


def test_a_field_without_effect_is_greyed_with_the_reason_and_comes_back(form) -> None:
    field = form.field("brightness")
    assert field.isEnabled() and field.idle_reason() == ""
    form.set_fields({"on": False})
    assert not field.isEnabled() and field.isVisible() and field.idle_reason() == "The lamp is off."
    form.set_fields({"on": True})
    assert field.isEnabled() and field.idle_reason() == ""


def test_hidden_fields_keep_their_values_and_take_their_section_along(form) -> None:
    form.set_fields({"colour": "blue", "on": False})
    section = form.findChild(Collapsible)
    assert not form.field("colour").isVisible() and section.isHidden()
    assert form.value() == Lamp(on=False, colour="blue")
    form.set_fields({"on": True})
    assert form.field("colour").isVisible() and not section.isHidden()


def test_while_something_is_not_valid_nothing_moves(form) -> None:
    form.set_fields({"on": False})
    form.set_fields({"tint": "far too long", "on": True})
    assert form.valid_value() is None and not form.field("brightness").isEnabled()
    form.set_fields({"tint": ""})
    assert form.field("brightness").isEnabled()


def test_what_has_no_effect_from_the_start_is_greyed_from_the_start(qtbot) -> None:
    class Dark(Lamp):
        on: bool = ui(False, title="On")

    made = RequestForm(Dark)
    qtbot.addWidget(made)
    assert not made.field("brightness").isEnabled()
