"""Hydra finds launchers in packages of the namespace hydra_plugins only; conf/hydra/launcher/ names these."""
