//! What the plugin is in this process: the runtime's functions, the settings, the engine that guests share.

use std::panic::{self, PanicHookInfo};
use std::sync::{Mutex, OnceLock, PoisonError};

use endcap_nn::{Engine, Registry};

use crate::capi::{Api, ApiError};
use crate::command_line;
use crate::log::{Log, tell};
use crate::option::{OptionStorage, OptionValue};
use crate::preload;
use crate::settings::{SettingError, Settings};

/// Where WasmEdge stores the option's value.
pub(crate) static OPTION: OptionStorage = OptionStorage::new();

static STARTED: OnceLock<Option<Plugin>> = OnceLock::new();

/// Why the plugin refuses to be loaded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error(transparent)]
    Api(#[from] ApiError),
    #[error(transparent)]
    Setting(#[from] SettingError),
}

/// The started plugin.
#[derive(Debug)]
pub(crate) struct Plugin {
    pub(crate) api: Api,
    pub(crate) log: Log,
    settings: Settings,
    /// The engine of the last module that was asked for, and the models that it knows.
    last: Mutex<Option<(Registry, Engine)>>,
}

impl Plugin {
    /// The plugin; WasmEdge asks twice, and the second answer is the first. `None` after a refusal, which has been
    /// told.
    pub(crate) fn started() -> Option<&'static Self> {
        let start = || match Self::start() {
            Ok(plugin) => Some(plugin),
            Err(error) => {
                tell(format_args!("this plugin is not loaded: {error}"));
                None
            }
        };
        STARTED.get_or_init(start).as_ref()
    }

    fn start() -> Result<Self, StartError> {
        let settings = Settings::read(|name| std::env::var(name).ok())?;
        let log = Log::new(settings.level);
        panic::set_hook(Box::new(tell_panic));
        Ok(Self { api: Api::find()?, log, settings, last: Mutex::new(None) })
    }

    /// The engine for a new module.
    ///
    /// Modules share one, and with it the limits and the graphs that are loaded by name, as long as they are told
    /// the same models. A program may announce other ones before it asks for its next module: that gets an engine
    /// of its own, and modules that exist keep theirs.
    pub(crate) fn engine(&self) -> Engine {
        let mut lists = self.settings.preloads.clone();
        // SAFETY: WasmEdge asks for modules only after it has stored the option, and keeps what it stored.
        match unsafe { OPTION.value(self.api.libstdcxx) } {
            OptionValue::Absent => {}
            OptionValue::Text(last) => {
                let values = command_line::values(std::env::args_os(), &last);
                lists.extend(values.into_iter().map(|list| ("--nn-preload".to_owned(), list)));
            }
            OptionValue::List(entries) => lists.push(("the program's list".to_owned(), entries.join("\n"))),
            OptionValue::UnknownList => tell(format_args!(
                "the models that the program announces cannot be read in this build of WasmEdge: use \
                 ENDCAP_NN_PRELOAD"
            )),
        }
        let (registry, left_out) = preload::registry(&lists);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, engine)) = &*last
            && *known == registry
        {
            return engine.clone();
        }
        for entry in left_out {
            tell(format_args!("{entry}"));
        }
        let engine = Engine::new(self.settings.limits.clone(), registry.clone());
        *last = Some((registry, engine.clone()));
        engine
    }
}

/// Reports a panic, at any level: it is a mistake of this plugin or of an engine. But a guest may have found how to
/// repeat it, so the rate holds. The hook is this library's own: the program that loads it has another.
fn tell_panic(info: &PanicHookInfo<'_>) {
    match STARTED.get() {
        Some(Some(plugin)) => plugin.log.line(format_args!("{info}")),
        _ => tell(format_args!("{info}")),
    }
}
