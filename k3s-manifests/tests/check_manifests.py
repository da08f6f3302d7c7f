"""Checks rendered manifests: Kubernetes' own schemas, strictly and offline, then what no schema can say.

    check_manifests.py VARIABLES.rs PLUGIN-SETTINGS.rs EXTERNAL.txt RENDER.yaml...

A line for each finding: render, object, path, what is wrong. Exit code 1 where there is one.
"""

import json
import re
import sys
from collections import Counter, defaultdict
from fnmatch import fnmatchcase
from pathlib import Path

import jsonschema
import kubernetes_validate
import yaml
from referencing import Registry, Resource

KUBERNETES = "1.30.0"
SCHEMAS = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema" / f"v{KUBERNETES}-local-strict"
# Groups that Kubernetes itself serves: a kind of these without a schema does not exist.
OWN_GROUPS = re.compile(r"^$|^(apps|autoscaling|batch|policy)$|\.k8s\.io$")
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")
CLUSTER_WIDE = {
    "Namespace", "RuntimeClass", "PriorityClass", "ClusterRole", "ClusterRoleBinding", "StorageClass",
    "PersistentVolume", "CustomResourceDefinition", "IngressClass",
}
LABELS = ("app.kubernetes.io/name", "app.kubernetes.io/component", "app.kubernetes.io/part-of",
          "app.kubernetes.io/version", "endcap.io/tenant")
DIGEST = re.compile(r"^[a-z0-9.:/_-]+@sha256:[0-9a-f]{64}$")
UNITS = {"": 1, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12,
         "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


def quantity(text):
    number, unit = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", str(text)).groups()
    return float(number) * UNITS[unit]


class Schemas:
    """The schemas of one Kubernetes version. The package's own function reads 3 MB of definitions for every object."""

    def __init__(self):
        definitions = json.loads((SCHEMAS / "_definitions.json").read_text())
        self.registry = Resource.from_contents(definitions) @ Registry()
        self.registry = self.registry.with_resource("_definitions.json", Resource.from_contents(definitions))
        self.validators = {}

    def of(self, api_version, kind):
        """None: there is no schema."""
        key = (api_version, kind)
        if key not in self.validators:
            group, _, version = api_version.rpartition("/")
            name = "-".join(filter(None, (kind.lower(), group.split(".")[0], version)))
            file = SCHEMAS / f"{name}.json"
            self.validators[key] = file.exists() and jsonschema.Draft202012Validator(
                json.loads(file.read_text()), registry=self.registry)
        return self.validators[key] or None


class Render:
    """The objects of one render, and what is found about them."""

    def __init__(self, name, objects, known, external):
        self.name, self.objects, self.known, self.external = name, objects, known, external
        self.findings, self.unchecked, self.notes = [], [], []
        self.index = {}

    def found(self, obj, path, text):
        self.findings.append(f"{self.name}: {title(obj)}: {path}: {text}")

    def of(self, *kinds):
        return [obj for obj in self.objects if obj.get("kind") in kinds]

    def get(self, kind, name, namespace=None):
        return self.index.get((kind, None if kind in CLUSTER_WIDE else namespace, name))

    def must_exist(self, obj, path, kind, name):
        if self.get(kind, name, space(obj)) is None and (kind, name) not in self.external:
            self.found(obj, path, f"there is no {kind} `{name}`: neither in this render nor in external.txt")


def space(obj):
    return obj.get("metadata", {}).get("namespace")


def is_own(obj):
    return bool(OWN_GROUPS.search((obj.get("apiVersion") or "").rpartition("/")[0]))


def title(obj):
    return f"{obj.get('kind', '(no kind)')}/{obj.get('metadata', {}).get('name', '(no name)')}"


def pod_of(obj):
    """Pod template of a workload, and the path to it."""
    if obj["kind"] == "CronJob":
        return obj["spec"]["jobTemplate"]["spec"]["template"], "spec.jobTemplate.spec.template"
    return obj["spec"]["template"], "spec.template"


def containers(pod, path):
    for part in ("initContainers", "containers"):
        for number, container in enumerate(pod["spec"].get(part) or []):
            yield container, f"{path}.spec.{part}[{container.get('name', number)}]"


def matches(selector, labels):
    """An empty selector matches everything; only the operators that occur in pods' selectors."""
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    for term in selector.get("matchExpressions") or []:
        value, values = labels.get(term["key"]), term.get("values") or []
        good = {"In": value in values, "NotIn": value not in values,
                "Exists": value is not None, "DoesNotExist": value is None}[term["operator"]]
        if not good:
            return False
    return True


def selected(render, namespace, selector):
    """Workloads of a namespace whose pods a selector takes."""
    return [obj for obj in render.of(*WORKLOADS)
            if space(obj) == namespace and matches(selector, pod_of(obj)[0]["metadata"].get("labels") or {})]


def show(selector):
    return json.dumps(selector, sort_keys=True)


# --- the checks ---------------------------------------------------------------------------


def schema(render, schemas):
    for obj in render.objects:
        api_version, kind = obj.get("apiVersion") or "", obj.get("kind") or ""
        validator = schemas.of(api_version, kind)
        if validator is None:
            if is_own(obj):
                render.found(obj, "apiVersion, kind", f"Kubernetes {KUBERNETES} has no `{kind}` in `{api_version}`")
            else:
                render.unchecked.append(title(obj))
            continue
        for error in sorted(validator.iter_errors(obj), key=lambda error: list(map(str, error.path))):
            render.found(obj, ".".join(map(str, error.path)) or "(top)", error.message[:200])


def identity(render):
    for obj in render.objects:
        key = (obj["kind"], None if obj["kind"] in CLUSTER_WIDE else space(obj), obj["metadata"]["name"])
        if key in render.index:
            render.found(obj, "metadata.name", "the same object twice")
        render.index[key] = obj
    for obj in render.objects:
        if obj["kind"] in CLUSTER_WIDE or not is_own(obj):
            pass
        elif not space(obj):
            render.found(obj, "metadata.namespace", "is missing: it would land in whatever namespace is current")
        else:
            render.must_exist(obj, "metadata.namespace", "Namespace", space(obj))
        # What only adds to the service (monitoring, policies) has labels of its own.
        if not render.of(*WORKLOADS):
            continue
        labelled = [("metadata", obj["metadata"])]
        if obj["kind"] in WORKLOADS:
            template, path = pod_of(obj)
            labelled.append((f"{path}.metadata", template["metadata"]))
        for path, metadata in labelled:
            missing = [label for label in LABELS if label not in (metadata.get("labels") or {})]
            if missing:
                render.found(obj, f"{path}.labels", f"without {', '.join(missing)}")


def selectors(render):
    # A render without pods is about those of another.
    if not render.of(*WORKLOADS):
        return
    for obj in render.of("Deployment", "StatefulSet", "DaemonSet"):
        template, path = pod_of(obj)
        labels = template["metadata"].get("labels") or {}
        if not matches(obj["spec"]["selector"], labels):
            render.found(obj, "spec.selector", f"{show(obj['spec']['selector'])} does not match the pod's labels")
        for number, spread in enumerate(template["spec"].get("topologySpreadConstraints") or []):
            if not matches(spread.get("labelSelector") or {}, labels):
                render.found(obj, f"{path}.spec.topologySpreadConstraints[{number}].labelSelector",
                             "does not match the pod's own labels, so that nothing is spread")
        anti = (template["spec"].get("affinity") or {}).get("podAntiAffinity") or {}
        terms = list(anti.get("requiredDuringSchedulingIgnoredDuringExecution") or [])
        terms += [term["podAffinityTerm"] for term in anti.get("preferredDuringSchedulingIgnoredDuringExecution") or []]
        for term in terms:
            if not matches(term.get("labelSelector") or {}, labels):
                render.found(obj, f"{path}.spec.affinity.podAntiAffinity", "does not match the pod's own labels")
    for obj in render.of("Service"):
        selector = obj["spec"].get("selector")
        if selector and not selected(render, space(obj), {"matchLabels": selector}):
            render.found(obj, "spec.selector", f"{show(selector)} matches no pod")
    for obj in render.of("PodDisruptionBudget"):
        if not selected(render, space(obj), obj["spec"]["selector"]):
            render.found(obj, "spec.selector", f"{show(obj['spec']['selector'])} matches no pod")
    for obj in render.of("NetworkPolicy"):
        own = obj["spec"]["podSelector"]
        if own and not selected(render, space(obj), own):
            render.found(obj, "spec.podSelector", f"{show(own)} matches no pod")
        for direction, side in (("ingress", "from"), ("egress", "to")):
            for number, rule in enumerate(obj["spec"].get(direction) or []):
                for peer in rule.get(side) or []:
                    if "podSelector" in peer and "namespaceSelector" not in peer:
                        if not selected(render, space(obj), peer["podSelector"]):
                            render.found(obj, f"spec.{direction}[{number}].{side}",
                                         f"{show(peer['podSelector'])} matches no pod")


def references(render):
    for obj in render.of(*WORKLOADS):
        template, path = pod_of(obj)
        spec = template["spec"]
        for field, kind in (("serviceAccountName", "ServiceAccount"), ("priorityClassName", "PriorityClass"),
                            ("runtimeClassName", "RuntimeClass")):
            name = spec.get(field)
            if name and not name.startswith("system-"):
                render.must_exist(obj, f"{path}.spec.{field}", kind, name)
        for volume in spec.get("volumes") or []:
            where = f"{path}.spec.volumes[{volume['name']}]"
            for source, field, kind in (("configMap", "name", "ConfigMap"), ("secret", "secretName", "Secret"),
                                        ("persistentVolumeClaim", "claimName", "PersistentVolumeClaim")):
                if source in volume:
                    render.must_exist(obj, where, kind, volume[source][field])
        for container, where in containers(template, path):
            for source in container.get("envFrom") or []:
                for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                    if field in source:
                        render.must_exist(obj, f"{where}.envFrom", kind, source[field]["name"])
            for variable in container.get("env") or []:
                value_from = variable.get("valueFrom") or {}
                for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
                    if field in value_from:
                        at = f"{where}.env[{variable['name']}]"
                        render.must_exist(obj, at, kind, value_from[field]["name"])
                        held = render.get(kind, value_from[field]["name"], space(obj))
                        if held and value_from[field]["key"] not in (held.get("data") or {}):
                            render.found(obj, at, f"{kind} `{value_from[field]['name']}` has no key "
                                                  f"`{value_from[field]['key']}`")
            volumes = {volume["name"] for volume in spec.get("volumes") or []}
            volumes |= {claim["metadata"]["name"] for claim in obj["spec"].get("volumeClaimTemplates") or []}
            for mount in container.get("volumeMounts") or []:
                if mount["name"] not in volumes:
                    render.found(obj, f"{where}.volumeMounts", f"there is no volume `{mount['name']}`")
        mounted = {mount["name"] for container, _ in containers(template, path)
                   for mount in container.get("volumeMounts") or []}
        for volume in spec.get("volumes") or []:
            if volume["name"] not in mounted:
                render.found(obj, f"{path}.spec.volumes[{volume['name']}]", "is mounted nowhere")
    for obj in render.of("ServiceAccount"):
        for secret in obj.get("imagePullSecrets") or []:
            render.must_exist(obj, "imagePullSecrets", "Secret", secret["name"])
    for obj in render.of("StatefulSet"):
        render.must_exist(obj, "spec.serviceName", "Service", obj["spec"]["serviceName"])
    for obj in render.of("HorizontalPodAutoscaler"):
        target = obj["spec"]["scaleTargetRef"]
        render.must_exist(obj, "spec.scaleTargetRef", target["kind"], target["name"])
    for obj in render.of("Ingress"):
        for tls in obj["spec"].get("tls") or []:
            render.must_exist(obj, "spec.tls", "Secret", tls["secretName"])


def ports(render):
    def of(workload):
        template, path = pod_of(workload)
        return [port for container, _ in containers(template, path) for port in container.get("ports") or []]

    def has(workloads, wanted):
        """By name or number, in every pod that is selected."""
        return all(any(wanted in (port.get("name"), port["containerPort"]) for port in of(workload))
                   for workload in workloads)

    for obj in render.of(*WORKLOADS):
        template, path = pod_of(obj)
        for container, where in containers(template, path):
            own = [port for port in container.get("ports") or []]
            hooks = [(name, container[name]) for name in ("startupProbe", "readinessProbe", "livenessProbe")
                     if name in container]
            hooks += [(f"lifecycle.{name}", hook) for name, hook in (container.get("lifecycle") or {}).items()]
            for name, hook in hooks:
                for action in ("httpGet", "tcpSocket", "grpc"):
                    wanted = (hook.get(action) or {}).get("port")
                    if wanted is not None and not any(
                            wanted in (port.get("name"), port["containerPort"]) for port in own):
                        render.found(obj, f"{where}.{name}", f"there is no port `{wanted}` in this container")
    for obj in render.of("Service"):
        pods = selected(render, space(obj), {"matchLabels": obj["spec"].get("selector") or {}})
        for port in obj["spec"].get("ports") or []:
            wanted = port.get("targetPort", port["port"])
            if not has(pods, wanted):
                render.found(obj, f"spec.ports[{port.get('name')}].targetPort", f"the pods have no port `{wanted}`")
    public = set()
    for obj in render.of("Ingress"):
        for rule in obj["spec"].get("rules") or []:
            for way in rule["http"]["paths"]:
                backend = way["backend"]["service"]
                service = render.get("Service", backend["name"], space(obj))
                public.add((space(obj), backend["name"]))
                where = f"spec.rules[{rule.get('host')}].paths[{way.get('path')}]"
                if service is None:
                    render.found(obj, where, f"there is no Service `{backend['name']}`")
                    continue
                wanted = backend["port"].get("name", backend["port"].get("number"))
                if not any(wanted in (port.get("name"), port["port"]) for port in service["spec"]["ports"]):
                    render.found(obj, where, f"Service `{backend['name']}` has no port `{wanted}`")
    for obj in render.of("Service"):
        if (space(obj), obj["metadata"]["name"]) in public or obj["spec"].get("type", "ClusterIP") != "ClusterIP":
            for port in obj["spec"].get("ports") or []:
                if port.get("targetPort") in ("admin", 8081):
                    render.found(obj, f"spec.ports[{port.get('name')}]",
                                 "the admin port, which can drain a pod, in a Service for the outside")
    for obj in render.of("NetworkPolicy"):
        pods = selected(render, space(obj), obj["spec"]["podSelector"])
        for number, rule in enumerate(obj["spec"].get("ingress") or []):
            for port in rule.get("ports") or []:
                if obj["spec"]["podSelector"] and "port" in port and not has(pods, port["port"]):
                    render.found(obj, f"spec.ingress[{number}].ports", f"the pods have no port `{port['port']}`")


def environment(render, container, namespace):
    """Name to value of what a container starts with, where the render knows it."""
    values = {}
    for source in container.get("envFrom") or []:
        held = render.get("ConfigMap", (source.get("configMapRef") or {}).get("name"), namespace) or {}
        values.update(held.get("data") or {})
    values.update({variable["name"]: variable.get("value") for variable in container.get("env") or []})
    return values


def settings(render):
    for obj in render.of(*WORKLOADS):
        template, path = pod_of(obj)
        for container, where in containers(template, path):
            values = environment(render, container, space(obj))
            for name in values:
                if re.match(r"(WASMEDGE_)?ENDCAP_", name) and name not in render.known:
                    render.found(obj, f"{where}.env[{name}]", "neither the service nor its plugin knows this setting")
            drain = container.get("lifecycle", {}).get("preStop", {}).get("httpGet", {}).get("path")
            if drain == "/drain":
                delay = int(values.get("ENDCAP_DRAIN_DELAY_MS") or render.known.get("ENDCAP_DRAIN_DELAY_MS") or 0)
                longest = int(values.get("ENDCAP_DRAIN_MS") or render.known["ENDCAP_DRAIN_MS"])
                grace = template["spec"].get("terminationGracePeriodSeconds", 30)
                if grace * 1000 <= delay + longest:
                    render.found(obj, f"{path}.spec.terminationGracePeriodSeconds",
                                 f"{grace} s is not above the drain of {delay} + {longest} ms")
                listen = values.get("ENDCAP_ADMIN_LISTEN") or ""
                admin = {port.get("name"): port["containerPort"] for port in container.get("ports") or []}.get("admin")
                if listen.rpartition(":")[2] != str(admin):
                    render.found(obj, f"{where}.ports[admin]", f"is {admin}, but ENDCAP_ADMIN_LISTEN is `{listen}`")
            # Kubernetes' own variables for Services; this project's settings have the same prefix.
            services = [service["metadata"]["name"] for service in render.of("Service") if space(service) == space(obj)]
            if template["spec"].get("enableServiceLinks", True) and any(n.startswith("endcap") for n in services):
                render.found(obj, f"{path}.spec.enableServiceLinks",
                             "is not false: Kubernetes would set ENDCAP_ variables that are no settings")
                break


def share(value, of):
    """A number of pods, or a percentage of them rounded up."""
    return -(-of * int(value[:-1]) // 100) if isinstance(value, str) else value


def rolling(render):
    """The most pods of a workload at once, and the fewest that a rollout or an eviction finds."""
    for obj in render.of("Deployment"):
        spec = obj["spec"]
        scaler = next((scaler for scaler in render.of("HorizontalPodAutoscaler") if space(scaler) == space(obj)
                       and scaler["spec"]["scaleTargetRef"]["name"] == obj["metadata"]["name"]), None)
        replicas = spec.get("replicas", 1)
        least, most = replicas, replicas
        if scaler:
            least, most = scaler["spec"].get("minReplicas", 1), scaler["spec"]["maxReplicas"]
            if not least <= replicas <= most:
                render.found(obj, "spec.replicas", f"{replicas} is not within the autoscaler's {least} to {most}")
        strategy = spec.get("strategy") or {}
        rolls = strategy.get("type", "RollingUpdate") == "RollingUpdate"
        rolling_update = strategy.get("rollingUpdate") or {}
        surge = rolling_update.get("maxSurge", "25%") if rolls else 0
        unavailable = rolling_update.get("maxUnavailable", "25%") if rolls else 0
        if rolls and surge in (0, "0%") and unavailable in (0, "0%"):
            render.found(obj, "spec.strategy", "maxSurge and maxUnavailable are both 0: it can never roll")
        yield obj, least, most + share(surge, most)
        alone = not rolls and most == 1
        template, path = pod_of(obj)
        for volume in template["spec"].get("volumes") or []:
            mounts = [mount for container, _ in containers(template, path)
                      for mount in container.get("volumeMounts") or [] if mount["name"] == volume["name"]]
            written = not all(mount.get("readOnly") for mount in mounts)
            shared = "persistentVolumeClaim" in volume or "hostPath" in volume
            if shared and written and not alone:
                render.found(obj, f"{path}.spec.volumes[{volume['name']}]",
                             "two pods could write to it: that takes 1 replica, no autoscaler and strategy Recreate")
    for obj in render.of("StatefulSet"):
        yield obj, obj["spec"].get("replicas", 1), obj["spec"].get("replicas", 1)
    # A volume that only one node may have may still be had by two pods of that node.
    for obj in render.of("PersistentVolumeClaim"):
        if obj["spec"]["accessModes"] != ["ReadWriteOncePod"]:
            render.found(obj, "spec.accessModes", "is not [ReadWriteOncePod], so that two pods could share the volume")


def budgets(render, workloads):
    for obj in render.of("PodDisruptionBudget"):
        for workload, least, _ in workloads:
            if space(workload) != space(obj) or workload not in selected(render, space(obj), obj["spec"]["selector"]):
                continue
            kept, lost = obj["spec"].get("minAvailable"), obj["spec"].get("maxUnavailable")
            # Kubernetes rounds both up.
            allowed = least - share(kept, least) if kept is not None else share(lost, least)
            if allowed < 1:
                render.found(obj, "spec", f"lets no pod of {title(workload)} go at {least} replicas: "
                                          "a node could not be drained")


def demand(render, workload):
    """What one pod counts against a quota: its containers' sum, its init containers' largest, and the overhead."""
    template, path = pod_of(workload)
    total = Counter()
    for part in ("requests", "limits"):
        running, first = Counter(), Counter()
        for container, where in containers(template, path):
            resources = (container.get("resources") or {}).get(part) or {}
            if part == "requests":
                # What has a limit alone is requested in full.
                resources = {**((container.get("resources") or {}).get("limits") or {}), **resources}
            for name, value in resources.items():
                if ".initContainers[" in where:
                    first[name] = max(first[name], quantity(value))
                else:
                    running[name] += quantity(value)
        runtime = render.get("RuntimeClass", template["spec"].get("runtimeClassName"))
        fixed = ((runtime or {}).get("overhead") or {}).get("podFixed") or {}
        for name in set(running) | set(first):
            total[f"{part}.{name}"] = max(running[name], first[name]) + quantity(fixed.get(name, 0))
    total["pods"] = 1
    return total


def quotas(render, workloads):
    for quota in render.of("ResourceQuota"):
        used = Counter()
        for workload, _, most in workloads:
            if space(workload) == space(quota):
                for name, value in demand(render, workload).items():
                    used[name] += value * most
        claims = render.of("PersistentVolumeClaim")
        used["persistentvolumeclaims"] = sum(space(claim) == space(quota) for claim in claims)
        for name, hard in quota["spec"]["hard"].items():
            if used[name] > quantity(hard) * (1 + 1e-9):
                taken = f"{used[name] / UNITS['Mi']:.0f}Mi" if "memory" in name else f"{used[name]:g}"
                render.found(quota, f"spec.hard.{name}",
                             f"{hard} is less than what all pods at the most take, with the surge: {taken}")
    for limits in render.of("LimitRange"):
        for bounds in limits["spec"]["limits"]:
            if bounds["type"] != "Container":
                continue
            for workload in render.of(*WORKLOADS):
                if space(workload) != space(limits):
                    continue
                template, path = pod_of(workload)
                for container, where in containers(template, path):
                    for part in ("requests", "limits"):
                        for name, value in ((container.get("resources") or {}).get(part) or {}).items():
                            least, most = (bounds.get("min") or {}).get(name), (bounds.get("max") or {}).get(name)
                            if (least and quantity(value) < quantity(least)) or \
                                    (most and quantity(value) > quantity(most)):
                                render.found(workload, f"{where}.resources.{part}.{name}",
                                             f"{value} is outside of LimitRange's {least or '-'} to {most or '-'}")
    for workload in render.of(*WORKLOADS):
        template, path = pod_of(workload)
        for container, where in containers(template, path):
            for part in ("requests", "limits"):
                missing = {"cpu", "memory"} - set((container.get("resources") or {}).get(part) or {})
                if missing:
                    render.found(workload, f"{where}.resources.{part}", f"without {', '.join(sorted(missing))}")


def images(render):
    for obj in render.of(*WORKLOADS):
        template, path = pod_of(obj)
        for container, where in containers(template, path):
            image = container.get("image", "")
            if not DIGEST.match(image):
                render.found(obj, f"{where}.image", f"`{image}` has no digest: REGISTRY/NAME@sha256:HEX")
            elif image.endswith("0" * 64):
                render.notes.append(f"{title(obj)}: the digest of {image.partition('@')[0]} is a placeholder so far")


def network(render):
    """Every namespace with pods denies what is not allowed."""
    for name in sorted({space(obj) for obj in render.of(*WORKLOADS)} - {None}):
        denies = [obj for obj in render.of("NetworkPolicy") if space(obj) == name and not obj["spec"]["podSelector"]
                  and set(obj["spec"].get("policyTypes") or []) == {"Ingress", "Egress"}
                  and not obj["spec"].get("ingress") and not obj["spec"].get("egress")]
        if not denies:
            render.found(render.get("Namespace", name) or {"kind": "Namespace", "metadata": {"name": name}},
                         "NetworkPolicy", "none denies everything by default")


def known_settings(variables, plugin):
    """Settings to their defaults: of the service, and of the plugin in both of its spellings."""
    text = Path(variables).read_text()
    known = dict(re.findall(r'name: "([A-Z_]+)",\s*default: "([^"]*)"', text))
    prefix = re.search(r'const PREFIX: &str = "(\w+)"', Path(plugin).read_text()).group(1)
    words = re.findall(r'source\.(?:number|find)\("(\w+)"', Path(plugin).read_text())
    if "ENDCAP_LISTEN" not in known or "LOG" not in words:
        sys.exit("the settings could not be read from the sources: their form has changed, and so must this")
    for word in words:
        known[f"{prefix}{word}"] = known[f"WASMEDGE_{prefix}{word}"] = ""
    return known


def main(variables, plugin, external_file, *files):
    known = known_settings(variables, plugin)
    external = defaultdict(set)
    for line in Path(external_file).read_text().splitlines():
        if line and not line.startswith("#"):
            render, kind, name = line.split()
            external[render].add((kind, name))
    schemas = Schemas()
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    bad = 0
    for file in files:
        name = Path(file).stem
        objects = [obj for obj in yaml.load_all(Path(file).read_text(), Loader=loader) if obj]
        outside = set().union(*(names for pattern, names in external.items() if fnmatchcase(name, pattern)))
        render = Render(name, objects, known, outside)
        if not objects:
            render.findings.append(f"{name}: nothing was rendered")
        schema(render, schemas)
        # What follows relies on the shape of the objects, which the schemas have just checked.
        if not render.findings:
            identity(render)
            selectors(render)
            references(render)
            ports(render)
            settings(render)
            images(render)
            network(render)
            workloads = list(rolling(render))
            budgets(render, workloads)
            quotas(render, workloads)
        for line in render.findings:
            print(f"error: {line}")
        if render.unchecked:
            print(f"{name}: kinds of others, not checked by a schema: {', '.join(render.unchecked)}")
        for line in sorted(set(render.notes)):
            print(f"{name}: note: {line}")
        print(f"{name}: {len(objects)} objects, {len(render.findings)} to mend")
        bad += len(render.findings)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
