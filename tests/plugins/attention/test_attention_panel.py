"""The panel as a person uses it: read, choose heads, point, switch off, write, look at a picture, export."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication

from studio.models.catalog import bundled_folder
from tests.plugins.attention.conftest import SENTENCE, AttentionRoom


def own_map(text: str, target: str, site: str, head: int) -> np.ndarray:
    """The same map by the science alone, eagerly."""
    from studio.ml.attention import capture, maps
    from studio.ml.attention.opening import open_folder
    from studio.ml.attention.values import Asked

    trace = capture.capture(open_folder(bundled_folder() / "emoji-paraphrase"), Asked(text=text, target=target))
    return maps.head(trace, site, head)


def test_a_reading_fills_every_view(panel: Any) -> None:
    overview = panel.sight.overview
    assert overview.kind == "encoder-decoder" and len(panel.sight.thumbnails) == len(overview.heads) == 36
    assert panel.sight.map is not None and panel.sight.map.head == panel.sight.head
    assert panel.insight.answer.bars()[0].name == "on"  # the caption told from the other side begins with its background
    assert "checked to" in panel.status.text()


def test_a_click_in_the_mosaic_shows_that_head_exactly(panel: Any, room: AttentionRoom) -> None:
    mosaic = panel.stage.mosaic
    head = ("transformer.encoder.layers.1.attention", 2)
    room.qtbot.mouseClick(mosaic, Qt.MouseButton.LeftButton, pos=mosaic.place_of(head).center())
    room.qtbot.waitUntil(lambda: panel.sight.map is not None and panel.sight.map.head == head)
    np.testing.assert_allclose(panel.sight.values(), own_map(SENTENCE, "", *head), atol=1e-6)
    room.qtbot.keyClick(mosaic, Qt.Key.Key_Right)
    assert panel.sight.head == (head[0], 3)


def test_pointing_at_a_cell_links_tokens_bars_and_products(panel: Any, room: AttentionRoom) -> None:
    head = ("transformer.encoder.layers.1.attention", 2)
    panel.sight.choose(head)
    room.quiet()
    view = panel.stage.map.view
    view.picked.emit(5, 3)
    room.qtbot.waitUntil(lambda: panel.insight.products.found is not None)
    room.quiet()
    weight = float(panel.sight.values()[5, 3])
    assert f"{weight:.5f}" in panel.stage.map.reading_out.text()
    found = panel.insight.products.found
    assert found.products.sum() + found.bias == pytest.approx(found.score, abs=1e-5)
    assert found.weight == pytest.approx(weight, abs=1e-6)
    assert panel.insight.row_bars.bars() and panel.insight.column_bars.bars()
    view.hovered.emit(1, 1)  # the pair is held
    assert (panel.sight.row, panel.sight.column) == (5, 3)


def test_the_strip_points_at_its_token(panel: Any, room: AttentionRoom) -> None:
    panel.sight.choose(("transformer.encoder.layers.0.attention", 0))
    room.quiet()
    strip = panel.stage.strips.looked
    room.qtbot.mouseMove(strip, strip.box(4).center().toPoint())
    assert panel.sight.row == 4
    np.testing.assert_allclose(panel.sight.along_row().sum(), 1, atol=1e-5)


def test_heads_sort_by_a_statistic(panel: Any) -> None:
    panel.stage.set_order("entropy")
    values = panel.sight.statistics["entropy"]
    worth = [values[head] for head in panel.stage.mosaic.sorted_heads()]
    worth = [value for value in worth if not math.isnan(value)]
    assert worth == sorted(worth, reverse=True) and len(worth) > 20


def test_a_head_switched_off_changes_the_answer_as_computed_by_hand(panel: Any, room: AttentionRoom) -> None:
    head = ("transformer.decoder.layers.1.cross_attention", 1)
    panel.sight.switch(head)
    room.qtbot.waitUntil(lambda: panel.stage.effect.effects is not None)
    room.quiet()
    from studio.ml.language.encoder_decoder import load_encoder_decoder

    own = load_encoder_decoder(bundled_folder() / "emoji-paraphrase")
    layer = own.net.transformer.decoder.layers[1].cross_attention
    width = layer.w_o.weight.shape[1] // layer.heads
    source = torch.tensor([own.tokenizer.encode(SENTENCE, start=False, end=True).ids])
    target = torch.tensor([[1]])
    with torch.no_grad():
        before = own.net.decode(target, *own.net.encode(source))[0, -1].double().log_softmax(-1)
        layer.w_o.weight[:, width : 2 * width] = 0
        after = own.net.decode(target, *own.net.encode(source))[0, -1].double().log_softmax(-1)
    row = panel.stage.effect.effects.rows[0]
    kl = float((before.exp() * (before - after)).sum())
    assert row.kl == pytest.approx(kl, rel=1e-2, abs=1e-9)
    assert panel.controls.form.value().off == (f"{head[0]}:{head[1]}",)
    panel.stage.effect.keep_set("mine")
    room.quiet()
    panel.sight.set_off(frozenset())
    assert panel.stage.effect.effects is None and "mine" in (room.panel_dir / "sets.json").read_text()


def test_every_head_is_tested_and_sorts(panel: Any, room: AttentionRoom) -> None:
    panel.stage.set_order("effect")
    room.qtbot.waitUntil(lambda: len(panel.sight.statistics.get("effect", {})) == 36, timeout=60_000)
    room.quiet()
    worth = [panel.sight.statistics["effect"][head] for head in panel.stage.mosaic.sorted_heads()]
    assert worth == sorted(worth, reverse=True) and worth[0] > 0


def test_writing_grows_the_map_and_counts_the_cache(panel: Any, room: AttentionRoom) -> None:
    panel.write()
    room.qtbot.waitUntil(lambda: panel.sight.overview.written > 0, timeout=60_000)
    room.quiet()
    page = panel.stage.writing
    words = [token.text for token in page.tokens]
    assert words == "on a blue background , a red apple right of a cat . <end>".split()
    assert all(token.cache_bytes == token.cache_formula > 0 for token in page.tokens)
    assert page.tokens[3].lens[-1].best[0].text == words[3]
    cross = ("transformer.decoder.layers.2.cross_attention", 0)
    panel.sight.choose(cross)
    room.quiet()
    assert panel.sight.map.shape[0] == len(words)
    page.slider.setValue(3)
    assert panel.sight.limit == page.tokens[3].read
    np.testing.assert_allclose(panel.sight.values(), own_map(SENTENCE, " ".join(words[:-1]), *cross), atol=2e-6)


def test_side_by_side(panel: Any, room: AttentionRoom) -> None:
    panel.sight.choose(("transformer.encoder.layers.2.attention", 0))
    panel.stage.show_page("sides")
    room.qtbot.waitUntil(lambda: panel.stage.sides.sides is not None, timeout=60_000)
    room.quiet()
    sides = {side.name: side for side in panel.stage.sides.sides.sides}
    assert all(side.map is not None for side in sides.values())
    np.testing.assert_allclose(sides["rollout"].map.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(sides["raw"].map, panel.sight.values())


def test_a_picture_is_seen_patch_by_patch(room: AttentionRoom) -> None:
    panel = room.open("emoji-vit", picture="emoji:cat:blue")
    room.read(panel)
    assert panel.insight.answer.bars()[0].name == "cat"
    panel.stage.show_page("picture")
    view = panel.stage.picture.view
    room.qtbot.wait(30)
    room.qtbot.mouseMove(view, QPoint(view.width() // 2, view.height() // 2))
    assert panel.sight.row >= 1
    picture, told = panel.stage.picture.painted()
    assert picture.shape == (32, 32, 3) and "looks" in told


def test_what_leaves_the_panel(panel: Any, room: AttentionRoom, tmp_path: Path) -> None:
    panel.sight.choose(("transformer.encoder.layers.0.attention", 1))
    room.quiet()
    found = {one.name: one for one in panel.exportables()}
    assert found["all heads"].produce().pixels.shape[2] == 3
    table = found["map of this head as numbers"].produce()
    assert sum(table.columns["weight"]) == pytest.approx(13, abs=1e-4)  # every row sums to one
    panel.save_map_as(tmp_path / "map.npz")
    panel.save_map_as(tmp_path / "map.svg")
    room.quiet()
    with np.load(io.BytesIO((tmp_path / "map.npz").read_bytes())) as kept:
        np.testing.assert_array_equal(kept["weights"], panel.sight.values())
        assert kept["rows"][1] == "cat"
    assert (tmp_path / "map.svg").read_text().count("<rect") == 169


def test_the_script_prints_the_same_map(panel: Any, room: AttentionRoom) -> None:
    panel.sight.choose(("transformer.encoder.layers.0.attention", 1))
    room.quiet()
    panel.copy_script()
    namespace: dict[str, Any] = {}
    exec(compile(QGuiApplication.clipboard().text(), "script", "exec"), namespace)  # noqa: S102
    np.testing.assert_allclose(namespace["attention"], panel.sight.values(), atol=1e-6)


def test_a_session_comes_back(panel: Any, room: AttentionRoom) -> None:
    panel.sight.choose(("transformer.encoder.layers.0.attention", 3))
    panel.stage.show_page("lines")
    room.quiet()
    again = room.build()
    again.restore(panel.state())
    room.show(again)
    room.qtbot.waitUntil(lambda: again.sight.map is not None, timeout=60_000)
    room.quiet()
    assert again.sight.head == ("transformer.encoder.layers.0.attention", 3) and again.stage.page == "lines"
    assert again.stage.lines.view.count == int((again.sight.values() >= 0.02).sum())


def test_bad_input_is_said_in_words(room: AttentionRoom, tmp_path: Path) -> None:
    panel = room.open()
    panel.open_folder(tmp_path)
    room.quiet()
    assert "config.json" in panel.last_message.text
    panel.controls.form.set_fields({"text": " "})
    panel.read()
    room.quiet()
    assert "empty" in panel.last_message.text
    panel.controls.form.set_fields({"text": "a cat on a blue background. " * 20})
    panel.read()
    room.quiet()
    assert "tokens" in panel.last_message.text
    assert [text for text, _ in panel.last_message.actions] == ["Keep its start", "Keep its end"]
    panel.last_message.actions[0][1]()
    room.qtbot.waitUntil(lambda: panel.sight.overview is not None, timeout=60_000)
    room.quiet()
    assert panel.controls.form.value().fit == "start"


def test_the_demo_is_a_real_reading(room: AttentionRoom) -> None:
    panel = room.show(room.build())
    panel.demo()
    overview = panel.sight.overview
    assert overview.kind == "causal" and len(panel.sight.thumbnails) == len(overview.heads)
    assert panel.sight.map is not None and panel.insight.products.found is not None and panel.insight.row_bars.bars()
    panel.sight.choose(overview.heads[0])  # and can be asked on
    room.quiet()
    assert panel.sight.map.head == overview.heads[0] and panel.last_message is None


def test_what_is_masked_has_no_colour_and_nought_has_one() -> None:
    from PySide6.QtGui import QColor

    from studio_plugins.attention import painting
    from studio_plugins.attention.painting import Shading

    values = np.array([[1.0, np.nan], [0.0, 0.5]], np.float32)
    for curve in ("linear", "gamma", "log"):
        shades = painting.indices(values, Shading("map", curve))
        assert shades[0, 1] == 0 and shades[1, 0] == 1 and shades[0, 0] == 255
    assert painting.indices(values, Shading("row", "linear"))[1, 1] == 255
    assert painting.table(QColor("#123456"))[0] == 0xFF123456
    hidden = painting.shown(values, Shading(sink=False, diagonal=False))
    assert np.isnan(hidden).tolist() == [[True, True], [True, True]]
    stripe = np.zeros((4096, 64), np.float32)
    stripe[:, 33] = 1
    assert painting.fitted(stripe, 16, 16).max(axis=0).tolist() == [0.0] * 8 + [1.0] + [0.0] * 7


def test_no_level_of_the_pyramid_loses_a_cell() -> None:
    import torch

    from studio.ml.attention.maps import largest
    from studio_plugins.attention.painting import Shading
    from studio_plugins.attention.pyramid import Pyramid
    from studio_plugins.attention.results import Level

    values = np.zeros((1024, 1024), np.float32)
    values[700, 123] = 1
    levels, factor = [Level(1, values)], 1
    while factor < 16:
        factor *= 2
        levels.append(Level(factor, largest(torch.from_numpy(levels[-1].values)[None], 2, 2)[0].numpy()))
    pyramid = Pyramid(tuple(levels), Shading(curve="linear"), square=True)
    while pyramid.work():
        pass
    for scale, wanted in ((1.0, 1), (0.5, 2), (0.1, 16)):
        index = pyramid.level_for(scale)
        assert levels[index].factor == wanted
        image = pyramid.image(index)
        assert image.pixelColor(123 // wanted, 700 // wanted).lightness() > 200 > 10 > image.pixelColor(0, 0).lightness()
