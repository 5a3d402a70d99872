"""How a filtered query is searched so that its answer is the nearest: one choice for every adapter, which only translates it.

A graph whose links a filter cuts answers fully and wrongly: the search stops where it arrives, among points that pass and are not
the nearest. The mildest filters are the worst, since they hide the very place where it arrives. So the graph is searched without
the filter, and what it finds is compared under the filter. 100,000 x 128 in clusters of 50, recall of the nearest 10, in brackets
of the worst query, and ms of the engine alone (a busy machine; without a filter: 0.3):

| filter | passes | in the graph, ef 46 | ef 512 | ACORN, ef 128 | around, 768 | all that pass |
| --- | --- | --- | --- | --- | --- | --- |
| not the own department | 0.82 | 0.50 (0.1) 0.4 | 0.96 (0.8) 2.4 | 0.94 (0.5) 3.9 | 0.99 (0.8) 2.0 | 13 |
| not the own kind | 0.98 | 0.51 (0.0) 0.4 | 0.95 (0.8) 2.3 | 0.92 (0.5) 1.2 | 0.99 (0.9) 2.0 | 21 |
| cheapest quarter | 0.25 | 0.57 (0.0) 0.2 | 0.93 (0.5) 0.8 | 0.98 (0.9) 2.6 | 0.98 (0.8) 1.7 | 3.4 |
| one tag | 0.38 | 0.65 (0.1) 0.7 | 0.93 (0.7) 3.2 | 0.98 (0.8) 13 | 0.99 (0.9) 2.6 | 10 |
| another department | 0.12 | 0.92 (0.2) 2.8 | 1.0 (0.9) 2.8 | 1.0 (0.8) 2.3 | 0.90 (0.4) 2.2 | 1.3 |

Where departments lie apart from each other, a search around the query sees nothing of the others, and a wide one in the graph does
(not the own department, ef 46, 512: 0.48, 0.99). ACORN takes longer for the same recall in each of these cases.

How far down the answer lies shows how good it is. Recall by the place of the last point that is wanted, in eighths of the width of
the search (64 to 1,024; all filters): 1.00, 0.97, 0.94, 0.89, 0.85, 0.84, 0.80, 0.76; of a width of 64, 1.00 up to the fifth.
"""

from __future__ import annotations

from dataclasses import dataclass

# int8 vectors find candidates, which the full vectors then put in order: so many times as many as are wanted, and these at least.
# Of near-identical photos (100,000 x 128, clusters of 50 within a tenth of their length) int8 alone cannot decide which are the
# nearest 10: recall 0.49, 0.75, 0.91, 0.98, 1.0 of 11, 22, 33, 44, 55 candidates.
OVERSAMPLING, LEAST_RESCORED = 2.0, 64
# A filter that hides no more points than these, such as those of the product itself and its family, cuts nothing.
FEW_HIDDEN = 32
# Of what is scannable, this part takes less time than a search in the graph; and so many times more are compared without a filter
# rather than searched for.
_AT_ONCE, _WITHOUT_FILTER = 16, 5
# A point that has to be found under a condition takes the time of so many: 124 to 158 ns, without a filter 65 (100,000 x 128).
_UNDER_FILTER = 2.2
_NARROW, _NARROW_A_WANTED = 64, 4
_WIDE, _WIDEST = 768, 1536
# How much wider than the place where the last wanted point is expected.
_MARGIN = 10
_WIDE_IN_GRAPH, _WIDE_BESIDE = 512, 128


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known before a query is answered.

    Attributes:
        wanted: how many points are asked for.
        passing: how many points pass the filter; an estimate will do.
        total: how many points there are.
        scannable: how many points are compared in about the time of a wide search.
        in_memory: whether the full vectors are, so that all of them can be compared. int8 vectors keep them on the disk.
        in_cells: whether cells are there, which find the nearest that pass (see `cells`).
    """

    wanted: int
    passing: int
    total: int
    scannable: int
    in_memory: bool = True
    in_cells: bool = False

    @property
    def can_compare_everything(self) -> bool:
        """Whether all points can be compared without the filter, in about the time of `scannable` points under it."""
        return self.in_memory and self.total <= _WITHOUT_FILTER * self.scannable

    @property
    def pass_nearly_all(self) -> bool:
        """Whether so many pass that all points are compared in less time than those."""
        return self.total <= _UNDER_FILTER * self.passing


@dataclass(frozen=True, slots=True)
class Step:
    """What is searched at once; whatever is found, only points that pass the filter count.

    Attributes:
        around: so many of the nearest of all points are looked at, found without the filter by a search of that width; 0: none.
        in_graph: width of a search in the graph with the filter, which an adapter may raise; 0: none.
        exact: whether points are compared one by one: all of them for `around`, or else all that pass.
        in_cells: whether candidates are found by cells.
    """

    around: int = 0
    in_graph: int = 0
    exact: bool = False
    in_cells: bool = False


AS_UNFILTERED = Step(in_graph=1)
EXACT = Step(exact=True)
IN_CELLS = Step(in_cells=True)


def first_step(situation: Situation) -> Step:
    """What a query begins with.

    Args:
        situation: of the query.

    Returns:
        The first search.
    """
    if situation.total - situation.passing <= FEW_HIDDEN:
        return AS_UNFILTERED
    if situation.in_cells:
        return IN_CELLS
    if situation.passing <= max(situation.wanted, situation.scannable // _AT_ONCE):
        return EXACT
    return Step(around=max(_NARROW, _NARROW_A_WANTED * situation.wanted))


def next_step(step: Step, situation: Situation, found: int, place: int | None) -> Step | None:
    """What follows a search; the answers of all steps count together.

    Args:
        step: the search.
        situation: of the query.
        found: how many points that pass it found, at most those wanted.
        place: of the last wanted of them among the nearest of all points, from 1; None if fewer were found, or it is not there.

    Returns:
        The next search; None: the answer is good.
    """
    if step.in_cells or (step.exact and (not step.around or place is not None)):
        return None
    if step.exact or step.in_graph:
        return EXACT if found < situation.wanted else None
    if place is not None and (2 * place <= step.around or situation.total <= step.around):
        return None
    everything = situation.can_compare_everything
    if situation.passing <= situation.scannable or (everything and not situation.pass_nearly_all):
        return _cheaper_exact(step, situation, found)
    if not found:
        return Step(_WIDEST if everything else _WIDE, max(_WIDE_IN_GRAPH, 2 * situation.wanted), exact=everything)
    in_graph = 0 if everything else max(_WIDE_BESIDE, 2 * situation.wanted)
    return Step(_around(step, situation, found), in_graph, exact=everything)


def _cheaper_exact(step: Step, situation: Situation, found: int) -> Step:
    """All that pass, or all there are, whichever takes less time."""
    if found and situation.can_compare_everything and situation.pass_nearly_all:
        return Step(around=_around(step, situation, found), exact=True)
    return EXACT


def _around(step: Step, situation: Situation, found: int) -> int:
    expected = step.around * situation.wanted // found
    return max(min(max(_MARGIN * expected, _WIDE), _WIDEST), 4 * situation.wanted)
