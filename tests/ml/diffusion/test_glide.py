from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from studio.ml.diffusion import released
from studio.ml.diffusion.glide import TextToImage, load_released_text2im, load_text2im
from studio.ml.diffusion.model_folder import BadModelFolder
from studio.ml.diffusion.noise import NoiseKeyError
from studio.ml.diffusion.released import ReleasedNetwork
from studio.ml.diffusion.sampler import Resume, StepRecord
from studio.ml.diffusion.sampling import DEFAULT_STEPS, Sampling, SamplerName, default_respacing
from studio.ml.diffusion.schedule import ScheduleError
from studio.ml.diffusion.unet import TextConfig, split_config
from studio.ml.diffusion.weights import CorruptWeights, WeightsError, WrongWeights, sha256_of
from tests.ml.diffusion.test_bpe import VOCABULARY, write
from tests.ml.diffusion.tiny import NETWORK, given, model_folder, tiny_net


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model_folder(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def model(folder: Path) -> TextToImage:
    return load_text2im(folder)


def last(steps: Iterator[StepRecord]) -> StepRecord:
    *_, record = steps
    return record


def test_loading(model: TextToImage, folder: Path) -> None:
    assert (model.name, model.image_size, model.schedule.name, model.schedule.T) == (
        "tiny",
        16,
        "squaredcos_cap_v2",
        1000,
    )
    assert model.sha256 == sha256_of([folder / "model.safetensors"])
    expected = tiny_net().state_dict()
    assert all(torch.equal(value, expected[name].half().float()) for name, value in model.net.state_dict().items())
    assert model.nbytes == sum(value.numel() * 4 for value in expected.values())
    assert not model.net.training


def test_shards_and_half_precision(tmp_path: Path, model: TextToImage) -> None:
    sharded = load_text2im(model_folder(tmp_path, shards=3), dtype=torch.bfloat16)
    assert {parameter.dtype for parameter in sharded.net.parameters()} == {torch.bfloat16}
    assert sharded.sha256 != model.sha256
    out = last(sharded.sample(["a cat"], [1], sampling=Sampling(steps=2)))
    assert out.x.dtype == torch.float32 and out.x.isfinite().all()


@pytest.mark.parametrize("sampler", ["dpmpp_2m", "ddim", "ddpm"])
def test_sampling(model: TextToImage, sampler: SamplerName) -> None:
    records = list(model.sample(["a red cat", ""], [1, 2], sampling=Sampling(sampler, 4)))
    assert [record.index for record in records] == [0, 1, 2, 3]
    end = records[-1]
    assert end.x.shape == (2, 3, 16, 16)
    assert end.x.abs().max() <= 1 and end.t == 0
    assert end.parts.eps_uncond is not None
    torch.testing.assert_close(
        end.parts.eps_cond[1], end.parts.eps_uncond[1]
    )  # the empty prompt is the unconditional one
    assert (end.parts.eps_cond[0] - end.parts.eps_uncond[0]).abs().max() > 1e-4
    repeated = list(model.sample(["a red cat", ""], [1, 2], sampling=Sampling(sampler, 4)))
    assert torch.equal(repeated[-1].x, end.x)


@pytest.mark.parametrize("sampler", ["dpmpp_2m", "ddpm"])
def test_a_picture_is_the_same_in_any_batch(model: TextToImage, sampler: SamplerName) -> None:
    prompts, seeds = ["a cat", "a dog", ""], [5, 6, 7]
    together = last(model.sample(prompts, seeds, sampling=Sampling(sampler, 4))).x
    for i in range(3):
        alone = last(model.sample(prompts[i : i + 1], seeds[i : i + 1], sampling=Sampling(sampler, 4))).x
        assert (
            together[i] - alone[0]
        ).abs().max() < 1 / 510  # float32 sums in another order: under a quarter of an 8-bit level
    halves = last(model.sample(prompts, seeds, sampling=Sampling(sampler, 4), max_batch=3)).x
    assert (together - halves).abs().max() < 1 / 510


def test_prediction_is_read_from_the_config(tmp_path: Path, model: TextToImage) -> None:
    velocity = load_text2im(model_folder(tmp_path, prediction="v"))
    a, b = next(model.sample(["a cat"], [1], sampling=Sampling(steps=3))), next(velocity.sample(["a cat"], [1], sampling=Sampling(steps=3)))
    abar = float(model.schedule.alphas_cumprod[a.t])
    torch.testing.assert_close(b.eps, abar**0.5 * a.eps + (1 - abar) ** 0.5 * a.x_t, rtol=1e-4, atol=1e-4)
    with pytest.raises(BadModelFolder, match="prediction"):
        load_text2im(model_folder(tmp_path, prediction="score"))


def test_the_text_transformer_runs_once_per_prompt(folder: Path) -> None:
    model = load_text2im(folder)
    calls: list[int] = []
    model.net.transformer.register_forward_hook(lambda *_: calls.append(1))
    for _ in model.sample(["a cat", "a dog", "a cat"], [1, 2, 3], sampling=Sampling(steps=5)):
        pass
    assert len(calls) == 3  # two prompts and the empty one
    for _ in model.sample(["a dog"], [9], sampling=Sampling("ddpm", 5)):
        pass
    assert len(calls) == 3
    model.encode([f"a {'red ' * i}cat" for i in range(100)])  # forgets the oldest
    assert len(calls) == 102
    model.encode(["a dog"])
    assert len(calls) == 103


def test_guidance_scale_and_unguided(model: TextToImage) -> None:
    first = {scale: next(model.sample(["a cat"], [1], scale=scale, sampling=Sampling(steps=3))) for scale in (0.0, 1.0, 4.0)}
    unguided = next(model.sample(["a cat"], [1], scale=None, sampling=Sampling(steps=3)))
    assert unguided.parts.eps_uncond is None
    torch.testing.assert_close(first[1.0].eps, unguided.eps, rtol=1e-4, atol=1e-5)
    eps_uncond = first[4.0].parts.eps_uncond
    assert eps_uncond is not None
    torch.testing.assert_close(first[0.0].eps, eps_uncond)
    assert all(torch.equal(record.x_t, unguided.x_t) for record in first.values())


def test_a_gradient_reaches_the_sampler(model: TextToImage) -> None:
    record = next(model.sample(["a cat"], [1], sampling=Sampling(steps=3), cond_fn=given(lambda x, t: torch.ones_like(x))))
    assert record.parts.gradient is not None and bool((record.parts.gradient == 1).all())


def test_steps_and_respacing(model: TextToImage) -> None:
    assert next(model.sample(["a"], [1])).total == DEFAULT_STEPS["dpmpp_2m"]
    assert next(model.sample(["a"], [1], sampling=Sampling("ddim"))).total == 50
    assert next(model.sample(["a"], [1], sampling=Sampling(respacing="fast27"))).t == 997
    assert [record.t for record in model.sample(["a"], [1], sampling=Sampling(respacing=[0, 500]))] == [500, 0]
    for sampler in DEFAULT_STEPS:
        respacing = default_respacing(sampler, 1)  # type: ignore[arg-type]
        assert model.schedule.respace(respacing).timesteps.tolist() == [999]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"sampling": Sampling(steps=0)}, ScheduleError),
        ({"sampling": Sampling(steps=1001)}, ScheduleError),
        ({"sampling": Sampling(respacing="often")}, ScheduleError),
        ({"seeds": [-1]}, NoiseKeyError),
        ({"seeds": [2**64]}, NoiseKeyError),
        ({"seeds": [1, 2]}, ValueError),
        ({"prompts": [], "seeds": []}, NoiseKeyError),
        ({"scale": float("nan")}, ValueError),
    ],
)
def test_bad_requests_are_refused_before_anything_runs(
    model: TextToImage, changes: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(ValueError, match="dpmpp_2m"):
        Sampling("euler")  # type: ignore[arg-type]
    with pytest.raises(error, match=r"\w{3}"):
        model.sample(**({"prompts": ["a"], "seeds": [1]} | changes))


def test_prompts_of_any_kind(model: TextToImage) -> None:
    long = "a cat " * 2500
    assert model.unknown("a purple CAT and a kitten") == ["purple", "and"]
    assert model.overflow(long) == 5000 - 8
    for prompt in (long, "🙂 \x00 \u202e", "zzz"):
        assert last(model.sample([prompt], [1], sampling=Sampling(steps=1))).x.isfinite().all()


def test_bad_folders(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(BadModelFolder, match=r"config\.json cannot be read"):
        load_text2im(tmp_path / "none")
    for i, (config, words) in enumerate(
        [
            ("{", "cannot be understood"),
            ("[]", "cannot be understood"),
            (json.dumps({"kind": "vae"}), "kind"),
            (json.dumps(edited(folder, schedule="sine")), "Unknown noise schedule"),
            (json.dumps(edited(folder, network=NETWORK | {"model_channels": 33})), "no network that can be built"),
            (json.dumps(edited(folder, network=NETWORK | {"flux": 1})), "no network that can be built"),
            (json.dumps(edited(folder, network=NETWORK | {"n_vocab": 5})), "7 words for a network of 5"),
        ]
    ):
        copy = shutil.copytree(folder, tmp_path / str(i))
        (copy / "config.json").write_text(config)
        with pytest.raises(BadModelFolder, match=words):
            load_text2im(copy)


def edited(folder: Path, **changes: Any) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((folder / "config.json").read_text())
    return config | changes


def test_bad_weights(tmp_path: Path, folder: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "model")
    weights = copy / "model.safetensors"
    state = load_file(weights)
    save_file({**state, "out.2.bias": torch.zeros(3)}, weights)
    with pytest.raises(WrongWeights, match=r"out\.2\.bias is 3, expected 6"):
        load_text2im(copy)
    weights.write_bytes((folder / "model.safetensors").read_bytes()[:-100])
    with pytest.raises(CorruptWeights, match="damaged"):
        load_text2im(copy)
    weights.unlink()
    with pytest.raises(BadModelFolder, match="no weights"):
        load_text2im(copy)


def test_a_released_checkpoint_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unet, text = split_config(NETWORK)
    text = TextConfig(**{**text.model_dump(), "n_vocab": len(VOCABULARY)})
    table = {
        "tiny": ReleasedNetwork("tiny", "Tiny GLIDE", "text2im", 16, "squaredcos_cap_v2", unet, text),
        "adm": ReleasedNetwork("adm", "Tiny ADM", "adm", 16, "linear", unet),
    }
    monkeypatch.setattr(released, "released_networks", lambda: table)
    # the padding id of GPT-2 lies outside this small vocabulary
    monkeypatch.setattr("studio.ml.diffusion.bpe.END", 0)
    torch.save(table["tiny"].build(device="cpu").state_dict(), tmp_path / "base.pt")
    with pytest.raises(FileNotFoundError, match="GPT-2"):
        load_released_text2im(tmp_path / "base.pt", tmp_path / "cache")
    write(tmp_path)
    model = load_released_text2im(tmp_path / "base.pt", tmp_path / "cache")
    assert model.name == "Tiny GLIDE" and model.sha256 == sha256_of([tmp_path / "base.pt"])
    assert last(model.sample(["a cat"], [1], sampling=Sampling(steps=2))).x.isfinite().all()
    torch.save(table["adm"].build(device="cpu").state_dict(), tmp_path / "adm.pt")
    with pytest.raises(WeightsError, match="Tiny ADM, which does not draw from text"):
        load_released_text2im(tmp_path / "adm.pt", tmp_path / "cache")


@pytest.mark.parametrize("sampler", ["ddpm", "ddim", "dpmpp_2m"])
def test_a_run_goes_on_from_any_step_as_if_never_stopped(model: TextToImage, sampler: SamplerName) -> None:
    options: dict[str, Any] = {"sampling": Sampling(sampler, 6, eta=0.5), "scale": 4.0}
    whole = list(model.sample(["a cat"], [5], **options))
    for step in (0, 3, 4):
        rest = list(model.sample(["a cat"], [5], resume=Resume.after(whole[step]), **options))
        assert [record.index for record in rest] == list(range(step + 1, 6))
        assert torch.equal(rest[-1].x, whole[-1].x)
    assert not list(model.sample(["a cat"], [5], resume=Resume.after(whole[5]), **options))


def test_a_negative_prompt_takes_the_empty_ones_place(model: TextToImage) -> None:
    plain, away = (next(model.sample(["a cat"], [5], negative=text)) for text in ("", "a dog"))
    wanted = next(model.sample(["a dog"], [5], scale=None))
    assert away.parts.eps_uncond is not None
    torch.testing.assert_close(away.parts.eps_uncond, wanted.eps, rtol=1e-4, atol=1e-5)
    assert not torch.equal(away.eps, plain.eps)
