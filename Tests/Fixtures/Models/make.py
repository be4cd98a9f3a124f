"""Makes the LightGBM and XGBoost fixtures: small models and what their libraries predict with them.

    python3 -m venv venv && venv/bin/pip install -r requirements.txt
    venv/bin/python make.py [directory] [seed]

For each model there are two files: the model, and NAME.rows.json with `rows` (what goes in) and what the library makes of
them: `raw`, `predicted`, `leaves`, `contributions`, and `raw_part` and `predicted_part` of the second and
third iteration. Numbers are written so that they are read back to the bit.
"""

import json
import pathlib
import sys
import warnings

import numpy as np

warnings.filterwarnings("ignore")
CATEGORY = 4


class Maker:
    def __init__(self, directory, seed):
        self.out = pathlib.Path(directory)
        self.rng = np.random.default_rng(seed)
        for name in ("lightgbm", "xgboost"):
            (self.out / name).mkdir(parents=True, exist_ok=True)

    def data(self, rows=400, columns=6, missing=0.1, zeros=0.1, categories=12):
        x = self.rng.normal(size=(rows, columns)).round(2)
        x[self.rng.random(x.shape) < zeros] = 0
        x[:, CATEGORY] = self.rng.integers(0, categories, rows)
        x[self.rng.random(x.shape) < missing] = np.nan
        z = np.nan_to_num(x, nan=0.3)
        y = z[:, 0] + z[:, 1] ** 2 - z[:, 2] * z[:, 3] + np.sin(z[:, CATEGORY] * 3) + self.rng.normal(size=rows) * 0.1
        return x, y

    def rows(self, x, thresholds=(), count=12):
        """Ordinary rows, and rows that a library may see once a year."""
        special = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-40, -1e-40, 1e-36, 5e-324, 3e38, -1e300]
        cats = [np.nan, -1.0, -0.5, 0.0, 3.0, 3.7, 5.0, 11.0, 12.0, 1000.0, 1e9]
        rows = [np.full(x.shape[1], v) for v in special]
        pool = special + list(thresholds) + [np.nextafter(t, np.inf) for t in thresholds[:5]]
        for _ in range(14):
            row = self.rng.choice(pool, x.shape[1])
            row[CATEGORY] = self.rng.choice(cats)
            rows.append(row)
        return np.vstack([x[self.rng.choice(len(x), count, replace=False)], np.array(rows)])

    def write(self, folder, name, tables):
        def table(a):
            a = np.asarray(a)
            a = a.reshape(len(tables["rows"]), -1)
            return [[int(v) if a.dtype.kind in "iu" else float(v) for v in row] for row in a]

        text = json.dumps({k: table(v) for k, v in tables.items()}, separators=(",", ":"))
        (self.out / folder / f"{name}.rows.json").write_text(text + "\n")

    # ------------------------------------------------------------------ LightGBM

    def lightgbm(self, name, params, rounds=5, label="y", categorical=False, x=None, y=None, group=None, names=None):
        import lightgbm as lgb

        if x is None:
            x, y = self.data()
        y = {"y": y, "binary": (y > 0.5) * 1.0, "class": np.digitize(y, [0, 1.5]) * 1.0, "positive": np.exp(np.clip(y, -3, 3) / 2),
             "unit": 1 / (1 + np.exp(-y)), "rank": np.clip(np.digitize(y, [0, 1, 2]), 0, 3) * 1.0}[label]
        if label == "rank":
            group = [40] * (len(x) // 40)
        params = {"verbose": -1, "num_leaves": 7, "min_data_in_leaf": 5, "num_threads": 1, "seed": 3, **params}
        data = lgb.Dataset(x, y, categorical_feature=[CATEGORY] if categorical else "auto", group=group, feature_name=names or "auto",
                           params=params, free_raw_data=False)
        booster = lgb.train(params, data, rounds)
        path = self.out / "lightgbm" / f"{name}.txt"
        booster.save_model(path)
        booster = lgb.Booster(model_file=path)
        frame = booster.trees_to_dataframe()
        thresholds = [float(t) for t in frame.threshold.dropna() if not isinstance(t, str) or "||" not in t and t.replace(".", "").replace("-", "").isdigit()]
        rows = self.rows(x, thresholds or [0.5])
        tables = {"rows": rows, "raw": booster.predict(rows, raw_score=True), "predicted": booster.predict(rows),
                  "leaves": booster.predict(rows, pred_leaf=True).astype(int),
                  "raw_part": booster.predict(rows, raw_score=True, start_iteration=1, num_iteration=2),
                  "predicted_part": booster.predict(rows, start_iteration=1, num_iteration=2)}
        if not params.get("linear_tree"):
            tables["contributions"] = booster.predict(rows, pred_contrib=True)
        self.write("lightgbm", name, tables)

    def make_lightgbm(self):
        self.lightgbm("regression", {})
        self.lightgbm("regression_sqrt", {"objective": "regression", "reg_sqrt": True})
        self.lightgbm("l1", {"objective": "l1"}, 3)
        self.lightgbm("huber_stumps", {"objective": "huber", "num_leaves": 2}, 3)
        self.lightgbm("quantile", {"objective": "quantile"}, 3)
        self.lightgbm("binary", {"objective": "binary", "sigmoid": 0.7}, label="binary")
        self.lightgbm("binary_categorical", {"objective": "binary", "min_data_per_group": 5, "cat_smooth": 1}, label="binary", categorical=True)
        self.lightgbm("categorical", {"min_data_per_group": 5, "cat_smooth": 1, "max_cat_to_onehot": 1}, categorical=True)
        self.lightgbm("categorical_onehot", {"min_data_per_group": 5, "cat_smooth": 1, "max_cat_to_onehot": 20}, categorical=True)
        self.lightgbm("zero_as_missing", {"zero_as_missing": True})
        self.lightgbm("use_missing_false", {"use_missing": False})
        self.lightgbm("multiclass", {"objective": "multiclass", "num_class": 3}, 4, label="class")
        self.lightgbm("multiclassova", {"objective": "multiclassova", "num_class": 3, "sigmoid": 1.5}, 4, label="class")
        self.lightgbm("cross_entropy", {"objective": "cross_entropy"}, label="unit")
        self.lightgbm("cross_entropy_lambda", {"objective": "cross_entropy_lambda"}, label="unit")
        self.lightgbm("poisson", {"objective": "poisson"}, label="positive")
        self.lightgbm("gamma", {"objective": "gamma"}, label="positive")
        self.lightgbm("tweedie", {"objective": "tweedie"}, label="positive")
        self.lightgbm("lambdarank", {"objective": "lambdarank"}, label="rank")
        self.lightgbm("xendcg", {"objective": "rank_xendcg"}, label="rank")
        self.lightgbm("dart", {"boosting": "dart", "drop_rate": 0.5}, 8)
        self.lightgbm("forest", {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5})
        self.lightgbm("forest_binary", {"objective": "binary", "boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}, label="binary")
        self.lightgbm("goss", {"data_sample_strategy": "goss"})
        self.lightgbm("linear", {"linear_tree": True, "num_leaves": 5})
        self.lightgbm("linear_categorical", {"linear_tree": True, "num_leaves": 5, "min_data_per_group": 5, "cat_smooth": 1}, categorical=True)
        self.lightgbm("deep", {"num_leaves": 63, "min_data_in_leaf": 1, "min_sum_hessian_in_leaf": 0, "max_depth": -1, "learning_rate": 0.5}, 4)
        x, y = self.data(2500, missing=0.02)
        self.lightgbm("large_tree", {"num_leaves": 700, "min_data_in_leaf": 1, "min_sum_hessian_in_leaf": 0, "max_bin": 1000}, 2, x=x, y=y)
        x, y = self.data(60)
        self.lightgbm("constant", {"min_data_in_leaf": 1000}, 3, x=x, y=y)
        x, y = self.data(categories=200)
        self.lightgbm("many_categories", {"min_data_per_group": 1, "cat_smooth": 1, "min_data_in_leaf": 2, "max_cat_threshold": 64}, categorical=True, x=x, y=y)
        self.lightgbm("named", {"num_leaves": 3}, 3, names=["age", "Größe", "b", "c_d", "kind", "f"])

    # ------------------------------------------------------------------ tables of pandas, with random numbers of their own

    def make_tables(self, seed):
        """Models of tables whose categories are of pandas, and such tables: NAME.table.json has `columns` and what comes out."""
        import lightgbm as lgb
        import pandas as pd
        import xgboost as xgb

        rng = np.random.default_rng(seed)
        count = 600
        # In the midst a category that is always the same, of which `feature_infos` says nothing.
        table = pd.DataFrame({
            "hour": rng.choice([10, 20, 30, 40], count), "only": ["same"] * count, "late": rng.choice([True, False], count),
            "v": rng.normal(size=count).round(3), "size": rng.choice([1.5, 2.0, 3.25, -0.0625], count),
            "city": rng.choice(["Rom", "Łódź", "a=b", "20", "true"], count)})
        target = ((table.hour == 20) * 2 + table.late * 1.5 + (table["size"] == 2.0) * 3 + (table.city == "Rom") - (table.city == "20") * 2
                  + table.v * 0.1)
        categories = [name for name in table if name != "v"]

        def rows(**unseen):
            """Rows as they were trained, and of each column a value that was not, and none."""
            test = table.head(60).astype(object)
            for place, (name, value) in enumerate(unseen.items()):
                test.loc[place, name] = value
                test.loc[place + len(unseen), name] = None
            return test

        def write(name, test, predicted):
            text = {"columns": {column: [None if pd.isna(v) else v for v in test[column].tolist()] for column in test},
                    "predicted": [float(v) for v in predicted]}
            (self.out / "tables" / f"{name}.table.json").write_text(json.dumps(text, separators=(",", ":")) + "\n")

        (self.out / "tables").mkdir(exist_ok=True)
        train = table.astype({name: "category" for name in categories})
        params = {"verbose": -1, "num_leaves": 15, "min_data_in_leaf": 5, "min_data_per_group": 5, "cat_smooth": 1, "num_threads": 1, "seed": 3}
        booster = lgb.train(params, lgb.Dataset(train, target), 12)
        booster.save_model(self.out / "tables" / "lightgbm.txt")
        test = rows(hour=25, late=None, size=2.5, city="nowhere")
        typed = test.astype({"v": float, **{name: "category" for name in categories}})
        write("lightgbm", test, booster.predict(typed))

        # XGBoost takes no categories that are fractions or truth values, spoils texts beyond ASCII, and refuses those that it does not know.
        table["city"] = table.city.replace("Łódź", "Lodz")
        train = table[["hour", "v", "city"]].astype({"hour": "category", "city": "category"})
        params = {"max_depth": 4, "max_cat_to_onehot": 2, "nthread": 1, "seed": 3}
        booster = xgb.train(params, xgb.DMatrix(train, target, enable_categorical=True), 6)
        for end in ("json", "ubj"):
            booster.save_model(self.out / "tables" / f"xgboost.{end}")
        test = rows(hour=None, city=None)[["hour", "v", "city"]]
        typed = test.astype({"v": float, "hour": pd.CategoricalDtype([10, 20, 30, 40]), "city": "category"})
        write("xgboost", test, booster.predict(xgb.DMatrix(typed, enable_categorical=True)))

    # ------------------------------------------------------------------ XGBoost

    def xgboost(self, name, params, rounds=5, label="y", categorical=False, x=None, y=None, ubj=False, stop=False):
        import xgboost as xgb

        if x is None:
            x, y = self.data()
        pos = np.exp(np.clip(y, -3, 3) / 2)
        y = {"y": y, "binary": (y > 0.5) * 1.0, "class": np.digitize(y, [0, 1.5]) * 1.0, "positive": pos,
             "unit": 1 / (1 + np.exp(-y)), "rank": np.digitize(y, [0, 1, 2]) * 1.0, "two": np.stack([y, -y * 2 + 1], 1),
             "labels": np.stack([y > 0, y > 1, y < 0.5], 1) * 1.0, "survival": np.where(y > 1, pos, -pos)}[label]
        kinds = ["c" if categorical and i == CATEGORY else "q" for i in range(x.shape[1])]

        def matrix(a, labels=None):
            a = a.astype(np.float32)
            if categorical:
                a = a.copy()
            return xgb.DMatrix(a, labels, feature_types=kinds if categorical else None, enable_categorical=categorical, missing=np.nan)

        params = {"max_depth": 3, "nthread": 1, "seed": 3, "verbosity": 0, **params}
        train = matrix(x, y)
        if label == "rank":
            train.set_group([40] * (len(x) // 40))
        extra = {"evals": [(train, "t")], "early_stopping_rounds": 2, "verbose_eval": False} if stop else {}
        booster = xgb.train(params, train, rounds, **extra)
        path = self.out / "xgboost" / f"{name}.{'ubj' if ubj else 'json'}"
        booster.save_model(path)
        booster = xgb.Booster(model_file=path)
        booster.set_param({"nthread": 1})
        rows = x
        if params.get("booster") == "gblinear":
            rows = self.rows(x, [0.5])[:-25]
        else:
            frame = booster.trees_to_dataframe() if not label in ("two", "labels") and not categorical else None
            thresholds = [float(t) for t in frame.Split.dropna()] if frame is not None else [0.5]
            rows = self.rows(x, thresholds or [0.5])
        # XGBoost refuses infinities where they are not the missing value; the greatest floats stand in for them.
        rows = np.where(np.isinf(rows) | (np.abs(rows) > 3.4e38), np.sign(rows) * 3.4e38, rows)
        if categorical:
            rows[:, CATEGORY] = np.where(np.abs(rows[:, CATEGORY]) > 1e6, 9999.0, rows[:, CATEGORY])
        d = matrix(rows)
        linear = params.get("booster") == "gblinear"
        part = {} if linear else {"raw_part": booster.predict(d, output_margin=True, iteration_range=(1, min(3, booster.num_boosted_rounds())), training=False),
                                  "predicted_part": booster.predict(d, iteration_range=(1, min(3, booster.num_boosted_rounds())))}
        tables = {"rows": rows, "raw": booster.predict(d, output_margin=True), "predicted": booster.predict(d), **part}
        if not linear:
            tables["leaves"] = booster.predict(d, pred_leaf=True).astype(int)
        if params.get("multi_strategy") != "multi_output_tree" and not linear:
            tables["contributions"] = booster.predict(d, pred_contribs=True)
        self.write("xgboost", name, tables)

    def make_xgboost(self):
        self.xgboost("squared", {})
        self.xgboost("squared_ubj", {}, ubj=True)
        self.xgboost("base_score", {"base_score": 2.5})
        self.xgboost("exact", {"tree_method": "exact"})
        self.xgboost("logistic", {"objective": "binary:logistic"}, label="binary")
        self.xgboost("logistic_ubj", {"objective": "binary:logistic"}, label="binary", ubj=True)
        self.xgboost("reg_logistic", {"objective": "reg:logistic"}, label="unit")
        self.xgboost("logitraw", {"objective": "binary:logitraw"}, label="binary")
        self.xgboost("hinge", {"objective": "binary:hinge"}, label="binary")
        self.xgboost("softprob", {"objective": "multi:softprob", "num_class": 3}, label="class")
        self.xgboost("softmax", {"objective": "multi:softmax", "num_class": 3}, label="class")
        self.xgboost("poisson", {"objective": "count:poisson"}, label="positive")
        self.xgboost("gamma", {"objective": "reg:gamma"}, label="positive")
        self.xgboost("tweedie", {"objective": "reg:tweedie"}, label="positive")
        self.xgboost("absolute", {"objective": "reg:absoluteerror"})
        self.xgboost("quantile", {"objective": "reg:quantileerror", "quantile_alpha": [0.2, 0.8]})
        self.xgboost("pseudohuber", {"objective": "reg:pseudohubererror"})
        self.xgboost("squaredlog", {"objective": "reg:squaredlogerror"}, label="positive")
        self.xgboost("cox", {"objective": "survival:cox"}, label="survival")
        self.xgboost("aft", {"objective": "reg:squarederror", "num_parallel_tree": 3, "subsample": 0.5})
        self.xgboost("ndcg", {"objective": "rank:ndcg"}, label="rank")
        self.xgboost("pairwise", {"objective": "rank:pairwise"}, label="rank")
        self.xgboost("dart", {"booster": "dart", "rate_drop": 0.5, "one_drop": 1}, 8)
        self.xgboost("dart_softprob", {"booster": "dart", "rate_drop": 0.5, "objective": "multi:softprob", "num_class": 3}, 4, label="class")
        self.xgboost("linear", {"booster": "gblinear"}, 20)
        self.xgboost("linear_softprob", {"booster": "gblinear", "objective": "multi:softprob", "num_class": 3}, 20, label="class")
        self.xgboost("linear_ubj", {"booster": "gblinear", "objective": "binary:logistic"}, 20, label="binary", ubj=True)
        self.xgboost("categorical", {"max_cat_to_onehot": 1}, categorical=True)
        self.xgboost("categorical_onehot_ubj", {"max_cat_to_onehot": 30}, categorical=True, ubj=True)
        self.xgboost("two_targets", {}, label="two")
        self.xgboost("labels", {"objective": "binary:logistic"}, label="labels")
        self.xgboost("vector_leaf", {"multi_strategy": "multi_output_tree"}, label="two")
        self.xgboost("vector_leaf_ubj", {"multi_strategy": "multi_output_tree", "objective": "binary:logistic"}, label="labels", ubj=True)
        self.xgboost("lossguide", {"grow_policy": "lossguide", "max_leaves": 20, "max_depth": 0})
        self.xgboost("stopped", {"eta": 3.0, "eval_metric": "mae"}, 30, stop=True)
        x, y = self.data(2000, missing=0.02)
        self.xgboost("large_tree", {"max_depth": 10, "min_child_weight": 0, "max_bin": 700}, 2, x=x, y=y)
        self.xgboost("constant", {"min_child_weight": 1e9}, 3)
        self.xgboost("forest", {"num_parallel_tree": 4, "subsample": 0.6, "eta": 1, "objective": "multi:softprob", "num_class": 3}, 3, label="class")
        # Small enough to be damaged fifty thousand times.
        for ubj in (False, True):
            end = "_ubj" if ubj else ""
            x, y = self.data(60, 5)
            self.xgboost("tiny" + end, {"max_depth": 2, "objective": "binary:logistic"}, 1, label="binary", x=x, y=y, ubj=ubj)
            self.xgboost("tiny_dart" + end, {"max_depth": 1, "booster": "dart"}, 2, x=x, y=y, ubj=ubj)
            self.xgboost("tiny_vector" + end, {"max_depth": 1, "multi_strategy": "multi_output_tree"}, 1, label="two", x=x, y=y, ubj=ubj)
            self.xgboost("tiny_linear" + end, {"booster": "gblinear"}, 2, x=x, y=y, ubj=ubj)
            self.xgboost("tiny_categorical" + end, {"max_depth": 2, "max_cat_to_onehot": 1}, 1, x=x[:, [4, 4, 4, 4, 4]], y=np.nan_to_num(x[:, 4]) % 2, categorical=True, ubj=ubj)


if __name__ == "__main__":
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 7
    maker = Maker(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent, seed)
    maker.make_lightgbm()
    maker.make_xgboost()
    maker.make_tables(seed)
