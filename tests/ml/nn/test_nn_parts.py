"""What attention, masks, caches and positions promise, by closed forms and by computing the same another way."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from studio.ml.nn.attention import MultiHeadAttention, attention_weights, causal_mask, scaled_dot_product
from studio.ml.nn.layers import FeedForward, TransformerConfig
from studio.ml.nn.positions import GridPositions, LearnedPositions, sinusoidal
from studio.ml.nn.stacks import Causal, Decoder, new_cache, read

CONFIG = TransformerConfig(width=16, heads=2, hidden=32, layers=3)


def tokens(length: int, seed: int = 0) -> Tensor:
    return torch.randn(2, length, 16, generator=torch.Generator().manual_seed(seed))


def test_weights_of_two_keys_are_the_logistic_function() -> None:
    query, key = torch.tensor([[[[2.0]]]]), torch.tensor([[[[1.0], [4.0]]]])
    weights = attention_weights(query, key, None, 0.5)
    assert weights[0, 0, 0, 1].item() == pytest.approx(1 / (1 + math.exp(-3)))


def test_masked_keys_get_nothing_and_the_rest_sums_to_one() -> None:
    torch.manual_seed(0)
    query, key = torch.randn(2, 3, 5, 4), torch.randn(2, 3, 5, 4)
    weights = attention_weights(query, key, causal_mask(5, 5), 0.5)
    assert (weights.triu(1) == 0).all()
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(2, 3, 5))
    added = torch.zeros(5, 5).masked_fill(~causal_mask(5, 5), -math.inf)
    assert torch.equal(attention_weights(query, key, added, 0.5), weights)


def test_scaled_dot_product_equals_torch() -> None:
    torch.manual_seed(0)
    query, key, value = (torch.randn(2, 3, length, 4) for length in (5, 6, 6))
    ours = scaled_dot_product(MultiHeadAttention(12, 3), query, key, value, causal_mask(5, 6), 0.7)
    theirs = torch.nn.functional.scaled_dot_product_attention(query, key, value, causal_mask(5, 6), scale=0.7)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


def test_attend_may_be_replaced_and_sees_what_it_needs() -> None:
    attention, x = MultiHeadAttention(16, 2), tokens(5)
    expected = attention(x, mask=causal_mask(5, 5))
    seen: list[tuple[torch.Size, torch.Size, float]] = []

    def watched(module: MultiHeadAttention, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, scale: float) -> Tensor:
        assert module is attention and mask is not None and mask.dtype == torch.bool
        seen.append((q.shape, k.shape, scale))
        return scaled_dot_product(module, q, k, v, mask, scale)

    attention.attend = watched
    assert torch.equal(attention(x, mask=causal_mask(5, 5)), expected)
    assert seen == [(torch.Size([2, 2, 5, 8]), torch.Size([2, 2, 5, 8]), 1 / math.sqrt(8))]
    attention.attend = lambda module, q, k, v, mask, scale: torch.zeros_like(q)
    torch.testing.assert_close(attention(x), attention.w_o.bias.expand(2, 5, 16))


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ValueError, match="16 cannot be divided among 3"):
        MultiHeadAttention(16, 3)


def test_feed_forward_treats_every_token_alike() -> None:
    net, x = FeedForward(16, 32), tokens(5)
    by_hand = (x @ net.w_1.weight.T + net.w_1.bias).clamp(min=0) @ net.w_2.weight.T + net.w_2.bias
    torch.testing.assert_close(net(x), by_hand)
    torch.testing.assert_close(net(x.flip(1)), net(x).flip(1))


def test_a_causal_stack_cannot_see_what_comes() -> None:
    stack, x = Causal(CONFIG), tokens(6)
    changed = x.clone()
    changed[:, 4:] = tokens(2, seed=1)
    before, after = stack(x), stack(changed)
    torch.testing.assert_close(after[:, :4], before[:, :4])
    assert (after[:, 4:] - before[:, 4:]).abs().min() > 0


@pytest.mark.parametrize("pieces", [(1, 1, 1, 1, 1, 1), (3, 1, 2), (6,)])
@torch.no_grad()
def test_reading_with_a_cache_equals_reading_at_once(pieces: tuple[int, ...]) -> None:
    stack, x = Causal(CONFIG), tokens(6)
    cache = new_cache(CONFIG.layers)
    parts = [stack(part, cache) for part in x.split(list(pieces), dim=1)]
    torch.testing.assert_close(torch.cat(parts, dim=1), stack(x))
    assert read(cache) == 6
    assert sum(layer.nbytes for layer in cache) == 2 * CONFIG.layers * 16 * 6 * 2 * 4  # 2 L W T B bytes


@torch.no_grad()
def test_a_decoder_reads_its_memory_once() -> None:
    decoder, x, memory = Decoder(CONFIG), tokens(5), tokens(7, seed=1)
    cache = new_cache(CONFIG.layers)
    parts = [decoder(part, memory, cache=cache) for part in x.split(1, dim=1)]
    torch.testing.assert_close(torch.cat(parts, dim=1), decoder(x, memory))
    assert [layer.across.length for layer in cache] == [7] * CONFIG.layers


def test_sinusoids_are_those_of_the_paper() -> None:
    table = sinusoidal(torch.arange(50), 16).double()
    for p, i in [(0, 0), (1, 0), (7, 3), (49, 7)]:
        angle = p / 10000 ** (2 * i / 16)
        assert table[p, 2 * i].item() == pytest.approx(math.sin(angle), abs=1e-5)
        assert table[p, 2 * i + 1].item() == pytest.approx(math.cos(angle), abs=1e-5)
    with pytest.raises(ValueError, match="even"):
        sinusoidal(torch.arange(3), 5)


def test_places_on_a_grid_share_rows_and_columns() -> None:
    grid = GridPositions(4, 6)().view(4, 4, 6)
    assert torch.equal(grid[0, :, :3], grid[3, :, :3]) and torch.equal(grid[:, 0, 3:], grid[:, 3, 3:])
    assert not torch.equal(grid[0, 0], grid[0, 1]) and not torch.equal(grid[0, 0], grid[1, 0])


def test_learned_places_end_somewhere() -> None:
    places = LearnedPositions(8, 4)
    assert torch.equal(places(2, start=6), places.table[6:])
    with pytest.raises(ValueError, match="9 tokens are more than the 8"):
        places(2, start=7)
