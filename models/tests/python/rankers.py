"""Rankers as shops bring them, made by other tools, and models that are no rankers.

Usage: rankers.py FOLDER. Writes NAME.onnx for each.
"""

import pathlib
import sys

import lightgbm
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxmltools.convert import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType as LightgbmFloats
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVR

# As in the feature specification.
FEATURES = 12
BLENDED, POPULARITY, LOG_PRICE, CATEGORY_SHARE = 3, 5, 6, 9
HISTORY = 50
ITEMS = 400


def data(random, columns=FEATURES):
    rows = random.uniform(size=(600, columns)).astype(np.float32)
    weights = np.linspace(2, -1, columns, dtype=np.float32)
    return rows, rows @ weights + np.sin(rows[:, 0] * 5)


def scikit_learn(random):
    rows, score = data(random)
    trees = {"n_estimators": 30, "max_depth": 3, "random_state": 0}
    network = {"hidden_layer_sizes": (32, 16), "max_iter": 60, "random_state": 0}
    models = {
        "mlp": make_pipeline(StandardScaler(), MLPRegressor(**network)).fit(rows, score),
        "boosted": GradientBoostingRegressor(**trees).fit(rows, score),
        "boosted_classifier": GradientBoostingClassifier(**trees).fit(rows, score > np.median(score)),
        # A regressor that the engine does not have.
        "support_vectors": SVR().fit(rows[:50], score[:50]),
    }
    for name, model in models.items():
        options = {id(model): {"zipmap": False}} if hasattr(model, "classes_") else None
        types = [("features", FloatTensorType([None, FEATURES]))]
        yield name, convert_sklearn(model, initial_types=types, options=options, target_opset=17)
    five, score = data(random, 5)
    small = MLPRegressor(hidden_layer_sizes=(4,), max_iter=20, random_state=0).fit(five, score)
    yield "five_columns", convert_sklearn(small, initial_types=[("x", FloatTensorType([None, 5]))], target_opset=17)
    words = OneHotEncoder().fit(np.array([["red"], ["blue"]]))
    yield "strings", convert_sklearn(words, initial_types=[("colour", StringTensorType([None, 1]))], target_opset=17)


def light_gbm(random):
    rows, score = data(random, 4)
    grades = np.digitize(score, np.quantile(score, [0.5, 0.8]))
    ranker = lightgbm.LGBMRanker(n_estimators=30, num_leaves=15, random_state=0, verbose=-1, n_jobs=1)
    ranker.fit(rows, grades, group=[20] * 30)
    types = [("features", LightgbmFloats([None, 4]))]
    yield "lightgbm", convert_lightgbm(ranker.booster_, initial_types=types, target_opset=15, zipmap=False)


class Graph:
    """A graph written node by node."""

    def __init__(self, random):
        self.random, self.nodes, self.weights = random, [], []

    def constant(self, values):
        name = f"c{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.array(values), name))
        return name

    def weight(self, *shape):
        return self.constant((self.random.normal(size=shape) * 0.3).astype(np.float32))

    def node(self, op, *inputs, **attributes):
        output = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [output], **attributes))
        return output

    def model(self, inputs, score, output=(TensorProto.FLOAT, ["n"])):
        self.nodes.append(helper.make_node("Identity", [score], ["score"]))
        described = [helper.make_tensor_value_info(*described) for described in inputs]
        graph = helper.make_graph(
            self.nodes, "ranker", described, [helper.make_tensor_value_info("score", *output)], self.weights
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        return model


ROWS = ("features", TensorProto.FLOAT, ["n", FEATURES])
NUMBERS = ("items", TensorProto.INT64, ["n"])
PAST = ("history", TensorProto.INT64, [1, HISTORY])


def transformer(random):
    """Shortlisted items look at the history: two layers of attention across, then a score with the features."""
    graph, width = Graph(random), 16
    node, table = graph.node, graph.weight(ITEMS + 1, width)
    x = node("Gather", table, "items")
    past = node("Squeeze", node("Gather", table, "history"), graph.constant([0]))
    empty = node("Cast", node("Equal", "history", graph.constant(0)), to=TensorProto.FLOAT)
    mask = node("Mul", empty, graph.constant(np.float32(-1e4)))
    for _ in range(2):
        query, key, value = (node("MatMul", of, graph.weight(width, width)) for of in (x, past, past))
        scores = node("MatMul", query, node("Transpose", key, perm=[1, 0]))
        scaled = node("Mul", scores, graph.constant(np.float32(width**-0.5)))
        seen = node("MatMul", node("Softmax", node("Add", scaled, mask), axis=-1), value)
        x = node("LayerNormalization", node("Add", x, seen), graph.weight(width), graph.weight(width), axis=-1)
        hidden = node("Relu", node("MatMul", x, graph.weight(width, 4 * width)))
        x = node("Add", x, node("MatMul", hidden, graph.weight(4 * width, width)))
    joined = node("Concat", x, "features", axis=1)
    score = node("Squeeze", node("MatMul", joined, graph.weight(width + FEATURES, 1)), graph.constant([1]))
    return graph.model([ROWS, NUMBERS, PAST], score)


def by_hand(random):
    yield "transformer", transformer(random)

    # Listwise: a row's score depends on the others.
    graph = Graph(random)
    column = graph.node("Gather", "features", graph.constant(BLENDED), axis=1)
    price = graph.node("Gather", "features", graph.constant(LOG_PRICE), axis=1)
    yield "listwise", graph.model([ROWS], graph.node("Softmax", graph.node("Sub", column, price), axis=0))

    # The least popular first: an order that is easy to check.
    graph = Graph(random)
    yield "unpopular_first", graph.model([ROWS], graph.node("Gather", "features", graph.constant(POPULARITY), axis=1))

    graph = Graph(random)
    zero = graph.node("Mul", "features", graph.constant(np.float32(0)))
    yield "constant", graph.model([ROWS], graph.node("ReduceMax", zero, axes=[1], keepdims=0))

    graph = Graph(random)
    negative = graph.node("Sub", "features", graph.constant(np.float32(9)))
    yield "not_a_number", graph.model([ROWS], graph.node("Gather", graph.node("Log", negative), graph.constant(0), axis=1))

    graph = Graph(random)
    best = graph.node("ArgMax", "features", axis=1, keepdims=0)
    yield "no_score", graph.model([ROWS], best, (TensorProto.INT64, ["n"]))

    graph = Graph(random)
    one = ("features", TensorProto.FLOAT, [1, FEATURES])
    yield "one_row", graph.model([one], graph.node("ReduceMax", "features", axes=[1], keepdims=0), (TensorProto.FLOAT, [1]))

    # Numbers of items up to 9 only: the dry run takes the largest numbers of the catalogue.
    graph = Graph(random)
    rows = graph.node("Gather", graph.weight(10, 1), "items")
    yield "small_table", graph.model([ROWS, NUMBERS], graph.node("Squeeze", rows, graph.constant([1])))


def main():
    folder = pathlib.Path(sys.argv[1])
    random = np.random.default_rng(11)
    for makers in (scikit_learn, light_gbm, by_hand):
        for name, model in makers(random):
            (folder / f"{name}.onnx").write_bytes(model.SerializeToString())


if __name__ == "__main__":
    main()
