//! Text in the encodings that a mapping may name, turned into UTF-8 as it is read.
//!
//! UTF-16 follows its byte order mark, and is little-endian without one, as Windows writes it. Windows-1252 covers ISO 8859-1; bytes
//! that it leaves undefined become the control characters of the same number, as browsers do.

use std::io::{BufRead, Read};

/// How characters stand in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// As everywhere today.
    #[default]
    Utf8,
    /// "Unicode text" of Excel.
    Utf16,
    /// "ANSI" of Windows in Western Europe and America.
    Windows1252,
}

/// Characters of bytes 0x80 to 0x9f in Windows-1252.
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘', '’', '“', '”',
    '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// The text as UTF-8.
#[must_use]
pub fn decoded(input: Box<dyn BufRead + Send>, encoding: Encoding) -> Box<dyn Read + Send> {
    match encoding {
        Encoding::Utf8 => Box::new(input),
        _ => Box::new(Decoder { input, encoding, is_big: None, left: Vec::new(), ready: Vec::new(), at: 0 }),
    }
}

struct Decoder {
    input: Box<dyn BufRead + Send>,
    encoding: Encoding,
    /// Byte order of UTF-16, once the first two bytes are seen.
    is_big: Option<bool>,
    /// Bytes of a character that is not whole yet.
    left: Vec<u8>,
    ready: Vec<u8>,
    at: usize,
}

impl Decoder {
    fn more(&mut self) -> std::io::Result<()> {
        let bytes = self.input.fill_buf()?;
        let count = bytes.len();
        let is_end = count == 0;
        let mut raw = std::mem::take(&mut self.left);
        raw.extend_from_slice(bytes);
        self.input.consume(count);
        self.ready.clear();
        self.at = 0;
        let mut text = String::with_capacity(raw.len());
        if self.encoding == Encoding::Windows1252 {
            text.extend(raw.iter().map(|&byte| match byte {
                0x80..=0x9f => WINDOWS_1252[usize::from(byte - 0x80)],
                _ => char::from(byte),
            }));
        } else {
            let mut start = 0;
            if self.is_big.is_none() && raw.len() >= 2 {
                self.is_big = Some(raw.starts_with(&[0xfe, 0xff]));
                start = if raw.starts_with(&[0xfe, 0xff]) || raw.starts_with(&[0xff, 0xfe]) { 2 } else { 0 };
            }
            let is_big = self.is_big.unwrap_or(false);
            let unit = |pair: &[u8]| {
                if is_big { u16::from_be_bytes([pair[0], pair[1]]) } else { u16::from_le_bytes([pair[0], pair[1]]) }
            };
            let units: Vec<u16> = raw[start..].chunks_exact(2).map(unit).collect();
            // A surrogate pair or a unit that is cut waits for the rest.
            let ends_open = !is_end && units.last().is_some_and(|unit| (0xd800..0xdc00).contains(unit));
            let whole = units.len() - usize::from(ends_open);
            text.extend(char::decode_utf16(units[..whole].iter().copied()).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)));
            let used = start + 2 * whole;
            if is_end && used < raw.len() {
                text.push(char::REPLACEMENT_CHARACTER);
            } else {
                self.left = raw[used..].to_vec();
            }
        }
        self.ready = text.into_bytes();
        Ok(())
    }
}

impl Read for Decoder {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.at == self.ready.len() {
            if self.input.fill_buf()?.is_empty() && self.left.is_empty() {
                return Ok(0);
            }
            self.more()?;
        }
        let count = (self.ready.len() - self.at).min(buffer.len());
        buffer[..count].copy_from_slice(&self.ready[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufReader, Cursor};

    fn read(bytes: Vec<u8>, encoding: Encoding, buffer: usize) -> String {
        let mut text = String::new();
        let input = BufReader::with_capacity(buffer, Cursor::new(bytes));
        decoded(Box::new(input), encoding).read_to_string(&mut text).expect("UTF-8 comes out");
        text
    }

    #[test]
    fn every_encoding_gives_the_same_text_whatever_the_buffer() {
        let text = "Müller – 5 €, 😀\n";
        for buffer in [1, 2, 3, 64] {
            let utf16 = |bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
                std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(bytes).collect()
            };
            assert_eq!(read(utf16(u16::to_le_bytes), Encoding::Utf16, buffer), text);
            assert_eq!(read(utf16(u16::to_be_bytes), Encoding::Utf16, buffer), text);
            assert_eq!(read(utf16(u16::to_le_bytes)[2..].to_vec(), Encoding::Utf16, buffer), text);
            assert_eq!(read(b"M\xfcller \x96 5 \x80".to_vec(), Encoding::Windows1252, buffer), "Müller – 5 €");
            assert_eq!(read(b"a\0b".to_vec(), Encoding::Utf16, buffer), "a\u{fffd}");
        }
    }
}
