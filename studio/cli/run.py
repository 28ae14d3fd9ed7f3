"""`glassbox run`: make a result again from a request, with the engine but without a window."""

from __future__ import annotations

import argparse
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.cli.bar import Bar
from studio.cli.errors import CommandError

if TYPE_CHECKING:
    from studio.engine import Task
    from studio.host.request import Request
    from studio.host.results import ResultRecord, ResultsStore

POLL = 0.05
LARGEST_REQUEST = 4 * 2**20


@dataclass(frozen=True)
class Order:
    """What a file asks for: the fields of a request of `kind`, which another tool named when `foreign`."""

    kind: str
    fields: dict[str, Any]
    foreign: bool = False


def read_source(path: Path) -> Order:
    """What a request file, or a picture that carries a request, asks for. Raises CommandError."""
    from studio.host.request import RequestError, split_kind

    if not path.is_file():
        raise CommandError(f"there is no file {path}")
    try:
        if path.suffix.lower() != ".json":
            return read_picture(path)
        if path.stat().st_size > LARGEST_REQUEST:
            raise CommandError(f"{path} is larger than any request; is it another file?")
        kind, fields = split_kind(path.read_bytes())
    except (RequestError, UnicodeDecodeError) as error:
        raise CommandError(f"{path}: {error}") from error
    except OSError as error:
        raise CommandError(f"{path} cannot be read ({error.strerror}).") from error
    if not kind:
        raise CommandError(f'{path} does not say what to run. Add "kind", for example: {{"kind": "generate", "prompt": "a cat"}}')
    return Order(kind, fields)


def read_picture(path: Path) -> Order:
    """What a picture made by this studio or another tool asks for. Raises CommandError."""
    from studio.host.imagemeta import ImageMetadataError, read_metadata

    try:
        found = read_metadata(path)
    except ImageMetadataError as error:
        raise CommandError(f"{path}: {error}") from error
    if found.source is None:
        raise CommandError(f"{path} carries no settings; only pictures saved by this studio, A1111, InvokeAI or ComfyUI do")
    for note in found.unmapped:
        not_taken(note)
    if found.request is not None:
        return Order(found.kind, found.request)
    return Order("generate", found.mapped, foreign=True)


def not_taken(what: str) -> None:
    print(f"not taken over: {what}", file=sys.stderr)


def build_request(request_class: type[Request], order: Order) -> Request:
    """The request that `order` asks for; of another tool's settings, those that fit. Raises RequestError."""
    from studio.host.request import RequestError

    if not order.foreign:
        return request_class.from_json(order.fields)
    # The network of another tool is not here under the same name.
    fitting = {name: value for name, value in order.fields.items() if name in request_class.model_fields and name != "model"}
    try:
        request_class.checked(**fitting)
    except RequestError as error:
        fitting = {name: value for name, value in fitting.items() if name not in error.fields}
    for name in order.fields.keys() - fitting.keys():
        not_taken(f"{name}: {order.fields[name]}")
    return request_class.checked(**fitting)


def watch(task: Task, bar: Bar) -> Any:
    """Follow a task to its end and return its result; Ctrl-C cancels it. Raises CommandError when it fails."""
    from studio.engine import Cancelled, Done, Failed, Log

    try:
        while True:
            ended = task.wait(POLL)
            for event in task.mailbox.drain():
                if isinstance(event, Log):
                    bar.clear()
                    print(event.text, file=sys.stderr)
                elif isinstance(event, Done):
                    return event.result
                elif isinstance(event, Failed):
                    raise CommandError(event.error.message)
                elif isinstance(event, Cancelled):
                    raise CommandError(f"cancelled: {event.reason}")
            if task.progress is not None:
                bar.draw(task.progress.done, task.progress.total, task.progress.text, task.eta())
            if ended and task.mailbox.empty:
                return task.result
    except KeyboardInterrupt:
        task.cancel()
        task.wait(5.0)
        raise
    finally:
        bar.clear()


def recording(root: Path) -> tuple[ResultsStore, list[ResultRecord]]:
    """A results store, and the list of what is added to it in this process (another window may be adding too)."""
    from studio.host.results import ResultsStore

    made: list[ResultRecord] = []

    class RecordingStore(ResultsStore):
        def add(self, *arguments: Any, **options: Any) -> ResultRecord:
            record = super().add(*arguments, **options)
            made.append(record)
            return record

    return RecordingStore(root), made


def copy_out(made: list[ResultRecord], out: Path) -> list[Path]:
    """Copy the files of the results: to the file `out` when it names one (`cat.png`), else into the folder `out`.

    Raises CommandError when no file, or more than one, fits a file name, and when the target cannot be written.
    """
    files = [path for record in made for path in record.files.values()]
    try:
        if out.suffix and not out.is_dir():
            fitting = [path for path in files if path.suffix.lower() == out.suffix.lower()]
            if len(fitting) != 1:
                raise CommandError(f"{len(fitting)} of the {len(files)} files made are {out.suffix} files; give a folder instead of {out}")
            out.parent.mkdir(parents=True, exist_ok=True)
            return [Path(shutil.copyfile(fitting[0], out))]
        copies = []
        for record in made:
            folder = out / record.id if len(made) > 1 else out
            folder.mkdir(parents=True, exist_ok=True)
            copies += [Path(shutil.copyfile(path, folder / path.name)) for path in record.files.values()]
        return copies
    except OSError as error:
        raise CommandError(f"{out} cannot be written ({error.strerror}). The result itself is kept: {made[0].folder}") from error


def main(options: argparse.Namespace) -> int:
    from studio.engine import Engine
    from studio.host.atomic import FileUnwritable
    from studio.host.discovery import PluginError, discover, load_job
    from studio.host.paths import DataPaths
    from studio.host.request import RequestError
    from studio.host.settings import SettingsStore

    order = read_source(options.source)
    try:
        paths = DataPaths.default(options.data_dir).ensure().publish()
    except FileUnwritable as error:
        raise CommandError(str(error)) from error
    settings = SettingsStore(paths.settings)
    chosen = settings.load()
    plugins = discover(paths.plugins, enabled=chosen.panels.user_plugins_enabled)
    try:
        request_class, job = load_job(order.kind, plugins)
        request = build_request(request_class, order)
    except (PluginError, RequestError) as error:
        raise CommandError(str(error)) from error

    store, made = recording(paths.results)
    # The same preparation as in the window, thread count included, so that a replay computes the same bits.
    heavy = any(found.manifest and order.kind in found.manifest.jobs and "torch" in found.manifest.requires for found in plugins)
    engine = Engine(
        device=options.device or chosen.engine.device, preload=("torch",) if heavy else (), threads=chosen.engine.threads or None,
        services={"results": store, "settings": settings, "paths": paths},
    )  # fmt: skip
    try:
        if not store.writable:
            raise CommandError(store.problem)
        engine.start()
        watch(engine.submit(job, request, title=order.kind, owner="command line"), Bar(sys.stderr, not options.quiet))
    finally:
        engine.close()
        store.close()
    copies = copy_out(made, options.out) if options.out is not None and made else []
    for path in copies or [path for record in made for path in record.files.values()]:
        print(path)
    return 0
