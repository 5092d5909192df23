//! One token's way: an hourly random walk and the two trends that are read from it.
//!
//! Nothing but the four basic operations is used on prices, so that a seed shows the same market on every machine.

use super::listing::Listing;
use crate::domain::Stance;
use fastrand::Rng;

/// How much of the way back to its usual price a token goes in an hour.
const HOMESICKNESS: f64 = 0.002;
const DAILY_HOURS: f64 = 60.0;
const DAILY_BAND: f64 = 5.0;
const HOURLY_HOURS: f64 = 12.0;
const HOURLY_BAND: f64 = 2.5;

/// What is known of a token at the full hour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) price: f64,
    pub(super) daily: Stance,
    pub(super) hourly: Stance,
    pub(super) trader_grade: f64,
    pub(super) investor_grade: f64,
    /// What following the daily calls would have brought, as a ratio.
    pub(super) signal_returns: f64,
    /// What holding would have brought, as a ratio.
    pub(super) holding_returns: f64,
}

/// Where the price stands against its own average: above a band it is bullish, below it bearish, within it whatever it was.
#[derive(Clone, Debug)]
struct Trend {
    weight: f64,
    band: f64,
    average: f64,
    stance: Stance,
}

impl Trend {
    fn new(price: f64, hours: f64, band: f64, stance: Stance) -> Self {
        Self { weight: 1.0 / hours, band, average: price, stance }
    }

    /// How far above its average the price would stand, in bands.
    fn height(&self, price: f64) -> f64 {
        let average = self.average + self.weight * (price - self.average);
        (price / average - 1.0) / self.band
    }

    fn stance_at(&self, price: f64) -> Stance {
        match self.height(price) {
            height if height > 1.0 => Stance::Bullish,
            height if height < -1.0 => Stance::Bearish,
            _ => self.stance,
        }
    }

    fn observe(&mut self, price: f64) {
        self.stance = self.stance_at(price);
        self.average += self.weight * (price - self.average);
    }
}

/// One token's way so far.
#[derive(Debug)]
pub(super) struct Walk {
    pub(super) listing: &'static Listing,
    rng: Rng,
    daily: Trend,
    hourly: Trend,
    points: Vec<Point>,
}

impl Walk {
    /// Begins the way. Each token has dice of its own, so that none depends on how many others there are.
    pub(super) fn new(seed: u64, listing: &'static Listing) -> Self {
        let mut rng = Rng::with_seed(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ listing.id.0.unsigned_abs());
        let price = listing.price * (0.85 + 0.3 * rng.f64());
        let stance = if rng.bool() { Stance::Bullish } else { Stance::Bearish };
        let daily = Trend::new(price, DAILY_HOURS, DAILY_BAND * listing.volatility, stance);
        let hourly = Trend::new(price, HOURLY_HOURS, HOURLY_BAND * listing.volatility, stance);
        let first = Point {
            price,
            daily: stance,
            hourly: stance,
            trader_grade: 50.0,
            investor_grade: 30.0 + 40.0 * rng.f64(),
            signal_returns: 1.0 + 20.0 * rng.f64(),
            holding_returns: 0.5 + 8.0 * rng.f64(),
        };
        Self { listing, rng, daily, hourly, points: vec![first] }
    }

    /// Where chance leads it in the next hour.
    pub(super) fn next_price(&mut self) -> f64 {
        let price = self.latest().price;
        // The sum of twelve dice is close to a normal distribution, and needs no logarithm.
        let chance: f64 = (0..12).map(|_| self.rng.f64()).sum::<f64>() - 6.0;
        let home = (self.listing.price - price) / self.listing.price;
        price * (1.0 + self.listing.volatility * chance + HOMESICKNESS * home)
    }

    /// The price that turns its daily call.
    pub(super) fn turning_price(&self) -> f64 {
        self.daily.average * (1.0 - 1.5 * self.daily.band * self.side())
    }

    /// How far the price would have to jump for that, as a ratio.
    pub(super) fn turning_distance(&self) -> f64 {
        (self.turning_price() / self.latest().price - 1.0).abs()
    }

    /// `price`, or one nearby at which its daily call stays as it is.
    pub(super) fn calm_price(&self, price: f64) -> f64 {
        if self.daily.stance_at(price) == self.daily.stance {
            price
        } else {
            self.daily.average * (1.0 - 0.5 * self.daily.band * self.side())
        }
    }

    /// Takes the step.
    pub(super) fn step_to(&mut self, price: f64) {
        let last = *self.latest();
        let change = price / last.price;
        self.daily.observe(price);
        self.hourly.observe(price);
        let whim = 14.0 * (self.rng.f64() - 0.5);
        let trader_grade = (50.0 + 16.0 * self.daily.height(price) + whim).clamp(1.0, 99.0);
        self.points.push(Point {
            price,
            daily: self.daily.stance,
            hourly: self.hourly.stance,
            trader_grade,
            investor_grade: last.investor_grade + 0.004 * (trader_grade - last.investor_grade),
            signal_returns: if last.daily == Stance::Bullish { (1.0 + last.signal_returns) * change - 1.0 } else { last.signal_returns },
            holding_returns: (1.0 + last.holding_returns) * change - 1.0,
        });
    }

    /// The point `hour` hours after the beginning, where it has been reached.
    pub(super) fn point(&self, hour: usize) -> Option<&Point> {
        self.points.get(hour)
    }

    /// Every point, the oldest first.
    pub(super) fn points(&self) -> &[Point] {
        &self.points
    }

    /// The newest point.
    pub(super) fn latest(&self) -> &Point {
        &self.points[self.points.len() - 1]
    }

    fn side(&self) -> f64 {
        if self.daily.stance == Stance::Bullish { 1.0 } else { -1.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::listing::LISTINGS, *};

    fn walked(hours: usize) -> Walk {
        let mut walk = Walk::new(7, &LISTINGS[0]);
        for _ in 0..hours {
            let price = walk.next_price();
            walk.step_to(price);
        }
        walk
    }

    #[test]
    fn the_turning_price_turns_and_the_calm_price_does_not() {
        for hours in [10, 100, 500, 1000] {
            let mut walk = walked(hours);
            let before = walk.latest().daily;
            let turning = walk.turning_price();
            walk.step_to(walk.calm_price(turning));
            assert_eq!(walk.latest().daily, before);
            walk.step_to(walk.turning_price());
            assert_eq!(walk.latest().daily, before.opposite());
        }
    }

    #[test]
    fn prices_stay_near_home_and_grades_in_their_range() {
        let walk = walked(3000);
        for point in &walk.points {
            assert!((0.3..3.0).contains(&(point.price / walk.listing.price)), "{point:?}");
            assert!((0.0..=100.0).contains(&point.trader_grade) && (0.0..=100.0).contains(&point.investor_grade), "{point:?}");
        }
    }
}
