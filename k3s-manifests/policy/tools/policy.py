#!/usr/bin/env python3
"""What scripts/policy.sh asks of Python: templates from Rego, examples of messages, rendered overlays.

Standard library only. Denials come from gator as JSON; no YAML is parsed here.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time

POLICY = pathlib.Path(__file__).resolve().parent.parent
REGO = POLICY / "rego"
TARGETS = "  # From here on made of ../rego by scripts/policy.sh generate.\n"
# message.denial("RULE", ... or, where one denial stands for several, the names as map values or list elements.
RULE = re.compile(r'"([a-z]+(?:-[a-z]+)+|privileged|seccomp|sysctl)"')


def fail(message):
    sys.exit(f"policy: error: {message}")


# --- templates from Rego ----------------------------------------------------------------------


def imports(source):
    return re.findall(r"^import data\.lib\.(\w+)$", source, re.M)


def libraries(source):
    """Every library that the source needs, also through others, sorted."""
    found, waiting = set(), imports(source)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += imports((REGO / "lib" / f"{name}.rego").read_text())
    return sorted(found)


def block(text, indent):
    """Text as the lines of a YAML block scalar. Tabs are no indentation to YAML after the spaces, but content."""
    return "".join(" " * indent + line + "\n" if line else "\n" for line in text.rstrip("\n").split("\n"))


def template(path):
    """The template with its targets made anew; what a person wrote above them stays."""
    source = (REGO / f"{path.stem}.rego").read_text()
    head = re.split(r"^  (?:targets:|# From here)", path.read_text(), maxsplit=1, flags=re.M)[0]
    out = head + TARGETS + "  targets:\n  - target: admission.k8s.gatekeeper.sh\n    rego: |\n" + block(source, 6)
    names = libraries(source)
    if names:
        out += "    libs:\n"
    for name in names:
        out += "    - |\n" + block((REGO / "lib" / f"{name}.rego").read_text(), 6)
    return out


def sources():
    return sorted(path for path in REGO.glob("*.rego") if not path.stem.endswith("_test"))


def templates(write):
    stale = []
    have = {path.stem for path in (POLICY / "templates").glob("*.yaml")} - {"kustomization"}
    want = {path.stem for path in sources()}
    for name in sorted(have ^ want):
        fail(f"policy/templates/{name}.yaml and policy/rego/{name}.rego: one is there without the other")
    for name in sorted(want):
        path = POLICY / "templates" / f"{name}.yaml"
        text = template(path)
        if path.read_text() != text:
            stale.append(str(path.relative_to(POLICY)))
            if write:
                path.write_text(text)
    return stale, len(want)


# --- completeness -----------------------------------------------------------------------------


def rules():
    """Rule names by the Rego file that denies with them."""
    found = {}
    for path in sources():
        source = path.read_text()
        names = re.findall(r'message\.denial\(\s*"([a-z-]+)"', source)
        # A denial whose rule is a variable takes its names from a literal further down.
        if re.search(r"message\.denial\(\s*rule,", source):
            names += [name for name in RULE.findall(source) if re.search(r"-missing$", name)]
        found[path.stem] = sorted(set(names))
    return found


def complete():
    """Suites against files and rules: nothing denies without a case, no file lies there unused."""
    wrong = []
    for stem, names in rules().items():
        folder = POLICY / "suites" / stem
        suite = (folder / "suite.yaml").read_text()
        for path in sorted(folder.glob("*.yaml")):
            if path.name != "suite.yaml" and path.name not in suite:
                wrong.append(f"{path.relative_to(POLICY)} is in no case of its suite")
        for name in names:
            if not (folder / f"deny-{name}.yaml").is_file():
                wrong.append(f"rule {name} of rego/{stem}.rego has no suites/{stem}/deny-{name}.yaml")
        if not list(folder.glob("allow-*.yaml")):
            wrong.append(f"suites/{stem} has nothing that is allowed")
    return wrong


def listed():
    """What kustomize would apply against what lies there."""
    wrong = []
    for folder in ("templates", "constraints"):
        text = (POLICY / folder / "kustomization.yaml").read_text()
        for path in sorted((POLICY / folder).glob("*.yaml")):
            if path.name != "kustomization.yaml" and f"- {path.name}\n" not in text:
                wrong.append(f"{folder}/kustomization.yaml does not list {path.name}")
    return wrong


# --- gator ------------------------------------------------------------------------------------


def denials(program, paths):
    """What is denied of these files: pairs of object and message."""
    command = [program, "test", "--output=json"] + [f"--filename={path}" for path in paths]
    done = subprocess.run(command, capture_output=True, text=True)
    # 1 says that something was denied, as every other failure does: the JSON tells them apart.
    try:
        results = json.loads(done.stdout or "null") or []
    except json.JSONDecodeError:
        fail(f"gator test: {done.stdout}{done.stderr}")
    if done.returncode and not results:
        fail(f"gator test: {done.stdout}{done.stderr}")
    return [(result["violatingObject"], result["msg"]) for result in results]


def rule_of(message):
    return re.match(r"\[([a-z-]+)\] ", message).group(1)


def shipped(stem):
    return [POLICY / "templates" / f"{stem}.yaml", POLICY / "constraints" / f"{stem}.yaml"]


# --- examples of messages ---------------------------------------------------------------------

MESSAGES = """# An example of every denial

What `kubectl apply` prints, after `admission webhook "validation.gatekeeper.sh" denied the request`, for the objects in
`suites/`. Made by `scripts/policy.sh generate`; `scripts/policy.sh test` fails where a message differs.
"""


def messages(program):
    out = [MESSAGES]
    for stem, names in rules().items():
        folder = POLICY / "suites" / stem
        title = re.search(r"metadata\.gatekeeper\.sh/title: (.*)", (POLICY / "templates" / f"{stem}.yaml").read_text())
        out.append(f"## {title.group(1)}\n\n`constraints/{stem}.yaml`, `rego/{stem}.rego`\n")
        cases = [folder / f"deny-{name}.yaml" for name in names]
        ordinary = [path for path in cases if constraint_of(path) is None]
        # Namespaces that a case needs to know lie beside it.
        found = denials(program, shipped(stem) + ordinary + sorted(folder.glob("namespace-*.yaml")))
        for path in cases:
            if path not in ordinary:
                found += denials(program, [POLICY / "templates" / f"{stem}.yaml", constraint_of(path), path])
        for name in names:
            mine = sorted(m for thing, m in found if thing["metadata"]["name"] == f"deny-{name}" and rule_of(m) == name)
            if not mine:
                fail(f"suites/{stem}/deny-{name}.yaml is not denied by {name}")
            out.append(f"`{name}`\n\n> {mine[0].removeprefix(f'[{name}] ')}\n")
    return "\n".join(out)


def constraint_of(path):
    """A case that needs another constraint than the shipped one has it beside it."""
    other = path.parent / f"constraint-{path.stem.removeprefix('deny-')}.yaml"
    return other if other.is_file() else None


# --- rendered overlays ------------------------------------------------------------------------

DIGEST = r"@sha256:[0-9a-f]{64}"
# What is broken in a rendered overlay, and the rule that has to notice. Every line that fits is changed.
BREAKS = [
    ("image-digest", DIGEST, ":latest"),
    ("image-registry", r"image: registry\.example/", "image: elsewhere.example/"),
    ("runtime-class", r"\n *runtimeClassName: wasmedge(?=\n)", ""),
    ("limit-missing", r"(\n *limits:\n *cpu: )[^\n]*", r"\1null"),
    ("quantity-unreadable", r"(\n *limits:\n *cpu: )[^\n]*", r"\1plenty"),
    ("pod-budget", r"(\n *limits:\n *cpu: )[^\n]*", r'\1"3"'),
    ("writable-root", r"readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false"),
    ("privileged", r"privileged: false", "privileged: true"),
    ("privilege-escalation", r"allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true"),
    ("run-as-root", r"\n *runAsNonRoot: true(?=\n)", ""),
    ("root-user", r"runAsUser: 65532", "runAsUser: 0"),
    ("capabilities-kept", r"drop:\n *- ALL", "drop: []"),
    ("seccomp", r"type: RuntimeDefault", "type: Unconfined"),
    ("host-path", r" path: /opt/endcap/", " path: /etc/"),
    ("host-path-writable", r"(mountPath: /opt/endcap/plugins\n *name: plugins\n *)readOnly: true", r"\1readOnly: false"),
    ("label-missing", r"\n *endcap\.io/tenant: [^\n]*", ""),
    ("tenant-namespace", r"(kind: Namespace\nmetadata:\n(?:  [^\n]*\n)*?    endcap\.io/tenant: )[^\n]*", r"\1another"),
    ("model-bytes-size", r"(endcap\.io/model-bytes: )[^\n]*", r'\1"100000001"'),
    ("model-created-missing", r"\n *endcap\.io/model-created: [^\n]*", ""),
    ("model-old", r"(endcap\.io/model-created: )[^\n]*", r'\1"2020-01-01T00:00:00Z"'),
]
CREATED = re.compile(r'(endcap\.io/model-created: )"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)"')
SERVICE = re.compile(r"^ +runtimeClassName: wasmedge$", re.M)
WORKLOAD = re.compile(r"^kind: (?:Deployment|StatefulSet|DaemonSet|Job|CronJob|Pod)$", re.M)


# What is known of namespaces is one for all copies in a run.
ALONE = {"tenant-namespace"}


def overlays(program, paths):
    """Every rendered overlay passes every constraint, and is denied once it is broken. Returns (passed, failed)."""
    policies = [path for stem in sorted(rules()) for path in shipped(stem)]
    passed = failed = services = 0
    # A manifest in git grows old; a model that is rolled out does not: the check gives it today's date.
    today = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())

    def review(copies):
        """Messages by copy, from one run. Each object carries the number of its copy in metadata.generation."""
        found = [[] for _ in copies]
        with tempfile.TemporaryDirectory() as folder:
            files = []
            for number, text in enumerate(copies):
                files.append(pathlib.Path(folder) / f"{number}.yaml")
                files[-1].write_text(re.sub(r"^metadata:\n", f"metadata:\n  generation: {number}\n", text, flags=re.M))
            for thing, message in denials(program, policies + files):
                found[thing["metadata"]["generation"]].append(message)
        return found

    def count(good, what):
        nonlocal passed, failed
        passed, failed = passed + good, failed + (not good)
        if not good:
            print(f"FAIL {what}")

    for path in paths:
        text = CREATED.sub(rf'\g<1>"{today}"', pathlib.Path(path).read_text())
        name, workloads = pathlib.Path(path).stem, len(WORKLOAD.findall(text))
        messages_of_it = review([text])[0]
        for message in messages_of_it:
            print(f"  {name}: {message}")
        count(not messages_of_it, f"{name}: {len(messages_of_it)} denials")
        if not SERVICE.search(text):
            print(f"{name}: {workloads} workloads, {len(messages_of_it)} denials")
            continue
        services, noticed = services + 1, 0
        broken = {rule: re.subn(pattern, replacement, text) for rule, pattern, replacement in BREAKS}
        for run in ([rule for rule in broken if rule not in ALONE], *([rule] for rule in ALONE)):
            for rule, found in zip(run, review([broken[rule][0] for rule in run]), strict=True):
                changes = broken[rule][1]
                good = changes > 0 and rule in {rule_of(message) for message in found}
                noticed += good
                count(good, f"{name}: broken for {rule} in {changes} places, and not denied by it")
        print(f"{name}: {workloads} workloads, {len(messages_of_it)} denials; {noticed} of {len(BREAKS)} broken copies are denied")
    count(services > 0, "no manifest here runs the service: nothing was tried")
    return passed, failed


def main(arguments):
    match arguments:
        case ["generate"]:
            stale, count = templates(write=True)
            print(f"{count} templates, {len(stale)} changed: {', '.join(stale) or 'none'}")
        case ["check"]:
            stale, count = templates(write=False)
            wrong = [f"policy/{name} is not what its Rego makes: scripts/policy.sh generate" for name in stale]
            wrong += complete() + listed()
            print("\n".join(wrong), end="\n" if wrong else "")
            print(f"{count} templates, {sum(map(len, rules().values()))} rules, {len(wrong)} faults")
            sys.exit(1 if wrong else 0)
        case ["messages", program]:
            print(messages(program), end="")
        case ["overlays", program, *paths] if paths:
            passed, failed = overlays(program, paths)
            print(f"overlays: {passed} passed, {failed} failed")
            sys.exit(1 if failed else 0)
        case _:
            fail("policy.py generate | check | messages GATOR | overlays GATOR FILE...")


main(sys.argv[1:])
