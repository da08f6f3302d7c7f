#!/usr/bin/env python3
"""Real answers to every query here: two services under WasmEdge, a Prometheus that scrapes them every second and
evaluates the rules, a client that sends them a shop's traffic. Then every panel and every rule is asked for, and none
may be empty. Called by scripts/monitoring.sh, which names the tools through the environment.

    pod endcap-a, tenant default   compiled, with the wasi-nn plugin: the ranker of the model serves
    pod endcap-b, tenant shop-b    interpreted, without a plugin, few connections: the alerts about that must be active

`live.py ask URL` asks a Prometheus that is there already, in a cluster, for what only a cluster can answer.
"""

import contextlib
import http.client
import json
import os
import pathlib
import random
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

import check

# HOST:PORT of a cAdvisor that labels the two services' control groups as a kubelet would; without it, what reads the
# kubelet's metrics is not asked.
CONTAINERS = os.environ.get("CONTAINER_METRICS", "")
SECONDS = int(os.environ.get("SECONDS_OF_TRAFFIC", "75"))
# What the variables of a dashboard stand for here. A window of 20 s holds twenty scrapes.
VARIABLES = {"$namespace": ".*", "$tenant": ".*", "$pod": ".*", "$__rate_interval": "20s"}
# Active, pending or firing, for pod or tenant b at the end.
EXPECTED_ALERTS = {"EndcapInterpreted", "EndcapEngineFailed", "EndcapModelNotServing", "EndcapConnectionsRejected", "EndcapClientErrors"}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@contextlib.contextmanager
def running(command, log, environment=None):
    with open(log, "wb") as out:
        child = subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ, **(environment or {})})
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def wait_for(url, child, log, seconds=60):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if child.poll() is not None:
            sys.exit(f"it ended at its start:\n{pathlib.Path(log).read_text()}")
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                return answer.read().decode()
        except OSError:
            time.sleep(0.1)
    sys.exit(f"no answer from {url} within {seconds} s:\n{pathlib.Path(log).read_text()}")


def service(name, app, folder, plugin=None, **settings):
    """The context of a service, the addresses of its API and its node's port, and its log."""
    model = pathlib.Path(os.environ["MODEL"]).resolve()
    ports = free_port(), free_port()
    settings = {
        "MODEL_PATH": f"/{model.name}", "ENDCAP_LISTEN": f"127.0.0.1:{ports[0]}",
        "ENDCAP_ADMIN_LISTEN": f"127.0.0.1:{ports[1]}", **settings,
    }
    command = [os.environ["WASMEDGE"], "--dir", f"/:{model.parent}:readonly"]
    for variable, value in settings.items():
        command += ["--env", f"{variable}={value}"]
    log = folder / f"{name}.log"
    # An empty path is no plugin, whatever the machine has in its default folders.
    context = running([*command, app], log, {"WASMEDGE_PLUGIN_PATH": plugin or str(folder / "no-plugin")})
    return context, ports, log


# --- traffic ------------------------------------------------------------------------------


class Shop(threading.Thread):
    """Visitors of one service, on a connection that is kept, and some who do not know how to ask."""

    def __init__(self, port, seed, until):
        super().__init__(daemon=True)
        self.port, self.random, self.until, self.sent = port, random.Random(seed), until, 0
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def ask(self, method, path, body=None):
        body = body if body is None or isinstance(body, str) else json.dumps(body)
        try:
            self.connection.request(method, path, body)
            answer = self.connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            self.connection.close()
            return None
        self.sent += 1
        return text if answer.status == 200 else None

    def run(self):
        # The interpreted service may be full when this one comes.
        while (popular := self.ask("GET", "/api/popular?n=100")) is None and time.monotonic() < self.until:
            time.sleep(0.1)
        items = [item["item"] for item in json.loads(popular)["items"]]
        some = lambda least, most: self.random.sample(items, self.random.randint(least, most))
        owner = lambda: f"s{self.random.randrange(500)}"
        kinds = ["view", "view", "view", "cart", "purchase", "like", "dislike"]
        event = lambda: {"session": owner(), "item": some(1, 1)[0], "event": self.random.choice(kinds)}
        gorse = lambda: [{"FeedbackType": "view", "UserId": owner(), "ItemId": some(1, 1)[0], "Timestamp": ""}]
        asks = [
            (30, lambda: self.ask("POST", "/v1/recommend", {"items": some(1, 6), "n": 10})),
            (10, lambda: self.ask("POST", "/v1/recommend", {"session": owner(), "n": 10})),
            (10, lambda: self.ask("POST", "/v1/recommend", {"items": some(1, 2), "n": 100})),
            (5, lambda: self.ask("POST", "/v1/recommend", {})),
            (5, lambda: self.ask("POST", "/api/session/recommend?n=5", {"items": some(1, 3)})),
            (5, lambda: self.ask("GET", f"/api/recommend/{owner()}?n=5")),
            (15, lambda: self.ask("POST", "/v1/events", {"events": [event() for _ in range(3)]})),
            (3, lambda: self.ask("POST", "/api/feedback", gorse())),
            (3, lambda: self.ask("GET", f"/api/item/{some(1, 1)[0]}/neighbors?n=5")),
            (2, lambda: self.ask("GET", "/api/trending")),
            (2, lambda: self.ask("GET", "/api/latest")),
            (1, lambda: self.ask("GET", "/v1/model")),
            (5, lambda: self.ask("POST", "/v1/recommend", "{")),
            (5, lambda: self.ask("POST", "/v1/recommend", {"n": 0})),
            (2, lambda: self.ask("POST", "/v1/events", {"events": [{"item": "x"}]})),
            (4, lambda: self.ask("GET", "/nowhere")),
            (2, lambda: self.ask("GET", "/api/item/none-such/neighbors")),
            (2, lambda: self.ask("DELETE", "/v1/recommend")),
        ]
        weights = [weight for weight, _ in asks]
        while time.monotonic() < self.until:
            self.random.choices(asks, weights)[0][1]()
            # Two cores are shared with the services, Prometheus and whatever else the machine does.
            time.sleep(0.004)


def crowd(port, until):
    """More connections than the service takes, for a moment, again and again."""
    while time.monotonic() < until:
        held = []
        for _ in range(24):
            with contextlib.suppress(OSError):
                held.append(socket.create_connection(("127.0.0.1", port), timeout=1))
        time.sleep(0.2)
        for connection in held:
            connection.close()
        time.sleep(1)


# --- Prometheus ---------------------------------------------------------------------------


def configuration(folder, targets):
    """The static configuration of this folder, for these targets, and for seconds where it has minutes."""
    text = (check.HERE / "prometheus" / "prometheus-static.yml").read_text()
    text = re.sub(r"(scrape|evaluation)_interval: \w+", r"\1_interval: 1s", text)
    text = text.replace("/etc/prometheus/endcap/rules", str(check.HERE / "rules"))
    groups = "".join(
        f"\n      - targets: ['127.0.0.1:{port}']\n        labels: {{namespace: endcap, tenant: {tenant}, pod: {pod}, node: edge-1}}"
        for port, tenant, pod in targets
    )
    text, found = re.subn(r"\n      - targets: .*\n +labels: .*", groups, text)
    assert found == 1, "prometheus-static.yml has no targets where they are replaced"
    if CONTAINERS:
        text += f"  - job_name: endcap-containers\n    static_configs: [{{targets: ['{CONTAINERS}'], labels: {{node: edge-1}}}}]\n"
        check.NOT_HERE -= check.EXTERNAL["kubelet (cAdvisor)"]
    file = folder / "prometheus.yml"
    file.write_text(text)
    return file


class Prometheus:
    def __init__(self, url):
        self.base = f"{url}/api/v1"

    def get(self, path, **arguments):
        with urllib.request.urlopen(f"{self.base}/{path}?{urllib.parse.urlencode(arguments)}", timeout=30) as answer:
            return json.load(answer)["data"]

    def query(self, expression):
        return self.get("query", query=expression)["result"]


def substituted(expression):
    for variable, value in VARIABLES.items():
        expression = expression.replace(variable, value)
    assert "$" not in expression, expression
    return expression


def numbers(result):
    """The values of a query that are numbers: a share of nothing is none."""
    values = (float(series["value"][1]) for series in result)
    return [value for value in values if value == value]


def short(value):
    return f"{value:.4g}" if abs(value) < 1e5 else f"{value:.0f}"


def questions():
    """Every panel's and every recording rule's query, with where it is."""
    yield from ((f"{board['uid']}: {panel['title']}", target["expr"]) for board, panel, target in check.panels())
    yield from ((f"rule: {name}", expression) for kind, name, expression in check.rules() if kind == "record")


def ask_all(prometheus, asked):
    """Prints a line for each query; gives the number answered, and what is wrong."""
    answered, wrong = 0, []
    for where, expression in asked:
        result = prometheus.query(substituted(expression))
        values = numbers(result)
        print(f"{where:<52} {len(result):>3} series  {', '.join(short(value) for value in values[:4]):<42} {expression}")
        if values:
            answered += 1
        else:
            wrong.append(f"{where}: empty: {expression}")
    return answered, wrong


def ask_everything(prometheus):
    """What a run without a cluster can ask; gives the number answered, the number left out, and what is wrong."""
    answered, wrong = ask_all(prometheus, [(where, text) for where, text in questions() if check.read_here(text)])
    left_out = [(where, sorted(check.metrics_of(text))) for where, text in questions() if not check.read_here(text)]
    for where, names in left_out:
        print(f"{where:<52} asked by make e2e-cluster, of another's metrics: {', '.join(names)}")
    # Recorded by Prometheus itself, not only computable.
    for name in {name for kind, name, expression in check.rules() if kind == "record" and check.read_here(expression)}:
        if not numbers(prometheus.query(name)):
            wrong.append(f"{name} is not recorded")
    return answered, len(left_out), wrong


def ask_rules(prometheus):
    """Every rule is evaluated without an error, and the alerts about pod b, and not a, are active."""
    groups = prometheus.get("rules")["groups"]
    evaluated = [rule for group in groups for rule in group["rules"]]
    wrong = [f"{rule['name']}: {rule.get('lastError')}" for rule in evaluated if rule["health"] != "ok"]
    if len(evaluated) != len(list(check.rules())):
        wrong.append(f"Prometheus has {len(evaluated)} rules, the files {len(list(check.rules()))}")
    alerts = prometheus.get("alerts")["alerts"]
    active = set()
    for alert in alerts:
        labels, words = alert["labels"], alert["annotations"]
        print(f"alert {labels['alertname']} {alert['state']}, {labels.get('pod', labels.get('tenant'))}: {words['summary']}")
        if any(sign in text for text in words.values() for sign in ("<no value>", "<error", "{{")):
            wrong.append(f"{labels['alertname']}: its words have a hole: {words}")
        if "endcap-b" in labels.get("pod", "endcap-b") and labels.get("tenant") == "shop-b":
            active.add(labels["alertname"])
        elif labels["alertname"] in {"EndcapInterpreted", "EndcapEngineFailed", "EndcapModelNotServing", "EndcapPodDown"}:
            wrong.append(f"{labels['alertname']} is active for {labels}")
    wrong += [f"{name} is not active for endcap-b" for name in sorted(EXPECTED_ALERTS - active)]
    return wrong


def ask_targets(prometheus):
    targets = prometheus.get("targets")["activeTargets"]
    return [f"target {target['scrapeUrl']}: {target['lastError']}" for target in targets if target["health"] != "up"]


def history(prometheus, begun):
    """What a Grafana would draw: every panel's lines over the run."""
    for board, panel, target in check.panels():
        if check.read_here(target["expr"]):
            answer = prometheus.get("query_range", query=substituted(target["expr"]), start=begun, end=time.time(), step=1)
            yield {"board": board["title"], "panel": panel, "target": target, "result": answer["result"]}


def ask(url):
    """In a cluster, where the kubelet and kube-state-metrics are scraped as well: what reads those."""
    answered, wrong = ask_all(Prometheus(url), [(where, text) for where, text in questions() if not check.read_here(text)])
    for fault in wrong:
        print(f"WRONG: {fault}")
    print(f"{answered} queries of a cluster's metrics answered, {len(wrong)} empty")
    sys.exit(1 if wrong or not answered else 0)


def main(record):
    with tempfile.TemporaryDirectory(prefix="endcap-monitoring-") as folder, contextlib.ExitStack() as stack:
        folder = pathlib.Path(folder)
        a, a_ports, a_log = service("a", os.environ["APP"], folder, os.environ["PLUGIN"])
        b, b_ports, b_log = service("b", os.environ["APP_PLAIN"], folder, ENDCAP_MAX_CONNECTIONS="8")
        for context, ports, log in ((a, a_ports, a_log), (b, b_ports, b_log)):
            wait_for(f"http://127.0.0.1:{ports[1]}/readyz", stack.enter_context(context), log)
        port = free_port()
        config = configuration(folder, [(a_ports[1], "default", "endcap-a"), (b_ports[1], "shop-b", "endcap-b")])
        command = [os.environ["PROMETHEUS"], f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}",
                   f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]
        log = folder / "prometheus.log"
        child = stack.enter_context(running(command, log))
        wait_for(f"http://127.0.0.1:{port}/-/ready", child, log)
        begun, until = time.time(), time.monotonic() + SECONDS
        shops = [Shop(a_ports[0], 1, until), Shop(a_ports[0], 2, until), Shop(b_ports[0], 3, until)]
        threads = [*shops, threading.Thread(target=crowd, args=(b_ports[0], until), daemon=True)]
        for thread in threads:
            thread.start()
        # Asked while the traffic runs: rates are of now.
        time.sleep(SECONDS - 5)
        prometheus = Prometheus(f"http://127.0.0.1:{port}")
        answered, left_out, wrong = ask_everything(prometheus)
        wrong += ask_rules(prometheus) + ask_targets(prometheus)
        if record:
            pathlib.Path(record).write_text(json.dumps(list(history(prometheus, begun))))
        for thread in threads:
            thread.join()
        sent = sum(shop.sent for shop in shops)
        if sent < SECONDS * 20:
            wrong.append(f"only {sent} requests were answered")
        for fault in wrong:
            print(f"WRONG: {fault}")
        print(f"{sent} requests in {SECONDS} s; {answered} queries answered, {left_out} not asked")
        print(f"{answered} passed, {len(wrong)} failed")
        if wrong:
            for file in (a_log, b_log, log):
                print(f"--- {file.name}\n{file.read_text()[-2000:]}")
        sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    if sys.argv[1:2] == ["ask"]:
        ask(sys.argv[2])
    main(sys.argv[1] if len(sys.argv) > 1 else "")
