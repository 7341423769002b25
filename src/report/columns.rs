//! Draws leakage by quarter as columns: revenue below, cost on top of it. Quarters that nobody analysed leave their place empty.

use super::charts::{Canvas, Role, compact};
use super::{QuarterTotal, format};
use crate::month::Quarter;
use plotters::backend::SVGBackend;
use plotters::chart::ChartBuilder;
use plotters::drawing::{DrawingAreaErrorKind, IntoDrawingArea};
use plotters::element::Rectangle;
use plotters::style::Color;
use plotters::style::text_anchor::{HPos, VPos};
use rust_decimal::prelude::ToPrimitive;

/// Room below the columns for the quarters' names.
const FOOTER: i32 = 26;
/// Half the width of a column, in quarters.
const HALF: f64 = 0.32;
/// Names of quarters that fit in this many pixels each.
const NAME_WIDTH: u32 = 62;

/// Months since year 0, in quarters.
fn place(quarter: Quarter) -> i32 {
    quarter.first_month().index() / 3
}

/// The markup of the columns of `totals`, which are in order of their quarters and at least one.
pub(super) fn draw(
    totals: &[&QuarterTotal],
    this: Quarter,
    canvas: Canvas,
) -> Result<String, DrawingAreaErrorKind<std::io::Error>> {
    let mut svg = String::new();
    let (Some(first), Some(last)) = (totals.first(), totals.last()) else { return Ok(svg) };
    let (first, last) = (place(first.quarter), place(last.quarter));
    let parts = |total: &QuarterTotal| {
        let revenue = total.leakage_revenue.to_f64().unwrap_or_default();
        (revenue, revenue + total.leakage_cost.to_f64().unwrap_or_default())
    };
    let highest = totals.iter().map(|total| parts(total).1).fold(0.0, f64::max);
    let top = if highest > 0.0 { highest * 1.12 } else { 1.0 };
    {
        let root = SVGBackend::with_string(&mut svg, (canvas.width, canvas.height)).into_drawing_area();
        let mut context = ChartBuilder::on(&root)
            .margin_left(2)
            .margin_top(8)
            .margin_right(8)
            .margin_bottom(FOOTER)
            .y_label_area_size(46)
            .build_cartesian_2d(f64::from(first) - 0.5..f64::from(last) + 0.5, 0.0..top)?;
        let column = f64::from(place(this));
        let band = Rectangle::new([(column - 0.5, 0.0), (column + 0.5, top)], Role::Quarter.marker().filled());
        context.draw_series([band])?;
        context
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(0)
            .y_labels(5)
            .max_light_lines(0)
            .bold_line_style(Role::Grid.line(1))
            .axis_style(Role::Axis.line(1))
            .y_label_style(Role::Text.text(HPos::Right, VPos::Center))
            .y_label_formatter(&|value| compact(*value))
            .draw()?;
        let bar = |total: &QuarterTotal, from: f64, to: f64, role: Role| {
            let x = f64::from(place(total.quarter));
            Rectangle::new([(x - HALF, from), (x + HALF, to)], role.marker().filled())
        };
        context.draw_series(totals.iter().map(|total| bar(total, 0.0, parts(total).0, Role::Left)))?;
        context.draw_series(totals.iter().map(|total| {
            let (revenue, all) = parts(total);
            bar(total, revenue, all, Role::Cost)
        }))?;
        // As many names as have room, the reported quarter's among them.
        let places = u32::try_from(last - first + 1).unwrap_or(1);
        let step = i32::try_from((places * NAME_WIDTH).div_ceil(canvas.width - 60)).unwrap_or(1).max(1);
        for total in totals {
            let x = place(total.quarter);
            let (left, above) = context.backend_coord(&(f64::from(x), parts(total).1));
            if (last - x) % step == 0 {
                let (_, bottom) = context.backend_coord(&(f64::from(x), 0.0));
                root.draw_text(&format::quarter(total.quarter), &Role::Text.text(HPos::Center, VPos::Top), (left, bottom + 6))?;
                root.draw_text(
                    &compact(parts(total).1.round()),
                    &Role::Text.text(HPos::Center, VPos::Bottom),
                    (left, above - 2),
                )?;
            }
        }
        root.present()?;
    }
    Ok(svg)
}
