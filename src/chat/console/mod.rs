//! The console adapter: prints what a chat would show, for `demo`.

mod layout;
mod paint;

use super::{EditError, End, Messenger, Outgoing, Receipt, Scope, SendError};
use crate::{
    clock::SharedClock,
    domain::{Platform, Timestamp},
};
use async_trait::async_trait;
use paint::Paint;
use std::{
    io::{self, ErrorKind, Write},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Prints messages. All destinations share one output; each line of it says which one it is for.
pub struct Console {
    output: Mutex<Output>,
    paint: Paint,
    clock: SharedClock,
}

struct Output {
    to: Box<dyn Write + Send>,
    printed: u64,
    is_closed: bool,
}

impl Console {
    /// A console that prints to `out`, in colour where its reader sees it, with the time that `clock` shows.
    pub fn new(out: Box<dyn Write + Send>, colour: bool, clock: SharedClock) -> Self {
        Self { output: Mutex::new(Output { to: out, printed: 0, is_closed: false }), paint: Paint { colour }, clock }
    }

    /// Whether nobody reads any more: the pipe behind it was closed, as `| head` does.
    pub fn is_closed(&self) -> bool {
        self.output().is_closed
    }

    fn output(&self) -> MutexGuard<'_, Output> {
        self.output.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Output {
    /// Prints the text whole and tells how many were printed.
    fn print(&mut self, text: &str) -> io::Result<u64> {
        let written = self.to.write_all(text.as_bytes()).and_then(|()| self.to.flush());
        self.is_closed |= written.as_ref().is_err_and(|error| error.kind() == ErrorKind::BrokenPipe);
        written?;
        self.printed += 1;
        Ok(self.printed)
    }
}

#[async_trait]
impl Messenger for Console {
    fn platform(&self) -> Platform {
        Platform::Console
    }

    fn admit(&self, _now: Timestamp) -> Result<(), Timestamp> {
        Ok(())
    }

    async fn answers(&self) -> Option<bool> {
        Some(true)
    }

    async fn send(&self, outgoing: &Outgoing) -> Result<Receipt, SendError> {
        let text = layout::layout(&outgoing.body, &outgoing.to, self.clock.now(), self.paint);
        let printed = self.output().print(&text).map_err(|error| SendError::Retry {
            after: None,
            scope: Scope::Platform,
            end: End::Unknown,
            why: format!("the terminal cannot be written to: {error}"),
        })?;
        Ok(Receipt { platform_id: printed.to_string(), rest_until: None, route: None, uploaded: None })
    }

    async fn edit(&self, _outgoing: &Outgoing, _platform_id: &str) -> Result<Receipt, EditError> {
        Err(EditError::Refused { why: "what is printed stays".to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::ManualClock,
        domain::{
            Address, Call, Kind, Mention, MessageBody, MessageId, Outcome, Since, Stance, SummaryCause, TokenId, Zone,
            wording::{Card, NoticePhrase, Phrase, ReplyPhrase, Tone},
        },
    };
    use std::sync::Arc;

    /// What was printed, shared with the console that owns it.
    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct ClosedPipe;

    impl Write for ClosedPipe {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn clock() -> SharedClock {
        Arc::new(ManualClock::new(at("2026-11-21T22:05:00Z")))
    }

    fn outgoing(chat: &str, body: MessageBody) -> Outgoing {
        Outgoing {
            id: MessageId(1),
            to: Address::new(Platform::Console, chat),
            route: None,
            body,
            mention: Mention::default(),
            replies_to: None,
            is_reply: false,
            illustration: None,
            provenance: None,
            is_first: true,
            clock: Zone::UTC,
        }
    }

    fn call(symbol: &str, to: Stance) -> Call {
        Call {
            token: TokenId(3988),
            symbol: symbol.to_owned(),
            kind: Kind::Daily,
            outcome: Outcome::Turned,
            from: Some(to.opposite()),
            since: Some(Since { at: at("2026-11-14"), exact: true }),
            to,
            data_time: at("2026-11-21"),
            seen_at: at("2026-11-21T22:05:00Z"),
            flips: 0,
            after_gap: false,
            trader_grade: Some(64.03),
            mover: None,
            crossing: None,
            link: Some("https://app.tokenmetrics.com/en/solana".to_owned()),
        }
    }

    fn printed(colour: bool, outgoing: &Outgoing) -> String {
        let paper = Paper::default();
        let console = Console::new(Box::new(paper.clone()), colour, clock());
        futures_util::FutureExt::now_or_never(console.send(outgoing)).unwrap().unwrap();
        let bytes = paper.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn an_alert_says_who_which_way_and_from_when_on_its_first_line() {
        let alert = outgoing("#alerts", MessageBody::Alert { call: call("SOL", Stance::Bullish), buttons: None, instead_of: None });
        assert_eq!(
            printed(false, &alert),
            "21 Nov 22:05  #alerts   ▲ SOL turned bullish  Before: bearish since 14 Nov 2026  Trader grade 64.03\n\
             \x20                       Daily call of 21 Nov 2026, seen 21 Nov 2026 22:05 UTC · https://app.tokenmetrics.com/en/solana\n"
        );
        assert_eq!(
            printed(true, &alert),
            "\u{1b}[2m21 Nov 22:05\u{1b}[0m  #alerts   \u{1b}[1;32m▲ SOL turned bullish\u{1b}[0m  Before: bearish since 14 Nov 2026  \
             Trader grade 64.03\n                        \u{1b}[2mDaily call of 21 Nov 2026, seen 21 Nov 2026 22:05 UTC · \
             https://app.tokenmetrics.com/en/solana\u{1b}[0m\n"
        );
    }

    #[test]
    fn a_summary_is_a_block_with_a_line_each() {
        let calls = vec![call("BTC", Stance::Bearish), Call { outcome: Outcome::Corrected, flips: 2, ..call("ETH", Stance::Bullish) }];
        let summary = |compact| {
            outgoing("@mira", MessageBody::Summary { cause: SummaryCause::AtOnce, total: 2, calls: calls.clone(), compact, older: 0 })
        };
        assert_eq!(
            printed(false, &summary(false)),
            "21 Nov 22:05  @mira     • 2 calls changed\n\
             \x20                       ▼ BTC turned bearish (daily, 21 Nov 2026)\n\
             \x20                       ▲ ETH correction: the call is bullish (daily, 21 Nov 2026, 2 flips in between)\n"
        );
        assert_eq!(
            printed(false, &summary(true)),
            "21 Nov 22:05  @mira     • 2 calls changed\n\
             \x20                       ▼ Turned bearish (1): BTC\n\
             \x20                       ▲ Correction, the call is bullish (1): ETH\n"
        );
        assert!(printed(true, &summary(false)).contains("\n                        \u{1b}[1;31m▼\u{1b}[0m BTC turned bearish"));
    }

    #[test]
    fn cards_are_plain() {
        let notice = Phrase::Notice(NoticePhrase::Restored { destination: "discord:1".to_owned() });
        let mut card = Card::new(Tone::Success, notice.clone());
        card.fields.push((notice, Phrase::Reply(ReplyPhrase::NotAdvice)));
        card.footer = Some(Phrase::Reply(ReplyPhrase::NotAdvice));
        assert_eq!(
            printed(false, &outgoing("#a-long-name", MessageBody::Card { card })),
            "21 Nov 22:05  #a-long-name  ✓ discord:1 answers again; what was held is on its way.\n\
             \x20                           discord:1 answers again; what was held is on its way.: Automated data, not investment advice.\n\
             \x20                           Automated data, not investment advice.\n"
        );
    }

    #[test]
    fn names_from_outside_cannot_forge_lines_or_colours() {
        let mut hostile = call("A\u{1b}[31m\nB", Stance::Bearish);
        hostile.link = Some("https://x\r".to_owned());
        let text = printed(false, &outgoing("#a\u{7}", MessageBody::Alert { call: hostile, buttons: None, instead_of: None }));
        assert!(text.contains("#a\\u{7}") && text.contains("▼ A\\u{1b}[31m\\nB turned bearish") && text.contains("https://x\\r"), "{text}");
        assert_eq!(text.chars().filter(|c| c.is_control()).collect::<String>(), "\n\n");
    }

    #[tokio::test]
    async fn receipts_count_and_a_closed_pipe_is_noticed() {
        let alert = outgoing("#alerts", MessageBody::Alert { call: call("SOL", Stance::Bullish), buttons: None, instead_of: None });
        let console = Console::new(Box::new(Paper::default()), false, clock());
        assert_eq!(console.send(&alert).await.unwrap().platform_id, "1");
        assert_eq!(console.send(&alert).await.unwrap().platform_id, "2");
        assert_eq!((console.platform(), console.admit(Timestamp::EPOCH), console.is_closed()), (Platform::Console, Ok(()), false));
        let console = Console::new(Box::new(ClosedPipe), false, clock());
        assert!(matches!(console.send(&alert).await, Err(SendError::Retry { scope: Scope::Platform, .. })));
        assert!(console.is_closed());
    }
}
