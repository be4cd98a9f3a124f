"""ONNX models at random, with onnxruntime's predictions: what scikit-learn and the boosting libraries export, and graphs put together
by hand from the operators that Whence reads."""

import math

import numpy as np

from make_onnx_catboost import Maker, take_numbers_of_numpy

DENORMAL = float(np.float32(1e-40))


def pick(rng, *choices):
    return choices[rng.integers(len(choices))]


def thresholds(model):
    """What the trees of a model compare with."""
    from onnx import numpy_helper

    found = []
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name in ("nodes_values", "nodes_values_as_tensor", "nodes_splits"):
                found += list(attribute.floats) or numpy_helper.to_array(attribute.t).tolist()
    return found


class RandomMaker(Maker):
    def make(self, name):
        kinds = {self.trees: 5, self.forests: 4, self.boosted: 3, self.linear: 4, self.networks: 2, self.columns: 2, self.dense: 3, self.encoders: 3, self.sums: 1}
        weights = np.array(list(kinds.values()))
        make = list(kinds)[self.rng.choice(len(kinds), p=weights / weights.sum())]
        make(f"{make.__name__}_{name}")

    def seed(self):
        return int(self.rng.integers(1 << 30))

    # What a library may see once a year, and values equal to thresholds and beside them.
    def corners(self, x, borders=()):
        width = x.shape[1]
        borders = [float(b) for b in self.rng.choice(borders, min(6, len(borders)), replace=False)] if len(borders) else []
        near = [float(np.nextafter(np.float32(b), np.float32(s))) for b in borders[:2] for s in (np.inf, -np.inf)]
        special = [np.nan, np.inf, -np.inf, -0.0, 0.0, DENORMAL, -DENORMAL, 3e38]
        rows = [np.full(width, value) for value in special + borders]
        rows += [self.rng.choice(special + borders + near + [0.5, -0.5], width) for _ in range(12)]
        return np.vstack([x, np.array(rows)])

    def special(self, x):
        """The same for sums: without numbers so great that the order of a float sum decides about an overflow."""
        width = x.shape[1]
        values = [np.nan, np.inf, -np.inf, -0.0, 0.0, DENORMAL, -DENORMAL]
        rows = [np.full(width, value) for value in values] + [self.rng.choice(values + [0.5, -2.0], width) for _ in range(5)]
        return np.vstack([x, np.array(rows)])

    # ------------------------------------------------------------------ scikit-learn

    def task(self, width, missing=0.0):
        x = self.numbers(200, width, missing).astype(np.float32)
        clean = np.nan_to_num(x).astype(np.float64)
        real = clean @ self.rng.normal(size=width).round(2) + np.abs(clean[:, -1]) + 0.1 * self.rng.normal(size=200)
        classes = int(self.rng.integers(2, 5))
        digits = np.digitize(real, np.quantile(real, np.arange(1, classes) / classes))
        names = np.array(["no", "maybe", "yes", "Łódź"])
        return x, real, pick(self.rng, digits, digits * 3 - 2, names[digits])

    def convert(self, model, x, is_double=False):
        from skl2onnx import to_onnx
        from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

        take_numbers_of_numpy()
        kind = DoubleTensorType if is_double else FloatTensorType
        sets = pick(self.rng, {"": 17, "ai.onnx.ml": 3}, {"": 12, "ai.onnx.ml": 1}, {"": 15, "ai.onnx.ml": 2}, {"": 21, "ai.onnx.ml": 3})
        if is_double:
            sets = {"": 17, "ai.onnx.ml": 3}
        options = None
        if hasattr(model, "predict_proba"):
            options = {id(model): {"zipmap": not is_double and bool(self.rng.random() < 0.5)}}
        return to_onnx(model, initial_types=[("X", kind([None, x.shape[1]]))], target_opset=sets, options=options)

    def forests(self, name):
        import sklearn.ensemble as e
        import sklearn.tree as t

        rng = self.rng
        width = int(rng.integers(1, 7))
        x, real, classes = self.task(width, missing=pick(rng, 0.0, 0.2))
        gaps = bool(np.isnan(x).any())
        small = dict(max_depth=int(rng.integers(1, 7)), random_state=self.seed())
        many = dict(n_estimators=int(rng.integers(1, 12)), **small)
        leaf = dict(min_samples_leaf=int(pick(rng, 1, 5)))
        choices = [
            (e.RandomForestClassifier(**many, **leaf), classes), (e.RandomForestRegressor(**many, **leaf), real),
            (e.RandomForestRegressor(**many), np.stack([real, -2 * real, np.cos(real)], 1)[:, : int(rng.integers(2, 4))]),
            (t.DecisionTreeClassifier(**small, **leaf), classes), (t.DecisionTreeRegressor(**small), real),
            (e.HistGradientBoostingClassifier(max_iter=int(rng.integers(1, 8)), min_samples_leaf=5, **small), classes),
            (e.HistGradientBoostingRegressor(max_iter=int(rng.integers(1, 8)), min_samples_leaf=5, **small), real),
        ]
        if not gaps:
            choices += [
                (e.ExtraTreesClassifier(**many), classes), (e.ExtraTreesRegressor(**many), real),
                (e.GradientBoostingClassifier(**many), classes), (e.GradientBoostingRegressor(**many), real),
            ]
        model, target = pick(rng, *choices)
        model.fit(x, target)
        converted = self.convert(model, x)
        self.onnx(name, converted, self.corners(x[:25], thresholds(converted)))

    def linear(self, name):
        import sklearn.impute
        import sklearn.linear_model as lm
        import sklearn.pipeline
        import sklearn.preprocessing as pp
        import sklearn.svm

        rng = self.rng
        width = int(rng.integers(1, 12))
        gaps = bool(rng.random() < 0.3)
        x, real, classes = self.task(width, missing=0.2 if gaps else 0.0)
        steps = []
        if gaps:
            steps.append(sklearn.impute.SimpleImputer(strategy=pick(rng, "mean", "median", "most_frequent")))
        scaler = pick(rng, None, pp.StandardScaler(), pp.StandardScaler(with_mean=False), pp.StandardScaler(with_std=False), pp.MinMaxScaler(),
                      pp.MinMaxScaler(clip=True), pp.MaxAbsScaler(), pp.RobustScaler())
        if scaler:
            steps.append(scaler)
        if rng.random() < 0.25:
            steps.append(pp.Normalizer(pick(rng, "l1", "l2", "max")))
        model, target = pick(
            rng, (lm.LinearRegression(), real), (lm.Ridge(float(rng.uniform(0.1, 9))), real),
            (lm.Lasso(0.05), real), (lm.ElasticNet(0.05), real), (lm.Ridge(), np.stack([real, -2 * real + 1], 1)),
            (lm.SGDRegressor(random_state=self.seed()), real), (lm.LogisticRegression(C=float(rng.uniform(0.1, 9))), classes),
            (lm.LogisticRegression(fit_intercept=False), classes), (lm.SGDClassifier("log_loss", random_state=self.seed()), classes),
            (lm.PoissonRegressor(), np.abs(real)), (sklearn.svm.LinearSVR(), real))
        model = sklearn.pipeline.make_pipeline(*steps, model).fit(x, target)
        norm = any(isinstance(step, pp.Normalizer) for step in steps)
        is_double = bool(rng.random() < 0.2) and not norm and not gaps
        rows = x[:25] if norm else self.special(x[:25])
        self.onnx(name, self.convert(model, x, is_double), rows)

    def networks(self, name):
        import sklearn.neural_network as nn
        import sklearn.pipeline
        import sklearn.preprocessing as pp

        rng = self.rng
        x, real, classes = self.task(int(rng.integers(2, 9)))
        layers = tuple(int(n) for n in rng.integers(2, 12, int(rng.integers(1, 4))))
        kind, target = pick(rng, (nn.MLPClassifier, classes), (nn.MLPRegressor, real))
        model = kind(hidden_layer_sizes=layers, activation=pick(rng, "relu", "tanh", "logistic", "identity"), max_iter=60, random_state=self.seed())
        model = sklearn.pipeline.make_pipeline(pp.StandardScaler(), model).fit(x, target)
        self.onnx(name, self.convert(model, x, bool(rng.random() < 0.2)), x[:30])

    def columns(self, name):
        """Columns of several types, each an input of its own."""
        import pandas
        import sklearn.compose
        import sklearn.ensemble as e
        import sklearn.linear_model as lm
        import sklearn.pipeline
        import sklearn.preprocessing as pp
        from skl2onnx import to_onnx
        from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType

        rng = self.rng
        x, real, classes = self.task(2)
        places = np.array(["Oslo", "Rom", "Łódź", "", "a considerably longer name of a place"])
        city = rng.choice(places[: int(rng.integers(2, 6))], 200)
        grade = rng.integers(-2, int(rng.integers(1, 9)), 200)
        table = pandas.DataFrame({"a": x[:, 0], "b": x[:, 1], "city": city, "grade": grade})
        handle = pick(rng, "ignore", "error")
        drop = pick(rng, None, "first") if handle == "error" else None
        encoder = sklearn.compose.ColumnTransformer(
            [("n", pick(rng, pp.StandardScaler(), pp.MinMaxScaler(), "passthrough"), ["a", "b"]),
             ("c", pp.OneHotEncoder(handle_unknown=handle, drop=drop), ["city"]),
             ("g", pick(rng, pp.OneHotEncoder(handle_unknown=handle), pp.OrdinalEncoder()), ["grade"])], sparse_threshold=0)
        model, target = pick(
            rng, (lm.LogisticRegression(), classes), (lm.Ridge(), real), (e.RandomForestClassifier(5, max_depth=4, random_state=self.seed()), classes),
            (e.GradientBoostingRegressor(n_estimators=5, random_state=self.seed()), real))
        model = sklearn.pipeline.make_pipeline(encoder, model).fit(table, target)
        converted = to_onnx(
            model, initial_types=[("a", FloatTensorType([None, 1])), ("b", FloatTensorType([None, 1])), ("city", StringTensorType([None, 1])),
                                  ("grade", Int64TensorType([None, 1]))], target_opset={"": 17, "ai.onnx.ml": 3})
        rows = [[np.float32(a), np.float32(b), str(c), int(g)] for a, b, c, g in zip(x[:20, 0], x[:20, 1], city, grade)]
        if handle == "ignore" and isinstance(encoder.transformers[2][1], pp.OneHotEncoder):
            rows += [[np.float32(0.5), np.float32(-0.5), "Ulm", 99], [np.float32(-0.0), np.float32(DENORMAL), "Oslo ", -99]]
        self.onnx(name, converted, rows)

    # ------------------------------------------------------------------ boosting

    def boosted(self, name):
        import catboost
        import lightgbm
        import onnx
        import onnxmltools
        import xgboost
        from onnxmltools.convert.common.data_types import FloatTensorType

        rng = self.rng
        width = int(rng.integers(2, 7))
        x, real, _ = self.task(width, missing=pick(rng, 0.0, 0.2))
        count = int(rng.integers(2, 5))
        classes = np.digitize(real, np.quantile(real, np.arange(1, count) / count))
        regression = bool(rng.random() < 0.5)
        target = real if regression else classes
        many = dict(n_estimators=int(rng.integers(1, 10)), random_state=self.seed())
        types = [("X", FloatTensorType([None, width]))]
        library = pick(rng, "lightgbm", "xgboost", "catboost")
        if library == "lightgbm":
            kind = lightgbm.LGBMRegressor if regression else lightgbm.LGBMClassifier
            more = dict(boosting_type=pick(rng, "gbdt", "dart"), zero_as_missing=False, use_missing=bool(rng.random() < 0.8))
            if regression:
                more["objective"] = pick(rng, "regression", "l1", "huber", "quantile")
            model = kind(num_leaves=int(rng.integers(2, 20)), min_child_samples=5, verbose=-1, **many, **more).fit(x, target)
            more = {} if regression else {"zipmap": bool(rng.random() < 0.5)}
            converted = onnxmltools.convert_lightgbm(model, initial_types=types, target_opset=15, **more)
        elif library == "xgboost":
            kind = xgboost.XGBRegressor if regression else xgboost.XGBClassifier
            model = kind(max_depth=int(rng.integers(1, 6)), **many).fit(x, target)
            converted = onnxmltools.convert_xgboost(model, initial_types=types, target_opset=15)
        else:
            kind = catboost.CatBoostRegressor if regression else catboost.CatBoostClassifier
            model = kind(depth=int(rng.integers(1, 5)), verbose=0, allow_writing_files=False, thread_count=1, **many).fit(x, target)
            path = self.out / "onnx" / f"{name}.onnx"
            model.save_model(str(path), format="onnx")
            converted = onnx.load(path)
        self.onnx(f"{library}_{name}", converted, self.corners(x[:25], thresholds(converted)))
        if library == "catboost":
            path.unlink()

    # ------------------------------------------------------------------ by hand

    def graph(self, nodes, inputs, outputs, constants=(), ml=3, opset=17):
        from onnx import helper as h
        from onnx import numpy_helper as nh

        graph = h.make_graph(
            nodes, "g", [h.make_tensor_value_info(*p) for p in inputs], [h.make_tensor_value_info(*p) for p in outputs],
            [nh.from_array(np.asarray(value), name) for name, value in constants])
        return h.make_model(graph, opset_imports=[h.make_opsetid("", opset), h.make_opsetid("ai.onnx.ml", ml)], ir_version=8)

    def shape(self, depth):
        """A tree as a list of nodes: None for a leaf, or its two children; the root first."""
        nodes, open_ = [None], [(0, 0)]
        while open_:
            index, level = open_.pop()
            if level < depth and self.rng.random() < (1 if level == 0 else 0.7):
                nodes[index] = (len(nodes), len(nodes) + 1)
                open_ += [(len(nodes), level + 1), (len(nodes) + 1, level + 1)]
                nodes += [None, None]
        return nodes

    modes = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"]

    def trees(self, name):
        from onnx import TensorProto as T
        from onnx import helper as h

        rng = self.rng
        width = int(rng.integers(1, 5))
        grid = [0.0, 0.5, -0.5, 0.25, 1e-3, -7.0]
        kind = pick(rng, "regressor", "classifier", "five")
        is_double = bool(rng.random() < 0.3)
        element = T.DOUBLE if is_double else T.FLOAT
        modes = self.modes if rng.random() < 0.5 else [pick(rng, *self.modes)]
        tracks = bool(rng.random() < 0.6)
        count = int(rng.integers(1, 15))
        number = lambda: float(rng.normal() * pick(rng, 1, 1, 50)) if is_double else float(np.float32(rng.normal() * pick(rng, 1, 1, 50)))
        value = lambda: float(pick(rng, *grid)) if rng.random() < 0.7 else number()
        post = pick(rng, "NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO", "PROBIT")
        if kind == "five":
            node = self.five(width, element, modes, tracks, count, value, number, post)
            model = self.graph([node], [("x", element, [None, width])], [("y", element, None)], ml=5, opset=21)
            return self.onnx(name, model, self.corners(rng.choice(grid, (15, width)), thresholds(model)))
        targets = int(rng.integers(1, 5))
        positive = bool(rng.random() < 0.4)
        # For a classifier of two classes it matters whether one class has all the weights.
        only = int(rng.integers(0, targets)) if kind == "classifier" and targets == 2 and rng.random() < 0.7 else None
        bases = [number() for _ in range(targets)] if rng.random() < 0.5 and not (kind == "classifier" and targets == 2) else []
        if kind == "classifier" and targets == 2 and rng.random() < 0.5:
            bases = [number()]
        if kind == "regressor" and targets == 1:
            post = "NONE"
        # Leaves that have no weight for some target are read where it is clear what they mean.
        whole = kind == "classifier" or targets == 1 or bool(bases)
        keys = ("treeids", "nodeids", "featureids", "modes", "truenodeids", "falsenodeids", "missing_value_tracks_true")
        nodes, weights = {key: [] for key in keys}, {key: [] for key in ("treeids", "nodeids", "ids")}
        values, sums = [], []
        for tree in range(count):
            shape = self.shape(int(rng.integers(0, 6)))
            numbers = [0] + [int(i) for i in 1 + rng.permutation(len(shape) - 1)] if rng.random() < 0.3 else list(range(len(shape)))
            for at, children in enumerate(shape):
                yes, no = (numbers[children[0]], numbers[children[1]]) if children else (0, 0)
                mode = pick(rng, *modes) if children else "LEAF"
                entry = (tree, numbers[at], int(rng.integers(0, width)) if children else 0, mode, yes, no, int(tracks and rng.random() < 0.5))
                for key, item in zip(keys, entry):
                    nodes[key].append(item)
                values.append(value() if children else 0.0)
                if not children:
                    own = [only] if only is not None else [t for t in range(targets) if whole or rng.random() < 0.8] or [0]
                    for target in own:
                        for key, item in zip(weights, (tree, numbers[at], target)):
                            weights[key].append(item)
                        sums.append(abs(number()) if positive else number())
        prefix = "target" if kind == "regressor" else "class"
        attributes = {**{f"nodes_{key}": item for key, item in nodes.items()}, **{f"{prefix}_{key}": item for key, item in weights.items()}}
        if not tracks:
            del attributes["nodes_missing_value_tracks_true"]
        lists = {"nodes_values": values, f"{prefix}_weights": sums, "base_values": bases}
        for key, items in lists.items():
            if not items:
                continue
            if is_double:
                attributes[key + "_as_tensor"] = h.make_tensor("t", T.DOUBLE, [len(items)], items)
            else:
                attributes[key] = items
        outputs = [("y", T.FLOAT, None)]
        if kind == "regressor":
            attributes.update(n_targets=targets, aggregate_function=pick(rng, "SUM", "SUM", "AVERAGE", "MIN", "MAX"))
        else:
            post = "NONE" if post == "PROBIT" else post
            words = targets > 1 and rng.random() < 0.4
            attributes.update({"classlabels_strings": ["no", "maybe", "yes", "Łódź"][:targets]} if words else {"classlabels_int64s": [5, -7, 9, 11][:targets]})
            outputs = [("label", T.STRING if words else T.INT64, None), ("score", T.FLOAT, None)]
        op = "TreeEnsembleRegressor" if kind == "regressor" else "TreeEnsembleClassifier"
        node = h.make_node(op, ["x"], [o[0] for o in outputs], domain="ai.onnx.ml", post_transform=post, **attributes)
        model = self.graph([node], [("x", element, [None, width])], outputs)
        self.onnx(name, model, self.corners(rng.choice(grid, (15, width)), thresholds(model)))

    def five(self, width, element, modes, tracks, count, value, number, post):
        """`TreeEnsemble` of version 5: nodes and leaves in arrays of their own."""
        from onnx import TensorProto as T
        from onnx import helper as h

        rng = self.rng
        targets = int(rng.integers(1, 4))
        names = ("featureids", "splits", "modes", "truenodeids", "trueleafs", "falsenodeids", "falseleafs", "missing_value_tracks_true")
        nodes, roots, leaf_targets, leaf_weights = {key: [] for key in names}, [], [], []

        def leaf():
            leaf_targets.append(int(rng.integers(0, targets)))
            leaf_weights.append(number())
            return len(leaf_targets) - 1, 1

        for _ in range(count):
            shape = self.shape(int(rng.integers(0, 6)))
            inner = [at for at, children in enumerate(shape) if children]
            start = len(nodes["modes"])
            roots.append(start)
            place = {at: start + i for i, at in enumerate(inner)}
            for at in inner or [None]:
                # A tree of one leaf is a node whose branches both lead to it.
                sides = [(place[child], 0) if child in place else leaf() for child in shape[at]] if at is not None else [leaf()] * 2
                (yes, yes_leaf), (no, no_leaf) = sides
                entry = (int(rng.integers(0, width)), value(), self.modes.index(pick(rng, *modes)), yes, yes_leaf, no, no_leaf,
                         int(tracks and rng.random() < 0.5))
                for key, item in zip(names, entry):
                    nodes[key].append(item)
        tensor = lambda items, kind: h.make_tensor("t", kind, [len(items)], items)
        nodes["splits"], nodes["modes"] = tensor(nodes["splits"], element), tensor(nodes["modes"], T.UINT8)
        if not tracks:
            del nodes["missing_value_tracks_true"]
        transform = ["NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO", "PROBIT"].index("NONE" if targets == 1 else post)
        return h.make_node(
            "TreeEnsemble", ["x"], ["y"], domain="ai.onnx.ml", n_targets=targets, aggregate_function=int(rng.integers(0, 4)), post_transform=transform,
            tree_roots=roots, leaf_targetids=leaf_targets, leaf_weights=tensor(leaf_weights, element),
            **{f"nodes_{key}": item for key, item in nodes.items()})

    def dense(self, name):
        """A network, layer after layer."""
        from onnx import TensorProto as T
        from onnx import helper as h

        rng = self.rng
        is_double = bool(rng.random() < 0.25)
        kind, element = (np.float64, T.DOUBLE) if is_double else (np.float32, T.FLOAT)
        matrix = lambda *shape: (rng.normal(size=shape) / np.sqrt(shape[-1])).astype(kind)
        nodes, constants = [], []

        def constant(value):
            constants.append((f"c{len(constants)}", value))
            return constants[-1][0]

        def add(op, *inputs, **more):
            nodes.append(h.make_node(op, list(inputs), [f"v{len(nodes)}"], **more))
            return f"v{len(nodes) - 1}"

        dims = [2, 3] if rng.random() < 0.3 else [int(rng.integers(1, 10))]
        width = int(np.prod(dims))
        at = add("Flatten", "x") if len(dims) == 2 and rng.random() < 0.5 else add("Reshape", "x", constant(np.array([-1, width])))
        skip = None
        for _ in range(int(rng.integers(1, 5))):
            if rng.random() < 0.3:
                at = add("Div", add("Sub", at, constant(matrix(width))), constant(np.abs(matrix(1, width)) + kind(0.5)))
            outer = width if rng.random() < 0.3 else int(rng.integers(1, 12))
            if rng.random() < 0.6:
                turned = bool(rng.random() < 0.5)
                bias = [constant(matrix(*pick(rng, (outer,), (1, outer), (1,))))] if rng.random() < 0.8 else []
                next_ = add("Gemm", at, constant(matrix(outer, width) if turned else matrix(width, outer)), *bias, transB=int(turned),
                            alpha=float(pick(rng, 1.0, 0.5)), beta=float(pick(rng, 1.0, 2.0)))
            else:
                next_ = add("Add", add("MatMul", at, constant(matrix(width, outer))), constant(matrix(outer)))
            if rng.random() < 0.3:
                next_ = add("BatchNormalization", next_, *(constant(matrix(outer)) for _ in range(3)), constant(np.abs(matrix(outer)) + kind(0.1)))
            next_ = add(*pick(rng, ("Relu",), ("Sigmoid",), ("Tanh",), ("Identity",)), next_)
            if outer == width and rng.random() < 0.6:
                next_ = add(pick(rng, "Add", "Sub", "Mul"), next_, at)
            elif rng.random() < 0.3:
                next_, outer = add("Concat", next_, at, axis=pick(rng, 1, -1)), outer + width
            at, width = next_, outer
        last = pick(rng, "Identity", "Softmax", "LogSoftmax", "Sigmoid")
        more = {"axis": pick(rng, 1, -1)} if "Softmax" in last else {}
        nodes.append(h.make_node(last, [at], ["y"], **more))
        outputs = [("y", element, [None, width])]
        if rng.random() < 0.3:
            nodes.append(h.make_node("ArgMax", [at], ["best"], axis=1, keepdims=int(rng.integers(0, 2))))
            outputs.append(("best", T.INT64, None))
        if rng.random() < 0.3:
            nodes.append(h.make_node("Cast", [at], ["other"], to=T.FLOAT if is_double else T.DOUBLE))
            outputs.append(("other", T.FLOAT if is_double else T.DOUBLE, None))
        rows = self.numbers(25, int(np.prod(dims)))
        rows = rows if is_double else rows.astype(np.float32)
        self.onnx(name, self.graph(nodes, [("x", element, [None] + dims)], outputs, constants, opset=int(pick(rng, 13, 15, 17, 21))), rows)

    def encoders(self, name):
        """Texts and numbers through encoders, gathered, and a linear model of them."""
        from onnx import TensorProto as T
        from onnx import helper as h

        rng = self.rng
        ml = lambda op, inputs, outputs, **more: h.make_node(op, inputs, outputs, domain="ai.onnx.ml", **more)
        words = ["a", "b", "Łódź", "", "somewhat longer"]
        known = words[: int(rng.integers(1, 5))]
        real = lambda n: [float(v) for v in rng.normal(size=n).round(3).astype(np.float32)]
        width = int(rng.integers(1, 4))
        replaced = float(pick(rng, np.nan, 0.0, -1.5))
        one = bool(rng.random() < 0.5)
        nodes = [
            ml("Imputer", ["n"], ["filled"], imputed_value_floats=real(1 if one else width), replaced_value_float=replaced),
            ml("Scaler", ["filled"], ["scaled"], offset=real(1 if one else width), scale=real(1 if one else width)),
            ml("LabelEncoder", ["city"], ["code"], keys_strings=known, values_floats=real(len(known)), default_float=real(1)[0]),
            ml("LabelEncoder", ["grade"], ["word"], keys_int64s=[-1, 1, 2, 40], values_strings=["low", "b", "high", "b"], default_string="?"),
            ml("OneHotEncoder", ["word"], ["hot"], cats_strings=["?", "b", "high"], zeros=1),
            ml("OneHotEncoder", ["grade"], ["grades"], cats_int64s=[2, -1, 7], zeros=1),
            h.make_node("Reshape", ["hot", "three"], ["hot3"]), h.make_node("Reshape", ["grades", "three"], ["grades3"]),
            ml("FeatureVectorizer", ["scaled", "code", "hot3", "grades3"], ["all"], inputdimensions=[width, 1, 3, 3]),
            ml("Normalizer", ["all"], ["norm"], norm=pick(rng, "MAX", "L1", "L2")),
            ml("ArrayFeatureExtractor", ["norm", "some"], ["picked"]),
        ]
        outputs = [("word", T.STRING, None), ("norm", T.FLOAT, None), ("picked", T.FLOAT, None)]
        total = width + 7
        if rng.random() < 0.5:
            targets = int(rng.integers(1, 4))
            labels = {"classlabels_strings": ["low", "high", "none"][: max(2, targets)]} if rng.random() < 0.5 else {"classlabels_ints": [3, -5, 8][: max(2, targets)]}
            post = pick(rng, "NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO") if targets > 1 else pick(rng, "NONE", "LOGISTIC")
            nodes.append(ml("LinearClassifier", ["all"], ["label", "score"], coefficients=real(total * targets), intercepts=real(targets),
                            post_transform=post, multi_class=0, **labels))
            outputs += [("label", T.STRING if "classlabels_strings" in labels else T.INT64, None), ("score", T.FLOAT, None)]
        else:
            targets = int(rng.integers(1, 4))
            post = pick(rng, "NONE", "LOGISTIC", "SOFTMAX") if targets > 1 else "NONE"
            nodes.append(ml("LinearRegressor", ["all"], ["y"], coefficients=real(total * targets), intercepts=real(targets), targets=targets, post_transform=post))
            outputs.append(("y", T.FLOAT, None))
        rows = []
        for _ in range(30):
            numbers = [float(pick(rng, np.nan, 0.0, -0.0, -1.5, DENORMAL, *real(6))) for _ in range(width)]
            rows.append(numbers + [pick(rng, *words, "unseen"), int(pick(rng, -1, 1, 2, 40, 7, 0, -(2**40)))])
        some = np.array(rng.integers(0, total, int(rng.integers(1, 4))))
        self.onnx(name, self.graph(nodes, [("n", T.FLOAT, [None, width]), ("city", T.STRING, [None, 1]), ("grade", T.INT64, [None, 1])],
                                   outputs, [("three", np.array([-1, 3])), ("some", some)], ml=pick(rng, 2, 3)), rows)

    def sums(self, name):
        """A linear model and rows whose terms nearly cancel, with the exact sums rounded once: products of floats are exact in double, and
        `fsum` adds them as if with endless precision; and with the sizes of the terms, by which a sum in float is off."""
        from onnx import TensorProto as T
        from onnx import helper as h

        width, targets = int(self.rng.integers(2, 40)), int(self.rng.integers(1, 4))
        weights = self.rng.normal(size=(targets, width)).astype(np.float32)
        bias = self.rng.normal(size=targets).astype(np.float32)
        x = self.rng.normal(size=(30, width)).astype(np.float32)
        for row in x[:20]:
            rest = float(bias[0]) + float(weights[0, :-1].astype(float) @ row[:-1].astype(float))
            row[-1] = np.float32(-rest / float(weights[0, -1]) * (1 + self.rng.normal() * 1e-4))
        node = h.make_node("LinearRegressor", ["x"], ["y"], domain="ai.onnx.ml", targets=targets, coefficients=weights.ravel().tolist(),
                           intercepts=bias.tolist())
        terms = [[[float(b)] + [float(a) * float(v) for a, v in zip(w, row)] for w, b in zip(weights, bias)] for row in x]
        exact = [[float(np.float32(math.fsum(sum_))) for sum_ in row] for row in terms]
        sizes = [[math.fsum(map(abs, sum_)) for sum_ in row] for row in terms]
        self.onnx(name, self.graph([node], [("x", T.FLOAT, [None, width])], [("y", T.FLOAT, None)]), x, exact=exact, sizes=sizes)
