"""Checks an encoder's ONNX file by `onnx`'s own checker and asks ONNX Runtime for user vectors.

    run_encoder.py FILE.onnx POSITIONS '[[item, ...], ...]'

Prints the vectors as JSON. Histories are asked as they are, and filled up to POSITIONS with other items, which must change
nothing.
"""

import json
import sys

import numpy
import onnx
import onnxruntime


def main(path, positions, histories):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert all(used.version >= 17 for used in model.opset_import if used.domain in ("", "ai.onnx")), model.opset_import
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def ask(items, length):
        feed = {"items": numpy.array([items], numpy.int64), "length": numpy.array([length], numpy.int64)}
        return session.run(["user"], feed)[0].reshape(-1)

    users = []
    for history in histories:
        user = ask(history, len(history))
        filled = ask(history + [1] * (positions - len(history)), len(history))
        numpy.testing.assert_allclose(filled, user, rtol=1e-4, atol=1e-5)
        users.append(user.tolist())
    print(json.dumps(users))


main(sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3]))
