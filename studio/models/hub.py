"""Models on Hugging Face: what a repository holds, and fetching its files into the local cache.

The library huggingface_hub lists, names and links; only the large files are streamed here, because the library's own
download into the cache begins anew each time it is broken off (it writes to a name made up for the occasion).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.host import atomic
from studio.models.library.hub_cache import repo_folder
from studio.models.library.weights import PICKLES

CHUNK = 1 << 20
"""Bytes of one piece."""
PATIENCE = 20.0
"""Seconds without an answer after which a server counts as gone."""
_FOREIGN = (
    ".msgpack", ".h5", ".onnx", ".onnx_data", ".pb", ".tflite", ".ot", ".gguf", ".xml", ".mlmodel",
    ".png", ".jpg", ".jpeg", ".gif", ".webp", ".mp4",
)  # fmt: skip
_FETCHED = (".json", ".txt", ".model", ".safetensors", ".md", ".jinja")
_NAMELESS = ("LICENSE", "LICENCE")


class HubError(ValueError):
    """The hub, or what it answered, cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class HubFile:
    """A file of a repository. sha256: "" for small ones, which are kept in git; wanted: whether a model needs it."""

    name: str
    nbytes: int
    sha256: str = ""
    wanted: bool = True
    note: str = ""


@dataclass(frozen=True)
class Listing:
    """What a repository holds at one revision, and the licence its card states ("" for none)."""

    repo: str
    revision: str
    licence: str
    gated: bool
    files: tuple[HubFile, ...]


@dataclass(frozen=True)
class Hub:
    """A hub and the local cache beside it. endpoint: None is the usual one."""

    cache: Path
    endpoint: str | None = None

    def listing(self, repo: str) -> Listing:
        """What a repository holds; nothing is fetched. Raises HubError."""
        from huggingface_hub import HfApi

        with in_words(repo):
            info = HfApi(endpoint=self.endpoint).model_info(repo, files_metadata=True, timeout=PATIENCE)
        files = [(s.rfilename, s.size or 0, s.lfs.sha256 if s.lfs is not None else "") for s in info.siblings or ()]
        card = info.card_data
        licence: Any = (card.get("license_name") or card.get("license") or "") if card is not None else ""
        text = ", ".join(map(str, licence)) if isinstance(licence, list) else str(licence)
        return Listing(info.id, info.sha or "main", text, bool(info.gated), tuple(_judged(files)))

    def missing_bytes(self, listing: Listing, files: tuple[HubFile, ...]) -> int:
        """Bytes that are still to be fetched of these files."""
        return sum(file.nbytes - self._here(listing, file) for file in files)

    def fetch(self, listing: Listing, file: HubFile) -> Generator[int, None, Path]:
        """Fetch a file into the cache, going on where an earlier attempt ended; its value is where it is.

        Yields the bytes that are there so far. Closing the generator keeps them. Raises HubError, OSError.
        """
        with in_words(listing.repo):
            if file.sha256 and not self._snapshot(listing, file).exists():
                yield from self._stream(listing, file)
            yield file.nbytes
            return self._linked(listing, file)

    def name_main(self, listing: Listing) -> None:
        """Let "main" mean the revision that was listed, so that programs which ask for no revision find it.

        Raises FileUnwritable.
        """
        atomic.write_text(repo_folder(self.cache, listing.repo) / "refs" / "main", listing.revision)

    def _here(self, listing: Listing, file: HubFile) -> int:
        """Bytes of a file that are here already."""
        if self._snapshot(listing, file).exists() or (file.sha256 and self._blob(listing, file).exists()):
            return file.nbytes
        part = self._part(listing, file)
        return min(part.stat().st_size, file.nbytes) if file.sha256 and part.exists() else 0

    def _stream(self, listing: Listing, file: HubFile) -> Iterator[int]:
        """Fetch the content of a large file; it is checked against its digest before it counts as one."""
        from filelock import FileLock, Timeout

        blob, part = self._blob(listing, file), self._part(listing, file)
        blob.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{part}.lock", timeout=0, thread_local=False)
        try:
            lock.acquire()
        except Timeout as error:
            text = f"“{file.name}” is being fetched by another window. Wait for it, or cancel it there."
            raise HubError(text) from error
        try:
            if not blob.exists():
                yield from self._append(listing, file, part)
                part.replace(blob)
        finally:
            lock.release()
            Path(lock.lock_file).unlink(missing_ok=True)

    def _append(self, listing: Listing, file: HubFile, part: Path) -> Iterator[int]:
        from huggingface_hub import get_session, hf_hub_url
        from huggingface_hub.utils import build_hf_headers, hf_raise_for_status  # type: ignore[attr-defined]

        digest = hashlib.sha256()
        with part.open("a+b") as out:
            done = yield from _read_again(out, digest, file.nbytes)
            if done < file.nbytes:
                url = hf_hub_url(listing.repo, file.name, revision=listing.revision, endpoint=self.endpoint)
                headers = {**build_hf_headers(), "Range": f"bytes={done}-", "Accept-Encoding": "identity"}
                with get_session().stream("GET", url, headers=headers, timeout=PATIENCE) as response:
                    hf_raise_for_status(response)
                    if response.status_code != 206 and done:  # the server sends everything from the beginning
                        out.truncate(0)
                        digest, done = hashlib.sha256(), 0
                    for piece in response.iter_bytes(CHUNK):
                        out.write(piece)
                        digest.update(piece)
                        done += len(piece)
                        yield done
        if done < file.nbytes:
            text = f"“{file.name}” was broken off at {done:,} of {file.nbytes:,} bytes."
            raise HubError(f"{text} Download again: it goes on there.")
        if digest.hexdigest() != file.sha256:
            part.unlink(missing_ok=True)
            text = f"“{file.name}” arrived damaged (its SHA-256 is another) and was removed."
            raise HubError(f"{text} Download it again.")

    def _linked(self, listing: Listing, file: HubFile) -> Path:
        """The file under its name in the snapshot; small ones are fetched here, large ones are linked."""
        from huggingface_hub import hf_hub_download

        return Path(
            hf_hub_download(
                listing.repo, file.name, revision=listing.revision, cache_dir=self.cache, endpoint=self.endpoint,
                etag_timeout=PATIENCE,
            )  # fmt: skip
        )

    def _snapshot(self, listing: Listing, file: HubFile) -> Path:
        return repo_folder(self.cache, listing.repo) / "snapshots" / listing.revision / file.name

    def _blob(self, listing: Listing, file: HubFile) -> Path:
        return repo_folder(self.cache, listing.repo) / "blobs" / file.sha256

    def _part(self, listing: Listing, file: HubFile) -> Path:
        blob = self._blob(listing, file)
        return blob.with_name(f"{blob.name}.incomplete")


def _read_again(part: Any, digest: Any, most: int) -> Generator[int, None, int]:
    """Take what an earlier attempt left into the digest; its value is how many bytes that were."""
    part.seek(0, 2)
    if part.tell() > most:
        part.truncate(0)
    part.seek(0)
    done = 0
    while piece := part.read(CHUNK):
        digest.update(piece)
        done += len(piece)
        yield done
    return done


def _judged(files: list[tuple[str, int, str]]) -> Iterator[HubFile]:
    """Which of a repository's files a model needs: configurations, vocabularies, and each network's weights once."""
    names = {name for name, _, _ in files}
    pipeline = "model_index.json" in names
    for name, nbytes, sha256 in sorted(files):
        wanted, note = _wanted(name, names, pipeline)
        yield HubFile(name, nbytes, sha256, wanted, note)


def _wanted(name: str, names: set[str], pipeline: bool) -> tuple[bool, str]:
    path = Path(name)
    suffix = path.suffix.lower()
    if suffix in PICKLES:
        return False, "pickle: it is not opened here"
    if suffix in _FOREIGN or name.startswith(("onnx/", "openvino/", "flax")):
        return False, "not needed here"
    if suffix == ".safetensors":
        plain = name.replace(".fp16", "").replace(".non_ema", "").replace(".ema", "")
        if plain != name and plain in names:
            return False, "the same network in another precision"
        if pipeline and "/" not in name:
            return False, "the whole model once more, in one file"
        return True, ""
    return suffix in _FETCHED or path.name in _NAMELESS, ""


@contextmanager
def in_words(repo: str) -> Iterator[None]:
    """Turn what the hub's library raises into HubError, which says what to do."""
    import httpx2
    from huggingface_hub import errors

    try:
        yield
    except errors.OfflineModeIsEnabled as error:
        raise HubError(
            "The hub is not asked: HF_HUB_OFFLINE is set in the environment. Start the studio without it to download."
        ) from error
    except errors.HFValidationError as error:
        raise HubError(f"“{repo}” is no id of a model. Ids look like “organisation/name”.") from error
    except errors.GatedRepoError as error:
        raise HubError(
            f"“{repo}” is gated: accept its licence on https://huggingface.co/{repo}, then log in with “hf auth login”."
        ) from error
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as error:
        raise HubError(f"There is no model “{repo}” on the hub, or it is private. Check the id.") from error
    except errors.EntryNotFoundError as error:
        text = f"A file of “{repo}” is no longer on the hub, or cannot be reached. List its files again."
        raise HubError(text) from error
    except (httpx2.TransportError, ConnectionError) as error:
        raise HubError(
            "The hub cannot be reached: there is no network, or a proxy is in the way. What was fetched is kept; try "
            "again later."
        ) from error
    except json.JSONDecodeError as error:
        text = "The hub's answer cannot be understood: a login page of the network may have come instead."
        raise HubError(text) from error
    except errors.HfHubHTTPError as error:
        raise HubError(f"The hub answered with error {error.response.status_code}. Try again later.") from error
