//! The catalogue of troubles: everything that a source or a platform can answer instead of what was asked, what causes it, and how to mend
//! it. `check`, the log and notices to operators name its codes and fixes; `docs/errors.md` is this table, held against it by a test.

use crate::domain::{Platform, QuarantineReason};
use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! troubles {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $seen:literal, $cause:literal, $fix:literal;)*) => {
        /// A trouble that is known by a code. Codes are stable: people search for them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Trouble { $($(#[$doc])* #[serde(rename = $code)] $name),* }

        impl Trouble {
            /// Every trouble, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its name everywhere: in the log, in notices, in `check` and in `docs/errors.md`.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code),* }
            }

            /// How it shows: statuses, codes and words of the other side.
            pub const fn seen(self) -> &'static str {
                match self { $(Self::$name => $seen),* }
            }

            /// What causes it.
            pub const fn cause(self) -> &'static str {
                match self { $(Self::$name => $cause),* }
            }

            /// What to do about it; goes on after a semicolon.
            pub const fn fix(self) -> &'static str {
                match self { $(Self::$name => $fix),* }
            }
        }
    };
}

troubles! {
    /// The source refuses the key.
    SourceKey = "TM-KEY", "401 or 403 in the API's own words",
        "the API key is wrong, was revoked, or is not known to this address",
        "copy the key again from your Token Metrics account into TOKEN_METRICS_API_KEY";
    /// The key's plan lacks what is asked.
    SourcePlan = "TM-PLAN", "401 or 403 with \"plan\" in the API's words",
        "the key is known, but its plan lacks this endpoint",
        "choose a plan that has it in your Token Metrics account";
    /// Payment is demanded.
    SourcePayment = "TM-PAYMENT", "402",
        "the key's plan is not paid for, or the API asks for payment by call",
        "choose a plan with API access in your Token Metrics account";
    /// No current data for any token.
    SourceNoData = "TM-NO-DATA", "404 \"Data not found\" for every token, for 24 hours",
        "the key's plan seems to hold no current data (free plans hide the last 30 days)",
        "see in your Token Metrics account what your plan includes";
    /// Too many calls.
    SourceLimited = "TM-LIMITED", "429",
        "more calls a minute or a month than the plan allows, or another program uses the same key",
        "set TOKEN_METRICS_CALLS_PER_MINUTE and TOKEN_METRICS_CALLS_PER_MONTH to what your plan allows; it is asked again by itself";
    /// Our own budget is used up.
    SourceBudget = "TM-BUDGET", "no call was made",
        "TOKEN_METRICS_CALLS_PER_MONTH is used up",
        "raise TOKEN_METRICS_CALLS_PER_MONTH if your plan has more, or wait for the next month";
    /// The request is refused.
    SourceRejected = "TM-REJECTED", "400, 404 in other words, 405, 413, 422, or 200 with `\"success\": false`",
        "the address is not the base of the API, or the API has changed",
        "check that TOKEN_METRICS_API_URL is the base of the API, with /v2 or /v3";
    /// A redirect.
    SourceMoved = "TM-MOVED", "3xx",
        "the API has moved; a redirect is never followed, because the key would go along",
        "correct TOKEN_METRICS_API_URL";
    /// A stranger on the way refuses.
    SourceProxy = "TM-PROXY", "401 or 403 with a page in place of JSON, 407",
        "a proxy or firewall on the way refuses, not the API",
        "let this machine reach TOKEN_METRICS_API_URL, past proxies and firewalls";
    /// The API is unwell.
    SourceDown = "TM-DOWN", "408, 425, 5xx",
        "the API itself has a problem",
        "there is nothing to do here: it is asked again by itself";
    /// The answer is no answer.
    SourceUnreadable = "TM-UNREADABLE", "200 with HTML, broken JSON, no list of rows, or more than 8 MiB",
        "something else answers at that address, or the API has a problem",
        "check TOKEN_METRICS_API_URL; if it is right, it is asked again by itself";
    /// The rows are not what they were.
    SourceShape = "TM-SHAPE", "most rows of an answer lack a field that they had, or have something else there, or cannot be understood",
        "the API has changed, or has a problem",
        "see whether Bellwether has an update; if not, report it with the log line: what cannot be read is left out, and the rest goes on";
    /// No connection.
    SourceUnreachable = "TM-UNREACHABLE", "no connection: DNS, refused, TLS",
        "this machine does not reach the API, or does not trust its certificate",
        "check TOKEN_METRICS_API_URL, this machine's network, DNS and clock";
    /// No answer in time.
    SourceTimeout = "TM-TIMEOUT", "no answer within 30 s",
        "the API or the way to it is slow",
        "there is nothing to do unless it lasts; then check this machine's network";
    /// It broke off.
    SourceBroken = "TM-BROKEN", "the connection ended before the answer did",
        "the API or something on the way closed the connection",
        "there is nothing to do unless it lasts; then check this machine's network";

    /// Discord refuses the token.
    DiscordToken = "DC-TOKEN", "401, 40001, 50014",
        "the bot's token is wrong or was reset",
        "reset it in the developer portal (Bot, Reset Token), write the new one into DISCORD_BOT_TOKEN and restart, or into its file and send SIGHUP";
    /// Discord refuses the way of asking.
    DiscordAgent = "DC-40333", "40333",
        "Discord or Cloudflare blocks how or from where the bot asks",
        "update Bellwether and see that no proxy changes its requests, then restart";
    /// The channel cannot be seen.
    DiscordAccess = "DC-50001", "50001, and 403 with a code that is not known",
        "the bot is no longer in the server, or may not see the channel",
        "invite the bot again, or give it View Channel there";
    /// The channel cannot be written to.
    DiscordPermission = "DC-50013", "50013, or a message that is shown without its embeds",
        "the bot may not see the channel, not write there, or not embed links",
        "give the bot View Channel, Send Messages and Embed Links there (Send Messages in Threads for a thread), or invite it again where it is no longer in the server";
    /// A person takes no direct messages.
    DiscordClosed = "DC-50007", "50007, 50278, 20009, 50033",
        "the person blocks the bot, takes no direct messages, or shares no server with it",
        "ask them to allow direct messages of a server that the bot is in, and to type a command again";
    /// The channel is gone.
    DiscordDeleted = "DC-DELETED", "10003, 10004, 10015, 50027",
        "the channel, thread, server or webhook was deleted",
        "check its id; if it is really gone, choose another one";
    /// The account is gone.
    DiscordUser = "DC-10013", "10013",
        "the account was deleted",
        "there is nothing to do";
    /// The bot is not in the server any more.
    DiscordRemoved = "DC-40007", "40007, or Discord's word that the bot is out of the server",
        "the bot was removed from the server",
        "invite the bot again; if it is banned there, ask an admin of the server to lift the ban first";
    /// The thread is closed.
    DiscordThread = "DC-THREAD", "50083, 160005",
        "the thread is locked, or archived and the bot may not open it again",
        "open the thread, or give the bot Manage Threads";
    /// The kind of channel takes no messages.
    DiscordKind = "DC-KIND", "50008, 50024, 40058, 220001",
        "messages cannot be sent to a channel of this kind, such as a forum",
        "subscribe a text channel, an announcement channel or a thread";
    /// The message is refused.
    DiscordMessage = "DC-MESSAGE", "50035, 50006, 50109, 40005, 50045, 400 or 404 with a code that is not known",
        "the request is at fault: a bug, or Discord has changed",
        "report it with the log line; bellwether outbox retry tries the message again";
    /// The content is blocked.
    DiscordContent = "DC-CONTENT", "200000, 240000",
        "the server's automatic moderation blocks the message",
        "exempt the bot from AutoMod in that channel, then bellwether outbox retry";
    /// The interaction is gone.
    DiscordInteraction = "DC-INTERACTION", "10062, 40060, 40094",
        "an answer came after Discord had given up on the command",
        "nothing is lost: what was asked is done; if it recurs, see that this machine is not overloaded";
    /// Commands come over HTTP, and are awaited over the Gateway.
    DiscordEndpoint = "DC-ENDPOINT", "an Interactions Endpoint URL is entered, and DISCORD_PUBLIC_KEY is not set",
        "HTTP and the Gateway exclude each other: Discord sends every command to that address",
        "clear the Interactions Endpoint URL in the developer portal (General Information), or set DISCORD_PUBLIC_KEY and restart";
    /// Commands are checked with another key.
    DiscordKey = "DC-KEY", "the application has another key than DISCORD_PUBLIC_KEY",
        "the key belongs to another application, so that every command is refused",
        "copy Public Key from General Information in the developer portal into DISCORD_PUBLIC_KEY and restart";
    /// The Gateway cannot be reached.
    DiscordGateway = "DC-GATEWAY", "no connection to the Gateway, no first word, or a close code up to 4009",
        "this machine does not reach the Gateway, or Discord has a problem",
        "let this machine connect to Discord's Gateway (port 443); it is tried again by itself";
    /// No more sessions may begin.
    DiscordStarts = "DC-STARTS", "no session of the Gateway is left for today",
        "the bot began too many sessions, or another program uses its token",
        "stop the other program, or reset the token; it is tried again by itself";
    /// The Gateway is shut to this bot.
    DiscordShut = "DC-SHUT", "close codes 4010 to 4014",
        "Discord refuses the shard, the version or the intents",
        "restart Bellwether, and update it if that does not help";
    /// Rate limits.
    DiscordLimited = "DC-LIMITED", "429 (user, global or shared), 20016, 20028, 20029, 40062, 110000, 130000",
        "a limit of Discord, slow mode, or a limit that others in the channel used up",
        "there is nothing to do: it is sent later by itself";
    /// Direct messages opened too fast.
    DiscordOpening = "DC-40003", "40003",
        "direct messages were opened too fast",
        "there is nothing to do: it is tried later by itself";
    /// Other limits.
    DiscordQuota = "DC-QUOTA", "30007, 30032, 30034, 30046",
        "a limit on what an application may have or do in a day",
        "there is nothing to do: it is tried later by itself";
    /// A stranger on the way refuses.
    DiscordProxy = "DC-PROXY", "3xx, or 4xx without Discord's JSON",
        "Cloudflare, a proxy or a firewall refuses, not Discord; or DISCORD_API_URL leads elsewhere",
        "check DISCORD_API_URL and the way out of this machine; it is tried again by itself";
    /// Discord is unwell.
    DiscordDown = "DC-DOWN", "408, 5xx",
        "Discord itself has a problem",
        "see Discord's status page; it is tried again by itself";
    /// The answer is no answer.
    DiscordUnreadable = "DC-UNREADABLE", "200 with something else than Discord's JSON",
        "something else answers at that address",
        "check DISCORD_API_URL";
    /// No connection.
    DiscordUnreachable = "DC-UNREACHABLE", "no connection: DNS, refused, TLS",
        "this machine does not reach Discord",
        "check DISCORD_API_URL, this machine's network, DNS and clock";
    /// Nobody knows whether it arrived.
    DiscordUncertain = "DC-UNCERTAIN", "no answer within 8 s, or the connection ended before it",
        "Discord or the way to it is slow; the message may have arrived",
        "it is tried again by itself under the same nonce, which Discord knows; once it is a dead letter, look whether it arrived, then outbox drop (it did) or outbox retry (it did not)";

    /// Telegram refuses the token.
    TelegramToken = "TG-TOKEN", "401, 404 \"Not Found\"",
        "the bot's token is wrong or was revoked",
        "ask @BotFather for it (/mybots, API Token), write it into TELEGRAM_BOT_TOKEN and restart, or into its file and send SIGHUP";
    /// Another instance polls.
    TelegramConflict = "TG-409", "409",
        "another instance polls with this token, or a webhook is set",
        "stop the other instance, or give Bellwether a bot of its own";
    /// A person blocked the bot.
    TelegramBlocked = "TG-BLOCKED", "\"bot was blocked by the user\", USER_IS_BLOCKED, \"can't initiate conversation\"",
        "the person blocked the bot or never wrote to it",
        "ask them to unblock the bot and to send /start";
    /// The account is gone.
    TelegramUser = "TG-USER", "\"user is deactivated\", INPUT_USER_DEACTIVATED, \"can't send messages to bots\"",
        "the account was deleted, or is a bot",
        "there is nothing to do";
    /// The bot was removed.
    TelegramRemoved = "TG-REMOVED", "\"bot was kicked\", \"bot is not a member\", CHANNEL_PRIVATE",
        "the bot was removed from the group or channel",
        "add the bot again";
    /// The chat is gone.
    TelegramDeleted = "TG-DELETED", "\"chat not found\", PEER_ID_INVALID, \"group chat was deleted\" or deactivated",
        "the chat was deleted, or the bot never was in it",
        "check its id, and add the bot to the chat";
    /// The topic is gone or closed.
    TelegramTopic = "TG-TOPIC", "TOPIC_CLOSED, TOPIC_DELETED, TOPIC_ID_INVALID, \"message thread not found\"",
        "the topic was closed or deleted; the group's others go on",
        "open the topic again, or subscribe another one";
    /// The right to write is missing.
    TelegramRights = "TG-RIGHTS",
        "\"not enough rights\", \"have no rights\", \"need administrator rights\", CHAT_WRITE_FORBIDDEN, CHAT_RESTRICTED, CHAT_ADMIN_REQUIRED, CHAT_SEND_PLAIN_FORBIDDEN, 403 in other words",
        "the bot may not write there",
        "let the bot write there (in a channel: make it an administrator who may post)";
    /// The group became a supergroup.
    TelegramMoved = "TG-MOVED", "400 with `migrate_to_chat_id`",
        "the group became a supergroup",
        "there is nothing to do: the new address is taken over by itself";
    /// The message is refused.
    TelegramMessage = "TG-MESSAGE", "400 in other words (\"can't parse entities\", \"message is too long\"), 404 in other words, 413",
        "the request is at fault: a bug, or Telegram has changed",
        "report it with the log line; bellwether outbox retry tries the message again";
    /// The webhook's secret is another.
    TelegramHookSecret = "TG-WEBHOOK-SECRET", "`last_error_message` with 401",
        "another secret was set for the webhook",
        "restart bellwether serve, which sets TELEGRAM_WEBHOOK_SECRET anew";
    /// Something else answers the webhook.
    TelegramHookElsewhere = "TG-WEBHOOK-404", "`last_error_message` with 404 or 405",
        "something else answers there, or bellwether serve runs without TELEGRAM_WEBHOOK_SECRET",
        "check what BELLWETHER_PUBLIC_URL leads to";
    /// The webhook's certificate is not taken.
    TelegramHookCertificate = "TG-WEBHOOK-TLS", "`last_error_message` about SSL or a certificate",
        "Telegram does not trust the certificate of the webhook",
        "give that name a valid certificate with the whole chain, and TLS 1.2 or later";
    /// What stands before the webhook fails.
    TelegramHookDown = "TG-WEBHOOK-5XX", "`last_error_message` with 500 to 504",
        "what stands before bellwether serve does not reach it, or its database fails",
        "see the log, here and of the proxy";
    /// The webhook is not reached.
    TelegramHookUnreached = "TG-WEBHOOK", "any other `last_error_message`, or `setWebhook` refused",
        "Telegram does not reach the webhook",
        "start bellwether serve, and let 149.154.160.0/20 and 91.108.4.0/22 reach it over IPv4";
    /// Rate limits.
    TelegramLimited = "TG-LIMITED", "429",
        "a limit of Telegram, or another program uses the same bot",
        "there is nothing to do: it is sent later by itself";
    /// A stranger on the way answers.
    TelegramProxy = "TG-PROXY", "3xx or 4xx without Telegram's JSON",
        "a proxy or a firewall answers, or TELEGRAM_API_URL leads elsewhere",
        "check TELEGRAM_API_URL and the way out of this machine; it is tried again by itself";
    /// Telegram is unwell.
    TelegramDown = "TG-DOWN", "5xx",
        "Telegram itself has a problem, or what stands at TELEGRAM_API_URL",
        "there is nothing to do: it is tried again by itself";
    /// The answer is no answer.
    TelegramUnreadable = "TG-UNREADABLE", "200 with something else than Telegram's JSON",
        "something else answers at that address",
        "check TELEGRAM_API_URL";
    /// No connection.
    TelegramUnreachable = "TG-UNREACHABLE", "no connection: DNS, refused, TLS",
        "this machine does not reach Telegram",
        "check TELEGRAM_API_URL, this machine's network, DNS and clock";
    /// Nobody knows whether it arrived.
    TelegramUncertain = "TG-UNCERTAIN", "no answer in time, or the connection ended before it",
        "Telegram or the way to it is slow; the message may have arrived",
        "it is tried once more by itself, and can then appear twice; once it is a dead letter, look whether it arrived, then outbox drop (it did) or outbox retry (it did not)";
}

impl Trouble {
    /// What to do, and the code to search for.
    pub fn advice(self) -> String {
        format!("{} [{}]", self.fix(), self.code())
    }

    /// What happened and what to do: one sentence for logs, notices and `check`.
    pub fn explain(self, happened: impl fmt::Display) -> String {
        format!("{happened}; {}", self.advice())
    }

    /// The trouble behind a quarantine, by what is remembered of it.
    pub const fn of_quarantine(platform: Platform, reason: QuarantineReason) -> Option<Self> {
        use QuarantineReason as Reason;
        Some(match (platform, reason) {
            (Platform::Discord, Reason::Deleted) => Self::DiscordDeleted,
            (Platform::Discord, Reason::Removed) => Self::DiscordRemoved,
            (Platform::Discord, Reason::Blocked) => Self::DiscordClosed,
            (Platform::Discord, Reason::Deactivated) => Self::DiscordUser,
            // Both lacks end in the same quarantine; this fix names every permission.
            (Platform::Discord, Reason::Forbidden) => Self::DiscordPermission,
            (Platform::Discord, Reason::Closed) => Self::DiscordThread,
            (Platform::Discord, Reason::WrongKind) => Self::DiscordKind,
            (Platform::Telegram, Reason::Deleted) => Self::TelegramDeleted,
            (Platform::Telegram, Reason::Removed) => Self::TelegramRemoved,
            (Platform::Telegram, Reason::Blocked) => Self::TelegramBlocked,
            (Platform::Telegram, Reason::Deactivated | Reason::WrongKind) => Self::TelegramUser,
            (Platform::Telegram, Reason::Forbidden) => Self::TelegramRights,
            (Platform::Telegram, Reason::Closed) => Self::TelegramTopic,
            (Platform::Console, _) => return None,
        })
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_code_is_one_of_its_kind_and_every_entry_is_whole() {
        let codes: BTreeSet<_> = Trouble::ALL.iter().map(|trouble| trouble.code()).collect();
        assert_eq!(codes.len(), Trouble::ALL.len());
        for trouble in Trouble::ALL {
            let texts = [trouble.seen(), trouble.cause(), trouble.fix()];
            assert!(texts.iter().all(|text| !text.is_empty() && !text.ends_with(['.', ';']) && !text.contains('|')), "{trouble}");
            // An adapter takes the life out of links in plain text, and who copies such a one gets nowhere.
            assert!(!trouble.fix().contains("://") && !trouble.fix().contains('`'), "{trouble}");
            assert!(trouble.code().bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-'), "{trouble}");
        }
    }

    #[test]
    fn what_happened_comes_first_and_the_code_last() {
        let words = Trouble::TelegramConflict.explain("Telegram answers 409");
        assert_eq!(words, "Telegram answers 409; stop the other instance, or give Bellwether a bot of its own [TG-409]");
    }
}
