"""The tables of the library that are exported."""

from __future__ import annotations

from collections.abc import Sequence

from studio.host.export import Table
from studio.models.library.holding import Holding
from studio_plugins.models.checksums import Digest
from studio_plugins.models.library_words import abilities_text, formats_text, kind_text, state_word


def library_table(holdings: Sequence[Holding]) -> Table:
    """The models of other programs, a row each."""
    return Table(
        {
            "model": [holding.title for holding in holdings],
            "kind": [holding.kind for holding in holdings],
            "what": [kind_text(holding) for holding in holdings],
            "can_do": [abilities_text(holding.abilities) for holding in holdings],
            "pixels": [holding.size for holding in holdings],
            "parameters": [holding.count for holding in holdings],
            "stored_as": [formats_text(holding.formats) for holding in holdings],
            "bytes": [holding.nbytes for holding in holdings],
            "memory_half": [holding.memory(2) if holding.count else 0 for holding in holdings],
            "licence": [holding.licence for holding in holdings],
            "state": [state_word(holding) for holding in holdings],
            "place": [str(holding.place) for holding in holdings],
        }
    )


def digests_table(digests: Sequence[Digest]) -> Table:
    """The digests computed since the panel was opened, a file each."""
    return Table(
        {
            "file": [str(digest.file) for digest in digests],
            "bytes": [digest.nbytes for digest in digests],
            "sha256": [digest.sha256 for digest in digests],
            "published": [digest.published for digest in digests],
        }
    )
