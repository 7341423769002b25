//! What a receiver may not have heard of: kept in the lake from before an analysis until its delivery, so that neither a failed delivery
//! nor a stop between commit and delivery loses an alert.
//!
//! One small file per receiver, `.unsent/<hash of the URL>`: the number of the newest run that it was in step with. While it stands, the next
//! analysis that tells this receiver compares with runs up to that number only.

use super::target::Target;
use crate::lake::{Lake, LakeError};

/// The mark of one receiver.
#[derive(Debug)]
pub struct Unsent {
    lake: Lake,
    name: String,
    is_new: bool,
    /// Number of the newest run that counts as told.
    pub until: usize,
}

impl Unsent {
    /// Sets the mark to `newest`, the number of the newest run, or keeps an older one.
    ///
    /// # Errors
    /// [`LakeError`] if the file cannot be read or written.
    pub fn mark(lake: &Lake, target: &Target, newest: usize) -> Result<Self, LakeError> {
        let name = format!(".unsent/{}", target.fingerprint());
        let earlier = lake.place().read(&name)?;
        let is_new = earlier.is_none();
        let until = match earlier {
            // A text that is no number tells more than needed, never less.
            Some(text) => String::from_utf8_lossy(&text).trim().parse().unwrap_or(0).min(newest),
            None => {
                lake.place().write(&name, newest.to_string().into_bytes())?;
                newest
            }
        };
        Ok(Self { lake: lake.clone(), name, is_new, until })
    }

    /// The receiver is in step.
    ///
    /// # Errors
    /// [`LakeError`] if the file cannot be removed.
    pub fn told(self) -> Result<(), LakeError> {
        self.lake.place().remove(&self.name)
    }

    /// Nothing was analysed: an older mark stands, this one goes.
    pub fn forget(self) {
        if self.is_new {
            // One that stays makes the next alert say more, not less.
            let _ = self.lake.place().remove(&self.name);
        }
    }
}
