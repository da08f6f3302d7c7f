//! The WIT package: parses, documents everything, and uses the words of the code.

#![allow(clippy::expect_used, reason = "helpers of tests are tests")]

use std::path::Path;

use endcap_core::recommend::Source;
use endcap_core::store::EventKind;
use wit_parser::{PackageId, Resolve, TypeDefKind};

fn contract() -> (Resolve, PackageId) {
    let mut resolve = Resolve::default();
    let (package, _) =
        resolve.push_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit")).expect("parses");
    (resolve, package)
}

/// Names of the cases of an enum.
fn cases(name: &str) -> Vec<String> {
    let (resolve, _) = contract();
    let found = resolve.types.iter().find(|(_, def)| def.name.as_deref() == Some(name)).expect("type").1;
    let TypeDefKind::Enum(cases) = &found.kind else { panic!("{name} is no enum") };
    cases.cases.iter().map(|case| case.name.clone()).collect()
}

#[test]
fn the_world_exports_the_three_interfaces() {
    let (resolve, package) = contract();
    assert_eq!(resolve.packages[package].name.to_string(), "endcap:recommender@0.7.0");
    let world = &resolve.worlds[resolve.packages[package].worlds["recommender"]];
    let mut exports: Vec<String> = world.exports.keys().map(|key| resolve.name_world_key(key)).collect();
    exports.sort();
    let expected = ["events", "model", "recommend"].map(|name| format!("endcap:recommender/{name}@0.7.0"));
    assert_eq!(exports, expected);
}

#[test]
fn everything_is_documented() {
    let (resolve, package) = contract();
    let mut bare = Vec::new();
    let mut check = |owner: &str, name: &str, docs: &wit_parser::Docs| {
        if docs.contents.as_ref().is_none_or(|text| text.trim().is_empty()) {
            bare.push(format!("{owner}.{name}"));
        }
    };
    // What other packages mean is said there.
    for (_, interface) in resolve.interfaces.iter().filter(|(_, found)| found.package == Some(package)) {
        let owner = interface.name.as_deref().unwrap_or_default();
        check(owner, "", &interface.docs);
        for (name, function) in &interface.functions {
            check(owner, name, &function.docs);
        }
        for (name, &id) in &interface.types {
            let def = &resolve.types[id];
            // `use` makes an alias without documentation of its own.
            if matches!(def.kind, TypeDefKind::Type(wit_parser::Type::Id(_))) {
                continue;
            }
            check(owner, name, &def.docs);
            match &def.kind {
                TypeDefKind::Record(record) => {
                    record.fields.iter().for_each(|f| check(name, &f.name, &f.docs));
                }
                TypeDefKind::Enum(cases) => {
                    cases.cases.iter().for_each(|case| check(name, &case.name, &case.docs));
                }
                TypeDefKind::Variant(cases) => {
                    cases.cases.iter().for_each(|case| check(name, &case.name, &case.docs));
                }
                TypeDefKind::Flags(flags) => {
                    flags.flags.iter().for_each(|flag| check(name, &flag.name, &flag.docs));
                }
                _ => {}
            }
        }
    }
    assert!(bare.is_empty(), "undocumented: {bare:?}");
}

#[test]
fn its_words_are_the_words_of_the_code() {
    assert_eq!(cases("source"), Source::ALL.map(Source::as_str));
    for kind in ["view", "cart", "purchase", "like", "dislike"] {
        assert!(
            cases("event-kind").iter().any(|case| case == kind) && EventKind::parse(kind).is_some(),
            "{kind}"
        );
    }
}
