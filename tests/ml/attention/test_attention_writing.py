"""Logit lens, heads switched off, and writing step by step: against the models' own forward passes and generate()."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from studio.ml.attention import maps
from studio.ml.attention.ablation import divergence, each, effect
from studio.ml.attention.capture import capture, captured
from studio.ml.attention.errors import NotForThisModel
from studio.ml.attention.generation import Writing, without
from studio.ml.attention.lens import lens
from studio.ml.attention.public import PublicModel
from studio.ml.attention.values import Asked, Head, Scores
from studio.ml.language.writing import sampled
from tests.ml.attention import folders
from tests.ml.attention.conftest import Opened, asked


@pytest.mark.parametrize("name", [name for name in folders.MODELS if name not in ("clip", "siglip", "swin")])
def test_the_last_layer_of_the_lens_is_the_answer(name: str, opened: Opened) -> None:
    seen = lens(opened(name), asked(name))
    answer = capture(opened(name), asked(name)).scores[0]
    np.testing.assert_allclose(seen.layers[-1].logits, answer.logits, atol=1e-4)
    assert seen.difference < 1e-4 and len(seen.layers) == (3 if name == "whisper" else 4)
    assert np.abs(seen.layers[0].logits - answer.logits).max() > 1e-3


@pytest.mark.parametrize(("name", "norm", "head"), [
    ("llama", "model.norm", "lm_head"), ("gpt2", "transformer.ln_f", "lm_head"), ("gpt_neox", "gpt_neox.final_layer_norm", "embed_out"),
])  # fmt: skip
def test_the_lens_is_norm_and_head_of_each_layer(name: str, norm: str, head: str, opened: Opened) -> None:
    subject = opened(name)
    assert isinstance(subject, PublicModel)
    out = subject.made(**subject.prepare(asked(name)).arguments, output_hidden_states=True, use_cache=False)
    after, judge = subject.model.get_submodule(norm), subject.made.get_output_embeddings()
    seen = lens(subject, asked(name))
    for layer, hidden in zip(seen.layers[:-1], out.hidden_states[:-1], strict=True):
        np.testing.assert_allclose(layer.logits, judge(after(hidden[0, -1])).detach().numpy(), atol=1e-5)
    assert head


def test_the_lens_keeps_what_gemma_does_behind_its_head(opened: Opened) -> None:
    """Gemma-2 caps its logits; a lens without the cap would show other numbers."""
    seen = lens(opened("gemma2"), asked("gemma2"))
    assert all(np.abs(layer.logits).max() < 30 for layer in seen.layers)


def test_clip_has_no_lens(opened: Opened) -> None:
    with pytest.raises(NotForThisModel, match="clip"):
        lens(opened("clip"), asked("clip"))


def logits_with(subject: PublicModel, name: str, hook_on: str, change: Any) -> np.ndarray:
    """Logits with the input of a projection changed by hand."""
    hook = subject.model.get_submodule(hook_on).register_forward_pre_hook(lambda module, given: (change(given[0]),))
    try:
        return capture(subject, asked(name)).scores[0].logits
    finally:
        hook.remove()


@pytest.mark.parametrize(("name", "projection"), [
    ("gpt2", "transformer.h.1.attn.c_proj"), ("llama", "model.layers.1.self_attn.o_proj"), ("bert", "bert.encoder.layer.1.attention.output.dense"),
    ("deberta", "deberta.encoder.layer.1.attention.output.dense"), ("t5", "decoder.block.1.layer.1.EncDecAttention.o"),
    ("gemma2", "model.layers.1.self_attn.o_proj"), ("vit", "vit.layers.1.attention.o_proj"),
])  # fmt: skip
def test_a_head_switched_off_is_its_output_set_to_zero(name: str, projection: str, opened: Opened) -> None:
    subject = opened(name)
    assert isinstance(subject, PublicModel)
    before = capture(subject, asked(name))
    site = next(site for site in before.sites if projection.startswith(site.name.removesuffix(".self")))

    def without_two(given: torch.Tensor) -> torch.Tensor:
        apart = given.unflatten(-1, (site.heads, -1)).clone()
        apart[..., [0, 3], :] = 0
        return apart.flatten(-2)

    expected = logits_with(subject, name, projection, without_two)
    (found, *_) = effect(subject, asked(name), {Head(site.name, 0), Head(site.name, 3)})
    np.testing.assert_allclose(found.after.logits, expected, atol=1e-5)
    assert np.abs(found.delta).max() > 1e-4 and found.kl > 0
    after = capture(subject, asked(name))
    assert (after.scores[0].logits == before.scores[0].logits).all(), "off again, every bit as before"


def test_changes_are_of_probabilities_and_sorted(opened: Opened) -> None:
    site = capture(opened("gpt2"), asked("gpt2")).sites[0].name
    (found,) = effect(opened("gpt2"), asked("gpt2"), {Head(site, h) for h in range(4)})
    sizes = [abs(change.after - change.before) for change in found.changes]
    assert sizes == sorted(sizes, reverse=True) and sizes[0] > 0
    p, q = found.before.probabilities.astype(float), found.after.probabilities.astype(float)
    assert found.kl == pytest.approx((p * np.log(p / q)).sum(), rel=1e-3)
    assert found.flipped == (p.argmax() != q.argmax())


def test_divergence_of_answers_that_are_judged_by_themselves() -> None:
    one, other = (Scores("caption", np.array(values, np.float32), (), "sigmoid") for values in ([0.0, 2.0], [1.0, 2.0]))
    q = 1 / (1 + np.exp(-1.0))
    assert divergence(one, other) == pytest.approx((0.5 * np.log(0.5 / q) + 0.5 * np.log(0.5 / (1 - q))) / 2)
    assert divergence(one, one) == 0


def test_each_head_by_itself(opened: Opened) -> None:
    trace = capture(opened("albert"), asked("albert"))
    # One module serves all layers of ALBERT; its heads are switched off layer by layer all the same.
    effects = list(each(opened("albert"), asked("albert"), trace.sites[1:]))
    assert [next(iter(one.off)) for one in effects] == [Head(site.name, h) for site in trace.sites[1:] for h in range(4)]
    assert len({round(one.kl, 12) for one in effects}) == len(effects)


WRITERS = ("gpt2", "llama", "qwen3", "gemma2", "gpt_oss", "opt", "bloom", "t5", "bart", "whisper")


@pytest.mark.parametrize("name", WRITERS)
def test_writing_is_what_generate_writes(name: str, opened: Opened) -> None:
    subject = opened(name)
    assert isinstance(subject, PublicModel)
    writing = Writing(subject, asked(name), tokens=6)
    steps = list(writing)
    prepared = dict(subject.prepare(asked(name)).arguments)
    start = prepared.get("decoder_input_ids", prepared.get("input_ids"))
    with torch.no_grad():
        ids = start
        for step in steps:  # the whole text again for each token, without any cache
            key = "decoder_input_ids" if "decoder_input_ids" in prepared else "input_ids"
            out = subject.made(**{**prepared, key: ids}, use_cache=False)
            np.testing.assert_allclose(step.scores.logits, out.logits[0, -1].numpy(), atol=2e-4)
            assert step.token == int(out.logits[0, -1].argmax())
            assert step.probability == pytest.approx(float(out.logits[0, -1].softmax(-1).max()), abs=1e-4)
            ids = torch.cat([ids, torch.tensor([[step.token]])], dim=1)
    for step in steps:
        assert step.lens is not None and step.lens.layers[-1].best[0].index == step.token
        # Bloom hands over its weights, so that its keys and values are not known.
        assert step.cache_bytes > 0 and step.cache_formula == (0 if name == "bloom" else step.cache_bytes)
    assert [step.read for step in steps] == [start.shape[1] + i for i in range(len(steps))]


@pytest.mark.parametrize("name", [*WRITERS, "gpt_neox"])
def test_the_map_that_grew_is_the_map_of_the_whole_text(name: str, opened: Opened) -> None:
    subject = opened(name)
    assert isinstance(subject, PublicModel)
    writing = Writing(subject, asked(name), tokens=5, pick=sampled(1), lens=False)
    steps = list(writing)
    grown = writing.trace()
    prepared = subject.prepare(asked(name))
    for step in steps[:-1]:
        prepared = subject.longer(prepared, step.token)
    whole = captured(subject, prepared)
    assert [site for site in grown.sites] == [site for site in whole.sites]
    for site in whole.sites:
        for head in range(site.heads):
            np.testing.assert_allclose(maps.head(grown, site.name, head), maps.head(whole, site.name, head), atol=2e-6)
        assert len(grown.rows(site)) == site.queries and len(grown.columns(site)) == site.keys


def test_t5_with_halves_of_different_depth_is_written_without_a_cache(tmp_path: Any) -> None:
    from studio.ml.attention.opening import open_folder

    subject = open_folder(folders.save("t5", tmp_path, num_decoder_layers=2))
    assert not subject.remembers
    writing = Writing(subject, Asked(text=folders.TEXT), tokens=3)
    assert len(list(writing)) >= 1 and writing.steps[0].cache_bytes == 0
    assert next(site for site in writing.trace().sites if site.tower == "decoder").queries == writing.steps[-1].read


def test_writing_stops_where_the_model_can_read_no_further(opened: Opened) -> None:
    writing = Writing(opened("gpt2"), Asked(ids=tuple(range(5, 35)) * 2), tokens=50, pick=lambda logits: 7, lens=False)
    assert len(list(writing)) == 5 and writing.full
    assert writing.trace().sites[0].queries == 64


def test_heads_switched_off_change_what_is_written(opened: Opened) -> None:
    subject = opened("llama")
    off = {Head(site.name, h) for site in capture(subject, asked("llama")).sites for h in range(4)}
    last = list(without(subject, asked("llama"), off, tokens=5))[-1]
    assert last.first is not None and [s.token for s in last.before][: last.first] == [s.token for s in last.after][: last.first]
    same = list(without(subject, asked("llama"), (), tokens=5))[-1]
    assert same.first is None and len(same.before) == len(same.after)
