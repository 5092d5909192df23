//! Completing a half-typed list of tokens (`rules.md` 5.3), or a time zone. Never asks the source.

use super::{
    Choice, Command, Completion, Standing, Venue,
    desk::{Desk, SOURCE},
    setting_words::zones_like,
    tokens::{Pick, TokenWord, parse, pick},
};
use crate::{
    domain::{Address, Timestamp, Token, TokenId, Zone},
    store::{StoreResult, TokenField},
};
use std::collections::BTreeMap;

/// The most suggestions, and the most characters of one.
const MOST: usize = 25;
const MOST_CHARACTERS: usize = 100;
/// The zones that are offered before anything is typed.
const LARGE_CITIES: [&str; 16] = [
    "UTC",
    "America/Los_Angeles",
    "America/Denver",
    "America/Chicago",
    "America/New_York",
    "America/Sao_Paulo",
    "Europe/London",
    "Europe/Berlin",
    "Africa/Lagos",
    "Europe/Istanbul",
    "Asia/Dubai",
    "Asia/Kolkata",
    "Asia/Singapore",
    "Asia/Shanghai",
    "Asia/Tokyo",
    "Australia/Sydney",
];

impl Desk {
    /// Suggestions for a half-typed option, at most 25; never asks the source. Internal errors are logged here and suggest nothing.
    pub async fn complete(&self, completion: &Completion) -> Vec<Choice> {
        if completion.typed.chars().count() > MOST_CHARACTERS {
            return Vec::new();
        }
        match completion.option.as_str() {
            "tokens" | "token" => {}
            "timezone" => return zones(&completion.typed, self.now()),
            _ => return Vec::new(),
        }
        self.suggestions(completion).await.unwrap_or_else(|error| {
            tracing::error!(%error, "a suggestion could not be made");
            Vec::new()
        })
    }

    async fn suggestions(&self, completion: &Completion) -> StoreResult<Vec<Choice>> {
        let typed = Typed::read(&completion.typed);
        let (mut found, offers_all) = match completion.command {
            Command::Subscribe | Command::ChannelSubscribe => (self.beginning(&typed.item).await?, true),
            Command::Signal | Command::History | Command::Why | Command::ChannelWhy => (self.beginning(&typed.item).await?, false),
            Command::Mute | Command::ChannelMute => match subscriber(completion) {
                Some((address, tenant)) => (self.subscribed(address, tenant, &typed.item).await?, false),
                None => return Ok(Vec::new()),
            },
            Command::Unsubscribe | Command::ChannelUnsubscribe => match subscriber(completion) {
                Some((address, tenant)) => (self.subscribed(address, tenant, &typed.item).await?, true),
                None => return Ok(Vec::new()),
            },
            _ => return Ok(Vec::new()),
        };
        found.retain(|token| !typed.names(token));
        let symbols: Vec<String> = found.iter().map(|token| token.symbol.to_uppercase()).collect();
        let mut bearers: BTreeMap<String, Vec<Token>> = BTreeMap::new();
        for token in self.store.tokens_by_symbols(SOURCE, &symbols).await? {
            bearers.entry(token.symbol.to_uppercase()).or_default().push(token);
        }
        let all = (offers_all && typed.kept.is_empty() && "ALL".starts_with(&typed.item)).then(|| typed.choice("all", "all"));
        let choice = |token: &Token| {
            let others = bearers.get(&token.symbol.to_uppercase()).map(Vec::as_slice).unwrap_or_default();
            let written = written(token, others);
            typed.choice(&written, &shown(token, &written))
        };
        Ok(all.into_iter().chain(found.iter().map(choice)).flatten().take(MOST).collect())
    }

    /// Tokens of the directory whose symbol begins so, then those whose name does.
    async fn beginning(&self, item: &str) -> StoreResult<Vec<Token>> {
        const LIMIT: u32 = 25;
        if item.is_empty() {
            return self.store.best_tokens(SOURCE, LIMIT).await;
        }
        if let Some(digits) = item.strip_prefix('#') {
            return match digits.parse() {
                Ok(id) => self.store.tokens_by_ids(SOURCE, &[TokenId(id)]).await,
                Err(_) => Ok(Vec::new()),
            };
        }
        let mut found = self.store.tokens_beginning(SOURCE, TokenField::Symbol, item, LIMIT).await?;
        if found.len() < MOST {
            let named = self.store.tokens_beginning(SOURCE, TokenField::Name, item, LIMIT).await?;
            found.extend(named.into_iter().filter(|token| !token.symbol.to_uppercase().starts_with(item)));
        }
        Ok(found)
    }

    /// The same among what is subscribed; under `all` any token can be left out.
    async fn subscribed(&self, address: &Address, tenant: Option<&str>, item: &str) -> StoreResult<Vec<Token>> {
        let destination = self.store.destination_at(address).await?;
        let Some(destination) = destination.filter(|found| tenant.is_none() || found.tenant.as_deref() == tenant) else {
            return Ok(Vec::new());
        };
        let list = self.store.subscriptions_of(destination.id).await?;
        let under_all = list.iter().any(|listed| listed.token.is_none());
        let mut own: Vec<Token> = Vec::new();
        for token in list.into_iter().filter_map(|listed| listed.token) {
            if own.iter().all(|other| other.id != token.id) && begins(&token, item).is_some() {
                own.push(token);
            }
        }
        own.sort_by_key(|token| (begins(token, item), token.rank.unwrap_or(u32::MAX), token.id));
        if under_all {
            let others = self.beginning(item).await?;
            let new: Vec<_> = others.into_iter().filter(|token| own.iter().all(|other| other.id != token.id)).collect();
            own.extend(new);
        }
        Ok(own)
    }
}

/// Zones that are written like this, with what the clocks there show.
fn zones(typed: &str, now: Timestamp) -> Vec<Choice> {
    let choice = |zone: Zone| Choice { name: format!("{zone} ({})", zone.shown(now).format("%a %H:%M")), value: zone.to_string() };
    if typed.trim().is_empty() {
        return LARGE_CITIES.iter().filter_map(|name| Zone::parse(name)).map(choice).collect();
    }
    zones_like(typed).take(MOST).map(choice).collect()
}

/// Whose subscriptions are completed, and of which server that channel must be; nobody's where the actor may not see them.
fn subscriber(completion: &Completion) -> Option<(&Address, Option<&str>)> {
    match (&completion.venue, completion.command) {
        (Venue::Server { bot_present: true, tenant, .. }, Command::ChannelUnsubscribe | Command::ChannelMute) => {
            let channel = completion.channel.as_ref().filter(|_| completion.actor.standing == Standing::Admin);
            channel.map(|address| (address, Some(tenant.as_str())))
        }
        (_, Command::ChannelUnsubscribe | Command::ChannelMute) => None,
        (Venue::Private { address }, _) => Some((address, None)),
        (Venue::Server { direct, .. } | Venue::Elsewhere { direct }, _) => Some((direct, None)),
        (Venue::Group { address, .. }, _) => (completion.actor.standing == Standing::Admin).then_some((address, None)),
    }
}

/// Whether a token begins so: by symbol (0) or by name (1).
fn begins(token: &Token, item: &str) -> Option<u8> {
    let by_id = item.strip_prefix('#').is_some_and(|digits| token.id.to_string().starts_with(digits));
    if by_id || token.symbol.to_uppercase().starts_with(item) { Some(0) } else { token.name.to_uppercase().starts_with(item).then_some(1) }
}

/// What is sent for a token: its symbol if that means this token and nothing else, else its id.
fn written(token: &Token, bearers: &[Token]) -> String {
    let symbol = token.symbol.to_uppercase();
    let reads_back = parse(&symbol).is_ok_and(|words| !words.all && words.tokens == [TokenWord::Symbol(symbol.clone())]);
    let is_meant = matches!(pick(bearers), Pick::One(meant) if meant.id == token.id);
    if reads_back && is_meant { symbol } else { format!("#{}", token.id) }
}

fn shown(token: &Token, written: &str) -> String {
    let id = if written.starts_with('#') { format!(" {written}") } else { String::new() };
    let name = if token.name.is_empty() { String::new() } else { format!(" ({})", token.name) };
    format!("{}{id}{name}", token.symbol)
}

/// A list as far as it was typed.
struct Typed {
    /// Everything up to the last comma, tidied, with the comma and a space.
    kept: String,
    /// What is kept, as tokens.
    words: Vec<TokenWord>,
    /// What is being typed, upper case without `$`.
    item: String,
}

impl Typed {
    fn read(text: &str) -> Self {
        let (before, item) = text.rsplit_once(',').unwrap_or(("", text));
        let kept: Vec<&str> = before.split(',').map(str::trim).filter(|word| !word.is_empty()).collect();
        let kept = kept.join(", ");
        let item = item.trim();
        Self {
            words: parse(&kept).map(|words| words.tokens).unwrap_or_default(),
            kept: if kept.is_empty() { kept } else { kept + ", " },
            item: item.strip_prefix('$').unwrap_or(item).to_uppercase(),
        }
    }

    /// Whether the list names this token already.
    fn names(&self, token: &Token) -> bool {
        let symbol = token.symbol.to_uppercase();
        self.words.iter().any(|word| match word {
            TokenWord::Symbol(other) => *other == symbol,
            TokenWord::Id(id) => *id == token.id,
        })
    }

    /// The whole list with this item at its end; nothing where that is too long.
    fn choice(&self, value: &str, name: &str) -> Option<Choice> {
        let value = format!("{}{value}", self.kept);
        let name: String = format!("{}{name}", self.kept);
        let length = name.chars().count();
        let name =
            if length <= MOST_CHARACTERS { name } else { format!("{}…", name.chars().take(MOST_CHARACTERS - 1).collect::<String>()) };
        (value.chars().count() <= MOST_CHARACTERS).then_some(Choice { name, value })
    }
}
