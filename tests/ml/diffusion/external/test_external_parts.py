"""LoRA files, previews and predictions, each against something computed another way."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from studio.ml.diffusion.external.asked import Asked, Lora
from studio.ml.diffusion.external.errors import ExternalError, PickleRefused
from studio.ml.diffusion.external.preview import decoded, encoded, least_squares, pixels, samples
from studio.ml.diffusion.external.watching import predicted
from tests.ml.diffusion.external.tiny import ddim

RANK = 2
pytestmark = pytest.mark.filterwarnings("ignore:Already found a `peft_config`:UserWarning")  # several are meant


def asked(**changes):
    return Asked(**{"prompt": "a red cat", "seeds": (1,), "steps": 2, "width": 16, "height": 16} | changes)


def picture(model, *loras):
    *_, last = model.sample(asked(loras=loras))
    return last.pictures


def attention_layers(unet):
    return {name: module for name, module in unet.named_modules() if name.endswith(("to_q", "to_v"))}


def lora_file(unet, path, seed):
    """Random adapters for queries and values in the names that peft saves."""
    noise = torch.Generator().manual_seed(seed)
    state = {}
    for name, layer in attention_layers(unet).items():
        state[f"unet.{name}.lora_A.weight"] = torch.randn(RANK, layer.in_features, generator=noise)
        state[f"unet.{name}.lora_B.weight"] = torch.randn(layer.out_features, RANK, generator=noise)
    save_file(state, path)
    return path, state


@pytest.fixture
def sd(opened):
    return opened("sd1")


def test_lora_files_count_as_weighted_changes_of_the_weights(sd, tmp_path, monkeypatch):
    plain = picture(sd)
    unet = sd.pipeline.unet
    (one, first), (two, second) = (lora_file(unet, tmp_path / f"{name}.safetensors", i) for i, name in enumerate("ab"))
    before = {name: layer.weight.clone() for name, layer in attention_layers(unet).items()}
    with torch.no_grad():
        for name, layer in attention_layers(unet).items():
            for weight, state in ((0.8, first), (-0.5, second)):
                a, b = state[f"unet.{name}.lora_A.weight"], state[f"unet.{name}.lora_B.weight"]
                layer.weight += weight * b @ a
    merged = picture(sd)
    with torch.no_grad():
        for name, layer in attention_layers(unet).items():
            layer.weight.copy_(before[name])
    found = picture(sd, Lora(one, 0.8), Lora(two, -0.5))
    assert np.abs(found.astype(int) - merged).max() <= 1
    assert np.abs(found.astype(int) - plain).max() > 1
    assert not np.array_equal(picture(sd, Lora(one, 0.8)), found)
    assert np.array_equal(picture(sd), plain), "and leave nothing behind"


def test_runs_with_and_without_lora_interleave(sd, tmp_path):
    file, _ = lora_file(sd.pipeline.unet, tmp_path / "a.safetensors", 0)
    alone = [picture(sd), picture(sd, Lora(file))]
    runs = [sd.sample(asked()), sd.sample(asked(loras=(Lora(file),)))]
    found = [None, None]
    for _ in range(3):
        for i, run in enumerate(runs):
            found[i] = next(run).pictures
    for run in runs:
        run.close()
    assert all(np.array_equal(a, b) for a, b in zip(found, alone, strict=True))


def test_a_lora_file_that_does_not_fit_is_refused_in_words(sd, opened, tmp_path):
    other, state = lora_file(sd.pipeline.unet, tmp_path / "other.safetensors", 0)
    wide = {name: value.repeat(1, 3) if "lora_A" in name else value for name, value in state.items()}
    save_file(wide, tmp_path / "wide.safetensors")
    save_file({"w": torch.ones(1)}, tmp_path / "none.safetensors")
    (tmp_path / "torn.safetensors").write_bytes(other.read_bytes()[:-10])
    (tmp_path / "old.pt").touch()
    plain = picture(sd)
    for name, kind, words in [
        ("wide.safetensors", ExternalError, "does not fit this model"),
        ("none.safetensors", ExternalError, "does not fit this model"),
        ("torn.safetensors", ExternalError, "its end is missing"),
        ("gone.safetensors", ExternalError, "is gone"),
        ("old.pt", PickleRefused, "is a pickle"),
    ]:
        with pytest.raises(kind, match=words):
            picture(sd, Lora(tmp_path / name))
    with pytest.raises(ExternalError, match="named twice"):
        picture(sd, Lora(other), Lora(other, 0.5))
    with pytest.raises(ExternalError, match="takes no LoRA"):
        picture(opened("pixart"), Lora(other))
    assert np.array_equal(picture(sd), plain)


def test_the_map_to_colours_is_the_least_squares_solution():
    noise = torch.Generator().manual_seed(0)
    z = torch.randn(200, 4, generator=noise, dtype=torch.float64)
    weights, bias = torch.randn(4, 3, generator=noise, dtype=torch.float64), torch.tensor([0.1, -0.2, 0.3])
    exact = least_squares(z, z @ weights + bias)
    assert torch.allclose(exact.weights.double(), weights, atol=1e-3) and torch.allclose(exact.bias, bias, atol=1e-3)
    assert exact.r2 == pytest.approx(1, abs=1e-6)
    rgb = z @ weights + bias + torch.randn(200, 3, generator=noise, dtype=torch.float64)
    fitted = least_squares(z, rgb)
    z, rgb = z.numpy(), rgb.numpy()
    expected = np.linalg.lstsq(np.c_[z, np.ones(200)], rgb, rcond=None)[0]
    assert np.allclose(fitted.weights, expected[:4], atol=1e-3) and np.allclose(fitted.bias, expected[4], atol=1e-3)
    left = rgb - np.c_[z, np.ones(200)] @ expected
    assert fitted.r2 == pytest.approx(1 - left.var(axis=0).sum() / rgb.var(axis=0).sum(), abs=1e-4)


class Averaging(torch.nn.Module):
    """An autoencoder whose cells are the mean colours of 2x2 pixels, turned by a matrix: a linear map is exact."""

    config = {"scaling_factor": 0.5, "shift_factor": 0.25, "force_upcast": False}
    dtype = torch.float32
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(1)))[0]

    def encode(self, x):
        return (torch.einsum("cd,bdhw->bchw", self.turn, torch.nn.functional.avg_pool2d(x, 2)),)

    def decode(self, z):
        colours = torch.einsum("dc,bdhw->bchw", self.turn, z).repeat_interleave(2, -1).repeat_interleave(2, -2)
        return type("Out", (), {"sample": colours})


def test_a_preview_is_the_picture_where_the_decoder_is_linear():
    from studio.ml.diffusion.external.preview import fit

    vae = Averaging()
    shown = fit(vae, 2, torch.device("cpu"))
    x = samples(16)
    z = encoded(vae, x)
    assert shown.r2 == pytest.approx(1, abs=1e-4)
    small = pixels(decoded(vae, z)[..., ::2, ::2].permute(0, 2, 3, 1))
    assert np.abs(shown(z).astype(int) - small).max() <= 1


def test_latents_come_back_as_they_were(opened):
    vae = opened("flux").pipeline.vae
    with torch.no_grad():
        x = samples(16)
        z = encoded(vae, x)
        mode = vae.encode(x).latent_dist.mode()
        assert torch.allclose(z, (mode - 0.1) * 0.3)
        assert torch.allclose(decoded(vae, z), vae.decode(mode).sample, atol=1e-5)


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "sample"])
def test_the_predicted_picture_is_the_schedulers_own(kind):
    scheduler = ddim(prediction_type=kind)
    scheduler.set_timesteps(5)
    noise = torch.Generator().manual_seed(0)
    output, x = (torch.randn(2, 4, 3, 3, generator=noise) for _ in range(2))
    for t in scheduler.timesteps:
        told = scheduler.step(output, t, x).pred_original_sample
        assert torch.allclose(predicted(scheduler, output, t, x), told, atol=1e-4, rtol=1e-4)


def test_a_straight_path_ends_in_the_predicted_picture():
    from diffusers import FlowMatchEulerDiscreteScheduler

    scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0)
    scheduler.set_timesteps(5)
    noise = torch.Generator().manual_seed(0)
    x0, eps = (torch.randn(2, 4, 3, 3, generator=noise) for _ in range(2))
    for t in scheduler.timesteps:
        x = scheduler.scale_noise(x0, t[None], eps)
        assert torch.allclose(predicted(scheduler, eps - x0, t, x), x0, atol=1e-5)
