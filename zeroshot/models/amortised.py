"""A network from a text's CLIP vector to labels and z, so that a search need not begin blind.

The paper names an amortised latent generator among what comes next; the authors' own, deprecated, gives z alone. This
one learns from a bank of images: for a text, which of them score best, hence which labels and which z.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from tqdm import tqdm

from zeroshot.strategy_settings import AmortisedStart

HIDDEN = 256
TEXTS = 256  # of a training step
LEARNING_RATE = 1e-3
LEAST_LOG_SD, MOST_LOG_SD = -2.0, 0.5  # of z, whose prior has 0


class Amortised(nn.Module):
    """Perceptron with two hidden layers: unit vectors [N, D] -> logits of the labels, mean and log sd of z.

    Args:
        embed_dim, classes, z_dim: D, and the sizes of what it proposes.
    """

    def __init__(self, embed_dim: int, classes: int, z_dim: int) -> None:
        super().__init__()
        self.sizes = [classes, z_dim, z_dim]
        self.layers = nn.Sequential(
            nn.Linear(embed_dim, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU(),
            nn.Linear(HIDDEN, sum(self.sizes)),
        )  # fmt: skip

    def forward(self, text: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Unit vectors float32 [N, D] -> logits [N, classes], mean [N, z_dim] and log sd [N, z_dim]."""
        # Unit vectors have entries of 1/√D: brought to 1, as a first layer's usual initialisation expects.
        logits, mean, log_sd = self.layers(text * text.shape[1] ** 0.5).split(self.sizes, dim=1)
        return logits, mean, log_sd.clamp(LEAST_LOG_SD, MOST_LOG_SD)


def train(
    settings: AmortisedStart, embeddings: np.ndarray, class_index: np.ndarray, z: np.ndarray, texts: np.ndarray,
    classes: int,
) -> Amortised:  # fmt: skip
    """Train on a bank of images, the same network whenever it is called with the same.

    Args:
        settings: of the training.
        embeddings, class_index, z: of the bank's images: unit vectors float32 [n, D], int64 [n], standard normal
            float [n, z_dim].
        texts: unit vectors of captions, float32 [m, D]; not used where the settings say language_free.
        classes: number of labels.
    """
    generator = torch.Generator().manual_seed(settings.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        model = Amortised(embeddings.shape[1], classes, z.shape[1])
    bank, labels, latents = torch.from_numpy(embeddings), torch.from_numpy(class_index), torch.from_numpy(z).float()
    inputs = bank if settings.language_free else torch.from_numpy(texts)
    optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE)
    elite = min(settings.elite, len(bank))
    for _ in tqdm(range(settings.steps), desc="amortised network", unit="step", disable=None, leave=False):
        own = inputs[torch.randint(len(inputs), (TEXTS,), generator=generator)]  # [N, D]
        noise = torch.randn(own.shape, generator=generator) * settings.noise / own.shape[1] ** 0.5
        score, best = (own @ bank.T).topk(elite, dim=1)  # [N, elite]
        weight = torch.softmax(score / settings.temperature, dim=1)
        logits, mean, log_sd = model(F.normalize(own + noise, dim=1))
        label_loss = -(weight * torch.log_softmax(logits, dim=1).gather(1, labels[best])).sum(dim=1)
        away = (latents[best] - mean[:, None]) / log_sd.exp()[:, None]  # [N, elite, z_dim]
        z_loss = (weight[:, :, None] * (away**2 / 2 + log_sd[:, None])).sum(dim=1).mean(dim=1)
        optimizer.zero_grad()
        (label_loss + z_loss).mean().backward()
        optimizer.step()
    return model.eval()
