//! Models by name: what an operator lets guests load.
//!
//! A name stands for a file, an encoding and a device. Nothing is read before the first use. Guests can name only
//! what is here: they never reach another file of the host.

mod entry;
mod file;

use std::collections::BTreeMap;

pub use entry::{Registered, RegistryError};

/// Named models. Names are unique.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Registry {
    by_name: BTreeMap<String, Registered>,
}

impl Registry {
    /// Reads entries of the form that [`Registered`] parses.
    ///
    /// # Errors
    /// [`RegistryError`] of the first entry that is not one, or whose name is taken.
    pub fn parse<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<Self, RegistryError> {
        let mut registry = Self::default();
        for entry in entries {
            registry.add(entry.parse()?)?;
        }
        Ok(registry)
    }

    /// Adds a model.
    ///
    /// # Errors
    /// [`RegistryError::Twice`] where the name is taken: two models under one name are a mistake, and which of them
    /// would be served is not for chance to decide.
    pub fn add(&mut self, model: Registered) -> Result<(), RegistryError> {
        if self.by_name.contains_key(&model.name) {
            return Err(RegistryError::Twice { name: model.name });
        }
        self.by_name.insert(model.name.clone(), model);
        Ok(())
    }

    /// The model of this name.
    pub fn get(&self, name: &str) -> Option<&Registered> {
        self.by_name.get(name)
    }

    /// The name of the model that has this name or this path.
    pub fn find(&self, name_or_path: &str) -> Option<&str> {
        let named = self.by_name.get(name_or_path);
        let found = named.or_else(|| self.iter().find(|model| model.path.to_str() == Some(name_or_path)))?;
        Some(&found.name)
    }

    /// All models, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Registered> {
        self.by_name.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_once() {
        let error = Registry::parse(["a:onnx:cpu:/m/1.onnx", "a:ggml:cpu:/m/2.gguf"]).unwrap_err();
        assert_eq!(error, RegistryError::Twice { name: "a".into() });
    }

    #[test]
    fn a_model_is_found_by_name_and_by_path() {
        let registry = Registry::parse(["a:onnx:cpu:/m/1.onnx", "b:ggml:cpu:/m/2.gguf"]).unwrap();
        assert_eq!(registry.find("b"), Some("b"));
        assert_eq!(registry.find("/m/2.gguf"), Some("b"));
        assert_eq!(registry.find("/m/../m/2.gguf"), None);
    }
}
