//! The directory: ranks and the full list of tokens, page by page (`rules.md` 1.5 and 1.8).

use crate::{
    domain::{Feed, Listed, Listing, Nameless, Reading, Timestamp, Token, TokenId},
    engine::listing::compare,
    sources::{Call, PAGE_ROWS, Page, Source},
    store::{AllTokens, Store, StoreResult},
};
use std::{collections::BTreeMap, sync::OnceLock};

/// A token leaves `all` when it was beyond the limit in so many refreshes running.
const REFRESHES_OUT: u32 = 3;
/// The full list is not read further than this.
const MOST_PAGES: u32 = 300;

/// One refresh of ranks or of the full list under way.
pub(super) struct Refresh {
    feed: Feed,
    page: u32,
    pages: u32,
    failed: bool,
    /// The list was read to its end.
    is_at_end: bool,
    tokens: Vec<Token>,
    nameless: BTreeMap<TokenId, Nameless>,
    categories: Vec<(TokenId, String)>,
    /// What was committed: a poll whose end fails later ends again, and one list must not count as two.
    written: OnceLock<Listing>,
}

impl Refresh {
    /// Of the ranks of as many tokens as `all` means, in whole pages.
    pub(super) fn ranks(all_tokens: u32) -> Self {
        let rows = u32::try_from(PAGE_ROWS).unwrap_or(u32::MAX);
        Self::of(Feed::Ranks, all_tokens.div_ceil(rows).max(1))
    }

    /// Of the full list.
    pub(super) fn full_list() -> Self {
        Self::of(Feed::Directory, MOST_PAGES)
    }

    fn of(feed: Feed, pages: u32) -> Self {
        Self {
            feed,
            page: 1,
            pages,
            failed: false,
            is_at_end: false,
            tokens: Vec::new(),
            nameless: BTreeMap::new(),
            categories: Vec::new(),
            written: OnceLock::new(),
        }
    }

    pub(super) fn next_call(&self, source: &dyn Source) -> Option<Call> {
        (self.page <= self.pages).then(|| if self.feed == Feed::Ranks { source.ranks(self.page) } else { source.directory(self.page) })
    }

    /// What came; without a page, or with a full one that names nothing, the whole refresh has failed: a list with a hole would push tokens out
    /// of `all`.
    pub(super) fn accept(&mut self, page: Option<Page>) {
        let has_names = |page: &Page| page.rows < PAGE_ROWS || !page.tokens.is_empty() || !page.nameless.is_empty();
        let Some(page) = page.filter(has_names) else {
            self.failed = true;
            self.pages = 0;
            return;
        };
        let known = self.tokens.len() + self.nameless.len();
        self.tokens.extend(page.tokens);
        page.nameless.into_iter().for_each(|token| {
            self.nameless.entry(token.id).or_insert(token);
        });
        self.categories.extend(page.categories);
        self.tokens.sort_by_key(|token| (token.id, token.rank));
        self.tokens.dedup_by_key(|token| token.id);
        // A short page is the last; one that brings nothing new is the same again.
        if page.rows < PAGE_ROWS || self.tokens.len() + self.nameless.len() == known {
            (self.pages, self.is_at_end) = (0, true);
        } else {
            self.page += 1;
        }
    }

    /// How many tokens came.
    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether it can be written: nothing failed, and it is not empty, which is no directory but a problem.
    pub(super) fn is_whole(&self) -> bool {
        !self.failed && self.pages < self.page && !self.tokens.is_empty()
    }

    /// Writes what came, its tokens once however often it is called. Says what it meant beside what was known.
    ///
    /// # Errors
    /// Where the database fails: the old directory stands, or lacks the new categories.
    pub(super) async fn write(&self, store: &Store, source: &dyn Source, all_tokens: u32, now: Timestamp) -> StoreResult<Listing> {
        let listing = match self.written.get() {
            Some(listing) => listing.clone(),
            None => {
                let listing = self.write_list(store, source, all_tokens, now).await?;
                self.written.get_or_init(|| listing).clone()
            }
        };
        if self.feed != Feed::Ranks {
            store.write_categories(source.id(), &self.categories).await?;
        }
        Ok(listing)
    }

    async fn write_list(&self, store: &Store, source: &dyn Source, all_tokens: u32, now: Timestamp) -> StoreResult<Listing> {
        let nameless: Vec<_> = self.nameless.values().copied().collect();
        if self.feed == Feed::Ranks {
            let all = AllTokens { up_to: all_tokens, refreshes_out: REFRESHES_OUT };
            let judge = |known: &[Listed]| compare(known, &self.tokens, &nameless, Reading::Part);
            store.refresh_ranks(source.id(), &self.tokens, judge, all, now).await
        } else {
            // Of a list without an end, what comes after the last page that is read is not missing.
            let reading = if self.is_at_end { Reading::Whole } else { Reading::Part };
            let judge = |known: &[Listed]| compare(known, &self.tokens, &nameless, reading);
            store.write_tokens(source.id(), &self.tokens, judge, now).await
        }
    }
}
