//! The originals, as received, under the hash of their content: evidence can always show the source line.

use super::delta::{Lake, LakeError};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::Path;

/// Hash, in hex, and size of a file.
///
/// # Errors
/// [`LakeError::Io`] if it cannot be read.
pub fn fingerprint(path: &Path) -> Result<(String, u64), LakeError> {
    let read = |e| LakeError::io("read", path, e);
    let mut file = File::open(path).map_err(read)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = 0_u64;
    loop {
        let count = file.read(&mut buffer).map_err(read)?;
        if count == 0 {
            return Ok((hex(&hash.finalize()), bytes));
        }
        hash.update(&buffer[..count]);
        bytes += count as u64;
    }
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Where originals lie, below the lake.
pub(crate) const FOLDER: &str = "files";
/// Bytes of the original in one zstd frame: frames compressed as a whole are faster than one long stream, and a file of
/// several frames is a zstd file.
const FRAME_BYTES: u64 = 8 << 20;

fn place(sha256: &str) -> String {
    format!("{FOLDER}/{sha256}.zst")
}

fn note(content: &str) -> String {
    format!("{FOLDER}/{content}.mapping")
}

/// Keeps a copy of `source`, compressed, under its hash. A copy that is there already is left alone.
///
/// # Errors
/// [`LakeError`] if it cannot be written.
pub fn keep(lake: &Lake, source: &Path, sha256: &str) -> Result<(), LakeError> {
    let name = place(sha256);
    if lake.place().size(&name)?.is_some() {
        return Ok(());
    }
    let write = |e| LakeError::io("archive", source, e);
    let mut input = File::open(source).map_err(write)?;
    // It appears when it is finished, so that a killed run leaves no half copy under a valid name.
    let mut output = lake.place().create(&name)?;
    let mut encoder = zstd::bulk::Compressor::new(1).map_err(write)?;
    let mut chunk = Vec::new();
    loop {
        chunk.clear();
        let filled = Read::take(&mut input, FRAME_BYTES).read_to_end(&mut chunk).map_err(write)?;
        let packed = encoder.compress(&chunk).map_err(write)?;
        output.write_all(&packed).map_err(write)?;
        if (filled as u64) < FRAME_BYTES {
            break;
        }
    }
    output.finish()
}

/// Keeps the mapping file through which a content was read, and notes which it is.
///
/// # Errors
/// [`LakeError`] if it cannot be written.
pub fn keep_mapping(lake: &Lake, content: &str, mapping: &str, text: &str) -> Result<(), LakeError> {
    let packed = zstd::bulk::compress(text.as_bytes(), 1).map_err(|e| LakeError::io("archive a mapping in", lake.root(), e))?;
    lake.place().write(&place(mapping), packed)?;
    lake.place().write(&note(content), mapping.as_bytes().to_vec())
}

/// The text of the mapping file through which a content was last read.
///
/// # Errors
/// [`LakeError`] if one is noted, but not there.
pub fn mapping_of(lake: &Lake, content: &str) -> Result<Option<String>, LakeError> {
    let note = note(content);
    let Some(mapping) = lake.place().read(&note)? else { return Ok(None) };
    let failed = |e| LakeError::io("read the mapping of", &lake.root().join(&note), e);
    let mapping = String::from_utf8(mapping).map_err(|e| failed(std::io::Error::other(e)))?;
    let mut text = String::new();
    open(lake, mapping.trim())?.read_to_string(&mut text).map_err(failed)?;
    Ok(Some(text))
}

/// Reads an archived original.
///
/// # Errors
/// [`LakeError`] if the archive lacks it.
pub fn open(lake: &Lake, sha256: &str) -> Result<Box<dyn Read + Send>, LakeError> {
    let name = place(sha256);
    let file = BufReader::new(lake.place().open(&name)?);
    let decoder = zstd::Decoder::with_buffer(file).map_err(|e| LakeError::io("decompress", &lake.root().join(&name), e))?;
    Ok(Box::new(decoder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn originals_of_no_one_and_several_frames_come_back_as_they_were() {
        let folder = tempfile::tempdir().expect("a folder");
        let lake = Lake::create(&folder.path().join("lake")).expect("a lake");
        let source = folder.path().join("export");
        for length in [0, 5, FRAME_BYTES, 2 * FRAME_BYTES + 1] {
            let content: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            std::fs::write(&source, &content).expect("a file");
            let (sha256, bytes) = fingerprint(&source).expect("a file");
            assert_eq!(bytes, length);
            keep(&lake, &source, &sha256).expect("kept");
            let mut kept = Vec::new();
            open(&lake, &sha256)
                .and_then(|mut file| file.read_to_end(&mut kept).map_err(|e| LakeError::io("read", &source, e)))
                .expect("readable");
            assert!(kept == content, "{length} bytes");
        }
    }
}
