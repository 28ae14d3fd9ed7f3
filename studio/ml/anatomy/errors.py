"""What keeps a model from being taken apart, in words a person can act on."""

from __future__ import annotations


class AnatomyError(ValueError):
    """Base of the errors of this package."""


class NotAModel(AnatomyError):
    """Nothing at this place is a model's folder or configuration."""


class CorruptConfig(AnatomyError):
    """A configuration that is no JSON object, or whose values no model can be built from."""


class UnknownArchitecture(AnatomyError):
    """A kind of model that the installed transformers does not know."""


class RemoteCode(AnatomyError):
    """A model that brings Python code of its own, which is not run."""


class AbsurdSize(AnatomyError):
    """Sizes that no machine holds: most likely a slip in the configuration."""


class Untraceable(AnatomyError):
    """A model whose calls cannot be followed without real numbers; its parameters can still be counted."""


class TooLarge(AnatomyError):
    """A block that this machine has too little memory or time for."""
