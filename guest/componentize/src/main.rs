//! `endcap-componentize MODULE COMPONENT`: what `wasm-tools component new` does, from the same library, so that
//! `make component` needs no tool that takes minutes to build. The WIT of the component is written beside it.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, bail};
use wit_component::{ComponentEncoder, DecodedWasm, WitPrinter};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let [module, component] = arguments.as_slice() else {
        bail!("usage: endcap-componentize MODULE.wasm COMPONENT.wasm");
    };
    let (module, component) = (PathBuf::from(module), PathBuf::from(component));
    let bytes = fs::read(&module).with_context(|| format!("cannot read {}", module.display()))?;
    let bytes = ComponentEncoder::default()
        .validate(true)
        .module(&bytes)
        .and_then(ComponentEncoder::encode)
        .with_context(|| format!("{} is no module of endcap-component", module.display()))?;
    let wit = wit(&bytes).context("the component's own WIT cannot be read back")?;
    let part = component.with_extension("part");
    fs::write(&part, &bytes).with_context(|| format!("cannot write {}", part.display()))?;
    fs::rename(&part, &component).with_context(|| format!("cannot replace {}", component.display()))?;
    let beside = component.with_extension("wit");
    fs::write(&beside, wit).with_context(|| format!("cannot write {}", beside.display()))?;
    println!("{}: {} bytes, world in {}", component.display(), bytes.len(), beside.display());
    Ok(())
}

/// The world of a component as text.
fn wit(component: &[u8]) -> anyhow::Result<String> {
    let decoded = wit_component::decode(component)?;
    let DecodedWasm::Component(resolve, _) = &decoded else { bail!("not a component") };
    let package = decoded.package();
    let others: Vec<_> = resolve.packages.iter().map(|(id, _)| id).filter(|&id| id != package).collect();
    let mut printer = WitPrinter::default();
    printer.print(resolve, package, &others)?;
    Ok(printer.output.to_string())
}
