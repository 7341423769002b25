//! Draws a finding's monthly series as SVG markup whose colours, dashes and type come from the page's style sheet.
//!
//! Plotters writes fixed colours, which would be wrong in one of light and dark. So each [`Role`] is drawn in a colour
//! of its own that exists only to be found again: [`draw`] replaces it by a class, and `page.css` decides how it looks.
//!
//! Each chart is drawn for two widths, because SVG text shrinks with its picture and a phone would make it unreadable.
//!
//! A chart without values draws nothing, a single value is a dot, and a change outside the drawn months is not marked.

use super::series::{Line, Panel, Side};
use super::{FindingChart, ReportError, format};
use crate::month::{Month, Quarter};
use plotters::backend::SVGBackend;
use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::Shift;
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::coord::types::RangedCoordf64;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::element::{Circle, PathElement, Polygon, Rectangle};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, IntoFont, RGBColor, ShapeStyle, TextStyle};
use std::ops::Range;

type DrawError = DrawingAreaErrorKind<std::io::Error>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Context<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<MonthAxis, RangedCoordf64>>;

/// Type size in picture units; plotters counts it 1.24 times larger than SVG does.
const TYPE_SIZE: f64 = 12.0 * 1.24;
/// Height of the strip above a chart that names the quarter and the change.
const HEADER: i32 = 36;
/// Height of the strip below a chart that names the months.
const FOOTER: u32 = 24;
/// Two line labels nearer than this would print over each other.
const LABEL_GAP: i32 = 14;
/// Room to the right of the plot that every chart needs; what is more holds line names.
const LABEL_ROOM_MINIMUM: u32 = 8;

/// What a mark stands for; the style sheet gives it its looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Left,
    Right,
    Cost,
    Loss,
    Quarter,
    Change,
    Grid,
    Axis,
    Text,
}

impl Role {
    fn of(side: Side) -> Self {
        match side {
            Side::Left => Self::Left,
            Side::Right => Self::Right,
        }
    }

    const ALL: [Self; 9] =
        [Self::Left, Self::Right, Self::Cost, Self::Loss, Self::Quarter, Self::Change, Self::Grid, Self::Axis, Self::Text];

    fn class(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Right => "right",
            Self::Cost => "cost",
            Self::Loss => "loss",
            Self::Quarter => "quarter",
            Self::Change => "change",
            Self::Grid => "grid",
            Self::Axis => "axis",
            Self::Text => "text",
        }
    }

    /// A colour that nothing else has.
    pub(super) fn marker(self) -> RGBColor {
        RGBColor(1, 2, self as u8)
    }

    pub(super) fn line(self, width: u32) -> ShapeStyle {
        self.marker().stroke_width(width)
    }

    pub(super) fn text(self, horizontal: HPos, vertical: VPos) -> TextStyle<'static> {
        let mut style = TextStyle::from(("sans-serif", TYPE_SIZE).into_font());
        style.color = self.marker().to_backend_color();
        style.pos = Pos::new(horizontal, vertical);
        style
    }
}

/// The size a chart is drawn for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Canvas {
    pub(super) width: u32,
    pub(super) height: u32,
    /// Room at the right end to name the lines in place; without it the caption's key must do.
    label_room: u32,
    /// How many month names fit.
    month_labels: i32,
}

/// For desks and paper.
pub(super) const WIDE: Canvas = Canvas { width: 620, height: 270, label_room: 118, month_labels: 7 };
/// For phones.
pub(super) const NARROW: Canvas = Canvas { width: 340, height: 240, label_room: LABEL_ROOM_MINIMUM, month_labels: 4 };

/// The horizontal axis: month indexes with half a month of room at both ends.
#[derive(Clone)]
struct MonthAxis {
    first: i32,
    last: i32,
    labels: i32,
}

impl Ranged for MonthAxis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    #[expect(clippy::cast_possible_truncation, reason = "a pixel coordinate: the share is clamped to 0..=1")]
    fn map(&self, value: &f64, pixels: (i32, i32)) -> i32 {
        let Range { start, end } = self.range();
        let share = ((value - start) / (end - start)).clamp(0.0, 1.0);
        pixels.0 + (share * f64::from(pixels.1 - pixels.0)).round() as i32
    }

    /// Calendar-aligned months, as many as have room.
    fn key_points<Hint: KeyPointHint>(&self, _hint: Hint) -> Vec<f64> {
        let months = self.last - self.first + 1;
        let fits = |step: i32| (months + step - 1) / step <= self.labels;
        let step = [1, 2, 3, 4, 6].into_iter().find(|step| fits(*step));
        let step = step.unwrap_or_else(|| 12 * (months / (12 * self.labels) + 1));
        (self.first..=self.last).filter(|month| month % step == 0).map(f64::from).collect()
    }

    fn range(&self) -> Range<f64> {
        f64::from(self.first) - 0.5..f64::from(self.last) + 0.5
    }
}

impl MonthAxis {
    /// Where `quarter` lies on the axis, clipped to it.
    fn band(&self, quarter: Quarter) -> Option<(f64, f64)> {
        let Range { start, end } = self.range();
        let from = (f64::from(quarter.first_month().index()) - 0.5).max(start);
        let to = (f64::from(quarter.last_month().index()) + 0.5).min(end);
        (from < to).then_some((from, to))
    }

    #[expect(clippy::cast_possible_truncation, reason = "a month index that `key_points` made from an i32")]
    fn name(point: f64) -> String {
        format::month(Month::from_index(point.round() as i32))
    }
}

/// The markup inside the `<svg>` element of `chart`, drawn for `canvas`.
pub(super) fn draw(chart: &FindingChart, panels: &[Panel], quarter: Quarter, canvas: Canvas) -> Result<String, ReportError> {
    let mut svg = String::new();
    draw_panels(&mut svg, chart, panels, quarter, canvas)
        .map_err(|source| ReportError::Chart { finding_id: chart.finding_id.clone(), source })?;
    Ok(classes_for_colours(&svg))
}

fn draw_panels(
    svg: &mut String,
    chart: &FindingChart,
    panels: &[Panel],
    quarter: Quarter,
    canvas: Canvas,
) -> Result<(), DrawError> {
    let months = || panels.iter().flat_map(|panel| &panel.lines).flat_map(|line| line.values.keys().copied());
    let (Some(first), Some(last)) = (months().min(), months().max()) else {
        return Ok(());
    };
    let axis = MonthAxis { first, last, labels: canvas.month_labels };
    let change = chart.change_month.filter(|month| (first..=last).contains(&month.index()));
    let root = SVGBackend::with_string(svg, (canvas.width, canvas.height)).into_drawing_area();
    let (_, body) = root.split_vertically(HEADER);
    // The first panel carries the finding; a second only says how many users stand behind it.
    let areas = if panels.len() > 1 {
        let (upper, lower) = body.split_vertically(relative_height(&body, 0.6));
        vec![upper, lower]
    } else {
        vec![body]
    };
    for (position, (panel, area)) in panels.iter().zip(&areas).enumerate() {
        let is_lowest = position + 1 == panels.len();
        let mut context = ChartBuilder::on(area)
            .margin_left(2)
            .margin_top(if position == 0 { 0 } else { 14 })
            .margin_right(canvas.label_room)
            .x_label_area_size(if is_lowest { FOOTER } else { 2 })
            .y_label_area_size(46)
            .build_cartesian_2d(axis.clone(), panel.range.0..panel.range.1)?;
        draw_ground(&mut context, quarter, &axis, is_lowest, if panels.len() > 1 { 3 } else { 5 })?;
        draw_lines(&mut context, panel)?;
        if let Some(change) = change {
            let x = f64::from(change.index());
            let mark = PathElement::new([(x, panel.range.0), (x, panel.range.1)], Role::Change.line(1));
            context.draw_series([mark])?;
        }
        if position == 0 {
            name_periods(&root, &context, quarter, change, &axis)?;
        }
        if canvas.label_room > LABEL_ROOM_MINIMUM {
            name_lines(&root, &context, panel)?;
        }
    }
    root.present()
}

#[expect(clippy::cast_possible_truncation, reason = "a share of a picture's height in pixels")]
fn relative_height(area: &Area<'_>, share: f64) -> i32 {
    (f64::from(area.dim_in_pixel().1) * share).round() as i32
}

/// The analysed quarter as a band, the grid and the axes.
fn draw_ground(
    context: &mut Context<'_, '_>,
    quarter: Quarter,
    axis: &MonthAxis,
    names_months: bool,
    value_labels: usize,
) -> Result<(), DrawError> {
    let Range { start: bottom, end: top } = context.y_range();
    if let Some((start, end)) = axis.band(quarter) {
        context.draw_series([Rectangle::new([(start, top), (end, bottom)], Role::Quarter.marker().filled())])?;
    }
    let month_name = |month: &f64| {
        if names_months { MonthAxis::name(*month) } else { String::new() }
    };
    context
        .configure_mesh()
        .disable_x_mesh()
        .max_light_lines(0)
        .y_labels(value_labels)
        .bold_line_style(Role::Grid.line(1))
        .axis_style(Role::Axis.line(1))
        .x_label_style(Role::Text.text(HPos::Center, VPos::Top))
        .y_label_style(Role::Text.text(HPos::Right, VPos::Center))
        .x_label_formatter(&month_name)
        .y_label_formatter(&|value| compact(*value))
        .draw()
}

fn draw_lines(context: &mut Context<'_, '_>, panel: &Panel) -> Result<(), DrawError> {
    context.draw_series(panel.loss_areas().into_iter().map(|area| Polygon::new(area, Role::Loss.marker().filled())))?;
    for line in &panel.lines {
        let role = Role::of(line.side);
        context.draw_series(unbroken(line).into_iter().map(|run| PathElement::new(run, role.line(2))))?;
        let dots = line.values.iter().map(|(month, value)| (f64::from(*month), *value));
        context.draw_series(dots.map(|dot| Circle::new(dot, 3, role.marker().filled())))?;
    }
    Ok(())
}

/// The runs of consecutive months in a line.
fn unbroken(line: &Line) -> Vec<Vec<(f64, f64)>> {
    let mut runs: Vec<Vec<(f64, f64)>> = Vec::new();
    let mut previous = None;
    for (&month, &value) in &line.values {
        let point = (f64::from(month), value);
        match runs.last_mut() {
            Some(run) if previous == Some(month - 1) => run.push(point),
            _ => runs.push(vec![point]),
        }
        previous = Some(month);
    }
    runs
}

/// Writes the change month and the quarter above the plot, on two lines so that they cannot collide.
fn name_periods(
    root: &Area<'_>,
    context: &Context<'_, '_>,
    quarter: Quarter,
    change: Option<Month>,
    axis: &MonthAxis,
) -> Result<(), DrawError> {
    let top = context.y_range().end;
    if let Some(change) = change {
        let x = f64::from(change.index());
        let is_late = x > f64::midpoint(f64::from(axis.first), f64::from(axis.last));
        let (side, gap) = if is_late { (HPos::Right, 2) } else { (HPos::Left, -2) };
        let (pixel, _) = context.backend_coord(&(x, top));
        let label = format!("Change: {}", format::month(change));
        root.draw_text(&label, &Role::Text.text(side, VPos::Top), (pixel + gap, 2))?;
    }
    if let Some((start, end)) = axis.band(quarter) {
        let (pixel, y) = context.backend_coord(&(f64::midpoint(start, end), top));
        let style = Role::Text.text(HPos::Center, VPos::Bottom);
        root.draw_text(&format::quarter(quarter), &style, (pixel, y - 2))?;
    }
    Ok(())
}

/// Writes each line's name at its right end, pushed apart where the ends meet.
fn name_lines(root: &Area<'_>, context: &Context<'_, '_>, panel: &Panel) -> Result<(), DrawError> {
    let mut names: Vec<(i32, i32, &Line)> = Vec::new();
    for line in &panel.lines {
        if let Some((month, value)) = line.values.last_key_value() {
            let (x, y) = context.backend_coord(&(f64::from(*month), *value));
            names.push((x, y, line));
        }
    }
    names.sort_by_key(|(_, y, _)| *y);
    if let [(_, upper, _), (_, lower, _)] = names.as_mut_slice() {
        let overlap = (LABEL_GAP - (*lower - *upper)).max(0);
        *upper -= (overlap + 1) / 2;
        *lower += overlap / 2;
    }
    for (x, y, line) in names {
        root.draw_text(line.label, &Role::of(line.side).text(HPos::Left, VPos::Center), (x + 9, y))?;
    }
    Ok(())
}

/// An axis label in few characters: `950`, `12.5k`, `3M`.
pub(super) fn compact(value: f64) -> String {
    let (scaled, suffix) = match value.abs() {
        size if size >= 1e12 => return format!("{value:.0e}"),
        size if size >= 1e9 => (value / 1e9, "bn"),
        size if size >= 1e6 => (value / 1e6, "M"),
        size if size >= 1e4 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let text = format!("{scaled:.2}");
    format!("{}{suffix}", text.trim_end_matches('0').trim_end_matches('.'))
}

/// Replaces each role's colour by its class and drops attributes that only repeat a default. Text is safe from this:
/// plotters writes its quotes as `&quot;`.
pub(super) fn classes_for_colours(svg: &str) -> String {
    let body = svg.split_once(">\n").map_or(svg, |(_, body)| body);
    let mut body = body
        .trim_end()
        .trim_end_matches("</svg>")
        .replace(" opacity=\"1\"", "")
        .replace(" font-family=\"sans-serif\"", "")
        .replace(" stroke=\"none\"", "")
        .replace(" \"/>", "\"/>");
    for role in Role::ALL {
        let RGBColor(red, green, blue) = role.marker();
        let colour = format!("#{red:02X}{green:02X}{blue:02X}");
        for paint in ["fill", "stroke"] {
            body = body.replace(&format!("{paint}=\"{colour}\""), &format!("class=\"{paint}-{}\"", role.class()));
        }
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axis_labels_are_short() {
        let labels = [0.0, 12.5, 9_500.0, 12_500.0, 3e6, 4e9, -2e4].map(compact);
        assert_eq!(labels, ["0", "12.5", "9500", "12.5k", "3M", "4bn", "-20k"]);
    }

    #[test]
    fn month_labels_fit_and_follow_the_calendar() {
        let first = Month::new(2025, 10).expect("a month").index();
        let axis = MonthAxis { first, last: first + 11, labels: 7 };
        let names: Vec<String> = axis.key_points(12).into_iter().map(MonthAxis::name).collect();
        assert_eq!(names, ["Nov 2025", "Jan 2026", "Mar 2026", "May 2026", "Jul 2026", "Sep 2026"]);
        let decade = MonthAxis { first, last: first + 119, labels: 4 };
        assert!(decade.key_points(12).len() <= 4);
    }
}
