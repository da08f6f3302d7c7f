//! From rendered manifests to pods that a kubelet without an API server runs.

use std::path::Path;

use anyhow::{Context, bail};
use serde_json::{Map, Value, json};

/// The documents of a rendered overlay.
#[derive(Debug)]
pub(crate) struct Manifests(Vec<Value>);

/// What only an API server can resolve, and what becomes of it here.
const UNRESOLVED: [(&str, &str); 4] = [
    ("runtimeClassName", "the node's default runtime is the class's handler"),
    ("priorityClassName", "a kubelet without an API server gives its pods the highest"),
    ("serviceAccountName", "the pod mounts no token anyway"),
    ("topologySpreadConstraints", "one node"),
];

impl Manifests {
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let at = || format!("{} (make manifests renders it)", path.display());
        let text = std::fs::read_to_string(path).with_context(at)?;
        let documents: Vec<Value> = serde_saphyr::from_multiple(&text).with_context(at)?;
        Ok(Self(documents.into_iter().filter(|document| !document.is_null()).collect()))
    }

    /// The one document of a kind and name.
    pub(crate) fn find(&self, kind: &str, name: &str) -> anyhow::Result<&Value> {
        self.0
            .iter()
            .find(|document| document["kind"] == kind && document["metadata"]["name"] == name)
            .with_context(|| format!("the manifests hold no {kind} {name}"))
    }

    /// The handler that the pods' runtime class names.
    pub(crate) fn handler(&self) -> anyhow::Result<&str> {
        let class = self.find("RuntimeClass", "wasmedge")?;
        class["handler"].as_str().context("RuntimeClass wasmedge has no handler")
    }

    /// A pod of the Deployment's template under another name, with everything resolved that an API server would; and
    /// a line for each field that is left out.
    pub(crate) fn pod(&self, name: &str, image: &str) -> anyhow::Result<(Value, Vec<String>)> {
        let deployment = self.find("Deployment", "endcap")?;
        let namespace = deployment["metadata"]["namespace"].clone();
        let template = &deployment["spec"]["template"];
        let mut spec = template["spec"].clone();
        let fields = spec.as_object_mut().context("the template has no spec")?;
        let mut left_out = Vec::new();
        for (field, why) in UNRESOLVED {
            if fields.remove(field).is_some() {
                left_out.push(format!("{field}: {why}"));
            }
        }
        let containers = fields.get_mut("containers").and_then(Value::as_array_mut);
        for container in containers.context("the template has no containers")? {
            container["image"] = json!(image);
            // Nothing here may be fetched.
            container["imagePullPolicy"] = json!("Never");
            let container = container.as_object_mut().context("a container is no object")?;
            left_out.extend(self.resolve_environment(container)?);
        }
        let mut metadata = template["metadata"].clone();
        metadata["name"] = json!(name);
        metadata["namespace"] = namespace;
        let pod = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec });
        Ok((pod, left_out))
    }

    /// Puts the values of ConfigMaps in place of their names. As in a pod, what `env` says wins over `envFrom`.
    fn resolve_environment(&self, container: &mut Map<String, Value>) -> anyhow::Result<Vec<String>> {
        let mut left_out = Vec::new();
        let mut environment = Vec::new();
        if let Some(Value::Array(sources)) = container.remove("envFrom") {
            for source in sources {
                if let Some(name) = source["configMapRef"]["name"].as_str() {
                    let data = self.find("ConfigMap", name)?["data"].as_object();
                    for (key, value) in data.into_iter().flatten() {
                        environment.push(json!({ "name": key, "value": value }));
                    }
                } else if source["secretRef"]["optional"] == true {
                    left_out.push(format!("optional Secret {}: there is none", source["secretRef"]["name"]));
                } else {
                    bail!("envFrom {source} cannot be resolved without an API server");
                }
            }
        }
        if let Some(Value::Array(own)) = container.get("env") {
            for variable in own {
                environment.retain(|other| other["name"] != variable["name"]);
                if !variable["valueFrom"].is_null() {
                    bail!("env {variable} cannot be resolved without an API server");
                }
                environment.push(variable.clone());
            }
        }
        container.insert("env".to_owned(), Value::Array(environment));
        Ok(left_out)
    }
}

/// Sets a variable of a pod's container.
pub(crate) fn set_variable(pod: &mut Value, name: &str, value: &str) {
    let Some(Value::Array(environment)) = pod.pointer_mut("/spec/containers/0/env") else { return };
    environment.retain(|variable| variable["name"] != name);
    environment.push(json!({ "name": name, "value": value }));
}
