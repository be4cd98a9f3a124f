"""Models at random over the parameters of LightGBM, XGBoost and CatBoost, and ONNX models at random, with the libraries' predictions,
for `make soak`.

    venv/bin/python make_random.py directory seed count

Writes what `make.py` and `make_onnx_catboost.py` write. A seed makes the same models again.
"""
import pathlib
import sys

import numpy as np

from make import Maker
from random_onnx import RandomMaker, pick


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
        params.update(linear_tree=True, zero_as_missing=False)
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


def catboost(maker, name):
    import catboost
    import pandas

    rng = maker.rng
    columns = ["a", "b", "c", "d", "city", "kind"][: int(rng.integers(2, 7))]
    numbers = min(4, len(columns))
    x = maker.numbers(300, numbers, missing=pick(rng, 0.0, 0.1, 0.3)).astype(np.float32)
    x[rng.random(x.shape) < pick(rng, 0.0, 0.3)] = pick(rng, 0.0, -0.0, 1e-40)
    places = ["Oslo", "Rom", "Łódź", "a considerably longer name of a place, beyond sixty-four bytes of text", "", "17", "seventeen letters"]
    words = {"city": rng.choice(places[: int(rng.integers(2, 8))], 300), "kind": rng.choice([str(i) for i in range(int(rng.integers(2, 20)))], 300)}
    words = {column: words[column] for column in columns if column in words}
    clean = np.nan_to_num(x)
    signal = clean[:, 0] - clean[:, 1] * clean[:, -1] + sum((word == "Rom") + (word == "1") * 0.5 for word in words.values()) + np.zeros(300)
    labels = (signal > 0).astype(int)
    classes = np.array(["no", "maybe", "yes", "never"])[np.digitize(signal, [-1, 0, 1][: int(rng.integers(2, 4))])]
    two = np.stack([signal, -signal + clean[:, 0]], 1)
    unit = 1 / (1 + np.exp(-signal))
    objective, target = pick(
        rng, ("RMSE", signal), ("MAE", signal), ("Quantile:alpha=0.7", signal), ("LogLinQuantile:alpha=0.6", np.abs(signal)), ("Poisson", np.abs(signal)),
        ("Tweedie:variance_power=1.5", np.abs(signal)), ("MAPE", np.abs(signal) + 1), ("Lq:q=3", signal), ("Huber:delta=1.0", signal),
        ("Expectile:alpha=0.3", signal), ("LogCosh", signal), ("Logloss", labels), ("CrossEntropy", unit), ("Focal:focal_alpha=0.4;focal_gamma=2.0", labels),
        ("MultiClass", classes), ("MultiClassOneVsAll", classes), ("MultiRMSE", two), ("MultiLogloss", (two > 0).astype(int)),
        ("MultiCrossEntropy", 1 / (1 + np.exp(-two))), ("MultiQuantile:alpha=0.2,0.8", signal), ("RMSEWithUncertainty", signal))
    policy = pick(rng, "SymmetricTree", "Depthwise", "Lossguide")
    params = dict(
        loss_function=objective, grow_policy=policy, iterations=int(rng.integers(1, 20)), depth=int(rng.integers(1, 7)), border_count=int(pick(rng, 1, 16, 254)),
        nan_mode=pick(rng, "Min", "Max"), l2_leaf_reg=float(pick(rng, 0.1, 3.0)), learning_rate=float(rng.uniform(0.05, 0.8)),
        bootstrap_type=pick(rng, "No", "Bernoulli", "MVS"), feature_border_type=pick(rng, "Median", "Uniform", "GreedyLogSum", "MinEntropy"),
        one_hot_max_size=50, cat_features=list(words), verbose=0, allow_writing_files=False, random_seed=int(rng.integers(1 << 30)), thread_count=1)
    if policy != "SymmetricTree":
        params.update(min_data_in_leaf=int(pick(rng, 1, 10)))
    elif rng.random() < 0.3:
        params.update(boosting_type="Ordered")
    if policy == "Lossguide":
        params.update(max_leaves=int(rng.integers(2, 31)))
    if objective == "RMSE" and rng.random() < 0.3:
        params.update(boost_from_average=bool(rng.random() < 0.5))
    kinds = (catboost.CatBoostClassifier, catboost.CatBoostRegressor)
    kind = kinds[0] if objective.split(":")[0] in ("Logloss", "CrossEntropy", "Focal", "MultiClass", "MultiClassOneVsAll", "MultiLogloss", "MultiCrossEntropy") else kinds[1]
    table = pandas.DataFrame({**{column: x[:, i] for i, column in enumerate(columns[:numbers])}, **words})
    model = kind(**params).fit(table, target)
    scales = bool(rng.random() < 0.15) and np.ndim(model.predict(table[:2], prediction_type="RawFormulaVal")) == 1
    if scales:
        model.set_scale_and_bias(float(rng.uniform(0.5, 2)), float(rng.normal()))
    borders = [float(border) for values in model._get_borders().values() for border in values]
    # Also what is a border once it is a float.
    borders = [border for at in (rng.choice(borders, min(6, len(borders)), replace=False) if borders else []) for border in (at, np.nextafter(at, np.inf))]
    values = maker.corners(x[:30].astype(float), borders)
    rows = [[float(v) for v in value] + [str(word[i % 300]) for word in words.values()] for i, value in enumerate(values)]
    for row in rows[:3] + rows[-3:]:
        row[numbers:] = [str(pick(rng, "never seen", "Rom ", "", "nan")) for _ in words]
    maker.catboost(("symmetric" if policy == "SymmetricTree" else policy.lower()) + "_" + name, model, rows, columns, shares=not scales)


def main():
    directory, seed, count = pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    kinds = ((Maker, lightgbm), (Maker, xgboost), (RandomMaker, catboost), (RandomMaker, RandomMaker.make))
    missing = 0
    for index in range(count):
        # A generator for each, so that one model can be made again without the others.
        kind, make = kinds[index % len(kinds)]
        maker = kind(directory, [seed, index])
        try:
            make(maker, f"random_{index}")
        except Exception as error:  # Parameters that a library refuses together make no model.
            print(f"model {index} of seed {seed} was not made: {error}", file=sys.stderr)
            missing += 1
    if missing > count // 10:
        sys.exit(f"{missing} of {count} models of seed {seed} were not made: the libraries are not what they were")


main()
