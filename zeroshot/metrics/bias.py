"""What is said of Fréchet distances from too few images; in a file of its own, since who shows one computes none."""

from __future__ import annotations


def bias_note(images: int, dim: int) -> str:
    """What every place that shows a Fréchet distance says of one from too few images; empty where they are enough.

    The distance of a finite sample lies above that of infinitely many, by more the fewer images there are; below the
    features' dimension the covariance is not even of full rank (2,048 with Inception, 32 in the miniature).

    Args:
        images: the smaller number of images on the two sides.
        dim: dimension D of the features.
    """
    return f"biased high: {images:,} images for {dim:,} features" if images < dim else ""
