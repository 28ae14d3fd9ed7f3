"""Opening a public checkpoint from the disk. The network is never asked, no code of the folder's own is run."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn

from studio.ml.diffusion.external.errors import ExternalError
from studio.ml.diffusion.external.family import family_of
from studio.ml.diffusion.external.folder import NOT_LOADED, Folder, read_folder, weight_files
from studio.ml.diffusion.external.memory import Offload, is_out_of_memory, out_of_memory
from studio.ml.diffusion.external.model import ExternalModel
from studio.ml.diffusion.external.single_file import SingleFile, find_settings, is_single_file, read_single_file

FOUND_WRONG = (OSError, ValueError, KeyError, TypeError, RuntimeError, AttributeError, ImportError, SafetensorError)
"""What diffusers and transformers raise for settings and weights that do not belong together."""

_quiet = threading.Lock()


def load_external(
    place: Path,
    *,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
    offload: Offload = "none",
    tiling: bool = False,
    settings: Path | None = None,
) -> ExternalModel:
    """Open a diffusers folder, or a single safetensors file with the settings of its family from another folder.

    offload: which parts wait in main memory while they are not used. tiling: code pictures in tiles and one after the
    other, which bounds the memory for large ones. settings: for a single file, the diffusers folder of its family whose
    small files are used; looked for beside it when not given.
    Raises ExternalError, PickleRefused, DeviceFull.
    """
    single = read_single_file(place, settings or find_settings(place)) if is_single_file(place) else None
    folder = single.settings if single else read_folder(place)
    pipeline = None
    try:
        with without_bars():
            pipeline = _from_file(single, dtype) if single else _from_folder(folder, dtype)
        if single is None:
            _require_whole(folder, pipeline)
        _place(pipeline, device, offload, tiling)
    except ExternalError:
        raise
    except FOUND_WRONG as error:
        if is_out_of_memory(error):
            told = str(dtype).removeprefix("torch.")
            raise out_of_memory(place.name, None, (0, 0), dtype=told, offload=offload, tiling=tiling) from error
        raise ExternalError(f"{place.name} cannot be opened: {_first_line(error)} {_ADVICE}") from error
    precision = single.header.precision if single else folder.precision
    name = place.stem if single else place.name
    return ExternalModel(name, family_of(folder), pipeline, precision=precision, offload=offload, tiling=tiling)


_ADVICE = "Its settings and weights may not belong together: get the folder again from where it came."


def _from_folder(folder: Folder, dtype: torch.dtype) -> Any:
    from diffusers import DiffusionPipeline

    kind: Any = DiffusionPipeline
    return kind.from_pretrained(
        folder.path,
        dtype=dtype,
        variant=folder.variant or None,
        local_files_only=True,
        use_safetensors=True,
        trust_remote_code=False,
        **_left_out(folder),
    )


def _from_file(single: SingleFile, dtype: torch.dtype) -> Any:
    import diffusers

    folder = single.settings
    kind = getattr(diffusers, single.class_name)
    # WORKAROUND: without a folder as `config` diffusers goes to the network in spite of `local_files_only`.
    given = _left_out(folder) | {name: _borrowed(folder, name, dtype) for name in single.borrowed}
    return kind.from_single_file(
        str(single.file), config=str(folder.path), dtype=dtype, local_files_only=True, **given
    )


def _borrowed(folder: Folder, name: str, dtype: torch.dtype) -> Any:
    """A component with its weights from the folder. Raises ExternalError, PickleRefused where it has none."""
    weight_files(folder.path / name, folder.variant)
    part = next(part for part in folder.components if part.name == name)
    kind = getattr(import_module(part.library), part.class_name)
    return kind.from_pretrained(
        folder.path / name, dtype=dtype, variant=folder.variant or None, local_files_only=True, use_safetensors=True
    )


def _left_out(folder: Folder) -> dict[str, Any]:
    """Arguments that keep components from being loaded which drawing does without."""
    import diffusers

    kind = getattr(diffusers, folder.class_name, None)
    if kind is None:
        raise ExternalError(
            f"{folder.path.name} is made for “{folder.class_name}”, which the installed diffusers "
            f"{diffusers.__version__} does not have. A newer version of the studio may."
        )
    components, options = kind._get_signature_keys(kind)
    left: dict[str, Any] = {name: None for name in NOT_LOADED if name in components}
    if "requires_safety_checker" in options:
        left["requires_safety_checker"] = False
    return left


def _place(pipeline: Any, device: str | torch.device, offload: Offload, tiling: bool) -> None:
    """Bring the networks to where they compute."""
    for part in pipeline.components.values():
        if isinstance(part, nn.Module):
            part.eval().requires_grad_(False)
    vae: Any = getattr(pipeline, "vae", None)
    if tiling and hasattr(vae, "enable_tiling"):
        vae.enable_tiling()
        vae.enable_slicing()
    if offload == "model":
        pipeline.enable_model_cpu_offload(device=device)
    elif offload == "sequential" and torch.device(device).type != "cpu":  # where every layer is at home already
        pipeline.enable_sequential_cpu_offload(device=device)
    else:
        pipeline.to(device)


def _require_whole(folder: Folder, pipeline: Any) -> None:
    """Raise ExternalError where a component has more numbers than its files: the rest would be random.

    transformers fills what a file lacks with random numbers and goes on.
    """
    for part in folder.components:
        network = getattr(pipeline, part.name, None)
        if part.header is None or not isinstance(network, nn.Module):
            continue
        needed = sum(value.numel() for value in network.parameters())
        if needed > part.header.numel:
            raise ExternalError(
                f"The weights of “{part.name}” in {folder.path.name} are incomplete: {part.header.numel:,} of "
                f"{needed:,} numbers are there. Fetch the folder again."
            )


@contextmanager
def without_bars() -> Iterator[None]:
    """While inside, the libraries draw no progress bars on a standard error that a window may not have."""
    from diffusers.utils import logging as ours
    from transformers.utils import logging as theirs

    with _quiet:
        shown = [log for log in (ours, theirs) if log.is_progress_bar_enabled()]
        for log in shown:
            log.disable_progress_bar()
        try:
            yield
        finally:
            for log in shown:
                log.enable_progress_bar()


def _first_line(error: Exception) -> str:
    line = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return f"{line[:200]}{'' if line.endswith('.') else '.'}"
