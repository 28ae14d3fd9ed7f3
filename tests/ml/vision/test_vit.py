"""The vision transformer: it cuts and places patches as it says, equals one of torch's parts, and opens strictly."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from studio.ml.diffusion.model_folder import BadModelFolder
from studio.ml.diffusion.weights import CorruptWeights, WrongWeights
from studio.ml.nn.layers import TransformerConfig
from studio.ml.training.export import write_model
from studio.ml.vision.vit import VisionTransformer, VitConfig, load_vit, patches

LAYERS = TransformerConfig(width=24, heads=4, hidden=48, layers=2)
CLASSES = ("cat", "dog", "sun")


def shape(positions: str = "1d", **changed: object) -> VitConfig:
    config = {"image_size": 16, "patch_size": 4, "classes": 3, "positions": positions, "transformer": LAYERS, **changed}
    return VitConfig.model_validate(config)


def randomised(net: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.2)
    return net.eval().requires_grad_(False)


def pictures() -> Tensor:
    return torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_patches_are_those_of_unfold() -> None:
    assert torch.equal(patches(pictures(), 4), F.unfold(pictures(), 4, stride=4).transpose(1, 2))


def test_it_equals_a_transformer_of_torchs_parts() -> None:
    ours = randomised(VisionTransformer(shape()))
    assert isinstance(ours, VisionTransformer)
    layer = nn.TransformerEncoderLayer(24, 4, 48, 0.0, "gelu", batch_first=True, norm_first=True)
    encoder = nn.TransformerEncoder(layer, 2, nn.LayerNorm(24), enable_nested_tensor=False)
    encoder.norm.load_state_dict(ours.encoder.norm.state_dict())  # type: ignore[union-attr]
    for mine, theirs in zip(ours.encoder.layers, encoder.layers, strict=True):
        a = mine.attention
        state = {
            "self_attn.in_proj_weight": torch.cat([a.w_q.weight, a.w_k.weight, a.w_v.weight]),
            "self_attn.in_proj_bias": torch.cat([a.w_q.bias, a.w_k.bias, a.w_v.bias]),
            "self_attn.out_proj.weight": a.w_o.weight, "self_attn.out_proj.bias": a.w_o.bias,
            "linear1.weight": mine.feed_forward.w_1.weight, "linear1.bias": mine.feed_forward.w_1.bias,
            "linear2.weight": mine.feed_forward.w_2.weight, "linear2.bias": mine.feed_forward.w_2.bias,
            "norm1.weight": mine.norm_1.weight, "norm1.bias": mine.norm_1.bias,
            "norm2.weight": mine.norm_2.weight, "norm2.bias": mine.norm_2.bias,
        }  # fmt: skip
        theirs.load_state_dict(state)
    kernel = ours.to_token.weight.view(24, 3, 4, 4)
    tokens = F.conv2d(pictures(), kernel, ours.to_token.bias, stride=4).flatten(2).transpose(1, 2)
    tokens = torch.cat([ours.class_token.expand(2, 1, 24), tokens], dim=1) + ours.places.table
    expected = ours.head(encoder(tokens)[:, 0])
    torch.testing.assert_close(ours(pictures()), expected, rtol=0, atol=1e-6)
    assert expected.std() > 0.05


@pytest.mark.parametrize("positions", ["1d", "2d"])
def test_places_tell_where_a_patch_is(positions: str) -> None:
    net = randomised(VisionTransformer(shape(positions)))
    moved = pictures().roll(4, dims=3)  # the same patches elsewhere
    assert (net(moved) - net(pictures())).abs().max() > 1e-3
    for parameter in net.places.parameters():  # type: ignore[union-attr]
        parameter.zero_()
    torch.testing.assert_close(net(moved), net(pictures()), rtol=0, atol=1e-5)  # a bag of patches


def test_a_grid_learns_fewer_places() -> None:
    sizes = {p: sum(v.numel() for v in VisionTransformer(shape(p)).places.parameters()) for p in ("1d", "2d")}
    assert sizes == {"1d": (1 + 16) * 24, "2d": 2 * 4 * 12}


def test_other_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match="16, 16"):
        VisionTransformer(shape())(torch.zeros(1, 3, 32, 32))
    with pytest.raises(ValueError, match="cannot be cut"):
        VisionTransformer(shape(patch_size=5))


def config(**changed: object) -> dict[str, object]:
    return {
        "kind": "vision", "name": "tiny", "image_size": 16, "classes": CLASSES, "network": shape().model_dump(),
        **changed,
    }  # fmt: skip


def test_it_opens_as_it_was_written(tmp_path: Path) -> None:
    net = randomised(VisionTransformer(shape()))
    write_model(tmp_path, net, config(), {})
    model = load_vit(tmp_path)
    assert (model.name, model.classes, model.image_size, len(model.sha256)) == ("tiny", CLASSES, 16, 64)
    assert model.nbytes == 4 * sum(parameter.numel() for parameter in net.parameters())
    torch.testing.assert_close(model(pictures()), net(pictures()), rtol=0.02, atol=0.02)  # stored in half precision


def test_what_cannot_be_opened_says_why(tmp_path: Path) -> None:
    with pytest.raises(BadModelFolder, match=r"config\.json cannot be read"):
        load_vit(tmp_path)
    write_model(tmp_path, VisionTransformer(shape()), config(), {})
    file = tmp_path / "model.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[:-100])
    with pytest.raises(CorruptWeights, match="damaged"):
        load_vit(tmp_path)
    file.unlink()
    with pytest.raises(BadModelFolder, match="no weights"):
        load_vit(tmp_path)
    file.write_bytes(whole)
    for wrong, error, match in [
        ({"classes": ("cat",)}, BadModelFolder, "names 1 classes"),
        ({"kind": "causal"}, BadModelFolder, "kind"),
        ({"network": {**shape().model_dump(), "patch_size": 5}}, BadModelFolder, "cannot be cut"),
        ({"network": {**shape().model_dump(), "positions": "2d"}}, WrongWeights, r"places\.columns is missing"),
    ]:
        (tmp_path / "config.json").write_text(json.dumps(config(**wrong)))
        with pytest.raises(error, match=match):
            load_vit(tmp_path)
