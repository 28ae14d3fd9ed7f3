"""A document in a real window: painted on, drawn into, extended, saved, killed with -9, and all there afterwards."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
from pytestqt.qtbot import QtBot

from studio.host.documents import read_document
from tests.e2e.helpers import LONG, close, quiet, said
from tests.e2e.studios import digest_of_document


def test_a_killed_window_gives_the_document_back(
    studios: Any, data_dir: Path, open_studio: Any, qtbot: QtBot
) -> None:
    from studio_plugins.inpaint.opening import example

    life = studios.live("change_a_document", data_dir)
    saved, changed = (life.until(word).split()[1] for word in ("saved", "changed"))
    os.kill(life.pid, signal.SIGKILL)
    assert life.end() == -signal.SIGKILL and saved != changed
    file = data_dir / "work.glassbox"
    assert len(read_document(file).layers) == 2, "the saved file is whole"

    studio = open_studio()
    qtbot.waitUntil(lambda: studio.window.panels.panel("inpaint") is not None, timeout=LONG)
    panel = studio.window.panels.panel("inpaint")
    qtbot.waitUntil(lambda: not panel.document.is_empty, timeout=LONG)
    assert digest_of_document(panel) == changed
    said(qtbot, studio.window.panels.frame("inpaint").bar, "work", "not saved")
    assert panel.filing.unsaved and panel.filing.path == file and panel.bar.name.text() == "● work"
    document, (version,) = panel.document, panel.versions.all
    assert (document.width, document.height) == (136, 128) and version.applied

    # Outside what was pasted not a bit of the photo is another.
    photo, after = example(), document.flattened()[:, 8:]
    pasted = document.layers[1].pixels[:, 8:, 3] > 0
    assert pasted.any() and (after[~pasted][:, :3] == photo[~pasted][:, :3]).all()
    assert (after[pasted][:, :3] != photo[pasted][:, :3]).any()

    # Saved now, and closed: nothing is offered any more, and the file has everything.
    panel.outlet.save()
    qtbot.waitUntil(lambda: not panel.filing.unsaved, timeout=LONG)
    kept = read_document(file)
    assert kept.mask is not None and (kept.mask == document.mask).all() and len(kept.versions) == 1
    assert np.array_equal(kept.layers[1].pixels, document.layers[1].pixels)
    quiet(qtbot, studio)
    assert list((data_dir / "recovery").iterdir()) == []
    close(studio)
    again = open_studio()
    qtbot.waitUntil(lambda: again.window.panels.panel("inpaint") is not None, timeout=LONG)
    last = again.window.panels.panel("inpaint")
    qtbot.waitUntil(lambda: not last.document.is_empty, timeout=LONG)
    assert digest_of_document(last) == changed and not last.filing.unsaved
