"""What a person asks for: a model, what it reads, and which heads are switched off. Pure data, no torch, no Qt."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Literal

from studio.host.request import Idle, Request, ui
from studio.models.fields import seed_field

FIRST = "emoji-captions"
EMOJI = "emoji:"
"""What the name of a picture begins with that is drawn here: "emoji:cat:blue" is a cat on blue."""
MOST_TEXT = 400_000
FITS: Mapping[str, str] = MappingProxyType(
    {
        "refuse": "Say so",
        "start": "Keep its start",
        "end": "Keep its end",
        "windows": "Read it in windows",
    }
)


class AttentionRequest(Request):
    """One reading of one input by one model."""

    kind: ClassVar[str] = "attention"

    model: str = ui(
        FIRST,
        title="Model",
        help="A bundled model, one found on this machine, or any transformers folder you opened.",
        widget="choice",
        choices_from="models",
        min_length=1,
        max_length=4096,
    )
    text: str = ui(
        "",
        title="Text",
        help="What the model reads. Models that fill gaps answer for each mask token in it.",
        widget="prompt",
        max_length=MOST_TEXT,
        lines=4,
    )
    target: str = ui(
        "",
        title="Written so far",
        help="What the decoder has written already; empty for its first token. Writing goes on from here.",
        widget="prompt",
        max_length=MOST_TEXT,
        lines=2,
    )
    picture: str = ui(
        "",
        title="Picture",
        help="The file the model looks at. Dropping a picture on the stage fills this in.",
        widget="path",
        max_length=4096,
    )
    captions: str = ui(
        "",
        title="Captions",
        help="Texts that CLIP compares with the picture, one a line.",
        widget="prompt",
        max_length=20_000,
        lines=3,
    )
    tokens: int = ui(
        24,
        title="Tokens to write",
        help="How many tokens “Write on” adds at most; it stops at the end token.",
        ge=1,
        le=1024,
        step=1,
        log=True,
    )
    sampled: bool = ui(
        False, title="Draw tokens at random", help="Otherwise always the likeliest token is written.", advanced=True
    )
    seed: int = seed_field(0, "Number from which the tokens are drawn, where they are drawn at random.")
    fit: Literal["refuse", "start", "end", "windows"] = ui(
        "refuse",
        title="A text that is too long",
        help="What to do with more tokens than the model can read. Windows overlap by half and are read one by one.",
        widget="choice",
        choices=FITS,
        advanced=True,
    )
    window: int = ui(
        1, title="Window", help="Which window of a long text is shown.", ge=1, le=100_000, step=1, advanced=True
    )
    off: tuple[str, ...] = ui((), title="Heads switched off", widget="hidden", sweepable=False)
    takes: tuple[str, ...] = ui(("text",), title="What the model reads", widget="hidden", sweepable=False)

    @property
    def caption_list(self) -> tuple[str, ...]:
        """The captions that are not empty."""
        return tuple(line.strip() for line in self.captions.splitlines() if line.strip())

    def without_effect(self) -> Mapping[str, Idle]:
        """Fields that a model of this kind does not read are left out of the form."""
        gone = Idle("This model does not read it.", hidden=True)
        idle = {name: gone for name in ("text", "target", "picture", "captions") if name not in self.takes}
        if "target" not in self.takes and "text" not in self.takes:
            idle |= dict.fromkeys(("tokens", "sampled", "seed"), Idle("This model writes nothing.", hidden=True))
        elif not self.sampled:
            idle["seed"] = Idle("The likeliest token is always written.", hidden=True)
        if self.fit != "windows":
            idle["window"] = Idle("The text is read as a whole.", hidden=True)
        return idle


def head_name(site: str, head: int) -> str:
    """A head as a request names it."""
    return f"{site}:{head}"


def head_of(name: str) -> tuple[str, int]:
    """The site and the number of a head. Raises ValueError."""
    site, _, head = name.rpartition(":")
    return site, int(head)
