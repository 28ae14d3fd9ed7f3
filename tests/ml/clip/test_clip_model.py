"""A noised CLIP from its folder: what it answers, and folders that cannot be used."""

from __future__ import annotations

import json

import pytest
import torch

from studio.ml.clip.model import load_clip
from studio.ml.diffusion.gradients import ClipGuidance
from studio.ml.diffusion.model_folder import BadModelFolder
from studio.ml.diffusion.weights import WrongWeights
from tests.ml.clip.tiny_clip import CONFIG, TEXT, VISION, network, pictures, write_merges, write_tiny


def test_prompts_and_pictures_become_unit_vectors_whose_products_are_the_similarity(tmp_path) -> None:
    clip = load_clip(write_tiny(tmp_path))
    assert (clip.name, clip.image_size, clip.logit_scale, clip.schedule.T) == ("tiny", 16, 20.0, 1000)
    assert len(clip.sha256) == 64
    assert clip.nbytes == 4 * sum(parameter.numel() for parameter in network().parameters())
    x, t = pictures(3), torch.tensor([0, 400, 999])
    text = clip.encode_text(["a cat", "a dog left of a kitten"])
    image = clip.encode_image(x, t)
    for vectors in (text, image):
        torch.testing.assert_close(vectors.norm(dim=1), torch.ones(len(vectors)))
    torch.testing.assert_close(clip.similarity(x, t, text), image @ text.T)
    assert clip.similarity(x, t, text).shape == (3, 2)


def test_the_step_is_seen(tmp_path) -> None:
    clip = load_clip(write_tiny(tmp_path))
    x = pictures(1).expand(2, -1, -1, -1)
    clean, noisy = clip.encode_image(x, torch.tensor([0, 900]))
    assert (clean - noisy).abs().max() > 1e-3


def test_guidance_gets_the_gradient_that_differences_show(tmp_path) -> None:
    """Central differences in float64, along a random direction; tolerance 1e-4 relative (the gradient is float32)."""
    clip = load_clip(write_tiny(tmp_path))
    x, t, text = pictures(1), torch.tensor([300]), clip.encode_text(["a cat"])
    found = ClipGuidance(clip, text, 2.0)(x, t)
    assert found is not None
    exact = load_clip(tmp_path, dtype=torch.float64)
    direction = torch.randn(x.shape, generator=torch.Generator().manual_seed(2))

    def score(step: float) -> float:
        cosine = exact.image_encoder(x.double() + step * direction, t)
        return float(2.0 * clip.logit_scale * (cosine / cosine.norm() * text.double()).sum())

    slope = (score(1e-4) - score(-1e-4)) / 2e-4
    assert float((found.value * direction).sum()) == pytest.approx(slope, rel=1e-3)


def test_half_precision_agrees(tmp_path) -> None:
    whole, half = load_clip(write_tiny(tmp_path)), load_clip(tmp_path, dtype=torch.bfloat16)
    x, t = pictures(2), torch.tensor([5, 500])
    assert half.encode_image(x, t).dtype == torch.float32
    assert (whole.encode_image(x, t) * half.encode_image(x, t)).sum(dim=1).min() > 0.999
    assert (whole.encode_text(["a cat"]) * half.encode_text(["a cat"])).sum() > 0.999


def test_a_prompt_tells_what_it_loses(tmp_path) -> None:
    clip = load_clip(write_tiny(tmp_path))
    assert clip.unknown("a purple cat") == ["purple"]
    assert clip.overflow("cat " * 12) == 3
    assert torch.isfinite(clip.encode_text(["", "purple"])).all()


def test_pictures_of_another_size_are_refused(tmp_path) -> None:
    clip = load_clip(write_tiny(tmp_path))
    with pytest.raises(ValueError, match=r"\[B, 3, 16, 16\] pictures, not \[2, 3, 32, 32\]"):
        clip.encode_image(pictures(2, 32), torch.tensor([0, 0]))


def test_byte_pairs_are_read_from_beside_the_config(tmp_path) -> None:
    tokens = {"type": "clip"}
    text = {**TEXT.model_dump(), "vocabulary": 600}  # rows to spare, as in the released table
    with pytest.raises(BadModelFolder, match="bpe_simple_vocab_16e6"):
        load_clip(write_tiny(tmp_path, tokenizer=tokens, text=text))
    write_merges(tmp_path)
    with pytest.raises(WrongWeights, match="w_voc"):
        load_clip(tmp_path)
    with pytest.raises(BadModelFolder, match="522 tokens for a network of 8"):
        load_clip(write_tiny(tmp_path, tokenizer=tokens))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"kind": "classifier"}, "kind"),
        ({"image_size": 64}, "64 pixels"),
        ({"steps": 500}, "500 steps"),
        ({"schedule": "cubic"}, "no network that can be built"),
        ({"logit_scale": float("nan")}, "logit_scale"),
        ({"vision": {**VISION.model_dump(), "patch_size": 5}}, "patches of 5"),
        ({"vision": {**VISION.model_dump(), "heads": 5}}, "5 attention heads"),
        ({"vision": {**VISION.model_dump(), "embedding": 12}}, "12 dimensions, text in 24"),
        ({"vision": {**VISION.model_dump(), "colour": 1}}, "colour"),
        ({"tokenizer": {"type": "words", "words": ["a"]}}, "2 tokens for a network of 8"),
    ],
)
def test_a_config_that_contradicts_itself_is_refused(tmp_path, changed, message) -> None:
    write_tiny(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({**CONFIG, **changed}))
    with pytest.raises(BadModelFolder, match=message):
        load_clip(tmp_path)


def test_weights_of_another_shape_are_refused(tmp_path) -> None:
    write_tiny(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({**CONFIG, "vision": {**VISION.model_dump(), "layers": 1}}))
    with pytest.raises(WrongWeights, match="block_1.*not expected"):
        load_clip(tmp_path)
