"""One table of every file that `world=paper` downloads.

A sha256 stands here only where it is known from outside this project. Where none is, the first file that arrives is
trusted and its sha256 pinned in SHA256SUMS beside it; from then on only that very file is accepted.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

TIMM = "https://huggingface.co/timm/vit_base_patch32_clip_224.openai"
CLIP_SHA256 = "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af"


@dataclass(frozen=True)
class Item:
    """One file or archive; a file that several sources offer has the same bytes at each."""

    name: str
    purpose: str
    filename: str  # within the cache folder
    by_hand: str  # what a user can do where no source works
    size: int | None = None  # bytes: exact where sha256 is known, else about; None: unknown
    sources: tuple[str, ...] = ()  # in order of trial: https address, or gdrive:<id>[?resourcekey=<key>]
    sha256: str | None = None
    kind: Literal["file", "archive"] = "file"
    required: bool = True
    instead_of: str | None = None  # the item that this one can stand for
    folder: str = ""  # an archive: the folder within the cache that holds what it unpacks to,
    member: str = ""  # which of its folders that is,
    contains: tuple[str, ...] = ()  # and what must be in there

    def path(self, cache: Path) -> Path:
        """Where the file lies within the cache folder."""
        return cache / self.filename

    def unpacked(self, cache: Path) -> Path:
        """Where an archive's content lies within the cache folder."""
        return cache / self.folder

    def is_unpacked(self, cache: Path) -> bool:
        """Whether everything that an archive must bring is there, by whomever it was unpacked."""
        folder = self.unpacked(cache)
        return folder.is_dir() and all((folder / name).exists() for name in self.contains)


CLIP = Item(
    name="clip",
    purpose="CLIP ViT-B/32 by OpenAI: ranks labels and scores images",
    filename="ViT-B-32.pt",
    size=353_976_522,
    sources=(f"https://openaipublic.azureedge.net/clip/models/{CLIP_SHA256}/ViT-B-32.pt",),
    sha256=CLIP_SHA256,  # OpenAI's address carries it
    by_hand="copy ViT-B-32.pt of any machine that has run CLIP (~/.cache/clip) to {path}",
)
CLIP_SAFETENSORS = Item(
    name="clip-safetensors",
    purpose="the same CLIP as plain tensors: the copy that open_clip takes",
    filename="clip/open_clip_model.safetensors",
    size=605_143_284,
    sources=(f"{TIMM}/resolve/a6f597a30f7b82c51704746581f9a4e41421e878/open_clip_model.safetensors",),
    sha256="e6d1bd7789aa45192b3bf90570a789b478bae1b74ebcce7eddd908e83a2b7c31",  # as the hub states it for this revision
    by_hand=f"copy open_clip_model.safetensors of {TIMM} to {{path}}",
    instead_of="clip",
)
SAGAN = Item(
    name="sagan",
    purpose="SAGAN, ImageNet 128 px: the checkpoint of StudioGAN's that the released code's library loads",
    filename="studiogan-sagan-128.pth",
    size=168_000_000,  # the generator's 42 million numbers; more where the checkpoint keeps its optimiser too
    sources=("gdrive:1exrZloM2bHYJyU5_v9XUMlNcy5TA6gMN",),
    by_hand="open https://drive.google.com/file/d/1exrZloM2bHYJyU5_v9XUMlNcy5TA6gMN/view in a browser and save the "
    "file as {path}. Or take another SAGAN of https://huggingface.co/Mingguksky/PyTorch-StudioGAN, below "
    "studiogan_official_ckpt/ImageNet_tailored, and name it with generator.weights=FILE: that is a later training "
    "run with a 128-px FID of 51.8 instead of 34.7, so its Table 1 is not the paper's",
)
BIGGAN = Item(
    name="biggan",
    purpose="BigGAN-deep-256, as pytorch-pretrained-biggan offers it",
    filename="biggan-deep-256-pytorch_model.bin",
    size=234_411_737,
    sources=("https://s3.amazonaws.com/models.huggingface.co/biggan/biggan-deep-256-pytorch_model.bin",),
    # Stated by one public source only, together with the sha256 of config.json, which zeroshot/models/
    # generators/biggan-deep-256.json meets once it is written as that file is.
    sha256="5900ef4065047e3aa0d1b66197b7f2664dceb59b27080e414ad57e203c485bc5",
    by_hand="copy it from a machine that has run pytorch-pretrained-biggan (~/.pytorch_pretrained_biggan keeps it "
    "under a hashed name) to {path}, or name an address or folder that has it with --mirror",
)
INCEPTION = Item(
    name="inception",
    purpose="Inception-v3 of pytorch-fid: features of the Fréchet distance",
    filename="pt_inception-2015-12-05-6726825d.pth",
    size=95_628_359,
    sources=(
        "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
        # torch-fidelity's release of the same bytes
        "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
    ),
    sha256="6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",  # its name begins with it
    by_hand="copy it from a machine that has run pytorch-fid (~/.cache/torch/hub/checkpoints) to {path}",
)
CUB = Item(
    name="cub",
    purpose="CUB-200-2011: 11,788 photographs of birds with their boxes",
    filename="CUB_200_2011.tgz",
    size=1_150_585_339,
    sources=("https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz",),
    # Of the archive whose published md5 is 97eceeb196236b17998738112f37df78.
    sha256="0c685df5597a8b24909f6a7c9db6d11e008733779a671760afef78feb49bf081",
    kind="archive",
    folder="CUB_200_2011",
    member="CUB_200_2011",
    contains=("images", "images.txt", "bounding_boxes.txt", "classes.txt"),
    by_hand="save CUB_200_2011.tgz of https://data.caltech.edu/records/65de6-vp158 as {path}, then run this again",
)
CCUB_BY_HAND = (
    "a Google Drive folder cannot be fetched without an account's key: open "
    "https://drive.google.com/drive/folders/1jOnNp0RkUN_QFa-GvfitbKh8YTthLtgl in a browser (linked by "
    "github.com/Seth-Park/comp-t2i-dataset) and save {file} of C-CUB's colour split as {path}"
)
CCUB_CAPTIONS = Item(
    name="ccub-captions",
    purpose="C-CUB colour: ten captions an image",
    filename="C-CUB/color/data.pkl",
    by_hand=CCUB_BY_HAND.replace("{file}", "data.pkl"),
)
CCUB_SPLIT = Item(
    name="ccub-split",
    purpose="C-CUB colour: which images are train (9,010) and test (2,778)",
    filename="C-CUB/color/split.pkl",
    by_hand=CCUB_BY_HAND.replace("{file}", "split.pkl"),
)
REED = Item(
    name="reed-captions",
    purpose="Reed et al. 2016: the same captions as text files, for data.source=reed only",
    filename="cvpr2016_cub.tar.gz",
    sources=("gdrive:0B0ywwgffWnLLZW9uVHNjb2JmNlE?resourcekey=0-8y2UVmBHAlG26HafWYNoFQ",),
    kind="archive",
    required=False,
    folder="CUB_captions/text",
    member="cvpr2016_cub/text_c10",
    by_hand="save https://drive.google.com/file/d/0B0ywwgffWnLLZW9uVHNjb2JmNlE/view?resourcekey=0-8y2UVmBHAlG26HafWYNoFQ"
    " as {path}, then run this again with --optional",
)
RANKINGS = Item(
    name="rankings",
    purpose="the authors' label rankings, for protocol.rankings=cache:imagenet_labels.pkl only",
    filename="imagenet_labels.pkl",
    sources=("gdrive:10Ke_x0IALG9iCUUFXPL3ZDJMZqBVmOuo",),
    required=False,
    by_hand="save https://drive.google.com/file/d/10Ke_x0IALG9iCUUFXPL3ZDJMZqBVmOuo/view as {path}",
)
ITEMS = (CLIP, CLIP_SAFETENSORS, SAGAN, BIGGAN, INCEPTION, CUB, CCUB_CAPTIONS, CCUB_SPLIT, REED, RANKINGS)
