#!/usr/bin/env python3
"""Writes what is made of something else here: dashboards/*.json of the tables below, operator/prometheusrule.yaml of
rules/*.yaml. With --check it writes nothing, and fails where a file is not what would be written."""

import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent

# --- dashboards ---------------------------------------------------------------------------

# What the variables at the head of a dashboard choose; the kubelet's metrics know no tenant.
ALL = 'job="endcap",namespace=~"$namespace",tenant=~"$tenant",pod=~"$pod"'
TENANT = 'namespace=~"$namespace",tenant=~"$tenant"'
CONTAINER = 'container="endcap",namespace=~"$namespace",pod=~"$pod"'
# Requests of shoppers, and those of them that make a list or keep an event.
SHOP = ALL + ',route!~"/(healthz|readyz|metrics|drain)"'
SERVED = ALL + ',route=~"/v1/(recommend|events)|/api/.*"'


def rate(metric, labels=ALL):
    return f"rate({metric}{{{labels}}}[$__rate_interval])"


def rates(by, metric, labels=ALL):
    return f"sum by ({by}) ({rate(metric, labels)})"


def quantile(q, metric, labels=ALL, by=""):
    return f"histogram_quantile({q}, sum by ({by + ', ' if by else ''}le) ({rate(metric + '_bucket', labels)}))"


def burn(window, slo):
    return f'endcap:slo_bad:ratio_rate{window}{{{TENANT},slo="{slo}"}} / 0.001'


HTTP = "endcap_http_request_duration_seconds"
STAGE = "endcap_stage_duration_seconds"
REFUSED = ALL + ',status=~"4.."'
FAILED = SHOP + ',status=~"5.."'
MODEL_STAGES = ALL + ',stage=~"sequence|rank"'
# Steps of colour: from this value on.
GOOD_IS_1 = [(None, "red"), (1, "green")]
GOOD_IS_0 = [(None, "green"), (1, "red")]

# A row is a title or: title, kind (`log`: lines on a logarithmic axis), width of 24, unit, [(legend, query)...], and
# where needed what to know of it and steps of colour. Units are Grafana's. A table shows the labels in its legend.
SERVICE = [
    "Now",
    ("Requests a second", "stat", 4, "reqps", [("", f"sum(endcap:requests:rate5m{{{TENANT},pod=~\"$pod\"}})")]),
    ("Within 50 ms", "stat", 4, "percentunit",
     [("", f"1 - max(endcap:slo_bad:ratio_rate1h{{{TENANT},slo=\"latency\"}})")],
     "The worst tenant's last hour. Objective: 99.9 %.", [(None, "red"), (0.999, "green")]),
    ("Without 500 and 503", "stat", 4, "percentunit",
     [("", f"1 - max(endcap:slo_bad:ratio_rate1h{{{TENANT},slo=\"availability\"}})")],
     "The worst tenant's last hour. Objective: 99.9 %.", [(None, "red"), (0.999, "green")]),
    ("99 of 100 answers within", "stat", 4, "s", [("", quantile(0.99, HTTP, SERVED))]),
    ("Pods that answer", "stat", 4, "short", [("", f"sum(up{{{ALL}}})")], "", GOOD_IS_1),
    ("Compiled code in all pods", "stat", 4, "bool_yes_no", [("", f"min(endcap_aot{{{ALL}}})")],
     "No: at least one pod is interpreted, tens of times slower.", GOOD_IS_1),
    "Requests",
    ("Requests by route", "lines", 12, "reqps", [("{{route}}", rates("route", "endcap_http_requests_total", SHOP))]),
    ("Answers by status", "lines", 12, "reqps", [("{{status}}", rates("status", "endcap_http_requests_total", SHOP))]),
    ("Latency", "log", 12, "s",
     [(f"{name}", quantile(q, HTTP, SERVED)) for name, q in (("median", 0.5), ("95 %", 0.95), ("99 %", 0.99), ("99.9 %", 0.999))],
     "Inside the service, from a whole request to its answer: without the network and without waiting to be read."),
    ("Latency by route, 99 %", "log", 12, "s", [("{{route}}", quantile(0.99, HTTP, SERVED, "route"))]),
    ("Refused requests", "lines", 12, "reqps",
     [("{{route}} {{status}}", rates("route, status", "endcap_http_requests_total", REFUSED))],
     "By route and status. What never became a request is `unknown`."),
    ("Failed requests", "lines", 12, "reqps",
     [("{{route}} {{status}}", rates("route, status", "endcap_http_requests_total", FAILED) + " > 0")],
     "None is the normal state: nothing is drawn then."),
    "Objectives",
    ("Burn rate, latency", "lines", 12, "none",
     [("{{tenant}} " + w, burn(w, "latency")) for w in ("5m", "1h", "6h", "3d")],
     "1 spends the month's budget in a month. 14.4 over an hour, or 6 over six hours, calls someone."),
    ("Burn rate, availability", "lines", 12, "none",
     [("{{tenant}} " + w, burn(w, "availability")) for w in ("5m", "1h", "6h", "3d")],
     "1 spends the month's budget in a month. 14.4 over an hour, or 6 over six hours, calls someone."),
    "Inside",
    ("Time by stage, mean", "stacked", 12, "s",
     [("{{stage}}", rates("stage", STAGE + "_sum") + " / (" + rates("stage", STAGE + "_count") + " > 0)")],
     "Of a recommendation. Stages that a request does not go through are not averaged in."),
    ("Time by stage, 99 %", "log", 12, "s", [("{{stage}}", quantile(0.99, STAGE, ALL, "stage"))]),
    ("Events kept", "lines", 12, "eps", [("{{kind}}", rates("kind", "endcap_events_total"))]),
    ("Sessions and users remembered", "lines", 12, "short", [("{{pod}}", f"endcap_session_owners{{{ALL}}}")]),
    ("Open connections", "lines", 12, "short", [("{{pod}}", f"endcap_open_connections{{{ALL}}}")]),
    ("Connections: new, and turned away", "lines", 12, "cps",
     [("new", f"sum({rate('endcap_connections_total')})"), ("turned away", f"sum({rate('endcap_connections_rejected_total')})")]),
    "Resources",
    ("Linear memory of the guest", "lines", 8, "bytes", [("{{pod}}", f"endcap_memory_bytes{{{ALL}}}")],
     "The program's own; it never shrinks."),
    ("Memory of the container", "lines", 8, "bytes",
     [("{{pod}}", f"max by (pod) (container_memory_working_set_bytes{{{CONTAINER}}})")],
     "With the runtime and the plugin, as the limit counts it: the dashboard of the fleet has its share. From the kubelet."),
    ("Processor time", "lines", 8, "percentunit",
     [("{{pod}}", rates("pod", "container_cpu_usage_seconds_total", CONTAINER)),
      ("{{pod}} held back",
       rates("pod", "container_cpu_cfs_throttled_periods_total", CONTAINER) + " / "
       + rates("pod", "container_cpu_cfs_periods_total", CONTAINER))],
     "Of one core, and the share of periods in which the limit held the pod back. From the kubelet."),
]

MODEL = [
    "Model",
    ("Age of the oldest", "stat", 4, "s", [("", f"max(endcap:model_age_seconds{{{ALL}}})")], "",
     [(None, "green"), (7 * 86400, "orange"), (14 * 86400, "red")]),
    ("Models served at once", "stat", 4, "short",
     [("", f"count(count by (sha256) (endcap_model_info{{{ALL}}}))")], "More than one only while a roll-out runs, or for several tenants."),
    ("Items", "stat", 4, "short", [("", f"max(endcap_model_items{{{ALL}}})")]),
    ("Size", "stat", 4, "bytes", [("", f"max(endcap_model_bytes{{{ALL}}})")]),
    ("Models expected and not serving", "stat", 4, "short", [("", f"sum(endcap_inference_degraded{{{ALL}}})")],
     "The file has them, and nothing runs them.", GOOD_IS_0),
    ("Engines that failed", "stat", 4, "short", [("", f"count(endcap_inference_engine_failed{{{ALL}}}) or vector(0)")],
     "Tried at a start in vain: such as ONNX on a node without the plugin.", GOOD_IS_0),
    ("Refused at their path", "stat", 4, "short", [("", f"sum(endcap_reload_refused{{{ALL}}})")],
     "Pods that serve a former model, because what lies at MODEL_PATH now is worse, or none.", GOOD_IS_0),
    ("Reloads by outcome", "lines", 12, "short",
     [("{{outcome}}", f"sum by (outcome) (increase(endcap_reloads_total{{{ALL}}}[1h]))")], "In the last hour."),
    ("Longest pause of a reload", "lines", 8, "s", [("{{pod}}", f"endcap_reload_pause_seconds{{{ALL}}}")],
     "The longest time for which requests of a pod waited for one."),
    ("Model by pod", "table", 24, "none", [("tenant,pod,name,created,format_version,sha256", f"endcap_model_info{{{ALL}}}")]),
    "Lists",
    ("Fallbacks by reason", "lines", 12, "percentunit", [("{{tenant}} {{reason}}", f"endcap:fallbacks:ratio_rate5m{{{TENANT}}}")],
     "Share of the answers that a history could have shaped. no_history: nothing is known of who asks. too_few: it did not"
     " fill the list. model_unavailable: a model of the file did not answer."),
    ("Items by source", "stacked", 12, "percentunit",
     [("{{source}}", rates("source", "endcap_recommendations_total") + f" / scalar(sum({rate('endcap_recommendations_total')}))")],
     "What recommended items come from, as a share."),
    ("Answers that fell back", "lines", 12, "reqps", [("{{reason}}", rates("reason", "endcap_fallback_answers_total"))]),
    ("Items recommended", "lines", 12, "cps", [("{{source}}", rates("source", "endcap_recommendations_total"))],
     "Items a second."),
    "Inference",
    ("What runs the models", "table", 12, "none", [("tenant,pod,model,engine,runtime", f"endcap_inference_engine{{{ALL}}}")],
     "A pod that is expected to run a model and is not listed serves by retrieval."),
    ("What failed at the start", "table", 12, "none", [("tenant,pod,model,engine,reason", f"endcap_inference_engine_failed{{{ALL}}}")]),
    ("Expected and degraded", "lines", 8, "short",
     [("{{model}} expected", f"sum by (model) (endcap_inference_expected{{{ALL}}})"),
      ("{{model}} degraded", f"sum by (model) (endcap_inference_degraded{{{ALL}}})")], "Pods."),
    ("Calls", "lines", 8, "cps", [("{{model}} {{outcome}}", rates("model, outcome", "endcap_inferences_total"))]),
    ("Time of models, 99 %", "log", 8, "s", [("{{stage}}", quantile(0.99, STAGE, MODEL_STAGES, "stage"))],
     "The encoder is the stage `sequence`, the ranker the stage `rank`."),
]

FLEET = [
    "Now",
    ("Pods that answer", "stat", 4, "short", [("", f"sum(up{{{ALL}}})")], "", GOOD_IS_1),
    ("Pods that do not", "stat", 4, "short", [("", f"sum(1 - up{{{ALL}}})")], "", GOOD_IS_0),
    ("Tenants", "stat", 4, "short", [("", f"count(count by (namespace, tenant) (endcap_build_info{{{ALL}}}))")]),
    ("Versions", "stat", 4, "short", [("", f"count(count by (version) (endcap_build_info{{{ALL}}}))")]),
    ("Interpreted pods", "stat", 4, "short", [("", f"sum(1 - endcap_aot{{{ALL}}})")], "", GOOD_IS_0),
    ("Alerts firing", "stat", 4, "short",
     [("", 'count(ALERTS{alertname=~"Endcap.*",alertstate="firing",namespace=~"$namespace|"}) or vector(0)')], "", GOOD_IS_0),
    ("Alerts", "table", 24, "none",
     [("alertname,severity,alertstate,namespace,tenant,pod", 'ALERTS{alertname=~"Endcap.*",namespace=~"$namespace|"}')],
     "Pending and firing."),
    "By tenant",
    ("Requests by tenant", "lines", 12, "reqps", [("{{namespace}} {{tenant}}", f"sum by (namespace, tenant) (endcap:requests:rate5m{{{TENANT}}})")]),
    ("Latency by tenant, 99 %", "log", 12, "s", [("{{namespace}} {{tenant}}", f"endcap:request_duration_seconds:p99_5m{{{TENANT}}}")]),
    ("Budget left of three days", "lines", 12, "percentunit",
     [("{{tenant}} {{slo}}", f"clamp_min(1 - endcap:slo_bad:ratio_rate3d{{{TENANT}}} / 0.001, -1)")],
     "Below 0: more than the objective allows. Cut off at -100 %."),
    ("Refused requests by tenant", "lines", 12, "percentunit", [("{{namespace}} {{tenant}}", f"endcap:client_errors:ratio_rate5m{{{TENANT}}}")]),
    "By pod",
    ("Pods", "table", 24, "none",
     [("tenant,namespace,pod,node,version,target", f"endcap_build_info{{{ALL}}}")]),
    ("Requests by pod", "lines", 12, "reqps", [("{{pod}}", f"sum by (pod) (endcap:requests:rate5m{{{TENANT},pod=~\"$pod\"}})")],
     "Far apart: the balancer or keep-alive connections hold on to some pods."),
    ("Start to ready", "lines", 12, "s", [("{{pod}}", f"endcap_ready_seconds{{{ALL}}}")], "The program's own start, without the runtime's and the kubelet's."),
    ("Up for", "lines", 12, "s", [("{{pod}}", f"time() - endcap_start_time_seconds{{{ALL}}}")], "A saw is a pod that restarts."),
    ("Draining", "lines", 12, "short", [("{{pod}}", f"endcap_draining{{{ALL}}}")]),
    ("Memory, share of the limit", "lines", 12, "percentunit", [("{{pod}}", 'endcap:memory_limit:ratio{namespace=~"$namespace",pod=~"$pod"}')], "From the kubelet."),
    ("Processor time by node", "lines", 12, "percentunit",
     [("{{node}}", rates("node", "container_cpu_usage_seconds_total", CONTAINER))], "Of one core. From the kubelet."),
    "Cluster",
    ("Replicas", "lines", 12, "short",
     [("{{namespace}} wanted", 'kube_deployment_spec_replicas{deployment="endcap",namespace=~"$namespace"}'),
      ("{{namespace}} available", 'kube_deployment_status_replicas_available{deployment="endcap",namespace=~"$namespace"}'),
      ("{{namespace}} at most", 'kube_horizontalpodautoscaler_spec_max_replicas{horizontalpodautoscaler="endcap",namespace=~"$namespace"}')],
     "From kube-state-metrics, where there is one."),
    ("Restarts and their reason", "lines", 12, "short",
     [("{{pod}} restarts", 'kube_pod_container_status_restarts_total{container="endcap",namespace=~"$namespace",pod=~"$pod"}'),
      ("{{pod}} {{reason}}", 'kube_pod_container_status_last_terminated_reason{container="endcap",namespace=~"$namespace",pod=~"$pod"}')],
     "From kube-state-metrics, where there is one."),
]

DASHBOARDS = {
    "endcap-service": ("endcap: service", SERVICE),
    "endcap-model": ("endcap: model and fallbacks", MODEL),
    "endcap-fleet": ("endcap: fleet", FLEET),
}
SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def panel(number, x, y, height, title, kind, width, unit, queries, description="", steps=None):
    table = kind == "table"
    defaults = {"unit": unit, "min": 0, "color": {"mode": "palette-classic"}, "custom": {}}
    if title.startswith("Budget left"):
        del defaults["min"]
    if kind == "stat":
        steps = [{"value": value, "color": color} for value, color in steps or [(None, "text")]]
        defaults |= {"color": {"mode": "thresholds"}, "thresholds": {"mode": "absolute", "steps": steps}}
        options = {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value", "graphMode": "area"}
    elif table:
        options = {"showHeader": True}
        defaults = {"custom": {"align": "auto"}}
    else:
        defaults["custom"] = {"lineWidth": 1, "fillOpacity": 8, "showPoints": "never", "spanNulls": 60000}
        if kind == "log":
            del defaults["min"]
            defaults["custom"]["scaleDistribution"] = {"type": "log", "log": 10}
        if unit == "short":
            defaults["decimals"] = 0
        if kind == "stacked":
            defaults["custom"] |= {"fillOpacity": 40, "stacking": {"mode": "normal", "group": "A"}}
        options = {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}}
    made = {
        "id": number,
        "type": {"stat": "stat", "table": "table"}.get(kind, "timeseries"),
        "title": title,
        "description": description,
        "datasource": SOURCE,
        "gridPos": {"x": x, "y": y, "w": width, "h": height},
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options,
        "targets": [
            {"refId": chr(ord("A") + at), "datasource": SOURCE, "expr": query, "legendFormat": "" if table else legend or "value"}
            | ({"instant": True, "format": "table"} if table else {"range": True})
            for at, (legend, query) in enumerate(queries)
        ],
    }
    if table:
        names = queries[0][0].split(",")
        shown = {"include": {"names": names}}
        order = {"indexByName": {name: at for at, name in enumerate(names)}}
        made["transformations"] = [{"id": "filterFieldsByName", "options": shown}, {"id": "organize", "options": order}]
    return made


def rows(table):
    """Panels from left to right, and below where the 24 columns are full."""
    x = y = height = 0
    for number, entry in enumerate(table, 1):
        if isinstance(entry, str):
            y, x = y + height, 0
            yield {"id": number, "type": "row", "title": entry, "collapsed": False, "panels": [], "gridPos": {"x": 0, "y": y, "w": 24, "h": 1}}
            y, height = y + 1, 0
            continue
        width = entry[2]
        if x + width > 24:
            y, x, height = y + height, 0, 0
        high = {"stat": 4, "table": 6}.get(entry[1], 8)
        yield panel(number, x, y, high, *entry)
        x, height = x + width, max(height, high)


def variable(name, of):
    query = f"label_values(endcap_build_info{{{of}}}, {name})"
    return {
        "type": "query", "name": name, "label": name.capitalize(), "datasource": SOURCE,
        "query": {"query": query, "refId": name}, "definition": query, "refresh": 2, "sort": 1,
        "multi": True, "includeAll": True, "allValue": ".*", "current": {"text": "All", "value": "$__all"}, "options": [],
    }


def dashboard(uid, title, table):
    return {
        "uid": uid,
        "title": title,
        "tags": ["endcap"],
        "schemaVersion": 39,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "browser",
        "links": [{"type": "dashboards", "tags": ["endcap"], "title": "endcap", "asDropdown": False, "includeVars": True, "keepTime": True}],
        "templating": {"list": [
            {"type": "datasource", "name": "datasource", "label": "Data source", "query": "prometheus", "current": {}, "options": []},
            variable("namespace", ""),
            variable("tenant", 'namespace=~"$namespace"'),
            variable("pod", 'namespace=~"$namespace",tenant=~"$tenant"'),
        ]},
        "annotations": {"list": [{
            "name": "Starts", "enable": True, "iconColor": "blue", "datasource": SOURCE,
            "expr": f"changes(endcap_start_time_seconds{{{ALL}}}[1m]) > 0", "titleFormat": "{{pod}} started",
        }]},
        "panels": list(rows(table)),
    }


# --- PrometheusRule -----------------------------------------------------------------------

RULE_HEAD = """\
# Written by generate.py of rules/*.yaml: change it there.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: endcap
  namespace: monitoring
  labels:
    app.kubernetes.io/name: endcap
    app.kubernetes.io/component: recommender
    app.kubernetes.io/part-of: endcap
spec:
  groups:
"""


def prometheus_rule():
    """The groups of all files, as text: a list in YAML goes on where it is indented alike, and no comment is lost."""
    text = RULE_HEAD
    for file in sorted((HERE / "rules").glob("*.yaml")):
        head, groups = file.read_text().split("groups:\n", 1)
        text += "".join(f"  {line}".rstrip() + "\n" for line in (head + groups).splitlines())
    return text


# ------------------------------------------------------------------------------------------


def generated():
    for uid, (title, table) in DASHBOARDS.items():
        yield HERE / "dashboards" / f"{uid}.json", json.dumps(dashboard(uid, title, table), indent=1) + "\n"
    yield HERE / "operator" / "prometheusrule.yaml", prometheus_rule()


def main(arguments):
    if arguments not in ([], ["--check"]):
        sys.exit("usage: generate.py [--check]")
    stale = []
    for file, text in generated():
        if not file.exists() or file.read_text() != text:
            stale.append(str(file.relative_to(HERE)))
            if not arguments:
                file.write_text(text)
    if stale:
        print(("stale: " if arguments else "written: ") + ", ".join(stale))
    sys.exit(1 if stale and arguments else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
