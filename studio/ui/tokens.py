"""Design tokens: the named colours of a theme, read from `resources/themes/*.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from studio.resources import resource

# One spacing grid and one type scale for every theme (pixels at 100 %; Qt scales them by the device pixel ratio).
SPACE_XS, SPACE_S, SPACE_M, SPACE_L, SPACE_XL = 4, 8, 12, 16, 24
RADIUS = 6
FONT_PX = {"small": 11, "body": 13, "strong": 13, "title": 15, "hero": 20}


class ThemeError(ValueError):
    """A theme file cannot be used; the message names the file and the key to correct."""


@dataclass(frozen=True)
class Tokens:
    """The colours of one theme as `#rrggbb` strings."""

    name: str
    dark: bool
    color: Mapping[str, str]
    plot: Mapping[str, str]
    series: tuple[str, ...]

    def __getitem__(self, token: str) -> str:
        return self.color[token]


def load_tokens(path: Path) -> Tokens:
    """Read one theme file. Raises ThemeError naming what is wrong in it."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        plot = dict(raw["plot"])
        series = tuple(plot.pop("series"))
        tokens = Tokens(str(raw["name"]), bool(raw["dark"]), dict(raw["color"]), plot, series)
    except (KeyError, TypeError, tomllib.TOMLDecodeError, OSError) as error:
        raise ThemeError(f"{path.name}: {error}; correct the theme file or remove it") from error
    for token, value in [*tokens.color.items(), *tokens.plot.items(), *((f"series {c}", c) for c in series)]:
        if not _is_hex(value):
            raise ThemeError(f"{path.name}: {token} = {value!r} is no #rrggbb colour; correct it")
    return tokens


def bundled_themes() -> dict[str, Path]:
    """Names (`light`, `dark`, ...) of the themes that ship with the studio and their files."""
    return {path.stem: path for path in sorted(resource("themes").glob("*.toml"))}


def contrast(first: str, second: str) -> float:
    """WCAG 2.2 contrast ratio of two `#rrggbb` colours, 1 to 21 (https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio)."""
    high, low = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _is_hex(value: object) -> bool:
    if not (isinstance(value, str) and len(value) == 7 and value.startswith("#")):
        return False
    return all(digit in "0123456789abcdefABCDEF" for digit in value[1:])
