"""Any JSON at the door of `glassbox run`: a request that runs, or one line that says why not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.__main__ import main
from studio.cli.errors import CommandError
from studio.cli.run import build_request, read_source
from studio.host.request import RequestError
from studio.host.results import ResultsStore
from studio_plugins.generate.request import GenerateRequest
from studio_plugins.generate.sweep_request import SweepRequest
from tests.e2e.helpers import write_plugin

PANEL = """
from typing import ClassVar, Literal
from studio.engine import Progress
from studio.host.request import Request, ui

class R(Request):
    kind: ClassVar[str] = "door"
    count: int = ui(1, title="Count", ge=0, le=9)
    scale: float = ui(1.0, title="Scale", ge=0.0, le=2.0)
    word: str = ui("", title="Word", max_length=20)
    mode: Literal["a", "b"] = ui("a", title="Mode", choices={"a": "A", "b": "B"})
    ids: tuple[int, ...] = ()

def job(request, ctx):
    yield Progress(1, 1)
    ctx.services["results"].add("door", request, {"a.txt": b"x"})
"""
SMALL = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30)
    | st.sampled_from([10**30, -(10**400), 2**53, "1", "1e400", "\udc80", "\0", "a" * 10_001, {"$ref": "#"}])
)  # fmt: skip
anything = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3), max_leaves=6)


def fields_of(names: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    """Some of these fields with any value, and now and then a field nobody knows."""
    return st.dictionaries(st.sampled_from([*names, "mystery", ""]), anything, max_size=4)


def written(path: Path, content: object) -> Path:
    path.write_bytes(json.dumps(content).encode("utf-8", "surrogatepass"))
    return path


@given(fields=fields_of(["count", "scale", "word", "mode", "ids"]))
@SMALL
def test_any_fields_run_or_are_refused_in_one_line(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], fields: dict[str, Any]
) -> None:
    if not (data_dir / "plugins" / "door").exists():
        write_plugin(data_dir, "door", PANEL)
    request = written(tmp_path / "request.json", {"kind": "door", **fields})
    before = len(list((data_dir / "results" / "records").glob("*")))
    status = main(["run", str(request), "--data-dir", str(data_dir), "--device", "cpu", "--quiet"])
    told = capsys.readouterr()
    store = ResultsStore(data_dir / "results")
    count = store.count()
    store.close()
    assert (status, count) in ((0, before + 1), (1, before))
    if status:
        assert told.err.startswith("glassbox: ") and "Traceback" not in told.err and told.out == ""


@given(raw=st.binary(max_size=200) | anything.map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass")))
@SMALL
def test_any_file_is_an_order_or_is_refused_naming_the_file(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "request.json"
    path.write_bytes(raw)
    try:
        order = read_source(path)
    except CommandError as error:
        assert "request.json" in str(error)
    else:
        assert order.kind and isinstance(order.fields, dict)


@pytest.mark.parametrize("model", [GenerateRequest, SweepRequest])
@given(data=st.data())
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_fields_make_a_request_that_survives_json_or_a_sentence(tmp_path: Path, model: Any, data: st.DataObject) -> None:
    fields = data.draw(fields_of([*model.model_fields]))
    if model is SweepRequest and data.draw(st.booleans()):
        names = st.sampled_from([*GenerateRequest.model_fields, "x"])
        fields["axes"] = data.draw(st.lists(st.fixed_dictionaries({"field": names | anything, "values": st.lists(scalars, max_size=3)}), max_size=3))
    try:
        order = read_source(written(tmp_path / "request.json", {"kind": model.kind, **fields}))
        request = build_request(model, order)
    except (CommandError, RequestError) as error:
        assert 10 < len(str(error)) < 5_000
    else:
        assert type(request).from_json(request.to_json()) == request
