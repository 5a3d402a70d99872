#!/usr/bin/env bash
# Packages: onnxmltools 1.16.0 (LightGBM to ONNX), with LightGBM 4.7.0, onnx 1.23.2 and onnxruntime 1.32.0; treelite 4.8.1 and m2cgen 0.10.0
# beside it (NumPy 2.4.6).
#
# Behaviour: `convert_lightgbm` leaves out what four options add to a model's prediction, and raises nothing. A random forest is divided by
# 100, whatever number of trees it has, and not at all if it comes from `lightgbm.train`. With `linear_tree` the linear parts of the leaves
# are dropped, with `reg_sqrt` the square, and with `zero_as_missing` a zero goes where its number belongs. treelite converts forests and
# squares rightly and refuses linear trees; m2cgen refuses zeros as missing. With zeros treelite, with linear trees m2cgen gives what
# onnxmltools gives.
#
# Seen: 2,000 products to learn from and 1,000 to predict, of which 40% have no ratings, a zero. The mean prediction (the true mean
# is 12.1), and Spearman's correlation with LightGBM's own order.
#
#     model                                LightGBM    ONNX        order    treelite    m2cgen
#     boosted trees                        12.1        12.1        1.00     right       right
#     forest of 100 trees                  12.1        12.1        1.00     right       right
#     forest of 50 trees                   12.1         6.0        1.00     right       right
#     forest of 200 trees                  12.1        24.2        1.00     right       right
#     forest of 50 by lightgbm.train       12.1       604.3        1.00     right       -
#     reg_sqrt                             12.1         3.5        1.00     right       right
#     linear_tree                          12.1        12.1        0.99     an error    as ONNX
#     zero_as_missing                      12.1        10.3        0.62     as ONNX     an error
#     ... those without ratings            12.3         8.0
#
# Why guesses are wrong: the converter stops with an error at what it does not know, such as the objectives `mape` and `cross_entropy`, so
# that what passes is expected to be the model; a forest is plainly known to it. 100 trees are the number that one gets without asking for
# any, so that a test is right. Where only an order is needed, the first three do no harm, and the last puts whatever is new at the end. The
# mean of linear trees is right to the second decimal. Compare predictions of a hundred rows before a converted model goes out.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check onnxmltools==1.16.0 lightgbm==4.7.0 onnx==1.23.2 onnxruntime==1.32.0 \
  treelite==4.8.1 m2cgen==0.10.0 numpy==2.4.6 scikit-learn==1.9.1 skl2onnx==1.20.0
"$work/venv/bin/python" -W ignore - <<'PY'
import sys

import lightgbm
import m2cgen
import numpy as np
import onnxruntime
import treelite
from onnxmltools.convert import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType

PRODUCTS, LEARNT = 3_000, 2_000
draw = np.random.default_rng(0)
rating = np.where(draw.random(PRODUCTS) < 0.4, 0, draw.integers(10, 51, PRODUCTS) / 10)
price = draw.lognormal(3, 1, PRODUCTS)
clicks = draw.poisson(3, PRODUCTS)
features = np.stack([rating, price, clicks, 10 * draw.random(PRODUCTS)], 1).astype(np.float32)
sales = 2 * np.where(rating == 0, 3.2, rating) - np.log(price) + 0.3 * clicks + 0.3 * draw.standard_normal(PRODUCTS) + 8
new, unrated = features[LEARNT:], rating[LEARNT:] == 0
FOREST = {"boosting_type": "rf", "bagging_freq": 1, "bagging_fraction": 0.7, "verbose": -1}


def fitted(**options):
    return lightgbm.LGBMRegressor(**{"verbose": -1, **options}).fit(features[:LEARNT], sales[:LEARNT])


def forest(trees):
    return fitted(**{**FOREST, "n_estimators": trees})


MODELS = {
    "boosted trees": fitted(),
    "forest of 100 trees": forest(100),
    "forest of 50 trees": forest(50),
    "forest of 200 trees": forest(200),
    "forest of 50 by lightgbm.train": lightgbm.train(FOREST, lightgbm.Dataset(features[:LEARNT], sales[:LEARNT]), 50),
    "reg_sqrt": fitted(reg_sqrt=True),
    "linear_tree": fitted(linear_tree=True),
    "zero_as_missing": fitted(zero_as_missing=True),
}
# The mean by ONNX over LightGBM's, the correlation of the orders, and what the other two do.
SEEN = {
    "boosted trees": (1, 1, "right", "right"),
    "forest of 100 trees": (1, 1, "right", "right"),
    "forest of 50 trees": (0.5, 1, "right", "right"),
    "forest of 200 trees": (2, 1, "right", "right"),
    "forest of 50 by lightgbm.train": (50, 1, "right", "-"),
    "reg_sqrt": (0.287, 1, "right", "right"),
    "linear_tree": (1, 0.987, "an error", "as ONNX"),
    "zero_as_missing": (0.855, 0.62, "as ONNX", "an error"),
}


def by_onnx(model):
    converted = convert_lightgbm(model, initial_types=[("features", FloatTensorType([None, new.shape[1]]))], zipmap=False)
    return onnxruntime.InferenceSession(converted.SerializeToString()).run(None, {"features": new})[0].ravel()


def by_treelite(model):
    return treelite.gtil.predict(treelite.frontend.from_lightgbm(getattr(model, "booster_", model)), new).ravel()


def by_m2cgen(model):
    names = {}
    exec(m2cgen.export_to_python(model), names)
    return np.array([names["score"](row) for row in new.tolist()])


def compared(predict, model, own, onnx):
    try:
        other = predict(model)
    except (treelite.TreeliteError, ValueError):
        return "an error"
    return "right" if np.allclose(other, own, rtol=1e-4) else "as ONNX" if np.allclose(other, onnx, rtol=1e-4) else "wrong"


def order(numbers):
    return np.argsort(np.argsort(numbers))


is_as_seen = True
print(f"{'model':34}{'LightGBM':10}{'ONNX':10}{'order':8}{'treelite':10}m2cgen")
for name, model in MODELS.items():
    own, onnx = model.predict(new), by_onnx(model)
    ratio, correlation = onnx.mean() / own.mean(), np.corrcoef(order(own), order(onnx))[0, 1]
    others = [compared(by_treelite, model, own, onnx), "-" if isinstance(model, lightgbm.Booster) else compared(by_m2cgen, model, own, onnx)]
    print(f"{name:34}{own.mean():<10.2f}{onnx.mean():<10.2f}{correlation:<8.3f}{others[0]:10}{others[1]}")
    seen_ratio, seen_correlation, *seen_others = SEEN[name]
    is_as_seen &= abs(ratio / seen_ratio - 1) < 0.03 and abs(correlation - seen_correlation) < 0.03 and others == seen_others
    if name == "linear_tree":
        errors = [np.sqrt(np.mean((numbers - sales[LEARNT:]) ** 2)) for numbers in (own, onnx)]
        print(f"    root mean square error         {errors[0]:<10.2f}{errors[1]:.2f}")
    if name == "zero_as_missing":
        print(f"    those without ratings          {own[unrated].mean():<10.2f}{onnx[unrated].mean():.2f}")
        is_as_seen &= own[unrated].mean() - onnx[unrated].mean() > 3
        is_as_seen &= abs(own[~unrated].mean() - onnx[~unrated].mean()) < 0.05
sys.exit(0 if is_as_seen else "it behaves in another way now")
PY
