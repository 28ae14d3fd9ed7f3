"""Rollout, relevancy, norms, statistics and single pairs, each against an explicit computation or a closed form."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from studio.ml.attention import maps
from studio.ml.attention.capture import Taken, Trace, capture
from studio.ml.attention.errors import NotForThisModel
from studio.ml.attention.neuron import dimensions, pair
from studio.ml.attention.norms import layer_norm_weighted, norm_weighted
from studio.ml.attention.public import PublicModel
from studio.ml.attention.relevancy import relevancy
from studio.ml.attention.rollout import rollout, traced
from studio.ml.attention.statistics import repeated, statistics
from studio.ml.attention.values import Head, Reading, Site, Token
from tests.ml.attention.conftest import Opened, asked


def filled(trace: Trace, site: Site, part: int = 0) -> NDArray[np.float64]:
    """[heads, T_q, T_k] with zeros where masked."""
    return np.stack([np.nan_to_num(maps.head(trace, site.name, h, part)).astype(np.float64) for h in range(site.heads)])


@pytest.mark.parametrize("name", ["bert", "llama", "vit", "deberta"])
def test_rollout_is_the_product_of_its_layers(name: str, opened: Opened) -> None:
    trace = capture(opened(name), asked(name))
    expected = np.eye(trace.sites[0].queries)
    for site, rolled in zip(trace.sites, rollout(trace), strict=True):
        expected = (0.5 * filled(trace, site).mean(axis=0) + 0.5 * np.eye(len(expected))) @ expected
        np.testing.assert_allclose(np.nan_to_num(rolled.map), expected, atol=1e-6)
        np.testing.assert_allclose(np.nansum(rolled.map, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("name", ["gpt_oss", "vit", "llama"])
def test_one_row_of_the_rollout(name: str, opened: Opened) -> None:
    trace = capture(opened(name), asked(name))
    whole = list(rollout(trace))[-1].map
    for row in (0, 7, len(whole) - 1):
        (*_, (_, reach)) = traced(trace, row)
        np.testing.assert_allclose(reach, np.nan_to_num(whole[row]), atol=1e-6)


def test_rollout_with_largest_heads_and_without_the_smallest_weights(opened: Opened) -> None:
    trace = capture(opened("vit"), asked("vit"))
    layer = filled(trace, trace.sites[-1]).max(axis=0)
    count = int(layer.size * 0.5)
    for place in np.argsort(layer, axis=None, kind="stable")[:count]:
        if place % layer.shape[1]:
            layer.flat[place] = 0
    layer += np.eye(len(layer))
    rolled = list(rollout(trace, fusion="max", discard=0.5, start=2))
    np.testing.assert_allclose(rolled[-1].map, layer / layer.sum(axis=1, keepdims=True), atol=1e-6)
    assert len(rolled) == 1


def test_rollout_can_leave_the_sink_out(opened: Opened) -> None:
    trace = capture(opened("gpt2"), asked("gpt2"))
    kept, dropped = (list(rollout(trace, drop_sink=drop))[-1].map for drop in (False, True))
    expected = np.nan_to_num(kept)[1:, 1:] / np.nansum(kept[1:, 1:], axis=1, keepdims=True)
    np.testing.assert_allclose(np.nan_to_num(dropped)[1:, 1:], expected, atol=1e-6)
    assert not np.nan_to_num(dropped)[1:, 0].any()


def test_windows_that_change_cannot_be_rolled_out(opened: Opened) -> None:
    with pytest.raises(NotForThisModel, match="windows"):
        list(rollout(capture(opened("swin"), asked("swin"))))


def gradients(subject: PublicModel, name: str) -> Any:
    """The output of the model's own eager code, its weights with their graph."""
    model, before = subject.model, subject.model.config._attn_implementation
    model.set_attn_implementation("eager")
    model.requires_grad_(True)
    try:
        more = {"use_cache": False} if subject.kind in ("causal", "encoder-decoder") else {}
        return model(**subject.prepare(asked(name)).arguments, output_attentions=True, **more)
    finally:
        model.requires_grad_(False)
        if subject.functional:
            model.set_attn_implementation(before)


def bar(gradient: torch.Tensor, weights: torch.Tensor, part: int = 0) -> NDArray[np.float64]:
    return (gradient[part] * weights[part]).clamp(min=0).mean(dim=0).detach().double().numpy()


@pytest.mark.parametrize("name", ["llama", "vit", "bert", "deberta", "gemma2"])
def test_relevancy_follows_the_self_rule(name: str, opened: Opened) -> None:
    subject = opened(name)
    assert isinstance(subject, PublicModel)
    found = relevancy(subject, asked(name))
    out = gradients(subject, name)
    row = 0
    if subject.kind == "encoder":
        row = found.trace.readings["text"][0].words.index("[MASK]")
    logits = out.logits[0, -1] if subject.kind == "causal" else out.logits[0] if subject.kind == "vision" else out.logits[0, row]
    index = int(logits.argmax())
    assert found.index == index
    expected = np.eye(found.trace.sites[0].queries)
    for gradient, weights in zip(torch.autograd.grad(logits[index], out.attentions), out.attentions, strict=True):
        expected = expected + bar(gradient, weights) @ expected
    np.testing.assert_allclose(found.maps[""], expected, atol=2e-5 * np.abs(expected).max())
    assert (expected - np.eye(len(expected))).max() > 1e-4
    row = len(expected) - 1 if subject.kind == "causal" else row
    assert found.rows[""] == row
    np.testing.assert_allclose(found.shares(""), expected[row] - np.eye(len(expected))[row], atol=2e-5 * np.abs(expected).max())
    assert all(not weight.requires_grad for weight in subject.model.parameters())


def test_relevancy_crosses_from_decoder_to_encoder(opened: Opened) -> None:
    subject = opened("bart")
    assert isinstance(subject, PublicModel)
    found = relevancy(subject, asked("bart"), answer=5)
    out = gradients(subject, "bart")
    groups = (out.encoder_attentions, out.decoder_attentions, out.cross_attentions)
    flat = [weights for group in groups for weights in group]
    bars = [bar(g, w) for g, w in zip(torch.autograd.grad(out.logits[0, -1, 5], flat), flat, strict=True)]
    encoder, own, across = bars[:3], bars[3:6], bars[6:]
    source, target = encoder[0].shape[0], own[0].shape[0]
    r_ee, r_dd, r_de = np.eye(source), np.eye(target), np.zeros((target, source))
    for layer in encoder:
        r_ee = r_ee + layer @ r_ee
    for layer, cross in zip(own, across, strict=True):
        r_dd, r_de = r_dd + layer @ r_dd, r_de + layer @ r_de
        r_de = r_de + hat(r_dd).T @ cross @ hat(r_ee)
    for name, expected in (("encoder", r_ee), ("decoder", r_dd), ("cross", r_de)):
        # Rhat divides by small sums, which makes rounding larger.
        np.testing.assert_allclose(found.maps[name], expected, atol=2e-5 * np.abs(expected).max(), rtol=1e-3)
    assert found.maps["cross"].max() > 0
    np.testing.assert_allclose(found.shares("cross"), r_de[-1], rtol=1e-3)


def hat(relevance: NDArray[np.float64]) -> NDArray[np.float64]:
    gathered = relevance - np.eye(len(relevance))
    sums = gathered.sum(axis=1, keepdims=True)
    return np.divide(gathered, sums, out=np.zeros_like(gathered), where=sums > 0) + np.eye(len(relevance))


@pytest.mark.parametrize("start", [None, 0])
def test_relevancy_of_both_towers_of_clip(start: int | None, opened: Opened) -> None:
    subject = opened("clip")
    assert isinstance(subject, PublicModel)
    found = relevancy(subject, asked("clip"), answer=1, start=start)
    out = gradients(subject, "clip")
    towers = {"text": out.text_model_output.attentions, "vision": out.vision_model_output.attentions}
    for tower, weights in towers.items():
        part = 1 if tower == "text" else 0
        bars = [bar(g, w, part) for g, w in zip(torch.autograd.grad(out.logits_per_image[0, 1], weights, retain_graph=True), weights, strict=True)]
        expected = np.eye(len(bars[0]))
        for layer in bars[-1:] if start is None else bars:
            expected = expected + layer @ expected
        np.testing.assert_allclose(found.maps[tower], expected, atol=2e-5 * np.abs(expected).max())
    assert found.rows == {"text": 8, "vision": 0} and found.answer == "the red dog sat on the mat"


@pytest.mark.parametrize("name", ["bert", "gpt2", "llama", "vit", "bart"])
def test_norms_are_those_of_the_vectors_that_are_added(name: str, opened: Opened) -> None:
    """Against the output of the projection itself, with all but one token's value vector taken out by hand."""
    subject = opened(name)
    trace = capture(subject, asked(name), values=True)
    for site in (trace.sites[0], trace.sites[-1]):
        taken = trace.taken[site.name]
        assert taken.value is not None and taken.out_weight is not None
        weights = filled(trace, site)
        shared = site.heads // site.kv_heads
        vectors = np.stack([
            taken.value[0, h // shared].double().numpy() @ taken.out_weight[h].double().numpy() for h in range(site.heads)
        ])  # fmt: skip
        parts = weights[:, :, :, None] * vectors[:, None]
        np.testing.assert_allclose(np.nan_to_num(norm_weighted(trace, site.name, 2)), np.linalg.norm(parts[2], axis=-1), atol=1e-5)
        expected = np.linalg.norm(parts.sum(axis=0), axis=-1)
        np.testing.assert_allclose(np.nan_to_num(layer_norm_weighted(trace, site.name)), expected, atol=2e-4 * expected.max())
        projected(subject, asked(name), site, parts)


def test_norms_of_a_layer_with_a_head_off(opened: Opened) -> None:
    plain = capture(opened("llama"), asked("llama"), values=True)
    site = plain.sites[0].name
    changed = capture(opened("llama"), asked("llama"), values=True, off={Head(site, 1)})
    np.testing.assert_array_equal(norm_weighted(changed, site, 2), norm_weighted(plain, site, 2))
    later = plain.sites[1].name
    assert np.nanmax(np.abs(norm_weighted(changed, later, 2) - norm_weighted(plain, later, 2))) > 0


def projected(subject: PublicModel, given: object, site: Site, parts: NDArray[np.float64]) -> None:
    """The parts add up to what the model's own projection puts out, without its bias."""
    seen = {}
    owner = site.name.removesuffix(".self") + (".output.dense" if site.name.endswith(".self") else "")
    module = subject.model.get_submodule(owner)
    names = ("o_proj", "out_proj", "c_proj", "dense", "o")
    if owner == site.name:
        module = next(child for name, child in module.named_modules() if name in names)
    hook = module.register_forward_hook(lambda m, a, out: seen.setdefault("out", out - (m.bias if m.bias is not None else 0)))
    try:
        capture(subject, given)
    finally:
        hook.remove()
    np.testing.assert_allclose(seen["out"][0].numpy(), parts.sum(axis=(0, 2)), atol=1e-4 * np.abs(parts).max() + 1e-5)


def test_norms_say_why_they_are_not_there(opened: Opened) -> None:
    plain = capture(opened("bert"), asked("bert"))
    with pytest.raises(NotForThisModel, match="Capture again"):
        norm_weighted(plain, plain.sites[0].name, 0)
    handed = capture(opened("deberta"), asked("deberta"), values=True)
    with pytest.raises(NotForThisModel, match="hands over"):
        norm_weighted(handed, handed.sites[0].name, 0)


def made(weights: NDArray[np.float64], tokens: list[int], *, causal: bool = True, grid: tuple[int, int] | None = None) -> Trace:
    """A trace with one site whose heads have exactly these weights [heads, T, T]."""
    heads, count, _ = weights.shape
    site = Site("made", "", 0, "causal" if causal else "self", heads, heads, 0, count, count, "text", "text", 1, "weights")
    nothing = torch.zeros(1, heads, count, 0)
    taken = Taken(nothing, nothing, None, None, None, 1.0, causal, None, None, torch.from_numpy(weights)[None].float())
    reading = Reading("text", tuple(Token(str(i), i) for i in tokens), grid=grid)
    return Trace("made", (site,), {"text": (reading,)}, (), {"made": taken}, "float32", 0.0)


def test_statistics_of_heads_that_do_one_thing_only() -> None:
    count, tokens = 12, [5, 6, 7, 8, 9, 4] * 2
    even, before, sink, induction = np.zeros((4, count, count))
    for i in range(count):
        even[i, : i + 1] = 1 / (i + 1)
        before[i, max(0, i - 1)] = 1
        sink[i, 0] = 1
        induction[i, i - 5 if i >= 6 else 0] = 1
    found = list(statistics(made(np.stack([even, before, sink, induction, np.eye(count)]), tokens)))
    assert [one.entropy for one in found] == pytest.approx([1, 0, 0, 0, 0], abs=1e-6)
    assert found[1].previous == found[2].sink == found[4].diagonal == found[3].induction == 1
    assert found[4].previous == found[4].sink == found[2].induction == 0
    assert [one.distance for one in found] == pytest.approx([2.75, 11 / 12, 5.5, (0 + 1 + 2 + 3 + 4 + 5 + 5 * 6) / 12, 0])
    # An even head meets the repeated token's follower with 1 / (i + 1), for the six rows that have one.
    assert found[0].induction == pytest.approx(np.mean([1 / (i + 1) for i in range(6, 12)]))
    assert found[0].sink == pytest.approx(np.mean([1 / (i + 1) for i in range(1, 12)]))


def test_distance_on_a_picture_is_in_patches() -> None:
    weights = np.zeros((1, 7, 7))
    weights[0, :, 6] = 1  # everyone looks at the last of 2 x 3 patches behind a class token
    trace = made(weights, [-1] * 7, causal=False, grid=(2, 3))
    reading = replace(trace.readings["text"][0], first=1)
    one = next(iter(statistics(replace(trace, readings={"text": (reading,)}))))
    away = [np.hypot(1 - r, 2 - c) for r in range(2) for c in range(3)]
    assert one.distance == pytest.approx(sum(away) / 7)


@pytest.mark.parametrize("name", ["llama", "gemma2", "bart", "bert"])
def test_statistics_from_whole_maps(name: str, opened: Opened) -> None:
    trace = capture(opened(name), asked(name))
    for one in statistics(trace):
        site = trace.site(one.head.site)
        map_ = maps.head(trace, site.name, one.head.head)
        allowed = (~np.isnan(map_)).sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            entropy = -np.nansum(map_ * np.log(map_), axis=1) / np.log(allowed)
        assert one.entropy == pytest.approx(entropy[allowed > 1].mean(), abs=1e-5)
        if site.kind != "cross":
            assert one.diagonal == pytest.approx(np.diag(map_).mean(), abs=1e-6)
            assert one.previous == pytest.approx(np.nan_to_num(np.diag(map_, -1)).mean(), abs=1e-6)


def test_the_induction_text_is_random_tokens_twice(opened: Opened) -> None:
    given = repeated(opened("gpt2"), 10)
    assert given.ids is not None and given.ids[:10] == given.ids[10:] and len(set(given.ids[:10])) > 5
    scores = [one.induction for one in statistics(capture(opened("gpt2"), given))]
    assert all(0 <= score <= 1 for score in scores)
    with pytest.raises(NotForThisModel, match="causal"):
        repeated(opened("bert"))


@pytest.mark.parametrize("name", ["llama", "t5", "gemma2", "gpt_neox"])
def test_a_pair_adds_up_to_its_weight(name: str, opened: Opened) -> None:
    trace = capture(opened(name), asked(name))
    site = trace.sites[0]
    pairs = [pair(trace, site.name, 1, 9, key) for key in range(site.keys)]
    allowed = [one for one in pairs if not np.isnan(one.weight)]
    scores = np.array([one.score for one in allowed])
    weights = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
    np.testing.assert_allclose([one.weight for one in allowed], weights, atol=1e-6)
    np.testing.assert_allclose([one.weight for one in pairs], maps.row(trace, site.name, 1, 9), atol=1e-6)
    np.testing.assert_allclose(dimensions(trace, site.name, 1, 9)[4], pairs[4].products, atol=1e-7)
    assert pairs[4].products.sum() == pytest.approx(pairs[4].dot, abs=1e-5)


def test_no_pair_without_queries(opened: Opened) -> None:
    trace = capture(opened("deberta"), asked("deberta"))
    with pytest.raises(NotForThisModel, match="queries"):
        pair(trace, trace.sites[0].name, 0, 1, 1)
