//! Data files that lie in a lake and that no table names: what a stopped run left, and what was merged into larger files.
//!
//! | a file is needed by | how it is known |
//! | --- | --- |
//! | the newest version of its table | the log |
//! | an analysis that was made | the versions of the marts in `marts/run` |
//! | a reader that began some time ago, an older view of `serve` | the log: versions up to an age named it |
//! | an export, which asks what an earlier version knew | every file of `core/batch` |
//! | a run that writes it now | in a folder nothing: only who holds the lake's lock may remove files. In a store its age |
//!
//! A store has no lock, so that others may be writing. A run commits what it writes within [`UNCOMMITTED`], or refuses to ([`super::commit`]);
//! a file that no version names stays there for twice as long ([`kept`]), whatever is asked for. Ages are told by the store's own clock,
//! or by this machine's where that is behind. So a run whose machine has a wrong clock or is asleep for a day loses time, and never a file.
//!
//! Originals are never among them.

use super::commit::UNCOMMITTED;
use super::delta::{DataFile, Lake, LakeError};
use super::maintain::LyingFile;
use super::schema::Table;
use chrono::{DateTime, Duration, Utc};
use std::collections::BTreeMap;

/// Of the files that lie below a table those that neither its newest version names nor, where it is one of the marts, an analysis: `named`.
#[must_use]
pub fn unnamed(mut lying: BTreeMap<String, LyingFile>, named: Option<&BTreeMap<String, DataFile>>) -> Vec<LyingFile> {
    lying.retain(|path, _| named.is_none_or(|named| !named.contains_key(path)));
    lying.into_values().collect()
}

/// How long unneeded files stay: `keep`; in a store at least twice as long as files wait for their commit.
#[must_use]
pub fn kept(lake: &Lake, keep: Duration) -> Duration {
    if lake.is_shared() { keep.max(UNCOMMITTED * 2) } else { keep }
}

/// What time it is at the lake: a store has its own, and this machine's clock may be ahead of it.
///
/// # Errors
/// [`LakeError::Store`] if the store does not say.
pub fn clock(lake: &Lake, here: DateTime<Utc>) -> Result<DateTime<Utc>, LakeError> {
    Ok(lake.place().clock()?.map_or(here, |there| there.min(here)))
}

/// Of unnamed files, those that nobody needs who began after `since`. The rest is kept.
///
/// # Errors
/// [`LakeError::Delta`] if the log is damaged.
pub async fn removable(
    lake: &Lake,
    table: Table,
    mut unnamed: Vec<LyingFile>,
    since: DateTime<Utc>,
) -> Result<Vec<LyingFile>, LakeError> {
    if table == Table::Batch || unnamed.is_empty() {
        return Ok(Vec::new());
    }
    // Without the log of that time nobody can say.
    let Some(needed) = lake.removed_since(table, since).await? else { return Ok(Vec::new()) };
    unnamed.retain(|file| file.modified <= since && !needed.contains(&file.path));
    Ok(unnamed)
}
