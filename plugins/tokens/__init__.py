"""Token attention: where on the picture each word of a prompt acts, step by step, layer by layer, head by head."""
