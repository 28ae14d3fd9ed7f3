"""Thousands of tokens: nothing ever holds a whole map, and what is shown small misses nothing."""

from __future__ import annotations

import resource
import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from studio.ml.attention import maps
from studio.ml.attention.capture import Trace, capture
from studio.ml.attention.errors import TooLong
from studio.ml.attention.mosaic import thumbnails
from studio.ml.attention.opening import open_folder
from studio.ml.attention.rollout import rollout, traced
from studio.ml.attention.statistics import statistics
from studio.ml.attention.values import Asked
from tests.ml.attention import folders
from tests.ml.attention.conftest import Opened, asked

LONG = 8192
MAP = 4 * LONG * LONG


@pytest.fixture(scope="module")
def long_trace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trace]:
    """8,192 tokens through two layers of two heads."""
    folder = tmp_path_factory.mktemp("long")
    folders.save("llama", folder, max_position_embeddings=LONG, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1)
    subject = open_folder(folder)
    words = np.random.default_rng(0).integers(5, 27, LONG)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    trace = capture(subject, Asked(ids=tuple(int(i) for i in words)))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    assert grown < MAP, f"capturing took {grown / 2**20:.0f} MiB, as much as a whole map"
    yield trace


def test_a_long_trace_keeps_queries_and_keys_only(long_trace: Trace) -> None:
    # float16: Q of two heads and K of one, 16 numbers each, two layers.
    assert long_trace.nbytes == 2 * LONG * 16 * (2 + 1) * 2
    assert long_trace.storage == "float16" and long_trace.checked < 5e-3


def test_what_is_shown_of_a_long_trace_never_holds_a_map(long_trace: Trace, monkeypatch: pytest.MonkeyPatch) -> None:
    biggest = 0
    weights_of = maps.weights_of

    def watched(*given: object) -> torch.Tensor:
        nonlocal biggest
        weights = weights_of(*given)  # type: ignore[arg-type]
        biggest = max(biggest, weights.nbytes)
        return weights

    monkeypatch.setattr(maps, "weights_of", watched)
    site = long_trace.sites[1].name
    tracemalloc.start()
    levels = maps.pyramid(long_trace, site, 1)
    next(iter(thumbnails(long_trace)))
    row = maps.row(long_trace, site, 1, 5000)
    crop = maps.crop(long_trace, site, 1, range(5000, 5010), range(100, 130))
    held = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 0 < biggest <= 4 * maps.BAND and held < MAP / 4
    np.testing.assert_allclose(row[:5001].sum(), 1, atol=1e-4)
    assert np.isnan(row[5001:]).all()
    np.testing.assert_allclose(crop[0], row[100:130], rtol=1e-5)  # products of other shapes round otherwise
    assert [(factor, level.shape) for factor, level in levels[:2]] == [(4, (2048, 2048)), (8, (1024, 1024))]
    # The largest of every cell, also over the edge of a band.
    bands = [maps.crop(long_trace, site, 1, range(start, start + 4), range(LONG)) for start in (0, 2044, 4096, 8188)]
    for start, band in zip((0, 2044, 4096, 8188), bands, strict=True):
        cells = np.nan_to_num(band, nan=-1).reshape(4, 2048, 4).max(axis=(0, 2))
        np.testing.assert_allclose(np.nan_to_num(levels[0][1][start // 4], nan=-1), cells, rtol=1e-5)


def test_a_row_of_the_rollout_of_a_long_trace(long_trace: Trace) -> None:
    rows = [row for _, row in traced(long_trace, LONG - 1)]
    assert len(rows) == 2
    np.testing.assert_allclose([row.sum() for row in rows], 1, atol=1e-3)
    with pytest.raises(TooLong, match="one row"):
        next(rollout(long_trace))


def test_the_statistics_of_a_long_trace_stream(long_trace: Trace) -> None:
    one = next(statistics(long_trace))
    assert 0 < one.entropy < 1 and one.distance > 100


@pytest.mark.parametrize("name", ["bert", "gemma2", "bart", "swin"])
def test_exact_thumbnails_are_the_largest_of_every_cell(name: str, opened: Opened) -> None:
    trace = capture(opened(name), asked(name))
    strips = list(thumbnails(trace, 6))
    assert [(strip.site.name, strip.first + i) for strip in strips for i in range(len(strip.maps))] == [
        (site.name, head) for site in trace.sites for head in range(site.heads)
    ]
    for strip in strips:
        assert strip.exact
        for i, small in enumerate(strip.maps):
            whole = maps.head(trace, strip.site.name, strip.first + i)
            down, across = -(-whole.shape[0] // 6), -(-whole.shape[1] // 6)
            for r in range(small.shape[0]):
                for c in range(small.shape[1]):
                    cell = whole[r * down : (r + 1) * down, c * across : (c + 1) * across]
                    expected = np.nan if np.isnan(cell).all() else np.nanmax(cell)
                    np.testing.assert_equal(small[r, c], expected)


def test_sampled_thumbnails_say_so_and_show_rows_of_the_map(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = capture(opened("gemma2"), Asked(ids=tuple(np.random.default_rng(0).integers(5, 27, 64).tolist())))
    strip = next(iter(thumbnails(trace, 8, exact=False)))
    assert not strip.exact and strip.maps.shape[1:] == (8, 8)
    rows = np.linspace(0, 63, 16).round().astype(int)
    whole = np.nan_to_num(maps.head(trace, strip.site.name, 2), nan=-1)[rows]
    expected = whole.reshape(8, 2, 8, 8).max(axis=(1, 3))
    np.testing.assert_allclose(np.nan_to_num(strip.maps[2], nan=-1), expected, atol=1e-6)


def test_a_mosaic_that_is_closed_computes_no_further(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = capture(opened("gpt2"), asked("gpt2"))
    looked: list[str] = []
    from studio.ml.attention import mosaic

    real = mosaic.shown
    monkeypatch.setattr(mosaic, "shown", lambda *given: looked.append(given[1]) or real(*given))
    stream = thumbnails(trace)
    next(stream)
    stream.close()
    assert set(looked) == {trace.sites[0].name}


def test_columns_and_means(opened: Opened) -> None:
    trace = capture(opened("llama"), asked("llama"))
    site = trace.sites[1]
    whole = np.stack([maps.head(trace, site.name, h) for h in range(site.heads)])
    np.testing.assert_array_equal(maps.column(trace, site.name, 2, 3), whole[2][:, 3])
    np.testing.assert_allclose(maps.mean(trace, site.name), whole.mean(axis=0), atol=1e-7)
    with pytest.raises(IndexError):
        maps.row(trace, site.name, 0, site.queries)
    with pytest.raises(KeyError, match="nowhere"):
        maps.head(trace, "nowhere", 0)


