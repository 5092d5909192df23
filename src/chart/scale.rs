//! Numbers along the axis: where they stand, and how they read, from twelve zeros behind the point to eight digits before it.

/// A range of values and the round numbers in it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scale {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) step: f64,
}

/// Round numbers along the axis.
const MOST_TICKS: f64 = 5.5;
/// How much of the range stays free above and below.
const MARGIN: f64 = 0.12;
/// Subscript digits: `0.0₈12` has eight zeros behind the point.
const FEW: f64 = 0.001;
const MANY: f64 = 1e9;

impl Scale {
    /// A scale on which all of these have room; a flat line stands in its middle.
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values {
            (low, high) = (low.min(value), high.max(value));
        }
        if !(low.is_finite() && high.is_finite()) {
            return None;
        }
        let least = low.abs().max(high.abs()) * 1e-6;
        let half = if high - low > least { (high - low) * MARGIN } else { (high.abs() * 0.02).max(if high == 0.0 { 1.0 } else { 0.0 }) };
        let (low, high) = (low - half, high + half);
        Some(Self { low, high, step: round_step((high - low) / MOST_TICKS) })
    }

    /// How far up a value stands, from 0 to 1.
    pub(super) fn height(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }

    /// The round numbers on it.
    pub(super) fn ticks(&self) -> Vec<f64> {
        let first = (self.low / self.step).ceil();
        let count = ((self.high / self.step).floor() - first).clamp(0.0, 2.0 * MOST_TICKS);
        (0..=count as u32).map(|index| (first + f64::from(index)) * self.step).collect()
    }
}

/// 1, 2, 2.5 or 5 times a power of ten, not less than `least`.
fn round_step(least: f64) -> f64 {
    let power = 10f64.powi(least.log10().floor() as i32);
    let found = [1.0, 2.0, 2.5, 5.0].into_iter().find(|factor| factor * power >= least * (1.0 - 1e-9));
    found.map_or(10.0 * power, |factor| factor * power)
}

/// A price as its axis writes it, as exact as a step of the axis.
pub(super) fn price(value: f64, step: f64) -> String {
    let size = value.abs();
    if value == 0.0 || size < step * 1e-6 {
        "0".to_owned()
    } else if size < FEW {
        tiny(value, step)
    } else if size >= MANY {
        let (unit, letter) = if size >= 1e12 { (1e12, "T") } else { (1e9, "B") };
        format!("{}{letter}", grouped(value / unit, decimals(step / unit)))
    } else {
        grouped(value, decimals(step))
    }
}

/// A change in percent, always with its sign.
pub(super) fn percent(value: f64, step: f64) -> String {
    let text = grouped(value.abs(), decimals(step));
    let is_nothing = text.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    let sign = match value {
        _ if is_nothing => "",
        value if value < 0.0 => "−",
        _ => "+",
    };
    format!("{sign}{text} %")
}

/// How exactly a single value is written: four figures.
pub(super) fn fineness(value: f64) -> f64 {
    if value == 0.0 { 1.0 } else { 10f64.powi(value.abs().log10().floor() as i32 - 3).min(1.0) }
}

/// A single price by itself: up to six figures, without needless zeros.
pub(super) fn single(value: f64) -> String {
    let text = price(value, 10f64.powi(value.abs().log10().floor() as i32 - 5).min(1.0));
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// `0.0₁₂1234`: the small number counts the zeros behind the point.
fn tiny(value: f64, step: f64) -> String {
    let power = value.abs().log10().floor();
    let figures = ((power - step.log10().floor()) as i32).clamp(0, 5) as usize;
    // Rounding may carry: 9.99 becomes 10.0, one zero less.
    let text = format!("{:.figures$e}", value.abs());
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let zeros = -exponent.parse::<i32>().unwrap_or_default() - 1;
    let digits = digits.replace('.', "");
    let small = |digit: char| char::from_u32(0x2080 + digit.to_digit(10).unwrap_or_default()).unwrap_or(digit);
    let count: String = zeros.to_string().chars().map(small).collect();
    let sign = if value < 0.0 { "−" } else { "" };
    format!("{sign}0.0{count}{digits}")
}

/// How many decimals tell two steps apart.
fn decimals(step: f64) -> usize {
    let is_whole = |decimals: &i32| {
        let scaled = step * 10f64.powi(*decimals);
        (scaled - scaled.round()).abs() < 1e-6 && scaled > 0.5
    };
    (0..12).find(is_whole).unwrap_or(12).unsigned_abs() as usize
}

/// `12,345,678.9`.
fn grouped(value: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs());
    let (whole, rest) = text.split_once('.').map_or((text.as_str(), String::new()), |(whole, rest)| (whole, format!(".{rest}")));
    let mut out = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    format!("{}{out}{rest}", if value < 0.0 { "−" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(values: &[f64]) -> Vec<String> {
        let scale = Scale::of(values.iter().copied()).unwrap();
        scale.ticks().into_iter().map(|tick| price(tick, scale.step)).collect()
    }

    #[test]
    fn prices_of_every_size_read_well() {
        let all = [
            axis(&[96_849.12, 101_200.0]),
            axis(&[12_345_678.0, 12_345_999.0]),
            axis(&[1.0e-13, 3.0e-13]),
            axis(&[0.98, 1.02]),
            axis(&[2.1e12, 2.2e12]),
            axis(&[0.000_2, 0.003]),
        ];
        insta::assert_snapshot!(all.map(|axis| axis.join("  ")).join("\n"), @"
        97,000  98,000  99,000  100,000  101,000
        12,345,700  12,345,800  12,345,900  12,346,000
        0.0₁₂10  0.0₁₂15  0.0₁₂20  0.0₁₂25  0.0₁₂30
        0.98  0.99  1.00  1.01  1.02
        2.100T  2.125T  2.150T  2.175T  2.200T
        0  0.001  0.002  0.003
        ");
    }

    #[test]
    fn a_flat_line_stands_in_the_middle() {
        for flat in [0.0, 1.0, 96_849.12, 1.2e-13, -3.0] {
            let scale = Scale::of([flat, flat]).unwrap();
            assert!((scale.height(flat) - 0.5).abs() < 1e-6, "{flat}: {scale:?}");
            let labels = scale.ticks().into_iter().map(|tick| price(tick, scale.step)).collect::<Vec<_>>();
            assert!((2..=6).contains(&labels.len()) && labels.windows(2).all(|pair| pair[0] != pair[1]), "{flat}: {labels:?}");
        }
        assert_eq!(Scale::of([]), None);
        assert_eq!(Scale::of([f64::NAN]), None);
    }

    #[test]
    fn a_single_value_has_four_figures() {
        let written = |value| price(value, fineness(value));
        assert_eq!(written(96_849.12), "96,849");
        assert_eq!(written(71.5), "71.50");
        assert_eq!(written(0.012_345), "0.01235");
        assert_eq!(written(1.234e-13), "0.0₁₂1234");
        assert_eq!(written(9.9999e-5), "0.0₃1000");
        assert_eq!(written(12_345_678.0), "12,345,678");
        let all = [180.25, 201.0, 1_000_000.0, 11_932_943.0, 1.1e-13, 0.000_012_345_6, 0.99].map(single);
        assert_eq!(all, ["180.25", "201", "1,000,000", "11,932,943", "0.0₁₂11", "0.0₄123456", "0.99"]);
        assert_eq!(percent(12.44, 0.1), "+12.4 %");
        assert_eq!(percent(-0.01, 0.1), "0.0 %");
        assert_eq!(percent(-5.0, 1.0), "−5 %");
    }
}
