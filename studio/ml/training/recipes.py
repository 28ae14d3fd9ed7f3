"""The recipes behind the models that ship with the studio: `glassbox train NAME`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from studio.ml.data.scenes import Kind, Vocabulary
from studio.ml.training.emoji import EmojiBase
from studio.ml.training.emoji_captions import EmojiCaptions
from studio.ml.training.emoji_classifier import EmojiClassifier
from studio.ml.training.emoji_clip import EmojiClip
from studio.ml.training.emoji_inpaint import EmojiInpaint
from studio.ml.training.emoji_paraphrase import EmojiParaphrase
from studio.ml.training.emoji_upsample import EmojiUpsample
from studio.ml.training.emoji_vit import EmojiVit
from studio.ml.training.oracle import EmojiOracle
from studio.ml.training.settings import TrainSettings
from studio.ml.training.task import TrainingTask
from studio.resources import resource


_TOLD: dict[Kind, float] = {"single": 0.25, "count": 0.10, "pair": 0.10, "relation": 0.50, "trio": 0.05}
"""Kinds of scenes in the texts of the language models: words can say a relation as easily as a noun."""


@dataclass(frozen=True)
class Recipe:
    """A task, its hyper-parameters and what they are for."""

    task: Callable[[], TrainingTask]
    settings: TrainSettings
    about: str


def recipes() -> dict[str, Recipe]:
    """Every recipe by name. A name with a suffix is the same model for another machine, or to compare it with."""
    vit = TrainSettings(steps=4000, batch=64, learning_rate=1e-3, ema=0.998, checkpoint_every=200, sample_every=1000)
    return {
        "emoji-base": Recipe(
            _emoji_base_cpu,
            TrainSettings(steps=8000, batch=48, learning_rate=8e-4, ema=0.998, checkpoint_every=200, sample_every=400),
            "32x32 text-to-image over 32 nouns and 8 backgrounds, for two CPU cores (about two hours)",
        ),
        "emoji-base-64": Recipe(
            _emoji_base_accelerator,
            TrainSettings(steps=60_000, batch=256, learning_rate=4e-4, ema=0.9995, checkpoint_every=1000, sample_every=5000),
            "64x64 text-to-image over all nouns and backgrounds, for one accelerator",
        ),
        "emoji-inpaint": Recipe(
            _emoji_inpaint,
            TrainSettings(steps=1300, batch=48, learning_rate=3e-4, ema=0.998, checkpoint_every=100, sample_every=200),
            "32x32 inpainting, fine-tuned from the shipped emoji-base, for one CPU core (half an hour)",
        ),
        "emoji-classifier": Recipe(
            _emoji_classifier,
            TrainSettings(steps=1500, batch=64, learning_rate=1e-3, ema=0.998, checkpoint_every=200, sample_every=500),
            "the noise-aware classifier of 32x32 emoji scenes, for one CPU core (about a quarter of an hour)",
        ),
        "emoji-upsample": Recipe(
            _emoji_upsample,
            TrainSettings(steps=5200, batch=4, learning_rate=6e-4, ema=0.998, checkpoint_every=100, sample_every=600),
            "32 -> 128 pixels up-sampling for emoji-base, on one CPU core (about an hour and a half)",
        ),
        "emoji-clip": Recipe(
            _emoji_clip,
            TrainSettings(
                steps=5400, batch=128, learning_rate=1e-3, decay_share=0.3, ema=0.998, precision="float32",
                checkpoint_every=200, sample_every=1000,
            ),
            "the noise-aware CLIP of 32x32 emoji scenes, for one CPU core (about an hour and a quarter)",
        ),
        "emoji-vit": Recipe(
            lambda: _emoji_vit("emoji-vit", "1d"),
            vit,
            "the vision transformer that names the object of 32x32 emoji scenes, for one CPU core (about a quarter of an hour)",
        ),
        "emoji-vit-2d": Recipe(
            lambda: _emoji_vit("emoji-vit-2d", "2d"),
            vit,
            "emoji-vit with places by row and column, trained on the same pictures, to compare",
        ),
        "emoji-captions": Recipe(
            _emoji_captions,
            TrainSettings(
                steps=2200, batch=64, learning_rate=2e-3, ema=0.998, weight_decay=0.01, checkpoint_every=200, sample_every=1000
            ),
            "the causal language model of stories about emoji scenes, for one CPU core (about 20 minutes)",
        ),
        "emoji-paraphrase": Recipe(
            _emoji_paraphrase,
            TrainSettings(steps=2500, batch=64, learning_rate=1e-3, ema=0.998, checkpoint_every=200, sample_every=1000),
            "the encoder-decoder that tells captions from the other side, for one CPU core (about ten minutes)",
        ),
        "emoji-oracle": Recipe(
            lambda: EmojiOracle(32, Vocabulary.of_size(32, 8)),
            TrainSettings(
                steps=2500, batch=64, learning_rate=2e-3, ema=0.99, precision="float32", sample_every=500
            ),
            "the judge of 32x32 emoji scenes, for one CPU core (some minutes)",
        ),
    }


def _emoji_base_cpu() -> TrainingTask:
    network = {
        "model_channels": 32, "num_res_blocks": 1, "attention_resolutions": (2, 4), "channel_mult": (1, 2, 3),
        "num_head_channels": 32, "text_ctx": 24, "xf_width": 128, "xf_layers": 3, "xf_heads": 4,
    }  # fmt: skip
    layout: dict[Kind, float] = {"single": 0.60, "count": 0.10, "pair": 0.03, "relation": 0.24, "trio": 0.03}
    mix: dict[Kind, float] = {"single": 0.75, "count": 0.05, "pair": 0.01, "relation": 0.18, "trio": 0.01}
    return EmojiBase(32, Vocabulary.of_size(32, 8, mix), network, layout=layout, layout_pictures=2800 * 48)


def _emoji_inpaint() -> TrainingTask:
    mix: dict[Kind, float] = {"single": 0.45, "count": 0.06, "pair": 0.14, "relation": 0.28, "trio": 0.07}
    return EmojiInpaint(resource("models", "emoji-base"), Vocabulary.of_size(32, 8, mix))


def _emoji_classifier() -> TrainingTask:
    network = {
        "model_channels": 32, "num_res_blocks": 1, "attention_resolutions": (4,), "channel_mult": (1, 2, 3),
        "num_head_channels": 32,
    }  # fmt: skip
    return EmojiClassifier(32, Vocabulary.of_size(32, 8, {"single": 0.85, "count": 0.15}), network)


def _emoji_upsample() -> TrainingTask:
    network = {
        "model_channels": 32, "num_res_blocks": 1, "attention_resolutions": (), "channel_mult": (1, 1, 2, 3),
        "num_head_channels": 32, "text_ctx": 24, "xf_width": 64, "xf_layers": 2, "xf_heads": 2,
    }  # fmt: skip
    return EmojiUpsample(128, Vocabulary.of_size(32, 8), network)


def _emoji_clip() -> TrainingTask:
    network = {"patch_size": 8, "width": 128, "heads": 4, "embedding": 128, "layers": 4, "text_layers": 2}
    return EmojiClip(32, Vocabulary.of_size(32, 8), network, free_pictures=3000 * 128)


def _emoji_vit(name: str, positions: str) -> TrainingTask:
    transformer = {"width": 96, "heads": 4, "hidden": 384, "layers": 6}
    network = {"patch_size": 4, "positions": positions, "transformer": transformer}
    return EmojiVit(name, 32, Vocabulary.of_size(32, 8, {"single": 0.85, "count": 0.15}), network)


def _emoji_captions() -> TrainingTask:
    transformer = {"width": 128, "heads": 4, "hidden": 512, "layers": 4}
    return EmojiCaptions(Vocabulary.of_size(32, 8, _TOLD), {"length": 144, "transformer": transformer})


def _emoji_paraphrase() -> TrainingTask:
    half = {"width": 128, "heads": 4, "hidden": 512, "layers": 3}
    return EmojiParaphrase(Vocabulary.of_size(32, 8, _TOLD), {"length": 48, "encoder": half, "decoder": half})


def _emoji_base_accelerator() -> TrainingTask:
    network = {
        "model_channels": 64, "num_res_blocks": 2, "attention_resolutions": (4, 8), "channel_mult": (1, 2, 2, 3),
        "num_head_channels": 32, "text_ctx": 24, "xf_width": 192, "xf_layers": 4, "xf_heads": 6,
    }  # fmt: skip
    return EmojiBase(64, Vocabulary(), network)
