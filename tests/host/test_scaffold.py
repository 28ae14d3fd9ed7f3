"""`glassbox new-plugin`: what it writes works, from the manifest to the panel."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from studio.engine import Done, JobContext, Metric
from studio.host.atomic import FileUnwritable
from studio.host.discovery import USER_PREFIX, Discovered, discover, load_job, load_panel
from studio.host.export import ExportService
from studio.host.results import ResultsStore
from studio.host.scaffold import ScaffoldError, plugin_id, write_plugin


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[Discovered]:
    write_plugin("My Walk", tmp_path)
    (found,) = discover(tmp_path, enabled=True, entry_points=[])
    yield found
    for name in [name for name in sys.modules if name.startswith(USER_PREFIX)]:
        del sys.modules[name]


def test_the_manifest_is_good(plugin: Discovered) -> None:
    assert plugin.usable and plugin.manifest is not None
    assert (plugin.manifest.id, plugin.manifest.title, plugin.manifest.source) == ("my_walk", "My walk", "user")
    assert plugin.manifest.help_path is not None and "My walk" in plugin.manifest.help_path.read_text("utf-8")


def test_the_job_runs_and_keeps_its_result(plugin: Discovered, tmp_path: Path) -> None:
    request_class, job = load_job("my_walk", [plugin])
    store = ResultsStore(tmp_path / "results")
    request = request_class.checked(steps=50, seed=3)
    generator = job(request, JobContext(services={"results": store}))
    events = []
    while True:
        try:
            events.append(next(generator))
        except StopIteration as stop:
            summary = stop.value
            break
    assert sum(isinstance(event, Metric) for event in events) == 50
    (record,) = store.records()
    assert record.kind == "my_walk" and request_class.from_json(record.request) == request
    assert record.metrics == summary and record.files["walk.csv"].read_text().count("\n") == 52
    store.close()


class Context:
    """Stands in for PanelContext: remembers what was submitted."""

    def __init__(self) -> None:
        self.submitted: list[Any] = []

    def attach(self, panel: Any) -> None:
        self.panel = panel

    def submit(self, job: Any, request: Any, **options: Any) -> None:
        self.submitted.append((job, request, options))


def test_the_panel_opens_runs_and_exports(plugin: Discovered, qtbot: Any, tmp_path: Path) -> None:
    assert plugin.manifest is not None
    context = Context()
    panel = load_panel(plugin.manifest)(context)
    qtbot.addWidget(panel)
    panel.build()
    panel.resize(900, 500)
    panel.show()
    qtbot.waitExposed(panel)
    assert panel.exportables() == []
    panel.restore({"request": {"steps": 30, "seed": 9}})
    panel.run()
    ((job, request, options),) = context.submitted
    assert (request.steps, request.seed, options["replace"]) == (30, 9, "run")
    for event in job(request, JobContext()):
        panel.on_event(None, event)
    panel.on_event(None, Done({"end": 0.5}))
    assert "end: 0.5" in panel.facts.text() and panel.state()["request"]["seed"] == 9
    assert panel.restore_request("my_walk", {"steps": 40, "nonsense": 1}) and panel.state()["request"]["steps"] == 40
    service = ExportService()
    curve, table = panel.exportables()
    assert service.save(curve, tmp_path / "curve.svg").read_text("utf-8").startswith("<?xml")
    assert service.save(table, tmp_path / "walk.csv").read_text().splitlines()[0] == "step,x"
    panel.curves.clear()
    panel.demo()
    assert len(panel.curves.data()["x"][0]) == 200


def test_the_code_is_valid_python(plugin: Discovered) -> None:
    assert plugin.folder is not None
    for path in plugin.folder.glob("*.py"):
        text = path.read_text("utf-8")
        ast.parse(text)
        assert "@" not in text.replace("@dataclass", "") and max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize("name", ["", "3d", "../evil", "a/b", "ä", "x" * 41, "con\0", "a.b", "-", "class", "☃"])
def test_bad_names_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ScaffoldError):
        write_plugin(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_names_become_ids() -> None:
    assert plugin_id("My Cool-Panel_2") == "my_cool_panel_2"


def test_taken_names_and_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_plugin("walk", tmp_path)
    with pytest.raises(ScaffoldError, match="exists already"):
        write_plugin("Walk", tmp_path)
    with pytest.raises(ScaffoldError, match="installed plugin"):
        write_plugin("generate", tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(FileUnwritable):
        write_plugin("other", tmp_path / "file")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "walk"]
