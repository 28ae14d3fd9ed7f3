"""What runs in the process of a world that is kept apart: it answers until the other end is gone."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import traceback
from dataclasses import asdict
from multiprocessing.connection import Connection
from typing import Any

from studio.ml.rl.errors import RLError
from studio.ml.rl.worlds.bank import LocalBank
from studio.ml.rl.worlds.errors import WorldFailed
from studio.ml.rl.worlds.spec import WorldSpec
from studio.ml.rl.worlds.wire import pack, unpack

CALLS = ("reset", "step", "act", "frame", "text", "keep", "put_back")
"""What may be asked of a bank."""


def serve(door: Connection, told: dict[str, Any], count: int) -> None:
    """Opens the copies, tells their description, then answers one call after another."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C in the terminal is the window's business.
    threading.Thread(target=_end_with_parent, daemon=True).start()
    bank: LocalBank | None = None
    try:
        try:
            bank = LocalBank(WorldSpec.from_json(told), count)
            answer: Any = {"answer": asdict(bank.description)}
        except BaseException as error:
            answer = {"error": _told(error)}
        door.send_bytes(pack(answer))
        while bank is not None:
            name, arguments = unpack(door.recv_bytes())
            try:
                answer = {"answer": getattr(bank, name)(*arguments) if name in CALLS else None}
            except BaseException as error:
                answer = {"error": _told(error)}
            door.send_bytes(pack(answer))
    except (EOFError, OSError):
        pass  # The other end has gone.
    finally:
        if bank is not None:
            bank.close()


def _told(error: BaseException) -> dict[str, Any]:
    if not isinstance(error, RLError):
        details = "".join(traceback.format_exception(error))
        error = WorldFailed(f"The world's process raised {type(error).__name__}: {error}", details)
    fields = {key: value for key, value in vars(error).items() if isinstance(value, str)}
    return {"kind": type(error).__name__, "message": str(error), "fields": fields}


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
