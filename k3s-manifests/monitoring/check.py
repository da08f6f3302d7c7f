#!/usr/bin/env python3
"""What the tests of scripts/monitoring.sh ask of the files here, one function each; a fault is a line and exit code 1.

    check.py dashboards | alerts | tested | metrics FILE...    FILE: what /metrics answered
"""

import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
README = (HERE / "README.md").read_text()

# Metrics of others, by who gives them. README.md ("Metrics of others") says where each comes from.
EXTERNAL = {
    "Prometheus": {"up", "ALERTS"},
    "kubelet (cAdvisor)": {
        "container_memory_working_set_bytes", "container_spec_memory_limit_bytes", "container_cpu_usage_seconds_total",
        "container_cpu_cfs_periods_total", "container_cpu_cfs_throttled_periods_total",
    },
    "kube-state-metrics": {
        "kube_deployment_spec_replicas", "kube_deployment_status_replicas_available",
        "kube_horizontalpodautoscaler_spec_max_replicas", "kube_pod_container_status_restarts_total",
        "kube_pod_container_status_last_terminated_reason",
    },
}
# What this project's own service and Prometheus itself do not answer: a run without a cluster cannot ask for it.
NOT_HERE = EXTERNAL["kubelet (cAdvisor)"] | EXTERNAL["kube-state-metrics"]


def rules():
    """Every rule as (record or alert, name, expression). The files are plain: a key a line, folded expressions."""
    for file in sorted((HERE / "rules").glob("*.yaml")):
        lines = file.read_text().splitlines()
        for at, line in enumerate(lines):
            if begin := re.match(r"( *)- (record|alert): (\S+)$", line):
                inside = len(begin[1]) + 2
                body = []
                for later in lines[at + 1 :]:
                    if later.strip() and not later.startswith(" " * inside):
                        break
                    body.append(later[inside:])
                body = "\n".join(body)
                expression = re.search(r"^expr: (?:>-\n((?:(?: .*)?\n?)*)|(.*))", body, re.M)
                yield begin[2], begin[3], " ".join((expression[1] or expression[2]).split())


def dashboards():
    for file in sorted((HERE / "dashboards").glob("*.json")):
        yield file, json.loads(file.read_text())


def panels():
    """(dashboard, panel, target) of every query."""
    for _, dashboard in dashboards():
        for panel in dashboard["panels"]:
            for target in panel.get("targets", []):
                yield dashboard, panel, target


WORDS = set(
    "and or unless by without on ignoring group_left group_right bool offset inf nan".split()
)


def metrics_of(expression):
    """The names of the series that an expression reads."""
    text = re.sub(r'"(?:[^"\\]|\\.)*"', "", expression)
    text = re.sub(r"\{[^}]*\}|\[[^]]*\]", " ", text)
    text = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", text)
    names = re.findall(r"(?<![\w:.$])([a-zA-Z_:][\w:]*)(?!\s*\()(?![\w:])", text)
    return {name for name in names if name.lower() not in WORDS}


def read_here(expression):
    """Whether a run with the service and Prometheus alone can answer: also through recorded series."""
    recorded = {name: found for kind, name, found in rules() if kind == "record"}
    names = metrics_of(expression)
    return not names & NOT_HERE and all(read_here(recorded[name]) for name in names if name in recorded)


# --- checks -------------------------------------------------------------------------------


def check_dashboards():
    """Panels: whole, apart from each other, named once, with a unit, and a legend where there are several lines."""
    uids = set()
    for file, board in dashboards():
        if board["uid"] != file.stem or board["uid"] in uids:
            yield f"{file.name}: uid is {board['uid']}"
        uids.add(board["uid"])
        if not {"datasource", "namespace", "tenant", "pod"} <= {v["name"] for v in board["templating"]["list"]}:
            yield f"{file.name}: a variable is missing"
        taken, ids, titles = {}, set(), set()
        for panel in board["panels"]:
            title = panel["title"]
            if panel["id"] in ids or title in titles:
                yield f"{file.name}: {title}: id or title stands twice"
            ids.add(panel["id"])
            titles.add(title)
            place = panel["gridPos"]
            for cell in ((x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])):
                if cell in taken or cell[0] >= 24:
                    yield f"{file.name}: {title} lies over {taken.get(cell, 'the edge')}"
                    break
                taken[cell] = title
            if panel["type"] == "row":
                continue
            if not panel["targets"]:
                yield f"{file.name}: {title} asks for nothing"
            if panel["type"] != "table" and not panel["fieldConfig"]["defaults"].get("unit"):
                yield f"{file.name}: {title} has no unit"
            for target in panel["targets"]:
                if target["datasource"]["uid"] != "${datasource}":
                    yield f"{file.name}: {title} has a data source of its own"
                many = panel["type"] == "timeseries" and re.match(r"(histogram_quantile\([\d.]+, )?sum by \((?!le\))", target["expr"])
                if many and "{{" not in target["legendFormat"]:
                    yield f"{file.name}: {title}: lines without names"


def check_alerts():
    """Each alert says how bad, what and what to do, and has its part of the runbook; no part is without an alert."""
    headings = set(re.findall(r"^### (Endcap\w+)$", README, re.M))
    alerts = [name for kind, name, _ in rules() if kind == "alert"]
    for name in sorted(headings - set(alerts)):
        yield f"README.md: {name} is not an alert"
    text = "\n".join(file.read_text() for file in (HERE / "rules").glob("*.yaml"))
    for name in alerts:
        if alerts.count(name) > 1:
            yield f"{name} stands twice"
        body = re.search(rf"- alert: {name}\n(.*?)(?=\n *- (?:alert|record|name): |\Z)", text, re.S)[1]
        if not re.search(r"severity: (critical|warning)\b", body):
            yield f"{name}: severity is neither critical nor warning"
        for key in ("summary", "description"):
            if not re.search(rf"^ *{key}: \S", body, re.M):
                yield f"{name}: no {key}"
        anchor = re.search(r"runbook: monitoring/README\.md#(\S+)", body)
        if not anchor or anchor[1] not in {heading.lower() for heading in headings} or anchor[1] != name.lower():
            yield f"{name}: runbook anchor {anchor and anchor[1]} is not its part of README.md"


def check_tested():
    """Each alert is seen firing and not firing, each recorded series has an expected value."""
    cases = []
    for file in (HERE / "rules" / "tests").glob("*.yaml"):
        cases += re.split(r"^ *- expr: ", file.read_text(), flags=re.M)[1:]
    for kind, name, _ in rules():
        mine = [case for case in cases if re.search(rf"(?<![\w:]){re.escape(name)}(?![\w:])", case.split("\n")[0])]
        empty = [case for case in mine if re.search(r"exp_samples: \[\]", case)]
        if kind == "record" and not any("value:" in case for case in mine):
            yield f"{name}: no expected value in rules/tests"
        if kind == "alert" and not any('alertstate="firing"' in c and c not in empty for c in mine):
            yield f"{name}: no case in which it fires"
        if kind == "alert" and not empty:
            yield f"{name}: no case in which it does not fire"


def check_metrics(*files):
    """Every metric that a query names is answered by the service, recorded by a rule, or of another's and documented."""
    known = {name for kind, name, _ in rules() if kind == "record"}
    for names in EXTERNAL.values():
        known |= names
        yield from (f"README.md does not list {name}" for name in sorted(names) if f"`{name}`" not in README)
    for file in files:
        for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", pathlib.Path(file).read_text(), re.M):
            known |= {name + end for end in ("_bucket", "_sum", "_count")} if kind == "histogram" else {name}
    used = [(f"rule {name}", expression) for _, name, expression in rules()]
    for board, panel, target in panels():
        used.append((f"{board['uid']}: {panel['title']}", target["expr"]))
    for board in (board for _, board in dashboards()):
        used += [(f"{board['uid']}: ${v['name']}", v["definition"].split("(", 1)[1].rsplit(",", 1)[0]) for v in board["templating"]["list"] if "definition" in v]
        used += [(f"{board['uid']}: {a['name']}", a["expr"]) for a in board["annotations"]["list"]]
    for where, expression in used:
        for name in sorted(metrics_of(expression) - known):
            yield f"{where}: nobody answers {name}"
    everything = set().union(*(metrics_of(expression) for _, expression in used))
    print(f"{len(used)} queries read {len(everything)} metrics")


def main(arguments):
    checks = {"dashboards": check_dashboards, "alerts": check_alerts, "tested": check_tested, "metrics": check_metrics}
    if not arguments or arguments[0] not in checks:
        sys.exit(__doc__)
    faults = list(checks[arguments[0]](*arguments[1:]))
    for fault in faults:
        print(fault)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
