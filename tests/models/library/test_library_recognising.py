"""What lies on the disk is told by configurations and headers alone: families, abilities, what is missing, what is refused."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from studio.models.library.cards import licence_in, licence_of, split_card
from studio.models.library.families import DECODER_CHANNELS, FAMILIES, decoder_peak
from studio.ml.diffusion.safetensors_header import HeaderUnreadable, read_header
from studio.models.library.holding import Holding
from studio.models.library.pipelines import recognise_pipeline
from studio.models.library.single_files import missing_shards, recognise_file
from studio.models.library.transformers_folders import recognise_transformers
from tests.models.library.disk import UNET, VAE, pipeline, transformer, weights, write_json

ALL = ("text2im", "image2image", "inpaint")
IN = "model.diffusion_model.input_blocks.0.0.weight"
PROMPT = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"


def told(path: Path) -> Holding:
    found = recognise_file(path, path.name, "folder")
    assert found is not None
    return found


# --- headers ---


def test_a_header_says_what_the_formats_own_library_reads(tmp_path: Path) -> None:
    tensors = {"a": np.ones((2, 3), np.float16), "b": np.zeros((), np.float32), "c": np.zeros((0, 4), np.int64)}
    path = tmp_path / "x.safetensors"
    save_file(tensors, path, {"note": "hello"})
    header = read_header(path)
    assert {name: tensor.shape for name, tensor in header.tensors.items()} == {n: v.shape for n, v in load_file(path).items()}
    assert header.formats == {"F16": 6, "F32": 1, "I64": 0} and header.metadata == {"note": "hello"}
    assert header.nbytes == path.stat().st_size and not header.cut_off
    path.write_bytes(path.read_bytes()[:-1])
    assert read_header(path).cut_off


@pytest.mark.parametrize(
    "content",
    [b"", b"abc", b"\xff" * 100, (2).to_bytes(8, "little") + b"[]", (5).to_bytes(8, "little") + b"{...}", (30).to_bytes(8, "little") + b"{}",
     (len(b'{"a":{"dtype":"F16"}}')).to_bytes(8, "little") + b'{"a":{"dtype":"F16"}}', b"\x00" * 64,
     (64).to_bytes(8, "little") + b'{"a":{"dtype":"F16","shape":[-1],"data_offsets":[0,2]}}'.ljust(64) + b"xx"],
)  # fmt: skip
def test_what_is_no_header_is_refused_in_words(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(HeaderUnreadable, match="x.safetensors"):
        read_header(path)
    assert told(path).refused


# --- pipelines ---


@pytest.mark.parametrize(
    ("made_by", "parts", "family", "abilities", "size"),
    [
        ("StableDiffusionPipeline", {}, "sd1", ALL, 512),
        ("StableDiffusionInpaintPipeline", {"unet": ("U", UNET | {"in_channels": 9})}, "sd1", ("inpaint",), 512),
        ("StableDiffusionInstructPix2PixPipeline", {"unet": ("U", UNET | {"in_channels": 8})}, "sd1", ("image2image",), 512),
        ("StableDiffusionPipeline", {"unet": ("U", UNET | {"cross_attention_dim": 1024, "sample_size": 96})}, "sd2", ALL, 768),
        ("StableDiffusionPipeline", {"text_encoder": ("CLIPTextModel", {"hidden_act": "gelu"})}, "sd2", ALL, 512),
        ("StableDiffusionXLPipeline", {"unet": ("U", UNET | {"sample_size": 128})}, "sdxl", ALL, 1024),
        ("StableDiffusion3Pipeline", {"unet": None, "transformer": ("T", {"in_channels": 16, "sample_size": 128})}, "sd3", ALL, 1024),
        ("FluxPipeline", {"unet": None, "transformer": ("T", {"in_channels": 16})}, "flux", ALL, 1024),
        ("FluxFillPipeline", {"unet": None, "transformer": ("T", {"in_channels": 288})}, "flux", ("inpaint",), 1024),
        ("PixArtAlphaPipeline", {"unet": None, "transformer": ("T", {"in_channels": 4, "sample_size": 64})}, "pixart", ("text2im",), 512),
        ("LatentConsistencyModelPipeline", {}, "other", ("text2im",), 512),
        ("KandinskyImg2ImgPipeline", {}, "other", ("image2image",), 512),
        ("AnimateDiffVideoPipeline", {}, "other", (), 512),
    ],
)
def test_pipelines_are_told_by_class_and_by_what_their_networks_take(
    tmp_path: Path, made_by: str, parts: dict[str, Any], family: str, abilities: tuple[str, ...], size: int
) -> None:
    found = recognise_pipeline(pipeline(tmp_path, made_by, **parts), "x", "folder")
    assert (found.family, found.abilities, found.size, found.missing) == (family, abilities, size, ())
    assert found.usable is bool(abilities) and found.what == made_by


def test_a_pipeline_counts_its_parts_and_estimates_its_memory(tmp_path: Path) -> None:
    found = recognise_pipeline(pipeline(tmp_path), "x", "folder")
    assert found.parameters == {"text_encoder": 3, "unet": 3, "vae": 3} and found.formats == {"F16": 9}
    assert found.memory(2) == 2 * (9 + 3 * 256 * 512 * 512)


def test_the_decoders_peak_is_what_is_alive_in_the_published_decoder() -> None:
    """Counted tensor by tensor on the meta device; attention fused, as it is computed."""
    from diffusers import AutoencoderKL

    from studio.ml.importing.footprint import activation_bytes

    with torch.device("meta"):
        vae = AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
            block_out_channels=tuple(VAE["block_out_channels"]), layers_per_block=2, latent_channels=4,
        ).half()  # fmt: skip
    latent = torch.empty(1, 4, 64, 64, dtype=torch.float16, device="meta")
    counted = activation_bytes(vae, lambda: vae.decode(latent).sample)
    assert counted == pytest.approx(2 * decoder_peak(512, DECODER_CHANNELS), rel=1e-3)


def test_half_a_download_names_what_is_missing(tmp_path: Path) -> None:
    folder = pipeline(tmp_path)
    unet = folder / "unet"
    (unet / "diffusion_pytorch_model.safetensors").rename(unet / "diffusion_pytorch_model-00001-of-00002.safetensors")
    shards = {"w": "diffusion_pytorch_model-00001-of-00002.safetensors", "v": "../../diffusion_pytorch_model-00002-of-00002.safetensors"}
    write_json(unet / "diffusion_pytorch_model.safetensors.index.json", {"weight_map": shards})
    (folder / "vae" / "config.json").unlink()
    (folder / "scheduler" / "scheduler_config.json").unlink()
    text = folder / "text_encoder" / "model.safetensors"
    text.write_bytes(text.read_bytes()[:-2])
    found = recognise_pipeline(folder, "x", "folder")
    assert set(found.missing) == {
        "scheduler/scheduler_config.json", "vae/config.json", "unet/diffusion_pytorch_model-00002-of-00002.safetensors",
        f"the end of text_encoder/model.safetensors ({text.stat().st_size:,} of {text.stat().st_size + 2:,} bytes are here)",
    }  # fmt: skip
    assert not found.usable


def test_pickled_parts_code_of_its_own_and_broken_indexes_are_refused(tmp_path: Path) -> None:
    pickled = pipeline(tmp_path / "a")
    (pickled / "unet" / "diffusion_pytorch_model.safetensors").rename(pickled / "unet" / "diffusion_pytorch_model.bin")
    assert "is a pickle" in recognise_pipeline(pickled, "x", "folder").refused
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "model_index.json").write_text("{" * 3000)
    assert "readable model_index.json" in recognise_pipeline(tmp_path / "b", "x", "folder").missing[0]
    own = pipeline(tmp_path / "c")
    index = json.loads((own / "model_index.json").read_text())
    write_json(own / "model_index.json", index | {"_class_name": ["pipeline", "MyPipeline"]})
    assert "Python code of its own" in recognise_pipeline(own, "x", "folder").refused


# --- single files ---


@pytest.mark.parametrize(
    ("shapes", "kind", "family", "abilities"),
    [
        ({IN: (2, 4, 3, 3), PROMPT: (2, 768), "first_stage_model.a": (1,)}, "checkpoint", "sd1", ALL),
        ({IN: (2, 9, 3, 3), PROMPT: (2, 1024), "first_stage_model.a": (1,)}, "checkpoint", "sd2", ("inpaint",)),
        ({IN: (2, 4, 3, 3), PROMPT: (2, 2048), "conditioner.a": (1,)}, "checkpoint", "sdxl", ALL),
        ({IN: (2, 4, 3, 3), PROMPT: (2, 1280), "conditioner.a": (1,)}, "checkpoint", "sdxl-refiner", ("image2image",)),
        ({IN: (2, 4, 3, 3), PROMPT: (2, 999), "conditioner.a": (1,)}, "checkpoint", "", ()),
        ({"double_blocks.0.img_attn.norm.key_norm.scale": (2,), "img_in.weight": (2, 64)}, "part", "flux", ALL),
        ({"double_blocks.0.img_attn.norm.key_norm.scale": (2,), "img_in.weight": (2, 384), "vae.a": (1,)}, "checkpoint", "flux", ("inpaint",)),
        ({"model.diffusion_model.joint_blocks.0.context_block.adaLN_modulation.1.bias": (2,), "first_stage_model.a": (1,)}, "checkpoint", "sd3", ALL),
        ({"blocks.0.cross_attn.q_linear.weight": (2, 2), "y_embedder.y_embedding": (2, 2)}, "part", "pixart", ("text2im",)),
        ({"encoder.conv_in.weight": (2, 3, 3, 3), "decoder.conv_in.weight": (2, 16, 3, 3)}, "part", "", ()),
        ({"something.else": (2,)}, "unknown", "", ()),
    ],
)
def test_single_files_are_told_by_the_names_of_their_tensors(
    tmp_path: Path, shapes: dict[str, Any], kind: str, family: str, abilities: tuple[str, ...]
) -> None:
    found = told(weights(tmp_path / "x.safetensors", shapes))
    assert (found.kind, found.family, found.abilities) == (kind, family, abilities)
    assert found.size == (FAMILIES[family].size if kind == "checkpoint" and family else 0)


@pytest.mark.parametrize(
    ("shapes", "family"),
    [
        ({"lora_unet_down_blocks_0_attn2_to_k.lora_down.weight": (4, 768), "lora_unet_down_blocks_0_attn2_to_k.lora_up.weight": (9, 4)}, "sd1"),
        ({"unet.down_blocks.1.attn2.to_k.lora_A.weight": (4, 2048), "unet.down_blocks.1.attn2.to_k.lora_B.weight": (9, 4)}, "sdxl"),
        ({"transformer.single_transformer_blocks.0.attn.to_q.lora_A.weight": (4, 99)}, "flux"),
        ({"transformer.transformer_blocks.0.attn.add_k_proj.lora_A.weight": (4, 99)}, "sd3"),
        ({"lora_te_text_model.lora_down.weight": (4, 99)}, ""),
    ],
)  # fmt: skip
def test_a_lora_names_its_rank_and_the_family_it_fits(tmp_path: Path, shapes: dict[str, Any], family: str) -> None:
    found = told(weights(tmp_path / "x.safetensors", shapes, **{"modelspec.license": "mit"}))
    assert (found.kind, found.family, found.what, found.licence) == ("part", family, "LoRA of rank 4", "mit")


def test_pickles_are_refused_unread_and_other_files_are_none(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "sprung",))

    for name in ("a.ckpt", "b.PT"):
        (tmp_path / name).write_bytes(pickle.dumps(Trap()))
        found = told(tmp_path / name)
        assert found.kind == "pickle" and found.pickled and "convert this one safely" in found.refused and not found.usable
    (tmp_path / "c.bin").write_bytes(b"firmware")
    assert recognise_file(tmp_path / "c.bin", "c", "folder") is None and not (tmp_path / "sprung").exists()


def test_missing_shards_are_named() -> None:
    assert missing_shards(["a-00001-of-00003.safetensors", "a-00003-of-00003.safetensors", "b.safetensors"]) == ("a-00002-of-00003.safetensors",)


# --- transformers ---


@pytest.mark.parametrize(
    ("config", "abilities"),
    [
        ({"model_type": "bert", "architectures": ["BertForMaskedLM"]}, ("encoder", "embeddings")),
        ({"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]}, ("causal",)),
        ({"model_type": "llama"}, ("causal",)),
        ({"model_type": "t5", "is_encoder_decoder": True}, ("encoder-decoder",)),
        ({"model_type": "vit", "image_size": 224, "patch_size": 16}, ("vision", "embeddings")),
        ({"model_type": "clip", "vision_config": {"image_size": 336}, "text_config": {}}, ("clip", "embeddings")),
    ],
)
def test_transformers_folders_are_told_by_their_configuration(tmp_path: Path, config: dict[str, Any], abilities: tuple[str, ...]) -> None:
    found = recognise_transformers(transformer(tmp_path, **config), config, "x", "hub")
    assert (found.family, found.abilities, found.formats, found.usable) == (config["model_type"], abilities, {"F32": 20}, True)
    assert found.size == {"vit": 224, "clip": 336}.get(config["model_type"], 0)
    foreign = recognise_transformers(tmp_path, config | {"auto_map": {}}, "x", "hub")
    assert "Python code of its own" in foreign.refused


# --- cards ---


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlicense: openrail++\ntags:\n- a\n---\n# X", "openrail++"),
        ("---\nlicense: other\nlicense_name: flux-1-dev\nlicense_link: x\n---\n", "flux-1-dev"),
        ("---\nlicense:\n- mit\n- apache-2.0\ntags: x\n---\n", "mit, apache-2.0"),
        ("\ufeff---\r\nlicense: \"mit\"\r\n---\r\n", "mit"),
        ("---\nlicense: mit\n", ""),
        ("# No front matter\nlicense: mit", ""),
    ],
)
def test_the_licence_is_the_one_the_card_states(card: str, licence: str) -> None:
    assert licence_in(card) == licence


def test_a_licence_file_speaks_where_the_card_does_not(tmp_path: Path) -> None:
    assert licence_of(tmp_path) == ""
    (tmp_path / "LICENSE").write_text("\n\n   MIT License\n\nCopyright\n")
    assert licence_of(tmp_path) == "MIT License (LICENSE)"
    assert split_card("---\na: b\n---\n# T")[1] == "# T"


# --- as a whole ---


def test_a_holding_survives_json(tmp_path: Path) -> None:
    found = recognise_pipeline(pipeline(tmp_path), "x", "folder")
    assert Holding.from_json(json.loads(json.dumps(found.to_json()))) == found
    with pytest.raises(ValueError, match="unknown kind"):
        Holding.from_json(found.to_json() | {"kind": "spell"})


def test_recognising_imports_nothing_heavy() -> None:
    code = (
        "import sys, studio.models.catalog, studio.models.library.surveying, studio.models.downloading\n"
        "print(sorted({'torch', 'diffusers', 'transformers', 'huggingface_hub', 'httpx2', 'PySide6'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert run.stdout.strip() == "[]", run.stdout + run.stderr
