"""Tensor inspector: what is inside an image, a NumPy file or a safetensors file, tensor by tensor."""
