"""Plugins: manifests read without an import, broken ones stay listed, errors keep their traceback."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.host.discovery import (
    GROUP, USER_PREFIX, Discovered, PluginError, discover, load_job, load_panel, load_request, missing_requirements,
)  # fmt: skip
from studio.host.manifest import ManifestError, parse_manifest, read_manifest

TOML = (
    'id = "{id}"\ntitle = "{id} title"\nentry = "panel:P"\norder = {order}\n'
    '[jobs]\n"{id}" = "work:run"\n[requests]\n"{id}" = "work:R"\n'
)
WORK = (
    "from typing import ClassVar\nfrom studio.host.request import Request, ui\n"
    "class R(Request):\n    kind: ClassVar[str] = '{id}'\n    x: int = ui(1, title='X')\n"
    "def run(request, ctx):\n    yield request.x\n"
)


def make(
    parent: Path, name: str, *, order: int = 1, panel: str = "class P: pass\n", toml: str = "", work: str = ""
) -> Path:
    folder = parent / name
    folder.mkdir(parents=True)
    (folder / "plugin.toml").write_text(toml or TOML.format(id=name, order=order))
    (folder / "panel.py").write_text(panel)
    (folder / "work.py").write_text(work or WORK.format(id=name))
    return folder


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    yield
    for name in [name for name in sys.modules if name.startswith((USER_PREFIX, "installed_sample"))]:
        del sys.modules[name]


def user(folder: Path, **options: object) -> list[Discovered]:
    return discover(folder, enabled=True, entry_points=[], **options)  # type: ignore[arg-type]


def test_builtin_plugins_are_listed_without_importing_them() -> None:
    code = (
        "import sys\nfrom studio.host.discovery import discover\nfound = discover()\n"
        "assert {'generate', 'inspector'} <= {f.name for f in found}, found\n"
        "bad = [m for m in sys.modules if m.partition('.')[0] in ('studio_plugins', 'torch', 'PySide6', 'diffusers')]\n"
        "assert not bad, bad"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_user_plugins_are_off_until_enabled(tmp_path: Path) -> None:
    make(tmp_path, "alpha")
    assert discover(tmp_path, entry_points=[]) == []
    (found,) = user(tmp_path)
    assert found.usable and found.source == "user" and found.folder == tmp_path / "alpha"
    assert user(tmp_path / "missing") == []
    (tmp_path / "file").write_text("")
    (bad,) = user(tmp_path / "file")
    assert not bad.usable and bad.error is not None and "cannot be read" in bad.error


def test_order_disabled_and_hidden_folders(tmp_path: Path) -> None:
    for name, order in (("beta", 2), ("alpha", 2), ("gamma", 1), (".hidden", 0), ("_private", 0)):
        make(tmp_path, name, order=order, toml=TOML.format(id=name.strip("._"), order=order))
    make(tmp_path, "broken", toml="id = ")
    found = user(tmp_path, disabled=["beta"])
    assert [f.name for f in found] == ["gamma", "alpha", "beta", "broken"]
    assert [f.usable for f in found] == [True, True, False, False]
    assert found[2].disabled and found[2].error is None
    assert found[3].manifest is None and "not valid TOML" in (found[3].error or "")


def test_ids_and_job_kinds_are_unique(tmp_path: Path) -> None:
    make(tmp_path, "one")
    make(tmp_path, "two", toml=TOML.format(id="one", order=0))
    make(tmp_path, "zwei", toml=TOML.format(id="one", order=0).replace('id = "one"', 'id = "zwei"'))
    found = {f.name: f for f in user(tmp_path)}
    assert found["one"].usable
    assert "id “one” already belongs" in (found["two"].error or "")
    assert "job kind “one” already belongs to “one”" in (found["zwei"].error or "")
    with pytest.raises(PluginError, match="No plugin offers"):
        load_job("zwei", user(tmp_path))


def test_load_panel_request_and_job(tmp_path: Path) -> None:
    make(tmp_path, "alpha", panel="from .work import R\nclass P:\n    request = R\n")
    found = user(tmp_path)
    assert found[0].manifest is not None
    before = list(sys.path)
    panel = load_panel(found[0].manifest)
    request, job = load_job("alpha", found)
    assert panel.request is request is load_request("alpha", found)
    assert list(job(request(x=4), None)) == [4]
    assert panel.__module__ == f"{USER_PREFIX}alpha.panel" and sys.path == before


def test_a_plugin_with_init_and_absolute_entry(tmp_path: Path) -> None:
    folder = make(tmp_path, "alpha", toml=TOML.format(id="alpha", order=1).replace("panel:P", ".panel:P"))
    (folder / "__init__.py").write_text("ANSWER = 42\n")
    (folder / "panel.py").write_text("from . import ANSWER\nclass P:\n    answer = ANSWER\n")
    (found,) = user(tmp_path)
    assert found.manifest is not None and load_panel(found.manifest).answer == 42


@pytest.mark.parametrize(
    ("panel", "words"),
    [
        ("raise RuntimeError('boom')\nclass P: pass", "RuntimeError: boom"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("class P(", "SyntaxError"),
        ("class Q: pass", "AttributeError"),
        ("import no_such_module_at_all", "ModuleNotFoundError"),
        ("P = 3", "is not a class"),
        ("assert False", "AssertionError"),
    ],
)
def test_a_plugin_that_breaks_keeps_its_traceback(tmp_path: Path, panel: str, words: str) -> None:
    folder = make(tmp_path, "alpha", panel=panel)
    (found,) = user(tmp_path)
    assert found.manifest is not None
    with pytest.raises(PluginError, match=words) as caught:
        load_panel(found.manifest)
    assert caught.value.plugin == "alpha"
    if "is not a class" not in words:
        assert "Traceback" in caught.value.details
    (folder / "panel.py").write_text("class P:\n    repaired = True\n")
    if "is not a class" not in words and "AttributeError" not in words:  # those modules were imported successfully
        import importlib

        importlib.invalidate_caches()
        assert load_panel(found.manifest).repaired


def test_an_init_that_breaks_is_tried_again(tmp_path: Path) -> None:
    folder = make(tmp_path, "alpha")
    (folder / "__init__.py").write_text("raise ValueError('bad start')")
    (found,) = user(tmp_path)
    assert found.manifest is not None
    for _ in range(2):
        with pytest.raises(PluginError, match="bad start"):
            load_panel(found.manifest)


@pytest.mark.parametrize(
    ("work", "words"),
    [
        ("R = 3\ndef run(): pass", "not a Request class"),
        (WORK.format(id="other"), "has the kind “other”"),
        (WORK.format(id="alpha") + "run = 3\n", "not a function"),
        ("1/0", "ZeroDivisionError"),
    ],
)
def test_jobs_that_do_not_fit(tmp_path: Path, work: str, words: str) -> None:
    make(tmp_path, "alpha", work=work)
    with pytest.raises(PluginError, match=words):
        load_job("alpha", user(tmp_path))


def test_missing_requirements_are_named_before_anything_is_imported(tmp_path: Path) -> None:
    toml = 'requires = ["no_such_module_x", "json"]\n' + TOML.format(id="alpha", order=1)
    make(tmp_path, "alpha", panel="raise SystemError", toml=toml)
    (found,) = user(tmp_path)
    assert found.manifest is not None and missing_requirements(found.manifest) == ["no_such_module_x"]
    with pytest.raises(PluginError, match="pip install no_such_module_x"):
        load_panel(found.manifest)


def test_installed_plugins_come_through_entry_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "installed_sample", "alpha")
    (tmp_path / "installed_sample" / "__init__.py").write_text("raise RuntimeError('imported too early')")
    monkeypatch.syspath_prepend(tmp_path)
    points = [
        EntryPoint("alpha", "installed_sample.alpha", GROUP), EntryPoint("alpha", "installed_sample.alpha", GROUP),
        EntryPoint("gone", "installed_sample.gone", GROUP), EntryPoint("nowhere", "no_such_package_y", GROUP),
        EntryPoint("odd", "..", GROUP),
    ]  # fmt: skip
    found = discover(entry_points=points)
    assert [(f.name, f.usable) for f in found] == [("alpha", True), ("gone", False), ("nowhere", False), ("odd", False)]
    assert found[0].manifest is not None and found[0].manifest.package == "installed_sample.alpha"
    with pytest.raises(PluginError, match="imported too early"):
        load_panel(found[0].manifest)
    (tmp_path / "installed_sample" / "__init__.py").write_text("")
    assert load_panel(found[0].manifest).__module__ == "installed_sample.alpha.panel"


BASE = 'id = "a"\ntitle = "A"\nentry = "panel:P"\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Title: a value is needed"),
        (BASE.replace('"a"', '"A b"'), "id: "),
        (BASE.replace('"a"', '"../x"'), "id: "),
        (BASE.replace("panel:P", "panel"), "Entry: "),
        (BASE.replace("panel:P", "os;x:P"), "Entry: "),
        (BASE + "colour = 3", "Colour: this field is unknown"),
        (BASE + 'order = "first"', "Order: “first” is not a whole number"),
        (BASE + 'folder = "/etc"', "set by the studio"),
        (BASE + '[jobs]\nrun = "work:run"', "both [jobs] and [requests]"),
        (BASE + 'requires = ["os; rm"]', "Requires: item 1"),
        (BASE + "x = " + "[" * 9000, "not valid TOML"),
        ("#" * (1 << 19), "larger than"),
    ],
)
def test_manifest_errors_name_the_key(text: str, words: str) -> None:
    with pytest.raises(ManifestError) as caught:
        parse_manifest(text.encode())
    assert words in str(caught.value)


def test_manifest_files_and_pages(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="There is no plugin.toml"):
        read_manifest(tmp_path, "p")
    (tmp_path / "plugin.toml").mkdir()
    with pytest.raises(ManifestError, match="could not be read"):
        read_manifest(tmp_path, "p")
    folder = make(tmp_path, "a", toml=BASE + 'icon = "a.svg"')
    manifest = read_manifest(folder, "p")
    assert manifest.icon_path is None and manifest.help_path is None
    (folder / "a.svg").write_text("<svg/>")
    (folder / "help.md").write_text("# A")
    assert manifest.icon_path == folder / "a.svg" and manifest.help_path == folder / "help.md"


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=120) | st.text(alphabet='idtleny="[]\n:.{}', max_size=60).map(lambda t: (BASE + t).encode()))
def test_any_bytes_give_a_manifest_or_a_manifest_error(raw: bytes) -> None:
    try:
        parse_manifest(raw)
    except ManifestError as error:
        assert str(error)
