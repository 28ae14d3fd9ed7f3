"""The jobs without a window: what the command line runs, and that steps are told on the way."""

from __future__ import annotations

import json

import pytest
from studio.engine import JobContext, Progress, run_inline
from studio.host.request import RequestError
from studio.host.results import ResultsStore
from studio.ml.anatomy.errors import NotAModel
from studio_plugins.anatomy import jobs
from studio_plugins.anatomy.request import AnatomyRequest


def test_a_request_is_opened_counted_and_kept(tmp_path):
    store = ResultsStore(tmp_path / "results")
    told = []
    request = AnatomyRequest(model="preset:gpt2", tokens=128, layers=2)
    kept = run_inline(
        jobs.anatomy, request, context=JobContext(services={"results": store}), on_event=told.append
    )
    found = json.loads(store.files(kept.record_id)["anatomy.json"].read_text(encoding="utf-8"))
    d = 768
    assert found["hypothetical"] and found["operations_by_formula"] == 2 * (24 * 128 * d * d + 4 * 128 * 128 * d)
    assert found["operations_counted"] == {"transformer.h": found["operations_by_formula"]}
    assert found["unexplained"] == 0
    assert found["parameters"] == 124_439_808 - 10 * 7_087_872 and found["cache_bytes"] == 2 * 2 * d * 128 * 2
    assert "following one layer" in [event.text for event in told if isinstance(event, Progress)]
    store.close()


@pytest.mark.parametrize("model", ["preset:no_such", "bundled:../secret", "bundled:", "bundled:.git", "/no/such/place"])
def test_names_of_nothing_are_refused(model):
    with pytest.raises(NotAModel):
        jobs.blueprint_of(model)


@pytest.mark.parametrize("fields", [{"tokens": 0}, {"batch": 0}, {"precision": "int3"}, {"width": -1}, {"heads": 1.5}])
def test_requests_that_make_no_sense_are_refused(fields):
    with pytest.raises(RequestError):
        AnatomyRequest.checked(**fields)
