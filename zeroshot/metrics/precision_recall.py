"""Precision and recall of two sets of features (Kynkäänniemi et al. 2019): by balls to the third neighbour."""

from __future__ import annotations

import numpy as np

NEIGHBOUR = 3
FEWEST = NEIGHBOUR + 1  # images a side


def precision_recall(real: np.ndarray, generated: np.ndarray) -> tuple[float, float] | None:
    """Share of generated images among the photographs, and of photographs among the generated images, both in [0, 1].

    An image is among others where it lies in the ball around one of them that reaches to its third neighbour.

    Args:
        real: features of the photographs [n, D].
        generated: features of images [m, D].

    Returns:
        None below four images on a side, for which there is none.
    """
    if min(len(real), len(generated)) < FEWEST:
        return None
    # Here, since it takes a second to import and most commands find their measures computed.
    import torch
    from torch_fidelity.metric_prc import KEY_METRIC_PRECISION, KEY_METRIC_RECALL, prc_features_to_metric

    found = prc_features_to_metric(
        torch.from_numpy(np.ascontiguousarray(generated, dtype=np.float64)),
        torch.from_numpy(np.ascontiguousarray(real, dtype=np.float64)),
        prc_neighborhood=NEIGHBOUR,
        save_cpu_ram=True,  # a batch of distances at a time
        verbose=False,
    )
    return float(found[KEY_METRIC_PRECISION]), float(found[KEY_METRIC_RECALL])
