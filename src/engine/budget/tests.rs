//! The numbers of the rule, and that no month ever goes over its budget.

use super::*;
use proptest::prelude::*;

fn demand(calls_per_month: u32, daily_tokens: u32, hourly_tokens: u32) -> Demand {
    let all_tokens = daily_tokens.max(hourly_tokens).max(100);
    let tokens = [(Kind::Daily, daily_tokens), (Kind::Hourly, hourly_tokens)].into();
    Demand { calls_per_month, all_tokens, list_pages: 60, tokens, ..Demand::default() }
}

fn every(hours: u64) -> Cadence {
    Cadence::Every(Duration::from_secs(hours * HOUR))
}

#[test]
fn a_subscription_is_carried_unless_it_or_another_kind_goes_without() {
    let before = demand(500, 1000, 0);
    assert_eq!(*super::plan(&before).of(Kind::Daily), every(24));
    let carried = plan_for(&demand(500, 10, 0), &demand(500, 10, 5), Kind::Hourly).unwrap();
    assert_eq!(*carried.of(Kind::Hourly), every(3));
    let obstacle = plan_for(&before, &before.with_tokens(Kind::Hourly, 14), Kind::Hourly);
    assert_eq!(obstacle, Err(Obstacle { kind: Kind::Daily, needed: 310 }), "a thousand daily tokens would go without");
    let obstacle = plan_for(&before, &before.with_tokens(Kind::Hourly, 400), Kind::Hourly);
    assert!(matches!(obstacle, Err(Obstacle { kind: Kind::Hourly, .. })), "{obstacle:?}");
    // Who goes without already is no reason to refuse another.
    let broken = demand(100, 1000, 0);
    assert!(plan_for(&broken, &demand(0, 1000, 1), Kind::Hourly).is_ok());
}

#[test]
fn what_is_refused_costs_nothing_and_is_promised_all_the_same() {
    let refused = |demand: Demand| Demand { refused: BTreeSet::from([Kind::Hourly]), ..demand };
    let both = plan(&refused(demand(500, 50, 20)));
    assert_eq!((both.of(Kind::Daily), both.of(Kind::Hourly)), (&every(2), &every(3)));
    assert_eq!((both.once_served(Kind::Daily), both.once_served(Kind::Hourly)), (Some(&every(6)), None));
    assert_eq!((both.planned, both.refused), (12 * 31 + 31 + 50, vec![Kind::Hourly]));
    // Nobody wants it: no word of it.
    let unwanted = plan(&refused(demand(500, 50, 0)));
    assert_eq!((unwanted.refused.len(), unwanted.once_served(Kind::Daily)), (0, None));
    // More than fits once it is served is refused, of the same kind and of another.
    let before = refused(demand(500, 10, 5));
    let obstacle = plan_for(&before, &before.with_tokens(Kind::Hourly, 400), Kind::Hourly);
    assert!(matches!(obstacle, Err(Obstacle { kind: Kind::Hourly, .. })), "{obstacle:?}");
    let obstacle = plan_for(&before, &before.with_tokens(Kind::Daily, 1000), Kind::Daily);
    assert!(matches!(obstacle, Err(Obstacle { kind: Kind::Daily, .. })), "{obstacle:?}");
    assert_eq!(*plan_for(&before, &before.with_tokens(Kind::Daily, 20), Kind::Daily).unwrap().of(Kind::Daily), every(2));
}

#[test]
fn the_table_of_the_rule() {
    for (tokens, hours) in [(1, 2), (50, 2), (100, 3), (200, 6), (500, 24), (750, 24), (1000, 24)] {
        let plan = plan(&demand(500, tokens, 0));
        assert_eq!(*plan.of(Kind::Daily), every(hours), "{tokens} tokens");
        assert_eq!((plan.of(Kind::Hourly), &plan.directory), (&Cadence::Idle, &Cadence::Off));
        // Once a day is carried beyond what fits: the pace skips a poll now and then.
        assert!(plan.planned <= 500 || tokens > 500, "{tokens} tokens: {}", plan.planned);
    }
}

#[test]
fn fifty_tokens_at_500_a_month_add_up() {
    // 12 polls a day of one call, one of ranks a day, and 50 in reserve.
    assert_eq!(plan(&demand(500, 50, 0)).planned, 12 * 31 + 31 + 50);
}

#[test]
fn what_is_planned_once_a_day_is_what_it_takes() {
    // Yesterday and today of 50 tokens a call; ranks of as many tokens weekly.
    assert_eq!(plan(&demand(500, 500, 0)).planned, 10 * 31 + 5 * 5 + 50);
    assert_eq!(plan(&demand(500, 1000, 0)).planned, 20 * 31 + 5 * 10 + 50, "more than the budget, and said");
    let given =
        Demand { wishes: [(Kind::Daily, Wish::Given { expression: "0 0 12 * * *".to_owned(), runs: 31 })].into(), ..demand(500, 500, 0) };
    assert_eq!(plan(&given).planned, plan(&demand(500, 500, 0)).planned);
}

#[test]
fn hourly_calls_every_hour_are_744_and_do_not_fit_500() {
    assert_eq!(hourly_month_every(50, HOUR), 744);
    let both = plan(&demand(500, 50, 20));
    assert_eq!(*both.of(Kind::Hourly), every(3), "the shortest within 60 % of 419");
    assert_eq!(*both.of(Kind::Daily), every(6), "the rest");
    assert!(both.planned <= 500);
    let given =
        Demand { wishes: [(Kind::Hourly, Wish::Given { expression: "0 5 * * * *".to_owned(), runs: 744 })].into(), ..demand(500, 50, 20) };
    let given = plan(&given);
    assert_eq!(*given.of(Kind::Hourly), Cadence::Cron("0 5 * * * *".to_owned()), "kept as it is; the budget wins when it fires");
    assert!(given.planned > 500);
    assert!(matches!(given.of(Kind::Daily), Cadence::DoesNotFit { needed: 31 }));
}

#[test]
fn what_does_not_fit_says_what_it_needs() {
    let plan = plan(&demand(500, 10, 400));
    assert_eq!(*plan.of(Kind::Hourly), Cadence::DoesNotFit { needed: 4 * 31 * 29 });
    assert_eq!(plan.carries(Kind::Hourly), Err(4 * 31 * 29));
    assert_eq!(plan.carries(Kind::Daily), Ok(()));
    assert_eq!(super::plan(&demand(50, 1, 0)).carries(Kind::Daily), Err(31));
}

#[test]
fn without_a_budget_everything_is_as_often_as_can_be() {
    let plan = plan(&demand(0, 1000, 1000));
    assert_eq!(*plan.of(Kind::Daily), Cadence::Every(Duration::from_secs(900)));
    assert_eq!((plan.of(Kind::Hourly).clone(), plan.directory), (every(1), every(7 * 24)));
}

#[test]
fn the_full_list_is_read_from_5000_calls_on() {
    assert_eq!(plan(&demand(4_999, 1, 0)).directory, Cadence::Off);
    assert_eq!(plan(&demand(5_000, 1, 0)).directory, every(7 * 24));
    assert_eq!(plan(&demand(5_000, 1, 0)).ranks, every(24));
    assert_eq!(plan(&demand(5_000, 101, 0)).ranks, every(7 * 24));
}

#[test]
fn off_and_idle_cost_nothing() {
    let off = Demand { wishes: [(Kind::Daily, Wish::Off)].into(), ..demand(500, 50, 0) };
    assert_eq!(*plan(&off).of(Kind::Daily), Cadence::Off);
    assert_eq!(*plan(&demand(500, 0, 0)).of(Kind::Daily), Cadence::Idle);
    assert_eq!(plan(&off).planned, 81);
}

#[test]
fn the_pace_is_the_elapsed_share_and_one_day() {
    let at = |text| Timestamp::parse(text).unwrap();
    // 3,000 calls in 30 days: 100 a day.
    let table = [
        (0, 100, "2026-11-01T00:00:00Z", true),
        (1, 100, "2026-11-01T00:00:00Z", false),
        (100, 50, "2026-11-01T12:00:00Z", true),
        (100, 51, "2026-11-01T12:00:00Z", false),
        (2_999, 1, "2026-11-30T23:59:59Z", true),
        (3_000, 1, "2026-11-30T23:59:59Z", false),
    ];
    for (used, cost, now, expected) in table {
        assert_eq!(keeps_pace(3_000, used, cost, at(now)), expected, "{used} + {cost} at {now}");
    }
    assert!(keeps_pace(0, 1_000_000, 1_000, at("2026-11-01")));
    assert_eq!(pace_regained(3_000, 100, 50, at("2026-11-01")), at("2026-11-01T12:00:00Z"));
    assert_eq!(pace_regained(3_000, 3_000, 1, at("2026-11-09")), at("2026-12-01"));
}

proptest! {
    #[test]
    fn a_plan_that_fits_never_plans_more_than_the_budget(budget in 200_u32..100_000, daily in 0_u32..2_000, hourly in 0_u32..2_000) {
        let plan = plan(&demand(budget, daily, hourly));
        let rarely = matches!(plan.of(Kind::Daily), Cadence::Every(period) if period.as_secs() >= DAY / 2);
        if plan.carries(Kind::Daily).is_ok() && plan.carries(Kind::Hourly).is_ok() && budget >= 1_000 && !rarely {
            prop_assert!(plan.planned <= budget, "{plan:?}");
        }
    }

    /// Whatever is asked, whenever: a month that keeps the pace stays within its budget, and pace comes back when it says.
    #[test]
    fn no_month_goes_over(budget in 1_u32..2_000, minutes in 10_i64..600, costs in prop::collection::vec(1_u32..40, 1..50)) {
        let start = Timestamp::parse("2026-02-01").unwrap();
        let end = Timestamp::parse("2026-03-01").unwrap();
        let (mut now, mut used, mut turn) = (start, 0, 0);
        while now < end {
            let cost = costs[turn % costs.len()];
            turn += 1;
            if keeps_pace(budget, used, cost, now) {
                used += cost;
            } else {
                let again = pace_regained(budget, used, cost, now);
                prop_assert!(again == end || keeps_pace(budget, used, cost, again), "{used} + {cost} at {again}");
            }
            prop_assert!(used <= budget);
            now = Timestamp::from_millis(now.as_millis() + minutes * 60_000);
        }
    }
}
