//! `shortfall optimize`.

use super::progress::Bar;
use super::{Context, Exit, Failure, LakeArgument, OutputFormat, render};
use crate::lake::Lake;
use crate::optimize::{Optimized, Request, optimize};
use chrono::{DateTime, Duration, Utc};
use indicatif::HumanBytes;
use serde_json::json;

/// Days for which readers may go on with what they began to read.
const KEEP_DAYS: u32 = 7;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    lake: LakeArgument,
    /// Days for which data files stay after they were merged, or left behind by a run that was stopped. 0 removes them at once: only
    /// while nobody reads the lake. In an object store, where others may be writing, they stay for two days at least.
    #[arg(long, value_name = "DAYS", default_value_t = KEEP_DAYS)]
    keep: u32,
    /// Say what would be merged and removed, and do nothing.
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let lake = Lake::open(&arguments.lake.lake)?;
    let request = Request { keep: Duration::days(i64::from(arguments.keep)), dry_run: arguments.dry_run, now };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(context.threads).build();
    let pool = pool.map_err(|e| Failure::environment(format!("could not start threads: {e}")))?;
    let bar = Bar::new();
    let done = pool.install(|| optimize(&lake, request, context.runtime.handle(), &bar));
    bar.finish();
    let done = done?;
    if context.output == OutputFormat::Json {
        render::document(&json!(done));
    } else {
        print(&done);
    }
    Ok(Exit::Done)
}

#[expect(clippy::disallowed_methods, reason = "how long a file stays depends on the clock; no row does")]
fn now() -> DateTime<Utc> {
    Utc::now()
}

fn print(done: &Optimized) {
    let size = |bytes: u64| HumanBytes(bytes).to_string();
    let rows: Vec<Vec<String>> = done
        .tables
        .iter()
        .map(|table| {
            vec![
                table.table.clone(),
                table.files_before.to_string(),
                table.files_after.to_string(),
                size(table.bytes_before),
                table.bytes_after.map_or_else(|| "not known yet".to_owned(), size),
                table.vacuumed_files.to_string(),
                size(table.vacuumed_bytes),
            ]
        })
        .collect();
    if rows.is_empty() {
        render::lines("nothing to do: no small files to merge, and none to remove");
    } else {
        if done.dry_run {
            render::lines("nothing was changed; this is what would be done");
        }
        render::table(&["table", "files", "then", "size", "then", "removed", "size"], &rows, &[1, 2, 3, 4, 5, 6]);
    }
    if done.checkpoints > 0 {
        render::lines(&format!("{} table logs were summed up", done.checkpoints));
    }
    if done.kept_files > 0 {
        let (files, bytes, keep) = (done.kept_files, size(done.kept_bytes), done.keep_days);
        render::lines(&format!(
            "{files} files ({bytes}) that no table names any more stay: whoever reads now may need them for {keep} days, exports those of core.batch for good"
        ));
    }
    if done.contested_files > 0 {
        render::note(&format!(
            "{} small files were left alone: another process merged or replaced some of them first; run the command again",
            done.contested_files
        ));
    }
    if done.dropped_files > 0 {
        render::lines(&format!(
            "{} files left their tables: none of their rows counts, of an ingest that was stopped or came second, or of a mapping that was mended",
            done.dropped_files
        ));
    }
    if done.unfinished_files > 0 {
        render::note(&format!(
            "{} files were left alone: not all of their rows count, as a mapping was mended since or an ingest is on its way",
            done.unfinished_files
        ));
    }
}
