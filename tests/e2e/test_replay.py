"""What a newcomer does on the command line: make again a picture that the window made, and ask for the version."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from studio.host.imagemeta import read_metadata
from studio.host.imagemeta.pixels import load_rgb
from tests.e2e.helpers import close, draw, generate_panel


def glassbox(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "studio", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)


@pytest.mark.parametrize("sampler", ["dpmpp_2m", "ddpm"])
def test_run_makes_a_picture_of_the_window_again_bit_for_bit(
    open_studio: Any, qtbot: QtBot, models: Path, data_dir: Path, tmp_path: Path, sampler: str
) -> None:
    own = shutil.copytree(models / "emoji-base", data_dir / "panels" / "generate" / "models" / "mine")
    studio = open_studio()
    panel = draw(qtbot, studio, model=str(own), prompt="a cat left of a dog", steps=5, seed=11, batch=2, sampler=sampler)
    pictures = panel.stage.pictures().copy()
    shutil.copyfile(panel.shown.file_of(1), tmp_path / "picture.png")
    device = studio.services.engine.device_info().kind
    assert generate_panel(studio).controls.form.value().model == str(own)
    close(studio)
    out = tmp_path / "out"
    run = glassbox("run", tmp_path / "picture.png", "--data-dir", tmp_path / "data", "--device", device, "--out", out)
    assert run.returncode == 0, run.stderr
    for i, name in enumerate(("picture-01.png", "picture-02.png")):
        assert (load_rgb(out / name) == pictures[i]).all()
        assert str(out / name) in run.stdout
    again, before = read_metadata(out / "picture-02.png"), read_metadata(tmp_path / "picture.png")
    assert again.request == before.request and again.provenance["model_sha256"] == before.provenance["model_sha256"]
    assert np.ptp(pictures) > 0


def test_the_version_imports_neither_torch_nor_qt() -> None:
    run = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "studio", "--version"], capture_output=True, text=True, timeout=60, check=True
    )
    assert run.stdout.startswith("Glassbox Studio ")
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in run.stderr.splitlines()}
    assert "studio" in imported and imported.isdisjoint({"torch", "PySide6", "shiboken6", "numpy", "pydantic"})
