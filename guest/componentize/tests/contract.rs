//! The built components show the contract of `wit/`, and nothing else.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests are tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use wit_component::{DecodedWasm, WitPrinter};
use wit_parser::{PackageId, Resolve, WorldId, WorldKey};

/// Names of a world's imports and exports.
fn surface(resolve: &Resolve, world: WorldId) -> (Vec<String>, Vec<String>) {
    let names = |keys: Vec<&WorldKey>| {
        let mut names: Vec<String> = keys.into_iter().map(|key| resolve.name_world_key(key)).collect();
        names.sort();
        names
    };
    let world = &resolve.worlds[world];
    (names(world.imports.keys().collect()), names(world.exports.keys().collect()))
}

/// The definitions of each interface of the package as text, without comments and their order, which a component does
/// not keep.
fn interfaces(resolve: &Resolve, package: PackageId) -> BTreeMap<String, BTreeSet<String>> {
    let mut printer = WitPrinter::default();
    printer.emit_docs(false);
    printer.print(resolve, package, &[]).unwrap();
    let text = printer.output.to_string();
    let mut bodies = BTreeMap::<String, String>::new();
    let mut name = None;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("interface ") {
            name = Some(rest.trim_end_matches(" {").to_owned());
        } else if line.starts_with('}') {
            name = None;
        } else if let Some(name) = &name {
            let body = bodies.entry(name.clone()).or_default();
            body.push_str(line.trim());
            body.push('\n');
        }
    }
    let definitions = |body: String| body.split("\n\n").map(|text| text.trim().to_owned()).collect();
    bodies.into_iter().map(|(name, body)| (name, definitions(body))).collect()
}

fn package(resolve: &Resolve) -> PackageId {
    let is_ours = |name: &wit_parser::PackageName| name.namespace == "endcap" && name.name == "recommender";
    resolve.packages.iter().find(|(_, package)| is_ours(&package.name)).expect("the contract's package").0
}

#[test]
fn the_components_show_exactly_the_contract() {
    let mut contract = Resolve::default();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    let (ours, _) = contract.push_dir(&folder).unwrap();
    let written = interfaces(&contract, ours);
    assert_eq!(written.keys().collect::<Vec<_>>(), ["events", "model", "recommend", "types"]);
    for (variable, world) in [("ENDCAP_COMPONENT", "builtin"), ("ENDCAP_COMPONENT_NN", "nn")] {
        let Some(path) = std::env::var_os(variable) else {
            let reason = format!("{variable} is not set: run `make component`, and the tests by `make test`");
            assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{reason}");
            eprintln!("skipped: {reason}");
            return;
        };
        let bytes = std::fs::read(&path).unwrap();
        let DecodedWasm::Component(decoded, found) = wit_component::decode(&bytes).unwrap() else {
            panic!("{} is no component", path.display())
        };
        let wanted = contract.packages[ours].worlds[world];
        assert_eq!(surface(&decoded, found), surface(&contract, wanted), "{world}");
        assert_eq!(interfaces(&decoded, package(&decoded)), written, "{world}");
    }
}
