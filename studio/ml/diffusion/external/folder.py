"""What a diffusers folder holds, found without reading a weight: its family, size, precision and what is wrong with it.

`model_index.json` names the pipeline's class and, for every component, the library and class it is made with; each
component that is saved has a sub-folder of its name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from studio.ml.diffusion.external.errors import ExternalError, PickleRefused
from studio.ml.diffusion.external.headers import Header, read_header, together

INDEX = "model_index.json"
CONFIGS = ("config.json", "scheduler_config.json", "preprocessor_config.json", "tokenizer_config.json")
PICKLES = (".bin", ".ckpt", ".pt", ".pth")
NOT_LOADED = ("safety_checker", "feature_extractor", "image_encoder", "watermarker")
"""Components that drawing does without: what judges or marks pictures afterwards, and what reads picture prompts."""
UNFINISHED = (".incomplete", ".part", ".crdownload")
WITHOUT_WEIGHTS = ("scheduler", "tokenizer", "feature_extractor", "processor")


@dataclass(frozen=True)
class Component:
    """A part of the pipeline: the class it is made with, and its weights' header, None for a part without weights."""

    name: str
    library: str
    class_name: str
    header: Header | None = None


@dataclass(frozen=True)
class Folder:
    """A complete diffusers folder.

    variant: infix of the weights' names that must be asked for ("fp16"), "" for the plain ones.
    """

    path: Path
    class_name: str
    components: tuple[Component, ...]
    variant: str = ""

    @cached_property
    def weights(self) -> Header:
        """Of all components together; names of tensors that two components share count once."""
        return together(part.header for part in self.components if part.header)

    @property
    def nbytes(self) -> int:
        """Of the weights on the disk."""
        return self.weights.nbytes

    @property
    def precision(self) -> str:
        """In which most numbers are stored: "float16"."""
        return self.weights.precision

    @property
    def has(self) -> frozenset[str]:
        return frozenset(part.name for part in self.components)

    def config(self, component: str) -> Mapping[str, Any]:
        """The settings of a component; empty where it has none."""
        file = self.path / component / "config.json"
        return _json(file) if file.is_file() else {}


def is_pipeline(place: Path) -> bool:
    """Whether a folder claims to be a diffusers pipeline."""
    return (place / INDEX).is_file()


def read_folder(place: Path) -> Folder:
    """Look through a folder.

    Raises ExternalError where something is missing, damaged, or asks to run code of its own; PickleRefused where the
    weights are pickles.
    """
    return _read(place, weights=True)


def read_settings(place: Path) -> Folder:
    """As `read_folder`, for a folder of which only the small files count: components come without headers."""
    return _read(place, weights=False)


def _read(place: Path, *, weights: bool) -> Folder:
    if not place.is_dir():
        raise ExternalError(f"There is no folder {place}.")
    if not is_pipeline(place):
        raise ExternalError(f"{place} has no {INDEX}: it is no diffusers pipeline, or its download has not finished.")
    index = _json(place / INDEX)
    class_name = index.get("_class_name")
    if isinstance(class_name, list):
        raise _own_code(place, str(class_name[0]))
    if not isinstance(class_name, str):
        raise ExternalError(f"{place / INDEX} does not say which pipeline this is. Get the folder again.")
    named = [(name, entry) for name, entry in index.items() if _is_component(name, entry)]
    variant = _variant(place, [name for name, _ in named])
    parts = []
    for name, (library, kind) in named:
        _check_component(place, name, library, kind)
        weighed = weights and not name.startswith(WITHOUT_WEIGHTS)
        header = together(map(read_header, weight_files(place / name, variant))) if weighed else None
        parts.append(Component(name, library, kind, header))
    return Folder(place, class_name, tuple(parts), variant)


def _is_component(name: str, entry: Any) -> bool:
    """Whether an entry of the index names a part that is loaded; parts that were left out are [null, null]."""
    pair = isinstance(entry, list) and len(entry) == 2 and all(isinstance(part, str) for part in entry)
    return pair and not name.startswith("_") and name not in NOT_LOADED


def _check_component(place: Path, name: str, library: str, class_name: str) -> None:
    """Raise ExternalError where a part cannot be loaded for reasons other than its weights."""
    if library not in _libraries():
        raise _own_code(place, f"{name}: {library}.{class_name}")
    folder = place / name
    if not folder.is_dir():
        raise ExternalError(f"{place.name} is incomplete: its part “{name}” is missing. Fetch the folder again.")
    unfinished = next((file for end in UNFINISHED for file in folder.glob(f"*{end}")), None)
    if unfinished is not None:
        raise ExternalError(f"{place.name} is half downloaded ({name}/{unfinished.name}). Let the download finish.")
    configs = CONFIGS if name.startswith(WITHOUT_WEIGHTS) else CONFIGS[:1]
    config = next((folder / file for file in configs if (folder / file).is_file()), None)
    if config is None:
        raise ExternalError(f"{place.name} is incomplete: {name}/{configs[0]} is missing. Fetch the folder again.")
    _json(config)


def weight_files(folder: Path, variant: str = "") -> list[Path]:
    """The safetensors files of a component, all shards of it. Raises ExternalError where one is missing."""
    indices = _of_variant(folder.glob("*.safetensors.index*.json"), variant)
    if indices:
        shards = sorted(set(_json(indices[0])["weight_map"].values()))
        files = [folder / shard for shard in shards]
        missing = next((file for file in files if not file.is_file()), None)
        if missing is not None:
            raise ExternalError(f"{folder.name}/{missing.name} is missing: the download is not complete. Fetch it.")
        return files
    files = _of_variant(folder.glob("*.safetensors"), variant)
    if files:
        return files
    pickle = next((file for file in sorted(folder.iterdir()) if file.suffix.lower() in PICKLES), None)
    if pickle is not None:
        raise PickleRefused(
            f"{folder.name}/{pickle.name} is a pickle, which can run any code while it is read, and is refused. "
            "Convert it to safetensors first, which builds tensors and runs nothing else."
        )
    raise ExternalError(f"The weights of “{folder.name}” are missing: fetch the folder again.")


def _of_variant(files: Iterator[Path], variant: str) -> list[Path]:
    """Those of the variant, or the plain ones where a component has it not: `x.fp16.safetensors`, `x.safetensors`."""
    found = sorted(files)
    chosen = [file for file in found if variant and f".{variant}." in f"{file.name}."]
    return chosen or [file for file in found if not _infix(file)]


def _infix(file: Path) -> str:
    """The variant in a file's name: "fp16" of `model.fp16.safetensors` and `model.fp16-00001-of-00002.safetensors`."""
    parts = file.name.removesuffix(".json").replace(".index", "").split(".")
    return parts[1].split("-")[0] if len(parts) > 2 else ""


def _variant(place: Path, names: list[str]) -> str:
    """The variant to ask for: none where every component has plain weights."""
    for name in names:
        files = sorted((place / name).glob("*.safetensors")) if (place / name).is_dir() else []
        infixes = {_infix(file) for file in files}
        if infixes and "" not in infixes:
            return min(infixes)
    return ""


def _libraries() -> frozenset[str]:
    """Where classes may come from: the two libraries, and the pipelines of diffusers, whose folders name them.

    diffusers would import whatever module the index names.
    """
    spec = find_spec("diffusers")
    assert spec is not None and spec.submodule_search_locations
    pipelines = Path(spec.submodule_search_locations[0]) / "pipelines"
    return frozenset({"diffusers", "transformers", *(folder.name for folder in pipelines.iterdir() if folder.is_dir())})


def _own_code(place: Path, what: str) -> ExternalError:
    return ExternalError(
        f"{place.name} wants to run Python code of its own ({what}), which could do anything on this computer, and is "
        "refused. Choose a model that is made of the parts of diffusers and transformers alone."
    )


def _json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ExternalError(f"{file} cannot be read ({error.strerror or error}).") from error
    except (ValueError, RecursionError) as error:
        raise ExternalError(f"{file.parent.name}/{file.name} is damaged ({error}). Fetch it again.") from error
    if not isinstance(found, dict):
        raise ExternalError(f"{file.parent.name}/{file.name} holds no settings. Fetch it again.")
    return found
