"""A strategy by its settings."""

from __future__ import annotations

from zeroshot.searching.strategies.amortised import Amortised
from zeroshot.searching.strategies.bank import Bank
from zeroshot.searching.strategies.base import Evaluated, Problem, Strategy
from zeroshot.searching.strategies.elite_mean import EliteMean
from zeroshot.searching.strategies.evolution import Evolution
from zeroshot.searching.strategies.genetic import Genetic
from zeroshot.searching.strategies.gradient import Gradient
from zeroshot.searching.strategies.halving import Halving
from zeroshot.searching.strategies.random import Random
from zeroshot.searching.strategies.reinforce import Reinforce
from zeroshot.searching.strategies.softmax import Softmax
from zeroshot.strategy_settings import (
    AmortisedStart,
    BankStart,
    CatCMARefinement,
    EliteMeanRefinement,
    EvolutionRefinement,
    GeneticRefinement,
    GradientRefinement,
    HalvingStart,
    RefineSettings,
    ReinforceRefinement,
    SoftmaxStart,
    StartSettings,
)


def start(settings: StartSettings, problem: Problem, evaluations: int) -> Strategy:
    """A start that will be asked for `evaluations` in all."""
    match settings:
        case AmortisedStart():
            return Amortised(problem, settings)
        case BankStart():
            return Bank(problem)
        case SoftmaxStart():
            return Softmax(problem, settings)
        case HalvingStart():
            return Halving(problem, evaluations)
        case _:
            return Random(problem)


def refinement(settings: RefineSettings, problem: Problem, found: Evaluated) -> Strategy:
    """A refinement of what the start has found."""
    match settings:
        case EvolutionRefinement():
            return Evolution(problem, settings, found)
        case CatCMARefinement():
            from zeroshot.searching.strategies.catcma import CatCMA  # cmaes is imported for no other

            return CatCMA(problem, settings, found)
        case GeneticRefinement():
            return Genetic(problem, settings, found)
        case GradientRefinement():
            return Gradient(problem, settings, found)
        case EliteMeanRefinement():
            return EliteMean(problem, settings, found)
        case ReinforceRefinement():
            return Reinforce(problem, settings, found)
    raise ValueError(f"{settings.name} refines nothing")
