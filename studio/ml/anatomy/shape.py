"""The sizes of a transformer block and what follows from them by arithmetic alone: how many parameters it has.

Symbols: D width of the residual stream, H heads of d numbers each, H_kv heads of keys and values, F inner width of the
feed-forward network, L layers, T tokens, B sequences, V rows of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from studio.ml.anatomy.errors import AbsurdSize

Kind = Literal["encoder", "decoder", "text", "vision"]


class Term(NamedTuple):
    """One part of a sum: its name, the formula in symbols, the same with numbers, and its value."""

    name: str
    symbols: str
    numbers: str
    value: int


@dataclass(frozen=True)
class BlockShape:
    """One layer. gated: SwiGLU and the like, with a third matrix. cross: whether it attends to another sequence, too.

    qkv_bias, key_bias, out_bias, ffn_bias: where biases are added. norms: how many; norm_bias: whether they shift as
    well as scale. head_norm: whether queries and keys are normalised a head at a time. scales: vectors that scale a
    branch.
    """

    width: int
    heads: int
    kv_heads: int
    head_dim: int
    inner: int
    gated: bool = False
    cross: bool = False
    qkv_bias: bool = True
    key_bias: bool = True
    out_bias: bool = True
    ffn_bias: bool = True
    norms: int = 2
    norm_bias: bool = True
    head_norm: bool = False
    scales: int = 0

    @property
    def queries(self) -> int:
        """H·d: numbers of all queries of a token."""
        return self.heads * self.head_dim

    @property
    def keys(self) -> int:
        """H_kv·d: numbers of all keys (and of all values) of a token."""
        return self.kv_heads * self.head_dim

    @property
    def attention_weights(self) -> int:
        """W^Q, W^K, W^V, W^O of one attention: 4D², less where heads share keys."""
        return 2 * self.width * self.queries + 2 * self.width * self.keys

    @property
    def attentions(self) -> int:
        """1, or 2 with cross-attention."""
        return 1 + self.cross

    @property
    def matrices(self) -> int:
        """Matrices of the feed-forward network: 2, or 3 with a gate."""
        return 3 if self.gated else 2

    @property
    def ffn_weights(self) -> int:
        """2DF (8D² where F = 4D), or 3DF with a gate."""
        return self.matrices * self.width * self.inner

    @property
    def biases(self) -> int:
        """All shifts of the linear maps."""
        one = self.qkv_bias * (self.queries + (1 + self.key_bias) * self.keys) + self.out_bias * self.width
        return self.attentions * one + self.ffn_bias * ((self.matrices - 1) * self.inner + self.width)

    @property
    def norm_parameters(self) -> int:
        """Scales, and shifts where there are any, of the norms."""
        return self.norms * self.width * (1 + self.norm_bias) + self.head_norm * self.attentions * 2 * self.head_dim

    @property
    def parameters(self) -> int:
        """All of one block: 12D² + 13D in the classical one."""
        linear = self.attentions * self.attention_weights + self.ffn_weights
        return linear + self.biases + self.norm_parameters + self.scales * self.width

    def terms(self) -> tuple[Term, ...]:
        """What the parameters of a block are the sum of."""
        found = [Term("attention", *self.attention_words(), self.attention_weights)]
        if self.cross:
            found.append(Term("cross-attention", *self.attention_words(), self.attention_weights))
        found.append(Term("feed-forward", *self._ffn_words(), self.ffn_weights))
        found.append(Term("biases", *self._bias_words(), self.biases))
        found.append(Term("norms", *self._norm_words(), self.norm_parameters))
        if self.scales:
            found.append(Term("scales", f"{self.scales}D", f"{self.scales}·{self.width}", self.scales * self.width))
        return tuple(term for term in found if term.value)

    def attention_words(self) -> tuple[str, str]:
        """Weights of one attention in symbols and in numbers."""
        d, q, kv = self.width, self.queries, self.keys
        if q == kv == d:
            return "4D²", f"4·{d}²"
        if q == d:
            return "2D² + 2D·H_kv·d", f"2·{d}² + 2·{d}·{self.kv_heads}·{self.head_dim}"
        if q == kv:
            return "4D·H·d", f"4·{d}·{self.heads}·{self.head_dim}"
        return (
            "2D·H·d + 2D·H_kv·d",
            f"2·{d}·{self.heads}·{self.head_dim} + 2·{d}·{self.kv_heads}·{self.head_dim}",
        )

    def _ffn_words(self) -> tuple[str, str]:
        if not self.gated and self.inner == 4 * self.width:
            return "8D²", f"8·{self.width}²"
        return f"{self.matrices}D·F", f"{self.matrices}·{self.width}·{self.inner}"

    def _bias_words(self) -> tuple[str, str]:
        attention, shown = "", ""
        if self.qkv_bias or self.out_bias:
            times = f"{self.attentions}·" if self.attentions > 1 else ""
            parts = (["H·d", f"{1 + self.key_bias}H_kv·d"] if self.qkv_bias else []) + ["D"] * self.out_bias
            values = [self.queries, (1 + self.key_bias) * self.keys] if self.qkv_bias else []
            values += [self.width] * self.out_bias
            if self.queries == self.keys == self.width:
                count = self.qkv_bias * (2 + self.key_bias) + self.out_bias
                attention, shown = f"{times}{count}D", f"{times}{count}·{self.width}"
            else:
                attention = f"{times}({' + '.join(parts)})" if times else " + ".join(parts)
                shown = f"{times}({' + '.join(map(str, values))})" if times else " + ".join(map(str, values))
        inner = ("F" if self.matrices == 2 else "2F") + " + D" if self.ffn_bias else ""
        inner_shown = f"{(self.matrices - 1) * self.inner} + {self.width}" if self.ffn_bias else ""
        return " + ".join(filter(None, (attention, inner))), " + ".join(filter(None, (shown, inner_shown)))

    def _norm_words(self) -> tuple[str, str]:
        each = self.norms * (1 + self.norm_bias)
        symbols, numbers = f"{each}D", f"{each}·{self.width}"
        if self.head_norm:
            return f"{symbols} + {2 * self.attentions}d", f"{numbers} + {2 * self.attentions}·{self.head_dim}"
        return symbols, numbers

    def scaled(self, width: int, heads: int) -> BlockShape:
        """The same kind of block in another size: F and H_kv keep their proportions, d is D/H where it was.

        Raises AbsurdSize where the heads do not divide the width.
        """
        derived = self.queries == self.width
        if derived and width % heads:
            raise AbsurdSize(f"A width of {width:,} cannot be divided among {heads} heads. Choose others.")
        group = self.heads // self.kv_heads
        return replace(
            self,
            width=width,
            heads=heads,
            kv_heads=heads if group == 1 else next(n for n in range(max(1, heads // group), 0, -1) if heads % n == 0),
            head_dim=width // heads if derived else self.head_dim,
            inner=max(1, round(self.inner * width / self.width)),
        )


@dataclass(frozen=True)
class StackShape:
    """Layers of one kind. path: of the list of layers in the model. known: whether the family is one that is known
    here, so that its parameters are explained to the last one. once: parameters that one layer has for all (T5's table
    of relative positions). windows: for each layer how far back it looks, 0 all the way. family: the model_type.
    """

    name: str
    path: str
    kind: Kind
    layers: int
    block: BlockShape
    family: str
    known: bool
    causal: bool = False
    once: tuple[Term, ...] = ()
    windows: tuple[int, ...] = ()

    @property
    def parameters(self) -> int:
        """Of all layers, by the formula."""
        return self.layers * self.block.parameters + sum(term.value for term in self.once)

    @property
    def caches(self) -> bool:
        """Whether keys and values are kept while it writes."""
        return self.causal

    def scaled(self, width: int, layers: int, heads: int) -> StackShape:
        """The same kind of stack in another size. Raises AbsurdSize."""
        block = self.block.scaled(width, heads)
        windows = tuple(self.windows[i % len(self.windows)] for i in range(layers)) if self.windows else ()
        rows = [term.value // self.block.heads for term in self.once]
        once = tuple(
            term._replace(numbers=f"{count}·{heads}", value=count * heads)
            for term, count in zip(self.once, rows, strict=True)
        )
        return replace(self, block=block, layers=layers, windows=windows, once=once)

    def sizes(self) -> Mapping[str, int]:
        """The symbols with their numbers."""
        block = self.block
        return {
            "D": block.width, "L": self.layers, "H": block.heads, "H_kv": block.kv_heads, "d": block.head_dim,
            "F": block.inner,
        }  # fmt: skip
