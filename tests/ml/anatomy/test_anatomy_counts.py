"""Parameters: the exact published counts, and nothing left over for any known family."""

from __future__ import annotations

import pytest
from studio.ml.anatomy.blueprint import Blueprint
from studio.ml.anatomy.building import Change
from studio.ml.anatomy.examining import hypothetical, open_anatomy
from studio.ml.anatomy.presets import PRESETS, preset

CLASSICAL = 7_087_872
"""12·768² + 13·768."""


@pytest.fixture(scope="module")
def opened():
    """Every preset, taken apart once."""
    return {name: open_anatomy(preset(name)) for name in PRESETS}


def bare(kind, model_class="", **config):
    return open_anatomy(Blueprint("test", "config", {"model_type": kind, **config}, model_class))


@pytest.mark.parametrize(
    ("name", "total", "layers", "each", "rest"),
    [
        ("bert-base", 109_482_240, 12, CLASSICAL, 24_427_776),
        ("gpt2", 124_439_808, 12, CLASSICAL, 39_385_344),
        ("llama-7b", 6_738_415_616, 32, 202_383_360, 262_148_096),
        ("mistral-7b", 7_241_732_096, 32, None, None),
        ("llama-70b", 68_976_648_192, 80, None, None),
        ("gemma2-9b", 9_241_705_984, 42, None, None),
        ("qwen3-8b", 8_190_735_360, 36, None, None),
        ("gpt-neox-20b", 20_554_567_680, 44, None, None),
        ("whisper-tiny", 37_760_640, 4, None, None),
        ("gpt2-xl", 1_557_611_200, 48, None, None),
        ("dinov2-base", 86_580_480, 12, None, None),
        ("vit-l16", 304_351_232, 24, None, None),
        ("bart-large", 406_291_456, 12, None, None),
    ],
)
def test_published_counts_are_met(opened, name, total, layers, each, rest):
    found = opened[name]
    stack = found.stacks[0]
    assert found.count.total == total and stack.layers == layers
    if each is not None:
        assert stack.block.parameters == each and total - sum(s.parameters for s in found.stacks) == rest


def test_vit_without_its_pooler():
    from studio.ml.anatomy.building import config_of
    from transformers import ViTModel

    blueprint = preset("vit-b16")
    model = ViTModel(config_of(blueprint), add_pooling_layer=False)
    stack = open_anatomy(blueprint).stacks[0]
    total = sum(parameter.numel() for parameter in model.parameters())
    assert total == 85_798_656 and stack.parameters == 12 * CLASSICAL and total - stack.parameters == 744_192
    assert 744_192 == 590_592 + 768 + 197 * 768 + 2 * 768


def test_clip_is_two_stacks(opened):
    found = opened["clip-b32"]
    text, pictures = found.stacks
    assert found.count.total == 151_277_313
    assert pictures.block.parameters == CLASSICAL and text.block.parameters == 12 * 512**2 + 13 * 512
    inside = {prefix: sum(line.times * line.counted for line in found.count.lines if line.part.startswith(prefix))
              for prefix in ("vision_model.", "text_model.")}  # fmt: skip
    assert inside["vision_model."] + 12 * CLASSICAL == 87_456_000
    assert inside["vision_model."] == 2_401_536
    assert inside["text_model."] + 12 * text.block.parameters == 63_165_952


def test_t5_has_cross_attention_and_one_table(opened):
    found = opened["t5-small"]
    encoder, decoder = found.stacks
    assert found.count.total == 60_506_624 and encoder.block.parameters == 3_146_752
    assert decoder.block.cross and decoder.block.attentions * decoder.block.attention_weights == 8 * 512**2
    assert [term.value for term in encoder.once] == [32 * 8]


@pytest.mark.parametrize("name", list(PRESETS))
def test_known_families_are_explained_to_the_last_parameter(opened, name):
    found = opened[name]
    assert found.stacks and all(stack.known for stack in found.stacks)
    assert found.count.residual == 0 and all(line.difference == 0 for line in found.count.lines)
    assert sum(line.times * line.counted for line in found.count.lines) == found.count.total
    assert found.tree.parameters == found.count.total
    for stack in found.stacks:
        assert sum(term.value for term in stack.block.terms()) == stack.block.parameters


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("llama", {"hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 96,
                   "num_hidden_layers": 3, "attention_bias": True, "mlp_bias": True, "vocab_size": 100}),
        ("qwen2", {"hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 96,
                   "num_hidden_layers": 2, "vocab_size": 100}),
        ("gemma", {"hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 24,
                   "intermediate_size": 96, "num_hidden_layers": 2, "vocab_size": 100}),
        ("t5", {"d_model": 32, "d_ff": 64, "d_kv": 8, "num_heads": 4, "num_layers": 2, "num_decoder_layers": 3,
                "feed_forward_proj": "gated-gelu", "vocab_size": 60}),
        ("vit", {"hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 48, "num_hidden_layers": 2,
                 "qkv_bias": False}),
        ("dinov2", {"hidden_size": 48, "num_attention_heads": 2, "num_hidden_layers": 2, "use_swiglu_ffn": True}),
        ("gpt_neox", {"hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 48, "num_hidden_layers": 2,
                      "attention_bias": False, "vocab_size": 50}),
        ("gpt2", {"n_embd": 32, "n_head": 2, "n_layer": 2, "n_inner": 50, "vocab_size": 50}),
        ("mbart", {"d_model": 32, "encoder_layers": 2, "decoder_layers": 1, "encoder_attention_heads": 2,
                   "decoder_attention_heads": 4, "encoder_ffn_dim": 40, "decoder_ffn_dim": 56, "vocab_size": 50}),
    ],
)  # fmt: skip
def test_variants_leave_nothing_over(kind, config):
    assert bare(kind, **config).count.residual == 0


@pytest.mark.parametrize("kind", ["deberta-v2", "mixtral", "albert", "phi3", "opt", "falcon"])
def test_what_no_formula_gives_is_told(kind):
    sizes = {"num_hidden_layers": 2, "vocab_size": 100}
    if kind != "albert":
        sizes |= {"hidden_size": 64, "num_attention_heads": 4, "intermediate_size": 96}
    if kind in ("mixtral", "phi3"):
        sizes["num_key_value_heads"] = 4
    if kind == "phi3":
        sizes["pad_token_id"] = 0
    found = bare(kind, **sizes)
    assert sum(line.times * line.counted for line in found.count.lines) == found.count.total or not found.stacks
    assert not any(stack.known for stack in found.stacks)
    if kind != "falcon":
        assert found.count.residual != 0 or not found.stacks


@pytest.mark.parametrize(
    ("name", "width", "layers", "heads"),
    [("gpt2", 1024, 3, 16), ("llama-70b", 512, 5, 16), ("gemma2-9b", 512, 3, 4), ("t5-small", 256, 2, 4),
     ("clip-b32", 256, 2, 4), ("vit-b16", 192, 4, 3), ("bart-large", 384, 2, 6), ("qwen3-8b", 1024, 2, 8),
     ("dinov2-base", 384, 3, 6), ("distilbert", 96, 2, 3)],
)  # fmt: skip
def test_the_hypothetical_model_is_the_one_the_formula_means(opened, name, width, layers, heads):
    stack = opened[name].stacks[0]
    wanted = stack.scaled(width, layers, heads)
    found = hypothetical(opened[name], Change(stack.path, stack.kind, layers, wanted.block))
    assert found.stacks[0] == wanted and found.count.residual == 0


def test_the_tree_groups_what_repeats(opened):
    (blocks,) = [node for node in opened["llama-70b"].tree.walk() if node.repeat == 80]
    assert blocks.name == "0 … 79" and blocks.each == 855_654_400 and blocks.kind == "LlamaDecoderLayer"
    names = [node.name for node in opened["bert-base"].tree.walk()]
    assert {"query", "key", "value"} <= set(names), "neighbours of one shape but other names stay apart"
    head = next(node for node in opened["gpt2"].tree.walk() if node.name == "lm_head")
    assert head.parameters == 0 and head.weights[0].tied == "transformer.wte.weight"
