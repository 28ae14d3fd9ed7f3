"""The weight files of a folder: which there are, whether all of them are whole, what numbers they hold."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.ml.diffusion.safetensors_header import HeaderUnreadable, read_header

PICKLES = (".ckpt", ".pt", ".pth", ".bin")
_NAMES = ("diffusion_pytorch_model", "model")
_PICKLED = ("diffusion_pytorch_model", "pytorch_model")
_MAX_JSON = 64 << 20


@dataclass(frozen=True)
class Weights:
    """What numbers there are (`formats`: number format -> how many), what is missing or broken, in words.

    refused: why none of them is opened, though they are here.
    """

    formats: dict[str, int] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    refused: str = ""

    @property
    def count(self) -> int:
        """All numbers."""
        return sum(self.formats.values())


def weights_in(folder: Path, label: str = "") -> Weights:
    """The weights a diffusers component or a transformers model has in its folder; `label` goes before names of files.

    Raises nothing but OSError.
    """
    for variant in ("", ".fp16"):
        for name in _NAMES:
            index = _indexed(folder, name, variant)
            if index is not None:
                return of_files([folder / file for file in index], label)
            single = folder / f"{name}{variant}.safetensors"
            if present(single):
                return of_files([single], label)
    pickled = next((file for name in _PICKLED for file in sorted(folder.glob(f"{name}*.bin"))), None)
    if pickled is not None:
        return Weights(refused=pickle_words(pickled.name))
    return Weights(missing=(f"{label}{_NAMES[0] if label else _NAMES[1]}.safetensors",))


def of_files(files: Iterable[Path], label: str = "") -> Weights:
    """The numbers of some safetensors files that belong together; `label` goes before their names."""
    formats: dict[str, int] = {}
    missing: list[str] = []
    for file in files:
        try:
            header = read_header(file)
        except FileNotFoundError:
            missing.append(f"{label}{file.name}")
            continue
        except HeaderUnreadable as error:
            missing.append(f"a whole {label}{file.name} ({error})")
            continue
        if header.cut_off:
            missing.append(f"the end of {label}{file.name} ({header.found:,} of {header.nbytes:,} bytes are here)")
        for name, count in header.formats.items():
            formats[name] = formats.get(name, 0) + count
    return Weights(formats, tuple(missing))


def pickle_words(name: str) -> str:
    """Why a pickled file is not opened, and what to do."""
    return (
        f"“{name}” is a pickle: to open it is to run whatever it asks for. Get the .safetensors file of the same model, "
        "or convert this one safely: that builds its tensors, runs nothing, and refuses a file that asks for more."
    )


def present(path: Path) -> bool:
    """Whether something is meant to be there: a file, or a link whose target is gone."""
    return path.is_file() or path.is_symlink()


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object. Raises FileNotFoundError, OSError, and ValueError for anything else than an object."""
    with path.open("rb") as file:
        raw = file.read(_MAX_JSON + 1)
    try:
        found = json.loads(raw) if len(raw) <= _MAX_JSON else None
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(found, dict):
        raise ValueError("it is no JSON object")
    return found


def settings_in(path: Path) -> dict[str, Any]:
    """A configuration; empty where there is none that can be read."""
    try:
        return read_json(path)
    except (OSError, ValueError):
        return {}


def whole_number(settings: dict[str, Any], key: str) -> int:
    """A positive whole number of a configuration; 0 where it is none."""
    value = settings.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _indexed(folder: Path, name: str, variant: str) -> list[str] | None:
    """The shards a folder's index names, without those that point out of the folder; None where there is no index."""
    for file in (f"{name}.safetensors.index{variant}.json", f"{name}{variant}.safetensors.index.json"):
        if present(folder / file):
            table = settings_in(folder / file).get("weight_map")
            shards = sorted(set(map(str, table.values()))) if isinstance(table, dict) else []
            return [Path(shard).name for shard in shards] or [f"{name}{variant}.safetensors"]
    return None
