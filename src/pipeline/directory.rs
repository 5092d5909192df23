//! The directory: ranks and the full list of tokens, page by page (`rules.md` 1.5 and 1.8).

use crate::{
    domain::{Feed, Listed, Listing, Reading, Timestamp, Token, TokenId},
    engine::listing::compare,
    sources::{Call, PAGE_ROWS, Page, Source},
    store::{AllTokens, Store, StoreResult},
};

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
    tokens: Vec<Token>,
    categories: Vec<(TokenId, String)>,
}

impl Refresh {
    /// Of the ranks of as many tokens as `all` means, in whole pages.
    pub(super) fn ranks(all_tokens: u32) -> Self {
        let rows = u32::try_from(PAGE_ROWS).unwrap_or(u32::MAX);
        Self {
            feed: Feed::Ranks,
            page: 1,
            pages: all_tokens.div_ceil(rows).max(1),
            failed: false,
            tokens: Vec::new(),
            categories: Vec::new(),
        }
    }

    /// Of the full list.
    pub(super) fn full_list() -> Self {
        Self { feed: Feed::Directory, page: 1, pages: MOST_PAGES, failed: false, tokens: Vec::new(), categories: Vec::new() }
    }

    pub(super) fn next_call(&self, source: &dyn Source) -> Option<Call> {
        (self.page <= self.pages).then(|| if self.feed == Feed::Ranks { source.ranks(self.page) } else { source.directory(self.page) })
    }

    /// What came; without a page the whole refresh has failed, for a list with a hole would push tokens out of `all`.
    pub(super) fn accept(&mut self, page: Option<Page>) {
        let Some(page) = page else {
            self.failed = true;
            self.pages = 0;
            return;
        };
        let known = self.tokens.len();
        self.tokens.extend(page.tokens);
        self.categories.extend(page.categories);
        self.tokens.sort_by_key(|token| (token.id, token.rank));
        self.tokens.dedup_by_key(|token| token.id);
        // A short page is the last; one that brings nothing new is the same again.
        if page.rows < PAGE_ROWS || self.tokens.len() == known {
            self.pages = 0;
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

    /// Writes what came. Says what it meant beside what was known.
    ///
    /// # Errors
    /// Where the database fails: the old directory stands.
    pub(super) async fn write(&self, store: &Store, source: &dyn Source, all_tokens: u32, now: Timestamp) -> StoreResult<Listing> {
        if self.feed == Feed::Ranks {
            let all = AllTokens { up_to: all_tokens, refreshes_out: REFRESHES_OUT };
            let judge = |known: &[Listed]| compare(known, &self.tokens, Reading::Part);
            store.refresh_ranks(source.id(), &self.tokens, judge, all, now).await
        } else {
            let judge = |known: &[Listed]| compare(known, &self.tokens, Reading::Whole);
            let listing = store.write_tokens(source.id(), &self.tokens, judge, now).await?;
            store.write_categories(source.id(), &self.categories).await?;
            Ok(listing)
        }
    }
}
