"""Single weight files, told by the names and shapes of their tensors (the layouts in which they were published)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from studio.ml.diffusion.safetensors_header import Header, HeaderUnreadable, read_header
from studio.models.library.families import FAMILIES, decoder_peak, family_of_width, flux_abilities, unet_abilities
from studio.models.library.holding import Holding, Kind, Source
from studio.models.library.weights import PICKLES, pickle_words

SAFETENSORS = ".safetensors"
_PREFIX = "model.diffusion_model."
_UNET_IN = f"{_PREFIX}input_blocks.0.0.weight"
_FLUX = "double_blocks.0.img_attn.norm.key_norm.scale"
_SD3 = "joint_blocks.0.context_block.adaLN_modulation.1.bias"
_PIXART = "blocks.0.cross_attn.q_linear.weight"
_CONTROL = ("control_model.time_embed.0.weight", "controlnet_cond_embedding.conv_in.weight")
_LORA_DOWN = re.compile(r"(lora_down|lora_A|lora\.down)(\.\w+)?\.weight$")
_SHARD = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.safetensors$")
_UNKNOWN = (
    "Its tensors are of a layout that is not known here. “Import released checkpoints…” tells whether it is GLIDE or ADM."
)
_ZIP, _PICKLE = b"PK\x03\x04", b"\x80"


class _Told:
    """What the names of a file's tensors say."""

    def __init__(self, kind: Kind, family: str = "", what: str = "", abilities: tuple[str, ...] = ()) -> None:
        self.kind, self.family, self.what, self.abilities = kind, family, what, abilities


def recognise_file(path: Path, title: str, source: Source) -> Holding | None:
    """What a weight file holds; None for a file that is no weights at all. Raises OSError."""
    if path.suffix.lower() != SAFETENSORS:
        return _pickle(path, title, source)
    try:
        header = read_header(path)
    except HeaderUnreadable as error:
        return Holding(path, title, source, "unknown", refused=f"{error} Get it again from where it came.")
    told = tell(header)
    cut = f"the end of the file ({header.found:,} of {header.nbytes:,} bytes are here)"
    size = FAMILIES[told.family].size if told.kind == "checkpoint" and told.family in FAMILIES else 0
    return Holding(
        place=path,
        title=title,
        source=source,
        kind=told.kind,
        family=told.family,
        what=told.what,
        abilities=told.abilities,
        size=size,
        parameters={"weights": sum(header.formats.values())},
        formats=header.formats,
        peak=decoder_peak(size) if size else 0,
        licence=header.metadata.get("modelspec.license", ""),
        missing=(cut,) if header.cut_off else (),
        refused=_UNKNOWN if told.kind == "unknown" else "",
    )


def tell(header: Header) -> _Told:
    """Of which model these tensors are."""
    names = header.tensors
    down = [name for name in names if _LORA_DOWN.search(name)]
    if down:
        rank = min(min(header.shape(name), default=0) for name in down)
        return _Told("part", _lora_family(header, down), f"LoRA of rank {rank}")
    if any(name in names for name in _CONTROL):
        return _Told("part", _unet_family(header), "ControlNet")
    network = _network(header)
    if network is not None:
        return network
    if "encoder.conv_in.weight" in names and "decoder.conv_in.weight" in names:
        latent = (*header.shape("decoder.conv_in.weight"), 0, 0)[1]
        return _Told("part", "", f"VAE with {latent} latent channels")
    if "emb_params" in names or "string_to_param.*" in names or {"clip_l", "clip_g"} & set(names):
        return _Told("part", "", "Textual inversion")
    return _Told("unknown", "", f"{len(names):,} tensor{'s' if len(names) != 1 else ''}")


def shard_of(name: str) -> tuple[str, int, int] | None:
    """Common name, number and count of a file that is one of several; None for a file by itself."""
    found = _SHARD.match(name)
    return (found[1], int(found[2]), int(found[3])) if found else None


def missing_shards(names: Iterable[str]) -> tuple[str, ...]:
    """The files that are absent of the sets of which some are here."""
    here = {found for name in names if (found := shard_of(name)) is not None}
    sets = {(stem, count) for stem, _, count in here}
    return tuple(
        f"{stem}-{i:05d}-of-{count:05d}{SAFETENSORS}"
        for stem, count in sorted(sets)
        for i in range(1, count + 1)
        if (stem, i, count) not in here
    )


def _network(header: Header) -> _Told | None:
    """A network that draws, with its text encoders (a checkpoint) or alone."""

    def shape(name: str) -> tuple[int, ...]:
        return header.shape(_PREFIX + name) or header.shape(name)

    whole = any(name.startswith(("first_stage_model.", "vae.", "conditioner.")) for name in header.tensors)
    what = "checkpoint in one file" if whole else "network alone, without text encoder and VAE"
    kind: Kind = "checkpoint" if whole else "part"
    if _UNET_IN in header.tensors:
        family = _unet_family(header)
        channels = (*header.shape(_UNET_IN), 0, 0)[1]
        return _Told(kind, family, what, unet_abilities(family, channels) if family else ())
    if shape(_FLUX):
        return _Told(kind, "flux", what, flux_abilities((*shape("img_in.weight"), 0, 0)[1]))
    if shape(_SD3):
        return _Told(kind, "sd3", what, unet_abilities("sd3", 4))
    if shape(_PIXART) and shape("y_embedder.y_embedding"):
        return _Told(kind, "pixart", what, ("text2im",))
    return None


def _unet_family(header: Header) -> str:
    """By the width of the prompt that its attention to text takes."""
    shapes = (value.shape for name, value in header.tensors.items() if name.endswith("attn2.to_k.weight"))
    return family_of_width(next((shape[-1] for shape in shapes if shape), 0))


def _lora_family(header: Header, down: list[str]) -> str:
    names = " ".join(down)
    if "single_transformer_blocks" in names or "double_blocks" in names:
        return "flux"
    if "joint_blocks" in names or "add_k_proj" in names:
        return "sd3"
    prompts = (name for name in down if "attn2" in name and "to_k" in name)
    return family_of_width(next((header.shape(name)[-1] for name in prompts if header.shape(name)), 0))


def _pickle(path: Path, title: str, source: Source) -> Holding | None:
    if path.suffix.lower() not in PICKLES:
        return None
    with path.open("rb") as file:
        head = file.read(4)
    if head != _ZIP and head[:1] != _PICKLE:
        return None
    return Holding(path, title, source, "pickle", refused=pickle_words(path.name), pickled=True)
