//! `shortfall.toml` beside the lake: what options are where neither a flag nor the environment says so.
//!
//! A key is the name of the option's variable without `SHORTFALL_`, in small letters: `memory_limit = "4GiB"` is what `SHORTFALL_MEMORY_LIMIT` and
//! `--memory-limit` are. Secrets have no flag, and so no key. The file lies in the folder that the lake lies in (what is in a lake is Shortfall's own); a
//! lake in a store has none.

use super::{Cli, Failure};
use crate::lake::store::is_url;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, CommandFactory as _, FromArgMatches as _};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

const FILE: &str = "shortfall.toml";
const PREFIX: &str = "SHORTFALL_";

/// Says where the file is.
const LAKE: &str = "lake";

/// The command line with what the file says besides. `given` begins with the program's name; `matches` are of `given`.
///
/// # Errors
/// [`Failure`] if the file cannot be read or says something that no option is.
pub(super) fn with_file(given: &[OsString], matches: &ArgMatches) -> Result<Cli, Failure> {
    let Some(path) = beside_lake(matches).filter(|path| path.exists()) else { return cli(matches) };
    let failed = |what: String| Failure::usage(format!("`{}`: {what}", path.display()));
    let text = std::fs::read_to_string(&path).map_err(|e| failed(e.to_string()))?;
    let settings: Table = text.parse().map_err(|e: toml::de::Error| failed(place_of(&e, &text)))?;
    let command = Cli::command();
    let mut known = BTreeSet::new();
    all_keys(&command, &mut known);
    if let Some(key) = settings.keys().find(|key| !known.contains(*key)) {
        let known: Vec<String> = known.into_iter().collect();
        return Err(failed(format!("there is no setting `{key}`; known are {}", known.join(", "))));
    }
    let more = unsaid(&command, matches, &settings).map_err(failed)?;
    // Behind `--` nothing is an option.
    let end = given.iter().position(|word| word == "--").unwrap_or(given.len());
    let words = given[..end].iter().cloned().chain(more).chain(given[end..].iter().cloned());
    // What was given alone was understood: what is wrong now stands in the file.
    let matches = command.try_get_matches_from(words).map_err(|e| {
        let text = e.to_string();
        let message = text.split("\n\n").next().unwrap_or_default();
        failed(message.trim_start_matches("error: ").to_owned())
    })?;
    cli(&matches)
}

/// What is no TOML, without the line itself: a webhook's URL is a secret.
fn place_of(error: &toml::de::Error, text: &str) -> String {
    let line = error.span().and_then(|span| text.get(..span.start)).map_or(1, |before| 1 + before.matches('\n').count());
    format!("line {line}: {}", error.message())
}

fn cli(matches: &ArgMatches) -> Result<Cli, Failure> {
    Cli::from_arg_matches(matches).map_err(|e| Failure::usage(e.to_string()))
}

/// Where the settings of the lake that a command names would be.
fn beside_lake(matches: &ArgMatches) -> Option<PathBuf> {
    let mut of = matches;
    while let Some((_, below)) = of.subcommand() {
        of = below;
    }
    let lake = of.try_get_one::<PathBuf>(LAKE).ok().flatten()?;
    if is_url(&lake.to_string_lossy()) {
        return None;
    }
    // A path such as `.` has a parent only when it is written out.
    let whole = std::path::absolute(lake).ok()?;
    whole.canonicalize().unwrap_or(whole).parent().map(|folder: &Path| folder.join(FILE))
}

/// Key of an option in the file.
fn key(arg: &Arg) -> Option<String> {
    let key = arg.get_env()?.to_str()?.strip_prefix(PREFIX)?.to_ascii_lowercase();
    (key != LAKE).then_some(key)
}

fn all_keys(command: &Command, keys: &mut BTreeSet<String>) {
    keys.extend(command.get_arguments().filter_map(key));
    for below in command.get_subcommands() {
        all_keys(below, keys);
    }
}

/// Options of the command that was called, as words, which the file names and nobody else does.
fn unsaid(command: &Command, matches: &ArgMatches, settings: &Table) -> Result<Vec<OsString>, String> {
    let mut words = Vec::new();
    let (mut command, mut matches) = (command, matches);
    loop {
        for arg in command.get_arguments() {
            let Some((name, value)) = key(arg).and_then(|key| settings.get_key_value(&key)) else { continue };
            let is_said =
                matches!(matches.value_source(arg.get_id().as_str()), Some(ValueSource::CommandLine | ValueSource::EnvVariable));
            if let Some(flag) = arg.get_long().filter(|_| !is_said) {
                words.extend(word(arg, flag, name, value)?);
            }
        }
        let Some((name, below)) = matches.subcommand() else { return Ok(words) };
        let Some(of) = command.find_subcommand(name) else { return Ok(words) };
        (command, matches) = (of, below);
    }
}

fn word(arg: &Arg, flag: &str, name: &str, value: &Value) -> Result<Option<OsString>, String> {
    let is_switch = matches!(arg.get_action(), ArgAction::SetTrue);
    match value {
        Value::Boolean(is_on) if is_switch => Ok(is_on.then(|| format!("--{flag}").into())),
        Value::String(text) if !is_switch => Ok(Some(format!("--{flag}={text}").into())),
        Value::Integer(number) if !is_switch => Ok(Some(format!("--{flag}={number}").into())),
        _ if is_switch => Err(format!("`{name}` is true or false")),
        _ => Err(format!("`{name}` is a text in quotes or a whole number")),
    }
}

#[cfg(test)]
mod tests {
    use super::{FILE, with_file};
    use crate::cli::{Cli, Failure};
    use clap::CommandFactory as _;
    use std::ffi::OsString;

    /// The command line as it is understood beside such a file.
    fn understood(file: &str, arguments: &[&str]) -> Result<String, Failure> {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(FILE), file).expect("a file");
        let lake = folder.path().join("lake");
        std::fs::create_dir(&lake).expect("a folder");
        let mut given: Vec<OsString> = vec!["shortfall".into(), arguments[0].into(), "--lake".into(), lake.into()];
        given.extend(arguments[1..].iter().map(OsString::from));
        let matches = Cli::command().try_get_matches_from(&given).expect("arguments");
        with_file(&given, &matches).map(|cli| format!("{cli:?}"))
    }

    #[test]
    fn what_nobody_says_is_as_the_file_says() {
        let file = "threads = 3\noutput = \"json\"\ncluster = \"http://10.0.0.1:50050\"\ntrace = true\n";
        let said = understood(file, &["analyze", "--quarter", "2026Q3"]).expect("understood");
        for part in ["threads: Some(3)", "output: Json", "http://10.0.0.1:50050", "timings: true"] {
            assert!(said.contains(part), "{part}: {said}");
        }
        let flags = ["analyze", "--quarter", "2026Q3", "--threads", "5", "--output", "text"];
        let said = understood(file, &flags).expect("understood");
        assert!(said.contains("threads: Some(5)") && said.contains("output: Text"), "{said}");
    }

    #[test]
    fn settings_of_other_commands_and_words_behind_the_dashes_are_left_alone() {
        let said = understood("memory_limit = \"1GiB\"\nthreads = 2\n", &["sql", "--", "SELECT 1"]).expect("understood");
        assert!(said.contains("threads: Some(2)") && said.contains("SELECT 1") && !said.contains("1GiB"), "{said}");
    }

    #[test]
    fn what_is_wrong_in_the_file_is_said_of_the_file() {
        let wrong = |file: &str| understood(file, &["analyze", "--quarter", "2026Q3"]).expect_err("a fault").message;
        for (file, said) in [
            ("thread = 3", "there is no setting `thread`; known are "),
            ("lake = \"x\"", "there is no setting `lake`"),
            ("threads = true", "`threads` is a text in quotes or a whole number"),
            ("trace = 1", "`trace` is true or false"),
            ("threads = \"many\"", "invalid value 'many' for '--threads <THREADS>'"),
            ("threads = 2\nnotify = https://hooks.example/secret", "line 2: "),
        ] {
            let message = wrong(file);
            assert!(message.contains(said) && message.contains(FILE) && !message.contains("secret"), "{file}: {message}");
        }
    }
}
