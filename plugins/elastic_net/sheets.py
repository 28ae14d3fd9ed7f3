"""Tables of what was fitted, for files."""

from __future__ import annotations

from typing import Any

from studio.host.export import Table
from studio_plugins.elastic_net.results import Answer, Known, Validated


def coefficient_table(answer: Answer) -> Table:
    """A row for each feature (and class): its coefficient as fitted, and for the feature in its own unit."""
    problem = answer.problem
    raw, _ = answer.fit.raw(problem)
    columns: dict[str, list[Any]] = {"feature": [], "standardised": [], "raw": []}
    if problem.outputs > 1:
        columns = {"class": [], **columns}
    if answer.known.truth is not None:
        columns["truth (standardised)"] = []
    for k in range(problem.outputs):
        for j, name in enumerate(problem.names):
            if problem.outputs > 1:
                columns["class"].append(problem.classes[k])
            columns["feature"].append(name)
            columns["standardised"].append(float(answer.fit.coef[k, j]))
            columns["raw"].append(float(raw[k, j]))
            if answer.known.truth is not None:
                columns["truth (standardised)"].append(float(answer.known.truth[k, j]))
    return Table(columns)


def path_table(known: Known) -> Table:
    """A row for each λ: what is explained, and every standardised coefficient."""
    path, problem = known.path, known.problem
    columns: dict[str, Any] = {
        "lambda": path.strengths.tolist(), "explained": path.explained.tolist(),
        "nonzero": path.nonzero().astype(int).tolist(),
    }  # fmt: skip
    for k in range(problem.outputs):
        for j, name in enumerate(problem.names):
            title = f"{name} ({problem.classes[k]})" if problem.outputs > 1 else name
            columns[_free(title, columns)] = path.coef[:, k, j].tolist()
    return Table(columns)


def validation_table(validated: Validated) -> Table:
    """A row for each λ: the mean held-out error, its standard error, and the error of every fold."""
    curve = validated.curve
    columns = {"lambda": curve.strengths, "mean": curve.mean, "standard error": curve.standard_error}
    folds = {f"fold {i + 1}": errors for i, errors in enumerate(curve.errors)}
    return Table({name: values.tolist() for name, values in {**columns, **folds}.items()})


def _free(name: str, taken: dict[str, Any]) -> str:
    """The name, changed where a column has it already."""
    while name in taken:
        name += "'"
    return name
