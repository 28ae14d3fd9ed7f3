"""The short style sheet on top of Fusion: only what a palette cannot say (spacing, edges, roles of buttons)."""

from __future__ import annotations

from collections.abc import Mapping
from string import Template

# Roles are dynamic properties: `button.setProperty("role", "primary")`, `label.setProperty("tone", "muted")`.
_TEMPLATE = Template("""
* { outline: none; }
QToolTip { background: $raised; color: $text; border: 1px solid $border_strong; padding: 6px 8px; }
QLabel[tone="muted"] { color: $muted; }
QLabel[tone="faint"] { color: $faint; font-size: ${small}px; }
QLabel[tone="error"] { color: $error; font-size: ${small}px; }
QLabel[tone="alert"] { color: $warning; }
QLabel[tone="title"] { font-size: ${title}px; font-weight: 600; }
QLabel[tone="hero"] { font-size: ${hero}px; font-weight: 600; }
QLabel[tone="section"] { color: $muted; font-size: ${small}px; font-weight: 600; }
QLabel:disabled { color: $disabled; }

QPushButton { background: $raised; color: $text; border: 1px solid $border_strong; border-radius: 6px; padding: 6px 14px; min-height: 18px; }
QPushButton:hover { background: $hover; } QPushButton:pressed { background: $pressed; }
QPushButton:focus { border: 2px solid $focus; padding: 5px 13px; }
QPushButton:disabled { color: $disabled; border-color: $border; background: $surface; }
QPushButton[role="primary"] { background: $accent; color: $on_accent; border: 1px solid $accent; font-weight: 600; min-height: 22px; }
QPushButton[role="primary"]:hover { background: $accent_hover; border-color: $accent_hover; }
QPushButton[role="primary"]:pressed { background: $accent_pressed; }
QPushButton[role="primary"]:focus { border: 2px solid $text; }
QPushButton[role="primary"]:disabled { background: $pressed; border-color: $pressed; color: $disabled; }
QPushButton[role="link"] { background: transparent; border: 1px solid transparent; color: $accent; padding: 4px 8px; font-weight: 600; }
QPushButton[role="link"]:hover { background: $hover; } QPushButton[role="link"]:focus { border: 1px solid $focus; }
QPushButton[role="row"] { background: transparent; border: 1px solid transparent; color: $text; text-align: left; padding: 3px 6px; }
QPushButton[role="row"]:hover { background: $hover; } QPushButton[role="row"]:focus { border: 1px solid $focus; }
QPushButton[role="danger"] { color: $error; border-color: $error; }

QToolButton { border: 1px solid transparent; border-radius: 6px; padding: 4px; color: $text; background: transparent; }
QToolButton:hover { background: $hover; } QToolButton:pressed { background: $pressed; }
QToolButton:checked { background: $accent_soft; } QToolButton:focus { border-color: $focus; }
QToolButton:disabled { color: $disabled; }
QToolButton::menu-indicator { image: none; width: 0; }
QToolButton[role="section"] { font-weight: 600; color: $muted; padding: 4px 4px; font-size: ${small}px; }
QToolButton[role="section"]:checked { background: transparent; } QToolButton[role="section"]:hover { background: $hover; }
QToolButton[role="activity"] { border-radius: 8px; padding: 6px 2px; font-size: ${small}px; color: $muted; }
QToolButton[role="activity"][broken="true"] { color: $disabled; }
QToolButton[role="activity"]:checked { color: $accent; background: $accent_soft; }

QLineEdit, QPlainTextEdit, QTextEdit, QAbstractSpinBox, QComboBox {
  background: $raised; color: $text; border: 1px solid $border_strong; border-radius: 6px; padding: 4px 8px;
  selection-background-color: $accent; selection-color: $on_accent; }
QLineEdit:focus, QPlainTextEdit:focus, QTextEdit:focus, QAbstractSpinBox:focus, QComboBox:focus, QComboBox:on { border: 2px solid $focus; padding: 3px 7px; }
QLineEdit:disabled, QPlainTextEdit:disabled, QAbstractSpinBox:disabled, QComboBox:disabled { background: $surface; color: $disabled; border-color: $border; }
*[invalid="true"] { border: 2px solid $error; }
QLineEdit, QAbstractSpinBox, QComboBox { min-height: 20px; }
QAbstractSpinBox QLineEdit, QAbstractSpinBox QLineEdit:focus { border: none; padding: 0 2px 0 8px; min-height: 0; background: transparent; }
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button { subcontrol-origin: border; width: 18px; border: none; border-radius: 4px; margin: 2px 2px 0 0; }
QAbstractSpinBox::up-button { subcontrol-position: top right; } QAbstractSpinBox::down-button { subcontrol-position: bottom right; margin: 0 2px 2px 0; }
QAbstractSpinBox::up-button:hover, QAbstractSpinBox::down-button:hover { background: $hover; }
QAbstractSpinBox::up-arrow { image: url($icons/up.svg); width: 12px; height: 12px; }
QAbstractSpinBox::down-arrow { image: url($icons/down.svg); width: 12px; height: 12px; }
QComboBox { combobox-popup: 0; } QComboBox QAbstractItemView::item { min-height: 24px; padding: 0 4px; }
QComboBox QAbstractItemView::item:selected { background: $accent_soft; color: $text; } QComboBox::drop-down { border: none; width: 24px; } QComboBox::down-arrow { image: url($icons/down.svg); width: 14px; height: 14px; }
QComboBox QAbstractItemView, QAbstractItemView[role="popup"] { background: $raised; color: $text; border: 1px solid $border_strong; padding: 4px;
  selection-background-color: $accent_soft; selection-color: $text; }

QCheckBox { spacing: 8px; } QCheckBox::indicator, QTableView::indicator { width: 16px; height: 16px; border: 1px solid $border_strong; border-radius: 4px; background: $raised; }
QCheckBox::indicator:hover { border-color: $accent; } QCheckBox::indicator:focus { border: 2px solid $focus; }
QCheckBox::indicator:checked, QTableView::indicator:checked { background: $accent; border-color: $accent; image: url($icons/check.svg); }
QCheckBox::indicator:disabled { border-color: $border; background: $surface; }

QSlider { min-height: 22px; }
QSlider::groove:horizontal { height: 4px; border-radius: 2px; background: $pressed; }
QSlider::sub-page:horizontal { height: 4px; border-radius: 2px; background: $accent; }
QSlider::handle:horizontal { width: 10px; height: 10px; margin: -5px 0; border-radius: 7px; background: $raised; border: 2px solid $accent; }
QSlider::handle:horizontal:hover { background: $accent_soft; } QSlider::handle:horizontal:focus { background: $accent; }
QSlider::handle:horizontal:disabled { background: $pressed; border-color: $disabled; }
QSlider::sub-page:horizontal:disabled { background: $disabled; }

QProgressBar { background: $pressed; border: none; border-radius: 3px; min-height: 6px; max-height: 6px; }
QProgressBar::chunk { background: $accent; border-radius: 3px; }

QTabBar { background: $window; } QTabBar::tab { background: transparent; color: $muted; padding: 8px 12px; border: none; border-bottom: 2px solid transparent; }
QTabBar::tab:hover { color: $text; background: $hover; } QTabBar::tab:selected { color: $text; background: $surface; border-bottom: 2px solid $accent; }
QTabBar::tab:focus { color: $accent; }
QTabWidget::pane { border: none; background: $surface; }

QScrollBar:vertical { background: transparent; width: 12px; margin: 0; } QScrollBar:horizontal { background: transparent; height: 12px; margin: 0; }
QScrollBar::handle { background: $border_strong; border-radius: 3px; margin: 3px; min-height: 28px; min-width: 28px; } QScrollBar::handle:hover { background: $faint; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; } QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }

QMenuBar { background: $window; color: $text; padding: 2px 4px; } QMenuBar::item { padding: 5px 10px; border-radius: 6px; background: transparent; }
QMenuBar::item:selected { background: $hover; }
QMenu { background: $raised; color: $text; border: 1px solid $border_strong; padding: 4px; } QMenu::item { padding: 6px 28px 6px 20px; border-radius: 4px; }
QMenu::item:selected { background: $accent_soft; color: $text; } QMenu::item:disabled { color: $disabled; }
QMenu::separator { height: 1px; background: $border; margin: 4px 8px; }

QMainWindow::separator { background: $border; width: 1px; height: 1px; } QMainWindow::separator:hover { background: $accent; }
QStatusBar { background: $window; } QStatusBar::item { border: none; }
QSplitter::handle { background: $border; } QSplitter::handle:hover { background: $accent; }
QDockWidget { titlebar-close-icon: none; titlebar-normal-icon: none; }
QListView, QTreeView, QTableView, QListWidget { background: $surface; color: $text; border: none; selection-background-color: $accent_soft; selection-color: $text; alternate-background-color: $window; }
QListView::item:hover { background: $hover; } QListView::item:selected { background: $accent_soft; color: $text; }
QHeaderView::section { background: $window; color: $muted; border: none; border-bottom: 1px solid $border; padding: 6px 8px; font-size: ${small}px; font-weight: 600; }
QTableView { gridline-color: $border; }
QTextBrowser { background: $surface; border: none; padding: 8px 12px; }
QScrollArea { background: transparent; border: none; }

QWidget[surface="window"] { background: $window; } QWidget[surface="surface"] { background: $surface; }
QWidget[surface="sunken"] { background: $sunken; }
QFrame[surface="card"] { background: $raised; border: 1px solid $border; border-radius: 8px; }
QFrame[floating="true"] { border: 1px solid $border_strong; }
QFrame[surface="card"] QListWidget { background: transparent; }
QFrame[edge="right"] { border-right: 1px solid $border; } QFrame[edge="left"] { border-left: 1px solid $border; }
QFrame[edge="top"] { border-top: 1px solid $border; } QFrame[edge="bottom"] { border-bottom: 1px solid $border; }
QFrame[surface="popup"] { background: $raised; border: 1px solid $border_strong; border-radius: 6px; }
QFrame[role="divider"] { background: $border_strong; }
QFrame[level="info"] { background: $accent_soft; border-radius: 6px; } QFrame[level="success"] { background: $success_soft; border-radius: 6px; }
QFrame[level="warning"] { background: $warning_soft; border-radius: 6px; } QFrame[level="error"] { background: $error_soft; border-radius: 6px; }
QFrame[level="info"] QLabel { color: $text; } QFrame[level="warning"] QLabel { color: $warning; }
QFrame[level="error"] QLabel { color: $error; } QFrame[level="success"] QLabel { color: $success; }
""")


def style_sheet(colours: Mapping[str, str], fonts: Mapping[str, int], icon_folder: str) -> str:
    """The sheet for one theme. `icon_folder` holds `up.svg`, `down.svg` and `check.svg` in the theme's colours."""
    sizes = {name: str(size) for name, size in fonts.items()}
    return _TEMPLATE.substitute(colours, **sizes, icons=icon_folder)
