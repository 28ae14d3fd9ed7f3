from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from studio.ml.diffusion.denoiser import ClassDenoiser, EpsDenoiser, Prediction, TextDenoiser, Velocity, WrongOutput
from studio.ml.diffusion.guidance import ClassifierFree, Unguided
from studio.ml.diffusion.noise import NoiseSource
from studio.ml.diffusion.sampler import ddpm
from studio.ml.diffusion.schedule import Schedule
from studio.ml.diffusion.unet import UNet, UNetConfig
from tests.ml.diffusion.goldens import golden_fill
from tests.ml.diffusion.tiny import tiny_net

SHAPE = (3, 16, 16)


class Linear:
    """eps = k x + t/1000 for the condition, eps = x without; counts what it is asked for."""

    def __init__(self, k: float = 2.0) -> None:
        self.k = k
        self.calls: list[str] = []

    def __call__(self, x: Tensor, t: Tensor) -> Prediction:
        self.calls.append("conditional")
        return Prediction(self.k * x + t[:, None, None, None] / 1000, 0.5 * x)

    def unconditional(self, x: Tensor, t: Tensor) -> Prediction:
        self.calls.append("unconditional")
        return Prediction(x, -0.5 * x)

    def both(self, x: Tensor, t: Tensor) -> tuple[Prediction, Prediction]:
        self.calls.append("both")
        return Prediction(self.k * x + t[:, None, None, None] / 1000, 0.5 * x), Prediction(x, -0.5 * x)


def inputs(batch: int = 2) -> tuple[Tensor, Tensor]:
    return NoiseSource(1, range(batch)).initial(SHAPE), torch.full((batch,), 500)


def text_denoiser(batch: int = 2) -> TextDenoiser:
    net = tiny_net()
    tokens = torch.arange(1, 1 + batch)[:, None].repeat(1, 8) % 7
    with torch.no_grad():
        prompt = net.encode_text(tokens, torch.ones(batch, 8, dtype=torch.bool))
        empty = net.encode_text(torch.zeros_like(tokens), torch.zeros(batch, 8, dtype=torch.bool))
    return TextDenoiser(net, prompt, empty)


@pytest.mark.parametrize("scale", [0.0, 1.0, 3.0, -2.0])
def test_the_convention(scale: float) -> None:
    x, t = inputs()
    parts = ClassifierFree(scale)(Linear(), x, t)
    assert parts.eps_uncond is not None and parts.variance is not None
    torch.testing.assert_close(parts.eps, parts.eps_uncond + scale * (parts.eps_cond - parts.eps_uncond))
    torch.testing.assert_close(parts.eps_cond, 2 * x + 0.5)
    torch.testing.assert_close(parts.eps_uncond, x)
    torch.testing.assert_close(parts.variance, 0.5 * x)  # of the conditional half


def test_scale_one_is_unguided_and_zero_unconditional_exactly() -> None:
    x, t = inputs()
    one, zero = ClassifierFree(1.0)(Linear(), x, t), ClassifierFree(0.0)(Linear(), x, t)
    assert torch.equal(one.eps, Unguided()(Linear(), x, t).eps)
    assert zero.eps_uncond is not None and torch.equal(zero.eps, zero.eps_uncond)


def test_which_halves_run() -> None:
    x, t = inputs()
    for guidance, expected in [
        (ClassifierFree(3.0), ["both"]),
        (ClassifierFree(1.0), ["both"]),
        (ClassifierFree(1.0, skip_unused=True), ["conditional"]),
        (ClassifierFree(3.0, skip_unused=True), ["both"]),
        (ClassifierFree(3.0, max_batch=4), ["both"]),
        (ClassifierFree(3.0, max_batch=3), ["conditional", "unconditional"]),
    ]:
        denoiser = Linear()
        guidance(denoiser, x, t)
        assert denoiser.calls == expected


def test_out_of_memory_falls_back_to_halves_once_and_for_all() -> None:
    class Large(Linear):
        def both(self, x: Tensor, t: Tensor) -> tuple[Prediction, Prediction]:
            self.calls.append("both")
            raise torch.OutOfMemoryError("too large")

    x, t = inputs()
    denoiser, guidance = Large(), ClassifierFree(3.0)
    first, second = guidance(denoiser, x, t), guidance(denoiser, x, t)
    assert denoiser.calls == ["both", *["conditional", "unconditional"] * 2]
    assert torch.equal(first.eps, second.eps)
    torch.testing.assert_close(first.eps, ClassifierFree(3.0)(Linear(), x, t).eps)


@torch.no_grad()
def test_one_batch_is_two_halves() -> None:
    """Within 1e-5 of the largest value: the kernels may order their sums differently for another batch size."""
    x, t = inputs()
    denoiser = text_denoiser()
    together = ClassifierFree(3.0)(denoiser, x, t)
    apart = ClassifierFree(3.0, max_batch=2)(denoiser, x, t)
    assert together.eps_uncond is not None and apart.eps_uncond is not None
    assert together.variance is not None and apart.variance is not None
    assert (together.eps_cond - together.eps_uncond).abs().max() > 1e-3  # the text does something
    for a, b in [
        (together.eps, apart.eps),
        (together.eps_cond, apart.eps_cond),
        (together.eps_uncond, apart.eps_uncond),
        (together.variance, apart.variance),
    ]:
        assert (a - b).abs().max() < 1e-5 * b.abs().max()


def test_guidance_does_not_change_the_noise() -> None:
    """Of a network deaf to its condition, guided and unguided DDPM runs are equal to the last bit."""
    noise, spaced = NoiseSource(3, range(2)), Schedule.named("linear").respace(8)

    class Deaf(Linear):
        def __call__(self, x: Tensor, t: Tensor) -> Prediction:
            return self.unconditional(x, t)

        def both(self, x: Tensor, t: Tensor) -> tuple[Prediction, Prediction]:
            prediction = self.unconditional(x, t)
            return prediction, prediction

    x = noise.initial(SHAPE)
    guided = ddpm(ClassifierFree(4.0).of(Deaf()), x, spaced, noise)
    plain = ddpm(Unguided().of(Deaf()), x, spaced, noise)
    assert all(torch.equal(a.x, b.x) for a, b in zip(guided, plain, strict=True))


def test_scale_must_be_finite() -> None:
    for scale in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="finite"):
            ClassifierFree(scale)


def test_no_empty_prompt_no_guidance() -> None:
    denoiser = text_denoiser()
    alone = TextDenoiser(denoiser.net, denoiser.prompt)
    x, t = inputs()
    with torch.no_grad():
        assert torch.equal(alone(x, t).eps, denoiser(x, t).eps)
    with pytest.raises(ValueError, match="empty prompt"):
        ClassifierFree(3.0)(alone, x, t)


def test_fixed_and_learned_variance_networks() -> None:
    x, t = inputs()
    fixed = EpsDenoiser(lambda x, t: 2 * x)(x, t)
    learned = EpsDenoiser(lambda x, t: torch.cat([2 * x, x], dim=1))(x, t)
    assert fixed.variance is None and learned.variance is not None
    assert torch.equal(fixed.eps, learned.eps) and torch.equal(learned.variance, x)
    with pytest.raises(WrongOutput, match="4 channels"):
        EpsDenoiser(lambda x, t: x.new_zeros(2, 4, 16, 16))(x, t)


def test_half_precision_networks_give_float32() -> None:
    x, t = inputs()
    seen: list[torch.dtype] = []

    def net(x: Tensor, t: Tensor) -> Tensor:
        seen.append(x.dtype)
        return 2 * x

    assert EpsDenoiser(net, dtype=torch.bfloat16)(x, t).eps.dtype == torch.float32
    assert seen == [torch.bfloat16]


@torch.no_grad()
def test_bfloat16_text_network_stays_near_float32() -> None:
    x, t = inputs()
    exact = text_denoiser()
    half = text_denoiser()
    half = TextDenoiser(half.net.to(torch.bfloat16), half.prompt, half.empty)
    a, b = ClassifierFree(3.0)(exact, x, t).eps, ClassifierFree(3.0)(half, x, t).eps
    assert b.dtype == torch.float32
    assert (a - b).abs().max() < 0.1 * a.abs().max()


@torch.no_grad()
def test_a_network_that_predicts_v() -> None:
    """eps from v, guided or not, and the x0 a sampler makes of it: sqrt(a) x - sqrt(1-a) v (Salimans & Ho 2022)."""
    schedule = Schedule.named("squaredcos_cap_v2")
    plain = text_denoiser()
    denoiser = TextDenoiser(plain.net, plain.prompt, plain.empty, velocity=Velocity(schedule))
    x, _ = inputs()
    t = torch.tensor([3, 900])
    v, (cond, uncond) = plain(x, t).eps, denoiser.both(x, t)
    a = torch.as_tensor(schedule.alphas_cumprod)[t].float()[:, None, None, None]
    torch.testing.assert_close(cond.eps, a.sqrt() * v + (1 - a).sqrt() * x)
    torch.testing.assert_close(
        (x - (1 - a).sqrt() * cond.eps) / a.sqrt(), a.sqrt() * x - (1 - a).sqrt() * v, rtol=1e-4, atol=1e-4
    )
    torch.testing.assert_close(uncond.eps, denoiser.unconditional(x, t).eps, rtol=1e-4, atol=1e-5)
    assert cond.variance is not None and torch.equal(cond.variance, denoiser.both(x, t)[0].variance)


@torch.no_grad()
def test_class_conditional_network() -> None:
    config = UNetConfig(
        model_channels=32,
        num_res_blocks=1,
        attention_resolutions=(2,),
        channel_mult=(1, 1),
        num_classes=4,
        num_head_channels=16,
    )
    net = UNet(config)
    golden_fill(net, "classes")
    x, t = inputs()
    y = torch.tensor([0, 3])
    prediction = Unguided()(ClassDenoiser(net, y), x, t)
    expected = net(x, t, y)
    assert torch.equal(prediction.eps, expected[:, :3])
    assert prediction.variance is not None and torch.equal(prediction.variance, expected[:, 3:])


@pytest.mark.filterwarnings("ignore:.*kernel:UserWarning")  # torch explains why it refuses
@torch.no_grad()
def test_the_fused_kernel_can_take_our_layout() -> None:
    """With the explicit fallback forbidden, a layout the flash kernel refuses would raise."""
    x, t = inputs()
    denoiser = text_denoiser()
    plain = denoiser(x, t).eps
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
        torch.testing.assert_close(denoiser(x, t).eps, plain)
        q = torch.randn(1, 1, 16, 64).transpose(2, 3)
        with pytest.raises(RuntimeError, match="kernel"):
            F.scaled_dot_product_attention(q, q, q)


@torch.no_grad()
def test_attention_is_fused_unless_its_maps_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    fused, calls = F.scaled_dot_product_attention, []

    def counted(*args: Tensor) -> Tensor:
        calls.append(1)
        return fused(*args)

    monkeypatch.setattr(F, "scaled_dot_product_attention", counted)
    x, t = inputs()
    denoiser = text_denoiser()
    calls.clear()
    blocks = [block for _, block in denoiser.net.attention_blocks()]
    plain = denoiser(x, t)
    assert len(calls) == len(blocks) > 0
    calls.clear()
    maps: list[Tensor] = []
    for block in blocks:
        block.capture = maps.append
    captured = denoiser(x, t)
    assert len(calls) == 0 and len(maps) == len(blocks)
    torch.testing.assert_close(captured.eps, plain.eps, rtol=1e-4, atol=1e-5)
