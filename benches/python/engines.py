"""Models for bench-engines, by the tools that shops use. Usage: engines.py FOLDER FEATURES.

Writes mlp.onnx (scikit-learn: FEATURES-256-128-1) and trees.onnx (LightGBM: 100 trees of 31 leaves), both with one
input f32 [rows, FEATURES].
"""

import pathlib
import sys

import lightgbm
import numpy as np
from onnxmltools.convert import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType as LightgbmFloats
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.neural_network import MLPRegressor


def main():
    folder, features = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    random = np.random.default_rng(3)
    rows = random.normal(size=(4000, features)).astype(np.float32)
    score = rows[:, 0] * 2 + np.sin(rows[:, 1:9]).sum(axis=1) + rows[:, 9] * rows[:, 10]
    mlp = MLPRegressor(hidden_layer_sizes=(256, 128), max_iter=3, random_state=0).fit(rows, score)
    converted = convert_sklearn(mlp, initial_types=[("x", FloatTensorType([None, features]))], target_opset=17)
    (folder / "mlp.onnx").write_bytes(converted.SerializeToString())
    trees = lightgbm.LGBMRegressor(n_estimators=100, num_leaves=31, random_state=0, verbose=-1, n_jobs=1)
    converted = convert_lightgbm(
        trees.fit(rows, score), initial_types=[("x", LightgbmFloats([None, features]))], target_opset=15
    )
    (folder / "trees.onnx").write_bytes(converted.SerializeToString())


if __name__ == "__main__":
    # scikit-learn says that three rounds of training are few; for weights of a benchmark they are enough.
    import warnings

    warnings.simplefilter("ignore")
    main()
