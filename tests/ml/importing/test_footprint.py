"""The memory estimate: exact where a closed form is known, and within the bounds of the layout for whole networks."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from studio.ml.importing.footprint import activation_bytes
from studio.ml.importing.needs import memory_of
from studio.ml.importing.published import published

FLOAT = 4


def meta(net: nn.Module, *shape: int, grad: bool = False) -> tuple[nn.Module, Tensor]:
    return net.to("meta").requires_grad_(False), torch.zeros(shape, device="meta", requires_grad=grad)


def test_two_convolutions_need_input_and_output_of_the_larger() -> None:
    """Alive at once: 8 channels before and after the rectifier, 16x16 each; the first input is the caller's."""
    net, x = meta(nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 3, padding=1)), 1, 3, 16, 16)
    assert activation_bytes(net, lambda: net(x)) == (8 + 8) * 16 * 16 * FLOAT


def test_views_and_work_in_place_cost_nothing() -> None:
    net, x = meta(nn.Linear(4, 100), 10, 4)
    assert activation_bytes(net, lambda: net(x).view(100, 10).t().relu_()[:3]) == 10 * 100 * FLOAT


def test_a_gradient_keeps_every_activation() -> None:
    """Ten rectifiers keep ten results; without the gradient two are alive at once."""
    net, x = meta(nn.Sequential(*[nn.ReLU() for _ in range(10)]), 1000, grad=True)
    assert activation_bytes(net, lambda: net(x)) == 2 * 1000 * FLOAT
    assert activation_bytes(net, lambda: net(x), gradient_of=x) >= 10 * 1000 * FLOAT


@pytest.mark.parametrize("batch", [1, 3])
def test_attention_writes_its_matrix_out(batch: int) -> None:
    """Scores and their softmax, 50 x 50 a picture, are alive together, with nothing else but copies of the input."""
    net, x = meta(nn.Identity(), batch, 50, 8)
    matrix = batch * 50 * 50 * FLOAT
    found = activation_bytes(net, lambda: (x @ x.transpose(1, 2)).softmax(-1) @ x)
    assert 2 * matrix <= found <= 2 * (matrix + x.numel() * FLOAT)


def test_published_networks_need_what_their_layout_says() -> None:
    """Bounds from the layout: at least three tensors of the widest level alive, and at most a hundred."""
    for network in published():
        if network.name in ("glide-upsample", "adm-512"):
            memory, side = memory_of(network), network.image_size
            wide = 2 * 192 if network.name == "glide-upsample" else 128
            assert 3 * wide * side**2 * FLOAT < memory.activations < 100 * wide * side**2 * FLOAT
            assert memory.weights == 4 * network.parameters and memory.half == memory.single // 2
