//! `shortfall report`.

use super::findings::newest_run;
use super::{Context, Exit, Failure, LakeArgument, OutputFormat, render};
use crate::findings::marts::Run;
use crate::findings::report_data::{report_data, workbook_rows};
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
    /// Page to write; `shortfall.html` where no workbook is asked for either.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Workbook to write.
    #[arg(long, value_name = "FILE")]
    xlsx: Option<PathBuf>,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let lake = Lake::open(&arguments.lake.lake)?;
    let run = newest_run(context, &lake, arguments.quarter)?;
    let html = match (&arguments.html, &arguments.xlsx) {
        (None, None) => Some(PathBuf::from("shortfall.html")),
        (html, _) => html.clone(),
    };
    let data = context.runtime.block_on(report_data(&lake, &run))?;
    if let Some(html) = &html {
        save(html, report::render(&data)?.as_bytes())?;
    }
    if let Some(xlsx) = &arguments.xlsx {
        let (evidence, scores) = context.runtime.block_on(workbook_rows(&lake, &run, &data))?;
        save(xlsx, &report::workbook(&data, &evidence, &scores)?)?;
    }
    if context.output == OutputFormat::Json {
        render::document(&json!({ "html": html, "xlsx": arguments.xlsx, "quarter": run.quarter }));
    } else {
        for file in html.iter().chain(&arguments.xlsx) {
            render::lines(&format!("{} report: {}", run.quarter, file.display()));
        }
    }
    Ok(Exit::Done)
}

/// Writes the page of a run.
pub(super) fn write(context: &Context, lake: &Lake, run: &Run, html: &Path) -> Result<(), Failure> {
    let data = context.runtime.block_on(report_data(lake, run))?;
    let page = report::render(&data)?;
    save(html, page.as_bytes())
}

fn save(path: &Path, content: &[u8]) -> Result<(), Failure> {
    std::fs::write(path, content).map_err(|e| Failure::usage(format!("could not write `{}`: {e}", path.display())))
}
