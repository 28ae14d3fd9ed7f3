"""What can be opened, and why the rest is refused."""

from __future__ import annotations

import json

import pytest
from studio.ml.anatomy.blueprint import Blueprint, quantisation, read_blueprint
from studio.ml.anatomy.building import config_of
from studio.ml.anatomy.errors import AbsurdSize, CorruptConfig, NotAModel, RemoteCode, UnknownArchitecture
from studio.ml.anatomy.examining import measure, open_anatomy
from studio.ml.anatomy.memory import bytes_words, cache_bytes, weight_bytes

BERT = {
    "model_type": "bert", "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 40,
}  # fmt: skip


def written(folder, config, name="config.json"):
    text = config if isinstance(config, str) else json.dumps(config)
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_a_folder_its_file_and_a_file_of_another_name_are_one_model(tmp_path):
    written(tmp_path, BERT)
    other = written(tmp_path, BERT, "my-bert.json")
    found = [open_anatomy(read_blueprint(place)) for place in (tmp_path, tmp_path / "config.json", other)]
    assert len({anatomy.count.total for anatomy in found}) == 1 and found[2].blueprint.title == "my-bert"
    assert found[0].blueprint.origin == "config", "there are no weights beside it"


@pytest.mark.parametrize(
    ("config", "error"),
    [
        ("", CorruptConfig), ("[" * 100_000, CorruptConfig), ("3", CorruptConfig), ("{}", NotAModel),
        ({**BERT, "auto_map": {}}, RemoteCode), ({**BERT, "hidden_size": -8}, AbsurdSize),
        ({**BERT, "vocab_size": 1 << 40}, AbsurdSize), ({**BERT, "num_hidden_layers": 10**6}, AbsurdSize),
        ({**BERT, "num_attention_heads": True}, CorruptConfig),
        ({"model_type": "clip", "vision_config": {"hidden_size": 0}}, AbsurdSize),
    ],
)  # fmt: skip
def test_bad_configurations_are_refused(tmp_path, config, error):
    with pytest.raises(error) as told:
        read_blueprint(written(tmp_path, config).parent)
    assert len(str(told.value)) > 40


def test_what_is_no_model_is_refused(tmp_path):
    with pytest.raises(NotAModel, match="no config"):
        read_blueprint(tmp_path)
    (tmp_path / "model_index.json").write_text("{}")
    with pytest.raises(NotAModel, match="several models"):
        read_blueprint(tmp_path)
    with pytest.raises(UnknownArchitecture, match="does not know"):
        config_of(Blueprint("x", "config", {"model_type": "never_heard"}))
    with pytest.raises(CorruptConfig):
        open_anatomy(Blueprint("x", "config", {**BERT, "num_attention_heads": 5}))
    with pytest.raises(CorruptConfig):
        open_anatomy(Blueprint("x", "config", {**BERT, "hidden_act": "no_such_activation"}))


def test_a_class_that_does_not_exist_is_replaced_by_the_bare_model():
    found = open_anatomy(Blueprint("x", "config", {**BERT, "architectures": ["MyOwnBert", "__import__"]}))
    assert found.model_class == "BertModel" and found.count.residual == 0


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"quant_method": "gptq", "bits": 4}, "4-bit by gptq"), ({"quant_method": "fp8"}, "fp8"),
     ({"load_in_8bit": True, "quant_method": "bitsandbytes"}, "8-bit by bitsandbytes"), (None, "")],
)  # fmt: skip
def test_quantised_configurations_say_so(tmp_path, settings, words):
    config = {**BERT, "quantization_config": settings} if settings is not None else BERT
    assert quantisation(config) == words
    found = read_blueprint(written(tmp_path, config).parent)
    assert bool(found.notes) == bool(words) and open_anatomy(found).count.residual == 0


def test_a_model_that_cannot_be_followed_is_still_counted():
    config = {
        "model_type": "mixtral", "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "intermediate_size": 48, "vocab_size": 60,
    }  # fmt: skip
    blueprint = Blueprint("x", "config", config, "MixtralForCausalLM")
    found = open_anatomy(blueprint)
    assert found.count.total > 0 and found.count.residual > 0
    measured = measure(blueprint, found.stacks[0].path, 8, 1)
    assert measured.problem or measured.metered is not None


def test_bytes_are_written_in_binary_units():
    assert [bytes_words(n) for n in (10, 1024, 1536, 3 << 30)] == ["10 B", "1 KiB", "1.5 KiB", "3 GiB"]
    assert weight_bytes(1000, "int4") == 500 and weight_bytes(1000, "float32") == 4000


def test_an_encoder_keeps_nothing_but_its_formula_is_defined():
    (stack,) = open_anatomy(Blueprint("x", "config", BERT)).stacks
    assert not stack.caches and cache_bytes(stack, 10, 1, 2) == 2 * 2 * 32 * 10 * 2


def test_the_format_of_the_weights_is_told_and_nothing_is_built_in_it():
    import torch

    blueprint = Blueprint("x", "config", {**BERT, "dtype": "bfloat16"})
    found = open_anatomy(blueprint)
    assert {weight.dtype for node in found.tree.walk() for weight in node.weights} == {"bfloat16"}
    assert torch.get_default_dtype() == torch.float32 and not measure(blueprint, found.stacks[0].path, 8, 1).problem
