"""What `make benchmark` measures, one file per part, and how it is written down: docs/benchmarks.md."""
