from __future__ import annotations

import itertools

import pytest

from studio.ml.diffusion.released import UnknownCheckpoint, recognise, released_networks
from studio.ml.diffusion.unet import Text2ImUNet
from studio.ml.diffusion.weights import differences
from tests.ml.diffusion.goldens import checkpoint_keys

PUBLISHED = {
    "glide-base": "glide_base",
    "glide-upsample": "glide_upsample",
    "glide-base-inpaint": "glide_base_inpaint",
    "glide-upsample-inpaint": "glide_upsample_inpaint",
    "adm-64": "adm_64x64_diffusion",
    "adm-128": "adm_128x128_diffusion",
    "adm-256": "adm_256x256_diffusion",
}


def published(name: str) -> dict[str, tuple[int, ...]]:
    return {key: tuple(shape) for key, shape in checkpoint_keys()[name]["keys"]}


@pytest.mark.parametrize(("name", "golden"), PUBLISHED.items())
def test_names_shapes_and_order_are_those_of_the_published_file(name: str, golden: str) -> None:
    network = released_networks()[name]
    assert list(network.shapes().items()) == list(published(golden).items())
    net = network.build()
    assert all(parameter.is_meta for parameter in net.parameters())
    assert sum(parameter.numel() for parameter in net.parameters()) == checkpoint_keys()[golden]["parameters"]
    assert isinstance(net, Text2ImUNet) == name.startswith("glide")


@pytest.mark.parametrize(("name", "golden"), PUBLISHED.items())
def test_recognised_by_names_and_shapes(name: str, golden: str) -> None:
    shuffled = dict(sorted(published(golden).items()))
    assert recognise(shuffled).name == name


def test_every_network_is_told_from_every_other() -> None:
    shapes = {name: network.shapes() for name, network in released_networks().items()}
    for one, other in itertools.combinations(shapes, 2):
        assert differences(shapes[one], shapes[other]), f"{one} and {other} look the same"


@pytest.mark.parametrize("golden", ["adm_64x64_classifier", "glide_clip_image_enc"])
def test_other_published_networks_are_not_mistaken(golden: str) -> None:
    with pytest.raises(UnknownCheckpoint, match="none of the GLIDE or ADM networks"):
        recognise(published(golden))


def test_the_first_differences_to_the_closest_are_listed() -> None:
    shapes = published("glide_base")
    shapes["time_embed.0.weight"] = (3, 3)
    del shapes["out.2.bias"]
    shapes["extra"] = (1,)
    with pytest.raises(UnknownCheckpoint) as caught:
        recognise(shapes)
    message = str(caught.value)
    assert "GLIDE (filtered) 64x64, with 3 differences" in message
    for line in ("out.2.bias is missing", "time_embed.0.weight is 3x3, expected 768x192", "extra is not expected"):
        assert line in message


def test_an_empty_file_is_unknown() -> None:
    with pytest.raises(UnknownCheckpoint):
        recognise({})
