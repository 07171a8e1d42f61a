"""Numbers of repeated measurements: their middle, how far they lie apart, and whether two sets of them really differ."""

import random
import statistics

BOOTSTRAPS = 2000
SEED = 20260101  # the same figures give the same verdict each time


def of(values):
    """{"median", "low", "high", "n"} of the values that there are; None when there are none."""
    values = [value for value in values if value is not None]
    if not values:
        return None
    return {"median": statistics.median(values), "low": min(values), "high": max(values), "n": len(values)}


def ratio(mine, theirs):
    """How many times `theirs` the figure `mine` is: {"ratio", "low", "high", "differs"}, or None without figures.

    low and high enclose nineteen of twenty ratios of medians when both sets are drawn anew from themselves (bootstrap). With
    fewer than three figures on a side that says nothing: then they are the smallest and the largest ratio of any two figures,
    and one figure on each side is never called a difference. differs: 1 lies outside of them.
    """
    mine, theirs = [v for v in mine if v], [v for v in theirs if v]
    if not mine or not theirs:
        return None
    middle = statistics.median(mine) / statistics.median(theirs)
    if min(len(mine), len(theirs)) < 3:
        low, high = min(mine) / max(theirs), max(mine) / min(theirs)
        differs = (len(mine) > 1 or len(theirs) > 1) and not low <= 1 <= high
    else:
        draw = random.Random(SEED)
        ratios = sorted(
            statistics.median(draw.choices(mine, k=len(mine))) / statistics.median(draw.choices(theirs, k=len(theirs)))
            for _ in range(BOOTSTRAPS)
        )
        low, high = ratios[BOOTSTRAPS // 40], ratios[-1 - BOOTSTRAPS // 40]
        differs = not low <= 1 <= high
    return {"ratio": middle, "low": low, "high": high, "differs": differs}
