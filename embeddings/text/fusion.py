"""One ranking from several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def normalised_fusion(
    scored: Sequence[Mapping[int, float]], weights: Sequence[float] | None = None
) -> dict[int, float]:
    """Fuse rankings by their scores, each divided by the highest of its ranking.

    Args:
        scored: scores by id, each above 0.
        weights: of each ranking; None: 1 each.

    Returns:
        Scores by id, best first, equal ones by ascending id. An id that a ranking does not have counts 0 there.
    """
    scores: dict[int, float] = {}
    for ranking, weight in zip(scored, weights or [1.0] * len(scored), strict=True):
        highest = max(ranking.values(), default=0.0)
        if highest > 0:
            for each, score in ranking.items():
                scores[each] = scores.get(each, 0.0) + weight * score / highest
    return best_first(scores)


def best_first(scores: Mapping[int, float]) -> dict[int, float]:
    """Scores from the highest to the lowest, equal ones by ascending id."""
    return dict(sorted(scores.items(), key=lambda each: (-each[1], each[0])))
