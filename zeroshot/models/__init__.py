"""CLIP, generators, weights and devices: what computes. Uses storage; knows no world and no run."""
