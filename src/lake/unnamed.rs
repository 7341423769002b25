//! Data files that lie in a lake and that no table names: what a stopped run left, and what was merged into larger files.
//!
//! | a file is needed by | how it is known |
//! | --- | --- |
//! | the newest version of its table | the log |
//! | an analysis that was made | the versions of the marts in `marts/run` |
//! | a reader that began some time ago, an older view of `serve` | the log: versions up to an age named it |
//! | an export, which asks what an earlier version knew | every file of `core/batch` |
//! | a run that writes it now | nothing: only who holds the lake's lock may remove files |
//!
//! Originals are never among them.

use super::delta::{DataFile, Lake, LakeError};
use super::maintain::Lying;
use super::schema::Table;
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;

/// Files of a table that neither its newest version names nor, where it is one of the marts, an analysis: `named`.
///
/// # Errors
/// [`LakeError::Io`] if the folder cannot be read.
pub fn unnamed(lake: &Lake, table: Table, named: Option<&BTreeMap<String, DataFile>>) -> Result<Vec<Lying>, LakeError> {
    let mut lying = lake.lying(table)?;
    lying.retain(|path, _| named.is_none_or(|named| !named.contains_key(path)));
    Ok(lying.into_values().collect())
}

/// Of unnamed files, those that nobody needs who began after `since`. The rest is kept.
///
/// # Errors
/// [`LakeError::Delta`] if the log is damaged.
pub async fn removable(
    lake: &Lake,
    table: Table,
    mut unnamed: Vec<Lying>,
    since: DateTime<Utc>,
) -> Result<Vec<Lying>, LakeError> {
    if table == Table::Batch || unnamed.is_empty() {
        return Ok(Vec::new());
    }
    // Without the log of that time nobody can say.
    let Some(needed) = lake.removed_since(table, since).await? else { return Ok(Vec::new()) };
    unnamed.retain(|file| file.modified <= since && !needed.contains(&file.path));
    Ok(unnamed)
}
