//! Whether what comes still looks as it used to: operators hear of a field, or of an answer, that does not, once until it does again
//! (ARCHITECTURE.md, rules E).

use super::{super::ingest::Ingested, Poller};
use crate::{
    domain::{Feed, FieldCounts, SetAsideReason, Snapshot, SourceField, wording::NoticePhrase},
    engine::drift::{Look, is_mostly_odd, look},
    store::StoreResult,
};
use std::collections::BTreeMap;

/// How many rows of one poll came, and those that could not be understood by their reasons.
pub(super) struct RowsCame {
    rows: usize,
    odd: BTreeMap<SetAsideReason, usize>,
}

impl RowsCame {
    pub(super) fn of(snapshot: &Snapshot, ingested: &Ingested) -> Self {
        let odd = ingested.not_taken.iter().filter(|(reason, _)| reason.is_odd()).map(|(reason, count)| (*reason, *count)).collect();
        Self { rows: snapshot.observations.len() + snapshot.set_aside.len(), odd }
    }
}

/// What was last seen; nothing at a start, when all of it is looked up once.
#[derive(Default)]
pub(super) struct Watch {
    fields: BTreeMap<SourceField, Look>,
    answers: BTreeMap<Feed, bool>,
}

impl Poller {
    /// Looks at the fields of the rows of one poll.
    ///
    /// # Errors
    /// Where the database fails: looked at again.
    pub(super) async fn watch_fields(&mut self, fields: &BTreeMap<SourceField, FieldCounts>) -> StoreResult<()> {
        let source = self.caller.source_id();
        for (field, counts) in fields {
            let now_looks = look(*counts);
            if now_looks == Look::Unclear || self.watch.fields.get(field) == Some(&now_looks) {
                continue;
            }
            let (endpoint, name) = (field.endpoint.to_owned(), field.name.to_owned());
            let notice = format!("field:{endpoint}:{name}");
            match now_looks {
                Look::Right => {
                    self.store.learn_field(source, *field, self.clock.now()).await?;
                    self.operators.clear(&notice, Some(NoticePhrase::FieldBack { endpoint, field: name })).await;
                }
                // What was never there is not missed: plans and versions differ.
                Look::Drifted(drift) if self.store.knows_field(source, *field).await? => {
                    tracing::warn!(%endpoint, field = %name, ?counts, "a field of the source's answers is not what it was");
                    self.operators.tell_once(&notice, NoticePhrase::FieldDrifted { endpoint, field: name, drift }).await;
                }
                Look::Drifted(_) | Look::Unclear => {}
            }
            self.watch.fields.insert(*field, now_looks);
        }
        Ok(())
    }

    /// Looks at how many rows of one poll could be understood.
    pub(super) async fn watch_rows(&mut self, feed: Feed, came: RowsCame) {
        let RowsCame { rows, odd } = came;
        let is_odd = is_mostly_odd(rows, odd.values().sum());
        let Some(is_odd) = is_odd.filter(|is_odd| self.watch.answers.insert(feed, *is_odd) != Some(*is_odd)) else { return };
        let notice = format!("rows-odd:{feed}");
        if is_odd {
            let reasons: Vec<_> = odd.iter().map(|(reason, count)| format!("{}: {count}", reason.as_str())).collect();
            self.operators.tell_once(&notice, NoticePhrase::RowsOdd { feed, rows, reasons: reasons.join(", ") }).await;
        } else {
            self.operators.clear(&notice, Some(NoticePhrase::RowsFine { feed })).await;
        }
    }
}
