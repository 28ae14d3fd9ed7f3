"""The desktop files agree with one another and with the application."""

from __future__ import annotations

import configparser
import runpy
import tomllib
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
LINUX = ROOT / "packaging" / "linux"


@pytest.fixture(scope="module")
def app_id() -> str:
    return str(runpy.run_path(str(ROOT / "packaging" / "icons.py"))["APP_ID"])


def test_the_desktop_entry_starts_the_console_entry(app_id: str) -> None:
    entry = configparser.ConfigParser(interpolation=None)
    entry.optionxform = str  # type: ignore[assignment, method-assign]
    entry.read(LINUX / f"{app_id}.desktop", encoding="utf-8")
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    assert entry["Desktop Entry"]["Exec"] in scripts
    assert entry["Desktop Entry"]["Icon"] == entry["Desktop Entry"]["StartupWMClass"] == app_id


def test_the_description_names_the_same_application(app_id: str) -> None:
    root = ElementTree.parse(LINUX / f"{app_id}.metainfo.xml").getroot()
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert "." in (root.findtext("id") or ""), "AppStream wants a reverse domain name"
    assert root.findtext("launchable") == f"{app_id}.desktop"
    assert [release.get("version") for release in root.iter("release")][0] == version


def test_the_window_belongs_to_the_desktop_entry(app_id: str) -> None:
    """Otherwise Wayland shows no icon."""
    assert f'setDesktopFileName("{app_id}")' in (ROOT / "studio" / "app.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("size", [16, 22, 24, 32, 48, 64, 128, 256, 512])
def test_every_icon_size_is_drawn(app_id: str, size: int) -> None:
    with Image.open(LINUX / "icons" / "hicolor" / f"{size}x{size}" / "apps" / f"{app_id}.png") as icon:
        assert icon.size == (size, size)
        assert icon.mode == "RGBA"
        assert icon.getpixel((0, 0))[3] == 0, "round corners are clear"
        red, green, blue, alpha = icon.getpixel((size // 2, size * 5 // 8))
        assert alpha == 255 and red > 200 and red > blue, "the lit node in the middle"
