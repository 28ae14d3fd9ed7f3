"""Tables of what is shown, for files."""

from __future__ import annotations

from studio.host.export import Table
from studio.ml.anatomy.flops import stack_cost
from studio.ml.anatomy.tree import Node
from studio_plugins.anatomy.flops_page import lengths
from studio_plugins.anatomy.results import Look
from studio_plugins.anatomy.words import shape_words


def count_table(look: Look) -> Table:
    """A row for each part: formula, counted, difference; `times` says how many layers have it."""
    lines = look.shown_anatomy.count.lines
    return Table(
        {
            "where": [line.where for line in lines], "part": [line.part for line in lines],
            "times": [line.times for line in lines], "formula": [line.symbols for line in lines],
            "with numbers": [line.numbers for line in lines], "by formula": [line.expected for line in lines],
            "counted": [line.counted for line in lines], "difference": [line.difference for line in lines],
        }
    )  # fmt: skip


def tree_table(look: Look) -> Table:
    """A row for each module and each tensor."""
    rows: list[tuple[str, str, int, int, str, str]] = []

    def visit(node: Node) -> None:
        rows.append((node.path, node.kind, node.repeat, node.parameters, "", ""))
        for weight in node.weights:
            path = f"{node.path}.{weight.name}".lstrip(".")
            kind = f"tied to {weight.tied}" if weight.tied else "tensor"
            rows.append((path, kind, 1, weight.count, shape_words(weight.shape), weight.dtype))
        for child in node.children:
            visit(child)

    visit(look.shown_anatomy.tree)
    names = ("path", "kind", "repeated", "parameters", "shape", "format")
    return Table({name: [row[i] for row in rows] for i, name in enumerate(names)})


def cost_table(look: Look) -> Table:
    """Operations of all layers over T, by the formula."""
    at = [round(value) for value in lengths()]
    if look.stack is None:
        return Table({})
    costs = [stack_cost(look.stack, tokens, look.request.batch, look.source_for(tokens)) for tokens in at]
    return Table(
        {
            "tokens": at, "projections": [cost.projections for cost in costs],
            "scores": [cost.scores for cost in costs], "feed-forward": [cost.ffn for cost in costs],
            "all": [cost.total for cost in costs],
        }
    )  # fmt: skip


def part_table(look: Look) -> Table:
    """A row for each part of the layer in the order of its calls."""
    measured = look.measured
    parts = measured.diagram.parts if measured is not None and measured.diagram is not None else ()
    return Table(
        {
            "part": [part.name for part in parts], "kind": [part.kind for part in parts],
            "module": [part.module for part in parts], "place": [part.place for part in parts],
            "output": [shape_words(part.output) for part in parts],
            "parameters": [part.parameters for part in parts], "operations": [part.flops for part in parts],
        }
    )  # fmt: skip


def run_table(look: Look) -> Table:
    """The seconds of every run that was timed."""
    seconds = look.timed.timing.seconds if look.timed is not None else ()
    return Table({"run": list(range(1, len(seconds) + 1)), "seconds of one layer": list(seconds)})
