"""The studio's own models through the same door: equal to their attention written out, unchanged afterwards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from studio.ml.attention import errors, maps
from studio.ml.attention.ablation import effect
from studio.ml.attention.capture import capture, captured
from studio.ml.attention.generation import Writing
from studio.ml.attention.lens import lens
from studio.ml.attention.norms import norm_weighted
from studio.ml.attention.opening import open_folder
from studio.ml.attention.relevancy import relevancy
from studio.ml.attention.rollout import rollout
from studio.ml.attention.subject import Subject
from studio.ml.attention.values import Asked, Head
from studio.ml.language.causal import CausalConfig, CausalNetwork
from studio.ml.language.encoder_decoder import EncoderDecoderConfig, EncoderDecoderNetwork
from studio.ml.nn.attention import MultiHeadAttention, attention_weights
from studio.ml.nn.layers import TransformerConfig
from studio.ml.vision.vit import VisionTransformer, VitConfig

SHAPE = TransformerConfig(width=32, heads=4, hidden=48, layers=3)
WORDS = ["a", "cat", "dog", "on", "red", "mat", "."]
TEXT = "a cat on a red mat. a dog on a cat."
PICTURE = np.random.default_rng(0).integers(0, 256, (24, 30, 3), dtype=np.uint8)
ASKED = {"causal": Asked(text=TEXT), "encoder-decoder": Asked(text=TEXT, target="a dog"), "vision": Asked(picture=PICTURE)}


def save(folder: Path, kind: str) -> Path:
    torch.manual_seed(0)
    net: Any
    if kind == "vision":
        shape: Any = VitConfig(image_size=16, patch_size=4, classes=3, transformer=SHAPE)
        net, more = VisionTransformer(shape), {"image_size": 16, "classes": ["cat", "dog", "mat"]}
    elif kind == "causal":
        shape = CausalConfig(length=32, vocabulary=10, transformer=SHAPE)
        net, more = CausalNetwork(shape), {"tokenizer": {"words": WORDS}}
    else:
        shape = EncoderDecoderConfig(length=32, vocabulary=10, encoder=SHAPE, decoder=SHAPE)
        net, more = EncoderDecoderNetwork(shape), {"tokenizer": {"words": WORDS}}
    with torch.no_grad():
        for name, weight in net.named_parameters():
            if "w_q" in name or "w_k" in name:
                weight.mul_(4)
    folder.mkdir()
    save_file({name: weight.half() for name, weight in net.state_dict().items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"kind": kind, "name": f"own-{kind}", "network": shape.model_dump(), **more}))
    return folder


@pytest.fixture(params=list(ASKED))
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Subject:
    return open_folder(save(tmp_path / "own", request.param))


def test_maps_are_those_of_the_network(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, torch.Tensor] = {}
    names = {id(module): name for name, module in subject.model.named_modules()}

    def written(module: Any, query: Any, key: Any, value: Any, mask: Any, scale: float) -> Any:
        weights = attention_weights(query, key, mask, scale)
        seen[names[id(module)]] = weights
        return weights @ value

    attentions = [module for module in subject.model.modules() if isinstance(module, MultiHeadAttention)]
    before = [module.attend for module in attentions]
    for module in attentions:
        module.attend = written
    plain = capture_answers(subject)
    for module, attend in zip(attentions, before, strict=True):
        module.attend = attend
    trace = capture(subject, ASKED[subject.kind])
    assert [site.name for site in trace.sites] == list(seen)
    for site in trace.sites:
        for head in range(site.heads):
            ours = maps.head(trace, site.name, head)
            np.testing.assert_allclose(np.nan_to_num(ours), seen[site.name][0, head].numpy(), atol=1e-6)
            assert np.isnan(ours).any() == (site.kind == "causal")
        assert len(trace.rows(site)) == site.queries and len(trace.columns(site)) == site.keys
    assert trace.methods == {"explicit"} and trace.checked < 1e-5
    assert (trace.scores[0].logits == plain).all() and [module.attend for module in attentions] == before


def capture_answers(subject: Subject) -> np.ndarray:
    prepared = subject.prepare(ASKED[subject.kind])
    given = prepared.arguments
    with torch.no_grad():
        logits = subject.model(*given.values())
    return (logits[0, -1] if logits.dim() == 3 else logits[0]).numpy()


def test_everything_that_can_be_asked(subject: Subject) -> None:
    given = ASKED[subject.kind]
    trace = capture(subject, given, values=True)
    assert norm_weighted(trace, trace.sites[0].name, 0).shape == (trace.sites[0].queries, trace.sites[0].keys)
    assert list(rollout(trace, trace.sites[0].tower))[-1].map.shape == (trace.sites[0].queries,) * 2
    seen = lens(subject, given)
    np.testing.assert_allclose(seen.layers[-1].logits, trace.scores[0].logits, atol=1e-5)
    assert len(seen.layers) == 4
    (found,) = effect(subject, given, {Head(trace.sites[1].name, 2)})
    assert np.abs(found.delta).max() > 0
    assert (capture(subject, given).scores[0].logits == trace.scores[0].logits).all()
    rests_on = relevancy(subject, given)
    assert all(np.isfinite(map_).all() for map_ in rests_on.maps.values()) and max(map_.max() for map_ in rests_on.maps.values()) > 1


@pytest.mark.parametrize("kind", ["causal", "encoder-decoder"])
def test_writing_grows_the_map_of_the_whole(kind: str, tmp_path: Path) -> None:
    subject = open_folder(save(tmp_path / "own", kind))
    writing = Writing(subject, ASKED[kind], tokens=4, pick=lambda logits: 4)
    steps = list(writing)
    assert len(steps) == 4
    prepared = subject.prepare(ASKED[kind])
    for step in steps[:-1]:
        prepared = subject.longer(prepared, step.token)
    grown = writing.trace()
    whole = captured(subject, prepared)
    assert grown.sites == whole.sites
    for site in whole.sites:
        np.testing.assert_allclose(maps.head(grown, site.name, 1), maps.head(whole, site.name, 1), atol=1e-6)
    np.testing.assert_allclose(steps[-1].scores.logits, whole.scores[0].logits, atol=1e-5)
    assert steps[-1].cache_bytes == steps[-1].cache_formula > steps[0].cache_bytes


def test_bad_inputs_of_own_models(tmp_path: Path) -> None:
    subject = open_folder(save(tmp_path / "own", "causal"))
    for given, error in (
        (Asked(text=""), errors.WrongInput), (Asked(text="xylophone"), errors.WrongInput), (Asked(text="a cat " * 40), errors.TooLong),
        (Asked(text="a", picture=PICTURE), errors.WrongInput),
    ):  # fmt: skip
        with pytest.raises(error):
            capture(subject, given)
    kept = capture(subject, Asked(text="a cat " * 40, fit="end")).readings["text"][0]
    assert len(kept) == 32 and kept.tokens[0].special and kept.tokens[-1].end == len("a cat " * 40) - 1
