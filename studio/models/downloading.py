"""Downloading a model from the hub, through the engine: listed first, then fetched file by file into the cache."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.engine import Event, JobContext, Offload, Progress
from studio.host.atomic import FileUnwritable
from studio.models.hub import Hub, HubError, HubFile, Listing
from studio.models.library.hub_cache import cache_folder
from studio.models.stepwise import Finished, Stepwise
from studio.models.survey import free_disk

SPARE = 256 << 20
"""Bytes of the disk left free."""


class NotEnoughSpace(ValueError):
    """Less free disk than a download needs; the message has the numbers."""


@dataclass(frozen=True)
class Offer:
    """What can be downloaded, where it would go, bytes of each file that are still missing, what is free there."""

    listing: Listing
    folder: Path
    missing: tuple[int, ...]
    free: int


@dataclass(frozen=True)
class Downloaded:
    """The model's folder in the cache and the bytes that were fetched."""

    repo: str
    folder: Path
    nbytes: int


def hub_of(ctx: JobContext) -> Hub:
    """The hub a job asks: the service "hub" where there is one, else the usual one with the local cache."""
    hub = ctx.services.get("hub")
    return hub if isinstance(hub, Hub) else Hub(cache_folder())


def look_up(repo: str, ctx: JobContext) -> Generator[Event | Offload, Any, Offer]:
    """List a repository; nothing is fetched. Raises HubError."""
    yield Progress(0, 1, f"asking for the files of {repo}")
    offer: Offer = yield Offload(_offer, hub_of(ctx), repo)
    return offer


def download(
    repo: str, revision: str, names: Sequence[str], ctx: JobContext
) -> Generator[Event | Offload, Any, Downloaded]:
    """Fetch files of a repository; what was broken off before is taken up again. Cancelling keeps what is there.

    Raises HubError, NotEnoughSpace before anything is fetched, FileUnwritable.
    """
    hub = hub_of(ctx)
    offer = yield from look_up(repo, ctx)
    listing = offer.listing
    if revision and listing.revision != revision:
        raise HubError(f"“{repo}” was changed on the hub since its files were listed. Look at the new list first.")
    files = tuple(file for file in listing.files if file.name in names)
    if not files:
        raise HubError(f"None of the files chosen is in “{repo}”. List its files and tick what you need.")
    missing = sum(nbytes for file, nbytes in zip(listing.files, offer.missing, strict=True) if file in files)
    _need_space(offer, missing)
    before, total = 0, sum(file.nbytes for file in files)
    place = Path()
    for file in files:
        place = yield from _fetch(hub, listing, file, before, total)
        before += file.nbytes
    yield Offload(hub.name_main, listing)
    depth = len(Path(files[-1].name).parts)
    return Downloaded(repo, place.parents[depth - 1], missing)


def _fetch(
    hub: Hub, listing: Listing, file: HubFile, before: int, total: int
) -> Generator[Event | Offload, Any, Path]:
    work = Stepwise(hub.fetch(listing, file))
    try:
        while not isinstance(done := (yield Offload(work.advance)), Finished):
            yield Progress(before + done, total, f"downloading {file.name}")
        place: Path = done.value
        return place
    except OSError as error:
        raise FileUnwritable(hub.cache, error) from error
    finally:
        work.give_up()


def _offer(hub: Hub, repo: str) -> Offer:
    listing = hub.listing(repo)
    missing = tuple(hub.missing_bytes(listing, (file,)) for file in listing.files)
    return Offer(listing, hub.cache, missing, free_disk(hub.cache))


def _need_space(offer: Offer, missing: int) -> None:
    if missing + SPARE > offer.free:
        raise NotEnoughSpace(
            f"{missing / 2**30:.2f} GiB are still to be fetched, and {offer.free / 2**30:.2f} GiB are free on the disk "
            f"of “{offer.folder}”. Free some space, or start the studio with HF_HOME on another disk."
        )
