//! Re-rating against an independent plain implementation: exact fractions, one day at a time, on 100,000 random contracts.
//! It follows the rule as `src/rating` states it, without any of its code: no decimals, no stretches, tiers as lists of bands.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rust_decimal::Decimal;
use shortfall::rating::terms::{Basis, Model, Proration};
use shortfall::rating::tiers::Tiers;
use shortfall::rating::{ContractSegment, Delivered, MonthInput, Segment, Terms, rate};
use std::ops::{Add, Mul, Sub};

const CONTRACTS: u64 = 100_000;

/// A fraction in lowest terms.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Fraction(i128, i128);

impl Fraction {
    const ZERO: Self = Self(0, 1);

    fn new(top: i128, bottom: i128) -> Self {
        let (mut a, mut b) = (top.abs(), bottom);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        Self(top / a.max(1), bottom / a.max(1))
    }

    fn whole(number: i64) -> Self {
        Self(number.into(), 1)
    }

    fn of(decimal: Decimal) -> Self {
        Self::new(decimal.mantissa(), 10_i128.pow(decimal.scale()))
    }

    fn max(self, other: Self) -> Self {
        if (self - other).0 < 0 { other } else { self }
    }

    fn min(self, other: Self) -> Self {
        if (self - other).0 < 0 { self } else { other }
    }

    /// Cents, half-even.
    fn cents(self) -> i128 {
        let (top, bottom) = (self.0 * 100, self.1);
        let (floor, rest) = (top.div_euclid(bottom), top.rem_euclid(bottom));
        floor + i128::from(2 * rest > bottom || (2 * rest == bottom && floor % 2 != 0))
    }
}

impl Add for Fraction {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self::new(self.0 * other.1 + other.0 * self.1, self.1 * other.1)
    }
}

impl Sub for Fraction {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self + Self(-other.0, other.1)
    }
}

impl Mul for Fraction {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        Self::new(self.0 * other.0, self.1 * other.1)
    }
}

/// A contract in whole numbers: quantities in units, prices in hundredths of a cent.
#[derive(Clone, Debug)]
struct Plain {
    length: i64,
    lines: Vec<(i64, i64, i64, i64, i64)>,
    levels: Vec<(i64, i64, i64)>,
    terms: Vec<PlainTerms>,
    flow: Option<i64>,
    cost: Option<i64>,
}

#[derive(Clone, Debug)]
struct PlainTerms {
    from: i64,
    to: i64,
    model: PlainModel,
    overage: Option<i64>,
    included: i64,
    minimum: i64,
    basis: u8,
    is_thirty: bool,
}

#[derive(Clone, Debug)]
enum PlainModel {
    PerUnit(i64),
    Fee(i64),
    Graduated(Vec<(i64, i64)>, i64),
    Volume(Vec<(i64, i64)>, i64),
    CostPlus(i64),
}

fn price(hundredths: i64) -> Fraction {
    Fraction::new(hundredths.into(), 10_000)
}

impl PlainTerms {
    fn charge(&self, quantity: Fraction, committed: Fraction, cost: Option<i64>) -> Option<Fraction> {
        let within = if self.overage.is_some() { quantity.min(committed) } else { quantity };
        let over = self.overage.map_or(Fraction::ZERO, price);
        let banded = |bands: &[(i64, i64)], last: i64| {
            let (mut money, mut from) = (Fraction::ZERO, Fraction::ZERO);
            for &(end, at) in bands {
                let to = Fraction::whole(end).min(within).max(from);
                money = money + (to - from) * price(at);
                from = to;
            }
            money + (within - from).max(Fraction::ZERO) * price(last)
        };
        Some(match &self.model {
            PlainModel::PerUnit(at) => within * price(*at) + (quantity - within) * over,
            PlainModel::Fee(fee) => price(*fee) + quantity * over,
            PlainModel::Graduated(bands, last) => banded(bands, *last) + (quantity - within) * over,
            PlainModel::Volume(bands, last) => {
                let at = bands.iter().find(|(end, _)| (within - Fraction::whole(*end)).0 <= 0).map_or(*last, |(_, at)| *at);
                within * price(at) + (quantity - within) * over
            }
            PlainModel::CostPlus(percent) => price(cost?) * Fraction::new(i128::from(100 + percent), 100),
        })
    }
}

/// What should be billed, in cents; none without a price on any day.
fn plainly(contract: &Plain) -> Option<i128> {
    let (mut money, mut is_priced) = (Fraction::ZERO, false);
    let (mut committed_days, mut included_days, mut covered_days) = (Fraction::ZERO, Fraction::ZERO, Fraction::ZERO);
    let mut unit_days: Vec<PlainTerms> = Vec::new();
    for day in 0..contract.length {
        let lines: Vec<_> = contract.lines.iter().filter(|line| line.0 <= day && day < line.1).collect();
        let committed = lines.iter().fold(Fraction::ZERO, |sum, line| sum + Fraction::whole(line.2));
        let free = lines.iter().fold(Fraction::ZERO, |sum, line| sum + Fraction::whole(line.3));
        let used = contract.levels.iter().filter(|level| level.0 <= day && day < level.1).map(|level| level.2).sum::<i64>();
        let written = contract.terms.iter().find(|terms| terms.from <= day && day < terms.to);
        let own = lines.iter().max_by_key(|line| line.0).map(|line| line.4);
        let terms = match (written, own) {
            (Some(terms), _) => Some(terms.clone()),
            (None, Some(own)) => Some(PlainTerms {
                from: 0,
                to: 0,
                model: PlainModel::PerUnit(own),
                overage: None,
                included: 0,
                minimum: 0,
                basis: 0,
                is_thirty: false,
            }),
            (None, None) => None,
        };
        let (basis, minimum) = terms.as_ref().map_or((0, 0), |terms| (terms.basis, terms.minimum));
        let included = free + Fraction::whole(terms.as_ref().map_or(0, |terms| terms.included));
        let floor = Fraction::whole(minimum);
        let used = Fraction::whole(used);
        let (owed, by_contract) = match basis {
            0 => (committed.max(used), committed),
            1 => (committed, committed),
            _ => (used, Fraction::ZERO),
        };
        let billable = (owed - included).max(floor);
        let covered = (by_contract - included).max(floor);
        committed_days = committed_days + committed;
        included_days = included_days + included;
        covered_days = covered_days + covered;
        let Some(terms) = terms else { continue };
        let share = if terms.is_thirty {
            let at = |day: i64| if day == contract.length { 30 } else { day.min(30) };
            Fraction::new((at(day + 1) - at(day)).into(), 30)
        } else {
            Fraction::new(1, contract.length.into())
        };
        if let Some(charge) = terms.charge(billable, covered, contract.cost) {
            is_priced = true;
            money = money + charge * share;
        }
        if !matches!(terms.model, PlainModel::CostPlus(_)) {
            unit_days.push(terms);
        }
    }
    if let Some(flow) = contract.flow {
        let part = Fraction::new(1, contract.length.into());
        let (committed, included, covered) = (committed_days * part, included_days * part, covered_days * part);
        let last = contract.terms.last();
        let owed = match last.map_or(0, |terms| terms.basis) {
            0 => committed.max(Fraction::whole(flow)),
            1 => committed,
            _ => Fraction::whole(flow),
        };
        let billable = (owed - included).max(Fraction::whole(last.map_or(0, |terms| terms.minimum)));
        let beyond = (billable - covered).max(Fraction::ZERO);
        let count = Fraction::new(1, i128::try_from(unit_days.len().max(1)).expect("days"));
        for terms in &unit_days {
            let charge = |quantity| terms.charge(quantity, covered, None).unwrap_or(Fraction::ZERO);
            money = money + (charge(covered + beyond) - charge(covered)) * count;
        }
    }
    is_priced.then(|| money.cents())
}

fn random(dice: &mut ChaCha8Rng) -> Plain {
    let length = dice.random_range(28..=31);
    let days = |dice: &mut ChaCha8Rng| {
        let from = if dice.random_bool(0.5) { 0 } else { dice.random_range(0..length) };
        let to = if dice.random_bool(0.5) { length } else { dice.random_range(from + 1..=length) };
        (from, to)
    };
    // Lines of one price: what several prices mean is told in a test of its own.
    let own = dice.random_range(0..60) * 2_500;
    let lines = (0..dice.random_range(0..3)).map(|_| {
        let (from, to) = days(dice);
        let free = if dice.random_bool(0.2) { dice.random_range(0..20) } else { 0 };
        (from, to, dice.random_range(0..300), free, own)
    });
    let lines: Vec<_> = lines.collect();
    let levels: Vec<_> = (0..dice.random_range(0..3))
        .map(|_| {
            let (from, to) = days(dice);
            (from, to, dice.random_range(0..300))
        })
        .collect();
    let bands = |dice: &mut ChaCha8Rng| {
        let mut end = 0;
        (0..dice.random_range(1..4))
            .map(|_| {
                end += dice.random_range(1..120);
                (end, dice.random_range(0..90_000))
            })
            .collect::<Vec<_>>()
    };
    let cut = dice.random_range(0..=length);
    let spans = match dice.random_range(0..4) {
        0 => vec![],
        1 if cut > 0 && cut < length => vec![(0, cut), (cut, length)],
        2 if cut < length => vec![(cut, length)],
        _ => vec![(0, length)],
    };
    let terms = spans.into_iter().map(|(from, to)| PlainTerms {
        from,
        to,
        model: match dice.random_range(0..5) {
            0 => PlainModel::PerUnit(dice.random_range(0..400_000)),
            1 => PlainModel::Fee(dice.random_range(0..4_000_000)),
            2 => PlainModel::Graduated(bands(dice), dice.random_range(0..90_000)),
            3 => PlainModel::Volume(bands(dice), dice.random_range(0..90_000)),
            _ => PlainModel::CostPlus(dice.random_range(0..60)),
        },
        overage: dice.random_bool(0.3).then(|| dice.random_range(0..300_000)),
        included: if dice.random_bool(0.3) { dice.random_range(0..100) } else { 0 },
        minimum: if dice.random_bool(0.3) { dice.random_range(0..100) } else { 0 },
        basis: dice.random_range(0..3),
        is_thirty: dice.random_bool(0.3),
    });
    let terms: Vec<_> = terms.collect();
    Plain {
        length,
        lines,
        levels,
        terms,
        flow: dice.random_bool(0.4).then(|| dice.random_range(0..600)),
        cost: dice.random_bool(0.8).then(|| dice.random_range(0..9_000_000)),
    }
}

fn decimal(hundredths: i64) -> Decimal {
    Decimal::new(hundredths, 4)
}

fn input(plain: &Plain) -> MonthInput {
    let day = |day: i64| i32::try_from(day).expect("a day");
    let tiers = |bands: &[(i64, i64)], last: i64| {
        let text: Vec<String> = bands.iter().map(|&(end, at)| format!("{end}:{}", decimal(at))).collect();
        Tiers::parse(&format!("{};:{}", text.join(";"), decimal(last))).expect("tiers")
    };
    let segment = |from, to, quantity: i64| Segment { from: day(from), to: day(to), quantity: quantity.into() };
    MonthInput {
        month_start: 0,
        month_end: day(plain.length),
        currency: "USD".to_owned(),
        contract: plain
            .lines
            .iter()
            .map(|&(from, to, quantity, free, at)| ContractSegment {
                days: segment(from, to, quantity),
                included: free.into(),
                unit_price: Some(decimal(at)),
                is_billable: true,
            })
            .collect(),
        delivered: Delivered {
            levels: plain.levels.iter().map(|&(from, to, quantity)| segment(from, to, quantity)).collect(),
            flow: plain.flow.map(Decimal::from),
            cost: plain.cost.map(decimal),
        },
        terms: plain
            .terms
            .iter()
            .map(|terms| Terms {
                from: day(terms.from),
                to: day(terms.to),
                model: match &terms.model {
                    PlainModel::PerUnit(at) => Model::PerUnit(Some(decimal(*at))),
                    PlainModel::Fee(fee) => Model::FlatFee(decimal(*fee)),
                    PlainModel::Graduated(bands, last) => Model::Graduated(tiers(bands, *last)),
                    PlainModel::Volume(bands, last) => Model::Volume(tiers(bands, *last)),
                    PlainModel::CostPlus(percent) => Model::CostPlus((*percent).into()),
                },
                overage_unit_price: terms.overage.map(decimal),
                included: terms.included.into(),
                minimum: terms.minimum.into(),
                basis: [Basis::Max, Basis::Contracted, Basis::Delivered][usize::from(terms.basis)],
                proration: if terms.is_thirty { Proration::ThirtyDays } else { Proration::ActualDays },
            })
            .collect(),
        ..MonthInput::default()
    }
}

#[test]
fn re_rating_agrees_with_a_plain_implementation_on_random_contracts() {
    let mut dice = ChaCha8Rng::seed_from_u64(20_261_126);
    let mut priced = 0;
    for number in 0..CONTRACTS {
        let plain = random(&mut dice);
        let rated = rate(&input(&plain)).expect("small numbers");
        let cents = rated
            .expected
            .map(|money| (money * Decimal::ONE_HUNDRED).mantissa() / 10_i128.pow((money * Decimal::ONE_HUNDRED).scale()));
        assert_eq!(cents, plainly(&plain), "contract {number}: {plain:#?}");
        priced += u64::from(cents.is_some());
    }
    assert!(priced > CONTRACTS / 2, "only {priced} had a price");
    assert_eq!(Fraction::of(Decimal::new(125, 3)).cents(), 12, "half-even");
}
