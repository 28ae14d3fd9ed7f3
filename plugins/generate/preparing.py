"""From a request to networks ready to draw it: the model, what guides it, and what enlarges its pictures."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.engine import Event, JobContext, Log, Offload
from studio.models.companions import open_upsampler
from studio.models.external import is_external, open_external, provenance_of_external
from studio.models.guiding import GuidanceSettings, Guiding, Strength, open_guidance
from studio.models.opening import open_drawing
from studio.models.provenance import provenance_of
from studio_plugins.generate.drawing import Drawn, drawn_by
from studio_plugins.generate.public_drawing import PublicRun
from studio_plugins.generate.request import DIGEST_OF, GenerateRequest
from studio_plugins.generate.trajectory import kept_positions

if TYPE_CHECKING:
    from studio.ml.diffusion.sampling import Sampling
    from studio.ml.diffusion.upsampling import Upsampler
    from studio.models.opening import Drawing


@dataclass(frozen=True, eq=False)
class Run:
    """A request with the weights in use noted, and the networks that take part, loaded and checked to fit."""

    request: GenerateRequest
    model: Drawing
    guiding: Guiding
    upsampler: Upsampler | None
    provenance: Mapping[str, Any]

    @property
    def second_sampling(self) -> Sampling | None:
        """How the second stage visits its schedule; None without one."""
        from studio.ml.diffusion.sampling import Sampling

        if self.upsampler is None:
            return None
        if self.request.upsample_sampler == "own":
            return self.upsampler.sampling
        return Sampling(self.request.upsample_sampler, self.request.upsample_steps)

    @property
    def totals(self) -> tuple[int, ...]:
        """Steps of each stage."""
        second = self.second_sampling
        if self.upsampler is None or second is None:
            return (self.request.steps,)
        return (self.request.steps, len(second.schedule(self.upsampler.schedule)))

    @property
    def kept(self) -> tuple[int, ...]:
        """How many steps of each stage are kept."""
        sides = [network.image_size for network in (self.model, self.upsampler) if network is not None]
        sizes = [self.request.batch * 3 * side**2 for side in sides]
        return tuple(len(kept_positions(total, size)) for total, size in zip(self.totals, sizes, strict=True))

    def steps(self) -> Iterator[Drawn]:
        """The steps, stage after stage. Raises ValueError."""
        return drawn_by(self)


def prepare(request: GenerateRequest, ctx: JobContext) -> Generator[Event | Offload, Any, Run | PublicRun]:
    """Open everything a run needs; a line for the person where a replay meets other weights.

    Raises ModelMissing, ModelUnreadable, CompanionMismatch, NoClass, ExternalError, and what the loaders raise.
    """
    if (yield Offload(is_external, request.model)):
        return (yield from _prepare_public(request.replace(public=True), ctx))
    return (yield from _prepare_own(request.replace(public=False), ctx))


def _prepare_public(request: GenerateRequest, ctx: JobContext) -> Generator[Event | Offload, Any, PublicRun]:
    left = [kind for kind in request.chosen_kinds if kind != "classifier-free"]
    if left:
        yield Log("A public model knows classifier-free guidance alone; the other one does not act.", "warning")
    model = yield from open_external(
        request.model, ctx, precision=request.precision, offload=request.offload, tiling=request.tiling
    )
    blank = dict.fromkeys(DIGEST_OF.values(), "")
    return PublicRun(request.replace(**blank), model, provenance_of_external(model, ctx))


def _prepare_own(request: GenerateRequest, ctx: JobContext) -> Generator[Event | Offload, Any, Run]:
    model = yield from open_drawing(request.model, ctx, precision=request.precision)
    request = yield from fitted(request, model)
    prompts = [request.prompt] * request.batch
    drawn = [request.condition] * request.batch
    guiding = yield from open_guidance(
        model, prompts, settings_of(request), ctx, precision=request.precision, drawn=drawn
    )
    upsampler = None
    if request.upsampled:
        upsampler = yield from open_upsampler(request.upsample, model, ctx, precision=request.precision)
    used = {"model": model.sha256}
    used |= {f"{kind}_model": digest for kind, digest in guiding.companions.items()}
    if upsampler is not None:
        used["upsample"] = upsampler.sha256
    request = yield from noted(request, used)
    made = provenance_of(model, ctx) | {DIGEST_OF[name]: digest for name, digest in used.items()}
    if guiding.targets:
        made["class"] = guiding.targets[0]
    return Run(request, model, guiding, upsampler, made)


def settings_of(request: GenerateRequest) -> GuidanceSettings:
    """The guidance that acts in a run."""
    scales = {
        "classifier-free": request.guidance_scale,
        "clip": request.clip_scale,
        "clip-x0": request.clip_scale,
        "classifier": request.classifier_scale,
    }
    course = (request.guidance_course, request.guidance_start, request.guidance_stop)
    if request.guidance_course == "constant":
        course = ("constant", 0.0, 1.0)
    return GuidanceSettings(
        strengths={kind: Strength(scales[kind], *course) for kind in request.kinds},
        negative=request.negative_prompt.strip() if "classifier-free" in request.kinds else "",
        target=request.classifier_class,
        clip=request.clip_model,
        clip_prompt=request.clip_prompt.strip(),
        classifier=request.classifier_model,
    )


def fitted(request: GenerateRequest, model: Drawing) -> Generator[Event, None, GenerateRequest]:
    """The request without a prompt, or without classifier-free guidance, where the model cannot take it.

    A line for the person when a prompt is too long for a released model (of the bundled ones the prompt box says it).
    """
    from studio.ml.diffusion.glide import TextToImage

    if not isinstance(model, TextToImage):
        request = request.without_classifier_free()
    left = overflow(request.condition, model)
    if left is None:
        return request.replace(prompt="")
    if left:
        yield Log(f"“{model.name}” does not take in the last {left} tokens of this prompt.", "warning")
    return request


def overflow(prompt: str, model: Drawing) -> int | None:
    """How many tokens at the end of a prompt a released model leaves out; None for a model that takes no prompt."""
    from studio.ml.diffusion.glide import TextToImage
    from studio.ml.diffusion.unconditional import Unconditional
    from studio.ml.diffusion.words import WordTokenizer

    if isinstance(model, Unconditional):
        return None
    if not isinstance(model, TextToImage) or isinstance(model.tokenizer, WordTokenizer):
        return 0
    return model.overflow(prompt)


def noted(request: GenerateRequest, used: Mapping[str, str]) -> Generator[Event, None, GenerateRequest]:
    """The request with the digests of the weights in use, by the field that names them; none of what is not used."""
    for name, digest in used.items():
        before = getattr(request, DIGEST_OF[name])
        if before and before != digest:
            yield Log(
                f"The weights of “{getattr(request, name)}” are not those these settings were made with "
                f"({before[:12]}… then, {digest[:12]}… now): the picture will differ.",
                "warning",
            )
    return request.replace(**{field: used.get(name, "") for name, field in DIGEST_OF.items()})
