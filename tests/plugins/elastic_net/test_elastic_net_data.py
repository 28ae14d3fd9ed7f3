"""From a request or a file to the data that are fitted, and what is said when that cannot be."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import pytest
from studio.engine import run_inline
from studio.host.request import RequestError
from studio.ml.linear.problem import UnfitData
from studio_plugins.elastic_net import jobs
from studio_plugins.elastic_net.request import ElasticNetRequest
from studio_plugins.elastic_net.source import load
from studio_plugins.elastic_net.table import TableUnreadable, read_table

TABLE = "id;age;city;sick\n1;30;Rome;yes\n2;41;Oslo;no\n3;;Oslo;no\n4;29;Rome;yes\n5;60;Oslo;no\n"


def own(path, target, **fields):
    return ElasticNetRequest(data="own", table=str(path), target=target, **fields)


def test_a_table_becomes_columns_of_numbers_and_text(csv):
    columns = {column.name: column for column in read_table(csv(TABLE))}
    assert list(columns) == ["id", "age", "city", "sick"]
    assert columns["age"].numeric and columns["age"].missing == 1 and np.isnan(columns["age"].values[2])
    assert not columns["city"].numeric and columns["city"].values.tolist()[:2] == ["Rome", "Oslo"]


def test_decimal_commas_are_understood(csv):
    x, y = read_table(csv("x;y\n1,5;2\n2,25;4\n"))
    assert x.values.tolist() == [1.5, 2.25] and y.values.tolist() == [2, 4]


def test_excel_and_parquet_hold_the_same_table(csv, tmp_path):
    frame = pd.read_csv(csv(TABLE), sep=";")
    frame.to_excel(tmp_path / "table.xlsx", index=False)
    frame.to_parquet(tmp_path / "table.parquet")
    expected = read_table(tmp_path / "table.csv")
    for name in ("table.xlsx", "table.parquet"):
        for found, wanted in zip(read_table(tmp_path / name), expected, strict=True):
            assert (found.name, found.numeric, found.missing) == (wanted.name, wanted.numeric, wanted.missing)


def test_dates_are_no_numbers(tmp_path):
    frame = pd.DataFrame({"when": pd.date_range("2020-01-01", periods=3), "x": [1.0, 2.0, np.inf]})
    frame.to_parquet(tmp_path / "dates.parquet")
    when, x = read_table(tmp_path / "dates.parquet")
    assert not when.numeric and x.numeric and x.missing == 1


def test_a_table_of_ones_own_is_fitted_in_the_family_of_its_response(csv):
    path = csv(TABLE)
    problem = load(own(path, "sick", without=("id",))).problem
    assert problem.family == "logistic" and problem.classes == ("no", "yes") and problem.names == ("age",)
    assert problem.n == 4 and problem.notes == (
        "“city” holds text and was left out",
        "1 of 5 rows have gaps and were left out",
    )
    assert load(own(path, "age")).problem.family == "linear"


@pytest.mark.parametrize(
    ("text", "target", "family", "words"),
    [
        ("a,b\n1,2\n", "b", "auto", "1 rows and 2 columns"),
        ("a,b\n1,x\n2,x\n3,x\n", "b", "logistic", "of the class “x”"),
        ("a,b\n1,x\n2,y\n3,x\n", "b", "linear", "text, not numbers"),
        ("a,b\nx,1\ny,2\nz,4\n", "b", "auto", "No other column holds numbers"),
        ("a,b\n7,1\n7,2\n7,4\n", "b", "auto", "Every feature is constant"),
        ("a,b\n1,1\n2,2\n3,4\n", "c", "auto", "Choose the column"),
        ("a,b\n,1\n2,\n,4\n", "b", "auto", "Only 0 rows"),
    ],
)
def test_what_cannot_be_fitted_is_said_in_words(csv, text, target, family, words):
    with pytest.raises((UnfitData, TableUnreadable), match=words):
        load(own(csv(text), target, family=family))


def test_files_that_are_no_tables_are_refused_in_words(csv, tmp_path):
    (tmp_path / "broken.xlsx").write_bytes(b"no zip")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    for name in ("broken.xlsx", "broken.parquet", "missing.csv"):
        with pytest.raises(TableUnreadable, match=name):
            read_table(tmp_path / name)
    with pytest.raises(TableUnreadable):
        read_table(csv("", "empty.csv"))


def test_a_table_that_has_changed_is_not_taken_for_the_old_one(csv):
    path = csv(TABLE)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    assert len(read_table(path, sha256)) == 4
    csv(TABLE.replace("Rome", "Bern"))
    with pytest.raises(TableUnreadable, match="has changed"):
        read_table(path, sha256)


def test_made_up_data_know_the_truth_of_the_scaled_features():
    data = load(ElasticNetRequest(data="sparse", seed=2))
    assert data.truth is not None
    noise = data.problem.y - data.problem.X @ data.truth[0]
    assert noise.std() == pytest.approx(1, abs=0.25)
    assert load(ElasticNetRequest(data="groups", family="multinomial")).problem.outputs == 3


@pytest.mark.parametrize(
    "fields", [{"mix": 1.1}, {"strength": 0.0}, {"folds": 1}, {"data": "iris"}, {"first": "a", "second": "a"}]
)
def test_requests_that_make_no_sense_are_refused(fields):
    with pytest.raises(RequestError):
        ElasticNetRequest.checked(**fields)


def test_a_request_survives_json():
    request = ElasticNetRequest(data="own", table="/t.csv", without=("a", " b ", "a"), mix=0.25)
    assert request.without == ("a", "b") and ElasticNetRequest.from_json(request.to_json()) == request


@pytest.mark.parametrize(
    ("data", "family"), [("diabetes", "linear"), ("cancer", "logistic"), ("wine", "multinomial"), ("wide", "linear")]
)
def test_every_sample_is_solved_to_the_optimum(data, family):
    request = ElasticNetRequest(data=data, count=10, strength=0.1, least=0.05)
    answer = run_inline(jobs.answer, jobs.Order(request, plane=True, updates=True))
    assert answer.problem.family == family and answer.violation < 1e-6 and answer.known.path.violation.max() < 1e-6
    assert answer.plane.touching[0].point == pytest.approx(answer.fit.coef[0, list(answer.pair)], abs=1e-3)
    assert 0 < len(answer.updates) <= jobs.MAX_UPDATES


def test_what_has_not_changed_is_not_worked_out_again():
    first = run_inline(jobs.answer, jobs.Order(ElasticNetRequest()))
    moved = run_inline(jobs.answer, jobs.Order(ElasticNetRequest(strength=0.3), first.known))
    assert moved.known is first.known and moved.penalty.strength == pytest.approx(3 * first.penalty.strength)
    mixed = run_inline(jobs.answer, jobs.Order(ElasticNetRequest(mix=0.9), first.known))
    assert mixed.known.problem is first.known.problem and mixed.known.path is not first.known.path


def test_two_features_alone_are_a_model_of_their_own():
    request = ElasticNetRequest(first="bmi", second="bp", others="left out")
    answer = run_inline(jobs.answer, jobs.Order(request, plane=True))
    assert [answer.problem.names[j] for j in answer.pair] == ["bmi", "bp"]
    held = run_inline(jobs.answer, jobs.Order(request.replace(others="held"), answer.known, plane=True))
    assert answer.plane.touching[0].point[0] > held.plane.touching[0].point[0]  # alone, bmi explains what others did
