"""Our transformer against torch.nn's own: the same weights give the same numbers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from studio.ml.nn.attention import MultiHeadAttention, causal_mask, padding_mask
from studio.ml.nn.layers import DecoderLayer, EncoderLayer, TransformerConfig
from studio.ml.nn.stacks import Causal, Decoder, Encoder, EncoderDecoder

WIDTH, HEADS, HIDDEN = 24, 4, 40
TOLERANCE = {"rtol": 0.0, "atol": 1e-6}


def shape(*, norm_first: bool, layers: int = 1, activation: str = "relu") -> TransformerConfig:
    config = {"width": WIDTH, "heads": HEADS, "hidden": HIDDEN, "layers": layers, "activation": activation}
    return TransformerConfig.model_validate({**config, "norm_first": norm_first})


def randomised(net: nn.Module) -> nn.Module:
    """Every parameter random, so that none could be forgotten: biases and scales start as zeros and ones."""
    torch.manual_seed(0)
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.2)
    return net.eval().requires_grad_(False)


def attention_from(theirs: nn.MultiheadAttention, ours: MultiHeadAttention) -> None:
    for linear, w, b in zip(
        (ours.w_q, ours.w_k, ours.w_v), theirs.in_proj_weight.chunk(3), theirs.in_proj_bias.chunk(3), strict=True
    ):
        linear.weight.data, linear.bias.data = w.clone(), b.clone()
    ours.w_o.load_state_dict(theirs.out_proj.state_dict())


def layer_from(theirs: nn.Module, ours: EncoderLayer | DecoderLayer) -> None:
    attention_from(theirs.self_attn, ours.attention)
    names = [("linear1", ours.feed_forward.w_1), ("linear2", ours.feed_forward.w_2)]
    names += [("norm1", ours.norm_1), ("norm2", ours.norm_2)]
    if isinstance(ours, DecoderLayer):
        attention_from(theirs.multihead_attn, ours.cross_attention)
        names.append(("norm3", ours.norm_3))
    for name, module in names:
        module.load_state_dict(getattr(theirs, name).state_dict())


def stack_from(theirs: nn.Module, ours: Encoder | Causal | Decoder) -> None:
    for there, here in zip(theirs.layers, ours.layers, strict=True):
        layer_from(there, here)
    ours.norm.load_state_dict(theirs.norm.state_dict())


def tokens(length: int, seed: int = 1) -> Tensor:
    return torch.randn(2, length, WIDTH, generator=torch.Generator().manual_seed(seed))


REAL = torch.tensor([[True] * 7, [True] * 4 + [False] * 3])


@pytest.mark.parametrize("mask", ["none", "causal", "padding", "added", "cross"])
def test_multi_head_attention(mask: str) -> None:
    theirs = randomised(nn.MultiheadAttention(WIDTH, HEADS, batch_first=True))
    assert isinstance(theirs, nn.MultiheadAttention)
    ours = MultiHeadAttention(WIDTH, HEADS)
    attention_from(theirs, ours)
    x, context = tokens(7), tokens(5, seed=2)
    bias = torch.randn(7, 7, generator=torch.Generator().manual_seed(3))
    expected, got = {
        "none": lambda: (theirs(x, x, x), ours(x)),
        "causal": lambda: (theirs(x, x, x, attn_mask=~causal_mask(7, 7)), ours(x, mask=causal_mask(7, 7))),
        "padding": lambda: (theirs(x, x, x, key_padding_mask=~REAL), ours(x, mask=padding_mask(REAL))),
        "added": lambda: (theirs(x, x, x, attn_mask=bias), ours(x, mask=bias)),
        "cross": lambda: (theirs(x, context, context), ours(x, context)),
    }[mask]()
    torch.testing.assert_close(got, expected[0], **TOLERANCE)
    assert got.std() > 0.1  # something was computed


@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_encoder_layer(norm_first: bool, activation: str) -> None:
    options = {"dropout": 0.0, "batch_first": True, "norm_first": norm_first, "activation": activation}
    theirs = randomised(nn.TransformerEncoderLayer(WIDTH, HEADS, HIDDEN, **options))
    ours = EncoderLayer(shape(norm_first=norm_first, activation=activation))
    layer_from(theirs, ours)
    x = tokens(7)
    expected = theirs(x, src_key_padding_mask=~REAL)
    torch.testing.assert_close(ours(x, padding_mask(REAL))[REAL], expected[REAL], **TOLERANCE)


@pytest.mark.parametrize("norm_first", [True, False])
def test_decoder_layer(norm_first: bool) -> None:
    theirs = randomised(nn.TransformerDecoderLayer(WIDTH, HEADS, HIDDEN, 0.0, batch_first=True, norm_first=norm_first))
    ours = DecoderLayer(shape(norm_first=norm_first))
    layer_from(theirs, ours)
    x, memory = tokens(5), tokens(7, seed=2)
    expected = theirs(x, memory, tgt_mask=~causal_mask(5, 5), memory_key_padding_mask=~REAL)
    torch.testing.assert_close(ours(x, memory, causal_mask(5, 5), padding_mask(REAL)), expected, **TOLERANCE)


@pytest.mark.parametrize("norm_first", [True, False])
def test_causal_stack_is_a_masked_encoder(norm_first: bool) -> None:
    layer = nn.TransformerEncoderLayer(WIDTH, HEADS, HIDDEN, 0.0, batch_first=True, norm_first=norm_first)
    theirs = randomised(nn.TransformerEncoder(layer, 2, nn.LayerNorm(WIDTH), enable_nested_tensor=False))
    ours = Causal(shape(norm_first=norm_first, layers=2))
    stack_from(theirs, ours)
    x = tokens(6)
    torch.testing.assert_close(ours(x), theirs(x, mask=~causal_mask(6, 6)), **TOLERANCE)


@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True:UserWarning")
@pytest.mark.parametrize("norm_first", [True, False])
def test_encoder_decoder(norm_first: bool) -> None:
    theirs = randomised(nn.Transformer(WIDTH, HEADS, 2, 2, HIDDEN, 0.0, batch_first=True, norm_first=norm_first))
    assert isinstance(theirs, nn.Transformer)
    theirs.encoder.use_nested_tensor = False  # a prototype of torch, which warns
    config = shape(norm_first=norm_first, layers=2)
    ours = EncoderDecoder(config, config)
    stack_from(theirs.encoder, ours.encoder)
    stack_from(theirs.decoder, ours.decoder)
    source, target = tokens(7), tokens(5, seed=2)
    expected = theirs(
        source, target, tgt_mask=~causal_mask(5, 5), src_key_padding_mask=~REAL, memory_key_padding_mask=~REAL
    )
    torch.testing.assert_close(ours(source, target, padding_mask(REAL)), expected, **TOLERANCE)
