"""Hydra's configuration; a package so that Hydra finds it wherever the entry points are imported from."""
