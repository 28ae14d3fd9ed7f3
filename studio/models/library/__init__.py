"""The library: models that other programs made or fetched, told by their files' names, configurations and headers.

No weights are read and neither torch nor diffusers is imported.
"""
