"""What a document may hold, and when two of them are the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from studio.host.documents.content import MAX_SIDE, DocumentContent, LayerContent, VersionContent


def layer(width: int = 3, height: int = 2, value: int = 7) -> LayerContent:
    return LayerContent("Photo", np.full((height, width, 4), value, np.uint8))


def whole() -> DocumentContent:
    version = VersionContent("v1", {"prompt": "a cat", "seed": 3}, np.zeros((5, 4, 4), np.uint8), kept=True)
    return DocumentContent(
        3, 2, (layer(),), np.zeros((2, 3, 4), np.uint8), np.zeros((2, 3), np.uint8), (version,), {"mode": "refine"}, {"zoom": 2}
    )  # fmt: skip


def test_equal_means_equal_to_the_bit_and_not_the_same_objects():
    one = whole()
    assert one == whole() and one != "a document"
    for other in (
        replace(one, layers=(layer(value=8),)), replace(one, layers=()), replace(one, mask=None), replace(one, hints=None),
        replace(one, mask=np.ones((2, 3), np.uint8)), replace(one, view={}), replace(one, request=None),
        replace(one, layers=(replace(layer(), opacity=0.5),)), replace(one, layers=(replace(layer(), visible=False),)),
        replace(one, versions=(replace(one.versions[0], applied=True),)),
        replace(one, versions=(replace(one.versions[0], pixels=None),)),
        replace(one, versions=(replace(one.versions[0], request={"prompt": "a dog"}),)),
    ):  # fmt: skip
        assert one != other


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"width": 4}, r"the layer “Photo” is uint8 of shape \(2, 3, 4\), not uint8 of shape \(2, 4, 4\)"),
        ({"mask": np.zeros((3, 2), np.uint8)}, "the mask is"),
        ({"mask": np.zeros((2, 3), bool)}, "the mask is bool"),
        ({"hints": np.zeros((2, 3, 3), np.uint8)}, "the layer of hints is"),
        ({"versions": whole().versions * 2}, "same id"),
        ({"layers": (layer(),) * 257}, "at most 256 layers"),
        ({"width": 0}, "0 × 2 pixels is not possible"),
        ({"width": MAX_SIDE, "height": 1, "layers": ()}, "not possible"),
        ({"width": 12_000, "height": 12_000, "layers": ()}, "12,000 × 12,000 pixels is not possible.* 67 million"),
    ],
)
def test_what_cannot_be_a_document_is_refused_with_the_numbers(change, words):
    with pytest.raises(ValueError, match=words):
        replace(whole(), **change)


@pytest.mark.parametrize("opacity", [-0.1, 1.1, float("nan")])
def test_an_opacity_lies_between_none_and_full(opacity):
    with pytest.raises(ValueError, match="opacity"):
        LayerContent("x", np.zeros((1, 1, 4), np.uint8), opacity=opacity)


def test_layers_and_versions_are_colour_pictures_of_bytes():
    for pixels in (np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2, 4), np.float32), np.zeros((0, 2, 4), np.uint8)):
        with pytest.raises(ValueError):
            LayerContent("x", pixels)
        with pytest.raises(ValueError):
            VersionContent("v", {}, pixels)
    for name in ("", "x" * 201):
        with pytest.raises(ValueError):
            VersionContent(name, {}, None)
    with pytest.raises(ValueError):
        LayerContent("x" * 201, np.zeros((1, 1, 4), np.uint8))
