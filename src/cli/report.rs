//! `shortfall report`.

use super::findings::newest_run;
use super::{Context, Exit, Failure, LakeArgument, OutputFormat, render};
use crate::findings::marts::Run;
use crate::findings::report_data::report_data;
use crate::lake::Lake;
use crate::month::Quarter;
use crate::report;
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    lake: LakeArgument,
    /// Quarter; the newest analysed one by default.
    #[arg(long)]
    quarter: Option<Quarter>,
    /// Page to write.
    #[arg(long, value_name = "FILE", default_value = "shortfall.html")]
    html: PathBuf,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let lake = Lake::open(&arguments.lake.lake)?;
    let run = newest_run(context, &lake, arguments.quarter)?;
    write(context, &lake, &run, &arguments.html)?;
    if context.output == OutputFormat::Json {
        render::document(&json!({ "html": arguments.html, "quarter": run.quarter }));
    } else {
        render::lines(&format!("{} report: {}", run.quarter, arguments.html.display()));
    }
    Ok(Exit::Done)
}

/// Writes the page of a run.
pub(super) fn write(context: &Context, lake: &Lake, run: &Run, html: &Path) -> Result<(), Failure> {
    let data = context.runtime.block_on(report_data(lake, run))?;
    let page = report::render(&data)?;
    std::fs::write(html, page).map_err(|e| Failure::usage(format!("could not write `{}`: {e}", html.display())))
}
