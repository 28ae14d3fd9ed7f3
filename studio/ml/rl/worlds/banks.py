"""Where the copies of a world are opened: here, or in a process of their own."""

from __future__ import annotations

from studio.ml.rl.worlds.bank import Bank, LocalBank
from studio.ml.rl.worlds.remote import RemoteBank
from studio.ml.rl.worlds.spec import FILE, WorldSpec


def bank_of(spec: WorldSpec, count: int, *, isolated: bool = False) -> Bank:
    """Opens `count` copies; those of files always in a process of their own.

    Raises UnknownWorld, MissingPackage, BadSpace, FileChanged, WorldFailed, WorldHung.
    """
    return RemoteBank(spec, count) if isolated or spec.id == FILE else LocalBank(spec, count)
