from __future__ import annotations

from studio.resources import resource
from studio.ui.help_dock import HelpDock
from studio.ui.model_pages import card_sections, models_page


def test_the_page_tells_what_was_measured_of_every_model() -> None:
    page = models_page()
    cards = sorted(resource("models").glob("*/MODEL_CARD.md"))
    assert len(cards) >= 2
    for card in cards:
        sections = card_sections(card.read_text(encoding="utf-8"))
        assert f"## {card.parent.name}" in page and sections["Measured quality"] in page


def test_sections_of_a_card() -> None:
    card = "# m\n\nsmall\n\n## One\n\na\n\n### deeper\n\nb\n\n## Two\n\nc\n"
    assert card_sections(card) == {"One": "a\n\n### deeper\n\nb", "Two": "c"}
    assert card_sections("# no sections") == {}


def test_help_shows_it(qtbot) -> None:
    dock = HelpDock()
    qtbot.addWidget(dock)
    dock.show_topic("models")
    assert "emoji-base" in dock.page.toPlainText() and "98.6%" in dock.page.toPlainText()
