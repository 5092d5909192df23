//! Pictures of a token's past. Every run leaves them in `target/tmp/charts`, to be looked at.

use bellwether::{
    chart::{Chart, HEIGHT, NextLevels, WIDTH, png},
    domain::{Graded, Kind, Near, PastRow, Since, Stance, Theme, Timestamp, TokenId, Values, wording::TokenLabel},
};
use chrono::{FixedOffset, Utc};
use insta::assert_snapshot;
use sha2::{Digest, Sha256};
use std::path::PathBuf;

/// A way that chance might have led a price, the same in every run.
fn walk(seed: u64, count: usize, start: f64, size: f64) -> Vec<f64> {
    let mut dice = fastrand::Rng::with_seed(seed);
    let mut price = start;
    let mut step = || {
        price *= 1.0 + size * (dice.f64() + dice.f64() + dice.f64() - 1.5);
        price
    };
    (0..count).map(|_| step()).collect()
}

/// Calls as a trend might give them: bullish above a moving average.
fn calls(prices: &[f64]) -> Vec<Option<Stance>> {
    let mut average = prices[0];
    let mut call = Stance::Bearish;
    let mut of = |price: &f64| {
        average += (price - average) / 8.0;
        match price / average {
            above if above > 1.02 => call = Stance::Bullish,
            below if below < 0.98 => call = Stance::Bearish,
            _ => {}
        }
        Some(call)
    };
    prices.iter().map(&mut of).collect()
}

fn chart(symbol: &str, name: &str, kind: Kind, values: Vec<Values>, calls: &[Option<Stance>]) -> Chart {
    let last = Timestamp::parse("2026-11-21").unwrap();
    let count = u32::try_from(values.len()).unwrap();
    let at = |index: usize| last - kind.period() * (count - 1 - u32::try_from(index).unwrap());
    let row = |(index, values): (usize, Values)| PastRow { data_time: at(index), stance: calls[index], values };
    let rows: Vec<PastRow> = values.into_iter().enumerate().map(row).collect();
    let stance = calls.iter().rev().find_map(|call| *call);
    let since = rows.iter().rev().take_while(|row| row.stance == stance).last().map(|row| Since { at: row.data_time, exact: true });
    Chart {
        token: TokenLabel { symbol: symbol.into(), name: name.into(), id: None },
        id: TokenId(3988),
        kind,
        stance,
        since,
        rows,
        levels: None,
        grade: None,
    }
}

/// The same among levels, with a grade.
fn among(chart: Chart, price: f64, support: Option<f64>, resistance: Option<f64>) -> Chart {
    let grade = Graded { label: Some("Strong Buy".to_owned()), grade: Some(87.25), ..Graded::default() };
    Chart { levels: Some(NextLevels { price, near: Near { support, resistance } }), grade: Some(grade), ..chart }
}

fn closes(prices: &[f64]) -> Vec<Values> {
    prices.iter().map(|close| Values { close: Some(*close), ..Values::default() }).collect()
}

fn returns(prices: &[f64]) -> Vec<Values> {
    prices.iter().map(|price| Values { holding_returns: Some(price - 1.0), ..Values::default() }).collect()
}

fn daily() -> Chart {
    let prices = walk(7, 90, 24.0, 0.05);
    chart("SOL", "Solana", Kind::Daily, returns(&prices), &calls(&prices))
}

/// Prices that wind about the levels next to the last of them.
fn winding(prices: &[f64]) -> Chart {
    let last = prices[prices.len() - 1];
    among(chart("SOL", "Solana", Kind::Hourly, closes(prices), &calls(prices)), last, Some(last * 0.97), Some(last * 1.03))
}

/// Every kind of past, by what is special in it.
fn pasts() -> Vec<(&'static str, Chart)> {
    let hours = walk(3, 168, 96_849.12, 0.012);
    let tiny = walk(5, 120, 1.234e-13, 0.05);
    let large = walk(9, 60, 12_345_678.0, 0.02);
    let season = walk(7, 60, 24.0, 0.05);
    let bearish = vec![Some(Stance::Bearish); 180];
    let wild = "<b>@everyone</b>&\"'\u{202e}币安WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW";
    let once = [None, None, Some(Stance::Bullish), None];
    vec![
        ("daily", daily()),
        ("hourly", chart("BTC", "Bitcoin", Kind::Hourly, closes(&hours), &calls(&hours))),
        ("twelve-zeros", chart("PEPE2", "Twelve Zeros", Kind::Hourly, closes(&tiny), &calls(&tiny))),
        ("eight-digits", chart("XAUBTC", "Eight Digits", Kind::Hourly, closes(&large), &calls(&large))),
        ("flat", chart("USDT", "Tether", Kind::Hourly, closes(&[1.0; 48]), &bearish)),
        ("one-price", chart("NEW", "Newcomer", Kind::Hourly, closes(&[0.3]), &bearish)),
        ("one-ratio", chart("NEW", "Newcomer", Kind::Daily, returns(&[1.3]), &bearish)),
        ("without-prices", chart("SOL", "Solana", Kind::Daily, vec![Values::default(); 60], &calls(&season))),
        ("hostile", chart(wild, &"A \"name\" & <i>".repeat(8), Kind::Daily, returns(&season), &calls(&season))),
        ("nameless", chart("币安", "币安人生", Kind::Hourly, closes(&[1.0, 2.0, 3.0, 2.0]), &once)),
        ("among-levels", among(daily(), 187.4, Some(180.25), Some(201.0))),
        (
            "levels-far-off",
            among(
                chart("XAUBTC", "Eight Digits", Kind::Hourly, closes(&large), &calls(&large)),
                11_932_943.0,
                Some(1_000_000.0),
                Some(99_999_999.0),
            ),
        ),
        ("one-level", among(chart("PEPE2", "Twelve Zeros", Kind::Hourly, closes(&tiny), &calls(&tiny)), 1.009e-13, None, Some(1.1e-13))),
        ("flat-among-levels", among(chart("USDT", "Tether", Kind::Hourly, closes(&[1.0; 48]), &bearish), 1.0, Some(0.99), Some(1.001))),
        ("winding-about-levels", winding(&walk(26, 90, 100.0, 0.03))),
        ("without-a-call", chart("NIL", "Nil", Kind::Daily, returns(&[1.0, 1.1]), &[None, None])),
    ]
}

fn draw(name: &str, chart: &Chart, theme: Theme) -> Vec<u8> {
    let svg = chart.svg(&Utc, theme).unwrap();
    let bytes = png(&svg).unwrap();
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("charts");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(format!("{name}-{theme:?}.png").to_lowercase()), &bytes).unwrap();
    bytes
}

#[test]
fn every_past_is_a_picture_of_the_promised_size() {
    for (name, chart) in pasts() {
        for theme in [Theme::Dark, Theme::Light] {
            let bytes = draw(name, &chart, theme);
            let mut picture = png_reader(&bytes);
            let (width, height) = (picture.info().width, picture.info().height);
            assert_eq!((width, height), (WIDTH, HEIGHT), "{name}");
            assert!(bytes.len() < 90_000, "{name}: {} bytes", bytes.len());
            let mut pixels = vec![0; picture.output_buffer_size().unwrap()];
            picture.next_frame(&mut pixels).unwrap();
            let background = pixels[0];
            let drawn = pixels.iter().filter(|pixel| **pixel != background).count();
            assert!(drawn > 100_000, "{name}: {drawn} pixels are not background");
        }
    }
}

fn png_reader(bytes: &[u8]) -> png::Reader<std::io::Cursor<&[u8]>> {
    png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap()
}

#[test]
fn the_same_past_is_the_same_picture() {
    let svg = daily().svg(&Utc, Theme::Dark).unwrap();
    let digest = |bytes: &[u8]| data_encoding::HEXLOWER.encode(&Sha256::digest(bytes));
    assert_eq!(png(&svg).unwrap(), png(&daily().svg(&Utc, Theme::Dark).unwrap()).unwrap());
    assert_snapshot!(digest(svg.as_bytes()), @"bfd560e7ff25a44249f3e6c3a3d4eeba8294141d76800942e61f63cd13a8cf19");
    // Another processor may round a soft edge otherwise.
    if cfg!(target_arch = "x86_64") {
        assert_snapshot!(digest(&png(&svg).unwrap()), @"d6bafb5880fb94ba005652381a1a5a2526e50a7854405faa768e796c4ff63843");
    }
}

#[test]
fn what_is_shown_is_what_is_known() {
    // The source of a test may not hold what turns the way of reading around.
    let said = |chart: &Chart| chart.in_words(&Utc).unwrap().plain().replace('\u{202e}', "");
    let all: Vec<String> = pasts().iter().map(|(name, chart)| format!("{name}: {}", said(chart))).collect();
    assert_snapshot!(all.join("\n"), @r#"
    daily: Chart of the daily calls of SOL (Solana) from 24 Aug 2026 to 21 Nov 2026. Now: bearish since 3 Nov 2026. The call turned 8 times in that time. Price change since 24 Aug 2026: −14.2 %.
    hourly: Chart of the hourly calls of BTC (Bitcoin) from 14 Nov 01:00 to 21 Nov 00:00. Now: bearish since 18 Nov 15:00. The call turned 2 times in that time. Price, US$: $97,407.
    twelve-zeros: Chart of the hourly calls of PEPE2 (Twelve Zeros) from 16 Nov 01:00 to 21 Nov 00:00. Now: bearish since 20 Nov 23:00. The call turned 12 times in that time. Price, US$: $0.0₁₂1009.
    eight-digits: Chart of the hourly calls of XAUBTC (Eight Digits) from 18 Nov 13:00 to 21 Nov 00:00. Now: bullish since 20 Nov 16:00. The call turned 3 times in that time. Price, US$: $11,932,943.
    flat: Chart of the hourly calls of USDT (Tether) from 19 Nov 01:00 to 21 Nov 00:00. Now: bearish since 19 Nov 01:00. The call did not turn in that time. Price, US$: $1.000.
    one-price: Chart of the hourly calls of NEW (Newcomer) from 21 Nov 00:00 to 21 Nov 00:00. Now: bearish since 21 Nov 00:00. The call did not turn in that time. Price, US$: $0.3000.
    one-ratio: Chart of the daily calls of NEW (Newcomer) from 21 Nov 2026 to 21 Nov 2026. Now: bearish since 21 Nov 2026. The call did not turn in that time. No prices known.
    without-prices: Chart of the daily calls of SOL (Solana) from 23 Sep 2026 to 21 Nov 2026. Now: bearish since 20 Nov 2026. The call turned 6 times in that time. No prices known.
    hostile: Chart of the daily calls of <b>@everyone</b>&"'币安WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW (A "name" & <i>A "name" & <i>A "name" & <i>A "name" & <i>A "name" & <i>A "name" & <i>A "name" & <i>A "name" & <i>) from 23 Sep 2026 to 21 Nov 2026. Now: bearish since 20 Nov 2026. The call turned 6 times in that time. Price change since 23 Sep 2026: 0.0 %.
    nameless: Chart of the hourly calls of 币安 (币安人生) from 20 Nov 21:00 to 21 Nov 00:00. Now: bullish. The call did not turn in that time. Price, US$: $2.000.
    among-levels: Chart of the daily calls of SOL (Solana) from 24 Aug 2026 to 21 Nov 2026. Now: bearish since 3 Nov 2026. The call turned 8 times in that time. Price change since 24 Aug 2026: −14.2 %. Grade Strong Buy 87.25. Support 180.25, resistance 201.
    levels-far-off: Chart of the hourly calls of XAUBTC (Eight Digits) from 18 Nov 13:00 to 21 Nov 00:00. Now: bullish since 20 Nov 16:00. The call turned 3 times in that time. Price, US$: $11,932,943. Grade Strong Buy 87.25. Support 1000000, resistance 99999999.
    one-level: Chart of the hourly calls of PEPE2 (Twelve Zeros) from 16 Nov 01:00 to 21 Nov 00:00. Now: bearish since 20 Nov 23:00. The call turned 12 times in that time. Price, US$: $0.0₁₂1009. Grade Strong Buy 87.25. No support known, resistance 0.00000000000011.
    flat-among-levels: Chart of the hourly calls of USDT (Tether) from 19 Nov 01:00 to 21 Nov 00:00. Now: bearish since 19 Nov 01:00. The call did not turn in that time. Price, US$: $1.000. Grade Strong Buy 87.25. Support 0.99, resistance 1.001.
    winding-about-levels: Chart of the hourly calls of SOL (Solana) from 17 Nov 07:00 to 21 Nov 00:00. Now: bullish since 21 Nov 00:00. The call turned 7 times in that time. Price, US$: $112.3. Grade Strong Buy 87.25. Support 108.959, resistance 115.699.
    without-a-call: Chart of the daily calls of NIL from 20 Nov 2026 to 21 Nov 2026. Now: no call yet. The call did not turn in that time. Price change since 20 Nov 2026: +10.0 %.
    "#);
    assert_eq!(Chart { rows: Vec::new(), ..daily() }.svg(&Utc, Theme::Dark), None);
    assert_eq!(Chart { rows: Vec::new(), ..daily() }.in_words(&Utc), None);
}

#[test]
fn hours_are_the_readers_and_days_are_those_of_the_calls() {
    let india = FixedOffset::east_opt(19_800).unwrap();
    let hourly = pasts().remove(1).1;
    let (utc, there) = (hourly.svg(&Utc, Theme::Dark).unwrap(), hourly.svg(&india, Theme::Dark).unwrap());
    assert!(utc.contains("times in UTC") && there.contains("times in +05:30"), "{there}");
    assert_ne!(utc, there);
    assert_eq!(daily().svg(&india, Theme::Dark), daily().svg(&Utc, Theme::Dark));
}

#[test]
fn names_from_outside_stay_text() {
    let (_, hostile) = pasts().remove(8);
    let svg = hostile.svg(&Utc, Theme::Dark).unwrap();
    assert!(svg.contains("&lt;b&gt;@everyone") && !svg.contains("<b>") && !svg.contains('\u{202e}') && !svg.contains("币"), "{svg}");
    let (_, nameless) = pasts().remove(9);
    assert!(nameless.svg(&Utc, Theme::Dark).unwrap().contains(">#3988</text>"));
}

/// Words along one line of a picture do not touch, whatever the past.
#[test]
fn labels_do_not_overlap() {
    for (name, chart) in pasts() {
        for zone in [0, 19_800, -12_600] {
            let svg = chart.svg(&FixedOffset::east_opt(zone).unwrap(), Theme::Light).unwrap();
            for pair in bottom_labels(&svg).windows(2) {
                // A label of the bottom is at most six letters of 28 pixels, none wider than it is high.
                assert!(pair[1].0 - pair[0].0 > 80.0, "{name}: {pair:?}");
            }
            let names = level_names(&svg);
            assert!(names.windows(2).all(|pair| (pair[0] - pair[1]).abs() > 30.0), "{name}: {names:?}");
            let heights = side_labels(&svg);
            assert!(heights.windows(2).all(|pair| (pair[0] - pair[1]).abs() > 30.0), "{name}: {heights:?}");
        }
    }
}

/// Names of levels stay clear of the line of prices, however it winds about them, and of each other.
#[test]
fn names_of_levels_do_not_stand_upon_the_line() {
    let mut upon = Vec::new();
    for seed in 0..200 {
        let svg = winding(&walk(seed, 90, 100.0, 0.03)).svg(&Utc, Theme::Dark).unwrap();
        let line = price_line(&svg);
        let names: Vec<_> = texts(&svg).filter(|(_, y, anchor, _)| *anchor == "start" && (160.0..560.0).contains(y)).collect();
        assert_eq!(names.len(), 2, "{seed}");
        assert!((names[0].1 - names[1].1).abs() > 20.0 || (names[0].0 - names[1].0).abs() > 180.0, "{seed}: {names:?}");
        for (x, foot, _, words) in names {
            // No letter is narrower in the mean.
            let end = x + 12.0 * words.chars().count() as f64;
            upon.extend(is_upon(&line, (x, end), (foot - 18.0, foot)).then(|| format!("{seed}: {words}")));
        }
    }
    assert_eq!(upon, [""; 0], "there is room in all of them");
}

/// Whether a line comes into a box.
fn is_upon(line: &[(f64, f64)], (left, right): (f64, f64), (top, bottom): (f64, f64)) -> bool {
    line.windows(2).any(|pair| {
        let at = |x: f64| pair[0].1 + (pair[1].1 - pair[0].1) * (x - pair[0].0) / (pair[1].0 - pair[0].0);
        let (from, to) = (pair[0].0.max(left), pair[1].0.min(right));
        from < to && at(from).max(at(to)) > top && at(from).min(at(to)) < bottom
    })
}

/// Where the prices go: the widest line of the picture.
fn price_line(svg: &str) -> Vec<(f64, f64)> {
    let line = svg.lines().find(|line| line.starts_with("<polyline") && line.contains("stroke-width=\"5.0\"")).unwrap();
    let points = line.split("points=\"").nth(1).unwrap().split('"').next().unwrap();
    let point = |point: &str| point.split_once(',').map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap())).unwrap();
    points.split(' ').map(point).collect()
}

fn texts(svg: &str) -> impl Iterator<Item = (f64, f64, &str, &str)> {
    svg.lines().filter_map(|line| {
        let attribute = |name: &str| line.split(&format!(" {name}=\"")).nth(1)?.split('"').next();
        let number = |name: &str| attribute(name)?.parse().ok();
        let words = line.strip_prefix("<text ").and_then(|rest| rest.split('>').nth(1)?.split('<').next());
        Some((number("x")?, number("y")?, attribute("text-anchor")?, words?))
    })
}

fn bottom_labels(svg: &str) -> Vec<(f64, &str)> {
    texts(svg).filter(|(_, y, anchor, _)| *anchor == "middle" && *y > 560.0).map(|(x, _, _, words)| (x, words)).collect()
}

fn level_names(svg: &str) -> Vec<f64> {
    texts(svg).filter(|(_, y, anchor, _)| *anchor == "start" && (160.0..560.0).contains(y)).map(|(_, y, ..)| y).collect()
}

fn side_labels(svg: &str) -> Vec<f64> {
    texts(svg).filter(|(_, y, anchor, _)| *anchor == "end" && (160.0..560.0).contains(y)).map(|(_, y, ..)| y).collect()
}
