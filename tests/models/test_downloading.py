"""A download lists first, goes on where it was broken off, is proved by its digest, and fails in words."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub import constants, hf_hub_download, scan_cache_dir
from huggingface_hub.utils import close_session

from studio.engine import JobContext, Offload, Progress, run_inline
from studio.models import downloading, stepwise
from studio.models.downloading import NotEnoughSpace, download, look_up
from studio.models.hub import Hub, HubError
from tests.models.fake_hub import REVISION, FakeHub, serving

REPO = "someone/tiny"
WEIGHTS = bytes(range(256)) * 20_000  # 5 MB: five pieces
FILES = {
    "model_index.json": b"{}",
    "unet/diffusion_pytorch_model.safetensors": WEIGHTS,
    "unet/diffusion_pytorch_model.fp16.safetensors": WEIGHTS[::2],
    "unet/diffusion_pytorch_model.bin": WEIGHTS[:2000],
    "all-in-one.safetensors": WEIGHTS[:3000],
    "flax_model.msgpack": b"x" * 2000,
    "README.md": b"---\nlicense: mit\n---\n",
}
NEEDED = ("README.md", "model_index.json", "unet/diffusion_pytorch_model.safetensors")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(stepwise, "_STRIDE", 0)  # a single piece a step
    with serving(REPO, dict(FILES)) as made:
        yield made
    close_session()


@pytest.fixture
def context(hub: FakeHub, tmp_path: Path) -> JobContext:
    return JobContext(services={"hub": Hub(tmp_path / "cache", hub.endpoint)})


def fetch(context: JobContext, *names: str, events: list[Any] | None = None) -> downloading.Downloaded:
    def job(_: None, ctx: JobContext) -> Any:
        return (yield from download(REPO, REVISION, names, ctx))

    return run_inline(job, None, context=context, on_event=(events if events is not None else []).append)


def offer(context: JobContext, repo: str = REPO) -> downloading.Offer:
    return run_inline(look_up, repo, context=context)


def blobs(tmp_path: Path, pattern: str = "*") -> list[Path]:
    return sorted((tmp_path / "cache" / "models--someone--tiny" / "blobs").glob(pattern))


def test_the_list_says_what_is_needed_and_fetches_nothing(context: JobContext, tmp_path: Path) -> None:
    found = offer(context)
    assert tuple(file.name for file in found.listing.files if file.wanted) == NEEDED
    notes = {file.name: file.note for file in found.listing.files}
    assert "pickle" in notes["unet/diffusion_pytorch_model.bin"] and "precision" in notes["unet/diffusion_pytorch_model.fp16.safetensors"]
    assert found.listing.licence == "mit" and found.listing.revision == REVISION and found.free > 0
    assert sum(found.missing) == sum(map(len, FILES.values())) and not (tmp_path / "cache").exists()


def test_what_was_fetched_is_where_the_hubs_own_library_looks_for_it(context: JobContext, tmp_path: Path, hub: FakeHub) -> None:
    events: list[Any] = []
    result = fetch(context, *NEEDED, events=events)
    assert result.folder == tmp_path / "cache" / "models--someone--tiny" / "snapshots" / REVISION
    assert (result.folder / NEEDED[2]).read_bytes() == WEIGHTS
    shares = [event.done for event in events if isinstance(event, Progress)][1:]
    assert shares == sorted(shares) and len(shares) > 5 and shares[-1] == sum(len(FILES[name]) for name in NEEDED)
    (repo,) = scan_cache_dir(tmp_path / "cache").repos
    assert repo.repo_id == REPO and repo.nb_files == 3
    kept = hf_hub_download(REPO, NEEDED[2], revision=REVISION, cache_dir=tmp_path / "cache", local_files_only=True)
    assert Path(kept) == result.folder / NEEDED[2] and not blobs(tmp_path, "*.lock")
    unnamed = hf_hub_download(REPO, NEEDED[2], cache_dir=tmp_path / "cache", local_files_only=True)
    assert unnamed == kept, "found by programs that ask for no revision"
    asked = len(hub.ranges)
    assert sum(offer(context).missing[i] for i, f in enumerate(offer(context).listing.files) if f.name in NEEDED) == 0
    fetch(context, *NEEDED)
    assert len(hub.ranges) == asked, "nothing is fetched twice"


def test_a_broken_connection_is_taken_up_where_it_ended(context: JobContext, tmp_path: Path, hub: FakeHub) -> None:
    hub.break_after = 2_500_000
    with pytest.raises(HubError, match="cannot be reached.*What was fetched is kept"):
        fetch(context, *NEEDED)
    (part,) = blobs(tmp_path, "*.incomplete")
    kept = part.stat().st_size
    assert 1_000_000 < kept <= 2_500_000
    assert offer(context).missing[-1] == len(WEIGHTS) - kept
    result = fetch(context, *NEEDED)
    assert hub.ranges == ["bytes=0-", f"bytes={kept}-"] and (result.folder / NEEDED[2]).read_bytes() == WEIGHTS
    assert not blobs(tmp_path, "*.incomplete")


def test_a_server_that_ignores_the_range_gives_no_file_of_two_beginnings(context: JobContext, tmp_path: Path, hub: FakeHub) -> None:
    hub.break_after, hub.ignores_ranges = 2_500_000, True
    with pytest.raises(HubError):
        fetch(context, *NEEDED)
    result = fetch(context, *NEEDED)
    assert (result.folder / NEEDED[2]).read_bytes() == WEIGHTS


def test_a_part_that_was_spoiled_is_noticed_by_its_digest(context: JobContext, tmp_path: Path, hub: FakeHub) -> None:
    part = tmp_path / "cache" / "models--someone--tiny" / "blobs" / f"{hashlib.sha256(WEIGHTS).hexdigest()}.incomplete"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"\xff" * 1_000_000)
    with pytest.raises(HubError, match="arrived damaged"):
        fetch(context, *NEEDED)
    assert not blobs(tmp_path, "*.incomplete")
    assert (fetch(context, *NEEDED).folder / NEEDED[2]).read_bytes() == WEIGHTS


def test_cancelling_keeps_what_is_there_and_lets_go_of_the_file(context: JobContext, tmp_path: Path, hub: FakeHub) -> None:
    job = download(REPO, REVISION, NEEDED, context)
    item: Any = next(job)
    while not (isinstance(item, Progress) and item.text.endswith("safetensors") and item.done > 2_000_000):
        item = job.send(item.fn(*item.args, **item.kwargs) if isinstance(item, Offload) else None)
    job.close()
    (part,) = blobs(tmp_path, "*.incomplete")
    assert 0 < part.stat().st_size < len(WEIGHTS) and not blobs(tmp_path, "*.lock")
    assert (fetch(context, *NEEDED).folder / NEEDED[2]).read_bytes() == WEIGHTS and len(hub.ranges) == 2


def test_too_little_space_is_said_with_numbers_before_a_byte_is_fetched(
    context: JobContext, tmp_path: Path, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=downloading.SPARE + len(WEIGHTS) - 1))
    with pytest.raises(NotEnoughSpace, match="0.00 GiB are still to be fetched, and 0.25 GiB are free.*HF_HOME"):
        fetch(context, *NEEDED)
    assert not (tmp_path / "cache").exists() and hub.ranges == []


@pytest.mark.parametrize(
    ("refuse", "words"),
    [
        ((404, "RepoNotFound"), "There is no model “someone/tiny” on the hub, or it is private"),
        ((401, "GatedRepo"), "is gated: accept its licence on https://huggingface.co/someone/tiny"),
        ((403, "GatedRepo"), "is gated"),
        ((500, ""), "answered with error 500"),
        ((404, "RevisionNotFound"), "There is no model"),
    ],
)
def test_refusals_of_the_hub_are_said_in_words(context: JobContext, hub: FakeHub, refuse: tuple[int, str], words: str) -> None:
    hub.refuse = refuse
    with pytest.raises(HubError, match=words):
        offer(context)


def test_an_id_that_is_none_and_a_page_that_is_no_answer(context: JobContext, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HubError, match="no id of a model"):
        offer(context, "a/b/c")
    with pytest.raises(HubError, match="There is no model “someone/else”"):
        offer(context, "someone/else")
    monkeypatch.setattr("tests.models.fake_hub.json.dumps", lambda _: "<html>")
    with pytest.raises(HubError, match="cannot be understood"):
        offer(context)


def test_no_network_and_offline_mode_are_said_in_words(tmp_path: Path, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = JobContext(services={"hub": Hub(tmp_path / "cache", "http://127.0.0.1:9")})
    with pytest.raises(HubError, match="there is no network"):
        offer(nowhere)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(HubError, match="HF_HUB_OFFLINE is set"):
        offer(nowhere)


def test_a_repository_that_changed_since_it_was_listed_is_not_fetched(context: JobContext) -> None:
    def job(_: None, ctx: JobContext) -> Any:
        return (yield from download(REPO, "another", NEEDED, ctx))

    with pytest.raises(HubError, match="changed on the hub since"):
        run_inline(job, None, context=context)
