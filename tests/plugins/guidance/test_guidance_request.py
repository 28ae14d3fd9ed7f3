"""Requests: what is refused in words, how forks relate, how columns are called."""

from __future__ import annotations

from dataclasses import replace

import pytest

from studio.host.request import RequestError
from studio_plugins.guidance.companions import Companions
from studio_plugins.guidance.request import Column, Guidance, GuidanceRequest, Segment, shared_steps
from studio_plugins.guidance.titles import guidance_title, titles_of, when
from tests.plugins.guidance.conftest import tiny_request

FREE = Guidance(free=True)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"columns": ()}, "one to 6 columns"),
        ({"columns": (Column(),) * 7}, "one to 6 columns"),
        ({"steps": 250, "batch": 8}, "too many to keep"),
        ({"columns": (Column(guidance=FREE, earlier=(Segment(until=19, guidance=FREE),)),)}, "after the last step"),
        ({"weights": ("x",)}, "SHA-256 is 64 digits"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_words(fields, says):
    with pytest.raises(RequestError, match=says):
        GuidanceRequest.checked(**fields)


def test_requests_survive_json():
    request = GuidanceRequest(columns=(Column(guidance=FREE).fork(3), Column(name="mine")))
    assert GuidanceRequest.from_json(request.to_json()) == request


def test_forks_share_steps_whichever_stands_first():
    parent = Column(guidance=FREE)
    child = parent.fork(4).model_copy(update={"guidance": Guidance(clip=True)})
    grandchild = child.fork(7).model_copy(update={"guidance": Guidance(classifier=True)})
    turned = [c.guidance_at(4) == FREE != c.guidance_at(5) for c in (parent, child, grandchild)]
    assert turned == [False, True, True]
    assert parent.same_steps(child, 20) == 5 and child.same_steps(grandchild, 20) == 8
    assert parent.same_steps(grandchild, 20) == 5
    assert shared_steps((child, parent, grandchild), 2, 20) == (0, 8)
    assert shared_steps((parent, Column(guidance=Guidance(clip=True))), 1, 20) is None
    assert grandchild.fork(2) == parent.fork(2), "a fork before a fork is one of the parent"


def test_noise_is_the_same_only_when_all_else_is():
    request = GuidanceRequest()
    assert request.same_noise(request.replace(columns=(Column(),), probes=False))
    assert not request.same_noise(request.replace(seed=1))
    made = request.replace(weights=("a" * 64, "b" * 64, ""))
    assert request.same_noise(made) and made.same_noise(request.replace(weights=("a" * 64, "", "c" * 64)))
    assert not made.same_noise(request.replace(weights=("a" * 64, "d" * 64, "")))


def test_titles_say_what_guides():
    assert guidance_title(Guidance()) == "No guidance"
    assert guidance_title(Guidance(prompted=False)) == "Unconditional"
    assert guidance_title(Guidance(prompted=False, classifier=True)) == "∅ + Classifier 4"
    assert titles_of((Column(), Column(), Column(name="mine"))) == ["No guidance (1)", "No guidance (2)", "mine"]
    assert when(Guidance(free=True, course="ramp", start=0.2, stop=0.7)) == "rising from 20% to 70%"
    assert when(Guidance(course="ramp")) == ""


def test_the_script_opens_a_released_checkpoint_as_the_studio_does(tmp_path):
    from studio_plugins.guidance.script import script

    (tmp_path / "base.pt").write_bytes(b"")
    text = script(GuidanceRequest(model=str(tmp_path / "base.pt")))
    assert "load_released(Path(" in text and "load_text2im" not in text
    compile(text, "script", "exec")


def test_companions_say_why_a_column_cannot_be_drawn(bundled, tmp_path):
    from studio.models.catalog import find_models
    from tests.plugins.tiny_models import write_tiny_clip

    write_tiny_clip(tmp_path / "models" / "large-clip", size=32)
    companions = Companions(tmp_path)
    companions.look()
    (model,) = find_models()[0]
    request = tiny_request()

    def missing(guidance, **changes):
        return companions.missing(guidance, request.replace(**changes), model)

    assert missing(Guidance(clip=True, classifier=True, free=True)) == ""
    assert "no CLIP “gone”" in missing(Guidance(clip_x0=True), clip_model="gone")
    assert "32×32" in missing(Guidance(clip=True), clip_model=str(tmp_path / "models" / "large-clip"))
    assert "names no class" in missing(Guidance(classifier=True), prompt="blue")
    assert missing(Guidance(classifier=True, classifier_class="dog"), prompt="blue") == ""
    assert companions.automatic_class(request) == "cat"
    blind = replace(model, kind="unconditional")
    assert "only a model of text" in companions.missing(Guidance(free=True), request, blind)
    assert companions.missing(Guidance(clip=True), request, blind) == ""
