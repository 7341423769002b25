//! Plain text that a person can paste into a mail: no borders, and on no terminal no line wider than a mail's.

use super::render::{LONGEST_CELL, LONGEST_SENTENCE, one_line};
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Row, Table};

/// Columns of a mail.
const MAIL: u16 = 78;
/// Columns beyond which a line of text is hard to read, however wide the window is.
const WIDEST: u16 = 110;

fn table() -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    // The window's width, where standard output has one.
    let width = table.width().map_or(MAIL, |window| window.min(WIDEST));
    // The gap after the last column, which is not shown, may stand outside.
    table.set_width(width.saturating_add(1));
    table
}

fn shown(mut table: Table) -> String {
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    if let Some(last) = table.column_count().checked_sub(1).and_then(|at| table.column_mut(at)) {
        last.set_padding((0, 1));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// One line for each row; the last column gives way where there is too little room. Columns in `right` are numbers.
pub(super) fn list(rows: &[Vec<String>], right: &[usize]) -> String {
    let mut table = table();
    for row in rows {
        let mut row = Row::from(row.iter().map(|cell| one_line(cell, LONGEST_CELL)));
        row.max_height(1);
        table.add_row(row);
    }
    let columns = table.column_count();
    for (at, column) in table.column_iter_mut().enumerate() {
        if right.contains(&at) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        if at + 1 < columns {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    shown(table)
}

/// Labels, and beside each a text that takes the lines it needs.
pub(super) fn facts(facts: &[(&str, String)]) -> String {
    let mut table = table();
    for (label, text) in facts {
        table.add_row([*label, &one_line(text, LONGEST_SENTENCE)]);
    }
    if let Some(labels) = table.column_mut(0) {
        labels.set_constraint(ColumnConstraint::ContentWidth);
    }
    shown(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_one_line_for_each_row_and_fits_a_mail() {
        let row = |money: &str, name: &str| vec!["b9afdaea".to_owned(), money.to_owned(), name.to_owned()];
        let text = list(&[row("10685.70 USD", &"Northgate ".repeat(12)), row("4.00 EUR", "\u{7530}\u{4e2d}")], &[1]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines[0].starts_with("b9afdaea  10685.70 USD  Northgate") && lines[0].ends_with("..."), "{text}");
        assert!(lines[1].starts_with("b9afdaea      4.00 EUR  \u{7530}\u{4e2d}"), "{text}");
        assert!(lines.iter().all(|line| line.chars().count() <= usize::from(MAIL)), "{text}");
    }

    #[test]
    fn facts_take_the_lines_they_need() {
        let text = facts(&[("USD", "a word and ".repeat(20)), ("tested", "all".to_owned())]);
        assert!(text.lines().count() > 3 && text.lines().all(|line| line.len() <= usize::from(MAIL)), "{text}");
        assert!(text.lines().nth(1).is_some_and(|line| line.starts_with("        a ") || line.starts_with("        ")), "{text}");
        assert_eq!(text.lines().last(), Some("tested  all"));
    }
}
