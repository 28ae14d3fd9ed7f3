"""Memory in bars: weights, keys and values, activations, and training with its optimiser; the arithmetic under each."""

from __future__ import annotations

from studio.ml.anatomy.memory import (
    BYTES, OPTIMISERS, active_bytes, bytes_words, cache_term, korthikanti, moment_terms, training_terms, weight_bytes,
)  # fmt: skip
from studio.ml.anatomy.shape import Term
from studio_plugins.anatomy.bars import Bar, Group
from studio_plugins.anatomy.results import Look
from studio_plugins.anatomy.words import full, plain

_TOKENS = ("series.0", "series.1", "series.2", "series.5", "series.6")


def groups(look: Look) -> list[Group]:
    """All bars of a look."""
    found = [_inference(look)]
    if look.stack is not None:
        found.append(_moment(look))
        found.append(_activations(look))
    found.append(_training(look))
    return found


def _inference(look: Look) -> Group:
    request, parameters = look.request, look.parameters
    weights = weight_bytes(parameters, request.precision)
    bars = [Bar("weights", weights, bytes_words(weights), f"P·bytes = {full(parameters)}·{BYTES[request.precision]:g}")]
    notes: list[str] = []
    size = active_bytes(request.precision)
    if look.stack is not None and look.stack.caches:
        term = cache_term(look.stack, look.tokens, request.batch, size, look.source)
        bars.append(_bar(term, "series.1"))
        one = term.value / max(1, look.tokens * request.batch)
        notes.append(f"Of all {look.stack.layers} layers after T = {look.tokens:,} tokens, {bytes_words(one)} a token.")
        if look.stack.windows:
            notes.append("Layers with a sliding window keep the tokens before the newest one in it, and no more.")
    elif look.stack is not None:
        notes.append("This stack does not write token by token, so it keeps no cache of keys and values.")
    if request.precision.startswith("int"):
        notes.append("Integer weights come with scales that are not counted here; caches are of 16 bits.")
    return Group(f"Inference: what stays ({request.precision})", tuple(bars), tuple(notes))


def _moment(look: Look) -> Group:
    assert look.stack is not None
    request, size = look.request, active_bytes(look.request.precision)
    bars = []
    for fused, name in ((False, "plain attention"), (True, "fused attention")):
        terms = moment_terms(look.stack.block, look.tokens, request.batch, size, fused=fused, source=look.source)
        total = sum(term.value for term in terms)
        segments = tuple(
            (float(term.value), _TOKENS[i], f"{term.name}: {plain(term.symbols)} = {bytes_words(term.value)}")
            for i, term in enumerate(terms)
        )
        bars.append(Bar(name, total, bytes_words(total), segments=segments))
    return Group(
        "Inference: the largest moment of a layer",
        tuple(bars),
        (
            "An own tally of the tensors that must be there at once, at the larger of two moments: attending, or "
            "inside the feed-forward network. What a library keeps besides, and its rounding of blocks, comes on top.",
        ),
    )


def _activations(look: Look) -> Group:
    assert look.stack is not None
    request, block, layers = look.request, look.stack.block, look.stack.layers
    size = 2 if request.mixed else 4
    bars = []
    notes = []
    kept = look.measured.kept if look.measured is not None else None
    if kept is not None:
        one, every = kept * size, kept * size * layers
        shown = f"{full(kept)} numbers·{size} bytes"
        bars.append(Bar("one layer, by autograd", one, bytes_words(one), shown))
        shown = f"{layers}·{full(kept)}·{size}"
        bars.append(Bar(f"all {layers} layers", every, bytes_words(every), shown, "series.1"))
        notes.append("By autograd: what torch keeps of one layer with plain attention and dropout, without memory.")
    paper = korthikanti(block, look.tokens, request.batch)
    shown = f"{paper.symbols} = {paper.numbers}"
    bars.append(Bar("one layer, by the paper", paper.value, bytes_words(paper.value), shown, "series.2", guessed=True))
    notes.append(
        "By the paper: Korthikanti et al. 2022, Reducing Activation Recomputation in Large Transformer Models, eq. 1. "
        "It means 16-bit numbers, GELU with F = 4D, a key for every query, and masks of dropout in one byte; elsewhere "
        "it is a guide."
    )
    return Group("Training: activations for the backward pass", tuple(bars), tuple(notes))


def _training(look: Look) -> Group:
    request, bars = look.request, []
    for name, title in OPTIMISERS.items():
        terms = training_terms(look.parameters, name, mixed=request.mixed)
        total = sum(term.value for term in terms)
        each = total // max(1, look.parameters)
        named = zip(terms, _TOKENS, strict=False)
        segments = tuple((float(term.value), token, f"{term.name} {term.symbols}") for term, token in named)
        chosen = "▸ " if name == request.optimiser else ""
        shown = f"{each}·P = {each}·{full(look.parameters)}"
        bars.append(Bar(f"{chosen}{title}", total, bytes_words(total), shown, segments=segments))
    how = "mixed precision" if request.mixed else "float32"
    source = (
        "With mixed precision Adam keeps 2 + 2 + 4 + 8 = 16 bytes a parameter (Rajbhandari et al. 2020, ZeRO, sec. "
        "3.1); 8-bit states are 1 + 1 bytes (Dettmers et al. 2022), without their constants, one for each block."
        if request.mixed
        else "Float32 weights and gradients of 4 bytes each, and the optimiser's float32 moments."
    )
    notes = [source]
    if look.measured is not None and look.measured.kept is not None and look.stack is not None:
        states = sum(term.value for term in training_terms(look.parameters, request.optimiser, mixed=request.mixed))
        acts = look.measured.kept * (2 if request.mixed else 4) * look.stack.layers
        notes.append(
            f"With {OPTIMISERS[request.optimiser]} and the activations of all layers: {bytes_words(states)} + "
            f"{bytes_words(acts)} = {bytes_words(states + acts)}."
        )
    return Group(f"Training: weights, gradients and optimiser ({how})", tuple(bars), tuple(notes))


def _bar(term: Term, colour: str) -> Bar:
    return Bar(term.name, term.value, bytes_words(term.value), f"{plain(term.symbols)} = {term.numbers}", colour)
