"""The one error of the command line."""

from __future__ import annotations


class CommandError(Exception):
    """A command that cannot be carried out; the message says why and what to do."""
