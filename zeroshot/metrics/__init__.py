"""One file per measure, and the feature extractors. Uses models; knows no world and no run."""
