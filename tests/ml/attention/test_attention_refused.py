"""Folders and inputs that are not what they should be: each is told in words a person can act on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from studio.ml.attention import errors
from studio.ml.attention.capture import capture
from studio.ml.attention.folder import look
from studio.ml.attention.opening import open_folder
from studio.ml.attention.values import Asked
from studio.ml.attention.windows import windows
from tests.ml.attention import folders
from tests.ml.attention.conftest import Opened, asked

Saved = Callable[[str], Path]


@pytest.fixture
def copied(saved: Saved, tmp_path: Path) -> Callable[[str], Path]:
    """A folder that may be damaged."""
    return lambda name: Path(shutil.copytree(saved(name), tmp_path / name))


def change(folder: Path, **more: Any) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **more}))


def test_not_a_model_folder(tmp_path: Path) -> None:
    with pytest.raises(errors.NotAModelFolder, match="no folder"):
        open_folder(tmp_path / "nowhere")
    with pytest.raises(errors.NotAModelFolder, match="config.json"):
        open_folder(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(errors.NotAModelFolder, match="cannot be read"):
        open_folder(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(errors.NotAModelFolder, match="model_type"):
        open_folder(tmp_path)


def test_missing_files_are_named(copied: Callable[[str], Path]) -> None:
    folder = copied("bert")
    (folder / "tokenizer.json").unlink()
    with pytest.raises(errors.Incomplete, match="tokenizer") as told:
        open_folder(folder)
    assert told.value.missing == ("tokenizer.json",)
    folder = copied("vit")
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(errors.Incomplete, match="preprocessor_config"):
        open_folder(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(errors.Incomplete, match="model.safetensors"):
        open_folder(folder)


def test_pickles_are_refused(copied: Callable[[str], Path]) -> None:
    folder = copied("gpt2")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(errors.PicklesRefused, match=r"pytorch_model\.bin"):
        open_folder(folder)


def test_code_of_its_own_is_refused(copied: Callable[[str], Path]) -> None:
    folder = copied("gpt2")
    change(folder, auto_map={"AutoModel": "modeling.Own"})
    (folder / "modeling.py").write_text("raise SystemExit('run')")
    with pytest.raises(errors.RemoteCodeRefused, match="not run"):
        open_folder(folder)


@pytest.mark.parametrize(("settings", "method"), [
    ({"quant_method": "gptq", "bits": 4}, "gptq"), ({"load_in_4bit": True}, "bitsandbytes"), ({"quant_method": "made-up"}, "made-up"),
])  # fmt: skip
def test_quantised_weights_name_their_method(settings: dict[str, Any], method: str, copied: Callable[[str], Path]) -> None:
    folder = copied("llama")
    change(folder, quantization_config=settings)
    with pytest.raises(errors.Quantised, match=method) as told:
        open_folder(folder)
    assert told.value.method == method


def test_weights_that_are_no_numbers(copied: Callable[[str], Path]) -> None:
    folder = copied("gpt2")
    weights = load_file(folder / "model.safetensors")
    weights["transformer.h.1.attn.c_attn.weight"][3, 4] = torch.nan
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(errors.BrokenWeights, match="NaN") as told:
        open_folder(folder)
    assert told.value.names == ("transformer.h.1.attn.c_attn.weight",)


def test_weights_that_are_missing_are_not_made_up(copied: Callable[[str], Path]) -> None:
    folder = copied("llama")
    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.1.self_attn.q_proj.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(errors.BrokenWeights, match="q_proj"):
        open_folder(folder)


def test_a_file_that_is_cut_off(copied: Callable[[str], Path]) -> None:
    folder = copied("gpt2")
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(errors.Incomplete, match="cut off"):
        open_folder(folder)


def test_sharded_weights_open_and_a_missing_shard_is_named(tmp_path: Path, opened: Opened) -> None:
    folder = folders.save("llama", tmp_path / "sharded", shards="20KB")
    shards = sorted(folder.glob("model-*.safetensors"))
    assert len(shards) > 2
    found = capture(open_folder(folder), asked("llama"))
    assert (found.scores[0].logits == capture(opened("llama"), asked("llama")).scores[0].logits).all()
    shards[1].unlink()
    with pytest.raises(errors.Incomplete, match=shards[1].name):
        open_folder(folder)


def test_a_model_of_the_future_is_named(copied: Callable[[str], Path]) -> None:
    folder = copied("gpt2")
    change(folder, architectures=["Gpt17ForCausalLM"])
    with pytest.raises(errors.NotAModelFolder, match="Gpt17ForCausalLM"):
        open_folder(folder)


def test_layers_without_a_head_show_maps_and_no_answer(copied: Callable[[str], Path]) -> None:
    import transformers

    folder = copied("gpt2")
    transformers.GPT2Model.from_pretrained(folder).save_pretrained(folder)
    subject = open_folder(folder)
    trace = capture(subject, asked("gpt2"))
    assert len(trace.sites) == 3 and trace.scores == ()
    from studio.ml.attention.lens import lens

    with pytest.raises(errors.NotForThisModel, match="head"):
        lens(subject, asked("gpt2"))


@pytest.mark.parametrize(("name", "kind", "takes"), [
    ("bert", "encoder", {"text"}), ("gpt2", "causal", {"text"}), ("bart", "encoder-decoder", {"text", "target"}), ("vit", "vision", {"picture"}),
    ("clip", "clip", {"picture", "captions"}), ("whisper", "encoder-decoder", {"sound", "target"}), ("swin", "vision", {"picture"}),
])  # fmt: skip
def test_what_a_folder_is(name: str, kind: str, takes: set[str], saved: Saved) -> None:
    found = look(saved(name))
    assert (found.kind, set(found.takes)) == (kind, takes) and found.nbytes > 10_000


def test_inputs_of_the_wrong_kind(opened: Opened) -> None:
    picture = np.zeros((8, 8, 3), np.uint8)
    for name, given, words in (
        ("bert", Asked(text="  "), "empty"), ("gpt2", Asked(text="cat", picture=picture), "cannot look at a picture"),
        ("vit", Asked(text="cat"), "cannot read a text"), ("vit", Asked(), "Drop one"), ("clip", Asked(picture=picture), "caption"),
        ("clip", Asked(picture=picture, captions=("cat", "")), "empty"), ("whisper", Asked(), "listens"), ("gpt2", Asked(ids=()), "ids"),
        ("vit", Asked(picture=np.zeros((8, 8), np.uint8)), "uint8"),
    ):  # fmt: skip
        with pytest.raises(errors.WrongInput, match=words):
            capture(opened(name), given)


def test_a_text_that_is_too_long_can_be_cut_or_read_in_windows(opened: Opened) -> None:
    text = " ".join(["the cat sat", "on a mat", "under red apple"] * 20)
    subject = opened("bert")
    with pytest.raises(errors.TooLong, match="180 tokens|182 tokens") as told:
        capture(subject, Asked(text=text))
    assert told.value.limit == 64
    start, end = (capture(subject, Asked(text=text, fit=fit)).readings["text"][0] for fit in ("start", "end"))
    assert len(start) == len(end) == 64
    assert start.tokens[1].start == 0 and end.tokens[-2].end == len(text)
    pieces = windows(subject, Asked(text=text))
    read = [capture(subject, piece) for piece in pieces]
    assert len(pieces) > 3 and all(trace.sites[0].queries <= 64 for trace in read)
    assert pieces[0].text == text[: len(pieces[0].text)] and text.endswith(pieces[-1].text)
    assert windows(subject, Asked(text="the cat")) == (Asked(text="the cat"),) or windows(subject, Asked(text="the cat"))[0].text == "the cat"


def test_tokens_know_their_characters(opened: Opened) -> None:
    reading = capture(opened("bert"), Asked(text="The  cat, a xylophone")).readings["text"][0]
    assert reading.offsets == "exact"
    assert [reading.text[token.start : token.end] for token in reading.tokens[1:-1]] == ["The", "cat", ",", "a", "xylophone"]
    assert reading.words == ("[CLS]", "The", "cat", ",", "a", "xylophone", "[SEP]")


def test_a_tokenizer_without_offsets_is_followed_by_its_pieces(copied: Callable[[str], Path]) -> None:
    import transformers

    folder = copied("bert")
    for file in ("tokenizer.json", "tokenizer_config.json"):
        (folder / file).unlink()
    words = ["[PAD]", "[CLS]", "[SEP]", "[MASK]", "[UNK]", *folders.WORDS]
    (folder / "vocab.txt").write_text("\n".join(words))
    slow = transformers.BertTokenizerLegacy(str(folder / "vocab.txt"))
    assert not slow.is_fast
    subject = open_folder(folder)
    subject.tokenizer = slow  # type: ignore[attr-defined]
    reading = capture(subject, Asked(text="The cat sat, xylophone mat")).readings["text"][0]
    assert reading.offsets == "pieces"
    assert [reading.text[t.start : t.end] for t in reading.tokens if t.start >= 0] == ["The", "cat", "sat", ",", "mat"]
    assert reading.words[5] == "[UNK]"


def test_weights_that_are_handed_over_have_a_limit(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    from studio.ml.attention.capture import require_memory

    with pytest.raises(errors.TooLong, match="GiB"):
        require_memory(8192, 12, 12)
    require_memory(512, 12, 12)
