"""Whence's scorer beside the libraries whose models it reads (`Benchmarks/run models`).

Prints one line a figure: `NAME WHENCE PEER RATIO`, ratio above 1 meaning that Whence is ahead; figures without a peer are
`NAME VALUE UNIT`. One thread each, inputs in memory, processor time, the best of several runs that alternate. Before anything is
timed, the answers are compared. `BENCH_MODELS` names a directory in which the models are kept from one run to the next.
"""
import ctypes
import json
import os
import subprocess
import sys
import tempfile
import time

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import lightgbm as lgb
import numpy as np

SCORING = sys.argv[1]
RUNS = int(os.environ.get("BENCH_RUNS", "5"))
FEATURES, ROWS, SHAP_ROWS = 50, 10_000, 1_000


def note(*words):
    print(*words, file=sys.stderr, flush=True)


def whence(command, model, rows=None, runs=RUNS, count=None):
    arguments = [SCORING, command, model, rows or "-", str(runs)] + ([str(count)] if count else [])
    return json.loads(subprocess.run(arguments, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])


def timed(body, runs=1):
    best = float("inf")
    for _ in range(runs):
        start = time.process_time()
        body()
        best = min(best, time.process_time() - start)
    return best


def line(name, ours, peer):
    print(f"{name} {ours:.4f} {peer:.4f} {peer / ours:.2f}", flush=True)


def agree(name, ours, peer, relative):
    if abs(ours - peer) > relative * max(1.0, abs(peer)):
        sys.exit(f"{name}: the sums of the answers differ, {ours} and {peer}")


def alternate(name, command, model, rows, key, scale, body, answer, relative, count=None):
    """The best of each side, runs taking turns."""
    ours, peer = float("inf"), float("inf")
    for _ in range(RUNS):
        result = whence(command, model, rows, 3, count)
        ours = min(ours, result[key])
        peer = min(peer, timed(body) * scale)
    agree(name, result["sum"], answer(), relative)
    line(name, ours, peer)


class Data:
    def __init__(self, directory):
        self.dir = directory
        rng = np.random.default_rng(5)
        n = 20_000
        self.x = rng.normal(size=(n, FEATURES))
        self.x[rng.random(self.x.shape) < 0.05] = np.nan
        z = np.nan_to_num(self.x)
        self.y = sum(np.sin(z[:, i] * (1 + i % 3)) * z[:, (i * 7 + 1) % FEATURES] for i in range(20)) + rng.normal(size=n)
        self.categories = self.x.copy()
        for column in range(5):
            self.categories[:, column] = rng.integers(0, 50, n)
        self.rows = self.keep("x.f64", self.x)
        self.float_rows = self.keep("x32.f64", self.x.astype(np.float32))
        self.category_rows = self.keep("xc.f64", self.categories)

    def keep(self, name, x):
        path = f"{self.dir}/{name}"
        x[:ROWS].astype(np.float64).tofile(path)
        return path

    def model(self, name, make):
        path = f"{self.dir}/{name}"
        if not os.path.exists(path):
            note(f"# training {name}")
            make(path)
        return path

    def lightgbm(self, trees, leaves, categorical=False):
        params = dict(objective="regression", num_leaves=leaves, verbose=-1, learning_rate=0.05, min_data_in_leaf=5, num_threads=1)
        x = self.categories if categorical else self.x
        y = self.y + (np.sin(x[:, 0] * 3) * 2 + np.cos(x[:, 1] * 5) if categorical else 0)
        columns = list(range(5)) if categorical else "auto"
        name = f"lgb{'_cat' if categorical else ''}_{trees}x{leaves}.txt"
        return self.model(name, lambda path: lgb.train(params, lgb.Dataset(x, y, categorical_feature=columns), trees).save_model(path))


def lightgbm_single(booster, x):
    """The C API's quick way for one row: set up once, then called for each row."""
    lib = lgb.basic._LIB
    config, out, length = ctypes.c_void_p(), np.zeros(1), ctypes.c_int64()
    lib.LGBM_BoosterPredictForMatSingleRowFastInit(
        booster._handle, 0, 0, 0, 1, FEATURES, ctypes.c_char_p(b"num_threads=1"), ctypes.byref(config))
    rows = [x[i].ctypes.data_as(ctypes.c_void_p) for i in range(len(x))]
    target, pointer, call = out.ctypes.data_as(ctypes.c_void_p), ctypes.byref(length), lib.LGBM_BoosterPredictForMatSingleRowFast

    def body():
        for row in rows:
            call(config, row, pointer, target)

    return body


def lightgbm_figures(data):
    x = np.ascontiguousarray(data.x[:ROWS])
    path = data.lightgbm(500, 63)
    booster = lgb.Booster(model_file=path)
    part = x[:2000]
    alternate("score_single_vs_lightgbm_c", "single", path, data.rows, "us", 1e6 / len(part), lightgbm_single(booster, part),
              lambda: booster.predict(part, num_threads=1).sum(), 1e-9, len(part))
    for trees, leaves, categorical in ((100, 31, False), (500, 63, False), (1000, 255, False), (500, 63, True)):
        path = data.lightgbm(trees, leaves, categorical)
        booster = lgb.Booster(model_file=path)
        rows = np.ascontiguousarray(data.categories[:ROWS]) if categorical else x
        predict = lambda: booster.predict(rows, num_threads=1)
        name = "score_batch_vs_lightgbm" + ("" if (trees, leaves, categorical) == (500, 63, False) else f"_{trees}x{leaves}")
        alternate(name + ("_categorical" if categorical else ""), "batch", path, data.category_rows if categorical else data.rows, "ms", 1e3,
                  predict, lambda: predict().sum(), 1e-9)
    path = data.lightgbm(500, 63)
    booster = lgb.Booster(model_file=path)
    shap = lambda: booster.predict(x[:SHAP_ROWS], pred_contrib=True, num_threads=1)
    ours = min(whence("contributions", path, data.rows, 1, SHAP_ROWS)["ms"] for _ in range(min(3, RUNS)))
    line("shap_vs_lightgbm", ours, timed(shap) * 1e3)
    return path


def xgboost_figure(data):
    import xgboost as xgb

    def make(path):
        params = dict(objective="reg:squarederror", max_depth=0, max_leaves=63, grow_policy="lossguide", tree_method="hist", eta=0.05, nthread=1)
        xgb.train(params, xgb.DMatrix(data.x.astype(np.float32), data.y), 500).save_model(path)

    path = data.model("xgb_500x63.json", make)
    booster = xgb.Booster(model_file=path)
    booster.set_param({"nthread": 1})
    x = np.ascontiguousarray(data.x[:ROWS].astype(np.float32))
    predict = lambda: booster.inplace_predict(x)
    alternate("score_batch_vs_xgboost", "batch", path, data.float_rows, "ms", 1e3, predict, lambda: predict().astype(float).sum(), 1e-6)


def catboost_figure(data):
    import catboost

    def make(path):
        model = catboost.CatBoostRegressor(iterations=500, depth=6, learning_rate=0.05, thread_count=1, verbose=0, allow_writing_files=False)
        model.fit(data.x, data.y)
        model.save_model(path, format="json")
        model.save_model(path.replace(".json", ".cbm"))

    path = data.model("cat_500x6.json", make)
    model = catboost.CatBoost()
    model.load_model(path.replace(".json", ".cbm"))
    # What the library's evaluator is given: a pool is built beforehand, and not timed.
    pool = catboost.Pool(data.x[:ROWS].astype(np.float32))
    predict = lambda: model.predict(pool, thread_count=1)
    alternate("score_batch_vs_catboost", "batch", path, data.float_rows, "ms", 1e3, predict, lambda: predict().sum(), 1e-9)


def onnx_figure(data, lightgbm_path):
    import onnxmltools
    import onnxruntime
    from onnxmltools.convert.common.data_types import FloatTensorType

    def make(path):
        model = onnxmltools.convert_lightgbm(
            lgb.Booster(model_file=lightgbm_path), initial_types=[("x", FloatTensorType([None, FEATURES]))], zipmap=False)
        with open(path, "wb") as file:
            file.write(model.SerializeToString())

    path = data.model("onnx_500x63.onnx", make)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    x = np.ascontiguousarray(data.x[:ROWS].astype(np.float32))
    name = session.get_inputs()[0].name
    predict = lambda: session.run(None, {name: x})[0]
    alternate("score_batch_vs_onnxruntime", "batch", path, data.float_rows, "ms", 1e3, predict, lambda: predict().astype(float).sum(), 1e-5)


def lleaves_figure(data, path):
    import lleaves

    model = lleaves.Model(model_file=path)
    start = time.perf_counter()
    model.compile(cache=f"{data.dir}/lleaves.bin")
    note(f"# lleaves compiled (or found what it had compiled) in {time.perf_counter() - start:.1f} s")
    x = np.ascontiguousarray(data.x[:ROWS])
    predict = lambda: model.predict(x, n_jobs=1)
    alternate("score_batch_vs_lleaves", "batch", path, data.rows, "ms", 1e3, predict, lambda: predict().sum(), 1e-9)


def wide_model(data):
    """10,000 trees of 255 leaves: those of a model of 1,000, ten times over."""
    small = data.lightgbm(1000, 255)

    def make(path):
        head, *trees = open(small).read().split("\nTree=")
        last, tail = trees[-1].split("end of trees")
        trees[-1] = last
        head = "\n".join(l for l in head.split("\n") if not l.startswith("tree_sizes"))
        with open(path, "w") as file:
            file.write(head + "\n")
            for copy in range(10):
                for index, tree in enumerate(trees):
                    file.write(f"\nTree={copy * len(trees) + index}\n" + tree.split("\n", 1)[1])
            file.write("end of trees" + tail)

    return data.model("lgb_10000x255.txt", make)


def main():
    directory = os.environ.get("BENCH_MODELS")
    if not directory:
        with tempfile.TemporaryDirectory(prefix="whence-models-") as temporary:
            return run(temporary)
    os.makedirs(directory, exist_ok=True)
    run(directory)


def run(directory):
    note(f"# lightgbm {lgb.__version__}; one thread each, processor time, best of {RUNS}; {ROWS} rows of {FEATURES} features")
    data = Data(directory)
    path = lightgbm_figures(data)
    for name, figure in (("xgboost", lambda: xgboost_figure(data)), ("catboost", lambda: catboost_figure(data)),
                         ("onnxruntime", lambda: onnx_figure(data, path)), ("lleaves", lambda: lleaves_figure(data, path))):
        try:
            figure()
        except ImportError as error:
            note(f"# {name} is not compared: {error}")
    for name, model in (("load_500x63", path), ("load_10000x255", wide_model(data))):
        result = whence("load", model, None, 3)
        print(f"{name} {result['seconds'] * 1e3:.1f} ms", flush=True)
        print(f"{name}_memory {result['memory_mb']:.1f} MB", flush=True)
        print(f"{name}_peak {result['peak_mb']:.1f} MB", flush=True)


main()
