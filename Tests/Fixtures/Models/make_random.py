"""Models at random over the parameters of LightGBM and XGBoost, with the libraries' predictions, for `make soak`.

    venv/bin/python make_random.py directory seed count

Writes what `make.py` writes. A seed makes the same models again.
"""
import pathlib
import sys

import numpy as np

from make import Maker


def pick(rng, *choices):
    return choices[rng.integers(len(choices))]


def lightgbm(maker, name):
    rng = maker.rng
    objective, label, extra = pick(
        rng, ("regression", "y", {}), ("regression", "y", {"reg_sqrt": True}), ("l1", "y", {}), ("huber", "y", {}), ("fair", "y", {}),
        ("quantile", "y", {"alpha": 0.7}), ("mape", "positive", {}), ("binary", "binary", {"sigmoid": float(rng.uniform(0.3, 3))}),
        ("multiclass", "class", {"num_class": 3}), ("multiclassova", "class", {"num_class": 3}), ("cross_entropy", "unit", {}),
        ("cross_entropy_lambda", "unit", {}), ("poisson", "positive", {}), ("gamma", "positive", {}), ("tweedie", "positive", {}),
        ("lambdarank", "rank", {}), ("rank_xendcg", "rank", {}))
    params = {
        "objective": objective, **extra, "num_leaves": int(rng.integers(2, 80)), "max_depth": int(pick(rng, -1, 2, 4, 9)),
        "min_data_in_leaf": int(pick(rng, 1, 5, 20)), "learning_rate": float(rng.uniform(0.02, 0.6)), "max_bin": int(pick(rng, 15, 63, 255)),
        "min_data_per_group": int(pick(rng, 1, 5, 50)), "cat_smooth": float(pick(rng, 0.0, 1.0, 10.0)),
        "max_cat_to_onehot": int(pick(rng, 1, 4, 20)), "use_missing": bool(rng.random() < 0.8), "zero_as_missing": bool(rng.random() < 0.25),
        "lambda_l1": float(pick(rng, 0.0, 0.5)), "lambda_l2": float(pick(rng, 0.0, 2.0)), "extra_trees": bool(rng.random() < 0.2),
        "path_smooth": float(pick(rng, 0.0, 1.0)), "seed": int(rng.integers(1 << 30))}
    boosting = pick(rng, "gbdt", "gbdt", "dart", "rf", "goss")
    if boosting == "rf":
        params.update(boosting="rf", bagging_freq=1, bagging_fraction=0.6)
    elif boosting == "dart":
        params.update(boosting="dart", drop_rate=0.4)
    elif boosting == "goss":
        params["data_sample_strategy"] = "goss"
    if boosting == "gbdt" and rng.random() < 0.2 and objective in ("regression", "huber", "binary", "poisson"):
        params["linear_tree"] = True
    if rng.random() < 0.2 and objective in ("regression", "binary") and "linear_tree" not in params:
        params["monotone_constraints"] = [1, 0, -1, 0, 0, 0]
        if objective == "regression":
            params.pop("reg_sqrt", None)
    x, y = maker.data(missing=float(rng.uniform(0, 0.3)), zeros=float(rng.uniform(0, 0.4)), categories=int(pick(rng, 3, 12, 80)))
    maker.lightgbm(name, params, int(rng.integers(3, 12)), label, categorical=bool(rng.random() < 0.5), x=x, y=y)


def xgboost(maker, name):
    rng = maker.rng
    objective, label, extra = pick(
        rng, ("reg:squarederror", "y", {}), ("reg:absoluteerror", "y", {}), ("reg:pseudohubererror", "y", {}), ("reg:logistic", "unit", {}),
        ("binary:logistic", "binary", {}), ("binary:logitraw", "binary", {}), ("binary:hinge", "binary", {}),
        ("multi:softprob", "class", {"num_class": 3}), ("multi:softmax", "class", {"num_class": 3}), ("count:poisson", "positive", {}),
        ("reg:gamma", "positive", {}), ("reg:tweedie", "positive", {}), ("reg:squarederror", "two", {}), ("binary:logistic", "labels", {}))
    params = {
        "objective": objective, **extra, "max_depth": int(rng.integers(1, 9)), "eta": float(rng.uniform(0.05, 0.8)),
        "min_child_weight": float(pick(rng, 0.1, 1.0, 5.0)), "subsample": float(pick(rng, 1.0, 0.7)), "lambda": float(pick(rng, 0.0, 1.0)),
        "gamma": float(pick(rng, 0.0, 0.1)), "max_bin": int(pick(rng, 16, 256)), "seed": int(rng.integers(1 << 30))}
    if rng.random() < 0.25:
        params.update(booster="dart", rate_drop=0.3)
    if rng.random() < 0.25:
        params.update(grow_policy="lossguide", max_leaves=int(rng.integers(2, 40)), tree_method="hist")
    if rng.random() < 0.2 and label in ("y", "binary"):
        params["monotone_constraints"] = "(1,0,-1,0,0,0)"
    if rng.random() < 0.2 and label in ("y", "binary"):
        params["num_parallel_tree"] = 3
    x, y = maker.data(missing=float(rng.uniform(0, 0.3)), zeros=float(rng.uniform(0, 0.4)), categories=int(pick(rng, 3, 12, 40)))
    maker.xgboost(name, params, int(rng.integers(3, 10)), label, categorical=bool(rng.random() < 0.4), x=x, y=y, ubj=bool(rng.random() < 0.3))


def main():
    directory, seed, count = pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    for index in range(count):
        # A generator for each, so that one model can be made again without the others.
        maker = Maker(directory, [seed, index])
        make = lightgbm if index % 2 == 0 else xgboost
        try:
            make(maker, f"random_{index}")
        except Exception as error:  # Parameters that a library refuses together make no model.
            print(f"model {index} of seed {seed} was not made: {error}", file=sys.stderr)


main()
