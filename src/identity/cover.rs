//! Which PSA lines are which vendor lines, for one customer and month: an exact cover by quantity.
//!
//! | block | means | holds if |
//! | --- | --- | --- |
//! | `Sum` | one or several vendor lines are one PSA service | their quantities add up to the service's |
//! | `Each` | one vendor line is several PSA services (a bundle holds one of each) | each service has the line's quantity |
//! | `Parts` | one vendor line is several PSA services (each has a part) | the services' quantities add up to the line's |
//!
//! Every line stands in at most one block. The best cover leaves the fewest lines over; of those the one with the fewest blocks whose
//! money disagrees (cost known on both sides), then the one with most blocks, which are the plainest. A cover is `unique` if no
//! other is as good: two services of equal quantity could be swapped, and only another month can tell them apart.
//!
//! Quantities are exact decimals; `tolerance` is a share of the larger side, zero for equality. Bounds: at most [`MOST_LINES`] lines a side,
//! [`MOST_IN_A_SET`] lines in a set, [`MOST_STEPS`] steps of the search; beyond them the month is refused, and says so. With n lines a side
//! there are O(n^5) sets to add up; the search itself is exponential in the blocks that hold, which are few.

use rust_decimal::Decimal;
use std::cmp::Reverse;

/// Most lines on one side.
pub const MOST_LINES: usize = 12;
/// Most lines that are one.
pub const MOST_IN_A_SET: usize = 4;
/// Most steps of one search.
pub const MOST_STEPS: usize = 1_000_000;

/// A line of a month: what the PSA commits to, or what a vendor delivers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Service or SKU.
    pub id: String,
    /// Units in the month.
    pub quantity: Decimal,
    /// Cost in the month, where it is known, in one currency for both sides.
    pub cost: Option<Decimal>,
}

/// What a block means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// Vendor lines add up to one service.
    Sum,
    /// One vendor line holds one unit of each service.
    Each,
    /// One vendor line is shared out over services.
    Parts,
}

/// Lines that are each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Block {
    /// How.
    pub form: Form,
    /// Places of PSA lines, ascending.
    pub psa: Vec<usize>,
    /// Places of vendor lines, ascending.
    pub vendor: Vec<usize>,
    /// Whether their costs agree, where both are known.
    pub cost_agrees: Option<bool>,
}

/// The best cover of a month.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cover {
    /// Its blocks.
    pub blocks: Vec<Block>,
    /// PSA lines that nothing covers.
    pub psa_left: Vec<usize>,
    /// Vendor lines that nothing covers.
    pub vendor_left: Vec<usize>,
    /// Whether no other cover is as good.
    pub is_unique: bool,
}

/// Why a month was not solved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Too many lines.
    #[error("{lines} lines on one side, more than {MOST_LINES}")]
    TooManyLines {
        /// How many.
        lines: usize,
    },
    /// Too many possibilities.
    #[error("more than {MOST_STEPS} possibilities")]
    TooManySteps,
}

/// The best cover of a month's lines. Lines of zero or less take no part and are left over.
///
/// # Errors
/// [`Refusal`] beyond the bounds.
pub fn cover(psa: &[Line], vendor: &[Line], tolerance: Decimal) -> Result<Cover, Refusal> {
    let lines = psa.len().max(vendor.len());
    if lines > MOST_LINES {
        return Err(Refusal::TooManyLines { lines });
    }
    let blocks = blocks(psa, vendor, tolerance);
    let mut search = Search { blocks: &blocks, best: None, steps: 0 };
    search.visit(0, Picked::default())?;
    Ok(search.best.map_or_else(Cover::default, |best| best.cover(&blocks, psa.len(), vendor.len())))
}

/// Whether two quantities are the same within a share of the larger.
#[must_use]
pub fn is_equal(a: Decimal, b: Decimal, tolerance: Decimal) -> bool {
    let allowed = a.abs().max(b.abs()).checked_mul(tolerance).unwrap_or(Decimal::MAX);
    a.checked_sub(b).is_some_and(|gap| gap.abs() <= allowed)
}

/// Every block that holds, in a fixed order.
fn blocks(psa: &[Line], vendor: &[Line], tolerance: Decimal) -> Vec<Block> {
    let mut blocks = Vec::new();
    let is_there = |lines: &[Line]| (0..lines.len()).filter(|&at| lines[at].quantity > Decimal::ZERO).collect::<Vec<_>>();
    let (psa_places, vendor_places) = (is_there(psa), is_there(vendor));
    let mut add = |form: Form, own: Vec<usize>, other: Vec<usize>| {
        let cost =
            |lines: &[Line], places: &[usize]| places.iter().try_fold(Decimal::ZERO, |sum, &at| sum.checked_add(lines[at].cost?));
        let cost_agrees = match (cost(psa, &own), cost(vendor, &other)) {
            (Some(a), Some(b)) => Some(is_equal(a, b, tolerance.max(Decimal::new(1, 2)))),
            _ => None,
        };
        blocks.push(Block { form, psa: own, vendor: other, cost_agrees });
    };
    for set in sets(&vendor_places) {
        let sum: Option<Decimal> = set.iter().try_fold(Decimal::ZERO, |sum, &at| sum.checked_add(vendor[at].quantity));
        for &at in &psa_places {
            if sum.is_some_and(|sum| is_equal(sum, psa[at].quantity, tolerance)) {
                add(Form::Sum, vec![at], set.clone());
            }
        }
    }
    for set in sets(&psa_places).into_iter().filter(|set| set.len() > 1) {
        let sum: Option<Decimal> = set.iter().try_fold(Decimal::ZERO, |sum, &at| sum.checked_add(psa[at].quantity));
        for &at in &vendor_places {
            let quantity = vendor[at].quantity;
            if set.iter().all(|&own| is_equal(psa[own].quantity, quantity, tolerance)) {
                add(Form::Each, set.clone(), vec![at]);
            } else if sum.is_some_and(|sum| is_equal(sum, quantity, tolerance)) {
                add(Form::Parts, set.clone(), vec![at]);
            }
        }
    }
    blocks.sort();
    blocks
}

/// Sets of one to [`MOST_IN_A_SET`] places.
fn sets(places: &[usize]) -> Vec<Vec<usize>> {
    let mut all: Vec<Vec<usize>> = Vec::new();
    let mut last: Vec<(usize, Vec<usize>)> = vec![(0, Vec::new())];
    for _ in 0..MOST_IN_A_SET {
        let mut longer = Vec::new();
        for (from, set) in &last {
            for (at, &place) in places.iter().enumerate().skip(*from) {
                let mut set = set.clone();
                set.push(place);
                longer.push((at + 1, set));
            }
        }
        all.extend(longer.iter().map(|(_, set)| set.clone()));
        last = longer;
    }
    all
}

/// A choice of blocks, by their places; lines as bits.
#[derive(Clone, Debug, Default)]
struct Picked {
    blocks: Vec<usize>,
    psa: u32,
    vendor: u32,
    disagreeing: usize,
}

struct Best {
    picked: Picked,
    is_unique: bool,
}

struct Search<'a> {
    blocks: &'a [Block],
    best: Option<Best>,
    steps: usize,
}

fn bits(places: &[usize]) -> u32 {
    places.iter().fold(0, |bits, place| bits | 1 << place)
}

impl Search<'_> {
    /// Takes or leaves each block in turn.
    fn visit(&mut self, from: usize, picked: Picked) -> Result<(), Refusal> {
        // Each block that is looked at is a step.
        self.steps += 1 + self.blocks.len().saturating_sub(from);
        if self.steps > MOST_STEPS {
            return Err(Refusal::TooManySteps);
        }
        self.judge(&picked);
        for at in from..self.blocks.len() {
            let block = &self.blocks[at];
            let (psa, vendor) = (bits(&block.psa), bits(&block.vendor));
            if picked.psa & psa == 0 && picked.vendor & vendor == 0 {
                let mut next = picked.clone();
                next.blocks.push(at);
                next.psa |= psa;
                next.vendor |= vendor;
                next.disagreeing += usize::from(block.cost_agrees == Some(false));
                self.visit(at + 1, next)?;
            }
        }
        Ok(())
    }

    fn judge(&mut self, picked: &Picked) {
        let worth = |picked: &Picked| {
            let covered = picked.psa.count_ones() + picked.vendor.count_ones();
            (covered, Reverse(picked.disagreeing), picked.blocks.len())
        };
        match &mut self.best {
            Some(best) if worth(&best.picked) > worth(picked) => {}
            Some(best) if worth(&best.picked) == worth(picked) => best.is_unique = false,
            _ => self.best = Some(Best { picked: picked.clone(), is_unique: true }),
        }
    }
}

impl Best {
    fn cover(&self, blocks: &[Block], psa: usize, vendor: usize) -> Cover {
        let left = |count: usize, taken: u32| (0..count).filter(|place| taken & (1 << place) == 0).collect();
        Cover {
            blocks: self.picked.blocks.iter().map(|&at| blocks[at].clone()).collect(),
            psa_left: left(psa, self.picked.psa),
            vendor_left: left(vendor, self.picked.vendor),
            is_unique: self.is_unique,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(quantities: &[i64]) -> Vec<Line> {
        let line = |(at, quantity): (usize, &i64)| Line { id: format!("l{at}"), quantity: Decimal::from(*quantity), cost: None };
        quantities.iter().enumerate().map(line).collect()
    }

    fn solved(psa: &[i64], vendor: &[i64]) -> Cover {
        cover(&lines(psa), &lines(vendor), Decimal::ZERO).expect("small")
    }

    #[test]
    fn several_skus_add_up_to_one_service() {
        let cover = solved(&[22, 9], &[15, 7, 9]);
        assert_eq!(
            cover.blocks.iter().map(|b| (b.psa.clone(), b.vendor.clone())).collect::<Vec<_>>(),
            [(vec![0], vec![0, 1]), (vec![1], vec![2])]
        );
        assert!(cover.is_unique && cover.psa_left.is_empty() && cover.vendor_left.is_empty());
    }

    #[test]
    fn one_bundle_is_several_services() {
        let cover = solved(&[12, 12, 5], &[12, 5]);
        assert_eq!((cover.blocks[1].form, &cover.blocks[1].psa), (Form::Each, &vec![0, 1]));
        let parts = solved(&[60, 41], &[101]);
        assert_eq!(parts.blocks[0].form, Form::Parts);
    }

    #[test]
    fn services_of_equal_quantity_cannot_be_told_apart_by_quantity() {
        assert!(!solved(&[5, 5], &[5, 5]).is_unique);
        let priced = |quantity: i64, cost: i64| Line { id: String::new(), quantity: quantity.into(), cost: Some(cost.into()) };
        let told = cover(&[priced(5, 50), priced(5, 10)], &[priced(5, 10), priced(5, 50)], Decimal::ZERO).expect("small");
        assert!(told.is_unique);
        assert_eq!(told.blocks.iter().map(|b| (b.psa[0], b.vendor[0])).collect::<Vec<_>>(), [(0, 1), (1, 0)]);
    }

    #[test]
    fn what_differs_is_left_over_and_too_much_is_refused() {
        let cover = solved(&[22], &[20]);
        assert_eq!((cover.psa_left, cover.vendor_left), (vec![0], vec![0]));
        let many = lines(&[1; 13]);
        assert_eq!(super::cover(&many, &many, Decimal::ZERO), Err(Refusal::TooManyLines { lines: 13 }));
        let same = lines(&[1; 12]);
        assert_eq!(super::cover(&same, &same, Decimal::ZERO), Err(Refusal::TooManySteps));
        let near = |tolerance| super::cover(&lines(&[100]), &lines(&[99]), tolerance).expect("small").blocks.len();
        assert_eq!((near(Decimal::ZERO), near(Decimal::new(1, 2))), (0, 1));
    }

    proptest! {
        #[test]
        fn blocks_hold_exactly_and_no_line_is_used_twice(psa in prop::collection::vec(1_i64..12, 0..5), vendor in prop::collection::vec(1_i64..12, 0..5)) {
            let cover = solved(&psa, &vendor);
            let mut used = (Vec::new(), Vec::new());
            for block in &cover.blocks {
                let sum = |values: &[i64], places: &[usize]| places.iter().map(|&at| values[at]).sum::<i64>();
                match block.form {
                    Form::Sum | Form::Parts => prop_assert_eq!(sum(&psa, &block.psa), sum(&vendor, &block.vendor)),
                    Form::Each => prop_assert!(block.psa.iter().all(|&at| psa[at] == vendor[block.vendor[0]])),
                }
                used.0.extend(block.psa.clone());
                used.1.extend(block.vendor.clone());
            }
            used.0.extend(cover.psa_left);
            used.1.extend(cover.vendor_left);
            used.0.sort_unstable();
            used.1.sort_unstable();
            prop_assert_eq!(used.0, (0..psa.len()).collect::<Vec<_>>());
            prop_assert_eq!(used.1, (0..vendor.len()).collect::<Vec<_>>());
        }
    }
}
