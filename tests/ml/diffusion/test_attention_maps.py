"""Attention maps: captured weights are the network's own, nothing is left behind, and averages keep the mass."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.ml.diffusion.attention_capture import Recorder, attention_layers, recording, token_maps, traced
from studio.ml.diffusion.attention_maps import AttentionMaps, Layer, StepMaps, View, bilinear, bytes_needed, enlarged
from studio.ml.diffusion.bpe import BpeTokenizer
from studio.ml.diffusion.glide import load_text2im
from studio.ml.diffusion.released import released_networks
from studio.ml.diffusion.sampling import Sampling
from studio.ml.diffusion.unet import Text2ImUNet, TextFeatures, UNet, split_config
from studio.resources import resource
from tests.ml.diffusion.goldens import golden_fill
from tests.ml.diffusion.tiny import NETWORK, model_folder, tiny_net

TWO_LEVELS = NETWORK | {"attention_resolutions": [2, 4], "channel_mult": [1, 1, 1]}
HALF = 1e-3
"""Rounding of float16 to 11 bits, over the few numbers that are summed."""


def deep_net() -> Text2ImUNet:
    net = Text2ImUNet(*split_config(TWO_LEVELS))
    golden_fill(net, "deep")
    return net


def inputs(net: Text2ImUNet, batch: int = 1, tokens: int = 3):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(batch, 3, 16, 16, generator=generator)
    ids = torch.tensor([[1, 3, 5] + [0] * 5] * batch)
    mask = torch.tensor([[i < tokens for i in range(8)]] * batch)
    return x, torch.full((batch,), 500), net.encode_text(ids, mask)


@pytest.fixture
def sdpa_calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts calls of the fused kernel by the picture's attention (whose queries are pixels)."""
    real, calls = F.scaled_dot_product_attention, []

    def counted(q, k, v, **options):
        if q.shape[2] != k.shape[2]:  # text stands in front: not the text transformer's own attention
            calls.append(q.shape[2])
        return real(q, k, v, **options)

    monkeypatch.setattr(F, "scaled_dot_product_attention", counted)
    return calls


@torch.no_grad()
def test_off_is_the_fused_kernel_and_on_gives_the_same_output(sdpa_calls: list[int]) -> None:
    net = deep_net()
    layers = attention_layers(net, 16)
    x, t, text = inputs(net)
    fused = net(x, t, text)
    assert len(sdpa_calls) == len(layers)
    recorder = Recorder(layers, 3)
    with recording(net, recorder):
        explicit = net(x, t, text)
    assert len(sdpa_calls) == len(layers), "captured layers work with explicit matrices"
    assert (explicit - fused).abs().max() < 1e-5 * fused.abs().max()
    net(x, t, text)
    assert len(sdpa_calls) == 2 * len(layers), "and are fused again afterwards"


@torch.no_grad()
def test_the_maps_are_the_softmax_over_text_and_picture() -> None:
    """Against a softmax written out here from the layer's own projections."""
    net = deep_net()
    layers = attention_layers(net, 16)
    x, t, text = inputs(net)
    name, block = net.attention_blocks()[1]
    seen = []
    hook = block.register_forward_pre_hook(lambda _module, args: seen.append(args))
    recorder = Recorder(layers, 3)
    with recording(net, recorder):
        net(x, t, text)
    hook.remove()
    h, encoder = seen[0]
    b, c, height, width = h.shape
    qkv = block.qkv(block.norm(h).reshape(b, c, -1)).reshape(block.heads, 3, -1, height * width)
    own = block.encoder_kv(encoder).reshape(block.heads, 2, -1, encoder.shape[-1])
    q, k, text_k = qkv[:, 0], qkv[:, 1], own[:, 0]
    logits = torch.einsum("hcq,hck->hqk", q, torch.cat([text_k, k], dim=2)) / q.shape[1] ** 0.5
    weights = logits.exp() / logits.exp().sum(dim=-1, keepdim=True)
    wanted = torch.cat([weights[..., :3], weights[..., 3:8].sum(-1, keepdim=True)], dim=-1).transpose(1, 2)
    maps = recorder.maps()[1]
    assert layers[1].name == name and maps.dtype == np.float16
    assert maps.shape == (block.heads, 4, height, width)
    assert np.allclose(maps.reshape(block.heads, 4, -1), wanted.numpy(), atol=HALF)


def test_layers_are_found_with_their_sizes_without_running_the_network() -> None:
    net = deep_net()
    layers = attention_layers(net, 16)
    recorder = Recorder(layers, 2)
    with recording(net, recorder), torch.no_grad():
        net(*inputs(net))
    assert [layer.name for layer in layers] == [name for name, _ in net.attention_blocks()]
    assert [maps.shape for maps in recorder.maps()] == [(x.heads, 3, x.height, x.width) for x in layers]
    assert {layer.height for layer in layers} == {8, 4}
    step = StepMaps(0, 0, recorder.maps())
    assert AttentionMaps(tuple(layers), 2, (step,)).nbytes == bytes_needed(layers, 2, 1)
    assert bytes_needed(layers, 2, 10, heads=False) == 10 * 3 * 2 * sum(layer.cells for layer in layers)


@pytest.mark.parametrize("learned", [False, True])
def test_sizes_are_right_for_either_kind_of_resampling(learned: bool) -> None:
    config = split_config(TWO_LEVELS)[0].model_copy(update={"resblock_updown": not learned})
    net, sides = UNet(config), []
    for _, block in net.attention_blocks():
        block.register_forward_pre_hook(lambda _module, args: sides.append(args[0].shape[-1]))
    with torch.no_grad():
        net(torch.zeros(1, 3, 32, 32), torch.zeros(1, dtype=torch.long))
    assert [layer.height for layer in attention_layers(net, 32)] == sides


def test_whatever_happens_the_network_is_as_before() -> None:
    net = tiny_net()
    blocks = [block for _, block in net.attention_blocks()]
    before = blocks[0].capture = lambda weights: None
    with pytest.raises(ZeroDivisionError), recording(net, Recorder(attention_layers(net, 16), 1)):
        assert all(block.capture is not None for block in blocks)
        raise ZeroDivisionError
    assert blocks[0].capture is before and all(block.capture is None for block in blocks[1:])
    blocks[0].capture = None


def test_only_the_chosen_layers_are_slowed_down(sdpa_calls: list[int]) -> None:
    net = deep_net()
    layers = [layer for layer in attention_layers(net, 16) if layer.height == 4]
    with recording(net, Recorder(layers, 1)), torch.no_grad():
        net(*inputs(net))
    assert sdpa_calls and set(sdpa_calls) == {64}


@torch.no_grad()
def test_of_both_halves_the_conditional_one_is_kept() -> None:
    """As one doubled batch, and one half after the other (which is what is done when memory is short)."""
    net = tiny_net()
    layers = attention_layers(net, 16)
    x, t, prompt = inputs(net, tokens=3)
    _, _, empty = inputs(net, tokens=0)
    alone = Recorder(layers, 3)
    with recording(net, alone):
        net(x, t, prompt)
    doubled, in_turn = Recorder(layers, 3), Recorder(layers, 3)
    texts = TextFeatures(*(torch.cat(pair) for pair in zip(prompt, empty, strict=True)))
    with recording(net, doubled):
        net(torch.cat([x, x]), torch.cat([t, t]), texts)
    with recording(net, in_turn):
        net(x, t, prompt)
        net(x, t, empty)
    for one, both, turn in zip(alone.maps(), doubled.maps(), in_turn.maps(), strict=True):
        assert np.abs(one.astype(float) - both).max() < HALF
        assert (one == turn).all()


def test_a_run_is_the_same_whether_it_is_watched_or_not_and_nothing_stays_between_steps(tmp_path) -> None:
    model = load_text2im(model_folder(tmp_path / "tiny"))
    sampling = Sampling(steps=4)
    plain = list(model.sample(["a red cat"], [3], sampling=sampling))
    layers = attention_layers(model.net, 16)
    watched = []
    for pair in traced(model.sample(["a red cat"], [3], sampling=sampling), model.net, layers, 3):
        assert all(block.capture is None for _, block in model.net.attention_blocks())
        watched.append(pair)
    assert [maps.index for _, maps in watched] == [0, 1, 2, 3]
    assert [maps.t for _, maps in watched] == [record.t for record in plain]
    assert (watched[-1][0].x - plain[-1].x).abs().max() < 1e-4


def random_maps(layers: tuple[Layer, ...], tokens: int = 3, steps: int = 4, seed: int = 0) -> AttentionMaps:
    rng = np.random.default_rng(seed)
    made = []
    for i in range(steps):
        # Rows of a softmax over tokens, padding and picture, of which the last is not kept.
        rows = [rng.dirichlet(np.full(tokens + 2, 0.7), (x.heads, x.height, x.width)) for x in layers]
        made.append(StepMaps(i, 900 - i, tuple(np.moveaxis(row, -1, 1)[:, :-1].astype(np.float16) for row in rows)))
    return AttentionMaps(layers, tokens, tuple(made))


LAYERS = (Layer("fine", 2, 16, 16), Layer("coarse", 3, 8, 8), Layer("middle", 1, 4, 4))


@pytest.mark.parametrize("view", [View(), View(step=1), View(layer=1), View(2, 0, 1), View(step=3, layer=2)])
@pytest.mark.parametrize("smooth", [False, True])
def test_shares_sum_to_one_in_every_cell_and_average_to_the_masses(view: View, smooth: bool) -> None:
    maps = random_maps(LAYERS)
    shares = maps.shares(view, smooth=smooth)
    assert shares.shape == (5, *((16, 16) if view.layer is None else (LAYERS[view.layer].height,) * 2))
    assert np.allclose(shares.sum(axis=0), 1, atol=HALF) and shares.min() >= 0
    assert np.allclose(shares.mean(axis=(1, 2)), maps.masses(view), atol=1e-5)


def test_averages_are_those_written_out() -> None:
    maps = random_maps(LAYERS)
    one = maps.steps[1].maps[0].astype(np.float64)
    assert np.allclose(maps.shares(View(1, 0, 1))[:4], one[1], atol=1e-6)
    assert np.allclose(maps.shares(View(1, 0))[:4], one.mean(axis=0), atol=1e-6)
    by_layer = [np.mean([step.maps[i].astype(float) for step in maps.steps], axis=(0, 1, 3, 4)) for i in range(3)]
    assert np.allclose(maps.masses(View())[:4], np.mean(by_layer, axis=0), atol=1e-5)
    course = maps.course(View(step=2, layer=1))
    assert np.allclose(course, [maps.masses(View(i, 1)) for i in range(4)]) and course.shape == (4, 5)


def test_a_head_needs_its_layer_and_must_be_there() -> None:
    maps = random_maps(LAYERS)
    with pytest.raises(ValueError, match="layer before a head"):
        maps.shares(View(head=0))
    with pytest.raises(IndexError, match="no head 2"):
        maps.shares(View(layer=0, head=2))
    assert AttentionMaps(LAYERS, 3, ()).course(View()).shape == (0, 5)


@given(st.integers(1, 9), st.integers(1, 8), st.booleans(), st.integers(0, 2**32 - 1))
@settings(max_examples=40)
def test_enlarging_keeps_the_mean_and_stays_within_the_values(n: int, factor: int, smooth: bool, seed: int) -> None:
    maps = np.random.default_rng(seed).random((2, n, n)).astype(np.float32)
    grown = enlarged(maps, factor, smooth=smooth)
    assert grown.shape == (2, n * factor, n * factor)
    assert np.allclose(grown.mean(axis=(1, 2)), maps.mean(axis=(1, 2)), rtol=1e-5)
    assert grown.min() >= maps.min() - 1e-6 and grown.max() <= maps.max() + 1e-6


def test_bilinear_is_torchs() -> None:
    maps = np.random.default_rng(1).random((3, 5, 5)).astype(np.float32)
    wanted = F.interpolate(torch.from_numpy(maps)[None], scale_factor=4, mode="bilinear", align_corners=False)
    assert np.allclose(enlarged(maps, 4, smooth=True), wanted[0].numpy(), atol=1e-6)
    assert np.allclose(bilinear(5, 4).sum(axis=0), 4) and np.allclose(bilinear(5, 4).sum(axis=1), 1)


def test_padding_is_one_lump_and_every_row_is_whole() -> None:
    weights = torch.softmax(torch.randn(2, 16, 8 + 16, generator=torch.Generator().manual_seed(2)), dim=-1)
    maps = token_maps(weights, 3, 4, 4)
    assert maps.shape == (2, 4, 4, 4)
    assert torch.allclose(maps[1, 2].flatten(), weights[1, :, 2])
    assert torch.allclose(maps[0, 3].flatten(), weights[0, :, 3:8].sum(dim=-1))
    assert torch.allclose(maps.sum(dim=1).flatten(1) + weights[..., 8:].sum(dim=-1), torch.ones(2, 16))
    nothing = token_maps(weights, 0, 4, 4)
    assert nothing.shape == (2, 1, 4, 4) and torch.allclose(nothing[:, 0], maps.sum(dim=1))


def test_the_heads_can_be_averaged_at_once() -> None:
    net = deep_net()
    layers = attention_layers(net, 16)
    each, mean = Recorder(layers, 2), Recorder(layers, 2, heads=False)
    for recorder in (each, mean):
        with recording(net, recorder), torch.no_grad():
            net(*inputs(net))
    for heads, one in zip(each.maps(), mean.maps(), strict=True):
        assert one.shape[0] == 1 and np.allclose(one[0], heads.astype(float).mean(axis=0), atol=HALF)


def test_a_run_of_the_shipped_model_fits_into_a_few_hundred_kilobytes() -> None:
    model = load_text2im(resource("models", "emoji-base"))
    layers = attention_layers(model.net, model.image_size)
    assert {layer.height for layer in layers} == {8, 16}
    assert bytes_needed(layers, tokens=24, steps=20) == 20 * 25 * 2304 * 2 < 2.4 * 2**20


def test_what_glide_at_full_size_needs_is_known_before_it_runs() -> None:
    glide = released_networks()["glide-base"]
    layers = attention_layers(glide.build(), glide.image_size)
    # 192 channels times 2, 3, 4 at 32, 16, 8 cells a side, 64 channels a head; three blocks down, four up, one middle.
    assert [(x.height, x.heads) for x in layers] == [
        *[(32, 6)] * 3, *[(16, 9)] * 3, *[(8, 12)] * 3, (8, 12), *[(8, 12)] * 4, *[(16, 9)] * 4, *[(32, 6)] * 4,
    ]  # fmt: skip
    cells = 7 * 6 * 1024 + 7 * 9 * 256 + 8 * 12 * 64
    assert bytes_needed(layers, tokens=10, steps=60) == 60 * 11 * 2 * cells
    assert bytes_needed(layers, tokens=10, steps=60) > 64 * 2**20 > bytes_needed(layers, 10, 60, heads=False)


def test_tokenizers_say_what_stands_behind_an_id(tmp_path) -> None:
    model = load_text2im(model_folder(tmp_path / "tiny"))
    ids, _ = model.tokenizer.encode("a kitten, on blue", 8)
    assert [model.tokenizer.piece(token) for token in ids] == ["a", "cat", "on", "blue", "", "", "", ""]
    # GPT-2's letters for the 256 bytes make the smallest vocabulary; its only merges spell " cat".
    letters = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [b for b in range(256) if b not in letters]
    signs = [*map(chr, letters), *(chr(256 + i) for i in range(len(hidden))), "ca", "cat", "\u0120cat"]
    bpe = BpeTokenizer({sign: i for i, sign in enumerate(signs)}, [("c", "a"), ("ca", "t"), ("\u0120", "cat")])
    ids, _ = bpe.encode("cat cats", 4)
    assert [bpe.piece(token) for token in ids[:3]] == ["cat", " cat", "s"]
    assert [bpe.piece(token) for token in bpe.encode("\u00e9", 2)[0]] == ["\ufffd", "\ufffd"]
