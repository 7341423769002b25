//! Text from other people's systems: what in it would steer whoever shows it.

/// Controls (escape sequences begin with one), line separators, embeddings, overrides and isolates of the writing direction: an override can make an
/// amount read backwards. Right-to-left names need none of them.
#[must_use]
pub fn steers(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Marks of the writing direction: harmless where each name stands alone, as in HTML; on a line with others they move what stands beside them.
#[must_use]
pub fn marks_direction(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}')
}
