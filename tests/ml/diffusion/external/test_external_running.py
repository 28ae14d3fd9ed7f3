"""Steps come one at a time, stop when nobody wants them, and never disturb another run of the same model."""

from __future__ import annotations

import copy
import threading
from itertools import combinations

import numpy as np
import pytest
import torch

from studio.ml.diffusion.external import model as running
from studio.ml.diffusion.external.asked import Asked
from studio.ml.diffusion.external.errors import DeviceFull, ExternalError
from studio.ml.diffusion.external.loading import load_external
from studio.ml.diffusion.external.turns import in_turns
from tests.ml.diffusion.external.tiny import FAMILIES


def asked(**changes):
    return Asked(**{"prompt": "a red cat", "seeds": (1,), "steps": 3, "width": 16, "height": 16} | changes)


def pictures(model, **changes):
    *_, last = model.sample(asked(**changes))
    return last.pictures


def workers():
    return [thread for thread in threading.enumerate() if thread.name == running.THREAD]


@pytest.fixture
def sd(opened):
    return opened("sd1")


def test_nothing_runs_before_the_first_step_and_between_steps(sd):
    evaluated = []
    handle = sd.pipeline.unet.register_forward_pre_hook(lambda *_: evaluated.append(threading.current_thread().name))
    try:
        steps = sd.sample(asked())
        assert not evaluated and not workers()
        next(steps)
        assert evaluated == [running.THREAD]
        threading.Event().wait(0.05)  # time enough for a step, had it gone on
        assert evaluated == [running.THREAD]
        steps.close()
        assert len(evaluated) == 1 and not workers()
    finally:
        handle.remove()


@pytest.mark.parametrize("seen", [1, 2, 3])
def test_closing_after_any_step_ends_the_thread_and_decodes_nothing(sd, seen, monkeypatch):
    decoded = []
    monkeypatch.setattr(sd.pipeline.vae, "decode", lambda *_, **__: decoded.append(1))
    steps = sd.sample(asked())
    sd.preview  # noqa: B018  (fitted before, it decodes too)
    for _ in range(seen):
        next(steps)
    steps.close()
    assert not workers()
    assert not decoded
    monkeypatch.undo()
    assert pictures(sd).shape == (1, 16, 16, 3), "the model is as good as before"


def test_two_runs_of_one_model_take_turns_without_a_trace(sd):
    alone = [pictures(sd, scheduler="euler_ancestral"), pictures(sd, seeds=(2,), scheduler="dpmpp_2m", steps=4)]
    requests = asked(scheduler="euler_ancestral"), asked(seeds=(2,), scheduler="dpmpp_2m", steps=4)
    runs = [sd.sample(request) for request in requests]
    found = [None, None]
    for _ in range(5):
        for i, run in enumerate(runs):
            step = next(run, None)
            if step is not None and step.pictures is not None:
                found[i] = step.pictures
    assert all(np.array_equal(a, b) for a, b in zip(found, alone, strict=True))


@pytest.mark.parametrize("family", sorted(set(FAMILIES) - {"sd1-inpaint"}))
def test_every_step_is_shown_and_the_last_prediction_is_the_picture(opened, family):
    model = opened(family)
    *steps, last = model.sample(asked(width=32, height=32))
    sides = 32 if family == "deepfloyd" else 16
    assert all(step.preview.shape == (1, sides, sides, 3) for step in steps)
    assert last.preview is None and last.index == steps[-1].index
    if family == "deepfloyd":
        assert np.abs(steps[-1].preview.astype(int) - last.pictures).max() <= 1, "pixels need no decoder"


SAME = {
    # Ancestral sampling is DDPM's, written in sigmas (Song et al. 2021, appendix B).
    "sd1": {("ddim", "default"), ("ddpm", "euler_ancestral")},
    "sd3": {("default", "flow_euler")},
    "pixart": {("default", "dpmpp_2m")},
}


@pytest.mark.parametrize("family", ["sd1", "sd3", "pixart"])
def test_each_scheduler_offered_draws_something_of_its_own(opened, family):
    model = opened(family)
    found = {name: pictures(model, scheduler=name, steps=4, width=32, height=32) for name in model.schedulers}
    assert len(found) >= 4
    assert all(picture.std() > 5 for picture in found.values())
    pairs = combinations(sorted(found), 2)
    assert {pair for pair in pairs if np.array_equal(found[pair[0]], found[pair[1]])} == SAME[family]


@pytest.mark.parametrize("name", ["ddim", "pndm", "dpmpp_2m", "unipc", "heun"])
def test_solvers_of_one_equation_meet_when_the_steps_are_many(sd, name):
    settings = {"steps": 60, "scale": 1.0}
    ours, euler = (pictures(sd, scheduler=scheduler, **settings) for scheduler in (name, "euler"))
    assert np.abs(ours.astype(int) - euler).mean() < 4


def test_steps_that_a_scheduler_evaluates_twice_are_all_seen(sd):
    assert len(list(sd.sample(asked(scheduler="heun", steps=4)))) == 2 * 4 - 1 + 1


def test_what_a_model_cannot_do_is_said_before_it_draws(opened):
    flux, hole = opened("flux"), opened("sd1-inpaint")
    picture = np.zeros((16, 16, 3), np.uint8)
    cases = [
        (flux, {"negative": "dog", "width": 32, "height": 32}, "negative prompt"),
        (flux, {"width": 30, "height": 32}, "multiples of 4 pixels.*32x32|multiples of 4 pixels.*28x32"),
        (hole, {}, "filling a masked part"),
        (flux, {"scheduler": "ddim"}, "flow_euler"),
        (flux, {"seeds": ()}, "at least one seed"),
        (flux, {"seeds": (-1,)}, "seed -1"),
        (flux, {"steps": 0}, "at least one"),
        (flux, {"strength": 0.0}, "strength"),
        (flux, {"image": picture, "mask": np.zeros((16, 16), np.uint8)}, "mask is empty"),
        (flux, {"image": picture, "mask": np.ones((8, 16), np.uint8)}, "must be equal"),
        (flux, {"mask": np.ones((8, 16), np.uint8)}, "open a picture"),
        (flux, {"image": picture[..., 0]}, "3 colours"),
    ]
    for model, changes, words in cases:
        with pytest.raises(ExternalError, match=words):
            model.sample(asked(**changes))


def test_a_size_that_does_not_fit_comes_with_one_that_does(opened):
    with pytest.raises(ExternalError) as found:
        opened("flux").sample(asked(width=31, height=2))
    assert found.value.offers[0].changes == {"width": 32, "height": 4}


def test_running_out_of_memory_says_what_would_help(sd, monkeypatch):
    def full(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    monkeypatch.setattr(sd.pipeline.unet, "forward", full)
    with pytest.raises(DeviceFull, match="too little memory to draw 2 picture.*512x512") as found:
        list(sd.sample(asked(seeds=(1, 2), steps=1, width=512, height=512)))
    changes = [dict(offer.changes) for offer in found.value.offers]
    assert changes == [
        {"dtype": "float16"}, {"tiling": True}, {"offload": "model"}, {"offload": "sequential"}, {"seeds": (1,)},
        {"width": 384, "height": 384},
    ]  # fmt: skip
    assert isinstance(found.value, MemoryError), "so that whoever manages memory knows it"
    assert found.value.__cause__ is None and found.value.__context__ is None, "which would hold what filled the memory"
    assert not workers()


def test_what_the_pipeline_raises_arrives_where_the_steps_are_taken(sd, monkeypatch):
    def broken(*_, **__):
        raise KeyError("deep inside")

    monkeypatch.setattr(sd.pipeline.unet, "forward", broken)
    with pytest.raises(KeyError, match="deep inside"):
        next(sd.sample(asked()))
    assert not workers()


@pytest.mark.parametrize("offload", ["model", "sequential"])
def test_off_loading_changes_no_picture(pipelines, sd, offload):
    model = load_external(pipelines("sd1"), offload=offload)
    picture = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    for changes in ({}, {"image": picture, "strength": 0.7}):
        assert np.array_equal(pictures(model, **changes), pictures(sd, **changes))
    steps = model.sample(asked())
    next(steps)
    steps.close()
    assert np.array_equal(pictures(model), pictures(sd)), "also after a run that was stopped"


def test_tiles_change_no_picture_that_fits_into_one(pipelines, sd):
    model = load_external(pipelines("sd1"), tiling=True)
    assert model.pipeline.vae.use_tiling and model.pipeline.vae.use_slicing
    assert np.array_equal(pictures(model, seeds=(1, 2)), pictures(sd, seeds=(1, 2)))


def test_half_precision_draws_nearly_the_same(pipelines, sd):
    model = load_external(pipelines("sd1"), dtype=torch.bfloat16)
    assert model.nbytes * 2 == pytest.approx(sd.nbytes, rel=0.01) and model.precision == "float32"
    # The noise itself is drawn in the precision of the network, so that only its shape is compared.
    assert pictures(model).shape == pictures(sd).shape


def test_turns_end_with_the_call_and_hand_over_its_error():
    def call(hand_over):
        hand_over(1)
        hand_over(2)
        raise ValueError("over")

    values = []
    with pytest.raises(ValueError, match="over"):
        for value in in_turns(call, "test-turns"):
            values.append(value)
    assert values == [1, 2]
    assert list(in_turns(lambda hand_over: hand_over(3), "test-turns")) == [3]
    assert not [thread for thread in threading.enumerate() if thread.name == "test-turns"]


def test_a_pipeline_of_pipelines_gets_schedulers_of_its_own_that_its_parts_share(sd):
    outer, inner = copy.copy(sd.pipeline), copy.copy(sd.pipeline)
    vars(outer)["decoder_pipe"] = inner
    own = running.with_own_schedulers(outer, {})
    assert own.scheduler is own.decoder_pipe.scheduler is not outer.scheduler
    assert own.unet is own.decoder_pipe.unet is outer.unet
    assert outer.decoder_pipe is inner and inner.scheduler is sd.pipeline.scheduler
