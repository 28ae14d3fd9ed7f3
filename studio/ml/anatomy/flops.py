"""Floating-point operations of one forward pass, two for each multiply-add, as formulas.

Projections and the feed-forward network cost 2T a weight, so O(T D²); scores QKᵀ and their product with V cost 4T²·H·d
a layer, so O(T² D). A block with full attention is meant: kernels that skip the masked half of a causal one do less.
"""

from __future__ import annotations

from dataclasses import dataclass

from studio.ml.anatomy.shape import BlockShape, StackShape, Term


@dataclass(frozen=True)
class Cost:
    """Operations of one layer, or of several: the projections of attention, its T² part, the feed-forward network."""

    projections: int
    scores: int
    ffn: int

    @property
    def total(self) -> int:
        return self.projections + self.scores + self.ffn

    def times(self, count: int) -> Cost:
        return Cost(self.projections * count, self.scores * count, self.ffn * count)


def block_cost(block: BlockShape, tokens: int, batch: int = 1, source: int = 0) -> Cost:
    """One layer on `tokens` tokens of each of `batch` sequences; `source`: tokens of the sequence cross-attended to."""
    projections = 2 * tokens * block.attention_weights
    scores = 4 * tokens * tokens * block.queries
    if block.cross:
        own = 2 * block.width * block.queries
        projections += 2 * tokens * own + 2 * source * (block.attention_weights - own)
        scores += 4 * tokens * source * block.queries
    return Cost(projections * batch, scores * batch, 2 * tokens * block.ffn_weights * batch)


def stack_cost(stack: StackShape, tokens: int, batch: int = 1, source: int = 0) -> Cost:
    """All layers."""
    return block_cost(stack.block, tokens, batch, source).times(stack.layers)


def cost_terms(stack: StackShape, tokens: int, batch: int = 1, source: int = 0) -> tuple[Term, ...]:
    """The sum with symbols and numbers, for all layers."""
    block, cost = stack.block, stack_cost(stack, tokens, batch, source)
    front, shown = ("B·L·", f"{batch}·{stack.layers}·") if batch > 1 else ("L·", f"{stack.layers}·")
    weights = block.attention_words()[0]
    weights = f"({weights})" if " " in weights else weights
    inner = "8D²" if not block.gated and block.inner == 4 * block.width else f"{block.matrices}D·F"
    of = "D" if block.queries == block.width else "H·d"
    if block.cross:
        own = 2 * block.width * block.queries
        both = block.attention_weights - own
        symbols = "(2T·6D² + 2S·2D²)" if weights == "4D²" else "(2T·(4D·H·d + 2D·H_kv·d) + 2S·2D·H_kv·d)"
        linear = f"{shown}(2·{tokens}·{block.attention_weights + own} + 2·{source}·{both})"
        mixed = f"{shown}4·({tokens}² + {tokens}·{source})·{block.queries}"
        return (
            Term("projections", f"{front}{symbols}", linear, cost.projections),
            Term("scores", f"{front}4(T² + T·S)·{of}", mixed, cost.scores),
            Term("feed-forward", f"{front}2T·{inner}", f"{shown}2·{tokens}·{block.ffn_weights}", cost.ffn),
        )
    return (
        Term("projections", f"{front}2T·{weights}", f"{shown}2·{tokens}·{block.attention_weights}", cost.projections),
        Term("scores", f"{front}4T²·{of}", f"{shown}4·{tokens}²·{block.queries}", cost.scores),
        Term("feed-forward", f"{front}2T·{inner}", f"{shown}2·{tokens}·{block.ffn_weights}", cost.ffn),
    )


@dataclass(frozen=True)
class Crossing:
    """Numbers of tokens from which the T² part of self-attention costs more than something: `rest` all else in the
    layer (6D in the classical block), `ffn` the feed-forward network alone (4D); `attention`: from which all of
    attention costs more than the feed-forward network (2D), 0 where its projections alone do.
    """

    rest: float
    ffn: float
    attention: float


def crossing(block: BlockShape) -> Crossing:
    """4T²·H·d = 2T·weights gives T = weights / (2·H·d)."""
    per = 2 * block.queries
    linear = block.attention_weights * block.attentions + block.ffn_weights
    beyond = block.ffn_weights - block.attention_weights * block.attentions
    return Crossing(linear / per, block.ffn_weights / per, max(0, beyond) / per)


def crossing_words(block: BlockShape) -> str:
    """The crossing as a formula: T = 6D and its variants."""
    if block.cross:
        return "T = (8D² + W_ffn) / (2·H·d), the source aside"
    if block.queries == block.keys == block.width:
        if not block.gated and block.inner == 4 * block.width:
            return "T = 6D"
        return "T = 2D + 3F/2" if block.gated else "T = 2D + F"
    if block.queries == block.width:
        return f"T = D + H_kv·d + {'3F/2' if block.gated else 'F'}"
    return f"T = (2D·H·d + 2D·H_kv·d + {block.matrices}D·F) / (2·H·d)"
