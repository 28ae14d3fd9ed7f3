"""From a request and its pixels to everything a run needs: the painter, what it sees, what enlarges what it draws."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.engine import Event, JobContext, Log, Offload
from studio.models.catalog import ModelUnreadable, find_models, is_checkpoint, locate, read_info
from studio.models.companions import open_upsampler
from studio.models.external import is_external, open_external
from studio.models.opening import open_drawing, open_folder
from studio_plugins.inpaint.choices import MODELS
from studio_plugins.inpaint.external_painter import ExternalPainter
from studio_plugins.inpaint.inputs import InpaintInputs
from studio_plugins.inpaint.painters import Enlarger, GlidePainter, Painter
from studio_plugins.inpaint.request import DIGEST_OF, PIXELS_OF, InpaintRequest
from studio_plugins.inpaint.seeing import SeeOrder, view_of

if TYPE_CHECKING:
    from studio.ml.diffusion.inpainting import Inpainter
    from studio.ml.diffusion.views import View

_EVERYTHING = (
    "Everything the model would see is selected: nothing of the picture is left to go by, and it draws from the prompt "
    "alone. Select less, or give the region more padding."
)


@dataclass(frozen=True, eq=False)
class Run:
    """A request with all digests noted, its pixels, what the network sees of them, and the networks that take part."""

    request: InpaintRequest
    inputs: InpaintInputs
    view: View
    painter: Painter
    enlarger: Enlarger | None
    provenance: Mapping[str, Any]


def prepare(
    request: InpaintRequest, inputs: InpaintInputs, ctx: JobContext
) -> Generator[Event | Offload, Any, Run]:
    """Open the networks and look at the picture.

    Raises RegionError for pixels that do not go together, ModelMissing, ModelUnreadable, CompanionMismatch, and what
    the loaders raise.
    """
    painter = yield from open_painter(request, ctx)
    enlarger = None
    if request.upsampled and isinstance(painter, GlidePainter):
        second = yield from open_upsampler(request.upsample, painter.model, ctx, precision=request.precision)
        enlarger = Enlarger(second)
    native = None if enlarger is None else enlarger.size
    view: View = yield Offload(view_of, SeeOrder(request, inputs, painter.size, native))
    if view.all_drawn and request.mode != "refine":
        yield Log(_EVERYTHING, "warning")
    used = {DIGEST_OF["model"]: painter.sha256, DIGEST_OF["upsample"]: enlarger.sha256 if enlarger else ""}
    pixels: dict[str, str] = yield Offload(inputs.digests)
    made = dict(painter.provenance(ctx)) | {name: digest for name, digest in used.items() if digest}
    request = yield from noted(request, used | pixels)
    return Run(request, inputs, view, painter, enlarger, made)


def open_painter(request: InpaintRequest, ctx: JobContext) -> Generator[Event | Offload, Any, Painter]:
    """The network that a request names, as a painter. Raises ModelMissing, ModelUnreadable, what the loaders raise."""
    from studio.ml.diffusion.inpainting import Inpainter
    from studio.ml.diffusion.text_model import TextModel

    if (yield Offload(is_external, request.model)):
        public = yield from open_external(
            request.model, ctx, precision=request.precision, offload=request.offload, tiling=request.tiling
        )
        return ExternalPainter(public)
    place = locate(request.model)
    info = None if is_checkpoint(place) else read_info(place, bundled=False)
    kind = info.kind if info is not None else ""
    if kind == "inpaint":
        trained: Inpainter = yield from open_folder(request.model, _inpainter, ctx, precision=request.precision)
        return GlidePainter(trained)
    if kind == "text2im" or is_checkpoint(place):
        model = yield from open_drawing(request.model, ctx, precision=request.precision)
        if isinstance(model, TextModel):
            return GlidePainter(Inpainter.of(model))
    names = ", ".join(f"“{found.id}”" for found in find_models(kinds=MODELS)[0]) or "none"
    raise ModelUnreadable(
        f"“{place.name}” does not draw into pictures: it is of the kind “{kind or 'without text'}”. Choose a model "
        f"that inpaints or draws from text (bundled: {names})."
    )


def noted(request: InpaintRequest, used: Mapping[str, str]) -> Generator[Event, None, InpaintRequest]:
    """The request with the digests of what is in use; a line for the person where they were others before."""
    for name, field in {**DIGEST_OF, **PIXELS_OF}.items():
        before, now = getattr(request, field), used[field]
        if before and now and before != now and name in DIGEST_OF:
            yield Log(
                f"The weights of “{getattr(request, name)}” are not those these settings were made with "
                f"({before[:12]}… then, {now[:12]}… now): the picture will differ.",
                "warning",
            )
    return request.replace(**used)


def _inpainter(folder: Path, *, device: str, dtype: Any) -> Inpainter:
    # torch is imported on the worker, never on the window's thread
    from studio.ml.diffusion.inpainting import load_inpainter

    return load_inpainter(folder, device=device, dtype=dtype)
