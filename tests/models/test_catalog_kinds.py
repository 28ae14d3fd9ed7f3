"""Models that read, beside those that draw: what the catalogue and the Models panel's list say of them."""

from __future__ import annotations

from studio.models.catalog import find_models
from studio.models.inventory import inventory


def test_models_of_text_have_no_pictures_and_say_how_much_they_read() -> None:
    found = {info.id: info for info in find_models(kinds=("vision", "causal", "encoder-decoder"))[0]}
    vit, paraphrase = found["emoji-vit"], found["emoji-paraphrase"]
    assert (vit.size, vit.prompted, len(vit.classes)) == (32, False, 32)
    assert (paraphrase.size, paraphrase.prompted, paraphrase.length) == (0, False, 48)
    assert "cat" in paraphrase.words and found["emoji-captions"].length == 144


def test_they_are_not_offered_where_pictures_are_drawn() -> None:
    assert not {info.id for info in find_models()[0]} & {"emoji-vit", "emoji-vit-2d", "emoji-captions", "emoji-paraphrase"}


def test_the_inventory_reads_their_cards_and_weights() -> None:
    entries = {entry.info.id: entry for entry in inventory().entries}
    assert entries["emoji-vit"].parameters == 685_376 and "Measured quality" in entries["emoji-paraphrase"].card
