//! `/why`: the way of the last change of a token, and what stood in it, on both platforms.

use crate::support::{
    app::TestApp,
    audience::{BTC, FOUR, HOUR, MINUTE, SOL},
    database::on_both,
    fake_discord::interaction::{ADMIN, PLAIN, slash, subcommand},
};
use insta::assert_snapshot;
use serde_json::json;

const PERSON: i64 = 555;

on_both!(what_was_told_is_followed_from_the_row_to_the_chat, |db| async move {
    let mut app = TestApp::start(db).await;
    app.person_subscribes(PERSON, "sol").await;
    app.channel_subscribes(json!([{"name": "tokens", "type": 3, "value": "sol"}])).await;
    app.baseline(&FOUR).await;
    assert_snapshot!(app.say(PERSON, PERSON, "/why sol").await, @"
    🔴 SOL (Solana) daily: bearish since 21 Nov 2026
    Its call has not changed since I first saw it: there was nothing to tell.
    ");
    app.turn(&[SOL], 1).await;
    assert_eq!((app.on_telegram().len(), app.on_discord().len()), (1, 1));
    assert_snapshot!(app.say(PERSON, PERSON, "/why sol").await, @"
    Why: SOL turned bullish (daily)
    The call of 21 Nov 2026 is bullish; before, it was bearish.
    Asked for 21 Nov 2026 06:32 UTC, compared 21 Nov 2026 06:32 UTC.
    Decided 21 Nov 2026 06:32 UTC: it is wanted at once, and nothing stood against it.
    Made into a message 21 Nov 2026 06:32 UTC.
    Delivered 21 Nov 2026 06:32 UTC.
    Read more
    ");
    let channel = subcommand("channel", "why", json!([{"name": "token", "type": 3, "value": "sol"}]));
    assert_snapshot!(app.on_server(ADMIN, channel.clone()).await, @"
    Why: SOL turned bullish (daily), for #alerts
    The call of 21 Nov 2026 is bullish; before, it was bearish.
    Asked for <t:1795242720:f>, compared <t:1795242720:f>.
    Decided <t:1795242720:f>: it is wanted at once, and nothing stood against it.
    Made into a message <t:1795242720:f>.
    Delivered <t:1795242720:f>.
    https://app.tokenmetrics.com/en/solana
    ");
    assert_snapshot!(app.on_server(PLAIN, channel).await, @"
    That did not work; nothing was changed
    This needs the permission Manage Server (or Administrator). An override in the server's Integrations settings does not replace it.
    ");
});

on_both!(what_was_held_names_the_limit_and_until_when, |db| async move {
    let mut app = TestApp::start(db).await;
    app.person_subscribes(PERSON, "all").await;
    app.say(PERSON, PERSON, "/settings cooldown=60").await;
    app.baseline(&FOUR).await;
    app.turn(&[SOL], 1).await;
    app.turn(&[SOL], -1).await;
    assert_eq!(app.on_telegram(), ["SOL turned bullish"]);
    assert_snapshot!(app.say(PERSON, PERSON, "/why sol").await, @"
    Why: SOL turned bearish (daily)
    The call of 21 Nov 2026 is bearish; before, it was bullish.
    Asked for 21 Nov 2026 06:48 UTC, compared 21 Nov 2026 06:48 UTC.
    Still held, until 21 Nov 2026 07:32 UTC: this token was told of shortly before (cooldown).
    Read more
    ");
    app.turn(&[BTC], 1).await;
    app.pass(HOUR).await;
    app.telegram_messages();
    assert_snapshot!(app.say(PERSON, PERSON, "/why sol").await, @"
    Why: SOL turned bearish (daily)
    The call of 21 Nov 2026 is bearish; before, it was bullish.
    Asked for 21 Nov 2026 06:48 UTC, compared 21 Nov 2026 06:48 UTC.
    Held until 21 Nov 2026 07:32 UTC: this token was told of shortly before (cooldown).
    Made into a message 21 Nov 2026 08:04 UTC.
    Delivered 21 Nov 2026 08:04 UTC.
    Read more
    ");
    app.say(PERSON, PERSON, "/mute 8h btc").await;
    app.turn(&[BTC], -1).await;
    assert_snapshot!(app.say(PERSON, PERSON, "/why btc").await, @"
    Why: BTC turned bearish (daily)
    The call of 21 Nov 2026 is bearish; before, it was bullish.
    Asked for 21 Nov 2026 08:20 UTC, compared 21 Nov 2026 08:20 UTC.
    Still held, until 21 Nov 2026 16:04 UTC: it was muted here.
    Read more
    ");
});

on_both!(what_was_not_told_says_what_stood_in_the_way, |db| async move {
    let mut app = TestApp::start(db).await;
    app.channel_subscribes(json!([{"name": "tokens", "type": 3, "value": "all"}])).await;
    app.baseline(&FOUR).await;
    app.turn(&[SOL, BTC], 1).await;
    app.discord_messages();
    assert_snapshot!(app.say(PERSON, PERSON, "/why sol").await, @"
    Why: SOL turned bullish (daily)
    The call of 21 Nov 2026 is bullish; before, it was bearish.
    Asked for 21 Nov 2026 06:32 UTC, compared 21 Nov 2026 06:32 UTC.
    Nothing was sent here: nobody subscribed to it here.
    To be told of its next call, type /subscribe SOL.
    Read more
    ");
    app.pass(MINUTE).await;
    app.person_subscribes(PERSON, "all").await;
    assert_snapshot!(app.say(PERSON, PERSON, "/why sol").await, @"
    Why: SOL turned bullish (daily)
    The call of 21 Nov 2026 is bullish; before, it was bearish.
    Asked for 21 Nov 2026 06:32 UTC, compared 21 Nov 2026 06:32 UTC.
    Nothing was sent here: the subscription began 21 Nov 2026 06:33 UTC, after that.
    Read more
    ");
    app.say(PERSON, PERSON, "/unsubscribe btc").await;
    assert_snapshot!(app.say(PERSON, PERSON, "/why btc").await, @"
    Why: BTC turned bullish (daily)
    The call of 21 Nov 2026 is bullish; before, it was bearish.
    Asked for 21 Nov 2026 06:32 UTC, compared 21 Nov 2026 06:32 UTC.
    Nothing was sent here: it is left out of all here.
    Read more
    ");
    app.person_subscribes(PERSON, "sol bullish").await;
    app.turn(&[SOL], -1).await;
    app.discord_messages();
    assert_snapshot!(app.say(PERSON, PERSON, "/why sol").await, @"
    Why: SOL turned bearish (daily)
    The call of 21 Nov 2026 is bearish; before, it was bullish.
    Asked for 21 Nov 2026 06:49 UTC, compared 21 Nov 2026 06:49 UTC.
    Not sent: only the other direction is wanted here.
    Read more
    ");
    // Nothing is known of it, and nothing is asked for it.
    assert_snapshot!(app.on_server(PLAIN, slash("why", &[("token", "xrp"), ("kind", "hourly")])).await, @"
    XRP hourly: no call yet
    To be told of its next call, type `/subscribe XRP hourly`.
    ");
    assert!(app.say(PERSON, PERSON, "/why").await.contains("/why SOL"));
});
