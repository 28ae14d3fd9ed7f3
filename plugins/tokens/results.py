"""What a run gives back, and putting it on disk: a PNG that carries its settings, and the attention."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from studio import __version__
from studio.host.imagemeta import encode_png, envelope, format_parameters
from studio.host.pictures import Pixels, thumbnail
from studio.host.results import ResultsStore, StoreUnwritable
from studio.ml.diffusion.attention_maps import View
from studio.models.fields import SAMPLERS, SCHEDULERS
from studio_plugins.tokens.request import TokensRequest
from studio_plugins.tokens.run import ATTENTION_FILE, TokenRun

PICTURE_FILE = "picture.png"
NO_STORE = "There is no results store here, so the picture was not kept."


@dataclass(frozen=True, eq=False)
class TokensResult:
    """A finished run.

    picture: uint8 [H, W, 3]. record_id: where it is kept; None when it could not be saved, then `problem` says why and
    `run` holds what would have been in the file. seconds: time spent drawing, without waiting for others.
    """

    request: TokensRequest
    picture: Pixels
    seconds: float
    provenance: Mapping[str, Any]
    run: TokenRun | None = None
    record_id: str | None = None
    problem: str = ""


def keep(result: TokensResult, store: ResultsStore | None) -> TokensResult:
    """Save a run. When that is not possible the result comes back whole, with `problem` saying why."""
    if store is None:
        return replace(result, problem=NO_STORE)
    assert result.run is not None
    *words, _padding, _picture = result.run.attention.masses(View()).tolist()
    try:
        record = store.add(
            result.request.kind,
            result.request,
            {
                PICTURE_FILE: picture_png(result.request, result.picture, result.provenance),
                ATTENTION_FILE: result.run.to_npz(),
            },
            title=result.request.prompt.strip() or "without a prompt",
            provenance=result.provenance,
            thumbnail=encode_png(thumbnail(result.picture[None])),
            metrics={"seconds": round(result.seconds, 3), "text": round(sum(words), 4)},
        )
    except StoreUnwritable as error:
        return replace(result, problem=str(error))
    # The engine remembers ended tasks; the maps are on disk now and need not stay in memory with them.
    return replace(result, record_id=record.id, run=None)


def picture_png(request: TokensRequest, picture: Pixels, provenance: Mapping[str, Any]) -> bytes:
    """The picture as PNG with the whole request inside."""
    return encode_png(picture, envelope(request.kind, request.to_dict(), provenance), parameters_text(request, picture))


def parameters_text(request: TokensRequest, picture: Pixels) -> str:
    """The settings as other tools read them (A1111's grammar)."""
    return format_parameters(
        request.prompt,
        steps=request.steps,
        sampler=SCHEDULERS.get(request.scheduler) if request.public else SAMPLERS[request.sampler],
        guidance_scale=request.guidance_scale,
        seed=request.seed,
        size=(picture.shape[1], picture.shape[0]),
        model_hash=request.model_sha256[:10] or None,
        model=Path(request.model).name,
        version=f"Glassbox Studio {__version__}",
    )
