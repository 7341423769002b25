//! The originals, as received, under the hash of their content: evidence can always show the source line.

use super::delta::{Lake, LakeError};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};

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

/// Bytes of the original in one zstd frame: frames compressed as a whole are faster than one long stream, and a file of
/// several frames is a zstd file.
const FRAME_BYTES: u64 = 8 << 20;

fn place(lake: &Lake, sha256: &str) -> PathBuf {
    lake.root().join("files").join(format!("{sha256}.zst"))
}

/// Keeps a copy of `source`, compressed, under its hash. A copy that is there already is left alone.
///
/// # Errors
/// [`LakeError::Io`] if it cannot be written.
pub fn keep(lake: &Lake, source: &Path, sha256: &str) -> Result<(), LakeError> {
    let target = place(lake, sha256);
    if target.exists() {
        return Ok(());
    }
    let folder = lake.root().join("files");
    let write = |e| LakeError::io("archive", source, e);
    std::fs::create_dir_all(&folder).map_err(write)?;
    // Written beside and renamed, so that a killed run leaves no half copy under a valid name.
    let partial = folder.join(format!("{sha256}.partial"));
    let mut input = File::open(source).map_err(write)?;
    let mut output = File::create(&partial).map_err(write)?;
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
    std::fs::rename(&partial, &target).map_err(write)
}

/// Keeps the mapping file through which a content was read, and notes which it is.
///
/// # Errors
/// [`LakeError::Io`] if it cannot be written.
pub fn keep_mapping(lake: &Lake, content: &str, mapping: &str, text: &str) -> Result<(), LakeError> {
    let folder = lake.root().join("files");
    let write = |e| LakeError::io("archive a mapping in", &folder, e);
    std::fs::create_dir_all(&folder).map_err(write)?;
    for (target, bytes) in [
        (place(lake, mapping), zstd::bulk::compress(text.as_bytes(), 1).map_err(write)?),
        (folder.join(format!("{content}.mapping")), mapping.as_bytes().to_vec()),
    ] {
        let partial = target.with_extension("partial");
        std::fs::write(&partial, bytes).and_then(|()| std::fs::rename(&partial, &target)).map_err(write)?;
    }
    Ok(())
}

/// The text of the mapping file through which a content was last read.
///
/// # Errors
/// [`LakeError::Io`] if one is noted, but not there.
pub fn mapping_of(lake: &Lake, content: &str) -> Result<Option<String>, LakeError> {
    let note = lake.root().join("files").join(format!("{content}.mapping"));
    let Ok(mapping) = std::fs::read_to_string(&note) else { return Ok(None) };
    let mut text = String::new();
    open(lake, mapping.trim())?.read_to_string(&mut text).map_err(|e| LakeError::io("read the mapping of", &note, e))?;
    Ok(Some(text))
}

/// Reads an archived original.
///
/// # Errors
/// [`LakeError::Io`] if the archive lacks it.
pub fn open(lake: &Lake, sha256: &str) -> Result<Box<dyn Read + Send>, LakeError> {
    let path = place(lake, sha256);
    let file = File::open(&path).map_err(|e| LakeError::io("read", &path, e))?;
    let decoder = zstd::Decoder::new(BufReader::new(file)).map_err(|e| LakeError::io("decompress", &path, e))?;
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
