"""The language models' training tasks: they learn from texts that are true, and what they export opens."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from studio.ml.data.scenes import Vocabulary
from studio.ml.language.causal import load_causal
from studio.ml.language.encoder_decoder import load_encoder_decoder
from studio.ml.language.tokenizer import END, PADDING, START
from studio.ml.training.distributed import World
from studio.ml.training.emoji_captions import EmojiCaptions, filled, shortened
from studio.ml.training.emoji_paraphrase import EmojiParaphrase
from studio.ml.training.loop import TrainDone, TrainStep, train
from studio.ml.training.recipes import recipes
from studio.ml.training.settings import TrainSettings
from studio.ml.training.task import TrainingTask

VOCABULARY = Vocabulary.of_size(3, 2)
LAYERS = {"width": 32, "heads": 2, "hidden": 64, "layers": 1}
SETTINGS = TrainSettings(
    steps=40, batch=16, learning_rate=1e-2, warmup=2, ema=0.8, precision="float32", checkpoint_every=40
)


def captions() -> EmojiCaptions:
    return EmojiCaptions(VOCABULARY, {"length": 144, "transformer": LAYERS})


def paraphrase() -> EmojiParaphrase:
    return EmojiParaphrase(VOCABULARY, {"length": 48, "encoder": LAYERS, "decoder": LAYERS})


def trained(task: TrainingTask, folder: Path) -> tuple[list[float], TrainDone]:
    events = list(train(task, SETTINGS, folder, World(0, 1, torch.device("cpu")), log_every=10))
    assert isinstance(events[-1], TrainDone)
    return [event.metrics["loss"] for event in events if isinstance(event, TrainStep)], events[-1]


@pytest.mark.parametrize("make", [captions, paraphrase])
def test_samples_are_keyed_by_index(make: type[EmojiCaptions]) -> None:
    one, again, other = make().sample(3), make().sample(3), make().sample(4)
    assert all(torch.equal(one[key], again[key]) for key in one)
    assert any(not torch.equal(one[key], other[key]) for key in one)


def test_texts_stand_between_start_and_end() -> None:
    ids = captions().sample(0)["ids"]
    assert len(ids) == 144 and ids[0] == START
    assert (ids == END).sum() == 1 and (ids[int((ids == END).nonzero()) + 1 :] == PADDING).all()
    pair = paraphrase().sample(0)
    assert pair["source"][0] > END and pair["target"][0] == START and (pair["source"] == END).any()


def test_filling_up_and_shortening() -> None:
    batch = torch.stack([filled((1, 5, 2), 6), filled((1, 5, 5, 2), 6)])
    assert batch.tolist() == [[1, 5, 2, 0, 0, 0], [1, 5, 5, 2, 0, 0]]
    assert torch.equal(shortened(batch), batch[:, :4])
    with pytest.raises(ValueError, match="no room in 2"):
        filled((1, 5, 2), 2)


def test_the_shipped_networks_fit_four_megabytes() -> None:
    for name in ("emoji-captions", "emoji-paraphrase"):
        with torch.device("meta"):
            net = recipes()[name].task().build()
        assert 2 * sum(parameter.numel() for parameter in net.parameters()) <= 4_000_000


def test_the_causal_model_learns_and_opens(tmp_path: Path) -> None:
    task = captions()
    losses, done = trained(task, tmp_path)
    assert losses[-1] < 0.5 * math.log(task.tokenizer.size)  # guessing costs ln of the number of tokens
    assert task.preview(done.network).shape[2] == 3
    task.export(done.network, tmp_path / "model", {"Recipe": "a test"})
    model = load_causal(tmp_path / "model")
    ids = torch.stack([task.sample(i)["ids"] for i in range(1000, 1004)])
    with torch.no_grad():
        torch.testing.assert_close(model.net(ids), done.network(ids), rtol=0.03, atol=0.03)
    assert "i see" in (tmp_path / "model" / "MODEL_CARD.md").read_text(encoding="utf-8")


def test_the_encoder_decoder_learns_and_opens(tmp_path: Path) -> None:
    task = paraphrase()
    losses, done = trained(task, tmp_path)
    assert losses[-1] < 0.6 * losses[0]
    assert task.preview(done.network).shape[2] == 3
    task.export(done.network, tmp_path / "model", {"Recipe": "a test"})
    model = load_encoder_decoder(tmp_path / "model")
    samples = [task.sample(i) for i in range(1000, 1004)]
    pair = [torch.stack([sample[key] for sample in samples]) for key in ("source", "target")]
    with torch.no_grad():
        torch.testing.assert_close(model.net(*pair), done.network(*pair), rtol=0.03, atol=0.03)
