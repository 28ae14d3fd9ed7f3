"""The survey finds what lies in added folders and in the Hugging Face cache, broken or whole, and looks at nothing twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from studio.engine import JobContext, run_inline
from studio.host.paths import DataPaths
from studio.models.catalog import EXTERNAL, TRANSFORMERS, find_models
from studio.models.inventory import inventory, survey_library
from studio.models.library.hub_cache import cache_folder, repositories
from studio.models.library.places import NoSuchFolder, add_place, forget_place, places
from studio.models.library.surveying import Library, Survey, remembered
from tests.models.library.disk import REVISION, linked, pipeline, snapshot, transformer, weights, write_json


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def survey() -> tuple[Library, int]:
    """The library, and how many models were looked at anew."""
    made = Survey()
    list(made.steps())
    return made.found, made.recognised


def titles(found: Library) -> dict[str, str]:
    return {holding.title: holding.kind for holding in found.holdings}


# --- the cache of Hugging Face ---


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"HF_HOME": "/a/home"},
        {"HF_HOME": "~/b"},
        {"HF_HOME": "/a/home", "HF_HUB_CACHE": "$HOME/elsewhere"},
        {"HUGGINGFACE_HUB_CACHE": "/old", "HF_HOME": "/a"},
        {"XDG_CACHE_HOME": "/x"},
    ],
)
def test_the_cache_is_where_the_hubs_own_library_has_it(env: dict[str, str]) -> None:
    plain = {"PATH": os.environ["PATH"], "HOME": "/somebody", **env}
    code = "from huggingface_hub.constants import HF_HUB_CACHE as a\nfrom studio.models.library.hub_cache import cache_folder\nprint(a, cache_folder())"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=plain)
    theirs, ours = run.stdout.split()
    assert ours == theirs


def test_snapshots_are_found_with_links_and_without(cache: Path) -> None:
    for repo, link in (("a/linked", True), ("b/copied", False)):
        folder = transformer(snapshot(cache, repo))
        (folder / "README.md").write_text("---\nlicense: mit\n---\n# Hello")
        if link:
            linked(folder)
    found, _ = survey()
    assert titles(found) == {"a/linked": "transformers", "b/copied": "transformers"}
    assert all((h.usable, h.licence, h.revision, h.source) == (True, "mit", REVISION, "hub") for h in found.holdings)
    one, other = found.holdings
    assert one.nbytes == other.nbytes > 80 and Path(one.card).name == "README.md"


def test_what_is_broken_in_the_cache_is_listed_and_named(cache: Path) -> None:
    """The library's own scan drops each of these."""
    from huggingface_hub import scan_cache_dir

    dangling = transformer(snapshot(cache, "a/dangling"))
    linked(dangling)
    (dangling / "model.safetensors").resolve().unlink()
    transformer(snapshot(cache, "b/stale"))
    (cache / "models--b--stale" / "refs" / "main").write_text("f" * 40)
    unfinished = cache / "models--c--unfinished" / "blobs"
    unfinished.mkdir(parents=True)
    (unfinished / "abc.incomplete").write_bytes(bytes(1234))
    (cache / "models--d--empty").mkdir()
    (cache / ".locks").mkdir()
    (cache / "version.txt").write_text("1")
    assert not scan_cache_dir(cache).repos
    found, _ = survey()
    state = {holding.title: (holding.usable, holding.missing) for holding in found.holdings}
    assert state["a/dangling"] == (False, ("model.safetensors",)) and state["b/stale"] == (True, ())
    assert state["c/unfinished"][0] is False and "1,234 bytes" in state["c/unfinished"][1][0]
    assert "d/empty" not in state and found.problems == ()


def test_of_several_revisions_the_one_called_main_has_the_plain_name(cache: Path) -> None:
    transformer(snapshot(cache, "a/b"))
    transformer(snapshot(cache, "a/b", "1" * 40, "v2"))
    transformer(snapshot(cache, "a/b", "2" * 40, ""))
    assert set(titles(survey()[0])) == {"a/b", "a/b (v2)", "a/b (2222222)"}
    (only,) = [repository for repository in repositories(cache)]
    assert only.snapshots[0].references == ("main",)


# --- folders that were added ---


def test_added_folders_are_looked_through_at_every_depth_but_not_inside_a_model(cache: Path, tmp_path: Path) -> None:
    root = tmp_path / "models"
    pipeline(root / "sd" / "one")
    transformer(root / "bert")
    weights(root / "loras" / "x.safetensors", {"a.lora_down.weight": (4, 8)})
    for i in (1, 3):
        weights(root / f"big-{i:05d}-of-00003.safetensors", {f"t{i}": (2,)})
    (root / "old.ckpt").write_bytes(b"PK\x03\x04" + bytes(2 << 20))
    (root / "optimizer.pt").write_bytes(b"PK\x03\x04")
    write_json(root / "own" / "config.json", {"kind": "text2im", "title": "Mine", "image_size": 32})
    weights(root / "own" / "model.safetensors", {"a": (2,)})
    write_json(root / "node" / "config.json", {"name": "a web page"})
    (root / "loop").symlink_to(root)
    add_place(root)
    found, _ = survey()
    assert titles(found) == {
        "sd/one": "pipeline", "bert": "transformers", "loras/x.safetensors": "part", "old.ckpt": "pickle", "Mine": "own",
        "big-00001-of-00003.safetensors": "unknown",
    }  # fmt: skip
    shards = next(holding for holding in found.holdings if holding.kind == "unknown")
    assert shards.missing == ("big-00002-of-00003.safetensors",) and shards.count == 4


def test_panels_list_what_is_whole_and_only_of_the_kinds_they_ask_for(cache: Path, tmp_path: Path) -> None:
    root = tmp_path / "models"
    pipeline(root / "whole")
    (pipeline(root / "half") / "vae" / "config.json").unlink()
    transformer(root / "bert", image_size=64)
    write_json(root / "own" / "config.json", {"kind": "text2im", "title": "Mine", "image_size": 32})
    weights(root / "own" / "model.safetensors", {"a": (2,)})
    before = {info.id for info in find_models(kinds=None)[0]}
    assert find_models(kinds=(EXTERNAL,))[0] == [], "nothing is searched before a survey"
    add_place(root)
    run_inline(lambda _, ctx: survey_library(ctx), None, context=JobContext())
    (external,), _ = find_models(kinds=(EXTERNAL,))
    assert (external.id, external.kind, external.family, external.size) == (str(root / "whole"), EXTERNAL, "sd1", 512)
    assert external.abilities == ("text2im", "image2image", "inpaint") and external.prompted
    (bert,), _ = find_models(kinds=(TRANSFORMERS,))
    assert bert.family == "bert" and bert.abilities == ("encoder", "embeddings")
    assert {info.id for info in find_models(kinds=None)[0]} - before == {str(root / "own")}
    entries = inventory()
    assert [entry.origin for entry in entries.entries if entry.info.title == "Mine"] == ["added"]
    assert {holding.title for holding in entries.holdings} == {"whole", "half", "bert"} and entries.places == (root,)
    (root / "whole" / "model_index.json").unlink()
    (root / "whole").rename(root / "moved")
    assert find_models(kinds=(EXTERNAL,))[0] == [], "what is gone is not offered"


def test_a_checkpoint_in_one_file_is_offered_once_the_settings_of_its_family_are_here(cache: Path, tmp_path: Path) -> None:
    root = tmp_path / "models"
    unet = "model.diffusion_model.input_blocks"
    names = {f"{unet}.0.0.weight": (2, 4, 3, 3), f"{unet}.1.1.transformer_blocks.0.attn2.to_k.weight": (2, 768), "first_stage_model.a": (1,)}
    file = weights(root / "sd.safetensors", names)
    add_place(root)
    assert survey()[0].holdings[0].settings == "" and find_models(kinds=(EXTERNAL,))[0] == []
    beside = pipeline(root / "config-of-sd")
    found, anew = survey()
    assert anew == 1, "the folder; the file is as it was"
    assert {holding.title: holding.settings for holding in found.holdings} == {"config-of-sd": "", "sd.safetensors": str(beside)}
    models = {info.id: info for info in find_models(kinds=(EXTERNAL,))[0]}
    assert set(models) == {str(beside), str(file)} and models[str(file)].family == "sd1"


def test_nothing_is_looked_at_twice_until_it_changes(cache: Path, tmp_path: Path) -> None:
    root = tmp_path / "models"
    for name in "abc":
        pipeline(root / name)
    add_place(root)
    assert survey()[1] == 3 and survey()[1] == 0
    weights(root / "b" / "unet" / "diffusion_pytorch_model.safetensors", {"w": (7,)})
    found, anew = survey()
    assert anew == 1 and {h.title: h.count for h in found.holdings} == {"a": 9, "b": 13, "c": 9}
    assert remembered() == found.holdings
    for content in ("{", "[]", '{"version": 2, "found": [{}]}', '{"version": 99, "found": []}'):
        (DataPaths.default().cache / "library.json").write_text(content)
        assert remembered() == ()
    assert survey()[1] == 3


def test_thousands_of_files_are_looked_through_in_short_steps(cache: Path, tmp_path: Path) -> None:
    root = tmp_path / "many"
    for i in range(60):
        folder = root / f"{i:03d}"
        folder.mkdir(parents=True)
        for j in range(50):
            (folder / f"{j}.txt").touch()
    add_place(root)
    walk, longest, begun = Survey().steps(), 0.0, time.perf_counter()
    for _ in walk:
        longest, begun = max(longest, time.perf_counter() - begun), time.perf_counter()
    assert longest < 0.5, "a folder a step"


def test_folders_are_remembered_once_and_forgotten_without_touching_files(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    file = weights(tmp_path / "b" / "x.safetensors", {"a": (1,)})
    assert add_place(tmp_path / "a") == (tmp_path / "a",)
    assert add_place(file) == (tmp_path / "a", tmp_path / "b"), "a file stands for its folder"
    assert add_place(tmp_path / "a") == (tmp_path / "b", tmp_path / "a") == places()
    assert forget_place(tmp_path / "b") == (tmp_path / "a",) and file.is_file()
    with pytest.raises(NoSuchFolder, match="is no folder"):
        add_place(tmp_path / "none")
    for content in ("{", "[]", json.dumps({"folders": 3})):
        (DataPaths.default().models / "library-folders.json").write_text(content)
        assert places() == ()


def test_a_folder_that_is_gone_is_a_sentence_and_not_the_end(cache: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    transformer(tmp_path / "there" / "bert")
    add_place(gone)
    add_place(tmp_path / "there")
    gone.rmdir()
    found, _ = survey()
    assert set(titles(found)) == {"bert"} and "gone” cannot be looked through" in found.problems[0]


def test_the_cache_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "hub"
    assert survey()[0].holdings == ()
