"""Events hold values only: validated, copied, no live tensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from studio.engine import Metric, Preview, Snapshot
from studio.engine.events import refuse_tensors


def test_preview_is_a_read_only_copy() -> None:
    picture = np.zeros((4, 5, 3), np.uint8)
    preview = Preview(picture)
    picture[:] = 7
    assert preview.array.max() == 0
    with pytest.raises(ValueError, match="read-only"):
        preview.array[0] = 1


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 4), (4, 5, 1), (2, 2, 4, 5, 3), ()])
def test_preview_refuses_other_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="HxWx3"):
        Preview(np.zeros(shape, np.uint8))


def test_preview_refuses_other_types() -> None:
    with pytest.raises(ValueError, match="float64"):
        Preview(np.zeros((4, 5, 3)))
    with pytest.raises(TypeError, match="cpu"):
        Preview([[[0, 0, 0]]])  # type: ignore[arg-type]


def test_metric_takes_any_number_and_keeps_floats() -> None:
    metric = Metric("loss", np.int64(3), np.float32(0.5))  # type: ignore[arg-type]
    assert (type(metric.x), type(metric.y)) == (float, float)


def test_snapshot_copies_arrays_inside_containers() -> None:
    norms = np.arange(3.0)
    snapshot = Snapshot("norms", {"a": [norms], "b": (norms, "text")})
    norms[:] = -1
    assert snapshot.data["a"][0].tolist() == [0, 1, 2]
    assert snapshot.data["b"][0].tolist() == [0, 1, 2]
    assert not snapshot.data["b"][0].flags.writeable


@dataclass(frozen=True)
class Holder:
    value: Any


def test_live_tensors_are_refused_wherever_they_hide() -> None:
    import torch

    tensor = torch.zeros(2)
    for data in (tensor, [tensor], {"x": (1, tensor)}, Holder([tensor]), torch.nn.Parameter(tensor)):
        with pytest.raises(TypeError, match="detach"):
            Snapshot("x", data)
        with pytest.raises(TypeError, match="detach"):
            refuse_tensors(data)
    refuse_tensors(Holder(tensor.numpy()))
