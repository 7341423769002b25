//! What the lake holds already, and so what is to be done with a file: read it, or leave it, because nothing of it would be new.

use super::discover::Discovered;
use super::export_run::Manifests;
use super::mapped::{self, Mapped};
use super::member::Member;
use super::{Batch, IngestError, Options, arrival};
use crate::lake::delta::DataFile;
use crate::lake::scan::FileTable;
use crate::lake::truth::TruthError;
use crate::lake::{Lake, LakeError, Table, archive};
use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use chrono::{DateTime, Utc};
use datafusion::prelude::SessionContext;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use tokio::runtime::Handle;

/// A batch that stands in the lake.
#[derive(Debug)]
struct Earlier {
    batch_id: String,
    recorded_at: i64,
    mapping: Option<String>,
    run: Option<String>,
}

/// A file that is to be read, and as what.
#[derive(Debug)]
pub(super) struct Job {
    /// The batch that it will be; its rows are not counted yet.
    pub(super) batch: Batch,
    pub(super) found: Discovered,
    pub(super) mapping: Option<&'static Mapped>,
    /// Reference data without a date of its own.
    pub(super) is_always_known: bool,
}

/// What stands in `core/batch`, and what this run is about to add.
#[derive(Debug)]
pub(super) struct Ledger<'a> {
    options: &'a Options,
    /// The version of the table that was read, or committed since; none if there was no table.
    version: Option<u64>,
    /// The batches that count, and those that are about to.
    known: HashSet<String>,
    /// Batches of this run.
    own: HashSet<String>,
    /// Batches of other runs, by the hash of their content.
    earlier: HashMap<String, Vec<Earlier>>,
    /// Their files and instants, with the hash of their content.
    names: HashMap<(String, i64), String>,
    /// Bytes of their files.
    sizes: HashSet<u64>,
    manifests: Manifests,
}

impl<'a> Ledger<'a> {
    /// The ledger of a lake; an empty one where none is there yet.
    ///
    /// # Errors
    /// [`IngestError`] if `core.batch` cannot be read.
    pub(super) fn read(lake: Option<&Lake>, options: &'a Options, runtime: &Handle) -> Result<Self, IngestError> {
        let mut ledger = Self {
            options,
            version: None,
            known: HashSet::new(),
            own: HashSet::new(),
            earlier: HashMap::new(),
            names: HashMap::new(),
            sizes: HashSet::new(),
            manifests: Manifests::default(),
        };
        if let Some(lake) = lake {
            let (version, rows) = runtime.block_on(newest(lake))?;
            ledger.stands(version, &rows);
        }
        Ok(ledger)
    }

    /// Takes what stands in a version of the table for what there is.
    fn stands(&mut self, version: Option<u64>, rows: &[RecordBatch]) {
        self.version = version;
        self.known.clear();
        self.earlier.clear();
        self.names.clear();
        for batch in rows {
            let text = |name: &str| batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
            let recorded = batch.column_by_name("recorded_at").and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>());
            let bytes = batch.column_by_name("bytes").and_then(|c| c.as_primitive_opt::<Int64Type>());
            let (Some(ids), Some(files), Some(hashes), Some(mappings), Some(runs), Some(recorded), Some(bytes)) =
                (text("batch_id"), text("file"), text("sha256"), text("mapping_sha256"), text("run"), recorded, bytes)
            else {
                continue;
            };
            for row in 0..batch.num_rows() {
                let batch_id = ids.value(row);
                self.known.insert(batch_id.to_owned());
                self.sizes.insert(bytes.value(row).unsigned_abs());
                // What this run has committed is no earlier batch, whichever commit it went with.
                if self.own.contains(batch_id) {
                    continue;
                }
                self.names.insert((files.value(row).to_owned(), recorded.value(row)), hashes.value(row).to_owned());
                self.earlier.entry(hashes.value(row).to_owned()).or_default().push(Earlier {
                    batch_id: batch_id.to_owned(),
                    recorded_at: recorded.value(row),
                    mapping: mappings.is_valid(row).then(|| mappings.value(row).to_owned()),
                    run: runs.is_valid(row).then(|| runs.value(row).to_owned()),
                });
            }
        }
    }

    /// Reads the table again, as another process has added to it. Returns which of `batches`, which are about to be committed, it has
    /// added: they are no longer this run's.
    ///
    /// # Errors
    /// [`IngestError`] if `core.batch` cannot be read.
    pub(super) async fn read_again(&mut self, lake: &Lake, batches: &[Batch]) -> Result<HashSet<String>, IngestError> {
        let (version, rows) = newest(lake).await?;
        let ids = |rows: &RecordBatch| rows.column(0).as_string::<i32>().iter().flatten().map(str::to_owned).collect::<Vec<_>>();
        let standing: HashSet<String> = rows.iter().flat_map(ids).collect();
        let (added, still): (Vec<&Batch>, Vec<&Batch>) = batches.iter().partition(|batch| standing.contains(&batch.batch_id));
        for batch in &added {
            self.own.remove(&batch.batch_id);
        }
        self.stands(version, &rows);
        for batch in still {
            self.take(batch);
        }
        Ok(added.into_iter().map(|batch| batch.batch_id.clone()).collect())
    }

    /// The version of `core/batch` that what is known was read from.
    pub(super) fn version(&self) -> Option<u64> {
        self.version
    }

    /// What was about to be added stands there now.
    pub(super) fn committed(&mut self, version: u64) {
        self.version = Some(version);
    }

    /// Whether a batch counts, or is about to.
    pub(super) fn has(&self, batch_id: &str) -> bool {
        self.known.contains(batch_id)
    }

    /// From now on the batch is known.
    pub(super) fn enter(&mut self, batch_id: &str) {
        self.known.insert(batch_id.to_owned());
    }

    /// A batch is about to be added, in the place of those that it withdraws.
    pub(super) fn take(&mut self, batch: &Batch) {
        self.enter(&batch.batch_id);
        self.own.insert(batch.batch_id.clone());
        for withdrawn in self.withdrawn_by(batch) {
            self.known.remove(&withdrawn);
        }
    }

    /// Whether a file of so many bytes may be one that was ingested: one of another size cannot be.
    pub(super) fn has_size(&self, bytes: u64) -> bool {
        self.sizes.contains(&bytes)
    }

    /// What is to be done with a file: nothing if it is known. `discover` is asked only where that matters.
    ///
    /// # Errors
    /// [`IngestError`] if it cannot be told what the file is.
    pub(super) fn identify(
        &self,
        file: &Member,
        sha256: &str,
        bytes: u64,
        discover: impl FnOnce() -> Result<Discovered, IngestError>,
    ) -> Result<Option<Job>, IngestError> {
        let mut run = self.manifests.run_of(&file.name, file.modified);
        let modified = run.as_ref().map_or(file.modified, |run| Some(run.at));
        let (recorded_at, is_stated) = arrival::arrival_of(&file.name, modified, self.options.recorded_at);
        if let Some(run) = run.as_mut().filter(|_| is_stated) {
            // A run that is stated again for a later date is a delivery of that date.
            run.name += &recorded_at.format(" %Y-%m-%dT%H:%M:%S%.fZ").to_string();
        }
        // The same part in two runs belongs to both.
        let within = run.as_ref().map(|run| run.name.as_str());
        let id = |mapping: Option<&str>| batch_id(sha256, is_stated.then_some(recorded_at), within, mapping);
        let is_unmapped = mapped::all().is_empty();
        if is_unmapped && self.known.contains(&id(None)) {
            return Ok(None);
        }
        let earlier = self.earlier.get(sha256).map_or(&[][..], Vec::as_slice);
        // A copy that lost its folder and has no date says nothing that its run did not say.
        let is_copy = |batch: &Earlier| batch.run.is_some() && self.known.contains(&batch.batch_id);
        if is_unmapped && !is_stated && run.is_none() && earlier.iter().any(is_copy) {
            return Ok(None);
        }
        let found = match discover() {
            Ok(found) => found,
            Err(error) => {
                // Read before, through a mapping that is not given now.
                let mut through = earlier.iter().filter(|batch| batch.mapping.is_some());
                let is_known = through.any(|batch| self.known.contains(&id(batch.mapping.as_deref())));
                return if is_known { Ok(None) } else { Err(error) };
            }
        };
        let mapping = mapped::behind(found.recognised);
        let batch_id = id(mapping.map(|map| map.sha256.as_str()));
        if self.known.contains(&batch_id) {
            return Ok(None);
        }
        if is_stated && run.is_none() {
            self.refuse_same_name(file, recorded_at, sha256)?;
        }
        let batch = Batch {
            batch_id,
            attempt: format!("{:016x}", rand::random::<u64>()),
            sha256: sha256.to_owned(),
            bytes,
            file: file.name.display().to_string(),
            system: found.recognised.source.system,
            entity: found.recognised.export.entity,
            rows_in: 0,
            rows_accepted: 0,
            rows_rejected: 0,
            recorded_at,
            mapping_sha256: mapping.map(|map| map.sha256.clone()),
            run,
            months: None,
        };
        let is_always_known = found.recognised.export.is_reference && !is_stated;
        Ok(Some(Job { batch, found, mapping, is_always_known }))
    }

    /// Refuses other content under the name and the stated date of a file that was ingested: a corrected file would be taken for another part of the
    /// same delivery, and be added to what it corrects, or lose to it (src/decisions/0010).
    fn refuse_same_name(&self, file: &Member, recorded_at: DateTime<Utc>, sha256: &str) -> Result<(), IngestError> {
        let name = file.name.display().to_string();
        match self.names.get(&(name, recorded_at.timestamp_micros())) {
            Some(earlier) if earlier != sha256 => Err(IngestError::OtherContent { path: file.name.clone(), recorded_at }),
            _ => Ok(()),
        }
    }

    /// What the same content said through another mapping, for the same date, no longer counts: a mapping that was mended is the truth
    /// about the whole file. The rows stay where they are; without their batch nobody sees them. Returns the batches that go.
    pub(super) fn withdrawn_by(&self, batch: &Batch) -> Vec<String> {
        let run = batch.run.as_ref().map(|run| run.name.as_str());
        let is_unstated = |earlier: &str, mapping: Option<&str>| batch_id(&batch.sha256, None, run, mapping) == earlier;
        let is_undated = is_unstated(&batch.batch_id, batch.mapping_sha256.as_deref());
        let is_replaced = |earlier: &&Earlier| {
            let is_other = earlier.mapping != batch.mapping_sha256 && earlier.batch_id != batch.batch_id;
            let is_same_statement = earlier.recorded_at == batch.recorded_at.timestamp_micros()
                || (is_undated && is_unstated(&earlier.batch_id, earlier.mapping.as_deref()));
            is_other && is_same_statement
        };
        let earlier = self.earlier.get(&batch.sha256).map_or(&[][..], Vec::as_slice);
        earlier.iter().filter(is_replaced).map(|earlier| earlier.batch_id.clone()).collect()
    }
}

/// What the same bytes say again on a later stated date is a statement of its own (a quantity that went back); without a stated
/// date the same bytes are the same batch, whatever the file is called.
///
/// What is read through a mapping is what the mapping makes of it.
fn batch_id(sha256: &str, stated: Option<DateTime<Utc>>, run: Option<&str>, mapping: Option<&str>) -> String {
    use sha2::{Digest, Sha256};
    let mut named = sha256.to_owned();
    if let Some(run) = run {
        named += &format!(" {run}");
    }
    if let Some(date) = stated {
        named += &format!(" {}", date.timestamp_micros());
    }
    if let Some(mapping) = mapping {
        named += &format!(" {mapping}");
    }
    if named == sha256 { sha256[..16].to_owned() } else { archive::hex(&Sha256::digest(named)[..8]) }
}

/// The newest version of `core.batch`, none if there is no table, and its rows.
async fn newest(lake: &Lake) -> Result<(Option<u64>, Vec<RecordBatch>), IngestError> {
    match lake.newest(Table::Batch).await? {
        Some(newest) => Ok((Some(newest.version), rows_of(lake, newest.files).await?)),
        None => Ok((None, Vec::new())),
    }
}

/// All rows of a version of `core.batch` (the newest if none), in the columns of today.
pub(super) async fn batch_table(lake: &Lake, version: Option<u64>) -> Result<Vec<RecordBatch>, IngestError> {
    rows_of(lake, lake.files(Table::Batch, version).await?).await
}

async fn rows_of(lake: &Lake, files: Vec<DataFile>) -> Result<Vec<RecordBatch>, IngestError> {
    let engine = |e: datafusion::common::DataFusionError| IngestError::Truth(TruthError::Engine(e));
    let table = Arc::new(FileTable::new(lake, Table::Batch, files));
    let rows = SessionContext::new().read_table(table).map_err(engine)?.collect().await.map_err(engine)?;
    let schema = Table::Batch.schema();
    let plain = |batch: &RecordBatch| {
        let cast = |field: &Arc<arrow::datatypes::Field>| match batch.column_by_name(field.name()) {
            Some(array) => arrow::compute::cast(array, field.data_type()),
            None => Ok(arrow::array::new_null_array(field.data_type(), batch.num_rows())),
        };
        let columns = schema.fields().iter().map(cast).collect::<Result<Vec<_>, _>>()?;
        RecordBatch::try_new(Arc::clone(&schema), columns)
    };
    rows.iter().map(plain).collect::<Result<_, _>>().map_err(|e| encode(&e))
}

pub(super) fn encode(error: &arrow::error::ArrowError) -> IngestError {
    IngestError::Lake(LakeError::Encode { table: Table::Batch.name(), action: "build rows", detail: error.to_string() })
}
