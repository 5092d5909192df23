//! What people and the market do in tests of delivery, in words.

use super::{
    app::TestApp,
    commands::run_sql,
    fake_discord::interaction::{ADMIN, slash, subcommand},
};
use bellwether::{clock::Clock, domain::Timestamp};
use serde_json::{Value, json};
use std::time::Duration;

/// Tokens of the usual directory.
pub(crate) const BTC: i64 = 3375;
pub(crate) const ETH: i64 = 3306;
pub(crate) const SOL: i64 = 3988;
pub(crate) const XRP: i64 = 3369;
pub(crate) const FOUR: [i64; 4] = [BTC, ETH, SOL, XRP];
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// A text option of a slash command.
pub(crate) fn text(name: &str, value: &str) -> Value {
    json!({"name": name, "type": 3, "value": value})
}

/// A number option of a slash command.
pub(crate) fn number(name: &str, value: i64) -> Value {
    json!({"name": name, "type": 4, "value": value})
}

/// The first lines of messages, after what is struck through.
pub(crate) fn titles<'a>(texts: impl IntoIterator<Item = &'a String>) -> Vec<String> {
    texts.into_iter().map(|text| text.lines().find(|line| !line.starts_with("~~")).unwrap_or_default().to_owned()).collect()
}

impl TestApp {
    /// The daily calls of these tokens are bullish (1) or bearish (-1) today.
    pub(crate) fn call(&self, tokens: &[i64], stance: i64) {
        let today = self.clock.now().day().to_string();
        for token in tokens {
            self.source.set_daily(*token, &today, stance, stance);
        }
    }

    /// Baselines for these tokens: bearish; nobody is told.
    pub(crate) async fn baseline(&mut self, tokens: &[i64]) {
        self.call(tokens, -1);
        self.next_poll().await;
        assert_eq!(self.on_discord(), [""; 0]);
        assert_eq!(self.on_telegram(), [""; 0]);
    }

    /// As if what was told so far were long past: no call here is unstable because a test turns it often.
    pub(crate) async fn calm(&self) {
        let sql = "UPDATE changes SET detected_at = detected_at - 1209600000 WHERE NOT EXISTS (SELECT 1 FROM fanout_jobs)
            AND NOT EXISTS (SELECT 1 FROM alerts WHERE state IN ('pending', 'composed'))";
        run_sql(&self.db.url, sql).await;
    }

    /// The calls turn after a calm time, and the next poll sees it.
    pub(crate) async fn turn(&mut self, tokens: &[i64], stance: i64) {
        self.calm().await;
        self.call(tokens, stance);
        self.next_poll().await;
    }

    /// An admin subscribes the channel where they type.
    pub(crate) async fn channel_subscribes(&mut self, options: Value) {
        let said = self.on_server(ADMIN, subcommand("channel", "subscribe", options)).await;
        assert!(said.contains("Subscribed"), "{said}");
    }

    /// Someone subscribes in private on Telegram.
    pub(crate) async fn person_subscribes(&mut self, person: i64, words: &str) {
        let said = self.say(person, person, &format!("/subscribe {words}")).await;
        assert!(said.contains("Subscribed"), "{said}");
    }

    /// A member subscribes by direct message on Discord.
    pub(crate) async fn member_subscribes(&mut self, tokens: &str) -> String {
        self.in_direct_messages(slash("subscribe", &[("tokens", tokens)])).await
    }

    /// The titles of what arrived on Discord.
    pub(crate) fn on_discord(&self) -> Vec<String> {
        titles(self.discord_messages().iter().map(|(_, text)| text))
    }

    /// The titles of what arrived on Telegram, without their signs.
    pub(crate) fn on_telegram(&self) -> Vec<String> {
        let titles = titles(self.telegram_messages().iter().map(|(.., text)| text));
        titles.into_iter().map(|title| title.trim_start_matches(|letter: char| !letter.is_ascii()).trim_start().to_owned()).collect()
    }

    /// It is that time, and whatever became due on the way is done.
    pub(crate) async fn at(&mut self, time: &str) {
        self.clock.set(Timestamp::parse(time).unwrap());
        self.step().await;
    }

    /// The channel and a person on Telegram choose these settings.
    pub(crate) async fn choose(&mut self, person: i64, settings: &[(&str, &str)]) {
        let options: Vec<_> = settings.iter().map(|(name, value)| text(name, value)).collect();
        let said = self.on_server(ADMIN, subcommand("channel", "settings", json!(options))).await;
        assert!(said.starts_with("Settings of"), "{said}");
        let words: Vec<_> = settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
        self.telegram.with(|world| world.say(person, person, &format!("/settings {}", words.join(" "))));
        self.step().await;
        assert_eq!(self.on_telegram()[0], "Settings saved");
    }

    /// The titles of what arrived on Discord and on Telegram.
    pub(crate) fn heard(&self) -> (Vec<String>, Vec<String>) {
        (self.on_discord(), self.on_telegram())
    }
}
