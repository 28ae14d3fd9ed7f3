"""Where the parts of a layer stand: nothing on top of another, everything below what it needs."""

from __future__ import annotations

import pytest
from studio.ml.anatomy.building import Change
from studio.ml.anatomy.examining import measure, open_anatomy
from studio.ml.anatomy.presets import preset
from studio_plugins.anatomy.diagram_layout import layout
from studio_plugins.anatomy.diagram_page import part_lines
from studio_plugins.anatomy.formulas import formula, numbers, values


@pytest.mark.parametrize(
    ("name", "at"),
    [("bert-base", 0), ("gpt2", 0), ("qwen3-8b", 0), ("gemma2-9b", 0), ("t5-small", 0), ("t5-small", 1),
     ("bart-large", 1), ("whisper-tiny", 1), ("gpt-neox-20b", 0), ("dinov2-base", 0), ("clip-b32", 1)],
)  # fmt: skip
def test_every_layer_has_a_place_for_every_part(name, at):
    stack = open_anatomy(preset(name)).stacks[at]
    stack = stack.scaled(stack.block.width, 2, stack.block.heads)
    diagram = measure(preset(name), stack.path, 16, 1, Change(stack.path, stack.kind, 2, stack.block)).diagram
    places = layout(diagram)
    for source, target in diagram.edges:
        assert places[source].row < places[target].row
    for row in {place.row for place in places}:
        columns = sorted(place.column for place in places if place.row == row)
        assert all(second - first > 0.99 for first, second in zip(columns, columns[1:], strict=False))
    assert max(place.column for place in places) - min(place.column for place in places) <= 2.5
    assert diagram.parts[-1].kind == "output" and places[-1].row == max(place.row for place in places)
    for part in diagram.parts:
        assert formula(part) and part_lines(part)[0]
        assert all(f"${key}" in numbers(part) for key in values(part))
        if part.kind == "linear":
            rows = 1
            for side in part.inputs[0][:-1]:
                rows *= side
            assert part.flops == 2 * rows * part.inputs[0][-1] * part.output[-1]
