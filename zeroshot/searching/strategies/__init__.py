"""Search strategies by ask and tell: they see labels, z, scores and gradients, but no caption, no CLIP and no file."""
