//! The workbook for finance: what the page says, as numbers that can be filtered, summed and checked.
//!
//! | sheet | a row is |
//! | --- | --- |
//! | Summary | a currency, with totals as formulas over Findings; then a signal |
//! | Findings | a finding of the quarter, most important first |
//! | Evidence | a finding's month |
//! | Scorecard | a measure, for the whole book and for each system |
//! | Coverage | a signal: what it could test and what not |
//! | Dictionary | a column of the other sheets |
//!
//! Amounts are rounded to the currency's coin before they become Excel's numbers, which keep 15 digits. Text is always a string cell: a
//! customer called `=cmd()` is a name. The same data give the same bytes.

use super::{ReportData, ReportError};
use crate::findings::Finding;
use crate::money::round_to_minor_unit;
use crate::month::Month;
use chrono::{Datelike as _, NaiveDate};
use iso_currency::Currency;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, FormatAlign, Formula, Workbook, Worksheet, XlsxError};

/// Characters that a cell of Excel holds.
const LONGEST: usize = 32_767;

/// One month of a finding.
#[derive(Clone, Debug, PartialEq)]
pub struct EvidenceRow {
    /// The finding.
    pub finding_id: String,
    /// Name or key; none where it is about no single one.
    pub customer: Option<String>,
    /// Name or key.
    pub service: Option<String>,
    /// Service month.
    pub month: Month,
    /// ISO 4217 code.
    pub currency: String,
    /// Money that counts in the finding.
    pub counted: Decimal,
    /// Money that counts in another finding.
    pub corroborates: Decimal,
    /// What was billed for the month.
    pub billed: Option<Decimal>,
}

/// One measure of the scorecard.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasureRow {
    /// Its name.
    pub title: String,
    /// The system; none for the whole book.
    pub system: Option<String>,
    /// ISO 4217 code, where it is about money.
    pub currency: Option<String>,
    /// `share` or `days`.
    pub unit: String,
    /// The measure; none where nothing was measured.
    pub value: Option<Decimal>,
    /// The newest earlier quarter that has a value.
    pub previous_quarter: Option<String>,
    /// Its value.
    pub previous_value: Option<Decimal>,
    /// `better`, `worse`, `same`, `first`.
    pub trend: Option<String>,
}

/// A column: its heading, what it holds, its width in characters.
pub(super) type Column<'a> = (&'a str, &'a str, f64);

const FINDINGS: [Column<'static>; 20] = [
    ("Finding", "Id; stays the same from quarter to quarter", 19.0),
    ("Signal", "What was looked for", 27.0),
    ("Customer", "Name", 28.0),
    ("Service", "Name", 28.0),
    ("Severity", "critical, high, medium or low", 10.0),
    ("Status", "Against earlier quarters: new, persisting, worse, improving, resolved, reopened", 11.0),
    ("Basis", "Whose money: revenue not charged, cost paid back by nobody, or over-billing of the customer", 12.0),
    ("Currency", "Of the amounts in the row; amounts of two currencies are never to be added", 9.0),
    ("Leakage", "The MSP's loss in the quarter", 14.0),
    ("Low", "Lower end of its interval", 14.0),
    ("High", "Upper end of its interval", 14.0),
    ("Overbilled", "The customer's money, beside leakage and never netted against it", 14.0),
    ("Annual run rate", "Twelve times the monthly mean over the affected months of the quarter", 16.0),
    ("First month", "First service month of the condition", 12.0),
    ("Last month", "Last service month of it within the quarter", 12.0),
    ("Change month", "When it began, where a change point was found", 13.0),
    ("Confidence", "0 to 1: exact for comparisons of systems, 1 - q for trends", 11.0),
    ("q-value", "Of a trend, adjusted for all tests of the run", 10.0),
    ("Explanation", "In plain language with its numbers", 90.0),
    ("Likely cause", "What happened when it began", 60.0),
];

const EVIDENCE: [Column<'static>; 8] = [
    ("Finding", "Id, as in Findings", 19.0),
    ("Customer", "Name", 28.0),
    ("Service", "Name", 28.0),
    ("Month", "Service month", 11.0),
    ("Currency", "Of the amounts", 9.0),
    ("Counted", "Money that counts in this finding", 14.0),
    ("Corroborates", "Money that counts in another finding and that this one saw too", 14.0),
    ("Billed", "What was billed for the month when the analysis was made", 14.0),
];

const SCORECARD: [Column<'static>; 8] = [
    ("Measure", "What is measured", 60.0),
    ("System", "The source; empty for the whole book", 16.0),
    ("Currency", "Where it is about money", 9.0),
    ("Unit", "share or days", 8.0),
    ("Value", "Of the quarter; empty where nothing was measured", 10.0),
    ("Earlier quarter", "The newest one that has a value", 15.0),
    ("Earlier value", "Its value", 13.0),
    ("Trend", "better, worse, same, first", 10.0),
];

const COVERAGE: [Column<'static>; 5] = [
    ("Signal", "What was looked for", 45.0),
    ("Tested", "Units that it could test", 10.0),
    ("Too short", "Units with too little history", 10.0),
    ("Not testable", "Units that lack an input", 12.0),
    ("Why", "What was missing", 80.0),
];

const SUMMARY: [Column<'static>; 10] = [
    ("Currency", "ISO 4217", 12.0),
    ("Leakage", "The MSP's loss in the quarter: sum over Findings", 16.0),
    ("Low", "Sum of the lower ends", 16.0),
    ("High", "Sum of the upper ends", 16.0),
    ("Not charged", "Of it: delivered and not charged", 16.0),
    ("Cost", "Of it: paid for and paid back by nobody", 16.0),
    ("Overbilled", "The customers' money, to give back", 16.0),
    ("Expected", "What should have been billed, where it could be rated", 16.0),
    ("Billed", "What was billed there", 16.0),
    ("Findings", "How many", 10.0),
];

/// The workbook's bytes.
///
/// # Errors
/// [`ReportError::Workbook`] if the library refuses, which it does for more rows than Excel has.
pub fn workbook(data: &ReportData, evidence: &[EvidenceRow], scores: &[MeasureRow]) -> Result<Vec<u8>, ReportError> {
    build(data, evidence, scores).map_err(|e| ReportError::Workbook { detail: e.to_string() })
}

fn build(data: &ReportData, evidence: &[EvidenceRow], scores: &[MeasureRow]) -> Result<Vec<u8>, XlsxError> {
    let mut book = Workbook::new();
    let title = format!("Revenue leakage {}", data.quarter);
    book.set_properties(&dated(&title, data.as_of)?.set_author(&data.generated_by));
    summary(book.add_worksheet(), data, &title)?;
    findings(book.add_worksheet(), data)?;
    evidence_sheet(book.add_worksheet(), evidence)?;
    scorecard(book.add_worksheet(), scores)?;
    coverage(book.add_worksheet(), data)?;
    dictionary(book.add_worksheet())?;
    book.save_to_buffer()
}

/// What a workbook says of itself: the day up to which its data reach, not the one on which it was written.
pub(super) fn dated(title: &str, day: NaiveDate) -> Result<DocProperties, XlsxError> {
    Ok(DocProperties::new().set_title(title).set_creation_datetime(&excel_day(day)?))
}

/// A day as Excel counts them, from 1900 on; an error for those before.
pub(super) fn excel_day(day: NaiveDate) -> Result<ExcelDateTime, XlsxError> {
    let small = |part: u32| u8::try_from(part).unwrap_or_default();
    ExcelDateTime::from_ymd(u16::try_from(day.year()).unwrap_or_default(), small(day.month()), small(day.day()))
}

/// Names the sheet and writes its header row, which stays in sight and filters.
pub(super) fn header(sheet: &mut Worksheet, name: &str, columns: &[Column<'_>], rows: usize) -> Result<(), XlsxError> {
    sheet.set_name(name)?;
    headings(sheet, 0, columns)?;
    sheet.set_freeze_panes(1, 1)?;
    let last = u32::try_from(rows).unwrap_or(u32::MAX);
    sheet.autofilter(0, 0, last, u16::try_from(columns.len()).unwrap_or(1) - 1)?;
    sheet.set_landscape().set_repeat_rows(0, 0)?.set_print_fit_to_pages(1, 0);
    Ok(())
}

fn headings(sheet: &mut Worksheet, row: u32, columns: &[Column<'_>]) -> Result<(), XlsxError> {
    let bold = Format::new().set_bold().set_border_bottom(rust_xlsxwriter::FormatBorder::Thin).set_align(FormatAlign::Top);
    for (at, (heading, _, width)) in (0..).zip(columns) {
        sheet.write_string_with_format(row, at, *heading, &bold)?;
        sheet.set_column_width(at, *width)?;
    }
    Ok(())
}

/// A name or a sentence; what Excel cannot hold is cut off.
pub(super) fn text(sheet: &mut Worksheet, row: u32, column: u16, value: &str) -> Result<(), XlsxError> {
    if value.chars().count() > LONGEST {
        let cut: String = value.chars().take(LONGEST - 1).chain(['…']).collect();
        sheet.write_string(row, column, cut)?;
    } else {
        sheet.write_string(row, column, value)?;
    }
    Ok(())
}

fn optional(sheet: &mut Worksheet, row: u32, column: u16, value: Option<&str>) -> Result<(), XlsxError> {
    value.map_or(Ok(()), |value| text(sheet, row, column, value))
}

/// An amount as Excel shows it: with the decimals that its currency has, negative ones in red.
fn money_format(currency: &str) -> Format {
    let digits = Currency::from_code(currency).and_then(Currency::exponent).unwrap_or(2);
    let number = match digits {
        0 => "#,##0".to_owned(),
        digits => format!("#,##0.{}", "0".repeat(usize::from(digits))),
    };
    Format::new().set_num_format(format!("{number};[Red]-{number}"))
}

fn money(sheet: &mut Worksheet, row: u32, column: u16, amount: Decimal, currency: &str) -> Result<(), XlsxError> {
    let rounded = round_to_minor_unit(amount, currency);
    sheet.write_number_with_format(row, column, rounded.to_f64().unwrap_or_default(), &money_format(currency))?;
    Ok(())
}

fn month(sheet: &mut Worksheet, row: u32, column: u16, month: Month) -> Result<(), XlsxError> {
    let date = excel_day(month.first_day())?;
    sheet.write_datetime_with_format(row, column, &date, &Format::new().set_num_format("yyyy-mm"))?;
    Ok(())
}

fn real(sheet: &mut Worksheet, row: u32, column: u16, value: f64, format: &str) -> Result<(), XlsxError> {
    sheet.write_number_with_format(row, column, value, &Format::new().set_num_format(format))?;
    Ok(())
}

/// Whole numbers; Excel counts no further than its rows.
fn count(sheet: &mut Worksheet, row: u32, column: u16, value: u64) -> Result<(), XlsxError> {
    sheet.write_number_with_format(row, column, value.to_f64().unwrap_or_default(), &Format::new().set_num_format("#,##0"))?;
    Ok(())
}

fn summary(sheet: &mut Worksheet, data: &ReportData, title: &str) -> Result<(), XlsxError> {
    sheet.set_name("Summary")?;
    sheet.write_string_with_format(0, 0, title, &Format::new().set_bold().set_font_size(16))?;
    text(sheet, 1, 0, &format!("What was known on {}. {}.", data.as_of, data.generated_by))?;
    headings(sheet, 3, &SUMMARY)?;
    let last = data.findings.len() + 1;
    // Over Findings: who filters or edits there sees here what it comes to.
    let over = |column: char, basis: Option<&str>, row: u32| {
        let range = |column: char| format!("Findings!${column}$2:${column}${last}");
        let basis = basis.map(|basis| format!(",{},\"{basis}\"", range('G'))).unwrap_or_default();
        format!("=SUMIFS({},{},$A{}{basis})", range(column), range('H'), row + 1)
    };
    let mut row = 4;
    for total in &data.totals {
        text(sheet, row, 0, &total.currency)?;
        let format = money_format(&total.currency);
        let sums = [
            (1, 'I', None, total.leakage),
            (2, 'J', None, total.leakage_low),
            (3, 'K', None, total.leakage_high),
            (4, 'I', Some("revenue"), total.leakage_revenue),
            (5, 'I', Some("cost"), total.leakage_cost),
            (6, 'L', None, total.overbilled),
        ];
        for (column, of, basis, result) in sums {
            let formula = Formula::new(over(of, basis, row)).set_result(result.normalize().to_string());
            sheet.write_formula_with_format(row, column, formula, &format)?;
        }
        for (column, amount) in [(7, total.expected), (8, total.billed)] {
            amount.map_or(Ok(()), |amount| money(sheet, row, column, amount, &total.currency))?;
        }
        count(sheet, row, 9, total.findings)?;
        row += 1;
    }
    row += 1;
    let by_signal: [Column<'_>; 6] = [
        ("Currency", "", 12.0),
        ("Signal", "", 16.0),
        ("Findings", "", 16.0),
        ("Leakage", "", 16.0),
        ("Overbilled", "", 16.0),
        ("Question", "", 16.0),
    ];
    headings(sheet, row, &by_signal)?;
    for signal in &data.by_signal {
        row += 1;
        text(sheet, row, 0, &signal.currency)?;
        text(sheet, row, 1, &signal.title)?;
        count(sheet, row, 2, signal.findings)?;
        money(sheet, row, 3, signal.leakage, &signal.currency)?;
        money(sheet, row, 4, signal.overbilled, &signal.currency)?;
        text(sheet, row, 5, &signal.question)?;
    }
    row += 1;
    for note in &data.notes {
        row += 1;
        text(sheet, row, 0, note)?;
    }
    sheet.set_landscape().set_print_fit_to_pages(1, 0);
    Ok(())
}

fn findings(sheet: &mut Worksheet, data: &ReportData) -> Result<(), XlsxError> {
    header(sheet, "Findings", &FINDINGS, data.findings.len())?;
    for (row, finding) in (1..).zip(&data.findings) {
        finding_row(sheet, row, finding, data.causes.get(&finding.finding_id).map(String::as_str))?;
    }
    Ok(())
}

fn finding_row(sheet: &mut Worksheet, row: u32, finding: &Finding, cause: Option<&str>) -> Result<(), XlsxError> {
    let currency = &finding.currency;
    text(sheet, row, 0, &finding.finding_id)?;
    text(sheet, row, 1, &finding.signal)?;
    optional(sheet, row, 2, finding.customer_name.as_deref().or(finding.customer_key.as_deref()))?;
    optional(sheet, row, 3, finding.service_name.as_deref().or(finding.service_key.as_deref()))?;
    text(sheet, row, 4, &finding.severity)?;
    text(sheet, row, 5, &finding.status)?;
    text(sheet, row, 6, finding.basis.as_str())?;
    text(sheet, row, 7, currency)?;
    let amounts = [finding.leakage, finding.leakage_low, finding.leakage_high, finding.overbilled, finding.annual_run_rate];
    for (column, amount) in (8..).zip(amounts) {
        money(sheet, row, column, amount, currency)?;
    }
    month(sheet, row, 13, finding.first_month)?;
    month(sheet, row, 14, finding.last_month)?;
    finding.change_month.map_or(Ok(()), |at| month(sheet, row, 15, at))?;
    real(sheet, row, 16, finding.confidence, "0.000")?;
    finding.q_value.map_or(Ok(()), |q| real(sheet, row, 17, q, "0.000E+00"))?;
    text(sheet, row, 18, &finding.explanation)?;
    optional(sheet, row, 19, cause)
}

fn evidence_sheet(sheet: &mut Worksheet, evidence: &[EvidenceRow]) -> Result<(), XlsxError> {
    header(sheet, "Evidence", &EVIDENCE, evidence.len())?;
    for (row, of) in (1..).zip(evidence) {
        text(sheet, row, 0, &of.finding_id)?;
        optional(sheet, row, 1, of.customer.as_deref())?;
        optional(sheet, row, 2, of.service.as_deref())?;
        month(sheet, row, 3, of.month)?;
        text(sheet, row, 4, &of.currency)?;
        money(sheet, row, 5, of.counted, &of.currency)?;
        money(sheet, row, 6, of.corroborates, &of.currency)?;
        of.billed.map_or(Ok(()), |billed| money(sheet, row, 7, billed, &of.currency))?;
    }
    Ok(())
}

fn scorecard(sheet: &mut Worksheet, scores: &[MeasureRow]) -> Result<(), XlsxError> {
    header(sheet, "Scorecard", &SCORECARD, scores.len())?;
    for (row, score) in (1..).zip(scores) {
        let shown = if score.unit == "share" { "0.0%" } else { "0.0" };
        text(sheet, row, 0, &score.title)?;
        optional(sheet, row, 1, score.system.as_deref())?;
        optional(sheet, row, 2, score.currency.as_deref())?;
        text(sheet, row, 3, &score.unit)?;
        score.value.map_or(Ok(()), |value| real(sheet, row, 4, value.to_f64().unwrap_or_default(), shown))?;
        optional(sheet, row, 5, score.previous_quarter.as_deref())?;
        score.previous_value.map_or(Ok(()), |value| real(sheet, row, 6, value.to_f64().unwrap_or_default(), shown))?;
        optional(sheet, row, 7, score.trend.as_deref())?;
    }
    Ok(())
}

fn coverage(sheet: &mut Worksheet, data: &ReportData) -> Result<(), XlsxError> {
    header(sheet, "Coverage", &COVERAGE, data.coverage.len())?;
    for (row, of) in (1..).zip(&data.coverage) {
        text(sheet, row, 0, &of.title)?;
        count(sheet, row, 1, of.tested)?;
        count(sheet, row, 2, of.too_short)?;
        count(sheet, row, 3, of.not_testable)?;
        text(sheet, row, 4, &of.why)?;
    }
    Ok(())
}

fn dictionary(sheet: &mut Worksheet) -> Result<(), XlsxError> {
    let columns: [Column<'_>; 3] = [("Sheet", "", 14.0), ("Column", "", 18.0), ("What it is", "", 100.0)];
    let sheets: [(&str, &[Column<'_>]); 5] = [
        ("Summary", &SUMMARY),
        ("Findings", &FINDINGS),
        ("Evidence", &EVIDENCE),
        ("Scorecard", &SCORECARD),
        ("Coverage", &COVERAGE),
    ];
    header(sheet, "Dictionary", &columns, sheets.iter().map(|(_, columns)| columns.len()).sum())?;
    let mut row = 0;
    for (name, columns) in sheets {
        for (heading, what, _) in columns {
            row += 1;
            text(sheet, row, 0, name)?;
            text(sheet, row, 1, heading)?;
            text(sheet, row, 2, what)?;
        }
    }
    Ok(())
}
