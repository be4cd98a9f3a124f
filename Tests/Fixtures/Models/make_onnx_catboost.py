"""Makes the ONNX and CatBoost fixtures: small models and what onnxruntime and CatBoost predict with them.

    python3 -m venv venv && venv/bin/pip install -r requirements.txt
    venv/bin/python make_onnx_catboost.py [directory] [seed]

For each model there are two files: the model, and NAME.rows.json with `rows` (what goes in, a text for a category) and what
the library makes of them. Numbers are written so that they are read back to the bit.
"""

import io
import json
import os
import pathlib
import sys
import traceback
import warnings

import numpy as np

warnings.filterwarnings("ignore")


def plain(value):
    """A value as JSON has it; floats as the shortest text that is read back to the same bits."""
    if isinstance(value, (np.floating, float)):
        return float(value)
    if isinstance(value, (np.integer, int)):
        return int(value)
    if isinstance(value, (bytes, np.bytes_)):
        return value.decode()
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(v) for v in value]
    return str(value)


def take_numbers_of_numpy():
    """skl2onnx hands scikit-learn's own numbers and truths to onnx, which takes whole numbers only."""
    import skl2onnx.common._container as container

    make_node = container.make_node
    plain = lambda value: [int(v) if isinstance(v, (bool, np.bool_, np.integer)) else v for v in value] if isinstance(value, list) else value
    container.make_node = lambda *names, **attributes: make_node(*names, **{key: plain(value) for key, value in attributes.items()})


def shapley_values(model, pool):
    """CatBoost's contributions, asked for in a process of their own; none, where CatBoost ends it, as 1.2.10 may where a leaf stands beside a split."""
    receiver, sender = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            values = io.BytesIO()
            np.save(values, np.asarray(model.get_feature_importance(pool, type="ShapValues", thread_count=1)))
            with os.fdopen(sender, "wb") as out:
                out.write(values.getvalue())
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    os.close(sender)
    with os.fdopen(receiver, "rb") as answer:
        values = answer.read()
    _, status = os.waitpid(child, 0)
    return np.load(io.BytesIO(values)) if status == 0 else None


class Maker:
    def __init__(self, directory, seed):
        self.out = pathlib.Path(directory)
        self.rng = np.random.default_rng(seed)
        for name in ("onnx", "catboost"):
            (self.out / name).mkdir(parents=True, exist_ok=True)

    # ------------------------------------------------------------------ data

    def numbers(self, rows, columns, missing=0.0):
        x = self.rng.normal(size=(rows, columns)).round(3)
        x[self.rng.random(x.shape) < missing] = np.nan
        return x

    def corners(self, x, thresholds=()):
        """Rows that a library may see once a year: no value at all, infinities, negative zero, denormals, thresholds."""
        width = x.shape[1]
        special = [np.nan, np.inf, -np.inf, -0.0, 1e-40, -1e-40, 3e38] + list(thresholds)
        rows = [np.full(width, value) for value in special]
        rows += [self.rng.choice(special + [0.5, -0.5], width) for _ in range(10)]
        return np.vstack([x, np.array(rows)])

    # ------------------------------------------------------------------ ONNX

    def onnx(self, name, model, rows, **tables):
        """`rows`: one list a row, with the columns of all inputs in order. `tables`: what else is known of them."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        feed, at = {}, 0
        kinds = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64, "tensor(string)": object}
        for port in session.get_inputs():
            width = int(np.prod(port.shape[1:], dtype=int))
            part = [[row[at + i] for i in range(width)] for row in rows]
            feed[port.name] = np.array(part, dtype=kinds[port.type]).reshape([len(rows)] + [int(d) for d in port.shape[1:]])
            at += width
        outputs = {}
        for port, answer in zip(session.get_outputs(), session.run(None, feed)):
            if isinstance(answer, list):
                answer = [[row[key] for key in row] for row in answer]
            answer = np.asarray(answer)
            outputs[port.name] = plain(answer.reshape(len(rows), -1))
        (self.out / "onnx" / f"{name}.onnx").write_bytes(model.SerializeToString())
        text = {"rows": plain(rows), "outputs": outputs, **{key: plain(table) for key, table in tables.items()}}
        (self.out / "onnx" / f"{name}.rows.json").write_text(json.dumps(text, separators=(",", ":")) + "\n")

    def sklearn_models(self):
        import sklearn.compose
        import sklearn.ensemble
        import sklearn.impute
        import sklearn.linear_model
        import sklearn.neural_network
        import sklearn.pipeline
        import sklearn.preprocessing
        from skl2onnx import to_onnx
        from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, Int64TensorType, StringTensorType

        x = self.numbers(200, 4)
        binary = (x[:, 0] + x[:, 1] * x[:, 2] > 0).astype(int)
        three = np.digitize(x[:, 0] + 0.5 * x[:, 1], [-0.5, 0.5])
        words = np.array(["no", "maybe", "yes"])[three]
        real = x @ [1.0, -2.0, 0.5, 0.0] + np.abs(x[:, 3])
        rows = x[:25].astype(np.float32)
        seed = dict(random_state=1)
        e, lm, nn, pp = sklearn.ensemble, sklearn.linear_model, sklearn.neural_network, sklearn.preprocessing
        pipe = sklearn.pipeline.make_pipeline
        forest = dict(n_estimators=6, max_depth=4, **seed)
        models = {
            "linear_regression": (lm.LinearRegression(), real),
            "linear_two_targets": (lm.Ridge(), np.stack([real, -real], 1)),
            "logistic_binary": (lm.LogisticRegression(), binary),
            "logistic_words": (lm.LogisticRegression(), words),
            "scaled_logistic": (pipe(pp.StandardScaler(), lm.LogisticRegression()), three),
            "minmax_ridge": (pipe(pp.MinMaxScaler(), pp.Normalizer("l2"), lm.Ridge()), real),
            "norm_l1": (pipe(pp.Normalizer("l1"), lm.LinearRegression()), real),
            "forest_binary": (e.RandomForestClassifier(**forest), binary),
            "forest_words": (e.RandomForestClassifier(**forest), words),
            "forest_regression": (e.RandomForestRegressor(**forest), real),
            "forest_two_targets": (e.RandomForestRegressor(**forest), np.stack([real, -real], 1)),
            "boosting_binary": (e.GradientBoostingClassifier(n_estimators=8, **seed), binary),
            "boosting_three": (e.GradientBoostingClassifier(n_estimators=5, **seed), three),
            "boosting_regression": (e.GradientBoostingRegressor(n_estimators=8, **seed), real),
            "network_classifier": (nn.MLPClassifier((8, 5), max_iter=300, **seed), three),
            "network_tanh_binary": (nn.MLPClassifier((6,), activation="tanh", max_iter=300, **seed), binary),
            "network_regression": (nn.MLPRegressor(hidden_layer_sizes=(8,), activation="logistic", max_iter=300, **seed), real),
            "voting": (e.VotingRegressor([("a", lm.Ridge()), ("b", e.RandomForestRegressor(n_estimators=3, max_depth=3, **seed))]), real),
        }
        for name, (model, target) in models.items():
            model.fit(x, target)
            tree = any(word in name for word in ("forest", "boosting"))
            self.onnx(name, to_onnx(model, rows[:1], target_opset={"": 17, "ai.onnx.ml": 3}), self.corners(rows) if tree else rows)
        self.onnx(
            "linear_double",
            to_onnx(lm.LinearRegression().fit(x, real), initial_types=[("X", DoubleTensorType([None, 4]))], target_opset={"": 17, "ai.onnx.ml": 3}),
            x[:10],
        )

        missing = self.numbers(200, 4, missing=0.2)
        imputed = pipe(sklearn.impute.SimpleImputer(strategy="mean"), pp.StandardScaler(), lm.LogisticRegression()).fit(missing, binary)
        gaps = missing[:25].astype(np.float32)
        self.onnx("imputed", to_onnx(imputed, gaps[:1], target_opset={"": 17, "ai.onnx.ml": 3}), gaps)

        # Columns of several types, each an input of its own.
        city = self.rng.choice(["Oslo", "Rom", "Łódź"], 200)
        grade = self.rng.integers(1, 4, 200)
        import pandas

        table = pandas.DataFrame({"a": x[:, 0], "b": x[:, 1], "city": city, "grade": grade})
        for handle in ("ignore", "error"):
            encoder = sklearn.compose.ColumnTransformer(
                [("n", pp.StandardScaler(), ["a", "b"]), ("c", pp.OneHotEncoder(handle_unknown=handle), ["city"]),
                 ("g", pp.OneHotEncoder(handle_unknown=handle), ["grade"])])
            model = pipe(encoder, lm.LogisticRegression()).fit(table, words)
            converted = to_onnx(
                model,
                initial_types=[("a", FloatTensorType([None, 1])), ("b", FloatTensorType([None, 1])), ("city", StringTensorType([None, 1])),
                               ("grade", Int64TensorType([None, 1]))],
                target_opset={"": 17, "ai.onnx.ml": 3})
            rows = [[np.float32(a), np.float32(b), c, g] for a, b, c, g in zip(x[:20, 0], x[:20, 1], city, grade)]
            if handle == "ignore":
                rows += [[np.float32(0.5), np.float32(-0.5), "Ulm", 9]]
            self.onnx(f"columns_{handle}", converted, rows)

    def boosted_models(self):
        import lightgbm
        import onnxmltools
        import xgboost
        from onnxmltools.convert.common.data_types import FloatTensorType

        x = self.numbers(200, 4, missing=0.1).astype(np.float32)
        clean = np.nan_to_num(x)
        binary = (clean[:, 0] + clean[:, 1] * clean[:, 2] > 0).astype(int)
        three = np.digitize(clean[:, 0] + 0.5 * clean[:, 1], [-0.5, 0.5])
        real = clean @ np.array([1.0, -2.0, 0.5, 0.0])
        types = [("X", FloatTensorType([None, 4]))]
        rows = self.corners(x[:25])
        small = dict(n_estimators=6, random_state=1)
        for name, target in (("binary", binary), ("three", three)):
            model = lightgbm.LGBMClassifier(num_leaves=7, verbose=-1, **small).fit(x, target)
            self.onnx(f"lightgbm_{name}", onnxmltools.convert_lightgbm(model, initial_types=types, target_opset=15, zipmap=False), rows)
            model = xgboost.XGBClassifier(max_depth=3, **small).fit(x, target)
            self.onnx(f"xgboost_{name}", onnxmltools.convert_xgboost(model, initial_types=types, target_opset=15), rows)
        model = lightgbm.LGBMRegressor(num_leaves=7, verbose=-1, **small).fit(x, real)
        self.onnx("lightgbm_regression", onnxmltools.convert_lightgbm(model, initial_types=types, target_opset=15), rows)
        model = xgboost.XGBRegressor(max_depth=3, **small).fit(x, real)
        self.onnx("xgboost_regression", onnxmltools.convert_xgboost(model, initial_types=types, target_opset=15), rows)

    def handmade_models(self):
        from onnx import TensorProto as T
        from onnx import helper as h
        from onnx import numpy_helper as nh

        def model(nodes, inputs, outputs, constants=(), ml=3, opset=17):
            graph = h.make_graph(
                nodes, "g", [h.make_tensor_value_info(*p) for p in inputs], [h.make_tensor_value_info(*p) for p in outputs],
                [nh.from_array(np.asarray(value), name) for name, value in constants])
            return h.make_model(graph, opset_imports=[h.make_opsetid("", opset), h.make_opsetid("ai.onnx.ml", ml)], ir_version=8)

        f32 = lambda *shape: self.rng.normal(size=shape).astype(np.float32)
        rows = self.numbers(20, 6).astype(np.float32)
        nodes = [
            h.make_node("Flatten", ["x"], ["flat"]),
            h.make_node("Sub", ["flat", "mean"], ["centred"]),
            h.make_node("Div", ["centred", "deviation"], ["scaled"]),
            h.make_node("Gemm", ["scaled", "w1", "b1"], ["h1"], transB=1, alpha=0.5, beta=2.0),
            h.make_node("BatchNormalization", ["h1", "s", "b", "m", "v"], ["n1"]),
            h.make_node("Relu", ["n1"], ["r1"]),
            h.make_node("MatMul", ["r1", "w2"], ["h2"]),
            h.make_node("Add", ["h2", "b2"], ["a2"]),
            h.make_node("Tanh", ["a2"], ["t2"]),
            h.make_node("Sigmoid", ["a2"], ["s2"]),
            h.make_node("Concat", ["t2", "s2", "r1"], ["c"], axis=-1),
            h.make_node("Dropout", ["c"], ["d"]),
            h.make_node("Gemm", ["d", "w3"], ["z"]),
            h.make_node("Softmax", ["z"], ["p"], axis=-1),
            h.make_node("LogSoftmax", ["z"], ["q"], axis=1),
            h.make_node("ReduceSum", ["z", "axis"], ["total"], keepdims=1),
            h.make_node("Mul", ["z", "total"], ["zt"]),
            h.make_node("Reshape", ["zt", "shape"], ["grid"]),
            h.make_node("Unsqueeze", ["total", "axis2"], ["u"]),
            h.make_node("Mul", ["grid", "u"], ["grid2"]),
            h.make_node("ReduceMean", ["grid2"], ["means"], axes=[2], keepdims=0),
            h.make_node("Gather", ["z", "order"], ["picked"], axis=1),
            h.make_node("Clip", ["picked", "low", "high"], ["clipped"]),
            h.make_node("ArgMax", ["z"], ["best"], axis=1, keepdims=0),
            h.make_node("Cast", ["picked"], ["whole"], to=T.INT64),
            h.make_node("LeakyRelu", ["picked"], ["leaky"], alpha=0.2),
            h.make_node("Elu", ["leaky"], ["elu"], alpha=0.7),
            h.make_node("Softplus", ["elu"], ["soft"]),
            h.make_node("Pow", ["soft", "two"], ["squared"]),
            h.make_node("Sqrt", ["squared"], ["root"]),
            h.make_node("Exp", ["clipped"], ["e"]), h.make_node("Log", ["e"], ["l"]), h.make_node("Neg", ["l"], ["neg"]),
            h.make_node("Abs", ["neg"], ["abs"]), h.make_node("Erf", ["abs"], ["erf"]),
            h.make_node("Max", ["erf", "root"], ["top"]), h.make_node("Min", ["top", "low"], ["bottom"]),
            h.make_node("Floor", ["picked"], ["floor"]), h.make_node("Ceil", ["picked"], ["ceil"]),
            h.make_node("Identity", ["ceil"], ["ceiling"]),
        ]
        constants = [
            ("mean", f32(6)), ("deviation", np.abs(f32(1, 6)) + 0.5), ("w1", f32(5, 6)), ("b1", f32(5)), ("s", f32(5)), ("b", f32(5)), ("m", f32(5)),
            ("v", np.abs(f32(5)) + 0.1), ("w2", f32(5, 4)), ("b2", f32(4)), ("w3", f32(13, 4)), ("axis", np.array([1])), ("axis2", np.array([2])),
            ("shape", np.array([-1, 2, 2])), ("order", np.array([3, 0, -2])), ("low", np.float32(-1)), ("high", np.float32(1)), ("two", np.float32(2)),
        ]
        names = {"p": T.FLOAT, "q": T.FLOAT, "means": T.FLOAT, "best": T.INT64, "whole": T.INT64, "root": T.FLOAT, "bottom": T.FLOAT, "floor": T.FLOAT,
                 "ceiling": T.FLOAT, "erf": T.FLOAT}
        self.onnx(
            "network_operators",
            model(nodes, [("x", T.FLOAT, [None, 2, 3])], [(name, kind, None) for name, kind in names.items()], constants), rows)

        nodes = [
            h.make_node("LabelEncoder", ["city"], ["code"], domain="ai.onnx.ml", keys_strings=["a", "b"], values_floats=[1.5, -2.0], default_float=0.25),
            h.make_node("LabelEncoder", ["grade"], ["word"], domain="ai.onnx.ml", keys_int64s=[1, 2], values_strings=["b", "c"], default_string="?"),
            h.make_node("OneHotEncoder", ["word"], ["hot"], domain="ai.onnx.ml", cats_strings=["?", "b"], zeros=1),
            h.make_node("Reshape", ["hot", "shape"], ["hot2"]),
            h.make_node("Scaler", ["n"], ["scaled"], domain="ai.onnx.ml", offset=[0.5], scale=[2.0, 3.0][:1]),
            h.make_node("Imputer", ["scaled"], ["filled"], domain="ai.onnx.ml", imputed_value_floats=[7.0, 8.0], replaced_value_float=float("nan")),
            h.make_node("FeatureVectorizer", ["filled", "code", "hot2"], ["all"], domain="ai.onnx.ml", inputdimensions=[2, 1, 2]),
            h.make_node("Normalizer", ["all"], ["norm"], domain="ai.onnx.ml", norm="MAX"),
            h.make_node("ArrayFeatureExtractor", ["norm", "last"], ["some"], domain="ai.onnx.ml"),
            h.make_node("LinearClassifier", ["all"], ["label", "score"], domain="ai.onnx.ml", coefficients=[0.1, -0.2, 0.3, 0.4, -0.5],
                        intercepts=[0.05], classlabels_strings=["low", "high"], post_transform="LOGISTIC"),
        ]
        texts = [[0.5, float("nan"), "a", 1], [1.25, -3.0, "b", 2], [float("nan"), 0.0, "c", 3], [-0.0, 1.0, "", -1]]
        self.onnx(
            "encoders",
            model(nodes, [("n", T.FLOAT, [None, 2]), ("city", T.STRING, [None, 1]), ("grade", T.INT64, [None, 1])],
                  [("word", T.STRING, None), ("norm", T.FLOAT, None), ("some", T.FLOAT, None), ("label", T.STRING, None), ("score", T.FLOAT, None)],
                  [("shape", np.array([-1, 2])), ("last", np.array([4, 0]))], ml=2),
            texts)

        # Every rule, with and without missing values to its side, and every way to put trees together.
        modes = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"]

        def trees(prefix, targets, positive=False, only=None):
            a = {key: [] for key in ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids", "missing_value_tracks_true")}
            w = {key: [] for key in ("treeids", "nodeids", "ids", "weights")}
            for tree in range(12):
                nodes = [(modes[tree % 6], 1, 2), (modes[(tree + 1) % 6], 3, 4), ("LEAF", 0, 0), ("LEAF", 0, 0), ("LEAF", 0, 0)]
                for node, (mode, yes, no) in enumerate(nodes):
                    values = (tree, node, int(self.rng.integers(0, 2)), float(self.rng.choice([0.0, 0.5, -0.5])), mode, yes, no, int(tree >= 6))
                    for key, value in zip(a, values):
                        a[key].append(value)
                    if mode == "LEAF":
                        for target in [only] if only is not None else range(targets):
                            weight = float(np.float32(self.rng.normal()))
                            for key, value in zip(w, (tree, node, target, abs(weight) if positive else weight)):
                                w[key].append(value)
            return {**{f"nodes_{k}": v for k, v in a.items()}, **{f"{prefix}_{k}": v for k, v in w.items()}}

        grid = self.corners(self.rng.choice([0.0, 0.5, -0.5, 0.25], (12, 2)).astype(np.float32))
        for aggregate in ("SUM", "AVERAGE", "MIN", "MAX"):
            for targets in (1, 3):
                node = h.make_node("TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", n_targets=targets, aggregate_function=aggregate,
                                   base_values=[0.5, 0.25, -1.0][:targets], post_transform="NONE" if targets == 1 else "SOFTMAX", **trees("target", targets))
                self.onnx(f"trees_{aggregate.lower()}_{targets}", model([node], [("x", T.FLOAT, [None, 2])], [("y", T.FLOAT, None)]), grid)
        cases = {
            "positive": dict(labels=2, only=0, positive=True, post="NONE"), "mixed": dict(labels=2, only=0, post="LOGISTIC", base=[0.25]),
            "mirror": dict(labels=2, only=0, post="NONE"), "second": dict(labels=2, only=1, post="SOFTMAX"),
            "both": dict(labels=2, post="LOGISTIC", base=[0.125]), "three": dict(labels=3, post="SOFTMAX", base=[0.1, 0.2, 0.3]),
            "zero": dict(labels=3, post="SOFTMAX_ZERO"), "one": dict(labels=1, post="LOGISTIC"),
        }
        for name, case in cases.items():
            attributes = trees("class", case["labels"], case.get("positive", False), case.get("only"))
            if "base" in case:
                attributes["base_values"] = case["base"]
            node = h.make_node("TreeEnsembleClassifier", ["x"], ["label", "score"], domain="ai.onnx.ml", post_transform=case["post"],
                               classlabels_int64s=[5, 7, 9][: case["labels"]], **attributes)
            self.onnx(f"classes_{name}", model([node], [("x", T.FLOAT, [None, 2])], [("label", T.INT64, None), ("score", T.FLOAT, None)]), grid)

        def tensor(values, kind):
            return h.make_tensor("t", kind, [len(values)], values)

        for name, kind in (("float", T.FLOAT), ("double", T.DOUBLE)):
            node = h.make_node(
                "TreeEnsemble", ["x"], ["y"], domain="ai.onnx.ml", n_targets=2, aggregate_function=1, post_transform=0, tree_roots=[0, 2],
                nodes_featureids=[0, 1, 1], nodes_splits=tensor([0.1, 0.5, -0.5], kind), nodes_modes=tensor([0, 1, 2], T.UINT8),
                nodes_truenodeids=[0, 1, 3], nodes_trueleafs=[1, 1, 1], nodes_falsenodeids=[1, 2, 4], nodes_falseleafs=[0, 1, 1],
                nodes_missing_value_tracks_true=[0, 1, 0], leaf_targetids=[0, 1, 0, 1, 0], leaf_weights=tensor([0.1, 0.2, 0.3, 0.4, 0.5], kind))
            self.onnx(f"trees_v5_{name}", model([node], [("x", kind, [None, 2])], [("y", kind, None)], ml=5, opset=21), grid.astype(float))

    # ------------------------------------------------------------------ CatBoost

    def catboost(self, name, model, rows, columns, shares=False):
        """`rows`: one list a row; a text for a category. `shares`: with what each feature contributes."""
        import catboost
        import pandas

        table = pandas.DataFrame({column: [row[i] for row in rows] for i, column in enumerate(columns)})
        pool = catboost.Pool(table, cat_features=[c for i, c in enumerate(columns) if isinstance(rows[0][i], str)])
        raw = np.asarray(model.predict(pool, prediction_type="RawFormulaVal")).reshape(len(rows), -1)
        path = self.out / "catboost" / f"{name}.json"
        model.save_model(str(path), format="json")
        # A file does not say how CatBoost numbered the leaves of `Depthwise` and `Lossguide` trees: they are told of the model that it reads again.
        read = catboost.CatBoost().load_model(str(path), format="json")
        text = {"rows": plain(rows), "raw": plain(raw), "leaves": plain(read.calc_leaf_indexes(pool)) if model.tree_count_ else []}
        if model.tree_count_ > 1:
            part = model.predict(pool, prediction_type="RawFormulaVal", ntree_start=1, ntree_end=min(3, model.tree_count_))
            text["raw_part"] = plain(np.asarray(part).reshape(len(rows), -1))
        if isinstance(model, catboost.CatBoostClassifier):
            text["probability"] = plain(model.predict(pool, prediction_type="Probability"))
        else:
            text["probability"] = plain(np.asarray(model.predict(pool)).reshape(len(rows), -1))
        if shares:
            values = shapley_values(model, pool)
            # Where a leaf stands beside a split, CatBoost forgets the split above it: what it then answers does not even add up to its prediction.
            sums = values if values is None else values.sum(axis=-1).reshape(len(rows), -1)
            adds_up = sums is not None and sums.shape == raw.shape and np.allclose(sums, raw, rtol=1e-9, atol=1e-9)
            if name.startswith("symmetric") or adds_up:
                text["contributions"] = plain(values.reshape(len(rows), -1))
        # What training noted of itself would change from run to run.
        saved = json.loads(path.read_text())
        info = saved["model_info"]
        saved["model_info"] = {key: info[key] for key in ("class_params",) if key in info}
        saved["model_info"]["params"] = {"loss_function": info["params"]["loss_function"]}
        path.write_text(json.dumps(saved, separators=(",", ":")) + "\n")
        (self.out / "catboost" / f"{name}.rows.json").write_text(json.dumps(text, separators=(",", ":")) + "\n")

    def catboost_models(self):
        import catboost
        import pandas

        columns = ["a", "b", "c", "city"]
        x = self.numbers(300, 3, missing=0.1).astype(np.float32)
        city = self.rng.choice(["Oslo", "Rom", "Łódź", "a considerably longer name of a place, beyond sixty-four bytes of text", ""], 300)
        clean = np.nan_to_num(x)
        signal = clean[:, 0] - clean[:, 1] * clean[:, 2] + (city == "Rom")
        binary = (signal > 0).astype(int)
        words = np.array(["no", "maybe", "yes"])[np.digitize(signal, [-0.5, 0.5])]
        rows = lambda values: [[float(v) for v in value] + [str(city[i % 300])] for i, value in enumerate(values)]
        table = pandas.DataFrame({"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "city": city})
        common = dict(iterations=12, depth=3, one_hot_max_size=20, cat_features=["city"], verbose=0, allow_writing_files=False, random_seed=1, thread_count=1)

        def fit(name, model, target, data=table, shares=False):
            model.fit(data, target)
            borders = [border for _, values in model._get_borders().items() for border in values[:2]]
            test = rows(self.corners(x[:40], borders[:6]))
            test[0][3] = "never seen"
            self.catboost(name, model, test, columns, shares)

        for policy in ("SymmetricTree", "Depthwise", "Lossguide"):
            kind = "symmetric" if policy == "SymmetricTree" else policy.lower()
            grow = dict(grow_policy=policy, **({} if policy == "SymmetricTree" else {"min_data_in_leaf": 5}))
            fit(f"{kind}_binary", catboost.CatBoostClassifier(**common, **grow), binary)
            fit(f"{kind}_words", catboost.CatBoostClassifier(loss_function="MultiClass", **common, **grow), words, shares=True)
            fit(f"{kind}_regression", catboost.CatBoostRegressor(**common, **grow), signal)
        for mode in ("Min", "Max"):
            fit(f"symmetric_nan_{mode.lower()}", catboost.CatBoostRegressor(nan_mode=mode, **common), signal)
        no_gaps = table.fillna(0.0)
        fit("symmetric_no_gaps", catboost.CatBoostRegressor(**common), signal, no_gaps)
        fit("symmetric_one_against_all", catboost.CatBoostClassifier(loss_function="MultiClassOneVsAll", **common), words, shares=True)
        fit("symmetric_poisson", catboost.CatBoostRegressor(loss_function="Poisson", **common), np.abs(signal))
        fit("symmetric_many_targets", catboost.CatBoostRegressor(loss_function="MultiRMSE", **common), np.stack([signal, -signal], 1), shares=True)
        counts = {key: value for key, value in common.items() if key != "one_hot_max_size"}
        model = catboost.CatBoostClassifier(one_hot_max_size=1, **counts)
        model.fit(table, binary)
        self.catboost("counts", model, rows(x[:10]), columns)

    # ------------------------------------------------------------------ further ones, with random numbers of their own

    def further_models(self):
        import catboost
        import pandas
        import sklearn.ensemble as e
        from onnx import TensorProto as T
        from onnx import helper as h
        from skl2onnx import to_onnx
        from sklearn.calibration import CalibratedClassifierCV
        from sklearn.linear_model import LogisticRegression

        self.rng = np.random.default_rng(7)
        take_numbers_of_numpy()
        x = self.numbers(200, 4, missing=0.15).astype(np.float32)
        clean = np.nan_to_num(x)
        real = clean @ np.array([1.0, -2.0, 0.5, 0.0]) + np.abs(clean[:, 3])
        small = dict(max_iter=4, max_depth=3, min_samples_leaf=5, random_state=1)
        for name, model, target in (
                ("hist_binary", e.HistGradientBoostingClassifier(**small), real > 0),
                ("hist_three", e.HistGradientBoostingClassifier(**small), np.digitize(real, [-0.5, 0.5])),
                ("hist_regression", e.HistGradientBoostingRegressor(**small), real)):
            converted = to_onnx(model.fit(x, target), x[:1], target_opset={"": 17, "ai.onnx.ml": 3})
            self.onnx(name, converted, self.corners(x[:20]))

        # Each way to put trees together, with each transform, in version 5 of the operator set.
        tensor = lambda values, kind: h.make_tensor("t", kind, [len(values)], values)
        grid = self.corners(self.rng.choice([0.0, 0.5, -0.5, 0.25], (8, 2)).astype(np.float32), [0.1])
        transforms = ["none", "logistic", "softmax", "softmax_zero", "probit"]
        for number, aggregate in enumerate(("average", "sum", "min", "max")):
            for post, transform in enumerate(transforms):
                kind = (T.FLOAT, T.DOUBLE)[(number + post) % 2]
                node = h.make_node(
                    "TreeEnsemble", ["x"], ["y"], domain="ai.onnx.ml", n_targets=2, aggregate_function=number, post_transform=post, tree_roots=[0, 2, 3],
                    nodes_featureids=[0, 1, 1, 0], nodes_splits=tensor([0.1, 0.5, -0.5, 0.0], kind), nodes_modes=tensor([0, 1, 2, 4], T.UINT8),
                    nodes_truenodeids=[0, 1, 3, 5], nodes_trueleafs=[1, 1, 1, 1], nodes_falsenodeids=[1, 2, 4, 6], nodes_falseleafs=[0, 1, 1, 1],
                    nodes_missing_value_tracks_true=[0, 1, 0, 1], leaf_targetids=[0, 1, 0, 1, 0, 1, 0],
                    leaf_weights=tensor([0.125, 0.25, 0.3, 0.4, 0.55, 0.7, 0.8125], kind))
                graph = h.make_graph([node], "g", [h.make_tensor_value_info("x", kind, [None, 2])], [h.make_tensor_value_info("y", kind, None)])
                sets = [h.make_opsetid("", 21), h.make_opsetid("ai.onnx.ml", 5)]
                self.onnx(f"trees_v5_{aggregate}_{transform}", h.make_model(graph, opset_imports=sets, ir_version=8), grid.astype(float))

        # CatBoost: losses whose answers are not the raw sum, and a scale.
        columns = ["a", "b", "c"]
        x = self.numbers(200, 3, missing=0.1).astype(np.float32)
        clean = np.nan_to_num(x)
        signal = clean[:, 0] - clean[:, 1] * clean[:, 2]
        common = dict(iterations=6, depth=3, verbose=0, allow_writing_files=False, random_seed=1, thread_count=1)
        rows = [[float(v) for v in row] for row in self.corners(x[:20])]
        for name, kind, target, more in (
                ("focal", catboost.CatBoostClassifier, (signal > 0).astype(int), dict(loss_function="Focal:focal_alpha=0.4;focal_gamma=2.0")),
                ("uncertainty", catboost.CatBoostRegressor, signal, dict(loss_function="RMSEWithUncertainty")),
                ("log_quantile", catboost.CatBoostRegressor, np.abs(signal), dict(loss_function="LogLinQuantile:alpha=0.6")),
                ("scaled", catboost.CatBoostRegressor, signal, dict(loss_function="RMSE"))):
            model = kind(**common, **more).fit(pandas.DataFrame(x, columns=columns), target)
            if name == "scaled":
                model.set_scale_and_bias(1.75, -0.5)
            self.catboost(f"symmetric_{name}", model, rows, columns, shares=name != "scaled")
        # Trees whose leaves are all at one depth, of the other kinds.
        for policy, more in (("Depthwise", {}), ("Lossguide", {"max_leaves": 4})):
            model = catboost.CatBoostRegressor(**{**common, "depth": 2}, grow_policy=policy, min_data_in_leaf=1, **more)
            model.fit(pandas.DataFrame(x, columns=columns), signal)
            self.catboost(f"{policy.lower()}_complete", model, rows, columns, shares=True)
            model = catboost.CatBoostClassifier(**{**common, "depth": 2}, loss_function="MultiClass", grow_policy=policy, min_data_in_leaf=1, **more)
            model.fit(pandas.DataFrame(x, columns=columns), np.digitize(signal, [-0.5, 0.5]))
            self.catboost(f"{policy.lower()}_classes_complete", model, rows, columns, shares=True)

        # What follows begins with the same random numbers as what comes behind it.
        state = self.rng.bit_generator.state
        # A table with a column of truth values, as a category.
        table = pandas.DataFrame({"late": self.rng.choice([True, False], 200), "v": x[:, 0]})
        model = catboost.CatBoostRegressor(**common, one_hot_max_size=2, cat_features=["late"]).fit(table, table.late * 2.0 + clean[:, 1])
        (self.out / "tables").mkdir(exist_ok=True)
        path = self.out / "tables" / "catboost.json"
        model.save_model(str(path), format="json")
        saved = json.loads(path.read_text())
        saved["model_info"] = {"params": {"loss_function": saved["model_info"]["params"]["loss_function"]}}
        path.write_text(json.dumps(saved, separators=(",", ":")) + "\n")
        test = table.head(20)
        text = {"columns": {"late": test.late.tolist(), "v": [None if np.isnan(v) else float(v) for v in test.v]},
                "predicted": plain(model.predict(test))}
        (self.out / "tables" / "catboost.table.json").write_text(json.dumps(text, separators=(",", ":")) + "\n")

        self.rng.bit_generator.state = state
        # Operators of any number of inputs: as scikit-learn's mean of calibrated models has them, and each.
        x = self.numbers(200, 3).astype(np.float32)
        for name, target in (("calibrated_two", x[:, 0] > 0), ("calibrated_three", np.digitize(x[:, 0], [-0.5, 0.5]))):
            model = CalibratedClassifierCV(LogisticRegression(), cv=5).fit(x, target.astype(int))
            self.onnx(name, to_onnx(model, x[:1], target_opset={"": 17, "ai.onnx.ml": 3}, options={"zipmap": False}), x[:30])
        nodes = [h.make_node(op, [f"x{i}" for i in range(count)], [f"{op}_{count}"]) for op in ("Sum", "Max", "Min") for count in (1, 2, 5)]
        ports = [h.make_tensor_value_info(f"x{i}", T.FLOAT, [None, 2]) for i in range(5)]
        graph = h.make_graph(nodes, "g", ports, [h.make_tensor_value_info(node.output[0], T.FLOAT, [None, 2]) for node in nodes])
        large = self.rng.choice([1e8, -1e8, 1, -1, 0.5, 3e-5, 1e4], (40, 10))
        self.onnx("variadic", h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=8), large)


if __name__ == "__main__":
    maker = Maker(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent, int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    maker.sklearn_models()
    maker.boosted_models()
    maker.handmade_models()
    maker.catboost_models()
    maker.further_models()
