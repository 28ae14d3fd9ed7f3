"""Which models there are: folders with a config.json that says of which kind they are, and released checkpoints.

Reads no weights.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.host.paths import DataPaths
from studio.models.library.holding import Holding
from studio.models.library.surveying import remembered
from studio.resources import resource

DRAWS = ("text2im", "class-conditional", "unconditional")
TEXT_ONLY = ("causal", "encoder-decoder")
KINDS = (*DRAWS, "upsample", "inpaint", "upsample-inpaint", "clip", "classifier", "vision", *TEXT_ONLY)
"""Kinds of models of the studio's own; those in DRAWS make a picture from a prompt, a class or nothing, those in
TEXT_ONLY know no pictures."""
EXTERNAL, TRANSFORMERS = "external", "transformers"
"""Kinds of the library: pipelines (diffusers folders and checkpoints in one file), and transformers folders."""
_MAX_CONFIG = 4 << 20
_WEIGHTS = "model*.safetensors"
CHECKPOINTS = (".pt", ".safetensors")
"""How the files of released checkpoints end."""


class ModelMissing(ValueError):
    """No model of this name; the message says which there are and where to put one."""


class ModelUnreadable(ValueError):
    """A model folder whose config.json or weights cannot be used; the message says what to do about it."""


@dataclass(frozen=True)
class ModelInfo:
    """A model on this machine, as its config.json describes it.

    id: what a request names it by (the folder's name for bundled models, the whole path for others). size: pixels of
    a side, 0 for a model without pictures. words: what it was taught, empty when it does not say. length: how many words of a prompt or text it reads.
    prompted: whether it takes a prompt at all. classes: what a classifier tells apart, and what a class-conditional
    model draws: there a prompt is one of them. A released checkpoint has its file (or folder of shards) as `folder`.
    family, abilities: of the library's models only ("sdxl"; "text2im", "image2image", "inpaint", or "causal", …).
    """

    id: str
    title: str
    folder: Path
    size: int
    words: tuple[str, ...] = ()
    phrases: Mapping[str, str] = field(default_factory=dict)
    length: int = 0
    prompted: bool = True
    kind: str = "text2im"
    classes: tuple[str, ...] = ()
    family: str = ""
    abilities: tuple[str, ...] = ()


def bundled_folder() -> Path:
    """The folder of the bundled models. Raises FileNotFoundError when the installation lacks it."""
    return resource("models")


def imported_folder() -> Path:
    """Where imported models are, a folder each: in the data folder in use."""
    return DataPaths.default().models


def find_models(
    extra: Iterable[Path] = (), *, kinds: Collection[str] | None = DRAWS
) -> tuple[list[ModelInfo], list[str]]:
    """Bundled models of these kinds (None: all of the studio's own), imported ones, those in the `extra` folders, then
    those of the library that are whole and can be opened, as its last survey found them: no disk is searched here.

    Besides, a sentence for each folder that cannot be used.
    """
    models: list[ModelInfo] = []
    problems: list[str] = []
    for parent, bundled in [*_bundled_parents(), *((folder, False) for folder in (imported_folder(), *extra))]:
        for folder in _folders(parent):
            try:
                info = read_info(folder, bundled=bundled)
            except ModelUnreadable as error:
                problems.append(str(error))
            else:
                if info is not None and (kinds is None or info.kind in kinds):
                    models.append(info)
    known, wanted = {info.folder for info in models}, KINDS if kinds is None else kinds
    models += [info for info in _in_library() if info.folder not in known and info.kind in wanted]
    return models, problems


def locate(model: str) -> Path:
    """Where a model named in a request is: a bundled name, the path of a model folder or of a released checkpoint.

    Raises ModelMissing.
    """
    if not any(mark in model for mark in "/\\"):
        for parent, _ in _bundled_parents():
            if (parent / model / "config.json").is_file():
                return parent / model
    elif is_model(Path(model)):
        return Path(model)
    names = ", ".join(f"“{info.id}”" for info in find_models()[0]) or "none"
    text = f"There is no model “{model}” here (bundled: {names}). Choose another model, or put it back."
    raise ModelMissing(text)


def is_checkpoint(place: Path) -> bool:
    """Whether a place is that of a released checkpoint: a file by its ending, or a folder of shards without config."""
    if os.path.isfile(place / "config.json"):
        return False
    return any(place.glob("*.safetensors")) if os.path.isdir(place) else place.suffix.lower() in CHECKPOINTS


def is_model(place: Path) -> bool:
    """Whether a model folder or a released checkpoint is there."""
    return os.path.isfile(place / "config.json") or (is_checkpoint(place) and os.path.exists(place))


def chosen_place(path: Path) -> Path:
    """The model a person means by a file or folder, as an absolute path: a part of a model folder means the folder."""
    path = path.absolute()
    part = path.name == "config.json" or path.match(_WEIGHTS)
    return path.parent if part and os.path.isfile(path.parent / "config.json") else path


def read_info(folder: Path, *, bundled: bool) -> ModelInfo | None:
    """What a model folder says of itself; None when it is of no kind in KINDS. Raises ModelUnreadable."""
    config = _read_config(folder)
    kind = config.get("kind")
    if kind not in KINDS:
        return None
    try:
        return ModelInfo(
            id=folder.name if bundled else str(folder),
            title=str(config.get("title") or config.get("name") or folder.name),
            folder=folder,
            size=0 if kind in TEXT_ONLY else _size(config),
            words=tuple(str(word) for word in _table(config, "tokenizer").get("words", ())),
            phrases={str(k): str(v) for k, v in dict(_table(config, "tokenizer").get("phrases", {})).items()},
            length=int(_table(config, "network").get("length" if kind in TEXT_ONLY else "text_ctx", 0)),
            prompted=kind not in ("classifier", "unconditional", "vision", *TEXT_ONLY),
            kind=kind,
            classes=tuple(str(name) for name in config.get("classes", ())),
        )
    except (TypeError, ValueError) as error:
        raise ModelUnreadable(f"The model in “{folder}” has a config.json that cannot be used: {error}.") from error


def info_of(holding: Holding) -> ModelInfo:
    """A public checkpoint or transformers folder of the library."""
    draws = holding.kind in ("pipeline", "checkpoint")
    return ModelInfo(
        id=str(holding.place),
        title=holding.title,
        folder=holding.place,
        size=holding.size,
        prompted=draws,
        kind=EXTERNAL if draws else TRANSFORMERS,
        family=holding.family,
        abilities=holding.abilities,
    )


def weight_files(folder: Path) -> list[Path]:
    """The files that hold the weights, in order. Raises ModelUnreadable when there are none."""
    if is_checkpoint(folder):
        return sorted(folder.glob("*.safetensors")) if os.path.isdir(folder) else [folder]
    found = sorted(folder.glob(_WEIGHTS))
    if not found:
        raise ModelUnreadable(
            f"The weights of the model in “{folder}” are missing. Put model.safetensors back or choose another model."
        )
    return found


def _in_library() -> Iterator[ModelInfo]:
    """The models of the library, of whatever kind."""
    for holding in remembered():
        if holding.usable and holding.kind == "own":
            try:
                info = read_info(holding.place, bundled=False)
            except ModelUnreadable:
                continue  # the Models panel says so
            if info is not None:
                yield info
        elif holding.usable and holding.kind in ("pipeline", "checkpoint", "transformers"):
            yield info_of(holding)


def _bundled_parents() -> list[tuple[Path, bool]]:
    try:
        return [(bundled_folder(), True)]
    except FileNotFoundError:
        return []


def _folders(parent: Path) -> list[Path]:
    try:
        inside = sorted(path for path in parent.iterdir() if not path.name.startswith("."))
        return [path for path in inside if (path / "config.json").is_file()]
    except OSError:
        return []


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_CONFIG + 1)
        if len(raw) > _MAX_CONFIG:
            raise ValueError("it is far too large")
        config = json.loads(raw)
    except (OSError, ValueError, RecursionError) as error:
        text = f"The model in “{folder}” cannot be used: its config.json is not readable ({error})."
        raise ModelUnreadable(text) from error
    if not isinstance(config, dict):
        raise ModelUnreadable(f"The model in “{folder}” cannot be used: its config.json is not a JSON object.")
    return config


def _table(config: dict[str, Any], key: str) -> Mapping[str, Any]:
    table = config.get(key)
    return table if isinstance(table, dict) else {}


def _size(config: dict[str, Any]) -> int:
    size = config.get("image_size")
    if not isinstance(size, int) or not 8 <= size <= 1024:
        raise ValueError(f"image_size is {size!r}; a number of pixels from 8 to 1024 is needed")
    return size
