from __future__ import annotations

import pytest
from studio.host.request import RequestError
from studio_plugins.generate.request import GenerateRequest
from studio_plugins.generate.sweep_request import MAX_CELLS, SweepRequest


def test_a_request_survives_json_and_compares_by_value():
    request = GenerateRequest(prompt="two cats", seed=2**53 - 1, sampler="ddim", eta=0.5)
    assert GenerateRequest.from_json(request.to_json()) == request
    assert request != GenerateRequest(prompt="two cats")


@pytest.mark.parametrize(
    "bad",
    [
        {"seed": -1},
        {"seed": 2**53},
        {"seed": "x"},
        {"prompt": "a" * 10_000},
        {"steps": 0},
        {"batch": 65},
        {"sampler": "euler"},
        {"guidance_scale": float("nan")},
        {"model": ""},
        {"model_sha256": "abc"},
        {"surprise": 1},
    ],
)
def test_bad_values_are_refused_naming_the_field(bad):
    with pytest.raises(RequestError) as caught:
        GenerateRequest.checked(**bad)
    assert set(caught.value.fields) == set(bad)


def test_an_empty_prompt_is_the_unconditional_model():
    assert GenerateRequest(prompt=" \n").unconditional
    assert not GenerateRequest(prompt="a cat").unconditional


def test_cells_run_row_by_row_with_the_first_axis_along_the_columns():
    sweep = SweepRequest.checked(
        base=GenerateRequest(batch=4),
        axes=[{"field": "guidance_scale", "values": [1, 2, 3]}, {"field": "sampler", "values": ["ddim", "ddpm"]}],
    )
    assert sweep.shape == (2, 3)
    cells = list(sweep.cells())
    assert [(r, c, q.guidance_scale, q.sampler) for r, c, q in cells][:4] == [
        (0, 0, 1.0, "ddim"),
        (0, 1, 2.0, "ddim"),
        (0, 2, 3.0, "ddim"),
        (1, 0, 1.0, "ddpm"),
    ]
    assert {q.batch for _, _, q in cells} == {1}
    assert SweepRequest.from_json(sweep.to_json()) == sweep


def test_another_model_in_a_cell_does_not_keep_the_digest_of_the_base():
    sweep = SweepRequest.checked(
        base=GenerateRequest(model="one", model_sha256="0" * 64), axes=[{"field": "model", "values": ["one", "two"]}]
    )
    assert [q.model_sha256 for _, _, q in sweep.cells()] == ["0" * 64, ""]


@pytest.mark.parametrize(
    ("axes", "says"),
    [
        ([], "one or two settings"),
        ([{"field": "steps", "values": [1]}] * 3, "one or two settings"),
        ([{"field": "steps", "values": [1]}] * 2, "two different"),
        ([{"field": "batch", "values": [1]}], "not a setting"),
        ([{"field": "nonsense", "values": [1]}], "not a setting"),
        ([{"field": "steps", "values": []}], "at least one value"),
        ([{"field": "steps", "values": [5, 0]}], "too small"),
        (
            [{"field": "seed", "values": list(range(MAX_CELLS))}, {"field": "steps", "values": [1, 2]}],
            "too many for one grid",
        ),
    ],
)
def test_a_sweep_that_cannot_run_is_refused_before_it_starts(axes, says):
    with pytest.raises(RequestError, match=says):
        SweepRequest.checked(base=GenerateRequest(), axes=axes)
