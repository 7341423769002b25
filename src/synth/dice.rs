//! Seeded chance without floating point: the same seed gives the same bytes on every machine.
//!
//! Every topic and customer draws from its own stream, so that a book of 301 customers begins with the same 300.

use rand::{Rng, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use rust_decimal::Decimal;

/// What a stream of chance is used for; streams of different topics are independent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Topic {
    Customer = 1,
    Pair,
    Usage,
    Benign,
    Leak,
    Exchange,
    /// Case of a vendor's words.
    Spelling,
    /// Credits, taxes and adjustments in a cost export.
    Extras,
    /// Which user or device goes.
    Subjects,
}

/// A stream of chance.
pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    /// The stream of `topic` number `index` under `seed`.
    pub(crate) fn new(seed: u64, topic: Topic, index: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(((topic as u64) << 48) | index as u64);
        Self(rng)
    }

    /// A whole number from `low` to `high`, both included; `low` if the range is empty.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        if high <= low { low } else { self.0.random_range(low..=high) }
    }

    /// A month count or index from `low` to `high`, both included.
    pub(crate) fn months(&mut self, low: i32, high: i32) -> i32 {
        if high <= low { low } else { self.0.random_range(low..=high) }
    }

    /// True in `percent` of 100 cases.
    pub(crate) fn chance(&mut self, percent: i64) -> bool {
        self.between(1, 100) <= percent
    }

    /// One of `choices`.
    pub(crate) fn pick<T: Copy, const N: usize>(&mut self, choices: [T; N]) -> T {
        const { assert!(N > 0, "nothing to pick from") };
        choices[self.0.random_range(0..N)]
    }

    /// A bell-shaped number with mean 0 and standard deviation 1: the sum of four uniform ones, within about 3.5.
    pub(crate) fn bell(&mut self) -> Decimal {
        // Four uniform numbers on -500..=500 have a joint standard deviation of 578.
        let sum: i64 = (0..4).map(|_| self.between(-500, 500)).sum();
        (Decimal::from(sum) / Decimal::from(578)).round_dp(4)
    }

    /// Puts `items` in random order.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        items.shuffle(&mut self.0);
    }
}

/// A 64-bit fingerprint of three numbers (the finaliser of SplitMix64), for ids that look like a vendor's.
fn fingerprint(seed: u64, kind: u64, number: u64) -> u64 {
    let mut bits = seed ^ kind.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ number.wrapping_mul(0xD1B5_4A32_D192_ED03);
    for multiplier in [0xBF58_476D_1CE4_E5B9, 0x94D0_49BB_1331_11EB] {
        bits = (bits ^ (bits >> 30)).wrapping_mul(multiplier);
    }
    bits ^ (bits >> 31)
}

/// A GUID as Microsoft writes it.
pub(crate) fn guid(seed: u64, kind: u64, number: u64) -> String {
    let high = fingerprint(seed, kind, number);
    let low = fingerprint(seed, kind ^ 0xFFFF, number);
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xFFFF,
        high & 0x0FFF,
        0x8000 | ((low >> 48) & 0x3FFF),
        low & 0xFFFF_FFFF_FFFF
    )
}

/// An id as Stripe writes it: a prefix and letters and digits.
pub(crate) fn stripe_id(prefix: &str, seed: u64, number: u64) -> String {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let kind = prefix.bytes().fold(7_u64, |sum, byte| sum.wrapping_mul(131).wrapping_add(u64::from(byte)));
    let mut bits = (u128::from(fingerprint(seed, kind, number)) << 64) | u128::from(fingerprint(seed, !kind, number));
    let mut text = format!("{prefix}_1");
    for _ in 0..20 {
        let digit = usize::try_from(bits % 62).unwrap_or(0);
        text.push(char::from(ALPHABET[digit]));
        bits /= 62;
    }
    text
}
