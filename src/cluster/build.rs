//! Which build of the program a client, a scheduler and an executor are: a function that has changed under its name would make other findings.

use datafusion::common::{DataFusionError, Result};
use datafusion::config::{ConfigEntry, ConfigExtension, ConfigOptions, ExtensionOptions};
use std::any::Any;

/// This build.
pub(super) const THIS: &str = concat!("shortfall ", env!("CARGO_PKG_VERSION"));
/// The setting that says so, below [`Build`]'s prefix.
const CLIENT: &str = "client";

/// The client's build, in the settings that go with each of its jobs.
///
/// (By hand: `extensions_options!` names its entries without their prefix, and Ballista sends what entries are named.)
#[derive(Clone, Debug, Default)]
pub struct Build {
    /// Its name and version; empty if the client is none of ours.
    client: String,
}

impl ExtensionOptions for Build {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn cloned(&self) -> Box<dyn ExtensionOptions> {
        Box::new(self.clone())
    }

    fn set(&mut self, key: &str, value: &str) -> Result<()> {
        if key == CLIENT {
            value.clone_into(&mut self.client);
        }
        Ok(())
    }

    fn entries(&self) -> Vec<ConfigEntry> {
        let (key, value) = (format!("{}.{CLIENT}", Self::PREFIX), Some(self.client.clone()));
        vec![ConfigEntry { key, value, description: "Name and version of the client." }]
    }
}

impl ConfigExtension for Build {
    const PREFIX: &'static str = "shortfall";
}

impl Build {
    /// The settings of a client of this build.
    pub(super) fn of_this() -> Self {
        Self { client: THIS.to_owned() }
    }
}

/// Refuses the job of another build.
///
/// # Errors
/// A sentence with both versions.
pub(super) fn check(options: &ConfigOptions, who: &str) -> Result<()> {
    let client = options.extensions.get::<Build>().map_or("", |build| build.client.as_str());
    if client == THIS {
        return Ok(());
    }
    let client = if client.is_empty() { "no version of shortfall" } else { client };
    Err(DataFusionError::Execution(format!(
        "{REFUSED}the client is {client}, this {who} is {THIS}; all of them must be the same"
    )))
}

/// How that sentence begins.
pub(super) const REFUSED: &str = "another version: ";

#[cfg(test)]
mod tests {
    use super::*;
    use ballista_core::extension::SessionConfigHelperExt as _;

    #[test]
    fn only_a_client_of_this_version_is_served() {
        let client = |build: Build| crate::cluster::settings().with_option_extension(build).to_key_value_pairs();
        let told = |settings: &[_]| {
            let config = crate::cluster::settings().update_from_key_value_pair(settings);
            check(config.options(), "executor").map_err(|e| e.strip_backtrace())
        };
        assert_eq!(told(&client(Build::of_this())), Ok(()));
        let older = told(&client(Build { client: "shortfall 0.0.1".to_owned() })).expect_err("another version");
        assert!(older.contains("the client is shortfall 0.0.1, this executor is shortfall "), "{older}");
        assert!(told(&[]).is_err());
    }
}
