//! Faults that are put into the product on purpose, to see that the judge notices them: each as a trigger in its database, or a messenger that lies.

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sabotage {
    /// Each attempt has a nonce of its own.
    NonceChanges,
    /// Some messages that were sent are not settled as such.
    SettlementLost,
    /// What a cooldown holds is dropped.
    CooldownDrops,
    /// Some of those who follow a token are passed over when it turns.
    FanOutSkips,
    /// Answers that replace "thinking…" are taken by nobody.
    AnswersLost,
    /// Messages that stand there without their words pass for sent.
    BlanksPass,
    /// Some calls of the source are not in the ledger, so that there are too many.
    LedgerForgets,
}

impl Sabotage {
    pub(super) const ALL: &'static [Self] = &[
        Self::NonceChanges,
        Self::SettlementLost,
        Self::CooldownDrops,
        Self::FanOutSkips,
        Self::AnswersLost,
        Self::BlanksPass,
        Self::LedgerForgets,
    ];

    /// What the database does from the beginning.
    pub(super) const fn sql(self) -> &'static str {
        match self {
            Self::NonceChanges | Self::AnswersLost | Self::BlanksPass => "",
            Self::SettlementLost => {
                "CREATE TRIGGER sabotage AFTER UPDATE ON alerts WHEN NEW.state = 'told' AND NEW.id % 7 = 0
                    BEGIN UPDATE alerts SET state = 'composed' WHERE id = NEW.id; END"
            }
            Self::CooldownDrops => {
                "CREATE TRIGGER sabotage AFTER UPDATE ON alerts WHEN NEW.state = 'pending' AND NEW.reason = 'cooldown'
                    BEGIN UPDATE alerts SET state = 'skipped' WHERE id = NEW.id; END;
                 CREATE TRIGGER sabotage_too AFTER INSERT ON alerts WHEN NEW.state = 'pending' AND NEW.reason = 'cooldown'
                    BEGIN UPDATE alerts SET state = 'skipped' WHERE id = NEW.id; END"
            }
            Self::LedgerForgets => {
                "CREATE TRIGGER sabotage AFTER INSERT ON call_ledger WHEN NEW.id % 5 = 0 BEGIN DELETE FROM call_ledger WHERE id = NEW.id; END"
            }
            Self::FanOutSkips => {
                "CREATE TRIGGER sabotage AFTER INSERT ON alerts WHEN NEW.id % 11 = 0 BEGIN DELETE FROM alerts WHERE id = NEW.id; END"
            }
        }
    }
}
