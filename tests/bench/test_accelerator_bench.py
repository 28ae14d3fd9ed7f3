"""That both libraries are given the same work, on whatever machine the tests run."""

from __future__ import annotations

import pytest
import torch

from studio.ml.diffusion.unet import UNet
from tests.bench import accelerator

SMALL = accelerator.SMALL


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # diffusers with numpy 2
def test_both_networks_are_of_one_size():
    own = accelerator.our_network(SMALL, "cpu", torch.float32)
    peer = accelerator.their_network(SMALL, "cpu", torch.float32)
    sizes = [sum(parameter.numel() for parameter in net.parameters()) for net in (own, peer)]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.02)
    work = [accelerator.flops(net, SMALL, "cpu", torch.float32) for net in (own, peer)]
    assert work[0] == pytest.approx(work[1], rel=0.02)


def test_glide_load_is_the_size_of_the_released_base():
    with torch.device("meta"):
        net = UNet(accelerator.GLIDE.shape)
    assert sum(parameter.numel() for parameter in net.parameters()) == pytest.approx(3.0e8, rel=0.05)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_every_way_is_timed_and_ours_draw_the_same():
    figures = list(accelerator.figures(SMALL, "cpu"))
    times = [figure for figure in figures if figure.unit == "ms/picture"]
    assert len(times) == 3 and "eager float32" in times[0].name and "diffusers" in times[-1].name
    assert all(figure.value > 0 and "no accelerator here" in figure.note for figure in times)
    (difference,) = [figure for figure in figures if figure.limit is not None]
    assert difference.ok and "channels last" in difference.name
