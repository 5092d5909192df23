//! What a refusal means: Discord's error codes as a table, and the classification of a complete answer by what to do next.

use super::transport::{Answer, NoAnswer};
use crate::{
    chat::{EditError, End, Scope, SendError},
    domain::{
        QuarantineReason::{self, Blocked, Closed, Deactivated, Deleted, Forbidden, Removed, WrongKind},
        wording::Trouble,
    },
};
use std::time::Duration;

/// What to do about an error code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// The destination cannot be reached.
    Gone(QuarantineReason),
    /// The message is at fault.
    Payload,
    /// This destination waits.
    Wait,
    /// Discord as a whole waits.
    WaitAll,
    /// The token or the bot's way of asking is refused.
    Stop,
}

/// The JSON error code of an archived thread, which is unarchived once (`rules.md` 4.3).
pub(super) const ARCHIVED: u64 = 50083;
/// The JSON error code of direct messages that are opened too fast.
pub(super) const OPENING_TOO_FAST: u64 = 40003;

/// Codes of [Discord, opcodes and status codes](https://discord.com/developers/docs/topics/opcodes-and-status-codes#json).
pub(super) const CODES: &[(u64, Class, Trouble)] = &[
    (10003, Class::Gone(Deleted), Trouble::DiscordDeleted),      // unknown channel
    (10004, Class::Gone(Deleted), Trouble::DiscordDeleted),      // unknown guild
    (10013, Class::Gone(Deactivated), Trouble::DiscordUser),     // unknown user
    (10015, Class::Gone(Deleted), Trouble::DiscordDeleted),      // unknown webhook
    (50027, Class::Gone(Deleted), Trouble::DiscordDeleted),      // invalid webhook token
    (50001, Class::Gone(Forbidden), Trouble::DiscordAccess),     // missing access; also after a kick
    (50013, Class::Gone(Forbidden), Trouble::DiscordPermission), // missing permissions
    (160005, Class::Gone(Closed), Trouble::DiscordThread),       // thread locked
    (ARCHIVED, Class::Gone(Closed), Trouble::DiscordThread),     // thread archived, and unarchiving it did not help
    (40007, Class::Gone(Removed), Trouble::DiscordRemoved),      // banned
    (50007, Class::Gone(Blocked), Trouble::DiscordClosed),       // cannot send messages to this user
    (50278, Class::Gone(Blocked), Trouble::DiscordClosed),       // no mutual guild
    (20009, Class::Gone(Blocked), Trouble::DiscordClosed),       // explicit content cannot be sent to the recipient
    (50033, Class::Gone(Blocked), Trouble::DiscordClosed),       // invalid recipient
    (50008, Class::Gone(WrongKind), Trouble::DiscordKind),       // a non-text channel
    (50024, Class::Gone(WrongKind), Trouble::DiscordKind),       // cannot do this on this channel type
    (40058, Class::Gone(WrongKind), Trouble::DiscordKind),       // a forum needs a thread
    (220001, Class::Gone(WrongKind), Trouble::DiscordKind),      // a forum needs a thread name
    (50035, Class::Payload, Trouble::DiscordMessage),            // invalid form body
    (50006, Class::Payload, Trouble::DiscordMessage),            // empty message
    (50109, Class::Payload, Trouble::DiscordMessage),            // invalid JSON
    (40005, Class::Payload, Trouble::DiscordMessage),            // request too large
    (50045, Class::Payload, Trouble::DiscordMessage),            // file too large
    (200000, Class::Payload, Trouble::DiscordContent),           // blocked by automatic moderation
    (240000, Class::Payload, Trouble::DiscordContent),           // harmful links
    (10062, Class::Payload, Trouble::DiscordInteraction),        // unknown interaction: late or expired
    (40060, Class::Payload, Trouble::DiscordInteraction),        // interaction acknowledged already
    (40094, Class::Payload, Trouble::DiscordInteraction),        // follow-ups used up
    (20016, Class::Wait, Trouble::DiscordLimited),               // slow mode
    (20028, Class::Wait, Trouble::DiscordLimited),               // channel write limit
    (20029, Class::Wait, Trouble::DiscordLimited),               // server write limit
    (40062, Class::Wait, Trouble::DiscordLimited),               // resource limited
    (110000, Class::Wait, Trouble::DiscordLimited),              // not available yet
    (OPENING_TOO_FAST, Class::Wait, Trouble::DiscordOpening),    // direct messages opened too fast: quarantines nobody
    (30007, Class::Wait, Trouble::DiscordQuota),                 // other limits never disable anything
    (30032, Class::Wait, Trouble::DiscordQuota),
    (30034, Class::Wait, Trouble::DiscordQuota),
    (30046, Class::Wait, Trouble::DiscordQuota),
    (130000, Class::WaitAll, Trouble::DiscordLimited), // API overloaded
    (40001, Class::Stop, Trouble::DiscordToken),       // unauthorized
    (50014, Class::Stop, Trouble::DiscordToken),       // invalid token
    (40333, Class::Stop, Trouble::DiscordAgent),       // the way of asking is blocked
];

/// How long everything waits when an address is limited without a word for how long (a block by Cloudflare).
pub(super) const UNKNOWN_BLOCK: Duration = Duration::from_secs(60);

/// Whether an answer counts as invalid towards the ban of the address.
pub(super) fn counts_as_invalid(answer: &Answer) -> bool {
    matches!(answer.status, 401 | 403) || (answer.status == 429 && answer.scope.as_deref() != Some("shared"))
}

/// Who waits after a 429 of any of the three scopes, or of none.
fn limited_scope(answer: &Answer) -> Scope {
    match answer.scope.as_deref() {
        Some("global") => Scope::Platform,
        Some(_) => Scope::Destination,
        None if answer.global => Scope::Platform,
        None => match answer.error() {
            Some(body) if body.global => Scope::Platform,
            Some(_) => Scope::Destination,
            None => Scope::Platform,
        },
    }
}

/// The entry of the catalogue for a complete answer that is not a success.
pub(super) fn trouble(answer: &Answer) -> Trouble {
    let body = answer.error();
    let code = body.as_ref().map_or(0, |body| body.code);
    if let Some((_, _, trouble)) = CODES.iter().find(|(known, ..)| *known == code) {
        return *trouble;
    }
    match answer.status {
        429 => Trouble::DiscordLimited,
        408 | 500.. => Trouble::DiscordDown,
        300..=399 => Trouble::DiscordProxy,
        _ if body.is_none() => Trouble::DiscordProxy,
        401 => Trouble::DiscordToken,
        403 => Trouble::DiscordAccess,
        _ => Trouble::DiscordMessage,
    }
}

/// What a complete answer that is not a success says, with the way to mend it.
pub(super) fn explain(answer: &Answer) -> String {
    trouble(answer).explain(answer.words())
}

/// Another's message, or one that is gone: what there is to say is a reply. One that was edited too often (30046) is edited later, because an
/// earlier attempt may have been taken.
const NOT_TO_EDIT: [u64; 2] = [10008, 50005];

/// Whether a message with a picture may go without it: the form, its size or what it shows is refused, or the right to attach
/// files is missing.
pub(super) fn may_be_the_picture(answer: &Answer) -> bool {
    const FORM: u64 = 50_035;
    const TOO_LARGE: u64 = 40_005;
    const FILE_TOO_LARGE: u64 = 50_045;
    const NO_RIGHT: u64 = 50_013;
    const EXPLICIT: u64 = 20_009;
    let codes = [FORM, TOO_LARGE, FILE_TOO_LARGE, NO_RIGHT, EXPLICIT];
    answer.status == 413 || answer.error().is_some_and(|body| codes.contains(&body.code))
}

/// Classifies a complete answer to an edit that is not a success.
pub(super) fn of_edit(answer: &Answer) -> EditError {
    match answer.error() {
        Some(body) if NOT_TO_EDIT.contains(&body.code) => EditError::Refused { why: answer.words() },
        _ => EditError::of(classify(answer)),
    }
}

/// Discord took a message but not its embeds, which is how it shows that the right to them is missing.
pub(super) fn without_embeds() -> SendError {
    let why = Trouble::DiscordPermission.explain("Discord shows the message without its embeds, because the bot lacks Embed Links there");
    SendError::Gone { reason: Forbidden, why }
}

/// Classifies a complete answer that is not a success.
pub(super) fn classify(answer: &Answer) -> SendError {
    let why = explain(answer);
    let retry = |after, scope, why| SendError::Retry { after, scope, end: End::NotDelivered, why };
    let not_served = |after, scope, why| SendError::Retry { after, scope, end: End::NotServed, why };
    let body = answer.error();
    if answer.status == 429 {
        let scope = limited_scope(answer);
        let after = answer.wait().or((scope == Scope::Platform).then_some(UNKNOWN_BLOCK));
        return retry(after, scope, why);
    }
    let code = body.as_ref().map_or(0, |body| body.code);
    let class = CODES.iter().find(|(known, ..)| *known == code).map(|(_, class, _)| *class);
    match class {
        Some(Class::Gone(reason)) => SendError::Gone { reason, why },
        Some(Class::Payload) => SendError::Rejected { why },
        Some(Class::Wait) => retry(answer.wait(), Scope::Destination, why),
        Some(Class::WaitAll) => retry(answer.wait(), Scope::Platform, why),
        Some(Class::Stop) => SendError::Unauthorized { why },
        None => match answer.status {
            // Without Discord's JSON it is about neither the token, the channel nor the message: a proxy or Cloudflare refuses.
            400..=407 | 409..=499 if body.is_none() => not_served(Some(UNKNOWN_BLOCK), Scope::Platform, why),
            401 => SendError::Unauthorized { why },
            403 => SendError::Gone { reason: Forbidden, why },
            300..=399 | 408 | 500..=599 => not_served(answer.wait(), Scope::Destination, why),
            _ => SendError::Rejected { why },
        },
    }
}

/// Classifies an attempt that brought no complete answer.
pub(super) fn without_answer(no_answer: NoAnswer) -> SendError {
    let (end, why) = match no_answer {
        NoAnswer::NotSent(why) => (End::NotServed, Trouble::DiscordUnreachable.explain(why)),
        NoAnswer::Unknown(why) => (End::Unknown, Trouble::DiscordUncertain.explain(why)),
    };
    SendError::Retry { after: None, scope: Scope::Destination, end, why }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, body: body.into(), bucket: Default::default(), retry_after: None, scope: None, global: false }
    }

    fn coded(status: u16, code: u64) -> Answer {
        answer(status, &format!(r#"{{"message":"no","code":{code}}}"#))
    }

    #[test]
    fn every_code_of_the_table_has_one_meaning() {
        for (index, (code, class, trouble)) in CODES.iter().enumerate() {
            assert!(CODES[..index].iter().all(|(other, ..)| other != code), "{code} twice");
            assert!(trouble.seen().contains(&code.to_string()), "{trouble} does not name {code}");
            let error = classify(&coded(400, *code));
            let fits = match class {
                Class::Gone(reason) => matches!(&error, SendError::Gone { reason: found, .. } if found == reason),
                Class::Payload => matches!(error, SendError::Rejected { .. }),
                Class::Wait => matches!(error, SendError::Retry { scope: Scope::Destination, end: End::NotDelivered, .. }),
                Class::WaitAll => matches!(error, SendError::Retry { scope: Scope::Platform, end: End::NotDelivered, .. }),
                Class::Stop => matches!(error, SendError::Unauthorized { .. }),
            };
            assert!(fits, "{code}: {error:?}");
        }
    }

    #[test]
    fn unknown_codes_are_judged_by_their_status() {
        assert!(matches!(classify(&answer(401, r#"{"message":"401: Unauthorized","code":0}"#)), SendError::Unauthorized { .. }));
        assert!(matches!(classify(&coded(403, 1)), SendError::Gone { reason: Forbidden, .. }));
        for status in [400, 401, 403, 404, 405, 413, 421] {
            let error = classify(&answer(status, "<html>"));
            assert!(matches!(error, SendError::Retry { scope: Scope::Platform, end: End::NotServed, .. }), "{status}: {error:?}");
        }
        assert!(matches!(classify(&coded(404, 0)), SendError::Rejected { .. }));
        assert!(matches!(classify(&coded(400, 99999)), SendError::Rejected { .. }));
        for status in [500, 502, 503, 504, 524, 408, 301] {
            assert!(matches!(classify(&answer(status, "<html>")), SendError::Retry { end: End::NotServed, .. }), "{status}");
        }
    }

    #[test]
    fn each_scope_of_429_makes_the_right_one_wait() {
        let limited = |scope: Option<&str>, global, body: &str| {
            let answer = Answer { scope: scope.map(str::to_owned), global, ..answer(429, body) };
            let invalid = counts_as_invalid(&answer);
            let SendError::Retry { after, scope, end: End::NotDelivered, .. } = classify(&answer) else { panic!() };
            (after.map(|after| after.as_millis()), scope, invalid)
        };
        let body = r#"{"message":"m","retry_after":0.65,"global":false}"#;
        assert_eq!(limited(Some("user"), false, body), (Some(650), Scope::Destination, true));
        assert_eq!(limited(Some("shared"), false, body), (Some(650), Scope::Destination, false));
        assert_eq!(limited(Some("global"), true, body), (Some(650), Scope::Platform, true));
        assert_eq!(limited(None, true, body), (Some(650), Scope::Platform, true));
        assert_eq!(limited(None, false, r#"{"retry_after":1.2,"global":true}"#), (Some(1200), Scope::Platform, true));
        assert_eq!(limited(None, false, r#"{"code":20016,"retry_after":5.0}"#), (Some(5000), Scope::Destination, true));
        assert_eq!(limited(None, false, r#"{"retry_after":"soon"}"#), (Some(60_000), Scope::Platform, true));
        assert_eq!(limited(None, false, "<html>error 1015"), (Some(60_000), Scope::Platform, true));
    }

    #[test]
    fn the_longer_wait_counts() {
        let answer = Answer { retry_after: Some(Duration::from_secs(2)), ..answer(429, r#"{"retry_after":1.2}"#) };
        assert_eq!(answer.wait(), Some(Duration::from_secs(2)));
    }
}
