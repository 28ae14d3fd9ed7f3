"""Networks: their start, their shapes, their twins in numpy, and their parameters as one vector."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
import torch
from torch import nn

from studio.ml.rl.deep.base import generator
from studio.ml.rl.deep.networks import Flat, Tanh, body, convolutions, linear, mlp, parameters_of
from studio.ml.rl.deep.plain import Plain, choose, softmax
from studio.ml.rl.errors import BadSetting


def test_orthogonal_layers_are_orthogonal_and_uniform_ones_within_their_bounds() -> None:
    first = linear(64, 32, generator(0, "w"))
    torch.testing.assert_close(first.weight @ first.weight.T, 2 * torch.eye(32), atol=1e-5, rtol=0)
    assert not first.bias.any()
    second = linear(64, 3200, generator(0, "w"), "uniform")
    assert 0.99 / 8 < second.weight.max() <= 1 / 8 and -1 / 8 <= second.bias.min() < -0.9 / 8


def test_equal_streams_give_equal_networks_and_the_global_one_is_left_alone() -> None:
    before = torch.random.get_rng_state()
    nets = [mlp(4, (8, 8), 2, generator(seed, "w")) for seed in (0, 0, 1)]
    convolutions((3, 8, 8), generator(0, "w"))
    assert torch.equal(torch.random.get_rng_state(), before)
    a, b, c = ([p.detach().clone() for p in net.parameters()] for net in nets)
    assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True)) and not torch.equal(a[0], c[0])


def test_the_nature_network_has_the_published_layers() -> None:
    net = convolutions((4, 84, 84), generator(0, "w"))
    shapes = [tuple(p.shape) for p in net.parameters() if p.ndim > 1]
    assert shapes == [(32, 4, 8, 8), (64, 32, 4, 4), (64, 64, 3, 3), (512, 3136)]
    pixels = torch.randint(256, (2, 4, 84, 84), dtype=torch.uint8, generator=generator(0, "pixels"))
    torch.testing.assert_close(net(pixels), net[1:](pixels.float() / 255))


@pytest.mark.parametrize("shape", [(3, 7, 7), (1, 1, 1), (3, 2, 5), (3, 36, 40), (3, 20, 35), (1, 35, 84)])
def test_pictures_of_any_size_become_features(shape: tuple[int, ...]) -> None:
    assert convolutions(shape, generator(0, "w"))(torch.zeros(2, *shape, dtype=torch.uint8)).shape == (2, 512)


def test_states_are_rows_with_a_single_one() -> None:
    net, width = body("discrete", (), 5, (), generator(0, "w"))
    assert width == 5 and torch.equal(net(torch.tensor([0, 3])), torch.eye(5)[[0, 3]])
    with pytest.raises(BadSetting, match="sound"):
        body("sound", (), None, (), generator(0, "w"))


def test_tanh_and_its_slope_are_torchs() -> None:
    x = torch.linspace(-12, 12, 1001, requires_grad=True)
    y = x.detach().clone().requires_grad_()
    ours, theirs = Tanh()(x), torch.tanh(y)
    torch.testing.assert_close(ours, theirs, atol=2e-7, rtol=0)
    for output in (ours, theirs):
        output.cos().sum().backward()
    torch.testing.assert_close(x.grad, y.grad, atol=1e-6, rtol=0)
    wide = torch.randn(3, 5, dtype=torch.float64, generator=generator(0, "x"), requires_grad=True)
    assert torch.autograd.gradcheck(Tanh(), (wide,))


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("kind", ["vector", "discrete"])
def test_numpy_evaluates_the_same(activation: str, kind: str) -> None:
    stream = generator(0, "w")
    net, width = body(kind, (2, 3), 6, (64, 32), stream, activation=activation, start="uniform")
    net.append(linear(width, 4, stream))
    seen = torch.randn(9, 2, 3, generator=stream) if kind == "vector" else torch.randint(6, (9,), generator=stream)
    live, frozen = Plain(net), Plain(net, frozen=True)
    before = net(seen).detach().numpy()
    np.testing.assert_allclose(live(seen.numpy()), before, atol=1e-6)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(1.5)
    np.testing.assert_allclose(live(seen.numpy()), net(seen).detach().numpy(), atol=1e-5)
    np.testing.assert_allclose(frozen(seen.numpy()), before, atol=1e-6)
    with pytest.raises(TypeError, match="Conv2d"):
        Plain(convolutions((1, 3, 3), stream)[1])


def test_draws_choose_each_action_as_often_as_it_is_likely() -> None:
    p = softmax(np.log(np.array([[0.2, 0.0001, 0.7999]], np.float32)))
    np.testing.assert_allclose(p, [[0.2, 0.0001, 0.7999]], atol=1e-7)
    u = (np.arange(10_000) + 0.5) / 10_000
    counts = np.bincount(choose(np.repeat(p, len(u), 0), u), minlength=3)
    assert counts.tolist() == [2000, 1, 7999]
    assert choose(np.array([[0.5, 0.5 - 1e-12]]), np.array([1 - 2**-53])).tolist() == [1]


def test_one_vector_holds_every_parameter_and_its_gradient() -> None:
    stream = generator(0, "w")
    net = mlp(3, (5,), 2, stream)
    plain = mlp(3, (5,), 2, generator(0, "w"))
    flat, x = Flat(net), torch.randn(4, 3, generator=stream)
    ours, theirs = torch.optim.Adam([flat.vector], 0.01, fused=True), torch.optim.Adam(plain.parameters(), 0.01)
    for _ in range(5):
        flat.gradient.zero_()
        theirs.zero_grad()
        for network in (net, plain):
            network(x).square().sum().backward()
        length = nn.utils.clip_grad_norm_(plain.parameters(), 0.1)
        assert flat.clip(0.1) == pytest.approx(float(length), rel=1e-5)
        ours.step()
        theirs.step()
    for name, array in parameters_of(net).items():
        np.testing.assert_allclose(array, plain.state_dict()[name].numpy(), atol=1e-6)
    assert flat.finite()
    net.load_state_dict({name: torch.full_like(p, sqrt(2)) for name, p in net.state_dict().items()})
    assert (flat.vector == sqrt(2)).sum() == sum(p.numel() for p in net.parameters())
    with torch.no_grad():
        net[0].bias[0] = torch.nan
    assert not flat.finite()
