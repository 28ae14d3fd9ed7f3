"""The training task of emoji-clip: its examples, its loss against a plain computation, learning and export."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from studio.ml.clip.model import load_clip
from studio.ml.data import captions, scenes
from studio.ml.training.distributed import World
from studio.ml.training.emoji_clip import CONTEXT, EmojiClip, meaning
from studio.ml.training.loop import TrainDone, TrainStep, train
from studio.ml.training.settings import TrainSettings

NETWORK = {"patch_size": 8, "width": 32, "heads": 2, "embedding": 16, "layers": 1, "text_layers": 1}
VOCABULARY = scenes.Vocabulary.of_size(4, 2)


def task(free_pictures: int = 10**9, vocabulary: scenes.Vocabulary = VOCABULARY) -> EmojiClip:
    return EmojiClip(32, vocabulary, NETWORK, free_pictures=free_pictures)


def batch(of: EmojiClip, count: int) -> dict[str, torch.Tensor]:
    samples = [of.sample(i) for i in range(count)]
    return {key: torch.stack([sample[key] for sample in samples]) for key in samples[0]}


def test_an_example_is_a_noised_scene_and_its_caption() -> None:
    clip = task()
    rng = np.random.default_rng((clip.seed, 5))
    scene = scenes.draw(rng, VOCABULARY)
    text = captions.caption(scene, rng)
    sample = clip.sample(5)
    n, t = int(sample["length"]), int(sample["t"])
    assert [clip.tokenizer.piece(int(token)) for token in sample["tokens"][: n - 1]] == clip.tokenizer._split(text)
    abar = clip.schedule.alphas_cumprod[t]
    x0 = scenes.render(scene, 32).transpose(2, 0, 1) / 127.5 - 1
    noise = (sample["x"].numpy() - math.sqrt(abar) * x0) / math.sqrt(1 - abar)
    assert abs(noise.mean()) < 0.1 and abs(noise.std() - 1) < 0.05


def test_a_third_is_nearly_clean_and_the_rest_of_every_step() -> None:
    t = batch(task(), 400)["t"]
    clean = (t < 50).float().mean().item()
    assert abs(clean - (1 / 3 + 2 / 3 * 0.05)) < 0.1  # four standard errors of 400 draws
    assert t.max() > 900 and ((t > 400) & (t < 600)).any()


def test_every_caption_has_room() -> None:
    everything = scenes.Vocabulary()
    clip, rng = task(vocabulary=everything), np.random.default_rng(0)
    for _ in range(1000):
        text = captions.caption(scenes.draw(rng, everything), rng)
        assert clip.tokenizer.overflow(text, CONTEXT) == 0 and clip.tokenizer.unknown(text) == []


def test_families_share_two_nouns_and_a_background() -> None:
    vocabulary = scenes.Vocabulary.of_size(32, 8)
    clip = task(0, vocabulary)
    family = [scenes.draw(np.random.default_rng(i), clip._family(i)) for i in range(8)]
    assert len({scene.background for scene in family}) == 1
    assert len({placed.noun for scene in family for placed in scene.objects}) == 2
    assert clip._family(0) == clip._family(7) != clip._family(8)
    assert task(8, vocabulary)._family(7) == vocabulary


def test_scenes_mean_the_same_when_the_same_captions_describe_them() -> None:
    rng = np.random.default_rng(0)
    scene = scenes.draw(rng, VOCABULARY, kind="relation")
    scene = replace(scene, relation="left of")
    turned = replace(scene, objects=scene.objects[::-1], relation="right of")
    assert meaning(scene) == meaning(turned)
    assert len({meaning(replace(scene, relation=relation)) for relation in scenes.RELATIONS}) == 4
    assert meaning(replace(scene, objects=scene.objects[::-1])) != meaning(scene)
    pair = replace(scene, kind="pair", relation=None)
    assert meaning(pair) == meaning(replace(pair, objects=pair.objects[::-1])) != meaning(scene)
    assert meaning(replace(scene, background="no such")) != meaning(scene)


def test_the_loss_is_the_symmetric_cross_entropy_without_pictures_of_the_same_meaning() -> None:
    torch.manual_seed(0)
    clip = task()
    network, drawn = clip.build(), batch(clip, 6)
    drawn["meaning"] = torch.tensor([1, 2, 1, 3, 4, 5])
    loss, shares = clip.loss(network, drawn)
    logits = network(drawn["x"], drawn["t"], drawn["tokens"], drawn["length"]).detach().double()
    total = 0.0
    for table in (logits, logits.T):
        for i in range(6):
            rivals = [j for j in range(6) if j == i or drawn["meaning"][i] != drawn["meaning"][j]]
            total -= float(table[i, i] - torch.logsumexp(table[i, rivals], dim=0)) / 6
    assert loss.item() == pytest.approx(total / 2, rel=1e-5)
    assert 0 <= shares["right"] <= 1 and 0 <= shares["right_clean"] <= 1
    loss.backward()
    gradients = [parameter.grad for parameter in network.parameters()]
    assert all(gradient is not None and torch.isfinite(gradient).all() for gradient in gradients)


def test_the_scale_never_passes_100() -> None:
    network = task().build()
    assert network.scale.item() == pytest.approx(1 / 0.07)
    with torch.no_grad():
        network.log_scale.fill_(9.0)
    assert network.scale.item() == 100.0


def test_it_learns_and_what_it_exports_opens(tmp_path) -> None:
    clip = task()
    settings = TrainSettings(steps=40, batch=16, learning_rate=3e-3, warmup=5, ema=0.9, precision="float32")
    events = list(train(clip, settings, tmp_path / "run", World(0, 1, torch.device("cpu")), log_every=1))
    losses = [event.metrics["loss"] for event in events if isinstance(event, TrainStep)]
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 0.3
    done = events[-1]
    assert isinstance(done, TrainDone)
    assert clip.preview(done.network).shape == (32 * 6, 4 * 32 * 6, 3)
    clip.export(done.network, tmp_path / "model", {"Training": "a test"})
    opened = load_clip(tmp_path / "model")
    assert opened.logit_scale == pytest.approx(done.network.scale.item(), abs=1e-3)
    text = opened.encode_text(["a cat on a blue background"])
    ids, used = clip.tokenizer.encode("a cat on a blue background", CONTEXT)
    with torch.no_grad():
        expected = done.network.net.embed_texts(torch.tensor([ids]), torch.tensor([sum(used)]))
    torch.testing.assert_close(text, expected, atol=5e-3, rtol=0)  # weights are stored in half precision
    card = (tmp_path / "model" / "MODEL_CARD.md").read_text()
    assert "a test" in card and "noise-aware CLIP" in card
