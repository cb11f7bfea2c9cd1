"""A package, so that the one of this name that torch-fidelity installs is not found first."""
