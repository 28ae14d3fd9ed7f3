"""The theme of the running application: tokens to palette, style sheet and plot colours, switched live."""

from __future__ import annotations

import sys
from pathlib import Path

from PySide6.QtCore import QObject, Qt, QTemporaryDir, Signal
from PySide6.QtGui import QColor, QFont, QGuiApplication, QIcon, QPalette
from PySide6.QtWidgets import QApplication, QWidget

from studio.ui.icons import icon, icon_from_svg, recolour, svg_source
from studio.ui.stylesheet import style_sheet
from studio.ui.tokens import FONT_PX, Tokens, bundled_themes, load_tokens

SYSTEM = "system"
_PROPERTY = "glassbox_theme"


class Theme(QObject):
    """Holds the tokens in use. Take it with `theme()`; connect `changed` where colours are drawn by hand."""

    changed = Signal()

    def __init__(self, app: QApplication) -> None:
        super().__init__(app)
        self._app = app
        self._files = bundled_themes()
        self._choice = SYSTEM
        self._folder = QTemporaryDir()
        self.font_scale = 1.0
        self.tokens: Tokens = load_tokens(self._files["light"])
        app.styleHints().colorSchemeChanged.connect(self._follow_system)

    @property
    def choice(self) -> str:
        """What the person chose: `system`, `light`, `dark` or another theme file's name."""
        return self._choice

    @property
    def dark(self) -> bool:
        return self.tokens.dark

    def names(self) -> list[str]:
        """All choices for the settings page, `system` first."""
        return [SYSTEM, *self._files]

    def apply(self, choice: str = SYSTEM, font_scale: float | None = None) -> None:
        """Switch the whole application to a theme (an unknown name follows the system) and a text size (1 = 100 %)."""
        self.font_scale = font_scale or self.font_scale
        fonts = {name: round(pixels * self.font_scale) for name, pixels in FONT_PX.items()}
        self._choice = choice if choice in self._files else SYSTEM
        name = self._choice if self._choice in self._files else self._system_name()
        self.tokens = load_tokens(self._files[name])
        self._app.setStyle("Fusion")
        self._app.setFont(_font(fonts["body"]))
        self._app.setPalette(_palette(self.tokens))
        self._app.setStyleSheet(style_sheet(self.tokens.color, fonts, self._write_arrows()))
        self.changed.emit()

    def color(self, token: str) -> QColor:
        """A token such as `accent`, `muted`, `plot.grid` or `series.0` as a QColor."""
        group, _, key = token.partition(".")
        if group == "plot":
            return QColor(self.tokens.plot[key])
        if group == "series":
            return QColor(self.tokens.series[int(key) % len(self.tokens.series)])
        return QColor(self.tokens[token])

    def icon(self, name: str, token: str = "text") -> QIcon:
        """A bundled icon in a token's colour."""
        return icon(name, self.color(token), self.color("disabled"), self.color("accent"))

    def plugin_icon(self, name: str, folder: Path | None = None, token: str = "muted") -> QIcon:
        """The icon of a panel: `name` is a bundled icon, or a file `name`(.svg) in the plugin's own folder."""
        own = folder / (name if name.endswith(".svg") else f"{name}.svg") if folder else None
        source = own.read_text(encoding="utf-8") if own and own.is_file() else svg_source(name)
        return icon_from_svg(source, self.color(token), self.color("disabled"), self.color("accent"))

    def _system_name(self) -> str:
        dark = self._app.styleHints().colorScheme() == Qt.ColorScheme.Dark
        return "dark" if dark else "light"

    def _follow_system(self) -> None:
        if self._choice == SYSTEM and self.tokens.dark != (self._system_name() == "dark"):
            self.apply(SYSTEM)

    def _write_arrows(self) -> str:
        """The small pictures that a style sheet can only name by file, in this theme's colours."""
        folder = Path(self._folder.path())
        stem = folder / ("dark" if self.tokens.dark else "light")
        stem.mkdir(exist_ok=True)
        wanted = (("up", "chevron-up", "muted"), ("down", "chevron-down", "muted"), ("check", "check", "on_accent"))
        for file, source, token in wanted:
            (stem / f"{file}.svg").write_text(recolour(svg_source(source), self.tokens[token]), encoding="utf-8")
        return stem.as_posix()


def theme() -> Theme:
    """The theme of the running application; made (and applied) at the first call."""
    app = QGuiApplication.instance()
    if not isinstance(app, QApplication):
        raise RuntimeError("a theme needs a QApplication; create one first")
    existing = app.property(_PROPERTY)
    if isinstance(existing, Theme):
        return existing
    made = Theme(app)
    app.setProperty(_PROPERTY, made)
    made.apply(SYSTEM)
    return made


def restyle(widget: QWidget) -> None:
    """Make a changed dynamic property (`role`, `tone`, `level`, `invalid`) show."""
    widget.style().unpolish(widget)
    widget.style().polish(widget)
    widget.update()


def _font(pixels: int) -> QFont:
    font = QFont(QApplication.font())
    if sys.platform.startswith("linux"):
        # Without a desktop's font setting Qt falls back to a 9 pt face; these are the usual desktop faces, DejaVu last.
        font.setFamilies(["Inter", "Cantarell", "Ubuntu", "Noto Sans", "DejaVu Sans", font.family()])
    font.setPixelSize(pixels)
    return font


def _palette(tokens: Tokens) -> QPalette:
    palette = QPalette()
    role = QPalette.ColorRole
    colours = {
        role.Window: "surface", role.WindowText: "text", role.Base: "raised", role.AlternateBase: "window",
        role.Text: "text", role.Button: "raised", role.ButtonText: "text", role.BrightText: "error",
        role.Highlight: "accent", role.HighlightedText: "on_accent", role.Accent: "accent", role.Link: "accent",
        role.LinkVisited: "accent", role.ToolTipBase: "raised", role.ToolTipText: "text", role.PlaceholderText: "faint",
        role.Light: "raised", role.Midlight: "hover", role.Mid: "border_strong", role.Dark: "border_strong",
        role.Shadow: "border_strong",
    }  # fmt: skip
    for key, token in colours.items():
        palette.setColor(key, QColor(tokens[token]))
    for key in (role.WindowText, role.Text, role.ButtonText, role.HighlightedText):
        palette.setColor(QPalette.ColorGroup.Disabled, key, QColor(tokens["disabled"]))
    palette.setColor(QPalette.ColorGroup.Disabled, role.Highlight, QColor(tokens["pressed"]))
    return palette
