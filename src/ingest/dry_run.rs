//! What an ingest would do, without doing it: the same order, the same decisions, nothing written to the lake.
//!
//! Only the beginning of a file is read. It is hashed only where another file of the same size was ingested, or is among those that are
//! planned: a file of another size is another file. Archives and workbooks are unpacked into the system's folder for temporary files, a
//! member at a time; objects in a store are listed, not fetched.

use super::discover::{self, Discovered};
use super::ledger::Ledger;
use super::member::{self, Member};
use super::run::readable;
use super::schedule::{self, Step, Turn};
use super::{IngestError, Input, Options, Progress, sheets};
use crate::lake::{Lake, archive};
use chrono::NaiveDate;
use sha2::{Digest as _, Sha256};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use tokio::runtime::Handle;

/// What would become of a file.
#[derive(Debug)]
pub enum Fate {
    /// It would be landed.
    New,
    /// Its content was ingested before, or stands among the files before it.
    Known,
    /// Nothing of it could be used.
    Refused(IngestError),
    /// A sheet that is no export, in a workbook that has one.
    PassedOver,
    /// What a vendor writes beside an export to describe its files.
    Manifest,
    /// An object in a store: it would be looked into once it is fetched.
    Unread,
}

/// A file of the plan.
#[derive(Debug)]
pub struct Planned {
    /// Its name, as `core.batch` would have it.
    pub file: PathBuf,
    /// Bytes; of what is unpacked: unpacked.
    pub bytes: u64,
    /// System and export, where they are known.
    pub export: Option<(&'static str, &'static str)>,
    /// Its step in the order of landing.
    pub step: Step,
    /// The period that its folder names, else the date in its name or folders.
    pub dated: Option<NaiveDate>,
    /// What would become of it.
    pub fate: Fate,
}

/// Plans an ingest: one entry per member of each input, in the order of landing.
///
/// # Errors
/// [`IngestError`] if the lake cannot be read; a file that cannot be used is an entry.
pub fn plan(
    lake: Option<&Lake>,
    inputs: &[Input],
    options: &Options,
    runtime: &Handle,
    progress: &dyn Progress,
) -> Result<Vec<Planned>, IngestError> {
    progress.plan(inputs.len());
    let ledger = Ledger::read(lake, options, runtime)?;
    let turns = schedule::turns(inputs, options.system.as_deref());
    progress.start(turns.iter().map(|turn| turn.bytes).sum(), turns.len());
    let mut sizes: HashMap<u64, usize> = HashMap::new();
    turns.iter().for_each(|turn| *sizes.entry(turn.bytes).or_default() += 1);
    let has_containers = turns.iter().any(|turn| !turn.is_single && matches!(turn.input, Input::Local(_)));
    let folder = std::env::temp_dir().join(format!("shortfall-{:016x}", rand::random::<u64>()));
    let mut planner = Planner { ledger, options, planned: Vec::new(), sheets: HashSet::new() };
    for turn in turns {
        let bytes = turn.bytes;
        let is_hashed = has_containers || planner.ledger.has_size(bytes) || sizes.get(&bytes).is_some_and(|&count| count > 1);
        planner.turn(turn, is_hashed, &folder)?;
        progress.advance(0, bytes);
    }
    // What cannot be removed is the system's to clear.
    let _ = std::fs::remove_dir_all(&folder);
    let is_foreign = |planned: &Planned| matches!(&planned.fate, Fate::Refused(error) if error.is_foreign());
    let settle = |error: Option<IngestError>| entry(Path::new(""), 0, None, error.map_or(Fate::PassedOver, Fate::Refused));
    let settled = sheets::settled(planner.planned, &planner.sheets, is_foreign, settle);
    Ok(settled.into_iter().map(|(file, planned)| Planned { file, ..planned }).collect())
}

fn entry(name: &Path, bytes: u64, found: Option<&Discovered>, fate: Fate) -> Planned {
    let recognised = found.map(|found| found.recognised);
    Planned {
        file: name.to_owned(),
        bytes,
        export: recognised.map(|found| (found.source.system, found.export.entity)),
        step: recognised.map_or(Step::Unopened, |found| Step::of(found.export.target)),
        dated: schedule::dated(name),
        fate,
    }
}

struct Planner<'a> {
    ledger: Ledger<'a>,
    options: &'a Options,
    planned: Vec<(PathBuf, Planned)>,
    sheets: HashSet<PathBuf>,
}

impl Planner<'_> {
    fn turn(&mut self, mut turn: Turn, is_hashed: bool, folder: &Path) -> Result<(), IngestError> {
        let Input::Local(path) = turn.input else {
            let planned = entry(&turn.name(), turn.bytes, None, Fate::Unread);
            self.planned.push((planned.file.clone(), planned));
            return Ok(());
        };
        let file = Member { name: path.clone(), content: path.clone(), modified: turn.modified, scratch: None, is_sheet: false };
        if turn.is_single {
            return self.member(&file, turn.recognised(), is_hashed);
        }
        member::members(file, folder, &mut |found| match found {
            Ok(member) => {
                if member.is_sheet {
                    self.sheets.insert(member.name.clone());
                }
                self.member(&member, None, true)
            }
            Err((name, error)) => {
                let planned = entry(&name, 0, None, Fate::Refused(error));
                self.planned.push((name, planned));
                Ok(())
            }
        })
    }

    fn member(
        &mut self,
        file: &Member,
        found: Option<Result<Discovered, IngestError>>,
        is_hashed: bool,
    ) -> Result<(), IngestError> {
        let discover = || discover::discover_named(&file.content, &file.name, self.options.system.as_deref());
        let found = found.unwrap_or_else(discover);
        let known = found.as_ref().ok().cloned();
        let fingerprint = if is_hashed {
            archive::fingerprint(&file.content)
        } else {
            // No other file has its size, so any hash that is no other's will do.
            let bytes = std::fs::metadata(&file.content).map_or(0, |meta| meta.len());
            Ok((archive::hex(&Sha256::digest(file.name.as_os_str().as_encoded_bytes())), bytes))
        };
        let mut bytes = 0;
        let identified = readable(&file.content, fingerprint).and_then(|(sha256, size)| {
            bytes = size;
            self.ledger.identify(file, &sha256, size, || found)
        });
        let fate = match identified {
            Ok(Some(job)) => {
                self.ledger.enter(&job.batch.batch_id);
                Fate::New
            }
            Ok(None) => Fate::Known,
            Err(IngestError::Manifest { .. }) => Fate::Manifest,
            Err(error) if error.is_file_fault() => Fate::Refused(error.named(&file.name)),
            Err(error) => return Err(error.named(&file.name)),
        };
        self.planned.push((file.name.clone(), entry(&file.name, bytes, known.as_ref(), fate)));
        Ok(())
    }
}
