"""A client of the component that shares no code with the project: Python's wasmtime, and the contract.

Usage: client.py COMPONENT MODEL < requests, one JSON object a line > answers, one JSON object a line.
"""

import json
import sys

from wasmtime import Config, Engine, Store, WasiConfig
from wasmtime.component import Component, Linker, Record, Variant

PACKAGE = "endcap:recommender"
VERSION = "0.7.0"


def kebab(name):
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name)


def plain(value):
    """Records and lists of records as JSON."""
    if isinstance(value, Variant):
        return {"tag": value.tag, "payload": plain(value.payload)}
    if isinstance(value, Record):
        return {name: plain(field) for name, field in vars(value).items()}
    if isinstance(value, (list, tuple)):
        return [plain(element) for element in value]
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    return value


def main(component, model):
    engine = Engine(Config())
    linker = Linker(engine)
    linker.add_wasip2()
    store = Store(engine)
    store.set_wasi(WasiConfig())
    instance = linker.instantiate(store, Component.from_file(engine, component))

    def function(interface, name):
        outer = instance.get_export_index(store, f"{PACKAGE}/{interface}@{VERSION}")
        found = instance.get_func(store, instance.get_export_index(store, name, outer))
        return lambda *arguments: found(store, *arguments)

    with open(model, "rb") as file:
        info = function("model", "load")(file.read())
    print(json.dumps(plain(info)))
    default_request = function("recommend", "default-request")
    recommend = function("recommend", "recommend")
    for line in sys.stdin:
        request = default_request()
        for name, value in json.loads(line).items():
            assert hasattr(request, kebab(name)), f"the contract has no {name}"
            # Of all lists only the flags are a set here.
            setattr(request, kebab(name), set(value) if name == "include" else value)
        print(json.dumps(plain(recommend(request))))


main(*sys.argv[1:])
