//! PostgreSQL: its connections, and whose right to write each transaction stands on.

use super::{StoreError, StoreResult, Term, leases::IS_NEWEST};
use sqlx::{PgConnection, PgPool, Postgres as Driver, Transaction, pool::PoolConnection};

/// The pool, and the term that everything is written under.
#[derive(Clone, Debug)]
pub(in crate::store) struct Postgres {
    pub(super) pool: PgPool,
    pub(super) term: Option<Term>,
}

impl Postgres {
    /// Begins a transaction; under a term only while that is the newest of its role.
    pub(in crate::store) async fn begin(&self) -> StoreResult<Transaction<'static, Driver>> {
        let mut tx = self.pool.begin().await?;
        if let Some(Term { role, holder, fence }) = &self.term {
            let newest: Option<i64> =
                sqlx::query_scalar(IS_NEWEST).bind(role.name()).bind(&**holder).bind(fence).fetch_optional(&mut *tx).await?;
            newest.ok_or(StoreError::Overtaken)?;
        }
        Ok(tx)
    }

    /// A connection for a single statement that writes: without a term as it is, under one within a transaction.
    pub(in crate::store) async fn writing(&self) -> StoreResult<Writing> {
        Ok(match &self.term {
            None => Writing::Plain(self.pool.acquire().await?),
            Some(_) => Writing::UnderTerm(self.begin().await?),
        })
    }
}

/// What a single statement is written through.
pub(in crate::store) enum Writing {
    Plain(PoolConnection<Driver>),
    UnderTerm(Transaction<'static, Driver>),
}

impl Writing {
    pub(in crate::store) fn connection(&mut self) -> &mut PgConnection {
        match self {
            Self::Plain(connection) => connection,
            Self::UnderTerm(tx) => tx,
        }
    }

    /// Commits, where there is something to commit.
    pub(in crate::store) async fn finish(self) -> sqlx::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::UnderTerm(tx) => tx.commit().await,
        }
    }
}
