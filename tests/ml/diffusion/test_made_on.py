"""Networks made without numbers: their shapes, and what is not imported for them."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

from studio.ml.diffusion.unet import NETWORKS, TextConfig, UNetConfig
from studio.ml.diffusion.weights import made_on

OPENED = {
    "emoji-base": "studio.ml.diffusion.glide:load_text2im",
    "emoji-clip": "studio.ml.clip.model:load_clip",
    "emoji-classifier": "studio.ml.diffusion.classifier:load_classifier",
    "emoji-captions": "studio.ml.language.causal:load_causal",
    "emoji-paraphrase": "studio.ml.language.encoder_decoder:load_encoder_decoder",
    "emoji-vit": "studio.ml.vision.vit:load_vit",
}


@pytest.mark.parametrize("name", OPENED)
def test_opening_a_model_imports_no_compiler(name: str) -> None:
    """Drawing numbers on "meta" would import it: a second, and a stall of the window."""
    module, _, loader = OPENED[name].partition(":")
    code = (
        f"import sys; from {module} import {loader}; from studio.resources import resource;"
        f"{loader}(resource('models', {name!r}));"
        "print(sorted({'sympy', 'torch._dynamo'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_shapes_are_those_of_a_network_with_numbers() -> None:
    shape = UNetConfig(model_channels=32, num_res_blocks=1, attention_resolutions=(2,), channel_mult=(1, 2), num_head_channels=16)
    text = TextConfig(n_vocab=20, text_ctx=8, xf_width=32, xf_layers=1, xf_heads=2)
    found = []
    for device in ("meta", "cpu"):
        with made_on(device):
            found.append(NETWORKS["text2im"](shape, text))
    empty, whole = (dict(net.named_parameters()) for net in found)
    assert all(parameter.is_meta for parameter in empty.values())
    assert {k: v.shape for k, v in empty.items()} == {k: v.shape for k, v in whole.items()}
    drawn = whole["positional_embedding"]
    assert abs(float(drawn.detach().std()) - 0.01) < 0.002


def test_numbers_are_drawn_anywhere_else_as_ever() -> None:
    def made() -> torch.Tensor:
        torch.manual_seed(0)
        return nn.Linear(4, 4).weight.detach()

    with made_on("cpu"):
        inside = made()
    assert torch.equal(inside, made())
