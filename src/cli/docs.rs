//! `shortfall docs` and `shortfall completions`: reference pages made from what the program itself is made of, so that they cannot fall behind it.

use super::{Cli, EXIT_CODES, Exit, Failure, render};
use crate::bi::star::Star;
use crate::findings::signal::Signal;
use crate::query::catalog::Catalog;
use crate::query::header::Header;
use clap::CommandFactory as _;
use clap_complete::Shell;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// One page for each BI tool.
const TOOLS: [(&str, &str); 7] = [
    ("power_bi.md", include_str!("docs/power_bi.md")),
    ("duckdb_polars_spark.md", include_str!("docs/duckdb_polars_spark.md")),
    ("excel.md", include_str!("docs/excel.md")),
    ("psql_jdbc_odbc.md", include_str!("docs/psql_jdbc_odbc.md")),
    ("tableau.md", include_str!("docs/tableau.md")),
    ("superset.md", include_str!("docs/superset.md")),
    ("metabase.md", include_str!("docs/metabase.md")),
];

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Folder to write to.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(super) struct CompletionArguments {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn completions(arguments: &CompletionArguments) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "shortfall", &mut script);
    render::bytes(&script).map_err(|e| Failure::environment(format!("could not write to standard output: {e}")))?;
    Ok(Exit::Done)
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let out = &arguments.out;
    let failed = |path: &Path, e: std::io::Error| Failure::usage(format!("could not write `{}`: {e}", path.display()));
    let (tools, man) = (out.join("bi"), out.join("man"));
    for folder in [&tools, &man] {
        std::fs::create_dir_all(folder).map_err(|e| failed(folder, e))?;
    }
    let catalog = Catalog::load(None)?;
    let pages = [
        ("commands.md", clap_markdown::help_markdown_command(&Cli::command())),
        ("signals.md", signals(&catalog)?),
        ("dictionary.md", dictionary(&catalog)?),
        ("exit_codes.md", exit_codes()),
    ];
    let pages = pages.iter().map(|(name, text)| (out.join(name), text.as_str()));
    for (path, text) in pages.chain(TOOLS.iter().map(|(name, text)| (tools.join(name), *text))) {
        std::fs::write(&path, text).map_err(|e| failed(&path, e))?;
    }
    clap_mangen::generate_to(Cli::command(), &man).map_err(|e| failed(&man, e))?;
    render::lines(&format!(
        "{}: commands, signals, dictionary, exit codes; bi: a page for each tool; man: manual pages",
        out.display()
    ));
    Ok(Exit::Done)
}

/// The catalogue of signals, from their headers.
fn signals(catalog: &Catalog) -> Result<String, Failure> {
    let mut text = String::from(
        "# Signals\n\nIn the order in which they claim money: a unit of money counts in one finding, the others corroborate it.\n",
    );
    for signal in Signal::load_all(catalog)? {
        let header = Header::parse(&signal.query.text);
        let _ = write!(
            text,
            "\n## {}\n\n*{}* ({}, {})\n\n{}\n\n",
            signal.id,
            signal.title,
            signal.family,
            signal.basis.as_str(),
            signal.question
        );
        for (key, name) in [
            ("fires_when", "Fires when"),
            ("stays_silent_when", "Stays silent when"),
            ("known_false_alarms", "Known false alarms"),
            ("caused_by", "Often caused by"),
            ("action", "What to do"),
        ] {
            if let Some(value) = header.get(key).filter(|value| !value.is_empty()) {
                let _ = writeln!(text, "- **{name}**: {value}");
            }
        }
    }
    Ok(text)
}

/// The star's tables; types stand in the dictionary of an export.
fn dictionary(catalog: &Catalog) -> Result<String, Failure> {
    let star = Star::load(catalog)?;
    let mut text = String::from(
        "# Tables for BI tools\n\nWhat `export` writes and `bi.*` shows in `sql`. Types are in the `dictionary.md` of each export.\n",
    );
    for table in &star.tables {
        let _ = write!(
            text,
            "\n## {}\n\n{}: {}. One row per {}.\n\n| column | what it is |\n| --- | --- |\n",
            table.name, table.title, table.meaning, table.grain
        );
        for (name, description) in &table.columns {
            let _ = writeln!(text, "| `{name}` | {} |", description.replace('|', "\\|"));
        }
    }
    Ok(text)
}

fn exit_codes() -> String {
    let mut text = String::from("# Exit codes\n\n| code | means |\n| --- | --- |\n");
    for (code, meaning) in EXIT_CODES {
        let _ = writeln!(text, "| {code} | {meaning} |");
    }
    text.push_str("\nErrors stand on standard error and say what was wrong, where, and what to do next; with `--output json` as `{\"error\", \"hint\", \"exit_code\"}` on standard output.\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_name_every_command_signal_table_and_code() {
        let catalog = Catalog::load(None).expect("queries");
        let commands = clap_markdown::help_markdown_command(&Cli::command());
        for command in Cli::command().get_subcommands() {
            assert!(commands.contains(&format!("## `shortfall {}`", command.get_name())), "{}", command.get_name());
        }
        let text = signals(&catalog).expect("signals");
        for (signal, _) in catalog.folder("signals") {
            assert!(text.contains(&format!("\n## {signal}\n")), "{signal}");
        }
        let text = dictionary(&catalog).expect("tables");
        for (table, _) in catalog.folder("bi") {
            assert!(text.contains(&format!("\n## {table}\n")), "{table}");
        }
        assert_eq!(exit_codes().matches("\n| ").count(), EXIT_CODES.len() + 2);
    }
}
