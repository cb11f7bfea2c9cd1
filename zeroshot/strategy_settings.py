"""What can be set of a search strategy: a start and a refinement, each with fields of its own, and what they pay.

Every number was chosen on captions of the train split; docs/search.md says how, and what others did.
"""

from __future__ import annotations

from dataclasses import dataclass

from zeroshot.errors import UserError


@dataclass
class StartSettings:
    """What a search draws first."""

    name: str = "random"
    warm_up: int = 10  # evaluations, before a refinement takes over


@dataclass
class RandomStart(StartSettings):
    """Algorithm 1: a label uniformly from the top k, z ~ N(0, I)."""


@dataclass
class SoftmaxStart(StartSettings):
    """A label by softmax(similarity / temperature) over all labels, whatever k; z ~ N(0, I)."""

    name: str = "softmax"
    temperature: float = 0.03  # of cosines; from 0.001 to 10


@dataclass
class HalvingStart(StartSettings):
    """Sequential halving of the top k labels by their best score (Karnin, Koren and Somekh 2013)."""

    name: str = "halving"
    warm_up: int = 20  # the least that k = 10 needs


@dataclass
class BankStart(StartSettings):
    """The images of a bank whose CLIP vectors are nearest to the text. The bank is made once for a generator."""

    name: str = "bank"
    warm_up: int = 1  # the nearest one
    images_per_label: int = 10
    seed: int = 0  # of the bank's z


@dataclass
class AmortisedStart(BankStart):
    """A small network from CLIP's text vector to a distribution of labels and of z, trained on train captions and a
    bank of images. It is trained when it is first asked for; `weights` names one that was trained before."""

    name: str = "amortised"
    warm_up: int = 4  # its first images are good ones
    weights: str | None = None  # safetensors that this program wrote
    language_free: bool = False  # trained from image vectors and noise, without captions (Zhou et al. 2022, LAFITE)
    steps: int = 400  # of training, with 256 texts each
    elite: int = 40  # a caption's best images of the bank are what it learns from
    temperature: float = 0.02  # weighs them by softmax(score / temperature)
    noise: float = 0.3  # length of what is added to a unit vector in training
    spread: float = 0.8  # of z around its mean, in units of the learnt standard deviation


@dataclass
class RefineSettings:
    """What a search does with the budget that the start has left."""

    name: str = "none"


@dataclass
class NoRefinement(RefineSettings):
    """The start goes on."""


@dataclass
class Refinement(RefineSettings):
    """One that takes over after the start's `warm_up`."""


@dataclass
class EvolutionRefinement(Refinement):
    """Evolution strategy on the sphere: children lie at an angle around the best, which grows smaller."""

    name: str = "evolution"
    children: int = 5  # of a generation
    step: float = 0.5  # sine of the angle, in (0, 1]
    decay: float = 0.95  # of the step, a generation


@dataclass
class CatCMARefinement(Refinement):
    """CatCMA on z and the label (Hamano et al. 2024), of PyPI's cmaes; with labels = 1 CMA-ES on z alone."""

    name: str = "catcma"
    labels: int = 10  # the most similar ones are what it chooses from
    sigma: float = 0.5  # initial standard deviation of z
    population: int = 10  # of a generation


@dataclass
class GeneticRefinement(Refinement):
    """Genetic algorithm on z and label, as CLIP-GLaSS searches (Galatolo et al. 2021)."""

    name: str = "genetic"
    population: int = 5  # parents, and children of a generation
    mutation: float = 0.3  # standard deviation of what is added to a child's z, which keeps its length in the mean
    label_mutation: float = 0.1  # probability that a child's label is drawn anew from the top k


@dataclass
class GradientRefinement(Refinement):
    """Adam on z (Kingma and Ba 2015), as VQGAN-CLIP and FuseDream search."""

    name: str = "gradient"
    learning_rate: float = 0.3
    radius: float | None = 1.0  # |z| is at most radius * sqrt(z_dim) after each step; null: unbounded
    mixture: bool = False  # the class too: softmax weights over the top k, of the generators that take them
    copies: int = 0  # augmented copies of the image whose mean score a step climbs, beside the image itself


@dataclass
class EliteMeanRefinement(Refinement):
    """The authors' deprecated heuristic: z = sigma * N(0, I) + the mean of the best z so far."""

    name: str = "elite_mean"
    elite: int = 10  # z that are averaged
    sigma: float = 0.05


@dataclass
class ReinforceRefinement(Refinement):
    """Policy gradient (Williams 1992) on the logits of the top k labels and the mean of a Gaussian z."""

    name: str = "reinforce"
    batch: int = 10  # evaluations of a step
    label_rate: float = 1.0  # learning rates
    z_rate: float = 1.0
    sigma: float = 0.7  # standard deviation of the Gaussian


@dataclass
class PriceSettings:
    """What b counts: an image that is generated and scored is 1."""

    gradient_step: int = 3  # forward and backward through generator and CLIP
    augmented_copy: int = 1  # each, in a gradient step


STARTS: dict[str, type[StartSettings]] = {
    kind.name: kind for kind in (RandomStart, SoftmaxStart, HalvingStart, BankStart, AmortisedStart)
}
REFINEMENTS: dict[str, type[RefineSettings]] = {
    kind.name: kind
    for kind in (
        NoRefinement,
        EvolutionRefinement,
        CatCMARefinement,
        GeneticRefinement,
        GradientRefinement,
        EliteMeanRefinement,
        ReinforceRefinement,
    )
}


def strategy_name(start: StartSettings, refine: RefineSettings) -> str:
    """`random`, which is Algorithm 1, or `<start>+<refine>`."""
    return "random" if (start.name, refine.name) == ("random", "none") else f"{start.name}+{refine.name}"


def draws_are_known(start: StartSettings, refine: RefineSettings) -> bool:
    """Whether labels and z are drawn whatever the scores, and z ~ N(0, I): then images may come from a shared pool."""
    return start.name in ("random", "softmax") and refine.name == "none"


def start_named(start: str | StartSettings) -> StartSettings:
    """A start by its name, or as it is given. Raises UserError."""
    if isinstance(start, StartSettings):
        return start
    if start not in STARTS:
        raise UserError(f"start = {start!r:.80}, but allowed is {', '.join(STARTS)}")
    return STARTS[start]()


def refinement_named(refine: str | RefineSettings) -> RefineSettings:
    """A refinement by its name, or as it is given. Raises UserError."""
    if isinstance(refine, RefineSettings):
        return refine
    if refine not in REFINEMENTS:
        raise UserError(f"refine = {refine!r:.80}, but allowed is {', '.join(REFINEMENTS)}")
    return REFINEMENTS[refine]()
