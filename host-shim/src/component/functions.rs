//! Which functions a component has, and which one is meant.

use wasmtime::Engine;
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component, ComponentExportIndex, Type};

use crate::json::{did_you_mean, names, type_words};

/// An exported function.
#[derive(Debug, Clone)]
pub struct Function {
    interface: Option<String>,
    name: String,
    pub(super) index: ComponentExportIndex,
    pub(super) ty: ComponentFunc,
}

/// No function, or more than one, is meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FunctionError {
    /// There is none of this name.
    #[error("no function `{name}`{}; the component exports {known}", did_you_mean(hint.as_deref()))]
    Unknown {
        /// The name given.
        name: String,
        /// The nearest name, where one is near.
        hint: Option<String>,
        /// All names.
        known: String,
    },
    /// Several interfaces have one of this name.
    #[error("`{name}` is in several interfaces: write {}", candidates.join(" or "))]
    Ambiguous {
        /// The name given.
        name: String,
        /// The names that tell them apart.
        candidates: Vec<String>,
    },
}

impl Function {
    /// The function's own name, in kebab-case.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The interface that it is of, such as `endcap:recommender/model@0.1.0`; `None` for one of the world itself.
    pub fn interface(&self) -> Option<&str> {
        self.interface.as_deref()
    }

    /// Names and types of its parameters.
    pub fn params(&self) -> impl ExactSizeIterator<Item = (&str, Type)> {
        self.ty.params()
    }

    /// Its result's type.
    pub fn result(&self) -> Option<Type> {
        self.ty.results().next()
    }

    /// How it is declared, such as `get-item(id: string) -> result<record, variant>`.
    pub fn signature(&self) -> String {
        let params: Vec<String> =
            self.params().map(|(name, ty)| format!("{name}: {}", type_words(&ty))).collect();
        let result = self.result().map(|ty| format!(" -> {}", type_words(&ty))).unwrap_or_default();
        format!("{}({}){result}", self.name, params.join(", "))
    }

    /// The name that tells it from every other: `interface#function`.
    fn full_name(&self) -> String {
        match &self.interface {
            Some(interface) => format!("{interface}#{}", self.name),
            None => self.name.clone(),
        }
    }

    fn is_called(&self, given: &str) -> bool {
        let (interface, name) = match given.rsplit_once('#') {
            Some((interface, name)) => (Some(interface), name),
            None => (None, given),
        };
        names::same(&self.name, name)
            && interface.is_none_or(|given| {
                self.interface().is_some_and(|full| full == given || short_name(full) == given)
            })
    }
}

/// `model` of `endcap:recommender/model@0.1.0`.
fn short_name(interface: &str) -> &str {
    let path = interface.split_once('@').map_or(interface, |(path, _)| path);
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// Every function that `component` exports, in its order.
pub(super) fn list(engine: &Engine, component: &Component) -> Vec<Function> {
    let mut functions = Vec::new();
    let mut add = |interface: Option<(&str, &ComponentExportIndex)>, name: &str, ty| {
        let index = component.get_export_index(interface.map(|(_, index)| index), name);
        functions.extend(index.map(|index| Function {
            interface: interface.map(|(interface, _)| interface.to_owned()),
            name: name.to_owned(),
            index,
            ty,
        }));
    };
    for (name, export) in component.component_type().exports(engine) {
        match export.ty {
            ComponentItem::ComponentFunc(ty) => add(None, name, ty),
            ComponentItem::ComponentInstance(instance) => {
                let interface = component.get_export_index(None, name);
                for (function, export) in instance.exports(engine) {
                    if let (ComponentItem::ComponentFunc(ty), Some(interface)) = (export.ty, &interface) {
                        add(Some((name, interface)), function, ty);
                    }
                }
            }
            _ => {}
        }
    }
    functions
}

/// The function called `name`: its own name in kebab-case, camelCase or snake_case, or `interface#name` with the
/// interface's full or last name.
pub(super) fn find<'a>(functions: &'a [Function], name: &str) -> Result<&'a Function, FunctionError> {
    let mut found = functions.iter().filter(|function| function.is_called(name));
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only),
        (Some(first), Some(second)) => Err(FunctionError::Ambiguous {
            name: name.to_owned(),
            candidates: [first, second].into_iter().chain(found).map(Function::full_name).collect(),
        }),
        (None, _) => Err(unknown(functions, name)),
    }
}

fn unknown(functions: &[Function], name: &str) -> FunctionError {
    let is_unique = |name: &str| functions.iter().filter(|function| function.name == name).count() == 1;
    let known = functions
        .iter()
        .map(|function| if is_unique(&function.name) { function.name.clone() } else { function.full_name() });
    let known: Vec<String> = known.collect();
    FunctionError::Unknown {
        name: name.to_owned(),
        hint: names::nearest(name, functions.iter().map(|function| function.name.clone())),
        known: if known.is_empty() { "none".to_owned() } else { known.join(", ") },
    }
}
