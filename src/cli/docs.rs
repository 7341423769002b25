//! `shortfall docs` and `shortfall completions`: reference pages made from what the program itself is made of, so that they cannot fall behind it.

use super::{Cli, Context, EXIT_CODES, Exit, Failure, OutputFormat, render};
use crate::bi::page;
use crate::bi::star::Star;
use crate::findings::signal::Signal;
use crate::query::catalog::Catalog;
use crate::query::header::Header;
use clap::CommandFactory as _;
use clap_complete::Shell;
use serde_json::json;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// How alerts are sent, and checked by who receives them.
const ALERTS: &str = include_str!("docs/alerts.md");
const OBJECT_STORES: &str = include_str!("docs/object_stores.md");

/// Several machines, and manifests for Kubernetes beside the page.
const CLUSTER: &str = include_str!("docs/cluster.md");
const MANIFESTS: [(&str, &str); 2] = [
    ("cluster.yaml", include_str!("../cluster/kubernetes/cluster.yaml")),
    ("analyze.yaml", include_str!("../cluster/kubernetes/analyze.yaml")),
];

/// One page for each BI tool.
const TOOLS: [(&str, &str); 8] = [
    ("power_bi.md", include_str!("docs/power_bi.md")),
    ("duckdb_polars_spark.md", include_str!("docs/duckdb_polars_spark.md")),
    ("flight_sql.md", include_str!("docs/flight_sql.md")),
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

pub(super) fn completions(context: &Context, arguments: &CompletionArguments) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "shortfall", &mut script);
    if context.output == OutputFormat::Json {
        let script = String::from_utf8_lossy(&script);
        render::document(&json!({ "shell": arguments.shell.to_string(), "script": script }));
        return Ok(Exit::Done);
    }
    render::bytes(&script).map_err(|e| Failure::environment(format!("could not write to standard output: {e}")))?;
    Ok(Exit::Done)
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let out = &arguments.out;
    let failed = |path: &Path, e: std::io::Error| Failure::usage(format!("could not write `{}`: {e}", path.display()));
    let (tools, manifests, man) = (out.join("bi"), out.join("kubernetes"), out.join("man"));
    for folder in [&tools, &manifests, &man] {
        std::fs::create_dir_all(folder).map_err(|e| failed(folder, e))?;
    }
    let catalog = Catalog::load(None)?;
    let pages = [
        ("commands.md", clap_markdown::help_markdown_command(&Cli::command())),
        ("signals.md", signals(&catalog)?),
        ("dictionary.md", dictionary(&catalog)?),
        ("exit_codes.md", exit_codes()),
        ("alerts.md", ALERTS.to_owned()),
        ("object_stores.md", OBJECT_STORES.to_owned()),
        ("cluster.md", CLUSTER.to_owned()),
    ];
    let pages_written: Vec<String> = pages.iter().map(|(name, _)| (*name).to_owned()).collect();
    let pages = pages.iter().map(|(name, text)| (out.join(name), text.as_str()));
    let beside = TOOLS.iter().map(|(name, text)| (tools.join(name), *text));
    let beside = beside.chain(MANIFESTS.iter().map(|(name, text)| (manifests.join(name), *text)));
    for (path, text) in pages.chain(beside) {
        std::fs::write(&path, text).map_err(|e| failed(&path, e))?;
    }
    clap_mangen::generate_to(Cli::command(), &man).map_err(|e| failed(&man, e))?;
    if context.output == OutputFormat::Json {
        let tools = TOOLS.iter().map(|(name, _)| format!("bi/{name}"));
        let manifests = MANIFESTS.iter().map(|(name, _)| format!("kubernetes/{name}"));
        let pages: Vec<String> = pages_written.into_iter().chain(tools).chain(manifests).collect();
        render::document(&json!({ "out": out, "pages": pages, "manual_pages": man }));
        return Ok(Exit::Done);
    }
    render::lines(&format!(
        "{}: commands, signals, dictionary, exit codes, alerts, object stores, cluster; bi: a page for each tool; kubernetes: manifests; man: manual pages",
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
        text.push_str(&page::section(&star, table, None));
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
            assert!(text.contains(&format!("\n## {table}: ")), "{table}");
        }
        assert_eq!(exit_codes().matches("\n| ").count(), EXIT_CODES.len() + 2);
    }
}
