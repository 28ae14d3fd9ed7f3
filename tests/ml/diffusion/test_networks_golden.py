"""The U-Nets against the released code: numbers on tiny networks, names and shapes at full size."""

from __future__ import annotations

import pytest
import torch

from studio.ml.diffusion.unet import NETWORKS, Text2ImUNet, TextTokens, UNet, UNetConfig, split_config
from tests.ml.diffusion.goldens import arrays, description, golden_fill, relative_error

GLIDE = {
    "glide_base": ("text2im", 0, {}),
    "glide_upsample": ("upsample", 3, {"low_res": "low_res"}),
    "glide_base_inpaint": ("inpaint", 4, {"image": "inpaint_image", "mask": "inpaint_mask"}),
    "glide_upsample_inpaint": (
        "upsample-inpaint",
        7,
        {"image": "inpaint_image", "mask": "inpaint_mask", "low_res": "low_res"},
    ),
}


def _glide(name: str) -> tuple[Text2ImUNet, dict[str, torch.Tensor], dict[str, str]]:
    """The golden network, its arrays, and which of them are its pictures; names and shapes of parameters are checked."""
    kind, more_channels, inputs = GLIDE[name]
    golden, about = arrays(name), description(name)
    config = {k: v for k, v in about["config"].items() if k not in ("tokenizer", "use_fp16")} | {
        "n_vocab": about["n_vocab"]
    }
    config["in_channels"] += more_channels
    net = NETWORKS[kind](*split_config(config))
    assert [[key, list(value.shape)] for key, value in net.state_dict().items()] == about["params"]
    golden_fill(net, about["fill_tag"])
    return net, golden, inputs


@pytest.mark.parametrize("name", GLIDE)
@pytest.mark.parametrize("captured", [False, True], ids=["fused", "captured"])
def test_glide(name: str, captured: bool) -> None:
    net, golden, inputs = _glide(name)
    maps: list[torch.Tensor] = []
    if captured:
        for _, block in net.attention_blocks():
            block.capture = maps.append
    with torch.no_grad():
        text = net.encode_text(golden["tokens"], golden["mask"])
        out = net(golden["x"], golden["t"], text, **{key: golden[value] for key, value in inputs.items()})
    assert relative_error(out, golden["out"]) < 1e-4
    assert len(maps) == (len(net.attention_blocks()) if captured else 0)
    for weights in maps:
        torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]))


@pytest.mark.parametrize("name", GLIDE)
def test_tokens_are_encoded_inside_so_that_training_reaches_the_transformer(name: str) -> None:
    net, golden, inputs = _glide(name)
    pictures = {key: golden[value] for key, value in inputs.items()}
    tokens = TextTokens(golden["tokens"], golden["mask"])
    out = net(golden["x"], golden["t"], tokens, **pictures)
    assert torch.equal(out, net(golden["x"], golden["t"], net.encode_text(*tokens), **pictures))
    out.sum().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())


@pytest.mark.parametrize("name", ["adm_unet", "adm_unet_legacy"])
def test_adm(name: str) -> None:
    golden, about = arrays(name), description(name)
    config = {k: v for k, v in about["config"].items() if k != "image_size"}
    net = UNet(UNetConfig(**config))
    assert [[key, list(value.shape)] for key, value in net.state_dict().items()] == about["params"]
    golden_fill(net, about["fill_tag"])
    with torch.no_grad():
        out = net(golden["x"], golden["t"], golden.get("y"))
    assert relative_error(out, golden["out"]) < 1e-4
