"""Tokens are legible, complete and applied live."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
from PySide6.QtGui import QColor, QPainter, QPalette
from PySide6.QtWidgets import QApplication, QLabel

from studio.ui.icons import IconButton, pixmap, recolour, svg_source
from studio.ui.stylesheet import style_sheet
from studio.ui.theme import theme
from studio.ui.tokens import FONT_PX, ThemeError, bundled_themes, contrast, load_tokens

THEMES = sorted(bundled_themes())
SURFACES = ("window", "surface", "raised", "sunken", "hover")


def test_contrast_of_black_and_white_is_21() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # the known grey just below AA


@pytest.mark.parametrize("name", THEMES)
def test_text_reaches_wcag_aa_on_every_surface(name: str) -> None:
    tokens = load_tokens(bundled_themes()[name])
    pairs = list(product(("text", "muted", "faint", "accent", "error", "warning", "success"), SURFACES[:4]))
    pairs += [("text", "hover"), ("text", "pressed"), ("text", "accent_soft"), ("accent", "accent_soft")]
    pairs += [(level, f"{level}_soft") for level in ("error", "warning", "success")]
    pairs += [("on_accent", "accent"), ("on_accent", "accent_hover"), ("on_accent", "accent_pressed")]
    poor = {pair: round(contrast(tokens[pair[0]], tokens[pair[1]]), 2) for pair in pairs}
    assert not {pair: ratio for pair, ratio in poor.items() if ratio < 4.5}


@pytest.mark.parametrize("name", THEMES)
def test_edges_and_curves_reach_three_to_one(name: str) -> None:
    tokens = load_tokens(bundled_themes()[name])
    assert contrast(tokens["focus"], tokens["surface"]) >= 3
    assert all(contrast(colour, tokens.plot["background"]) >= 3 for colour in tokens.series)


def test_all_themes_have_the_same_tokens() -> None:
    names = {name: set(load_tokens(path).color) for name, path in bundled_themes().items()}
    assert len(names) >= 2 and len({frozenset(keys) for keys in names.values()}) == 1


@pytest.mark.parametrize("text", ["", "name = 3", '[color]\ntext = "red"', "\x00"])
def test_a_bad_theme_file_names_itself(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ThemeError, match="mine.toml"):
        load_tokens(path)


def test_a_colour_that_is_none_is_named(tmp_path: Path) -> None:
    source = bundled_themes()["light"].read_text(encoding="utf-8").replace('"#191d24"', '"red"')
    path = tmp_path / "mine.toml"
    path.write_text(source, encoding="utf-8")
    with pytest.raises(ThemeError, match="text = 'red'"):
        load_tokens(path)


def test_every_token_of_the_style_sheet_exists() -> None:
    tokens = load_tokens(bundled_themes()["dark"])
    sheet = style_sheet(tokens.color, FONT_PX, "/icons")
    assert "$" not in sheet and sheet.count("{") == sheet.count("}")


def test_switching_repaints_widgets_and_icons(qtbot, qapp: QApplication) -> None:
    label, button = QLabel("text"), IconButton("play", "Go")
    qtbot.addWidget(label)
    qtbot.addWidget(button)
    with qtbot.waitSignal(theme().changed):
        theme().apply("dark")
    qapp.processEvents()
    assert label.palette().color(QPalette.ColorRole.WindowText).name() == theme().tokens["text"]
    picture = button.icon().pixmap(20, 20).toImage()
    lightest = max(picture.pixelColor(x, y).lightness() for x in range(20) for y in range(20))
    assert lightest > 150  # light strokes on the dark theme


def test_an_unknown_theme_follows_the_system(qapp: QApplication) -> None:
    theme().apply("no such theme")
    assert theme().choice == "system"


def test_an_icon_is_drawn_once_for_each_colour_size_and_screen(qapp: QApplication) -> None:
    svg, blue = svg_source("panel"), QColor("#1234ff")
    first = pixmap(svg, blue, 24)
    assert pixmap(svg, blue, 24).cacheKey() == first.cacheKey()
    others = [pixmap(svg, QColor("#ff3412"), 24), pixmap(svg, blue, 32), pixmap(svg, blue, 24, 2.0)]
    assert len({first.cacheKey(), *(one.cacheKey() for one in others)}) == 4
    assert others[2].width() == 48 and others[2].devicePixelRatio() == 2.0
    painter = QPainter(first)
    painter.fillRect(first.rect(), QColor("#000000"))
    painter.end()
    assert pixmap(svg, blue, 24).toImage() != first.toImage(), "what a caller draws on it stays the caller's"


def test_icons_are_recolourable_and_an_unknown_one_is_no_hole() -> None:
    source = svg_source("play")
    assert "currentColor" in source and "currentColor" not in recolour(source, "#123456")
    assert svg_source("no-such-icon") == svg_source("panel")
