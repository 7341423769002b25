//! `shortfall map draft FILE`: a first mapping file of an export that no source knows.

use crate::cli::{Context, Exit, Failure, OutputFormat, render};
use crate::ingest::mapped::draft::draft;
use crate::ingest::sample::sample;
use serde_json::json;
use std::path::Path;

pub(super) fn run(
    context: &Context,
    file: &Path,
    sheet: Option<&str>,
    system: Option<&str>,
    out: Option<&Path>,
) -> Result<Exit, Failure> {
    let folder = std::env::temp_dir();
    let sample = sample(file, sheet, &folder).map_err(|e| Failure::usage(e.to_string()))?;
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let text = draft(&sample, &name, system);
    let questions = text.lines().filter(|line| line.contains("# question:")).count();
    if let Some(out) = out {
        let written = std::fs::File::create_new(out).and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()));
        written.map_err(|e| Failure::usage(format!("could not write `{}`: {e}", out.display())))?;
    }
    if context.output == OutputFormat::Json {
        render::document(&json!({ "mapping": text, "questions": questions, "columns": sample.header }));
    } else if let Some(out) = out {
        render::lines(&format!(
            "{questions} questions are open in {}; `shortfall ingest --mapping` takes it when they are answered",
            out.display()
        ));
    } else {
        render::lines(text.trim_end());
    }
    Ok(Exit::Done)
}
