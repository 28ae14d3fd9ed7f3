"""Run as a program: forks studios that live as `glassbox` does, so that a test can kill them or watch them leave.

One process imports everything and forks, since a start of Python with torch costs more than a life of theirs. Each line
on stdin, `PLAN <tab> DATA <tab> MODELS <tab> OUT <tab> ERR`, makes one studio, whose process id is answered; OUT is a
pipe to which it tells what happens. `bury <tab> PID` waits for its end and answers the exit status.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

SYSTEM_CALLS = ("open", "write", "fsync", "rename", "replace", "mkdir", "unlink")


def tell(*words: object) -> None:
    """One line to the test, at once."""
    os_write(1, (" ".join(map(str, words)) + "\n").encode())


os_write = os.write  # as it was before `tell_of_disk_work`


def tell_of_disk_work(data: Path) -> None:
    """Tell of every system call that changes the data folder, right before it."""

    def telling(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(target: Any, *arguments: Any, **options: Any) -> Any:
            if isinstance(target, int) or str(target).startswith(str(data)):
                tell("disk", name)
            return real(target, *arguments, **options)

        return call

    for name in SYSTEM_CALLS:
        setattr(os, name, telling(name, getattr(os, name)))


def draw_without_end(studio: Any) -> None:
    """One picture after another; tells of each step, each disk access, each result that is said to be kept."""
    from PySide6.QtCore import QTimer

    from studio_plugins.generate import drawing

    panel = studio.window.panels.panel("generate")
    tell("open", *studio.window.panels.open_ids())
    tell("listed", studio.services.results.count())
    tell("bar", studio.window.bar.text() if studio.window.bar.isVisible() else "")
    tell("notes", *(note.text for note in studio.notifications.items()))
    real = drawing.step_data

    def step_data(*arguments: Any, **options: Any) -> Any:
        tell("step")
        return real(*arguments, **options)

    drawing.step_data = step_data
    tell_of_disk_work(studio.paths.root)
    told: set[str] = set()

    def look() -> None:
        result = panel.shown.result
        if result is not None and result.record_id and result.record_id not in told:
            told.add(result.record_id)
            tell("kept", result.record_id)
        if studio.services.engine.wait_idle(0):
            panel.controls.form.set_fields({"steps": 3, "seed": len(told)})
            panel.generate()

    timer = QTimer(studio)
    timer.timeout.connect(look)
    timer.start(5)


def draw_for_long(studio: Any, then: Callable[[], None]) -> None:
    """Begin a run of many steps and call `then` in the midst of it."""
    from PySide6.QtCore import QTimer

    panel = studio.window.panels.panel("generate")
    panel.controls.form.set_fields({"steps": 1000})
    panel.generate()
    timer = QTimer(studio)

    def look() -> None:
        if len(panel.stage.steps) >= 2:
            timer.stop()
            then()

    timer.timeout.connect(look)
    timer.start(5)


def change_a_document(studio: Any) -> None:
    """Open the example in the Inpaint panel, draw into it, apply, extend, undo, save, and go on; tells of each."""
    from PySide6.QtCore import QTimer

    studio.window.panels.open("inpaint")
    story, waits_for = _story_of_a_document(studio), list[Callable[[], bool]]()
    timer = QTimer(studio)

    def go_on() -> None:
        if not waits_for or waits_for[0]():
            waits_for[:] = [next(story)]

    timer.timeout.connect(go_on)
    timer.start(5)


def _story_of_a_document(studio: Any) -> Iterator[Callable[[], bool]]:
    """Yields what each part of it waits for."""
    yield lambda: studio.window.panels.panel("inpaint") is not None
    panel = studio.window.panels.panel("inpaint")
    panel.intake.example()
    yield lambda: not panel.document.is_empty
    fields = {"model": "emoji-base", "method": "replace_x0", "steps": 2, "whole": False, "prompt": "a dog"}
    panel.controls.form.set_fields(fields)
    brush_over(panel, (80, 50), (105, 75))
    panel.zones.primary.click()
    yield lambda: bool(panel.versions.all)
    panel.strip.apply_button.click()
    panel.document.extend(8, 0, 0, 0)
    panel.document.extend(0, 16, 0, 0)
    panel.canvas.view.undo()
    panel.filing.save(studio.paths.root / "work.glassbox")
    yield lambda: not panel.filing.unsaved
    tell("saved", digest_of_document(panel))
    brush_over(panel, (20, 20), (40, 30))
    yield lambda: panel.filing.unsaved and panel.filing.is_kept
    tell("changed", digest_of_document(panel))
    yield lambda: False


def save_often() -> None:
    """Where runs train: a checkpoint is written after every other."""
    from studio_plugins.rl import training

    training.SAVE_EVERY = training.SAVE_SHARE = 0.0


def train_agents(studio: Any) -> None:
    """Train two agents slowly in the Agents panel; tells of their steps once they were saved often enough."""
    from PySide6.QtCore import QTimer

    studio.window.panels.open("rl")
    begun: list[bool] = []
    timer = QTimer(studio)

    def look() -> None:
        panel = studio.window.panels.panel("rl")
        if panel is None or panel.controls.described is None:
            return
        if not begun:
            begun.append(True)
            panel.controls.set_shared(seeds=2, steps=60_000)
            panel.stage.play.set_rate(600)
            panel.press()
        if len(panel.desk.views) == len(panel.desk.seats) == 2:
            studio.services.engine.services["annex"].call(save_often)
            files = [seat.folder / "current.json" for seat in panel.desk.seats]
            if all(file.exists() for file in files):
                tell("trained", *(panel.desk.views[index].steps for index in (0, 1)))

    timer.timeout.connect(look)
    timer.start(20)


def brush_over(panel: Any, *places: tuple[int, int]) -> None:
    """A stroke of the mouse along places of the picture."""
    from PySide6.QtCore import QPointF, Qt
    from PySide6.QtTest import QTest

    view, left = panel.canvas.view, Qt.MouseButton.LeftButton
    points = [view.viewport.to_widget(QPointF(*place)).toPoint() for place in places]
    QTest.mousePress(view, left, Qt.KeyboardModifier.NoModifier, points[0])
    for point in points[1:]:
        QTest.mouseMove(view, point)
    QTest.mouseRelease(view, left, Qt.KeyboardModifier.NoModifier, points[-1])


def digest_of_document(panel: Any) -> str:
    """Of everything a person has made in it: layers, mask, versions, settings."""
    import hashlib

    document, digest = panel.document, hashlib.sha256()
    for layer in document.layers:
        digest.update(f"{layer.name} {layer.visible} {layer.opacity} {layer.pixels.shape}".encode() + layer.pixels.tobytes())
    digest.update(document.mask.tobytes() + document.hints.tobytes())
    for version in panel.versions.all:
        digest.update(f"{version.id} {version.place()} {version.applied}".encode() + version.patch.pixels.tobytes())
    digest.update(str(panel.controls.request()).encode())
    return digest.hexdigest()


def close_while_drawing(studio: Any) -> None:
    draw_for_long(studio, studio.window.close)


def close_with_a_queue(studio: Any) -> None:
    for _ in range(5):
        studio.window.panels.panel("generate").generate()
    draw_for_long(studio, studio.window.close)


def wait_while_drawing(studio: Any) -> None:
    draw_for_long(studio, lambda: tell("drawing"))


def stand_by(studio: Any) -> None:
    tell("ready")


def close_at_once(studio: Any) -> None:
    studio.window.close()


def studio_life(plan: str, data: str, models: str) -> int:
    """The life of one studio. Returns its exit status."""
    from studio import app
    from studio.ui import layout_state
    from studio.models import catalog

    catalog.bundled_folder = lambda: Path(models)  # type: ignore[assignment]
    layout_state._SAVE_AFTER_MS = 0  # the session is saved after every change

    class Watched(app.Studio):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self.ready.connect(lambda: globals()[plan](self))

        def show(self) -> None:
            if plan == "signalled_before_the_loop":
                os.kill(os.getpid(), 15)
            super().show()

    app.Studio = Watched  # type: ignore[misc]
    status = app.main(data_dir=Path(data))
    tell("threads", *(thread.name for thread in threading.enumerate() if thread is not threading.main_thread()))
    return status


def signalled_before_the_loop(studio: Any) -> None:
    tell("not closed")


def main() -> None:
    import torch  # noqa: F401

    import studio.app
    import studio.ml.diffusion.glide
    import studio_plugins.generate.jobs
    import studio_plugins.generate.panel  # noqa: F401

    print("ready", flush=True)
    for line in sys.stdin:
        plan, *arguments = line.rstrip("\n").split("\t")
        if plan == "bury":
            print(os.waitstatus_to_exitcode(os.waitpid(int(arguments[0]), 0)[1]), flush=True)
            continue
        child = os.fork()
        if child == 0:
            data, models, out, err = arguments
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(os.open(err, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), 2)
            os.dup2(os.open(out, os.O_WRONLY), 1)
            sys.exit(studio_life(plan, data, models))
        print(child, flush=True)


if __name__ == "__main__":
    main()
