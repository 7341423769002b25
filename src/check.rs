//! Whether a lake is whole: reads everything, changes nothing.
//!
//! - Rows are conserved: of every batch, rows in = accepted + rejected, as many rejects stand in `core/reject`, and a batch with accepted rows has a file in
//!   the table that they went to.
//! - Every data file that a table, or the tables of an analysis, name is there, as long as the log says and with as many rows; its columns are those of the
//!   schema. On request every row is decoded too.
//! - Every original is there, and its content has the hash that is its name.
//!
//! What a killed run leaves behind, and what `optimize` merged into larger files, is no fault: readers never see it. It is listed, as it takes room.
//!
//! Cost: the footers of all data files, and all originals decompressed and hashed, on all threads.

use crate::findings::marts;
use crate::lake::archive::{self, hex};
use crate::lake::delta::DataFile;
use crate::lake::object::ParquetFile;
use crate::lake::place::Lying;
use crate::lake::scan::FileTable;
use crate::lake::schema::TABLES;
use crate::lake::truth::TruthError;
use crate::lake::unnamed::unnamed;
use crate::lake::visible::Visible;
use crate::lake::{Lake, LakeError, Table, merge};
use crate::query::session;
use crate::sources;
use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::DataFusionError;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;
use rayon::prelude::*;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::runtime::Handle;

/// What is looked at beyond the default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Depth {
    /// Decode every row of every data file.
    pub rows: bool,
}

/// What was found.
#[derive(Debug, Default, Serialize)]
pub struct Health {
    /// Tables that have been written.
    pub tables: Vec<TableSize>,
    /// Files that were ingested.
    pub batches: u64,
    /// Rows in them.
    pub rows_in: u64,
    /// Of them accepted.
    pub rows_accepted: u64,
    /// Of them rejected.
    pub rows_rejected: u64,
    /// Originals whose content has its hash.
    pub originals: u64,
    /// What is wrong; empty in a lake that is whole.
    pub faults: Vec<Fault>,
    /// What nothing names, by place.
    pub leftovers: Vec<Leftover>,
}

/// A table's current version.
#[derive(Debug, Serialize)]
pub struct TableSize {
    /// `core.batch`.
    pub table: String,
    /// Data files.
    pub files: u64,
    /// Rows.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
}

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Fault {
    /// A path below the lake, or a batch.
    pub place: String,
    /// What is wrong with it.
    pub what: String,
}

/// Files that nothing names.
#[derive(Debug, Serialize)]
pub struct Leftover {
    /// Folder below the lake.
    pub place: String,
    /// How many.
    pub files: u64,
    /// Bytes.
    pub bytes: u64,
}

/// Checks a lake. Whatever cannot be read is a fault among the others.
#[must_use]
pub fn check(lake: &Lake, depth: Depth, runtime: &Handle) -> Health {
    let mut health = Health::default();
    let mut named: BTreeMap<Table, BTreeMap<String, DataFile>> = BTreeMap::new();
    // What is committed last is read first: then whatever it names is complete in what is read after it, whoever writes meanwhile.
    for &table in [Table::Batch].iter().chain(TABLES.iter().filter(|&&table| table != Table::Batch)) {
        let files = match runtime.block_on(lake.files(table, None)) {
            Ok(files) => files,
            Err(error) => {
                health.faults.push(Fault { place: format!("{}/_delta_log", table.path()), what: error.to_string() });
                continue;
            }
        };
        if !files.is_empty() {
            health.tables.push(TableSize {
                table: format!("{}.{}", table.area(), table.name()),
                files: files.len() as u64,
                rows: files.iter().map(|file| file.rows as u64).sum(),
                bytes: files.iter().map(|file| file.size).sum(),
            });
        }
        named.insert(table, files.into_iter().map(|file| (file.path.clone(), file)).collect());
    }
    // What each analysis still reads, also where a newer one has taken its place.
    let of_runs = runtime.block_on(marts::files_of_runs(lake)).map(|of_runs| {
        of_runs.into_iter().for_each(|(table, files)| named.entry(table).or_default().extend(files));
    });
    let batches = runtime.block_on(conserved(lake, &named, &mut health));
    let unread = |place: &str, error: TruthError| Fault { place: place.to_owned(), what: error.to_string() };
    health.faults.extend(of_runs.err().map(|error| unread("marts/run", error)));
    let data: Vec<(Table, &DataFile)> =
        named.iter().flat_map(|(table, files)| files.values().map(move |file| (*table, file))).collect();
    health.faults.par_extend(data.par_iter().filter_map(|(table, file)| data_file(lake, *table, file, depth)));
    match batches {
        Ok(batches) => {
            let wrong: Vec<Fault> = batches.par_iter().filter_map(|(sha256, file)| original(lake, sha256, file)).collect();
            health.originals = (batches.len() - wrong.len()) as u64;
            health.faults.extend(wrong);
            match leftovers(lake, &named, &batches) {
                Ok(leftovers) => health.leftovers = leftovers,
                Err(error) => health.faults.push(Fault { place: lake.root().display().to_string(), what: error.to_string() }),
            }
        }
        Err(error) => health.faults.push(unread("core/batch", error)),
    }
    health.faults.sort();
    health
}

/// Counts rows of the batches, and returns each original's hash with the file it was.
async fn conserved(
    lake: &Lake,
    named: &BTreeMap<Table, BTreeMap<String, DataFile>>,
    health: &mut Health,
) -> Result<BTreeMap<String, String>, TruthError> {
    let ctx = session::context(1);
    let files = |table: Table| named.get(&table).into_iter().flat_map(BTreeMap::values).cloned();
    let visible = Visible::of(lake, files(Table::Batch).collect()).await?;
    for table in [Table::Batch, Table::Reject] {
        let mut files: Vec<DataFile> = files(table).collect();
        if table != Table::Batch {
            visible.keep(&mut files);
        }
        ctx.register_table(table.name(), Arc::new(FileTable::new(lake, table, files)))?;
    }
    let sql = "SELECT CAST(b.batch_id AS VARCHAR), CAST(b.file AS VARCHAR), CAST(b.sha256 AS VARCHAR), \
               CAST(b.rows_in AS BIGINT), CAST(b.rows_accepted AS BIGINT), CAST(b.rows_rejected AS BIGINT), CAST(coalesce(r.rows, 0) AS BIGINT), \
               CAST(b.system AS VARCHAR), CAST(b.entity AS VARCHAR) \
               FROM batch AS b LEFT JOIN (SELECT batch_id, count(*) AS rows FROM reject GROUP BY batch_id) AS r ON b.batch_id = r.batch_id";
    // By table; what cannot be read is a fault already, and is not missed once more for each batch.
    let held: BTreeMap<Table, BTreeSet<&str>> = named
        .iter()
        .map(|(&table, files)| (table, files.values().flat_map(|file| &file.parts).map(|part| part.batch_id.as_str()).collect()))
        .collect();
    let mut originals = BTreeMap::new();
    for found in ctx.sql(sql).await?.collect().await? {
        let text = |at: usize| cast(found.column(at), &DataType::Utf8).map_err(DataFusionError::from);
        let texts = [text(0)?, text(1)?, text(2)?, text(7)?, text(8)?];
        let [ids, files, hashes, systems, entities] = texts.each_ref().map(|column| column.as_string::<i32>());
        let count = |at: usize, row: usize| u64::try_from(found.column(at).as_primitive::<Int64Type>().value(row)).unwrap_or(0);
        for row in 0..found.num_rows() {
            let [rows_in, accepted, rejected, listed] = [3, 4, 5, 6].map(|at| count(at, row));
            let file = files.value(row).to_owned();
            health.batches += 1;
            health.rows_in += rows_in;
            health.rows_accepted += accepted;
            health.rows_rejected += rejected;
            let place = format!("batch {} ({file})", ids.value(row));
            if rows_in != accepted + rejected {
                let what = format!("{rows_in} rows came in, {accepted} were accepted and {rejected} rejected");
                health.faults.push(Fault { place, what });
            } else if rejected != listed {
                let what = format!("{rejected} rows were rejected, core.reject has {listed}");
                health.faults.push(Fault { place, what });
            } else if let Some(target) = sources::find(systems.value(row), entities.value(row)).map(|found| found.export.target)
                && accepted > 0
                && held.get(&target).is_some_and(|batches| !batches.contains(ids.value(row)))
            {
                let what =
                    format!("{accepted} rows were accepted, no file of {}.{} holds one of them", target.area(), target.name());
                health.faults.push(Fault { place, what });
            }
            originals.insert(hashes.value(row).to_owned(), file);
        }
    }
    Ok(originals)
}

/// What is wrong with a data file.
fn data_file(lake: &Lake, table: Table, file: &DataFile, depth: Depth) -> Option<Fault> {
    let name = table.file(&file.path);
    let fault = |what: String| Some(Fault { place: name.clone(), what });
    let bytes = match lake.place().size(&name) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return fault("the table names it, and it is not there".to_owned()),
        Err(error) => return fault(format!("the table names it, and it cannot be read: {error}")),
    };
    if merge::is_of_batches(table) && file.parts.is_empty() {
        return fault("nothing says whose rows it holds: its table was rewritten by another program".to_owned());
    }
    if bytes != file.size {
        return fault(format!("{bytes} bytes long; the table says {}", file.size));
    }
    let parquet = match lake.place().parquet(&name, bytes, depth.rows) {
        Ok(parquet) => parquet,
        Err(error) => return fault(format!("it cannot be read: {error}")),
    };
    match rows_of(parquet, table, depth) {
        Ok(Ok(rows)) if rows == file.rows as u64 => None,
        Ok(Ok(rows)) => fault(format!("{rows} rows; the table says {}", file.rows)),
        Ok(Err(columns)) => fault(columns),
        Err(error) => fault(format!("it cannot be decoded: {error}")),
    }
}

/// The rows of a data file, or how its columns differ from the table's.
fn rows_of(parquet: ParquetFile, table: Table, depth: Depth) -> Result<Result<u64, String>, ParquetError> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(parquet)?;
    let schema = table.schema();
    for field in reader.schema().fields() {
        // Files of older versions lack columns, and these are empty; what a newer version wrote is not understood.
        match schema.field_with_name(field.name()) {
            Err(_) => return Ok(Err(format!("its column `{}` is not known to this version of Shortfall", field.name()))),
            Ok(known) if known.data_type() != field.data_type() => {
                return Ok(Err(format!("its column `{}` is {}, not {}", field.name(), field.data_type(), known.data_type())));
            }
            Ok(_) => {}
        }
    }
    let stated = u64::try_from(reader.metadata().file_metadata().num_rows()).unwrap_or(0);
    if !depth.rows {
        return Ok(Ok(stated));
    }
    let mut rows = 0;
    for batch in reader.build()? {
        rows += batch?.num_rows() as u64;
    }
    Ok(Ok(rows))
}

/// What is wrong with the original of a file.
fn original(lake: &Lake, sha256: &str, file: &str) -> Option<Fault> {
    let place = format!("files/{sha256}.zst ({file})");
    let mut hash = Sha256::new();
    let copied = archive::open(lake, sha256)
        .map_err(|e| e.to_string())
        .and_then(|mut content| std::io::copy(&mut content, &mut hash).map_err(|e| format!("it cannot be decompressed: {e}")));
    match copied {
        Err(what) => Some(Fault { place, what }),
        Ok(_) if hex(&hash.finalize()) != sha256 => {
            Some(Fault { place, what: "its content is another than was ingested".to_owned() })
        }
        Ok(_) => None,
    }
}

/// What stands in the folders of the lake and is named by nothing.
fn leftovers(
    lake: &Lake,
    named: &BTreeMap<Table, BTreeMap<String, DataFile>>,
    originals: &BTreeMap<String, String>,
) -> Result<Vec<Leftover>, LakeError> {
    let mut found = Vec::new();
    for &table in TABLES {
        // A folder that cannot be listed is a fault of the files in it, which are named.
        let lying = match lake.lying(table) {
            Err(LakeError::Io { .. }) => BTreeMap::new(),
            lying => lying?,
        };
        let sizes: Vec<u64> = unnamed(lying, named.get(&table)).into_iter().map(|file| file.size).collect();
        found.extend(leftover(table.path(), &sizes));
    }
    let lying = lake.place().list(archive::FOLDER)?;
    let mappings = mappings(lake, &lying)?;
    let is_unnamed = |name: &str| match name.rsplit('/').next().and_then(|name| name.split_once('.')) {
        Some((_, "partial")) => true,
        // Mapping files are kept like originals, and named by notes beside them.
        Some((sha256, "zst")) => !originals.contains_key(sha256) && !mappings.contains(sha256),
        _ => false,
    };
    let lying = lying.iter().filter(|file| is_unnamed(&file.name));
    found.extend(leftover(archive::FOLDER.to_owned(), &lying.map(|file| file.size).collect::<Vec<_>>()));
    Ok(found)
}

/// Hashes of the mapping files that originals were read through, from the notes among what lies there.
fn mappings(lake: &Lake, lying: &[Lying]) -> Result<BTreeSet<String>, LakeError> {
    let mut mappings = BTreeSet::new();
    for note in lying.iter().filter(|file| file.name.ends_with(".mapping")) {
        let text = lake.place().read(&note.name)?.unwrap_or_default();
        mappings.insert(String::from_utf8_lossy(&text).trim().to_owned());
    }
    Ok(mappings)
}

fn leftover(place: String, sizes: &[u64]) -> Option<Leftover> {
    (!sizes.is_empty()).then(|| Leftover { place, files: sizes.len() as u64, bytes: sizes.iter().sum() })
}
