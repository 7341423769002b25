//! `shortfall map draft FILE`.

use crate::cli::{Context, Exit, Failure, OutputFormat, render};
use crate::ingest::mapped::draft::draft;
use crate::ingest::sample::sample;
use serde_json::json;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The export: CSV, JSON, a workbook, Parquet, or an archive of them.
    file: PathBuf,
    /// The sheet, or the entry of an archive; the first with a table if not said.
    #[arg(long, value_name = "NAME")]
    sheet: Option<String>,
    /// Name of the system, as crosswalks will have it.
    #[arg(long, value_name = "NAME")]
    system: Option<String>,
    /// Where to write the mapping; standard output if not said.
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let folder = std::env::temp_dir();
    let sample = sample(&arguments.file, arguments.sheet.as_deref(), &folder).map_err(|e| Failure::usage(e.to_string()))?;
    let name = arguments.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let text = draft(&sample, &name, arguments.system.as_deref());
    let questions = text.lines().filter(|line| line.contains("# question:")).count();
    if let Some(out) = &arguments.out {
        let written = std::fs::File::create_new(out).and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()));
        written.map_err(|e| Failure::usage(format!("could not write `{}`: {e}", out.display())))?;
    }
    if context.output == OutputFormat::Json {
        render::document(&json!({ "mapping": text, "questions": questions, "columns": sample.header }));
    } else if let Some(out) = &arguments.out {
        render::lines(&format!(
            "{questions} questions are open in {}; `shortfall ingest --mapping` takes it when they are answered",
            out.display()
        ));
    } else {
        render::lines(text.trim_end());
    }
    Ok(Exit::Done)
}
