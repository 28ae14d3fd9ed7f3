"""The published CLIP: full-size names and shapes, and loading with random weights of the same layout at small width."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from studio.ml.clip.model import ClipNetwork
from studio.ml.clip.released import ReleasedClip, load_released_clip, recognise_encoder, released_clip
from studio.ml.clip.text import TextConfig
from studio.ml.clip.vision import VisionConfig
from studio.ml.diffusion.bpe import TokenizerMissing
from studio.ml.diffusion.weights import CorruptWeights, WeightsError, WrongWeights
from tests.ml.clip.tiny_clip import MERGES, write_merges
from tests.ml.diffusion.goldens import checkpoint_keys

SMALL = ReleasedClip.of(
    VisionConfig(image_size=64, patch_size=4, width=24, heads=12, layers=12, embedding=16),
    TextConfig(vocabulary=600, context=77, width=16, heads=8, layers=12, embedding=16),
    tokens=2 * 256 + len(MERGES) + 2,
)


@pytest.mark.parametrize(("half", "golden"), [("image", "glide_clip_image_enc"), ("text", "glide_clip_text_enc")])
def test_names_shapes_and_order_are_those_of_the_published_file(half, golden) -> None:
    encoder, published = getattr(released_clip(), half), checkpoint_keys()[golden]
    shapes = {key: tuple(shape) for key, shape in published["keys"]}
    assert list(encoder.shapes().items()) == list(shapes.items())
    assert encoder.nbytes() == 4 * published["parameters"]
    assert encoder.nbytes(torch.float16) == 2 * published["parameters"]
    assert all(parameter.is_meta for parameter in encoder.build().parameters())
    assert recognise_encoder(dict(sorted(shapes.items()))) == encoder


@pytest.mark.parametrize("golden", ["glide_base", "adm_64x64_classifier"])
def test_other_published_networks_are_not_mistaken(golden) -> None:
    assert recognise_encoder({key: tuple(shape) for key, shape in checkpoint_keys()[golden]["keys"]}) is None


def test_heads_are_of_64_channels_as_published() -> None:
    """Heads leave no trace in names and shapes, so they are checked here: 12 x 64 and 8 x 64."""
    clip = released_clip()
    assert clip.image.config.width / clip.image.config.heads == clip.text.config.width / clip.text.config.heads == 64


def write_halves(folder, suffix) -> ClipNetwork:
    torch.manual_seed(3)
    net = ClipNetwork(SMALL.image.config, SMALL.text.config)
    write_merges(folder)
    for half in ("image", "text"):
        state = getattr(net, f"{half}_encoder").state_dict()
        file = folder / f"clip_{half}_enc{suffix}"
        torch.save(state, file) if suffix == ".pt" else save_file(state, file)
    return net


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_both_files_make_the_model(tmp_path, suffix) -> None:
    net = write_halves(tmp_path, suffix).eval()
    files = tmp_path / f"clip_image_enc{suffix}", tmp_path / f"clip_text_enc{suffix}"
    clip = load_released_clip(*files, clip=SMALL)
    assert (clip.image_size, clip.logit_scale, clip.schedule.name) == (64, 100.0, "squaredcos_cap_v2")
    x, t = torch.randn(2, 3, 64, 64), torch.tensor([0, 999])
    with torch.no_grad():
        torch.testing.assert_close(clip.encode_image(x, t), net.embed_images(x, t))
        ids, used = clip.tokenizer.encode("the red cat", 77)
        expected = net.embed_texts(torch.tensor([ids]), torch.tensor([sum(used)]))
    torch.testing.assert_close(clip.encode_text(["the red cat"]), expected)
    half = load_released_clip(*files, clip=SMALL, dtype=torch.float16)
    assert half.nbytes == SMALL.image.nbytes(torch.float16) + SMALL.text.nbytes(torch.float16)


def test_the_wrong_half_is_named(tmp_path) -> None:
    write_halves(tmp_path, ".pt")
    image, text = tmp_path / "clip_image_enc.pt", tmp_path / "clip_text_enc.pt"
    with pytest.raises(WrongWeights, match=r"clip_text_enc\.pt is not GLIDE .* CLIP, pictures: .*w_t is missing"):
        load_released_clip(text, image, clip=SMALL)
    with pytest.raises(WrongWeights, match="is not GLIDE"):
        load_released_clip(image, text)  # the small ones are not the published ones


def test_a_missing_or_short_vocabulary_is_told(tmp_path) -> None:
    write_halves(tmp_path, ".safetensors")
    files = tmp_path / "clip_image_enc.safetensors", tmp_path / "clip_text_enc.safetensors"
    write_merges(tmp_path, MERGES[:-1])
    with pytest.raises(WeightsError, match="521 tokens, not CLIP's 522"):
        load_released_clip(*files, clip=SMALL)
    (tmp_path / "bpe_simple_vocab_16e6.txt.gz").unlink()
    with pytest.raises(TokenizerMissing, match="needs CLIP's vocabulary"):
        load_released_clip(*files, clip=SMALL)


def test_a_damaged_file_is_told(tmp_path) -> None:
    write_halves(tmp_path, ".pt")
    image = tmp_path / "clip_image_enc.pt"
    image.write_bytes(image.read_bytes()[:5000])
    with pytest.raises(CorruptWeights, match=r"clip_image_enc\.pt is damaged"):
        load_released_clip(image, tmp_path / "clip_text_enc.pt", clip=SMALL)
