"""What `make benchmark` measures, one file per part, and how it is written down. Uses everything below it."""
