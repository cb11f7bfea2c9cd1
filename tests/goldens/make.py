"""Run a peer's code and write what it gives: python -m tests.goldens.make NAME CHECKOUT (see README.md here)."""

from __future__ import annotations

import argparse
import importlib
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import torch

from tests.goldens.golden import sources, write

PEERS = {  # name of the golden: module of tests.goldens.peers, and where the peer comes from
    "studiogan": ("studiogan", "https://github.com/POSTECH-CVLab/PyTorch-StudioGAN"),
    "studiogan_2021": ("studiogan", "https://github.com/POSTECH-CVLab/PyTorch-StudioGAN"),
    "openai_clip": ("openai_clip", "https://github.com/openai/CLIP"),
    "pytorch_fid": ("pytorch_fid", "https://github.com/mseitzer/pytorch-fid"),
    "torch_fidelity": ("torch_fidelity", "https://github.com/toshas/torch-fidelity"),
    "biggan": ("biggan", "https://pypi.org/project/pytorch-pretrained-biggan"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=PEERS)
    parser.add_argument("checkout", type=Path, help="folder of the peer: a git checkout, or an installed package's")
    arguments = parser.parse_args()
    checkout = arguments.checkout.resolve()
    module, address = PEERS[arguments.name]
    torch.set_num_threads(1)  # threads decide last bits
    cases = importlib.import_module(f"tests.goldens.peers.{module}").run(checkout)
    content = {
        "peer": address,
        "version": _version(checkout),
        "command": f"python -m tests.goldens.make {arguments.name} CHECKOUT",
        "with": {"python": platform.python_version(), "torch": torch.__version__, "machine": platform.machine()},
        "sha256": sources(checkout),
        "cases": cases,
    }
    print(write(arguments.name, content))


def _version(checkout: Path) -> str:
    """The commit of an unchanged checkout, or the version of an installed package."""
    if not (checkout / ".git").exists():
        return f"{checkout.name} {version(checkout.name)}"
    changed = _git(checkout, "status", "--porcelain", "--untracked-files=no")
    if changed:
        raise SystemExit(f"{checkout} is changed: {changed}")
    return f"commit {_git(checkout, 'rev-parse', 'HEAD')}"


def _git(checkout: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(checkout), *arguments], capture_output=True, text=True, check=True
    ).stdout.strip()


if __name__ == "__main__":
    main()
