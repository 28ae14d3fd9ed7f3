from __future__ import annotations

import json
import shutil

import pytest
from studio.models.catalog import ModelMissing, ModelUnreadable, find_models, locate, read_info, weight_files
from studio_plugins.generate.words import examples, remark, suggestions, tokenizer_of


def test_bundled_and_own_models_are_found_and_other_kinds_left_alone(bundled, tmp_path):
    own = shutil.copytree(bundled / "tiny", tmp_path / "models" / "mine")
    models, problems = find_models([tmp_path / "models", tmp_path / "missing"])
    assert [model.id for model in models] == ["tiny", str(own)] and problems == []
    assert (models[0].title, models[0].size, models[0].length) == ("Tiny random model", 16, 8)
    assert locate("tiny") == bundled / "tiny" and locate(str(own)) == own


@pytest.mark.parametrize("content", ["{", "[]", '{"kind": "text2im"}', '{"kind": "text2im", "image_size": 70000}'])
def test_a_damaged_model_folder_is_named_and_the_others_are_found(bundled, tmp_path, content):
    folder = tmp_path / "models" / "bad"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(content)
    with pytest.raises(ModelUnreadable, match="bad"):
        read_info(folder, bundled=False)
    models, problems = find_models([tmp_path / "models"])
    assert [model.id for model in models] == ["tiny"] and len(problems) == 1


def test_a_missing_model_or_its_missing_weights_are_said_in_words(bundled, tmp_path):
    with pytest.raises(ModelMissing, match="“tiny”"):
        locate("../oracle")
    folder = tmp_path / "empty"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"kind": "text2im"}))
    with pytest.raises(ModelUnreadable, match=r"model\.safetensors"):
        weight_files(folder)


def test_suggestions_and_examples_hold_only_what_the_model_knows(bundled):
    info = find_models()[0][0]
    assert {"cat", "kitty", "apple"} <= set(suggestions(info)) and "a" not in suggestions(info)
    assert examples(info) == ["a cat left of a red apple on a blue background"]


def test_a_word_still_being_typed_is_not_called_unknown(bundled):
    info = find_models()[0][0]
    known = tokenizer_of(info)
    assert "backg" in remark("a cat on a blue backg", info, known)
    assert remark("a cat on a blue backg", info, known, typing=True) == ""
    assert "drag" in remark("a drag", info, known, typing=True)
    assert remark("a kitty", info, known) == ""
