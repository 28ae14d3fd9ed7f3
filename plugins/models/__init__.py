"""Models: every model on this machine with its card, and the import of released checkpoints."""
