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
def test_every_way_runs_and_is_named():
    names = []
    for name, loop in accelerator.loops(SMALL, "cpu"):
        loop()
        names.append(name)
    assert len(names) == 3 and "float32" in names[0] and "diffusers" in names[-1]
