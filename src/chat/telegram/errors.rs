//! What a refusal means for a message: one table of (code, words, verdict, trouble), first match wins. The words are those of the official server's
//! source and of errors seen in the field; upper-case words are TDLib's, which the server turns from 403 into 400.

use super::api::ApiError;
use crate::{
    chat::{End, Scope, SendError},
    domain::{Address, Platform, QuarantineReason as Reason, wording::Trouble},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Gone(Reason),
    Rejected,
    Unauthorized,
}
use Verdict::{Gone, Rejected, Unauthorized};

/// Any code.
const ANY: i64 = 0;

/// (code, part of the description in lower case, what it means).
const TABLE: &[(i64, &str, Verdict, Trouble)] = &[
    // The topic alone.
    (ANY, "topic_closed", Gone(Reason::Closed), Trouble::TelegramTopic),
    (ANY, "topic_deleted", Gone(Reason::Deleted), Trouble::TelegramTopic),
    (ANY, "topic_id_invalid", Gone(Reason::Deleted), Trouble::TelegramTopic),
    (ANY, "message thread not found", Gone(Reason::Deleted), Trouble::TelegramTopic),
    // The person.
    (ANY, "bot was blocked by the user", Gone(Reason::Blocked), Trouble::TelegramBlocked),
    (ANY, "user_is_blocked", Gone(Reason::Blocked), Trouble::TelegramBlocked),
    (ANY, "can't initiate conversation", Gone(Reason::Blocked), Trouble::TelegramBlocked),
    (ANY, "user is deactivated", Gone(Reason::Deactivated), Trouble::TelegramUser),
    (ANY, "input_user_deactivated", Gone(Reason::Deactivated), Trouble::TelegramUser),
    (ANY, "can't send messages to bots", Gone(Reason::WrongKind), Trouble::TelegramUser),
    (ANY, "can't send messages to the bot", Gone(Reason::WrongKind), Trouble::TelegramUser),
    // The chat.
    (ANY, "bot was kicked", Gone(Reason::Removed), Trouble::TelegramRemoved),
    (ANY, "bot is not a member", Gone(Reason::Removed), Trouble::TelegramRemoved),
    (ANY, "channel_private", Gone(Reason::Removed), Trouble::TelegramRemoved),
    (ANY, "group chat was deleted", Gone(Reason::Deleted), Trouble::TelegramDeleted),
    (ANY, "group chat was deactivated", Gone(Reason::Deleted), Trouble::TelegramDeleted),
    // Without `migrate_to_chat_id` nobody knows where it went.
    (ANY, "upgraded to a supergroup", Gone(Reason::Deleted), Trouble::TelegramDeleted),
    (ANY, "chat not found", Gone(Reason::Deleted), Trouble::TelegramDeleted),
    (ANY, "peer_id_invalid", Gone(Reason::Deleted), Trouble::TelegramDeleted),
    // The right to write there.
    (ANY, "not enough rights", Gone(Reason::Forbidden), Trouble::TelegramRights),
    (ANY, "have no rights to send", Gone(Reason::Forbidden), Trouble::TelegramRights),
    (ANY, "need administrator rights", Gone(Reason::Forbidden), Trouble::TelegramRights),
    (ANY, "chat_write_forbidden", Gone(Reason::Forbidden), Trouble::TelegramRights),
    (ANY, "chat_restricted", Gone(Reason::Forbidden), Trouble::TelegramRights),
    (ANY, "chat_admin_required", Gone(Reason::Forbidden), Trouble::TelegramRights),
    (ANY, "chat_send_plain_forbidden", Gone(Reason::Forbidden), Trouble::TelegramRights),
    (403, "", Gone(Reason::Forbidden), Trouble::TelegramRights),
    // The token.
    (401, "", Unauthorized, Trouble::TelegramToken),
    (404, "method not found", Rejected, Trouble::TelegramMessage),
    (404, "not found", Unauthorized, Trouble::TelegramToken),
    // The message: a fault of ours, never retried.
    (400, "bad webhook", Rejected, Trouble::TelegramHookUnreached),
    (400, "", Rejected, Trouble::TelegramMessage),
    (404, "", Rejected, Trouble::TelegramMessage),
    (413, "", Rejected, Trouble::TelegramMessage),
];

/// Whether the markup was refused: worth one more try without it.
pub(super) fn is_bad_markup(error: &ApiError) -> bool {
    says(error, "can't parse entities")
}

/// Whether an edit changes nothing: it was made before.
pub(super) fn is_as_it_was(error: &ApiError) -> bool {
    says(error, "message is not modified")
}

/// Whether the message is not one of text alone, and has a caption instead.
pub(super) fn is_not_text(error: &ApiError) -> bool {
    says(error, "there is no text in the message to edit")
}

/// Whether Telegram does not know a file by the name that it once gave it.
pub(super) fn is_unknown_file(error: &ApiError) -> bool {
    ["file identifier", "file reference", "file_reference", "file_id"].iter().any(|words| says(error, words))
}

fn says(error: &ApiError, words: &str) -> bool {
    matches!(error, ApiError::Refused { code: 400, description, .. } if description.to_lowercase().contains(words))
}

/// Whether a message with a picture may go without it: the picture or its text is refused, or the right to send pictures there is missing.
pub(super) fn may_be_the_picture(error: &ApiError) -> bool {
    match error {
        ApiError::Refused { code: 400 | 403 | 413, parameters, .. } => parameters.migrate_to_chat_id.is_none() && !is_bad_markup(error),
        ApiError::Foreign { status: 413, .. } => true,
        _ => false,
    }
}

/// Whether the bot may write there, but send no pictures.
pub(super) fn forbids_pictures(error: &ApiError) -> bool {
    const WORDS: [&str; 3] = ["not enough rights to send photos", "chat_send_photos_forbidden", "chat_send_media_forbidden"];
    let lower = |description: &str| description.to_lowercase();
    matches!(error, ApiError::Refused { description, .. } if WORDS.iter().any(|words| lower(description).contains(words)))
}

/// What is behind a webhook to which Telegram cannot deliver, by its words.
pub fn trouble_of_delivery(words: &str) -> Trouble {
    let words = words.to_lowercase();
    let says = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
    if says(&["401"]) {
        Trouble::TelegramHookSecret
    } else if says(&["404", "405"]) {
        Trouble::TelegramHookElsewhere
    } else if says(&["ssl", "certificate"]) {
        Trouble::TelegramHookCertificate
    } else if says(&["50"]) {
        Trouble::TelegramHookDown
    } else {
        Trouble::TelegramHookUnreached
    }
}

/// What to do about a failed `sendMessage`.
pub(super) fn classify(error: &ApiError) -> SendError {
    let why = error.explain();
    let retry = |scope, end| SendError::Retry { after: error.retry_after(), scope, end, why: why.clone() };
    match error {
        // Telegram that cannot be reached at all concerns everybody.
        ApiError::NotSent(_) => retry(Scope::Platform, End::NotServed),
        ApiError::Broken(_) | ApiError::Unreadable { .. } => retry(Scope::Destination, End::Unknown),
        ApiError::Foreign { status: 429, .. } => retry(Scope::Destination, End::NotDelivered),
        ApiError::Foreign { status: 500.., .. } => retry(Scope::Destination, End::NotServed),
        // A redirect, a proxy's login page, a wrong TELEGRAM_API_URL: not the fault of any chat.
        ApiError::Foreign { .. } => retry(Scope::Platform, End::NotServed),
        ApiError::Refused { parameters, .. } if parameters.migrate_to_chat_id.is_some() => {
            let chat = parameters.migrate_to_chat_id.unwrap_or_default().to_string();
            // A group has no topics before it is a supergroup: the new address has none either.
            SendError::Moved(Address::new(Platform::Telegram, chat))
        }
        ApiError::Refused { code: 429, .. } => retry(Scope::Destination, End::NotDelivered),
        ApiError::Refused { code: 500.., .. } => retry(Scope::Destination, End::NotServed),
        ApiError::Refused { code: 409, .. } => retry(Scope::Platform, End::NotDelivered),
        ApiError::Refused { code, description, .. } => match verdict(*code, description) {
            Gone(reason) => SendError::Gone { reason, why },
            Rejected => SendError::Rejected { why },
            Unauthorized => SendError::Unauthorized { why },
        },
    }
}

fn verdict(code: i64, description: &str) -> Verdict {
    meaning(code, description).0
}

fn meaning(code: i64, description: &str) -> (Verdict, Trouble) {
    let description = description.to_lowercase();
    let row = TABLE.iter().find(|(row_code, words, ..)| (*row_code == ANY || *row_code == code) && description.contains(words));
    row.map_or((Rejected, Trouble::TelegramMessage), |(_, _, verdict, trouble)| (*verdict, *trouble))
}

impl ApiError {
    /// What happened, with the way to mend it.
    pub fn explain(&self) -> String {
        self.trouble().explain(self)
    }

    /// Its entry in the catalogue of troubles.
    pub fn trouble(&self) -> Trouble {
        match self {
            Self::Refused { parameters, .. } if parameters.migrate_to_chat_id.is_some() => Trouble::TelegramMoved,
            Self::Refused { code: 429, .. } | Self::Foreign { status: 429, .. } => Trouble::TelegramLimited,
            Self::Refused { code: 409, .. } => Trouble::TelegramConflict,
            Self::Refused { code: 500.., .. } | Self::Foreign { status: 500.., .. } => Trouble::TelegramDown,
            Self::Refused { code, description, .. } => meaning(*code, description).1,
            Self::Foreign { .. } => Trouble::TelegramProxy,
            Self::Unreadable { .. } => Trouble::TelegramUnreadable,
            Self::NotSent(_) => Trouble::TelegramUnreachable,
            Self::Broken(_) => Trouble::TelegramUncertain,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::api::Parameters;
    use super::*;
    use std::time::Duration;

    fn refused(code: i64, description: &str, parameters: Parameters) -> ApiError {
        ApiError::Refused { code, description: description.to_owned(), parameters }
    }

    #[test]
    fn every_known_text_has_its_meaning() {
        let cases = [
            (403, "Forbidden: bot was blocked by the user", Gone(Reason::Blocked)),
            (403, "Forbidden: user is deactivated", Gone(Reason::Deactivated)),
            (403, "Forbidden: bot can't initiate conversation with a user", Gone(Reason::Blocked)),
            (403, "Forbidden: bot can't send messages to bots", Gone(Reason::WrongKind)),
            (400, "Bad Request: chat not found", Gone(Reason::Deleted)),
            (400, "Bad Request: PEER_ID_INVALID", Gone(Reason::Deleted)),
            (403, "Forbidden: bot was kicked from the group chat", Gone(Reason::Removed)),
            (403, "Forbidden: bot was kicked from the supergroup chat", Gone(Reason::Removed)),
            (403, "Forbidden: bot was kicked from the channel chat", Gone(Reason::Removed)),
            (403, "Forbidden: bot is not a member of the group chat", Gone(Reason::Removed)),
            (403, "Forbidden: bot is not a member of the supergroup chat", Gone(Reason::Removed)),
            (403, "Forbidden: bot is not a member of the channel chat", Gone(Reason::Removed)),
            (403, "Forbidden: the group chat was deleted", Gone(Reason::Deleted)),
            (400, "Bad Request: not enough rights to send text messages to the chat", Gone(Reason::Forbidden)),
            (400, "Bad Request: have no rights to send a message", Gone(Reason::Forbidden)),
            (400, "Bad Request: need administrator rights in the channel chat", Gone(Reason::Forbidden)),
            (400, "Bad Request: CHAT_WRITE_FORBIDDEN", Gone(Reason::Forbidden)),
            (400, "Bad Request: CHAT_RESTRICTED", Gone(Reason::Forbidden)),
            (400, "Bad Request: TOPIC_CLOSED", Gone(Reason::Closed)),
            (400, "Bad Request: TOPIC_DELETED", Gone(Reason::Deleted)),
            (400, "Bad Request: message thread not found", Gone(Reason::Deleted)),
            (400, "Bad Request: can't parse entities: Unsupported start tag", Rejected),
            (400, "Bad Request: message is too long", Rejected),
            (400, "Bad Request: MESSAGE_TOO_LONG", Rejected),
            (400, "Bad Request: message caption is too long", Rejected),
            (400, "Bad Request: BUTTON_DATA_INVALID", Rejected),
            (400, "Bad Request: message text is empty", Rejected),
            (400, "Bad Request: something new", Rejected),
            (403, "Forbidden: something new", Gone(Reason::Forbidden)),
            (401, "Unauthorized", Unauthorized),
            (401, "Unauthorized: invalid token specified", Unauthorized),
            (404, "Not Found", Unauthorized),
            (404, "Not Found: method not found", Rejected),
        ];
        for (code, text, expected) in cases {
            let found = match classify(&refused(code, text, Parameters::default())) {
                SendError::Gone { reason, .. } => Gone(reason),
                SendError::Rejected { .. } => Rejected,
                SendError::Unauthorized { .. } => Unauthorized,
                other => panic!("{text}: {other:?}"),
            };
            assert_eq!(found, expected, "{text}");
            assert_eq!(verdict(code, &text.to_uppercase()), expected, "the case of {text}");
        }
    }

    #[test]
    fn what_waits_and_what_moves() {
        let limited = refused(429, "Too Many Requests: retry after 5", Parameters { retry_after: Some(5), ..Parameters::default() });
        let SendError::Retry { after, scope, end, .. } = classify(&limited) else { panic!("retry") };
        assert_eq!((after, scope, end), (Some(Duration::from_secs(5)), Scope::Destination, End::NotDelivered));

        let text = "Bad Request: group chat was upgraded to a supergroup chat";
        let moved = refused(400, text, Parameters { migrate_to_chat_id: Some(-1005), ..Parameters::default() });
        assert_eq!(classify(&moved), SendError::Moved(Address::new(Platform::Telegram, "-1005")));

        let end_of = |error: &ApiError| match classify(error) {
            SendError::Retry { scope, end, .. } => (scope, end),
            other => panic!("{other:?}"),
        };
        let foreign = |status| ApiError::Foreign { status, body: String::new(), retry_after: None };
        assert_eq!(end_of(&refused(500, "Internal Server Error", Parameters::default())), (Scope::Destination, End::NotServed));
        assert_eq!(end_of(&foreign(502)), (Scope::Destination, End::NotServed));
        assert_eq!(end_of(&foreign(302)), (Scope::Platform, End::NotServed));
        assert_eq!(end_of(&foreign(404)), (Scope::Platform, End::NotServed));
        assert_eq!(end_of(&ApiError::NotSent(String::new())), (Scope::Platform, End::NotServed));
        assert_eq!(end_of(&ApiError::Broken(String::new())), (Scope::Destination, End::Unknown));
        assert_eq!(end_of(&ApiError::Unreadable { raw: String::new(), message_id: None }), (Scope::Destination, End::Unknown));
    }
}
