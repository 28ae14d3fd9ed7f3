"""The published files at their full size: names and shapes as released, on the meta device."""

from __future__ import annotations

import pytest

from studio.ml.importing.published import Published, closest, identify, published
from tests.ml.diffusion.goldens import checkpoint_keys

GOLDEN = {
    "glide_base": "glide-base", "glide_upsample": "glide-upsample", "glide_base_inpaint": "glide-base-inpaint",
    "glide_upsample_inpaint": "glide-upsample-inpaint", "glide_clip_image_enc": "glide-clip-image",
    "glide_clip_text_enc": "glide-clip-text", "adm_64x64_diffusion": "adm-64", "adm_128x128_diffusion": "adm-128",
    "adm_256x256_diffusion": "adm-256", "adm_64x64_classifier": "adm-64-classifier",
    "adm_128x128_classifier": "adm-128-classifier", "adm_256x256_classifier": "adm-256-classifier",
}  # fmt: skip


@pytest.fixture(scope="module")
def full() -> list[Published]:
    """The published networks at their full size, on the meta device."""
    return published()


@pytest.mark.parametrize(("golden", "name"), GOLDEN.items())
def test_every_published_file_is_recognised_at_full_size(full: list[Published], golden: str, name: str) -> None:
    shapes = {key: tuple(shape) for key, shape in checkpoint_keys()[golden]["keys"]}
    network = identify(dict(sorted(shapes.items())), full)
    assert network.name == name
    assert network.parameters == checkpoint_keys()[golden]["parameters"]
    assert not closest(shapes, full).differences
    del shapes[next(iter(shapes))]
    assert closest(shapes, full).network.name == name and len(closest(shapes, full).differences) == 1
