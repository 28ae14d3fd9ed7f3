"""Model folders of the transformers library in the panel: opened, read, and refused in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.ml.attention import folders
from tests.plugins.attention.conftest import AttentionRoom


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folders.save("gpt2", tmp_path_factory.mktemp("models") / "gpt2")


def opened(room: AttentionRoom, folder: Path, **fields: Any) -> Any:
    """A panel in which a folder was opened and chosen."""
    panel = room.build()
    room.show(panel)
    panel.open_folder(folder)
    room.quiet()
    panel.controls.form.set_fields(fields)
    return panel


def test_a_folder_is_read_as_eager_attention_is(room: AttentionRoom, gpt2: Path) -> None:
    import transformers

    panel = opened(room, gpt2, text=folders.TEXT)
    assert "causal" in panel.last_message.text and panel.controls.form.value().model == str(gpt2)
    room.read(panel)
    assert panel.sight.overview.methods == {"sdpa"} and "fast kernel" in panel.status.text()
    panel.sight.choose((panel.sight.overview.sites[1].name, 3))
    room.quiet()
    model = transformers.GPT2LMHeadModel.from_pretrained(gpt2, attn_implementation="eager")
    ids = transformers.AutoTokenizer.from_pretrained(gpt2)(folders.TEXT, return_tensors="pt").input_ids
    eager = model(ids, output_attentions=True).attentions[1][0, 3].detach().numpy()
    np.testing.assert_allclose(np.nan_to_num(panel.sight.values()), eager, atol=1e-6)
    assert np.isnan(panel.sight.values()[np.triu_indices(len(eager), 1)]).all()


def test_clip_compares_a_picture_with_captions(room: AttentionRoom, tmp_path: Path) -> None:
    panel = opened(room, folders.save("clip", tmp_path / "clip"), picture="emoji:cat:blue", captions="a cat\na dog\na king")
    room.read(panel)
    assert {bar.name for bar in panel.insight.answer.bars()} == {"a cat", "a dog", "a king"}
    assert panel.sight.columns.grid == (4, 4)
    text = next(site for site in panel.sight.overview.sites if site.tower == "text")
    panel.sight.choose((text.name, 0), 2)
    room.quiet()
    assert panel.stage.map.part.isVisibleTo(panel) and "king" in panel.sight.rows.words


def test_a_long_text_is_read_in_windows(room: AttentionRoom, gpt2: Path) -> None:
    panel = opened(room, gpt2, text=f"{folders.TEXT} " * 8)
    panel.read()
    room.quiet()
    assert "reads 64" in panel.last_message.text
    assert [text for text, _ in panel.last_message.actions] == ["Keep its start", "Keep its end", "Read it in windows"]
    panel.last_message.actions[2][1]()
    room.qtbot.waitUntil(lambda: panel.sight.overview is not None, timeout=60_000)
    room.quiet()
    first = panel.sight.rows.words
    panel.controls.form.set_fields({"window": 2})
    room.read(panel)
    assert panel.sight.overview.windows > 1 and len(first) == 64 and panel.insight.facts.fact("window").startswith("2 of")


def test_a_picture_for_a_model_of_text_offers_one_that_sees(room: AttentionRoom, gpt2: Path, tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (40, 40), (200, 120, 20)).save(tmp_path / "a.png")
    panel = opened(room, gpt2)
    panel.stage.dropped.emit(tmp_path / "a.png")
    assert "cannot look at a picture" in panel.last_message.text
    panel.last_message.actions[0][1]()
    room.qtbot.waitUntil(lambda: panel.sight.overview is not None, timeout=60_000)
    room.quiet()
    assert panel.sight.overview.kind == "vision" and panel.sight.overview.picture[0, 0].tolist() == [200, 120, 20]


def test_a_session_file_is_read_again(room: AttentionRoom, gpt2: Path, tmp_path: Path) -> None:
    panel = opened(room, gpt2, text="the cat sat")
    room.read(panel)
    head = panel.sight.head
    panel.sight.switch(head)
    room.quiet()
    session = next(one for one in panel.exportables() if one.name == "session").produce()
    assert json.loads(session)["kind"] == "attention"
    (tmp_path / "mine.json").write_text(session, encoding="utf-8")
    again = opened(room, gpt2)
    again.stage.dropped.emit(tmp_path / "mine.json")
    room.qtbot.waitUntil(lambda: again.sight.overview is not None, timeout=60_000)
    room.quiet()
    assert again.sight.off == {head} and again.sight.rows.words == panel.sight.rows.words
    (tmp_path / "other.json").write_text("{}", encoding="utf-8")
    again.stage.dropped.emit(tmp_path / "other.json")
    room.quiet()
    assert "other.json" in again.last_message.text


def _config(folder: Path, **more: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **more}))


def _no_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


def _pickle(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (_no_tokenizer, "tokenizer"), (_pickle, "run code"),
        (lambda folder: _config(folder, auto_map={"AutoModel": "own.Model"}), "Python code"),
        (lambda folder: _config(folder, quantization_config={"quant_method": "gptq"}), "quantised"),
        (lambda folder: (folder / "config.json").write_text("[]"), "config.json"),
    ],
)  # fmt: skip
def test_a_folder_that_cannot_be_shown_says_why(room: AttentionRoom, tmp_path: Path, spoil: Callable[[Path], Any], word: str) -> None:
    folder = folders.save("gpt2", tmp_path / "spoilt")
    spoil(folder)
    panel = opened(room, folder)
    assert word in panel.last_message.text and panel.last_message.level == "error"
    assert str(folder) not in panel.controls.offers


def test_weights_that_are_no_numbers_are_refused(room: AttentionRoom, tmp_path: Path) -> None:
    folder = folders.save("gpt2", tmp_path / "nan")
    tensors = load_file(folder / "model.safetensors")
    name = next(iter(tensors))
    tensors[name] = np.full_like(tensors[name], np.nan)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    panel = opened(room, folder, text=folders.TEXT)
    panel.read()
    room.quiet()
    assert "NaN" in panel.last_message.text and panel.sight.overview is None
