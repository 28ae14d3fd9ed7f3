"""The Anatomy panel: opening, sizes, pages, pointing, timing, keeping, exports, and what it says of bad input."""

from __future__ import annotations

import contextlib
import io
import json

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent, QGuiApplication
from studio_plugins.anatomy.panel import _dropped
from studio_plugins.anatomy.request import AnatomyRequest
from studio_plugins.anatomy.script import script

TINY = {
    "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 64, "intermediate_size": 96,
    "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 100,
}  # fmt: skip


@pytest.fixture
def place(tmp_path):
    """Writes a configuration and gives the folder."""

    def write(config, name="tiny"):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        text = config if isinstance(config, str) else json.dumps(config)
        (folder / "config.json").write_text(text, encoding="utf-8")
        return folder

    return write


def test_a_new_panel_invites(anatomy_room):
    panel = anatomy_room()
    assert panel.stage.currentIndex() == 0 and panel.exportables() == [] and not panel.zones.primary.isEnabled()
    assert {"preset:gpt2", "preset:llama-70b", "bundled:emoji-base"} <= set(panel.controls.names())


def test_a_model_opens_and_is_counted(anatomy_room):
    panel = anatomy_room(model="preset:gpt2", tokens=128)
    assert panel.look.measured.metered.total == 32_228_179_968
    assert panel.insight.fact("parameters").startswith("124,439,808")
    assert "ratio 1.000000" in panel.insight.texts()["flops"]
    assert panel.controls.form.value().width == 768 and panel.look.change is None


def test_a_model_of_seventy_billion_opens(anatomy_room):
    panel = anatomy_room(model="preset:llama-70b")
    panel.stage.show_page("tree")
    assert any("× 80".replace(" ", "\u2009") in text or "×\u200980" in text for text in panel.stage.tree.texts())
    panel.stage.show_page("counts")
    assert "all of them explained" in panel.stage.counts.words()
    cells = panel.stage.counts.cells()
    assert cells[-1][3:] == ["68,976,648,192", "68,976,648,192", "0"]
    panel.stage.show_page("memory")
    assert "128 GiB" in panel.stage.memory.words(), "2 bytes for each of 68,976,648,192"


def test_other_sizes_make_a_hypothetical_model(anatomy_room):
    panel = anatomy_room(model="preset:gpt2", tokens=64)
    panel.controls.set({"layers": 3, "width": 1024, "heads": 16})
    anatomy_room.quiet()
    look = panel.look
    assert look.change is not None and look.stack.block.parameters == 12 * 1024**2 + 13 * 1024
    assert look.measured.metered.stacks["transformer.h"] == look.cost().total
    assert look.shown_anatomy.count.total == look.parameters and look.shown_anatomy.count.residual == 0
    assert panel.controls._reset.isVisibleTo(panel)
    panel._own_sizes()
    anatomy_room.quiet()
    assert panel.look.change is None and panel.controls.form.value().layers == 12


def test_sizes_that_cannot_be_are_said(anatomy_room):
    panel = anatomy_room(model="preset:gpt2", tokens=64)
    panel.controls.set({"heads": 7})
    anatomy_room.quiet()
    assert "cannot be divided" in panel.controls._size.text() and panel.look.stack.block.heads == 12


def test_a_part_is_clicked_and_reached_by_keys(qtbot, anatomy_room):
    panel = anatomy_room(model="preset:qwen3-8b", tokens=32)
    diagram = panel.stage.layer.diagram
    panel.grab()
    parts = panel.look.measured.diagram.parts
    at = next(i for i, part in enumerate(parts) if part.path == "self_attn.k_proj")
    qtbot.mouseClick(diagram.viewport(), Qt.MouseButton.LeftButton, pos=diagram.centre(at).toPoint())
    text = panel.insight.texts()["part"]
    assert "1024×4096" in text and "4,194,304" in text and "268,435,456" in text
    qtbot.keyClick(diagram, Qt.Key.Key_Down)
    assert diagram.choice == at + 1
    qtbot.keyClick(diagram, Qt.Key.Key_Escape)
    assert diagram.choice == -1 and panel.insight.texts()["part"].count("$") == 0


def test_an_encoder_decoder_has_two_stacks(anatomy_room):
    panel = anatomy_room(model="preset:t5-small", tokens=48)
    assert [panel.stage.stacks.itemText(i) for i in range(2)] == ["encoder", "decoder"]
    panel.stage.stack.emit("decoder.block")
    anatomy_room.quiet()
    assert panel.look.stack.block.cross and panel.look.source == 48
    assert panel.look.measured.metered.stacks["decoder.block"] == panel.look.cost().total


def test_pictures_take_the_nearest_square(anatomy_room):
    panel = anatomy_room(model="preset:vit-b16")
    assert panel.look.tokens == panel.controls.form.value().tokens == 197
    panel.controls.set({"tokens": 300})
    anatomy_room.quiet()
    assert panel.look.tokens == 17 * 17 + 1
    panel.stage.show_page("memory")
    assert "keeps no cache" in panel.stage.memory.words()


def test_the_line_in_the_plot_sets_the_length(anatomy_room):
    panel = anatomy_room(model="preset:gpt2", tokens=64)
    panel.stage.show_page("flops")
    panel.stage.flops.cost.ruled.emit(3.0)
    anatomy_room.quiet()
    assert panel.controls.form.value().tokens == 1000 and "T = 1,000" in panel.stage.flops.words()
    assert "ratio 1.000000" in panel.stage.flops.words() and "T = 6D = 4,608" in panel.stage.flops.words()


def test_a_layer_is_timed(anatomy_room, place):
    panel = anatomy_room(model=str(place(TINY)), tokens=16)
    panel.zones.primary.click()
    anatomy_room.quiet()
    timing = panel.look.timed.timing
    assert timing.flops == panel.look.cost().total // 3 and timing.typical > 0
    assert "extrapolated" in panel.stage.time.bars.words() and "tokens a second" in panel.stage.time.words()
    panel.controls.set({"tokens": 17})
    anatomy_room.quiet()
    assert panel.look.timed is None, "a time belongs to its settings"


def test_what_is_too_large_is_not_timed(anatomy_room):
    panel = anatomy_room(model="preset:llama-70b")
    panel.controls.set({"tokens": 200_000})
    anatomy_room.quiet()
    panel.time_layer()
    anatomy_room.quiet()
    assert "Take fewer tokens" in panel.last_message.text and panel.look.timed is None


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("{ not json", "damaged"),
        ("[1, 2]", "no JSON object"),
        ({"hello": 1}, "names no model_type"),
        ({"model_type": "no_such_model"}, "does not know the architecture"),
        ({**TINY, "auto_map": {"AutoModel": "code.Model"}}, "Python code of its own"),
        ({**TINY, "hidden_size": 10**9}, "is not believed"),
        ({**TINY, "num_hidden_layers": 0}, "at least 1"),
        ({**TINY, "hidden_size": "wide"}, "whole number"),
        ({**TINY, "num_attention_heads": 7}, "llama"),
    ],
)
def test_bad_configurations_are_refused_in_words(anatomy_room, place, config, said):
    panel = anatomy_room(model="preset:distilbert", tokens=8)
    panel.open_model(str(place(config)))
    anatomy_room.quiet()
    assert said in panel.last_message.text
    assert panel.look.anatomy.blueprint.title == "DistilBERT-base"
    assert panel.controls.form.value().model == "preset:distilbert"


def test_a_folder_without_a_model_is_refused(anatomy_room, tmp_path):
    panel = anatomy_room(model=str(tmp_path))
    assert "no config.json" in panel.last_message.text and panel.look is None


def test_a_quantised_folder_says_what_is_counted(anatomy_room, place):
    packed = {**TINY, "quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}}
    panel = anatomy_room(model=str(place(packed)), tokens=8)
    assert "4-bit by bitsandbytes" in panel.last_message.text and panel.look.shown_anatomy.count.residual == 0


def test_a_saved_folder_opens_with_its_files(anatomy_room, tmp_path):
    from transformers import BertConfig, BertModel

    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 40}
    BertModel(BertConfig(**sizes)).save_pretrained(tmp_path / "bert")
    panel = anatomy_room(model=str(tmp_path / "bert"), tokens=8)
    total = panel.look.anatomy.count.total
    assert panel.look.anatomy.blueprint.stored == {"F32": total} and panel.look.anatomy.model_class == "BertModel"


def test_a_bundled_model_shows_its_tensors(anatomy_room):
    panel = anatomy_room(model="bundled:emoji-clip")
    assert panel.look.stack is None and panel.look.parameters == 1_391_744
    for page in ("layer", "tree", "counts", "flops", "memory", "time"):
        panel.stage.show_page(page)
        assert not panel.grab().isNull()
    assert any("block_0 … block_3" in text for text in panel.stage.tree.texts())


@pytest.mark.parametrize(("name", "stacks"), [("emoji-vit", 1), ("emoji-captions", 1), ("emoji-paraphrase", 2)])
def test_a_bundled_transformer_is_explained(anatomy_room, name, stacks):
    panel = anatomy_room(model=f"bundled:{name}")
    anatomy = panel.look.anatomy
    assert len(anatomy.stacks) == stacks and anatomy.count.residual == 0
    assert anatomy.count.total == anatomy.tree.parameters
    assert panel.look.tokens == anatomy.lengths[panel.look.stack.path] or name == "emoji-paraphrase"
    d = panel.look.stack.block.width
    assert panel.look.stack.block.parameters == 12 * d * d + 13 * d
    for page in ("layer", "counts", "flops", "memory", "time"):
        panel.stage.show_page(page)
        assert not panel.grab().isNull()
    assert "formula alone" in panel.stage.flops.words() and not panel.zones.primary.isEnabled()
    panel.keep()
    anatomy_room.quiet()
    assert "counts.csv" in anatomy_room.store.records()[0].files


def test_an_unknown_family_is_told_honestly(anatomy_room, place):
    config = {
        "model_type": "deberta-v2", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
        "intermediate_size": 96, "vocab_size": 100,
    }  # fmt: skip
    panel = anatomy_room(model=str(place(config)), tokens=8)
    panel.stage.show_page("counts")
    assert "are other" in panel.stage.counts.words()
    assert any(row[1] == "other" for row in panel.stage.counts.cells())


def test_it_is_kept_and_comes_back(anatomy_room, place):
    panel = anatomy_room(model=str(place(TINY)), tokens=24, batch=2)
    panel.keep()
    anatomy_room.quiet()
    (record,) = anatomy_room.store.records()
    assert {"anatomy.json", "counts.csv", "operations.csv", "layer.csv", "anatomy.py"} <= set(record.files)
    fresh = anatomy_room()
    assert fresh.restore_request("anatomy", record.request) == []
    anatomy_room.quiet()
    assert fresh.look.request == AnatomyRequest.from_json(record.request) == panel.look.request
    assert fresh.restore_request("generate", {}) == ["settings of kind “generate”"]
    again = anatomy_room(state=panel.state())
    assert again.look.key == panel.look.key and again.look.measured.metered == panel.look.measured.metered


def test_everything_shown_can_leave(anatomy_room, place, tmp_path):
    panel = anatomy_room(model=str(place(TINY)), tokens=16)
    panel.time_layer()
    anatomy_room.quiet()
    names = set()
    for page in ("layer", "tree", "counts", "flops", "memory", "time"):
        panel.stage.show_page(page)
        panel.grab()
        for item in panel.exportables():
            names.add(item.name)
            for suffix in {"plot": ("png", "svg", "pdf"), "table": ("csv",), "script": ("py",)}[item.kind]:
                assert panel.context.export.save(item, tmp_path / f"{page} {item.name}.{suffix}").stat().st_size > 60
    assert {"diagram of a layer", "counts", "memory bars", "operations over T plot", "script", "timed runs"} <= names
    assert b"softmax" in (tmp_path / "layer diagram of a layer.svg").read_bytes()
    panel.copy_script()
    assert "FlopCounterMode" in QGuiApplication.clipboard().text()


@pytest.mark.parametrize(
    "model", ["preset:gpt2", "preset:t5-small", "preset:gemma2-9b", "preset:clip-b32", "preset:vit-b16"]
)
def test_the_script_prints_the_same_numbers(anatomy_room, model):
    panel = anatomy_room(model=model, tokens=40)
    if model == "preset:t5-small":
        panel.stage.stack.emit("decoder.block")
    if model in ("preset:gpt2", "preset:gemma2-9b"):
        panel.controls.set({"layers": 2})
    anatomy_room.quiet()
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        exec(compile(script(panel.look), "script.py", "exec"), {"__name__": "__main__"})
    look, lines = panel.look, told.getvalue().splitlines()
    assert f"parameters: {look.shown_anatomy.count.total}" in lines or model in ("preset:vit-b16", "preset:clip-b32")
    assert f"operations: {look.measured.metered.total}" in lines
    assert f"operations of the layers: {look.cost().total}" in lines and f"by the formula: {look.cost().total}" in lines


def test_a_configuration_can_be_dropped(anatomy_room, place):
    file = place(TINY) / "config.json"
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(file))])
    assert _dropped(data) == file
    panel = anatomy_room()
    mouse, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    event = QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, data, mouse, keys)
    panel.dropEvent(event)
    anatomy_room.quiet()
    assert panel.look.anatomy.model_class == "LlamaForCausalLM"


def test_both_themes_draw(anatomy_room):
    from studio.ui.theme import theme

    panel = anatomy_room()
    panel.demo()
    assert panel.stage.part().kind == "scores"
    for name in ("dark", "light"):
        theme().apply(name)
        for page in ("layer", "flops", "memory"):
            panel.stage.show_page(page)
            assert not panel.grab().isNull()
    anatomy_room.quiet()
