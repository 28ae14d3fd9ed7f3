"""Where the parameters, the arithmetic, the memory and the time of a transformer go: counted, and the formulas beside.

Models are built from their configuration on torch's meta device, where a tensor has a shape and no memory; a model of
seventy billion parameters opens as fast as a small one. Importing this package loads neither torch nor transformers.
"""
