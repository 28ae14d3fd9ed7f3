"""The things emoji scenes are made of: nouns with their Unicode characters, and named background colours.

Nouns are the English CLDR short names of the emoji (a test compares them with an independent list).
"""

from __future__ import annotations

NOUNS: dict[str, str] = {
    "cat": "🐈", "dog": "🐕", "penguin": "🐧", "frog": "🐸", "fish": "🐟", "butterfly": "🦋", "octopus": "🐙",
    "panda": "🐼", "red apple": "🍎", "banana": "🍌", "lemon": "🍋", "watermelon": "🍉", "strawberry": "🍓",
    "pizza": "🍕", "hamburger": "🍔", "sun": "☀", "star": "⭐", "rainbow": "🌈", "fire": "🔥", "tulip": "🌷",
    "sunflower": "🌻", "evergreen tree": "🌲", "mushroom": "🍄", "automobile": "🚗", "rocket": "🚀", "house": "🏠",
    "balloon": "🎈", "soccer ball": "⚽", "crown": "👑", "red heart": "❤", "wrapped gift": "🎁", "robot": "🤖",
    # the first 32 are the vocabulary of the recipes for machines without an accelerator
    "turtle": "🐢", "owl": "🦉", "elephant": "🐘", "pig": "🐖", "snail": "🐌", "lady beetle": "🐞", "crab": "🦀",
    "grapes": "🍇", "pineapple": "🍍", "carrot": "🥕", "doughnut": "🍩", "birthday cake": "🎂", "rose": "🌹",
    "cactus": "🌵", "snowman": "☃", "crescent moon": "🌙", "bus": "🚌", "bicycle": "🚲", "sailboat": "⛵",
    "guitar": "🎸", "basketball": "🏀", "key": "🔑", "light bulb": "💡", "bell": "🔔", "ghost": "👻", "umbrella": "☂",
}  # fmt: skip

BACKGROUNDS: dict[str, tuple[int, int, int]] = {
    "blue": (64, 124, 232),
    "red": (222, 62, 62),
    "yellow": (250, 212, 72),
    "green": (72, 176, 88),
    "purple": (146, 88, 204),
    "white": (248, 248, 248),
    "gray": (148, 150, 156),
    "black": (24, 24, 28),
    # the first 8 are the backgrounds of the recipes for machines without an accelerator
    "orange": (245, 146, 50),
    "pink": (248, 168, 200),
}

ALIASES: dict[str, str] = {
    "apple": "red apple", "heart": "red heart", "car": "automobile", "tree": "evergreen tree", "gift": "wrapped gift",
    "present": "wrapped gift", "burger": "hamburger", "football": "soccer ball", "flame": "fire", "moon": "crescent moon",
    "ladybird": "lady beetle", "ladybug": "lady beetle", "cake": "birthday cake", "donut": "doughnut", "bike": "bicycle",
    "boat": "sailboat", "grey": "gray", "tiny": "small", "little": "small", "big": "large", "huge": "large", "violet": "purple",
    "one": "a", "beneath": "below", "underneath": "below",
}  # fmt: skip
"""What people type for what the scenes call otherwise."""

_IRREGULAR = {"fish": "fish", "butterfly": "butterflies", "strawberry": "strawberries", "octopus": "octopuses", "bus": "buses", "grapes": "grapes"}


def plural(noun: str) -> str:
    """The plural as the captions write it."""
    return _IRREGULAR.get(noun, noun + "s")


def article(phrase: str) -> str:
    """The phrase with its indefinite article: "a cat", "an owl"."""
    return ("an " if phrase[0] in "aeiou" else "a ") + phrase
