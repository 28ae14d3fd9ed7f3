"""“Copy as Python”: the script runs and makes the same pictures bit for bit."""

from __future__ import annotations

import runpy

import numpy as np
import pytest
from PIL import Image
from studio_plugins.inpaint.inputs import InpaintInputs
from studio_plugins.inpaint.request import InpaintRequest
from studio_plugins.inpaint.script import script

from tests.plugins.inpaint.conftest import INPAINT
from tests.plugins.tiny_models import TINY, UPSAMPLER

BASE = InpaintRequest(prompt="a cat", model=INPAINT, steps=3, seed=5, batch=2, colour_match="shift")
MUCH = {"mode": "refine", "model": TINY, "method": "replace_x_t", "upsample": UPSAMPLER, "negative_prompt": "a dog"}


@pytest.mark.parametrize("changes", [{}, MUCH, {"mode": "extend"}], ids=["replace", "refine and enlarge", "extend"])
def test_the_script_makes_the_same_pictures(run, store, photo, tmp_path, monkeypatch, changes, inpaint_models):
    named = {"model": INPAINT, **changes}
    places = {name: str(inpaint_models / named[name]) for name in ("model", "upsample") if name in named}
    hints = np.zeros((40, 50, 4), np.uint8)
    hints[20:24, 30:36] = 255, 0, 0, 255
    picture = np.dstack([photo[0], np.full((40, 50), 255, np.uint8)])
    picture[:, 45:] = 0
    result, _ = run(BASE.replace(**{**changes, **places}), inputs=InpaintInputs(picture, photo[1], hints))
    text = script(result.request, result.provenance, store.get(result.record_id).files)
    (tmp_path / "again.py").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    runpy.run_path("again.py")
    for i in range(2):
        made = np.asarray(Image.open(tmp_path / "pictures" / f"{5 + i}.png"))
        assert (made == result.picture(i, picture)).all()


def test_a_script_refuses_other_weights(run, store, tmp_path, monkeypatch, inpaint_models):
    result, _ = run(BASE.replace(model=str(inpaint_models / INPAINT)))
    text = script(result.request.replace(model_sha256="0" * 64), files=store.get(result.record_id).files)
    (tmp_path / "again.py").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AssertionError, match="other weights"):
        runpy.run_path("again.py")


@pytest.mark.parametrize("prompt", ['"""', "\\", "'''\nimport os", "{steps}", ""])
def test_no_prompt_breaks_out_of_the_script(prompt):
    compile(script(BASE.replace(prompt=prompt, picture="a'b.png", hints="{x}", mode="refine")), "script", "exec")


def test_a_released_checkpoint_is_opened_as_one(tmp_path):
    file = tmp_path / "base_inpaint.pt"
    file.write_bytes(b"")
    assert "load_released" in script(BASE.replace(model=str(file)))
