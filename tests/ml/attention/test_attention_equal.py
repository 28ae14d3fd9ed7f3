"""Maps recomputed from what was captured against what the models' own eager code computes, from folders on the disk."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from studio.ml.attention import listening, maps
from studio.ml.attention.capture import Trace, capture
from studio.ml.attention.errors import NotForThisModel
from studio.ml.attention.public import PublicModel
from studio.ml.attention.seeing import on_grid
from studio.ml.attention.values import Asked
from tests.ml.attention import folders
from tests.ml.attention.conftest import Opened, asked

NEAR = 1e-6


def eager(subject: PublicModel, given: Asked) -> tuple[dict[str, list[torch.Tensor]], Any]:
    """Weights by module, in the order they are computed, as the model's own eager attention returns them; and the output."""
    model, seen = subject.model, {}
    hooks = []
    for name, module in model.named_modules():

        def told(module: Any, args: Any, out: Any, name: str = name) -> None:
            weights = [part for part in out[1:] if isinstance(part, torch.Tensor) and part.dim() == 4] if isinstance(out, tuple) else []
            # T5 puts out its position bias as well, before the weights.
            if weights:
                seen.setdefault(name, []).append(weights[-1])

        hooks.append(module.register_forward_hook(told))
    before = model.config._attn_implementation
    model.set_attn_implementation("eager")
    try:
        more = {"use_cache": False} if subject.kind in ("causal", "encoder-decoder") else {}
        with torch.no_grad():
            out = model(**subject.prepare(given).arguments, output_attentions=True, **more)
    finally:
        for hook in hooks:
            hook.remove()
        if subject.functional:
            model.set_attn_implementation(before)
    return seen, out


@pytest.mark.parametrize("name", folders.MODELS)
def test_every_map_is_the_models_own(name: str, opened: Opened) -> None:
    subject = opened(name)
    assert isinstance(subject, PublicModel)
    trace = capture(subject, asked(name), storage="float32")
    theirs, out = eager(subject, asked(name))
    uneven = 0.0
    for site in trace.sites:
        module, _, again = site.name.partition("#")
        weights = theirs[module][int(again or 1) - 1]
        assert tuple(weights.shape) == (site.parts, site.heads, site.queries, site.keys)
        for part in range(site.parts):
            for head in range(site.heads):
                ours = maps.head(trace, site.name, head, part)
                expected = weights[part, head].numpy()
                assert np.abs(np.nan_to_num(ours) - expected).max() <= NEAR
                assert not (expected[np.isnan(ours)] > 1e-30).any()  # Swin adds -100, not minus infinity
                uneven = max(uneven, float((expected.max(axis=1) * (~np.isnan(ours)).sum(axis=1)).max()))
    assert uneven > 1.5, "attention that is even everywhere proves nothing"
    assert trace.checked < 1e-5
    _require_same_answers(trace, out, subject)
    assert len(trace.sites) >= sum(len(seen) for seen in _listed(out))


def _require_same_answers(trace: Trace, out: Any, subject: PublicModel) -> None:
    if subject.kind == "clip":
        expected = out.logits_per_image[0]
    elif subject.kind in ("causal", "encoder-decoder"):
        expected = out.logits[0, -1]
    elif subject.kind == "vision":
        expected = out.logits[0]
    else:
        expected = out.logits[0, trace.readings["text"][0].words.index("[MASK]")]
    np.testing.assert_allclose(trace.scores[0].logits, expected.numpy(), atol=2e-5)
    np.testing.assert_allclose(trace.scores[0].probabilities.max(), trace.scores[0].best[0].probability, atol=1e-6)


def _listed(out: Any) -> list[tuple[torch.Tensor, ...]]:
    names = ("attentions", "encoder_attentions", "decoder_attentions", "cross_attentions")
    return [getattr(out, name) for name in names if getattr(out, name, None)]


@pytest.mark.parametrize(
    ("name", "methods"), [("bert", {"sdpa"}), ("gemma2", {"explicit"}), ("gpt_oss", {"explicit"}), ("deberta", {"weights"})]
)
def test_the_badge_says_how(name: str, methods: set[str], opened: Opened) -> None:
    trace = capture(opened(name), asked(name))
    assert trace.methods == methods
    assert ("handed over" in trace.badge) == (methods == {"weights"})


def test_masked_cells_are_nan_and_allowed_ones_are_not(opened: Opened) -> None:
    causal = capture(opened("llama"), asked("llama"))
    ours = maps.head(causal, causal.sites[0].name, 1)
    assert (np.isnan(ours) == np.triu(np.ones_like(ours), 1).astype(bool)).all()
    sliding = capture(opened("gemma2"), asked("gemma2"))
    ours = maps.head(sliding, sliding.sites[0].name, 1)
    i, j = np.indices(ours.shape)
    assert (np.isnan(ours) == ((j > i) | (j <= i - 6))).all()
    # The layers of Gemma-2 slide and look at everything in turns.
    assert (np.isnan(maps.head(sliding, sliding.sites[1].name, 1)) == (j > i)).all()


def test_filled_up_captions_are_masked_for_clip_and_read_by_siglip(opened: Opened) -> None:
    pair = capture(opened("clip"), asked("clip"))
    text = next(site for site in pair.sites if site.tower == "text")
    short = maps.head(pair, text.name, 0, part=0)
    real = 4  # class, two words, end
    assert np.isnan(short[:, real:]).all() and not np.isnan(short[-1, :real]).any()
    assert [token.special for token in pair.rows(text, 0).tokens] == [True, False, False, True] + [True] * (text.queries - 4)
    other = capture(opened("siglip"), asked("siglip"))
    text = next(site for site in other.sites if site.tower == "text")
    assert not np.isnan(maps.head(other, text.name, 0)).any() and text.queries == 24


def test_grouped_heads_share_keys(opened: Opened) -> None:
    trace = capture(opened("llama"), asked("llama"))
    site = trace.sites[0]
    assert (site.heads, site.kv_heads) == (4, 2)
    assert trace.taken[site.name].key.shape[1] == 2


def test_shifted_windows_are_masked_though_the_library_writes_minus_100(opened: Opened) -> None:
    trace = capture(opened("swin"), asked("swin"))
    shifted = next(site for site in trace.sites if np.isnan(maps.head(trace, site.name, 0, site.parts - 1)).any())
    assert shifted.asks == "window of 16" and trace.rows(shifted).grid == (4, 4)
    ours = maps.head(trace, shifted.name, 0, shifted.parts - 1)
    np.testing.assert_allclose(np.nansum(ours, axis=1), 1, atol=1e-5)


def test_half_precision_is_said_and_near(opened: Opened) -> None:
    trace = capture(opened("llama"), asked("llama"), storage="float16")
    exact = capture(opened("llama"), asked("llama"), storage="float32")
    assert trace.storage == "float16" and "float16" in trace.badge and trace.nbytes * 2 == exact.nbytes
    name = trace.sites[1].name
    far = np.nanmax(np.abs(maps.head(trace, name, 2) - maps.head(exact, name, 2)))
    assert 0 < far < 2e-3
    assert exact.checked < 1e-5 < trace.checked < 5e-3, "what is kept is what is checked"


def test_own_weights_of_the_same_shape_as_torch(opened: Opened) -> None:
    """What comes out of captured Q, K and V is what torch's own kernel makes of them."""
    trace = capture(opened("llama"), asked("llama"), values=True)
    site = trace.sites[2]
    taken = trace.taken[site.name]
    assert taken.value is not None and taken.out_weight is not None
    shared = site.heads // site.kv_heads
    expected = torch.nn.functional.scaled_dot_product_attention(
        taken.query, taken.key.repeat_interleave(shared, 1), taken.value.repeat_interleave(shared, 1), is_causal=True, scale=taken.scale
    )
    ours = np.nan_to_num(maps.head(trace, site.name, 3)) @ taken.value[0, 3 // shared].numpy()
    np.testing.assert_allclose(ours, expected[0, 3].numpy(), atol=1e-5)


def test_softmax_in_bands_is_the_same(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long texts of models that cap their scores never hold all weights of a layer."""
    whole = {name: capture(opened(name), asked(name)) for name in ("gemma2", "gpt_oss")}
    monkeypatch.setattr(listening, "BAND", 4 * 15 * 4)  # four rows of four heads
    for name, before in whole.items():
        after = capture(opened(name), asked(name))
        np.testing.assert_allclose(after.scores[0].logits, before.scores[0].logits, atol=1e-5)
        assert after.checked < 1e-5


def test_capturing_can_be_stopped_at_any_site(opened: Opened) -> None:
    class Stopped(Exception):
        pass

    seen: list[str] = []

    def watch(site: str) -> None:
        seen.append(site)
        if len(seen) == 2:
            raise Stopped

    subject = opened("llama")
    with pytest.raises(Stopped):
        capture(subject, asked("llama"), watch=watch)
    assert seen == ["model.layers.0.self_attn", "model.layers.1.self_attn"]
    assert listening._listener.get() is None
    assert len(capture(subject, asked("llama")).sites) == 3


def test_patches_go_back_onto_the_picture(opened: Opened) -> None:
    trace = capture(opened("vit"), asked("vit"))
    reading = trace.rows(trace.sites[0])
    assert trace.picture is not None and trace.picture.shape == (32, 32, 3)
    assert (reading.grid, reading.first, reading.words[:3]) == ((4, 4), 1, ("[class]", "1, 1", "1, 2"))
    row = maps.row(trace, trace.sites[0].name, 0, 0)
    assert on_grid(reading, row)[2, 3] == row[1 + 2 * 4 + 3]
    text = capture(opened("bert"), asked("bert"))
    with pytest.raises(NotForThisModel):
        on_grid(text.rows(text.sites[0]), row)
