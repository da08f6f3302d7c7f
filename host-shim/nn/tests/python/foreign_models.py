"""Models by other tools, with what ONNX Runtime makes of them: an independent check of the ONNX engine.

Usage: foreign_models.py FOLDER. For each case it writes NAME.onnx, and NAME.json with a list of runs; a run has
"inputs" and "outputs", each a list of {"name", "type", "dims", "values"}.
"""

import json
import pathlib
import sys

import lightgbm
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxmltools.convert import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType as LightgbmFloats
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

FEATURES = 12
BATCHES = (1, 3, 16)
TYPES = {"float32": "f32", "int64": "i64"}


def write(folder, name, model, runs):
    """Writes a model and what ONNX Runtime gives for each run, a dict of arrays by input name."""
    content = model.SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    described = []
    for inputs in runs:
        outputs = dict(zip(names, session.run(names, inputs)))
        described.append({"inputs": tensors(inputs), "outputs": tensors(outputs)})
    (folder / f"{name}.onnx").write_bytes(content)
    (folder / f"{name}.json").write_text(json.dumps(described))


def tensors(arrays):
    return [
        {
            "name": name,
            "type": TYPES[str(array.dtype)],
            "dims": list(array.shape),
            "values": [float(value) for value in array.ravel()],
        }
        for name, array in arrays.items()
    ]


def rows(random, count, missing=False):
    values = random.normal(size=(count, FEATURES)).astype(np.float32)
    if missing:
        values[random.random(values.shape) < 0.1] = np.nan
    return values


def data(random):
    features = rows(random, 400)
    score = features[:, 0] * 2 - features[:, 1] + np.sin(features[:, 2] * 3)
    return features, score.astype(np.float32)


def scikit_learn(folder, random):
    features, score = data(random)
    two, three = (score > 0).astype(np.int64), np.digitize(score, [-1, 1]).astype(np.int64)
    small = {"n_estimators": 20, "random_state": 0}
    cases = {
        "skl_mlp": MLPRegressor(hidden_layer_sizes=(32, 16), max_iter=50, random_state=0).fit(features, score),
        "skl_scaled_mlp": make_pipeline(StandardScaler(), MLPRegressor(hidden_layer_sizes=(8,), max_iter=50, random_state=0)).fit(
            features, score
        ),
        "skl_boosted": GradientBoostingRegressor(**small).fit(features, score),
        "skl_boosted_two_classes": GradientBoostingClassifier(**small).fit(features, two),
        "skl_boosted_three_classes": GradientBoostingClassifier(**small).fit(features, three),
        "skl_forest": RandomForestRegressor(max_depth=6, **small).fit(features, score),
        "skl_forest_three_classes": RandomForestClassifier(max_depth=6, **small).fit(features, three),
    }
    for name, model in cases.items():
        options = {} if "mlp" in name or not hasattr(model, "classes_") else {id(model): {"zipmap": False}}
        converted = convert_sklearn(
            model, initial_types=[("x", FloatTensorType([None, FEATURES]))], options=options, target_opset=17
        )
        write(folder, name, converted, [{"x": rows(random, batch)} for batch in BATCHES])


def light_gbm(folder, random):
    features, score = data(random)
    groups = [20] * 20
    relevance = np.digitize(score, [-2, 0, 2])
    common = {"n_estimators": 30, "num_leaves": 15, "random_state": 0, "verbose": -1, "n_jobs": 1}
    cases = {
        "lgbm_ranker": lightgbm.LGBMRanker(**common).fit(features, relevance, group=groups),
        "lgbm_regressor": lightgbm.LGBMRegressor(**common).fit(features, score),
        "lgbm_classifier": lightgbm.LGBMClassifier(**common).fit(features, (score > 0).astype(int)),
    }
    for name, model in cases.items():
        converted = convert_lightgbm(
            model.booster_ if name == "lgbm_ranker" else model,
            initial_types=[("x", LightgbmFloats([None, FEATURES]))],
            target_opset=15,
            zipmap=False,
        )
        write(folder, name, converted, [{"x": rows(random, batch, missing=True)} for batch in BATCHES])


def transformer(folder, random, opset):
    """Two pre-norm layers of causal attention over items, batch and length open; the last position's vector."""
    items, width, heads, layers = 50, 16, 2, 2
    nodes, weights = [], []

    def weight(name, *shape):
        weights.append(numpy_helper.from_array((random.normal(size=shape) * 0.2).astype(np.float32), name))
        return name

    def constant(name, values):
        weights.append(numpy_helper.from_array(np.array(values), name))
        return name

    def node(op, inputs, **attributes):
        output = f"v{len(nodes)}"
        nodes.append(helper.make_node(op, inputs, [output], **attributes))
        return output

    def norm(x, name):
        return node("LayerNormalization", [x, weight(f"{name}.g", width), weight(f"{name}.b", width)], axis=-1)

    def heads_of(x, name):
        projected = node("MatMul", [x, weight(name, width, width)])
        split = node("Reshape", [projected, constant(f"{name}.split", [0, 0, heads, width // heads])])
        return node("Transpose", [split], perm=[0, 2, 1, 3])

    one, zero = constant("one", [1]), constant("zero", [0])
    x = node("Gather", [weight("table", items, width), "items"])
    shape = node("Shape", ["items"])
    length = node("Slice", [shape, one, constant("two", [2]), zero])
    square = node("Concat", [length, length], axis=0)
    ones = node("ConstantOfShape", [square], value=numpy_helper.from_array(np.array([1.0], np.float32)))
    future = node("Trilu", [ones, constant("diagonal", 1)], upper=1)
    mask = node("Mul", [future, constant("far", np.float32(-1e4))])
    for layer in range(layers):
        normed = norm(x, f"{layer}.n1")
        q, k, v = (heads_of(normed, f"{layer}.{part}") for part in "qkv")
        scores = node("MatMul", [q, node("Transpose", [k], perm=[0, 1, 3, 2])])
        scaled = node("Mul", [scores, constant(f"{layer}.scale", np.float32((width // heads) ** -0.5))])
        mixed = node("MatMul", [node("Softmax", [node("Add", [scaled, mask])], axis=-1), v])
        joined = node("Reshape", [node("Transpose", [mixed], perm=[0, 2, 1, 3]), constant(f"{layer}.join", [0, 0, -1])])
        x = node("Add", [x, node("MatMul", [joined, weight(f"{layer}.o", width, width)])])
        hidden = node("MatMul", [norm(x, f"{layer}.n2"), weight(f"{layer}.up", width, 4 * width)])
        gelu = node("Mul", [hidden, node("Sigmoid", [hidden])])
        x = node("Add", [x, node("MatMul", [gelu, weight(f"{layer}.down", 4 * width, width)])])
    last = node("Gather", [norm(x, "final"), constant("last", -1)], axis=1)
    nodes.append(helper.make_node("Identity", [last], ["vector"]))
    graph = helper.make_graph(
        nodes,
        "encoder",
        [helper.make_tensor_value_info("items", TensorProto.INT64, ["batch", "length"])],
        [helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["batch", width])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    onnx.checker.check_model(model)
    runs = [{"items": random.integers(0, items, size=shape)} for shape in [(1, 1), (1, 7), (4, 20), (1, 50)]]
    write(folder, f"transformer_opset_{opset}", model, runs)


def main():
    folder = pathlib.Path(sys.argv[1])
    random = np.random.default_rng(7)
    scikit_learn(folder, random)
    light_gbm(folder, random)
    for opset in (17, 21, 22):
        transformer(folder, random, opset)


if __name__ == "__main__":
    main()
