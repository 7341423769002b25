//! The only place that prints: data on standard output, everything else on standard error.

use super::{Failure, OutputFormat};
use crate::foreign;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, TableComponent, Width};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};

/// Width of tables where standard output is no terminal.
const PLAIN_WIDTH: u16 = 160;

/// Spaces beside a cell.
const PADDING: usize = 2;
/// Width that a column of words wants beside numbers that are not broken.
const ROOM_FOR_WORDS: usize = 8;

/// Longest first column that is never broken.
const LONGEST_ID: usize = 40;

/// Characters of a table's cell, and of a sentence, before the rest is cut off: JSON has it whole.
pub(super) const LONGEST_CELL: usize = 300;
pub(super) const LONGEST_SENTENCE: usize = 2_000;

/// Lines of a table beside its rows: two borders, a header and its rule.
const RULES_AND_HEADER: usize = 4;

/// An error and its hint.
pub(super) fn failure(failure: &Failure, output: OutputFormat) {
    if output == OutputFormat::Json {
        document(&json!({ "error": failure.message, "hint": failure.hint, "exit_code": failure.code() }));
        return;
    }
    say(&format!("error: {}", clean(&failure.message)));
    if let Some(hint) = &failure.hint {
        say(&format!("hint: {}", clean(hint)));
    }
}

/// A line on standard output. A reader that has seen enough (`| head`) is no fault, so a closed pipe is not reported.
fn put(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// A line on standard error.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", coloured(line));
}

/// What a line begins with and the terminal's colour for it.
const COLOURS: [(&str, u8); 3] = [("error:", 31), ("warning:", 33), ("hint:", 36)];

/// The first word in colour on a terminal, unless `NO_COLOR` says no.
fn coloured(line: &str) -> String {
    let is_off = std::env::var_os("NO_COLOR").is_some_and(|text| !text.is_empty())
        || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    if !is_off && std::io::stderr().is_terminal() {
        for (word, colour) in COLOURS {
            if let Some(rest) = line.strip_prefix(word) {
                return format!("\u{1b}[1;{colour}m{word}\u{1b}[0m{rest}");
            }
        }
    }
    line.to_owned()
}

/// A remark that is no data.
pub(super) fn note(text: &str) {
    say(&clean(text));
}

/// Lines of text.
pub(super) fn lines(text: &str) {
    put(&clean(text));
}

/// A sentence about names from elsewhere: one line, whatever they hold.
pub(super) fn sentence(text: &str) {
    put(&one_line(text, LONGEST_SENTENCE));
}

/// One JSON document.
pub(super) fn document(value: &Value) {
    put(&json_text(value));
}

/// A document whose strings are exact and steer no terminal: what could is escaped.
pub(super) fn json_text(value: &Value) -> String {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if steers(c) && c != '\n' {
            let _ = write!(safe, "\\u{:04x}", u32::from(c));
        } else {
            safe.push(c);
        }
    }
    safe
}

/// Bytes as they are: CSV, Parquet. On a terminal, text is looked at, not stored, and must not steer it. As for [`put`], a closed pipe is no fault.
pub(super) fn bytes(data: &[u8]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let written = match std::str::from_utf8(data) {
        Ok(text) if out.is_terminal() => out.write_all(clean(text).as_bytes()),
        _ => out.write_all(data),
    };
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        ended => ended,
    }
}

/// A table that fits the window; the columns in `right` are numbers. Ids, which stand first, are not broken: people copy them.
/// Numbers are not either, as long as that leaves room for the rest.
pub(super) fn table(header: &[&str], rows: &[Vec<String>], right: &[usize]) {
    let is_terminal = std::io::stdout().is_terminal();
    put(&layout(header, rows, right, (!is_terminal).then_some(PLAIN_WIDTH)));
}

/// [`table`] for a width; for the terminal's own if none is given.
fn layout(header: &[&str], rows: &[Vec<String>], right: &[usize], width: Option<u16>) -> String {
    let mut table = Table::new();
    table.load_preset(UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    if let Some(width) = width {
        table.set_width(width);
    }
    table.set_header(header.iter().map(|cell| clean(cell)));
    for row in rows {
        table.add_row(row.iter().map(|cell| one_line(cell, LONGEST_CELL)));
    }
    for &at in right {
        if let Some(column) = table.column_mut(at) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let is_id = |row: &Vec<String>| row.first().is_some_and(|id| id.len() <= LONGEST_ID && !id.contains(' '));
    if let Some(first) = table.column_mut(0).filter(|_| rows.iter().all(is_id)) {
        first.set_constraint(ColumnConstraint::ContentWidth);
    }
    let longest =
        |at: usize| rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count() + PADDING).max().unwrap_or(0);
    let of_numbers: usize = right.iter().map(|&at| longest(at)).sum();
    let others = header.len().saturating_sub(right.len()) * ROOM_FOR_WORDS;
    if table.width().is_some_and(|width| of_numbers + others <= usize::from(width)) {
        for &at in right {
            let bound = ColumnConstraint::LowerBoundary(Width::Fixed(u16::try_from(longest(at)).unwrap_or(u16::MAX)));
            table.column_mut(at).into_iter().for_each(|column| _ = column.set_constraint(bound));
        }
    }
    let ruled = table.to_string();
    // Rules between rows help only where a row takes several lines.
    table.remove_style(TableComponent::HorizontalLines);
    table.remove_style(TableComponent::MiddleIntersections);
    let plain = table.to_string();
    let one_line_each = plain.lines().count() <= rows.len() + RULES_AND_HEADER;
    if one_line_each { plain } else { ruled }
}

/// Names come from other people's systems: what would steer a terminal is shown as a replacement character.
fn clean(text: &str) -> String {
    text.chars().map(|c| if steers(c) && c != '\n' && c != '\t' { '\u{fffd}' } else { c }).collect()
}

/// [`clean`] text that stays on its line, cut to `longest` characters.
pub(super) fn one_line(text: &str, longest: usize) -> String {
    let text = clean(text);
    let mut letters = text.chars().map(|c| if matches!(c, '\n' | '\t') { ' ' } else { c });
    let mut line: String = letters.by_ref().take(longest).collect();
    if letters.next().is_some() {
        line.push('…');
    }
    line
}

/// What must not reach a terminal as it is.
fn steers(c: char) -> bool {
    foreign::steers(c) || foreign::marks_direction(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_stay_whole_in_a_narrow_window() {
        let header = ["finding", "customer", "signal", "leakage", "from", "why"];
        let row = [
            "0123456789ab",
            "Aster Dental Group",
            "underbilled_quantity",
            "USD 123,456.78",
            "USD 1,204.50",
            "seats delivered and not billed",
        ];
        let rows = vec![row.map(str::to_owned).to_vec()];
        for width in [72, 80, 100, 160] {
            let table = layout(&header, &rows, &[3, 4], Some(width));
            assert!(
                table.contains("USD 123,456.78") && table.contains("USD 1,204.50") && table.contains("0123456789ab"),
                "{table}"
            );
            assert!(table.lines().all(|line| line.chars().count() <= usize::from(width)), "{table}");
        }
    }

    #[test]
    fn in_the_narrowest_window_a_table_breaks_what_it_must() {
        let table = layout(&["a", "b"], &[vec!["x".to_owned(), "1234567890".to_owned()]], &[1], Some(10));
        assert!(table.lines().all(|line| line.chars().count() <= 10), "{table}");
    }
}
