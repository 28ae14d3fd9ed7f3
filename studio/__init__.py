"""Glassbox Studio: look inside machine-learning models while they work."""

__version__ = "0.1.0"
