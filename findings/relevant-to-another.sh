#!/usr/bin/env bash
# Package: trectools 0.0.50 (evaluation of search results), with pandas 3.0.6 and with pandas 2.3.3; pytrec-eval-terrier 0.5.11 beside it.
#
# Behaviour: with pandas 3 `get_rprec` counts a product as a hit once for each query that it is relevant to, whichever query it was found
# for, since pandas no longer hands the query on to the step that compares. So the measure grows with the number of queries, beyond 1. The
# other measures are right, and with pandas 2 this one is, too. With both, `removeUnjudged=True` changes nothing in `get_rprec` and in
# `get_reciprocal_rank`, whose docstrings offer it; in `get_ndcg` it does what it says.
#
# Seen: 20 results for each query out of 60 products.
#
#                                        3 queries    10 queries    30 queries
#     get_rprec, pandas 3                0.50         1.94          7.17
#     get_rprec, pandas 2; trec_eval     0.17         0.14          0.24
#     get_reciprocal_rank, both          0.71         0.35          0.46    (as trec_eval)
#     get_map, both                      0.10         0.09          0.13    (as trec_eval)
#
#     30 queries                         as it is     removeUnjudged    unjudged removed beforehand
#     get_rprec, pandas 2                0.240        0.240             0.324
#     get_reciprocal_rank, both          0.464        0.464             0.534
#     get_ndcg, both                     0.302        0.338             0.338
#
# Why guesses are wrong: a precision above 1 would be noticed, and with three queries, as in a first test, or with good judgements of few
# products it is 0.50 or 0.90. The package asks for any pandas from 0.15 on, gives the same numbers as trec_eval in each release that it was
# tried with, and raises nothing with the one that a new machine installs. All its other measures still agree with trec_eval, so
# that one trusts this one. Tests whose queries share no products show nothing at all.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
for pandas in 2.3.3 3.0.6; do
  "${PYTHON:-python3}" -m venv "$work/venv-$pandas"
  "$work/venv-$pandas/bin/pip" install --quiet --disable-pip-version-check trectools==0.0.50 "pandas==$pandas" pytrec-eval-terrier==0.5.11
done
cat > "$work/measure.py" <<'PY'
import random
import sys
import warnings

import pandas as pd
import pytrec_eval
from trectools import TrecEval, TrecQrel, TrecRun

warnings.simplefilter("ignore")
QUERIES, PRODUCTS = (3, 10, 30), 60
draw = random.Random(0)


def tables(queries):
    """Results and judgements: of each query's 20 results about a third is relevant, and a third of all products is not judged."""
    results, judgements = [], []
    for query in range(1, queries + 1):
        for place, product in enumerate(draw.sample(range(PRODUCTS), 20)):
            results.append((query, "Q0", f"p{product}", place + 1, 1 - place / 100, "shop"))
        for product in draw.sample(range(PRODUCTS), 40):
            judgements.append((query, 0, f"p{product}", int(draw.random() < 0.35)))
    return results, judgements


def evaluated(results, judgements):
    run, judged = TrecRun(), TrecQrel()
    run.run_data = pd.DataFrame(results, columns=["query", "q0", "docid", "rank", "score", "system"])
    judged.qrels_data = pd.DataFrame(judgements, columns=["query", "q0", "docid", "rel"])
    return TrecEval(run, judged)


def by_trec_eval(results, judgements, measure):
    run, judged = {}, {}
    for query, _, product, _, score, _ in results:
        run.setdefault(str(query), {})[product] = score
    for query, _, product, grade in judgements:
        judged.setdefault(str(query), {})[product] = grade
    values = pytrec_eval.RelevanceEvaluator(judged, {measure}).evaluate(run).values()
    return sum(value[measure] for value in values) / len(values)


is_as_seen = True
is_three = pd.__version__.startswith("3")
print(f"pandas {pd.__version__}")
for queries in QUERIES:
    results, judgements = tables(queries)
    evaluation = evaluated(results, judgements)
    pairs = {
        "R-precision": (evaluation.get_rprec(), by_trec_eval(results, judgements, "Rprec")),
        "reciprocal rank": (evaluation.get_reciprocal_rank(), by_trec_eval(results, judgements, "recip_rank")),
        "average precision": (evaluation.get_map(), by_trec_eval(results, judgements, "map")),
    }
    print(f"  {queries:2} queries: " + ", ".join(f"{name} {one:.2f} (trec_eval {other:.2f})" for name, (one, other) in pairs.items()))
    for name, (one, other) in pairs.items():
        is_as_seen &= (one > 1.2 * other) if is_three and name == "R-precision" else abs(one - other) < 1e-6

judged = {(query, product) for query, _, product, _ in judgements}
by_hand = evaluated([row for row in results if (row[0], row[2]) in judged], judgements)
for name, is_kept in (("get_rprec", False), ("get_reciprocal_rank", False), ("get_ndcg", True)):
    plain, removed = getattr(evaluation, name)(), getattr(evaluation, name)(removeUnjudged=True)
    true = getattr(by_hand, name)()
    print(f"  {name}: {plain:.3f}, with removeUnjudged {removed:.3f}, with the unjudged removed beforehand {true:.3f}")
    is_as_seen &= abs(plain - true) > 1e-3 and abs(removed - (true if is_kept else plain)) < 1e-6
sys.exit(0 if is_as_seen else "it behaves in another way now")
PY
for pandas in 2.3.3 3.0.6; do
  "$work/venv-$pandas/bin/python" "$work/measure.py"
done
