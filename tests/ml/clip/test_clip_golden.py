"""The two encoders against the released code: numbers on tiny networks, names and shapes in the checkpoint's order."""

from __future__ import annotations

import torch

from studio.ml.clip.blocks import unit
from studio.ml.clip.text import TextConfig, TextEncoder
from studio.ml.clip.vision import ImageEncoder, VisionConfig
from tests.ml.diffusion.goldens import arrays, description, golden_fill, relative_error

ABOUT = description("noised_clip")
CONFIG = ABOUT["config"]
SHARED = {
    "width": CONFIG["n_head"] * CONFIG["n_head_state"],
    "heads": CONFIG["n_head"],
    "layers": CONFIG["n_xf_blocks"],
    "embedding": CONFIG["n_embd"],
}


def image_encoder() -> ImageEncoder:
    config = VisionConfig(
        image_size=CONFIG["image_size"], patch_size=CONFIG["patch_size"], timesteps=CONFIG["n_timestep"], **SHARED
    )
    return ImageEncoder(config)


def text_encoder() -> TextEncoder:
    return TextEncoder(TextConfig(vocabulary=CONFIG["n_bpe_vocab"], context=CONFIG["max_text_len"], **SHARED))


def names_and_shapes(net: torch.nn.Module) -> list[list[object]]:
    return [[key, list(value.shape)] for key, value in net.state_dict().items()]


def test_names_shapes_and_order_are_the_released_ones() -> None:
    assert names_and_shapes(image_encoder()) == ABOUT["image_params"]
    assert names_and_shapes(text_encoder()) == ABOUT["text_params"]


def test_embeddings_and_the_gradient_of_their_similarity() -> None:
    golden = arrays("noised_clip")
    image_tag, text_tag = ABOUT["fill_tags"]
    vision, text = golden_fill(image_encoder(), image_tag), golden_fill(text_encoder(), text_tag)
    x = golden["x"].clone().requires_grad_()
    z_i = unit(vision(x, golden["t"]))
    z_t = unit(text(golden["tokens"], golden["lengths"]))
    (gradient,) = torch.autograd.grad(100 * (z_t.detach() * z_i).sum(), x)
    assert relative_error(z_i.detach(), golden["image_embedding"]) < 1e-4
    assert relative_error(z_t.detach(), golden["text_embedding"]) < 1e-4
    assert relative_error(gradient, golden["grad"]) < 1e-4


def test_tokens_behind_the_length_have_no_influence() -> None:
    golden = arrays("noised_clip")
    text = golden_fill(text_encoder(), ABOUT["fill_tags"][1])
    tokens = golden["tokens"].clone()
    tokens[0, golden["lengths"][0] :] = 7
    assert not torch.equal(tokens, golden["tokens"])
    with torch.no_grad():
        changed, before = text(tokens, golden["lengths"]), text(golden["tokens"], golden["lengths"])
    torch.testing.assert_close(changed, before)
