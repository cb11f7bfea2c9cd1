"""Each strategy on a known function of z and label: it climbs, pays no more than it has, and is its address's own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from zeroshot.errors import UserError
from zeroshot.searching.draws import draw
from zeroshot.searching.driver import FARTHEST, How, Search, rng_of
from zeroshot.searching.strategies.base import Candidates, Evaluated, Gradients, Problem, Proposal
from zeroshot.searching.strategies.gradient import Adam
from zeroshot.strategy_checks import check_strategy, halving_needs, halving_rounds
from zeroshot.strategy_settings import (
    REFINEMENTS,
    STARTS,
    AmortisedStart,
    CatCMARefinement,
    GradientRefinement,
    PriceSettings,
    Refinement,
    RefineSettings,
    SoftmaxStart,
    StartSettings,
    refinement_named,
    start_named,
)

Z, CLASSES, K = 16, 40, 10
GOAL = np.array([1.5, -1.0] + [0.0] * (Z - 2))
BEST = 3  # the class with the highest score


def score(candidates: Candidates) -> np.ndarray:
    """1 at the goal and its class, less the squared distance from it and 0.3 in another class."""
    away = ((candidates.z - GOAL) ** 2).sum(axis=1) / (2 * Z)
    if candidates.class_weights is not None:
        return 1 - away - 0.3 * (1 - candidates.class_weights[:, BEST])
    return 1 - away - 0.3 * (candidates.class_index != BEST)


def gradients(candidates: Candidates) -> Gradients:
    weights = None
    if candidates.class_weights is not None:
        weights = np.zeros_like(candidates.class_weights)
        weights[:, BEST] = 0.3
    return Gradients(-(candidates.z - GOAL) / Z, weights)


def problem(address: str = "a bird", budget: int = 100, seed: int = 7) -> Problem:
    ranking = np.concatenate([[8, 5, BEST], np.setdiff1d(np.arange(CLASSES), [8, 5, BEST])])
    similarity = np.empty(CLASSES)
    similarity[ranking] = np.linspace(0.6, 0.2, CLASSES)
    rng = np.random.default_rng(1)
    bank = Candidates(rng.standard_normal((200, Z)), rng.integers(CLASSES, size=200))
    order = np.argsort(-score(bank))
    label = np.full(CLASSES, 0.3 / (CLASSES - 1))
    label[BEST] = 0.7
    return Problem(
        top=ranking[:K],
        ranking=ranking,
        similarity=similarity,
        z_dim=Z,
        budget=budget,
        draws=lambda b_start, b_stop: draw(seed, address, b_start, b_stop, Z),
        rng=rng_of(seed, address),
        proposal=Proposal(label, GOAL / 2, np.full(Z, 0.8)),
        bank=bank[order],
    )


def how(start: str, refine: str, warm_up: int | None = None, **fields: object) -> How:
    first, settings = start_named(start), refinement_named(refine)
    first.warm_up = warm_up or first.warm_up
    for key, value in fields.items():
        setattr(settings, key, value)
    return How(first, settings, PriceSettings())


class Seen(Search):
    """A search that keeps what it asked for."""

    seen: list[Evaluated]


def searched(by: How, address: str = "a bird", budget: int = 100) -> Seen:
    """A search to its end."""
    search = Seen(None, problem(address, budget), by)  # type: ignore[arg-type]
    search.seen = []
    while (asked := search.ask()) is not None:
        told = gradients(asked) if search.strategy.gradients else None
        search.seen.append(Evaluated(asked, score(asked)))
        search.tell(search.seen[-1], asked.z.astype(np.float32), told)
    return search


@pytest.mark.parametrize("refine", sorted(REFINEMENTS))
@pytest.mark.parametrize("start", sorted(STARTS))
def test_every_pair_pays_what_it_has_and_is_its_addresses_own(start: str, refine: str) -> None:
    by = how(start, refine)
    first, again, other = (searched(by, address).trace for address in ("a bird", "a bird", "another"))
    price = 3 if refine == "gradient" else 1
    assert 100 - price < first.paid <= 100 and (np.diff(first.b) >= 1).all()
    warm_up = by.start.warm_up if isinstance(by.refine, Refinement) else 100
    assert first.b[:warm_up] == list(range(1, warm_up + 1))
    assert set(np.diff(first.b[warm_up - 1 :])) <= {price}  # by hand: forwards are 1, gradient steps 3
    assert (first.b, first.class_index, first.score) == (again.b, again.class_index, again.score)
    assert start == "bank" or first.score != other.score
    assert sorted(first.z) == [row for row in range(len(first.b)) if first.score[row] > max([-9, *first.score[:row]])]


@pytest.mark.parametrize("refine", [name for name in sorted(REFINEMENTS) if name not in ("none", "elite_mean")])
def test_every_refinement_finds_better_than_its_start_goes_on_to(refine: str) -> None:
    addresses = [f"bird {n}" for n in range(12)]
    ours = [searched(how("random", refine, warm_up=30), address, 300).trace.best_score for address in addresses]
    drawn = [searched(how("random", "none"), address, 300).trace.best_score for address in addresses]
    assert np.mean(ours) > np.mean(drawn) + 0.03, (np.mean(ours), np.mean(drawn))


def test_the_gradient_reaches_the_maximum_within_its_ball() -> None:
    by = how("random", "gradient", mixture=True)
    search = searched(by, budget=900)
    assert search.trace.best_score == pytest.approx(1, abs=0.01) and search.trace.class_index[-1] == BEST
    near = searched(how("random", "gradient", radius=0.1), budget=300)
    last = near.seen[-1].candidates.z[0]
    assert np.linalg.norm(last) == pytest.approx(0.1 * np.sqrt(Z))
    # Near where the ball is nearest to the goal; not there, since Adam takes every entry of z equally far.
    assert last @ GOAL / np.linalg.norm(last) / np.linalg.norm(GOAL) > 0.95


def test_augmented_copies_are_paid_for() -> None:
    by = how("random", "gradient", copies=2, warm_up=4)
    trace = searched(by, budget=20).trace
    assert trace.b == [1, 2, 3, 4, 9, 14, 19]  # a step is 3 + 2


def test_random_and_softmax_draw_the_addresses_z() -> None:
    drawn = draw(7, "a bird", 1, 101, Z)
    for name in ("random", "softmax"):
        seen = searched(how(name, "none")).seen
        z = np.concatenate([part.candidates.z for part in seen])
        np.testing.assert_allclose(z, _normal(drawn.latent), atol=1e-12)
    labels = np.concatenate([part.candidates.class_index for part in searched(how("random", "none")).seen])
    np.testing.assert_array_equal(labels, problem().top[(drawn.label * K).astype(int)])


def _normal(uniform: np.ndarray) -> np.ndarray:
    from statistics import NormalDist

    return np.vectorize(NormalDist().inv_cdf)(uniform)


def test_softmax_draws_labels_in_their_proportion() -> None:
    search = Search(None, problem(budget=20_000), How(SoftmaxStart(temperature=0.1), refinement_named("none"), PriceSettings()))  # type: ignore[arg-type]  # fmt: skip  # noqa: E501
    labels = np.concatenate([search.strategy.ask(1000).class_index for _ in range(20)])
    p = problem()
    wanted = np.exp(p.similarity / 0.1) / np.exp(p.similarity / 0.1).sum()
    found = np.bincount(labels, minlength=CLASSES) / len(labels)
    np.testing.assert_allclose(found, wanted, atol=5 * np.sqrt(0.25 / len(labels)))


def test_halving_spends_equally_on_what_is_left() -> None:
    assert halving_rounds(10) == [10, 5, 3, 2] and halving_needs(10) == 20
    assert halving_rounds(1) == [1] and halving_needs(1000) == 2000
    search = searched(how("halving", "none"))
    counts = np.bincount(search.trace.class_index, minlength=CLASSES)
    # 80 free: 2 + 1 of each of ten, 4 + 1 of five, 6 + 1 of three, 10 + 1 of two, and the rest to the last.
    assert sorted(counts[counts > 0].tolist(), reverse=True)[3:] == [8, 8, 3, 3, 3, 3, 3]
    best_first = {c: max(s for s, d in zip(search.trace.score[:30], search.trace.class_index, strict=False) if d == c)
                  for c in problem().top.tolist()}  # fmt: skip
    kept = sorted(best_first, key=best_first.get)[-5:]  # type: ignore[arg-type]
    assert set(search.trace.class_index[30:]) <= set(kept)


def test_the_bank_is_taken_in_its_order_and_the_amortised_start_leans_to_its_proposal() -> None:
    own = problem().bank
    assert own is not None
    asked = searched(how("bank", "none"), budget=8).seen
    np.testing.assert_array_equal(np.concatenate([part.candidates.z for part in asked]), own.z[:8])
    search = Search(None, problem(budget=4000), How(AmortisedStart(spread=0.5), refinement_named("none"), PriceSettings()))  # type: ignore[arg-type]  # fmt: skip  # noqa: E501
    asked_z = search.strategy.ask(4000)
    np.testing.assert_allclose(asked_z.z.mean(axis=0), GOAL / 2, atol=0.04)
    np.testing.assert_allclose(asked_z.z.std(axis=0), 0.4, atol=0.03)
    assert (asked_z.class_index == BEST).mean() == pytest.approx(0.7, abs=0.04)


def test_z_stays_where_its_uniform_is_known() -> None:
    far = how("random", "gradient", radius=None, learning_rate=50.0)
    z = np.concatenate([part.candidates.z for part in searched(far).seen])
    assert np.abs(z).max() == FARTHEST


def test_adam_against_its_equations() -> None:
    adam, x, m, v = Adam(0.1, 2), np.zeros(2), np.zeros(2), np.zeros(2)
    rng = np.random.default_rng(0)
    wanted = np.zeros(2)
    for t in range(1, 6):
        g = rng.standard_normal(2)
        x = x + adam.step(g)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        wanted += 0.1 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    np.testing.assert_allclose(x, wanted, rtol=1e-12)


def test_cma_on_z_alone_keeps_the_best_label() -> None:
    trace = searched(How(start_named("random"), CatCMARefinement(labels=1), PriceSettings())).trace
    best = trace.class_index[int(np.argmax(trace.score[:10]))]
    assert set(trace.class_index[10:]) == {best}


@pytest.mark.parametrize(
    ("start", "refine", "k", "b_max", "message"),
    [
        (StartSettings("best"), "none", 10, 100, "start.name = 'best' of a StartSettings, but allowed is random"),
        (StartSettings("softmax"), "none", 10, 100, "start.name = 'softmax' of a StartSettings"),
        ("random", RefineSettings("gradient"), 10, 100, "refine.name = 'gradient' of a RefineSettings"),
        (SoftmaxStart(temperature=0), "none", 10, 100, "start.temperature = 0, but allowed is 0.001 to 10"),
        ("random", "gradient", 10, 12, r"b_max = 12, but start = random with refine = gradient needs 13"),
        ("halving", "none", 10, 19, "b_max = 19, but start = halving needs 20 evaluations for k = 10"),
        ("halving", "evolution", 20, 100, "start.warm_up = 20, but start = halving needs 40"),
        ("random", GradientRefinement(copies=-1), 10, 100, "refine.copies = -1, but allowed is 0 to 100"),
        ("random", GradientRefinement(learning_rate=float("nan")), 10, 100, "refine.learning_rate = nan"),
        ("random", CatCMARefinement(sigma=0), 10, 100, "refine.sigma = 0, but allowed is 0.001 to 10"),
        ("random", CatCMARefinement(labels=1001), 10, 100, "refine.labels = 1001, but allowed is 1 to 1,000"),
    ],
)
def test_what_no_search_can_be_is_refused(start: object, refine: object, k: int, b_max: int, message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_strategy(start_named(start), refinement_named(refine), PriceSettings(), k, b_max)  # type: ignore[arg-type]


@pytest.mark.parametrize(("named", "message"), [(start_named, "start = 'best'"), (refinement_named, "refine = 'best'")])
def test_unknown_names_are_refused(named: Callable[[str], object], message: str) -> None:
    with pytest.raises(UserError, match=f"{message}, but allowed is "):
        named("best")
