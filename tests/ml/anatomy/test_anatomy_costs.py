"""Operations against torch's counter, where they cross, memory against real caches and optimisers, the traced layer."""

from __future__ import annotations

import pytest
import torch
from studio.ml.anatomy.blueprint import Blueprint
from studio.ml.anatomy.building import Change
from studio.ml.anatomy.errors import TooLarge, Untraceable
from studio.ml.anatomy.examining import measure, model_for, open_anatomy, source_tokens
from studio.ml.anatomy.flops import block_cost, cost_terms, crossing, crossing_words, stack_cost
from studio.ml.anatomy.memory import STATES, cache_bytes, cache_term, korthikanti, moment_terms, training_terms
from studio.ml.anatomy.presets import PRESETS, preset
from studio.ml.anatomy.timing import Timing, check, runs

SMALL = {
    "gpt2": {"n_embd": 32, "n_head": 4, "n_layer": 3, "vocab_size": 50},
    "llama": {"hidden_size": 32, "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 48,
              "num_hidden_layers": 3, "vocab_size": 50},
    "gemma2": {"hidden_size": 32, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "vocab_size": 50,
               "intermediate_size": 48, "num_hidden_layers": 4, "sliding_window": 6, "pad_token_id": 0},
}  # fmt: skip


def small(kind, model_class):
    config = {"model_type": kind, "bos_token_id": 1, "eos_token_id": 2, **SMALL[kind]}
    return Blueprint(kind, "config", config, model_class)


@pytest.mark.parametrize(("tokens", "expected"), [(128, 32.228e9), (512, 136.160e9)])
def test_gpt2_counts_exactly_what_the_formula_says(tokens, expected):
    found = measure(preset("gpt2"), "transformer.h", tokens, 1).metered
    d, v = 768, 50_257
    assert found.total == 12 * (24 * tokens * d * d + 4 * tokens * tokens * d) + 2 * tokens * d * v
    assert found.total == pytest.approx(expected, rel=1e-4)


def test_a_vit_counts_its_patches_too():
    found = measure(preset("vit-b16"), "layers", 197, 1).metered
    assert found.total == pytest.approx(35.127e9, rel=1e-5)
    assert found.rest["embeddings.patch_embeddings.projection"] == 2 * 196 * 768 * 768


@pytest.mark.parametrize("name", list(PRESETS))
def test_every_stack_costs_what_its_formula_says(name):
    opened = open_anatomy(preset(name))
    for stack in opened.stacks:
        # Three layers tell as much as eighty; the other stack keeps its own.
        stack = stack.scaled(stack.block.width, 3, stack.block.heads)
        found = measure(preset(name), stack.path, 50, 2, Change(stack.path, stack.kind, 3, stack.block))
        assert not found.problem
        source = source_tokens(opened.stacks, found.lengths)
        cost = stack_cost(stack, found.lengths[stack.path], 2, source)
        assert found.metered.stacks[stack.path] == cost.total
        assert sum(term.value for term in cost_terms(stack, found.lengths[stack.path], 2, source)) == cost.total
        assert found.diagram.flops * stack.layers == cost.total


def test_the_classical_block_crosses_at_six_d():
    block = open_anatomy(preset("bert-base")).stacks[0].block
    at = crossing(block)
    assert (at.rest, at.ffn, at.attention) == (6 * 768, 4 * 768, 2 * 768) and crossing_words(block) == "T = 6D"
    cost = block_cost(block, int(at.rest))
    assert cost.scores == cost.projections + cost.ffn
    assert block_cost(block, int(at.ffn)).scores == cost.ffn * at.ffn / at.rest
    both = block_cost(block, int(at.attention))
    assert both.scores + both.projections == both.ffn
    share = stack_cost(open_anatomy(preset("gpt2")).stacks[0], 512)
    assert share.scores / share.total == pytest.approx(0.10, abs=0.003)


@pytest.mark.parametrize("name", ["llama-7b", "llama-70b", "gemma2-9b", "t5-small"])
def test_variants_cross_where_their_costs_are_equal(name):
    block = open_anatomy(preset(name)).stacks[0].block
    cost = block_cost(block, round(crossing(block).rest))
    assert cost.scores == pytest.approx(cost.projections + cost.ffn, rel=1e-4)
    if name == "llama-7b":
        assert crossing(block).rest == 2 * 4096 + 3 * 11008 / 2


@pytest.mark.parametrize(
    ("kind", "model_class"),
    [("gpt2", "GPT2LMHeadModel"), ("llama", "LlamaForCausalLM"), ("gemma2", "Gemma2ForCausalLM")],
)
@pytest.mark.parametrize("tokens", [3, 5, 6, 12])
def test_the_cache_is_as_large_as_a_real_one(kind, model_class, tokens):
    import transformers

    from studio.ml.anatomy.building import config_of

    blueprint = small(kind, model_class)
    (stack,) = open_anatomy(blueprint).stacks
    model = getattr(transformers, model_class)(config_of(blueprint)).eval()
    with torch.no_grad():
        cache = model(torch.ones(2, tokens, dtype=torch.long), use_cache=True).past_key_values
    real = sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)
    assert cache_bytes(stack, tokens, 2, 4) == real == cache_term(stack, tokens, 2, 4).value


def test_an_encoder_decoder_keeps_the_source_as_well():
    from transformers import T5Config, T5ForConditionalGeneration

    config = {"d_model": 32, "d_ff": 64, "num_layers": 2, "num_heads": 4, "d_kv": 8, "vocab_size": 50}
    blueprint = Blueprint("t5", "config", {"model_type": "t5", **config}, "T5ForConditionalGeneration")
    stack = open_anatomy(blueprint).stacks[1]
    model = T5ForConditionalGeneration(T5Config(**config)).eval()
    with torch.no_grad():
        source, target = (torch.ones(1, length, dtype=torch.long) for length in (7, 5))
        cache = model(input_ids=source, decoder_input_ids=target, use_cache=True).past_key_values
    both = (cache.self_attention_cache, cache.cross_attention_cache)
    real = sum(layer.keys.nbytes + layer.values.nbytes for half in both for layer in half.layers)
    assert cache_bytes(stack, 5, 1, 4, source=7) == real


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("sgd", lambda p: torch.optim.SGD(p, 0.1)),
        ("momentum", lambda p: torch.optim.SGD(p, 0.1, momentum=0.9)),
        ("adam", lambda p: torch.optim.Adam(p, 0.1)),
    ],
)
def test_optimisers_keep_as_much_as_is_said(name, make):
    layer = torch.nn.Linear(40, 50)
    count = sum(parameter.numel() for parameter in layer.parameters())
    optimiser = make(layer.parameters())
    layer(torch.ones(1, 40)).sum().backward()
    optimiser.step()
    states = (value for state in optimiser.state.values() for value in state.values())
    kept = [value for value in states if torch.is_tensor(value) and value.dim()]
    assert sum(value.nbytes for value in kept) == STATES[name] * count


def test_mixed_adam_is_sixteen_bytes_a_parameter():
    assert sum(term.value for term in training_terms(1000, "adam", mixed=True)) == 16_000
    assert sum(term.value for term in training_terms(1000, "adam", mixed=False)) == 16_000
    assert sum(term.value for term in training_terms(1000, "adam8", mixed=True)) == 10_000
    assert sum(term.value for term in training_terms(1000, "sgd", mixed=False)) == 8_000


def test_activations_by_the_paper_and_by_autograd():
    block = open_anatomy(preset("gpt2")).stacks[0].block
    assert korthikanti(block, 512, 1).value == 512 * 768 * 34 + 5 * 12 * 512 * 512
    # What autograd keeps has a T² part too: three times H·T² with dropout in plain attention.
    kept = [measure(preset("gpt2"), "transformer.h", tokens, 1).kept for tokens in (128, 256, 512)]
    second = kept[2] / 512 - 2 * kept[1] / 256 + kept[0] / 128
    assert second / (512 - 2 * 256 + 128) == pytest.approx(3 * 12, rel=1e-6)


def test_the_largest_moment_moves_from_the_network_to_the_scores():
    block = open_anatomy(preset("gpt2")).stacks[0].block
    names = [[term.name for term in moment_terms(block, tokens, 1, 4, fused=False)] for tokens in (64, 2048)]
    assert "inner activations" in names[0] and "scores and softmax" in names[1]
    assert moment_terms(block, 2048, 1, 4, fused=False)[2].value == 2 * 12 * 2048 * 2048 * 4
    assert all(term.name != "scores and softmax" for term in moment_terms(block, 2048, 1, 4, fused=True))


def edges_of(found):
    names = [part.name for part in found.parts]
    return {(names[a], names[b]) for a, b in found.edges}


def test_the_traced_layer_is_the_one_of_the_paper():
    found = measure(preset("bert-base"), "encoder.layer", 16, 1).diagram
    flows = edges_of(found)
    assert {
        ("attention.self.query", "Q Kᵀ"), ("attention.self.key", "Q Kᵀ"), ("Q Kᵀ", "softmax"), ("softmax", "A V"),
        ("attention.self.value", "A V"), ("A V", "attention.output.dense"),
    } <= flows  # fmt: skip
    sums = [i for i, part in enumerate(found.parts) if part.kind == "sum"]
    norms = [i for i, part in enumerate(found.parts) if part.kind == "norm"]
    assert len(sums) == 2 and [(a, b) for a, b in found.edges if a in sums and b in norms], "norms come after the sums"
    scores = next(part for part in found.parts if part.kind == "scores")
    assert scores.output == (12, 16, 16) and scores.flops == 2 * 12 * 16 * 16 * 64


def test_a_gate_and_a_second_attention_are_seen():
    llama = measure(preset("llama-7b"), "model.layers", 16, 1).diagram
    assert {("mlp.act_fn", "gate ×"), ("mlp.up_proj", "gate ×"), ("gate ×", "mlp.down_proj")} <= edges_of(llama)
    decoder = measure(preset("t5-small"), "decoder.block", 16, 1).diagram
    assert ("states of the encoder", "layer.1.EncDecAttention.k") in edges_of(decoder)
    assert [part.kind for part in decoder.parts].count("scores") == 2
    fused = measure(preset("gpt2"), "transformer.h", 16, 1).diagram
    assert ("attn.c_attn", "Q Kᵀ") in edges_of(fused) and ("attn.c_attn", "A V") in edges_of(fused)


def test_a_layer_is_really_timed():
    blueprint = small("llama", "LlamaForCausalLM")
    for plain_or_fused in (False, True):
        model, _, given, _ = model_for(blueprint, "model.layers", 32, 2)
        took = list(runs(model, given, "model.layers.0", device="cpu", dtype="float32", fused=plain_or_fused))
        assert len(took) > 3 and all(seconds > 0 for seconds in took)
    found = Timing(tuple(took[1:]), 1000, 1e9, "cpu", "float32", "plain")
    assert min(took[1:]) <= found.typical <= max(took[1:]) and found.rate == 1000 / found.typical


def test_what_is_too_large_is_refused_in_words():
    block = open_anatomy(preset("llama-70b")).stacks[0].block
    with pytest.raises(TooLarge, match="fewer tokens"):
        check(block, 1, 1e9, tokens=2_000_000, batch=64, source=0, dtype="float32", device="cpu", fused=False)
    with pytest.raises(TooLarge, match="would take about"):
        check(block, 10**15, 1e10, tokens=4, batch=1, source=0, dtype="bfloat16", device="cpu", fused=True)


def test_gemma2_has_no_fused_attention():
    model, _, given, _ = model_for(small("gemma2", "Gemma2ForCausalLM"), "model.layers", 8, 1)
    with pytest.raises(Untraceable, match="plain attention"):
        next(runs(model, given, "model.layers.0", device="cpu", dtype="float32", fused=True))
