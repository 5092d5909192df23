//! A picture of a token's past: the time of a processor, and how large it is.

use crate::{
    process,
    table::{Table, millis},
};
use bellwether::{
    chart::{Chart, NextLevels, png},
    demo::market::{DailyRow, HourlyRow, Market},
    domain::{Graded, Kind, Near, PastRow, Since, Theme, Timestamp, TokenId, Values, wording::TokenLabel},
};
use chrono::Utc;
use std::time::Duration;

const ROUNDS: u32 = 50;
const BTC: TokenId = TokenId(3375);

pub(crate) fn measure(table: &mut Table) {
    let market = Market::new(1, Timestamp::parse("2026-11-21T18:00:00Z").unwrap());
    for (what, chart) in [("daily", daily(&market)), ("hourly", hourly(&market))] {
        // The letters are read once.
        let bytes = picture(&chart).len();
        let began = process::cpu(std::process::id());
        for _ in 0..ROUNDS {
            assert_eq!(picture(&chart).len(), bytes);
        }
        let each = (process::cpu(std::process::id()) - began) / ROUNDS;
        let rows = chart.rows.len();
        table.reach(&format!("a chart of {rows} {what} rows, CPU"), "under 35 ms", millis(each), each < Duration::from_millis(35));
        table.reach("the same, size", "under 90 kB", format!("{:.1} kB", bytes as f64 / 1e3), bytes < 90_000);
    }
}

fn picture(chart: &Chart) -> Vec<u8> {
    png(&chart.svg(&Utc, Theme::Dark).unwrap()).unwrap()
}

fn daily(market: &Market) -> Chart {
    let (oldest, today) = market.days();
    let row = |row: DailyRow| PastRow {
        data_time: row.day.start(),
        stance: Some(row.stance),
        values: Values { holding_returns: Some(row.holding_returns), ..Values::default() },
    };
    chart(Kind::Daily, market.daily(BTC, oldest, today).map(row).collect())
}

fn hourly(market: &Market) -> Chart {
    let row = |row: HourlyRow| PastRow {
        data_time: row.hour,
        stance: Some(row.stance),
        values: Values { close: Some(row.close), ..Values::default() },
    };
    chart(Kind::Hourly, market.hourly(BTC).take(168).map(row).collect())
}

fn chart(kind: Kind, mut rows: Vec<PastRow>) -> Chart {
    rows.reverse();
    let newest = rows.last().unwrap();
    let (stance, since) = (newest.stance, Some(Since { at: newest.data_time, exact: true }));
    let (price, grade) = (newest.values.close.unwrap_or(100.0), Some(42.0));
    let levels = NextLevels { price, near: Near { support: Some(price * 0.98), resistance: Some(price * 1.03) } };
    let grade = Graded { label: Some("Hold".to_owned()), grade, ..Graded::default() };
    Chart {
        token: TokenLabel { symbol: "BTC".into(), name: "Bitcoin".into(), id: None },
        id: BTC,
        kind,
        stance,
        since,
        rows,
        levels: Some(levels),
        grade: Some(grade),
    }
}
