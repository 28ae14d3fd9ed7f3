"""Capturing attention: what it costs beside a plain forward pass, what it keeps, and how fast maps are there.

The shape of GPT-2 small with random weights, saved to the disk and opened like any folder. Passes take turns, and the median of
each counts, in seconds of processor time, which other programs do not change; all ask the head for the last token only.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from studio.ml.attention import maps
from studio.ml.attention.capture import Trace, capture
from studio.ml.attention.listening import REGISTERED
from studio.ml.attention.mosaic import thumbnails
from studio.ml.attention.opening import open_folder
from studio.ml.attention.public import PublicModel
from studio.ml.attention.values import Asked
from tests.bench.figure import Figure

TOKENS, LONG = 1024, 4096
PASSES, ROWS = 5, 200
VOCABULARY = 50257


def run() -> list[Figure]:
    """Overhead and memory at 1,024 tokens, then maps of 4,096, on as many threads as the studio uses while its window is open."""
    torch.set_num_threads(max(1, (os.cpu_count() or 2) - 1))
    with tempfile.TemporaryDirectory() as folder:
        return [*passes(Path(folder) / "gpt2"), *shown(Path(folder) / "long")]


def passes(folder: Path) -> list[Figure]:
    """Plain, captured, and eager with all its maps."""
    import transformers

    subject = saved(transformers.GPT2LMHeadModel(transformers.GPT2Config()), folder)
    asked = Asked(ids=text(TOKENS))
    prepared = subject.prepare(asked)
    kept: list[int] = []

    def forward(attention: str, **more: Any) -> Any:
        subject.made.set_attn_implementation(attention)
        try:
            with torch.no_grad():
                return subject.made(**prepared.arguments, use_cache=False, logits_to_keep=1, **more)
        finally:
            subject.made.set_attn_implementation(REGISTERED)

    def captured() -> None:
        trace = capture(subject, asked)
        kept.append(trace.nbytes)
        assert trace.checked < 1e-2  # kept as float16

    times = medians({"plain": lambda: forward("sdpa"), "captured": captured}, PASSES)
    began = time.process_time()
    weights = forward("eager", output_attentions=True).attentions
    eager = time.process_time() - began
    whole = sum(layer.nbytes for layer in weights)
    overhead = 100 * (times["captured"] / times["plain"] - 1)
    told = f"{times['captured']:.2f} s against {times['plain']:.2f} s; eager with all maps {eager:.2f} s"
    sizes = f"{kept[-1] / 2**20:.0f} MiB against {whole / 2**20:.0f} MiB"
    return [
        Figure.at_most(f"capture over a plain pass, GPT-2 small, {TOKENS:,} tokens", overhead, "%", 25, told),
        Figure.at_most("what it keeps, as a share of eager's maps", 100 * kept[-1] / whole, "%", 10, sizes),
    ]


def shown(folder: Path) -> list[Figure]:
    """Maps of 4,096 tokens by two layers of 32 heads of 128, as large models have them."""
    import transformers

    shape = transformers.LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=256, intermediate_size=256, num_hidden_layers=2, num_attention_heads=32, head_dim=128,
        num_key_value_heads=32, max_position_embeddings=LONG,
    )  # fmt: skip
    trace = capture(saved(transformers.LlamaForCausalLM(shape), folder), Asked(ids=text(LONG)))
    site = trace.sites[1].name
    heads, queries = iter(range(20)), iter(np.linspace(0, LONG - 1, ROWS + 1).astype(int))
    levels = statistics.median(seconds(lambda: maps.pyramid(trace, site, next(heads))) for _ in range(5))
    exact = statistics.median(seconds(lambda: maps.head(trace, site, next(heads))) for _ in range(3))
    maps.row(trace, site, 0, int(next(queries)))
    rows = [1000 * seconds(lambda: maps.row(trace, site, 0, int(next(queries)))) for _ in range(ROWS)]
    told = f"median {statistics.median(rows):.2f} ms, p99 {statistics.quantiles(rows, n=100)[-1]:.1f} ms"
    layer, slowest = strips(trace)
    large = 32 * trace.nbytes / len(trace.sites) / 2**30
    return [
        Figure.at_most(f"a head of {LONG:,} tokens, as a pyramid", levels, "s", 0.6, f"the whole map at once {exact:.2f} s"),
        Figure.at_most("a row of it, p95", statistics.quantiles(rows, n=20)[-1], "ms", 5, told),
        Figure("thumbnails of a layer of 32 heads", layer, "s", None, True, f"sampled rows; its longest step {1000 * slowest:.0f} ms"),
        Figure.at_most(f"kept of 32 layers of 32 heads of {LONG:,} tokens", large, "GiB", 3, "two layers measured, times 16"),
    ]


def strips(trace: Trace) -> tuple[float, float]:
    """Seconds for the thumbnails of one layer, and for the longest step of them."""
    stream, times = thumbnails(trace), []
    while True:
        began = time.perf_counter()
        strip = next(stream)
        if strip.site.name != trace.sites[0].name:
            return sum(times), max(times)
        times.append(time.perf_counter() - began)


def saved(model: Any, folder: Path) -> PublicModel:
    """A model as it is opened from the disk, with a tokenizer that is never asked."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    model.save_pretrained(folder)
    words = {f"w{i}": i for i in range(VOCABULARY)}
    PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel(words, unk_token="w0"))).save_pretrained(folder)
    subject = open_folder(folder)
    assert isinstance(subject, PublicModel)
    return subject


def text(count: int) -> tuple[int, ...]:
    """Random tokens."""
    return tuple(int(i) for i in np.random.default_rng(0).integers(0, VOCABULARY, count))


def medians(runs: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median processor time of each, in seconds; they take turns, after one call each that does not count."""
    timed: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, once in runs.items():
            began = time.process_time()
            once()
            if number:
                timed[name].append(time.process_time() - began)
    return {name: statistics.median(times) for name, times in timed.items()}


def seconds(once: Callable[[], object]) -> float:
    """Wall time of a call."""
    began = time.perf_counter()
    once()
    return time.perf_counter() - began
