"""Opening a model folder to look at its attention: local files, safetensors, no code but that of transformers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from studio.ml.attention.errors import AttentionError, BrokenWeights, NotAModelFolder
from studio.ml.attention.folder import Folder, look
from studio.ml.attention.listening import REGISTERED, register
from studio.ml.attention.public import PublicModel
from studio.ml.attention.subject import Subject

FOUND_WRONG = (OSError, ValueError, KeyError, TypeError, RuntimeError, AttributeError, ImportError)
"""What transformers raises for settings and weights that do not belong together."""


def open_folder(place: Path, *, device: str = "cpu", dtype: torch.dtype = torch.float32) -> Subject:
    """A transformers folder, or one of the studio's own models. Not cut into steps: reading weights takes what it
    takes.

    Raises NotAModelFolder, Incomplete, RemoteCodeRefused, PicklesRefused, Quantised, BrokenWeights.
    """
    from studio.ml.attention.own import is_own, open_own

    return open_own(place, device=device) if is_own(place) else open_public(look(place), device=device, dtype=dtype)


def open_public(folder: Folder, *, device: str = "cpu", dtype: torch.dtype = torch.float32) -> PublicModel:
    """As `open_folder`, for a folder that has been looked at."""
    register()
    try:
        model, report = _model(folder, dtype)
        tokenizer = _tokenizer(folder) if folder.takes & {"text", "captions", "target"} else None
        processor = _processor(folder) if folder.takes & {"picture", "sound"} else None
    except FOUND_WRONG as error:
        if isinstance(error, AttentionError):
            raise
        said = str(error).strip().splitlines()
        raise NotAModelFolder(
            f"{folder.title} cannot be opened: {said[0] if said else type(error).__name__} "
            "Its settings and weights may not belong together; get the folder again."
        ) from error
    _require_weights(folder, model, report)
    model.to(device).eval().requires_grad_(False)
    # A model that computes attention in a way of its own says so in the log and stays as it is.
    with _quiet():
        if type(model)._can_set_attn_implementation():
            model.set_attn_implementation(REGISTERED)
    return PublicModel(folder, model, tokenizer, processor)


def _model(folder: Folder, dtype: torch.dtype) -> tuple[Any, dict[str, Any]]:
    import transformers

    kind: Any = getattr(transformers, folder.architecture, None) if folder.architecture else transformers.AutoModel
    if kind is None:
        raise NotAModelFolder(
            f"{folder.title} is a {folder.architecture}, which the installed transformers {transformers.__version__} "
            "does not have. A newer version of the studio may."
        )
    with _quiet():
        model, report = kind.from_pretrained(
            folder.path, dtype=dtype, local_files_only=True, use_safetensors=True, trust_remote_code=False,
            output_loading_info=True,
        )  # fmt: skip
    return model, report


def _tokenizer(folder: Folder) -> Any:
    from transformers import AutoTokenizer

    made: Any = AutoTokenizer
    with _quiet():
        return made.from_pretrained(folder.path, local_files_only=True, trust_remote_code=False)


def _processor(folder: Folder) -> Any:
    if "sound" in folder.takes:
        from transformers import AutoFeatureExtractor

        hears: Any = AutoFeatureExtractor
        return hears.from_pretrained(folder.path, local_files_only=True, trust_remote_code=False)
    from transformers import AutoImageProcessor

    sees: Any = AutoImageProcessor
    with _quiet():
        return sees.from_pretrained(folder.path, local_files_only=True, backend="pil", trust_remote_code=False)


def _require_weights(folder: Folder, model: nn.Module, report: dict[str, Any]) -> None:
    """Raise BrokenWeights for tensors that are missing, of another shape, or not finite."""
    missing = sorted(str(name) for name in report.get("missing_keys", ()))
    odd = sorted(str(entry[0]) for entry in report.get("mismatched_keys", ()))
    if missing or odd:
        named = ", ".join((missing + odd)[:3])
        raise BrokenWeights(
            f"{len(missing) + len(odd)} tensors of {folder.title} are missing or of another shape ({named} …), and "
            "would be random numbers. Get the folder again, or one whose architecture has no such part.",
            tuple(missing + odd),
        )  # fmt: skip
    wrong = tuple(name for name, weight in model.named_parameters() if not bool(torch.isfinite(weight).all()))
    if wrong:
        raise BrokenWeights(
            f"{len(wrong)} tensors of {folder.title} hold NaN or infinite numbers (first {wrong[0]}), so every map "
            "would be empty. Get the weights again, or those from before training diverged.", wrong,
        )  # fmt: skip


@contextmanager
def _quiet() -> Iterator[None]:
    """transformers says in its log and with bars what is told here in words."""
    from transformers.utils import logging

    log: Any = logging
    level, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(level)
        if bars:
            log.enable_progress_bar()
