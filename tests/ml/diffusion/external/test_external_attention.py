"""The maps of words in public checkpoints equal softmax(q k^T / sqrt(d)) written out, and listening changes nothing."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from studio.ml.diffusion.attention_maps import AttentionMaps, View
from studio.ml.diffusion.external.asked import Asked
from studio.ml.diffusion.external.attention import attention_layers, network_of, traced
from studio.ml.diffusion.external.errors import ExternalError
from studio.ml.diffusion.external.prompts import text_of

SIZE = (48, 32)
STEPS = 2
FAMILIES = ("sd1", "sdxl", "sd3", "flux", "pixart")


def asked(**changes):
    return Asked(**{"prompt": "a red cat", "seeds": (1, 2), "steps": STEPS, "width": 48, "height": 32} | changes)


def traces(model, request, **options):
    *steps, (last, none) = traced(model, request, attention_layers(model, SIZE), **options)
    assert none is None
    return [maps for _, maps in steps], last.pictures


@pytest.mark.parametrize("family", FAMILIES)
def test_listening_changes_no_picture_and_leaves_nothing_behind(opened, family):
    model = opened(family)
    *_, plain = model.sample(asked())
    maps, heard = traces(model, asked())
    assert np.array_equal(heard, plain.pictures)
    assert len(maps) == STEPS and [step.index for step in maps] == list(range(STEPS))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in network_of(model).modules())


@pytest.mark.parametrize("family", FAMILIES)
def test_shares_of_tokens_padding_and_picture_are_one(opened, family):
    model = opened(family)
    layers, text = attention_layers(model, SIZE), text_of(model.pipeline, "a red cat")
    maps, _ = traces(model, asked())
    run = AttentionMaps(tuple(layers), len(text.pieces), tuple(maps))
    shares = run.shares(View())
    assert shares.shape[0] == len(text.pieces) + 2
    assert np.allclose(shares.sum(axis=0), 1, atol=2e-3)
    own = run.masses(View())[-1]
    assert own < 1e-3 if family in {"sd1", "sdxl", "pixart"} else own > 0.02, "joint attention also sees the picture"
    for step in maps:
        for layer, kept in zip(layers, step.maps, strict=True):
            assert kept.shape == (layer.heads, len(text.pieces) + 1, layer.height, layer.width)
            assert kept.dtype == np.float16


def explicit(q, k, heads):
    """softmax(q k^T / sqrt(d)) of one picture: q [Q, heads * d], k [K, heads * d] -> [heads, Q, K]."""
    q, k = (value.unflatten(-1, (heads, -1)).transpose(0, 1).double() for value in (q, k))
    return torch.einsum("hqd,hkd->hqk", q, k).div(math.sqrt(q.shape[-1])).softmax(dim=-1)


def projections(module, names):
    """Hooks that keep what these parts of a module gave last."""
    found = {}
    handles = [
        getattr(module, name).register_forward_hook(lambda _, __, out, name=name: found.update({name: out}))
        for name in names
    ]
    return found, handles


def first_maps(model, layer, names):
    """The maps of the layer's first evaluation, and what its projections gave then."""
    found, handles = projections(network_of(model).get_submodule(layer.name), names)
    try:
        run = traced(model, asked(), [layer])
        _, maps = next(run)
        kept = dict(found)
        run.close()
    finally:
        for handle in handles:
            handle.remove()
    return torch.from_numpy(maps.maps[0]).double(), kept


def as_maps(weights, text, layer):
    """[heads, cells, text] -> [heads, tokens + 1, h, w]."""
    tokens = weights[..., list(text.columns)]
    rest = weights.sum(dim=-1, keepdim=True) - tokens.sum(dim=-1, keepdim=True)
    return torch.cat([tokens, rest], dim=-1).transpose(1, 2).unflatten(-1, (layer.height, layer.width))


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_cross_attention_is_the_conditional_halfs_softmax(opened, family):
    model = opened(family)
    text = text_of(model.pipeline, "a red cat")
    for layer in attention_layers(model, SIZE):
        found, kept = first_maps(model, layer, ("to_q", "to_k"))
        conditional = 2  # [unconditional 1, unconditional 2, conditional 1, conditional 2]
        weights = explicit(kept["to_q"][conditional], kept["to_k"][conditional], layer.heads)
        assert (found - as_maps(weights, text, layer)).abs().max() < 1e-3


def test_padding_that_is_masked_takes_no_part(opened):
    model = opened("pixart")
    text = text_of(model.pipeline, "a red cat")
    layer = attention_layers(model, SIZE)[0]
    found, kept = first_maps(model, layer, ("to_q", "to_k"))
    weights = explicit(kept["to_q"][2], kept["to_k"][2][: len(text.pieces)], layer.heads)
    expected = torch.cat([weights, torch.zeros_like(weights[..., :1])], dim=-1).transpose(1, 2)
    assert (found - expected.unflatten(-1, (layer.height, layer.width))).abs().max() < 1e-3


def test_joint_attention_with_the_text_behind_the_picture(opened):
    model = opened("sd3")
    text = text_of(model.pipeline, "a red cat")
    for layer in attention_layers(model, SIZE):
        found, kept = first_maps(model, layer, ("to_q", "to_k", "add_k_proj"))
        keys = torch.cat([kept["to_k"][2], kept["add_k_proj"][2]])
        weights = explicit(kept["to_q"][2], keys, layer.heads)[..., layer.cells :]
        assert (found - as_maps(weights, text, layer)).abs().max() < 1e-3


def test_joint_attention_with_turned_queries_and_the_text_ahead(opened, monkeypatch):
    """Flux turns queries and keys by their places: the explicit weights, put in place of the kernel, draw the same."""
    from diffusers.models.transformers import transformer_flux

    model = opened("flux")
    layers, text = attention_layers(model, SIZE), text_of(model.pipeline, "a red cat")
    maps, drawn = traces(model, asked(seeds=(1,)))
    seen = []

    def written_out(query, key, value, **_):
        weights = torch.einsum("bqhd,bkhd->bhqk", query, key).div(math.sqrt(query.shape[-1])).softmax(dim=-1)
        seen.append(weights[0].double())
        return torch.einsum("bhqk,bkhd->bqhd", weights, value)

    monkeypatch.setattr(transformer_flux, "dispatch_attention_fn", written_out)
    *_, last = model.sample(asked(seeds=(1,)))
    assert np.abs(last.pictures.astype(int) - drawn).max() <= 1
    assert len(seen) == len(layers) * STEPS
    for step, kept in enumerate(maps):
        for i, layer in enumerate(layers):
            weights = seen[step * len(layers) + i][:, text.length :, : text.length]
            assert (torch.from_numpy(kept.maps[i]).double() - as_maps(weights, text, layer)).abs().max() < 1e-3


def test_heads_can_be_averaged(opened):
    model = opened("sd1")
    each, _ = traces(model, asked())
    mean, _ = traces(model, asked(), heads=False)
    for a, b in zip(each[0].maps, mean[0].maps, strict=True):
        assert b.shape[0] == 1 and np.abs(a.astype(np.float32).mean(axis=0) - b[0]).max() < 1e-3


def test_a_prompt_is_cut_as_the_networks_read_it(opened):
    assert text_of(opened("sd1").pipeline, "a red cat").pieces == ("‹start›", "a", "red", "cat", "‹end›")
    sd3 = text_of(opened("sd3").pipeline, "a red cat")
    assert sd3.pieces == ("‹start›", "a", "red", "cat", "‹end›", "a", "red", "cat", "‹end›")
    assert sd3.columns == (0, 1, 2, 3, 4, 16, 17, 18, 19) and sd3.length == 16 + 256
    flux = text_of(opened("flux").pipeline, "a red cat")
    assert flux.pieces == ("a", "red", "cat", "‹end›") and flux.length == 512
    assert len(text_of(opened("sd1").pipeline, "cat " * 50).pieces) == 16


def test_a_network_of_another_kind_is_refused_in_words():
    other = SimpleNamespace(name="other", pipeline=SimpleNamespace(transformer=torch.nn.Linear(1, 1)))
    with pytest.raises(ExternalError, match="cannot be shown for a Linear"):
        attention_layers(other, SIZE)
