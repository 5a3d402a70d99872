"""The boosted ranker: LambdaMART (Burges, "From RankNet to LambdaRank to LambdaMART", 2010) by XGBoost, as trees for serving."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xgboost

from embeddings.ranking.candidates import JudgedQuery
from embeddings.ranking.features import FEATURES, feature_rows
from embeddings.ranking.trees import Trees
from embeddings.ranking.words import WordTable

# Small trees: shops have some hundreds of judged queries. Depth, step size and rounds differ by 0.01 nDCG@10 on Cranfield,
# which may be chance.
RECIPE: Mapping[str, Any] = {
    "objective": "rank:ndcg",
    "ndcg_exp_gain": False,
    "lambdarank_pair_method": "topk",
    "lambdarank_num_pair_per_sample": 20,
    "max_depth": 3,
    "eta": 0.05,
    "min_child_weight": 0.1,
    "subsample": 0.7,
    "colsample_bytree": 0.5,
    "reg_lambda": 10.0,
}
ROUNDS = 100


def train_trees(queries: Sequence[JudgedQuery], table: WordTable, seed: int) -> Trees:
    """Train a boosted ranker.

    Args:
        queries: some of which have candidates with different grades.
        table: of word vectors.
        seed: of the random numbers.

    Returns:
        The trees, on FEATURES.
    """
    graded = [query for query in queries if len({*query.grades.tolist()}) > 1]
    rows = np.concatenate([feature_rows(query.asked, query.candidates, table) for query in graded])
    grades = np.concatenate([query.grades for query in graded])
    groups = np.repeat(np.arange(len(graded)), [len(query.candidates) for query in graded])
    data = xgboost.DMatrix(rows, grades, qid=groups)
    return trees_of(xgboost.train({**RECIPE, "seed": seed, "nthread": 1}, data, ROUNDS))


def trees_of(booster: xgboost.Booster) -> Trees:
    """The trees of a booster that was trained on FEATURES.

    Args:
        booster: of XGBoost.

    Returns:
        Trees with the same predictions, but for a constant.

    Raises:
        ValueError: it was trained on other features.
    """
    if booster.num_features() != len(FEATURES):
        raise ValueError(f"the booster has {booster.num_features()} features, not {len(FEATURES)}")
    return Trees.of_nodes([_nodes(json.loads(tree)) for tree in booster.get_dump(dump_format="json")])


def _nodes(root: Mapping[str, Any]) -> list[dict[str, float]]:
    nodes: list[dict[str, float]] = []

    def add(node: Mapping[str, Any]) -> int:
        place = len(nodes)
        made = {
            "feature": -1,
            "threshold": 0.0,
            "left": 0,
            "right": 0,
            "missing_left": 0,
            "value": node.get("leaf", 0.0),
        }
        nodes.append(made)
        if "leaf" not in node:
            children = {child["nodeid"]: child for child in node["children"]}
            made |= {"feature": int(node["split"].removeprefix("f")), "threshold": node["split_condition"]}
            made |= {"left": add(children[node["yes"]]), "right": add(children[node["no"]])}
            made["missing_left"] = int(node["missing"] == node["yes"])
        return place

    add(root)
    return nodes
