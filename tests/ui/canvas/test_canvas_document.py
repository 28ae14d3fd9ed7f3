"""The document: every action undone and made again to the bit, in bounded memory, and given as a value."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QRect

from studio.host.documents.content import DocumentContent, LayerContent
from studio.ui.canvas.brush import Brush, Point
from studio.ui.canvas.compositing import as_rgba, flatten
from studio.ui.canvas.document import CanvasDocument, Target
from studio.ui.canvas.ink import ColourInk, Erase, MaskInk, over

RNG = np.random.default_rng(0)


def paint(document: CanvasDocument, target: Target = Target.MASK, path=((40, 40), (260, 160)), diameter: float = 30.0) -> None:
    ink = MaskInk() if target is Target.MASK else ColourInk(200, 30, 40)
    stroke = document.begin_stroke(target, ink, Brush(diameter, 0.5, 0.8), "Paint")
    for x, y in path:
        stroke.to(Point(x, y))
    stroke.finish()


def everything(document: CanvasDocument) -> tuple:
    layers = [(layer.name, layer.pixels.tobytes(), layer.visible, layer.opacity) for layer in document.layers]
    return document.width, document.height, layers, document.mask.tobytes(), document.hints.tobytes()


ACTIONS = {
    "mask": lambda d: paint(d),
    "hints": lambda d: paint(d, Target.HINTS),
    "erase": lambda d: d.cover(Target.HINTS, 10, 10, np.full((90, 90), 180, np.uint8), Erase(), "Erase"),
    "shape": lambda d: d.cover(Target.MASK, -20, 150, np.full((90, 90), 200, np.uint8), MaskInk(), "Shape"),
    "invert": lambda d: d.edit_mask(lambda mask: 255 - mask),
    "clear mask": lambda d: d.clear_mask(),
    "clear hints": lambda d: d.clear_hints(),
    "picture": lambda d: d.set_picture(np.full((90, 130), 77, np.uint8)),
    "layer": lambda d: d.add_layer("new", np.full((d.height, d.width, 4), 99, np.uint8)),
    "remove": lambda d: d.remove_layer(0) if d.layers else None,
    "move": lambda d: d.move_layer(0, len(d.layers) - 1) if d.layers else None,
    "hide": lambda d: d.change_layer(0, visible=False, opacity=0.3, name="ghost") if d.layers else None,
    "extend": lambda d: d.extend(8, 0, 16, 24),
}


@pytest.mark.parametrize("name", ACTIONS)
def test_every_action_is_undone_and_made_again(document: CanvasDocument, name: str) -> None:
    paint(document)
    paint(document, Target.HINTS, ((100, 30), (20, 150)))
    document.add_layer("second", RNG.integers(0, 256, (200, 300, 4), dtype=np.uint8))
    before, steps = everything(document), document.undo.count()
    ACTIONS[name](document)
    after = everything(document)
    assert after != before and document.undo.count() == steps + 1 and document.undo.undoText()
    document.undo.undo()
    assert everything(document) == before
    document.undo.redo()
    assert everything(document) == after


@given(st.lists(st.sampled_from([*ACTIONS, "undo", "redo", "pack"]), max_size=12))
def test_any_order_of_actions_goes_back_to_the_beginning(qapp, names: list[str]) -> None:
    document = CanvasDocument()
    document.set_picture(RNG.integers(0, 256, (140, 150, 3), dtype=np.uint8))
    document.undo.clear()
    first = everything(document)
    for name in names:
        {"undo": document.undo.undo, "redo": document.undo.redo, "pack": document.undo.pack_all}.get(name, lambda name=name: ACTIONS[name](document))()
    last, done = everything(document), document.undo.index()
    document.undo.setIndex(0)
    assert everything(document) == first
    document.undo.setIndex(done)
    assert everything(document) == last
    document.undo.pack_all()


def test_undo_forgets_the_oldest_steps_at_the_limit_and_never_the_newest(qapp) -> None:
    document = CanvasDocument(undo_bytes=300_000)
    document.set_picture(np.zeros((400, 400, 3), np.uint8))
    states = []
    for _ in range(12):
        document.set_mask(RNG.integers(0, 256, (400, 400), dtype=np.uint8))
        states.append(document.mask.copy())
        assert document.undo.nbytes <= 300_000
    assert 1 <= document.undo.count() < 12 and not document.undo.canRedo()
    for state in reversed(states[-1 - document.undo.count() : -1]):
        document.undo.undo()
        assert np.array_equal(document.mask, state)
    assert not document.undo.canUndo()
    small = CanvasDocument(undo_bytes=10)
    small.set_picture(np.zeros((400, 400, 3), np.uint8))
    small.set_mask(states[0])
    assert small.undo.count() == 1  # larger than the limit, and the only way back
    small.undo.undo()
    assert not small.mask.any()


def test_forgetting_tells_nobody_that_nothing_can_be_undone(qapp) -> None:
    document = CanvasDocument(undo_bytes=300_000)
    document.set_picture(np.zeros((400, 400, 3), np.uint8))
    possible: list[bool] = []
    clean: list[bool] = []
    document.undo.indexChanged.connect(lambda _index: possible.append(document.undo.canUndo()))
    document.undo.indexChanged.connect(lambda _index: clean.append(document.undo.isClean()))
    for _ in range(6):
        document.set_mask(RNG.integers(0, 256, (400, 400), dtype=np.uint8))
    assert len(possible) == 6 and all(possible) and not any(clean) and document.undo.count() < 7
    document.undo.setIndex(0)
    assert not document.undo.isClean()  # the picture as it was opened cannot be reached any more


def test_what_was_saved_is_marked_no_more_once_another_step_takes_its_place(qapp) -> None:
    document = CanvasDocument()
    document.set_picture(np.zeros((40, 40, 3), np.uint8))
    for _ in range(2):
        document.set_mask(RNG.integers(0, 256, (40, 40), dtype=np.uint8))
    document.undo.setClean()
    document.undo.undo()
    assert not document.undo.isClean() and document.undo.canRedo()
    document.set_mask(RNG.integers(0, 256, (40, 40), dtype=np.uint8))
    steps = document.undo.count()
    assert document.undo.index() == steps and not document.undo.canRedo()
    for index in range(steps + 1):
        document.undo.setIndex(index)
        assert not document.undo.isClean()


def test_what_was_saved_stays_marked_while_older_steps_are_forgotten(qapp) -> None:
    document = CanvasDocument(undo_bytes=400_000)
    document.set_picture(np.zeros((400, 400, 3), np.uint8))
    for _ in range(3):
        document.set_mask(RNG.integers(0, 256, (400, 400), dtype=np.uint8))
    saved = document.mask.copy()
    document.undo.setClean()
    document.set_mask(RNG.integers(0, 256, (400, 400), dtype=np.uint8))
    assert document.undo.count() < 5 and not document.undo.isClean()
    document.undo.undo()
    assert document.undo.isClean() and np.array_equal(document.mask, saved)


def test_two_hundred_strokes_stay_small(document: CanvasDocument) -> None:
    for _ in range(200):
        paint(document, path=RNG.uniform(0, 300, (4, 2)))
    document.undo.pack_all()
    assert document.undo.nbytes < 200 * document.mask.nbytes / 10
    document.undo.setIndex(0)
    assert not document.mask.any()


def test_what_is_shown_cannot_be_written(document: CanvasDocument) -> None:
    for array in (document.mask, document.hints, document.layers[0].pixels):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 1


def test_changes_are_told_where_they_are(document: CanvasDocument) -> None:
    told: list[tuple[Target, QRect]] = []
    changed: list[QRect] = []
    document.painted.connect(lambda target, rect: told.append((target, rect)))
    document.changed.connect(changed.append)
    paint(document, path=((150, 100),), diameter=20)
    ((target, rect),) = told
    assert changed == [rect] and target is Target.MASK and rect.contains(QRect(140, 90, 20, 20)) and rect.width() < 30
    told_sizes = []
    document.moved.connect(lambda left, top: told_sizes.append((left, top)))
    document.resized.connect(lambda: told_sizes.append((document.width, document.height)))
    document.extend(5, 6, 7, 8)
    document.undo.undo()
    assert told_sizes == [(5, 6), (312, 214), (-5, -6), (300, 200)]


def test_extending_makes_room_that_is_transparent_and_selected(document: CanvasDocument) -> None:
    paint(document)
    paint(document, Target.HINTS)
    picture, mask, hints = document.layers[0].pixels, document.mask.copy(), document.hints.copy()
    document.extend(10, 20, 30, 40)
    inside = (slice(20, 220), slice(10, 310))
    assert (document.width, document.height) == (340, 260)
    assert np.array_equal(document.layers[0].pixels[inside], picture) and np.array_equal(document.mask[inside], mask)
    assert np.array_equal(document.hints[inside], hints)
    outside = np.ones((260, 340), bool)
    outside[inside] = False
    assert (document.mask[outside] == 255).all() and not document.layers[0].pixels[outside].any() and not document.hints[outside].any()
    document.extend(0, 0, 0, 0)
    assert document.undo.count() == 3


def test_layers_are_seen_from_above(document: CanvasDocument) -> None:
    assert np.array_equal(document.flattened(), document.layers[0].pixels[..., :3])
    glass = RNG.integers(0, 256, (200, 300, 4), dtype=np.uint8)
    document.add_layer("glass", glass)
    alpha = np.rint(glass[..., 3] * np.float32(0.5)).astype(np.uint8)
    document.change_layer(1, opacity=0.5)
    assert np.array_equal(document.flattened(), over(document.layers[0].pixels, glass[..., :3], alpha)[..., :3])
    document.change_layer(0, visible=False)
    assert document.flattened().shape == (200, 300, 4)
    assert not flatten([], 3, 2).any() and flatten([], 3, 2).shape == (2, 3, 4)


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 3), (4, 5, 4)])
def test_pictures_of_any_kind_become_rgba(shape: tuple[int, ...]) -> None:
    picture = RNG.integers(0, 256, shape, dtype=np.uint8)
    rgba = as_rgba(picture[:, ::-1])
    colour = picture[..., None].repeat(3, axis=2) if picture.ndim == 2 else picture[..., :3]
    assert np.array_equal(rgba[..., :3], colour[:, ::-1]) and not rgba.flags.writeable
    assert (rgba[..., 3] == (picture[:, ::-1, 3] if shape[-1] == 4 and len(shape) == 3 else 255)).all()
    assert as_rgba(rgba) is rgba


def test_content_is_a_value_and_comes_back(document: CanvasDocument) -> None:
    empty = document.content()
    assert empty.mask is None and empty.hints is None and len(empty.layers) == 1
    paint(document)
    paint(document, Target.HINTS)
    document.add_layer("second", np.full((200, 300, 4), 50, np.uint8))
    document.change_layer(1, visible=False, opacity=0.25)
    kept = document.content()
    seen = everything(document)
    assert document.content().mask is kept.mask and not kept.mask.flags.writeable
    paint(document, path=((10, 190),))
    assert document.content().mask is not kept.mask and document.content().hints is kept.hints
    assert kept.mask.tobytes() == seen[3]
    other = CanvasDocument()
    other.restore(kept)
    assert everything(other) == seen and other.content() == kept and not other.undo.canUndo()
    paint(other)
    other.undo.undo()
    assert everything(other) == seen


def test_nothing_painted_after_an_undo_is_nothing_in_the_content(document: CanvasDocument) -> None:
    paint(document)
    document.undo.undo()
    assert document.content().mask is None


@pytest.mark.parametrize("call", [
    lambda d: d.set_picture(np.zeros((4, 4))), lambda d: d.set_picture(np.zeros((4, 4, 2), np.uint8)),
    lambda d: d.set_picture(np.zeros((0, 4, 3), np.uint8)), lambda d: d.add_layer("x", np.zeros((4, 4, 4), np.uint8)),
    lambda d: d.set_mask(np.zeros((200, 300))), lambda d: d.set_mask(np.zeros((300, 200), np.uint8)),
    lambda d: d.set_hints(np.zeros((200, 300), np.uint8)), lambda d: d.extend(-1, 0, 0, 0), lambda d: d.extend(0, 0, 40_000, 0),
    lambda d: d.change_layer(0, opacity=2.0), lambda d: d.change_layer(0, opacity=float("nan")),
])  # fmt: skip
def test_what_does_not_fit_is_refused_and_changes_nothing(document: CanvasDocument, call) -> None:
    before = everything(document)
    with pytest.raises(ValueError, match=r"uint8|pixels|opacity"):
        call(document)
    assert everything(document) == before and document.undo.count() == 0


def test_an_empty_document_takes_what_comes(qapp) -> None:
    document = CanvasDocument()
    document.clear_mask()
    document.clear_hints()
    document.cover(Target.MASK, 0, 0, np.full((5, 5), 255, np.uint8), MaskInk(), "Shape")
    assert document.is_empty and document.undo.count() == 0
    document.set_picture(np.zeros((1, 1, 3), np.uint8))
    paint(document, path=((0.5, 0.5),))
    assert document.mask.shape == (1, 1) and document.mask[0, 0] > 200
    assert document.content() == DocumentContent(1, 1, (LayerContent("Picture", document.layers[0].pixels),), mask=document.mask)
