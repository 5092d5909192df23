//! Who changed what in a channel or group (`rules.md` 5.12). A row is written in the transaction of the change that it is about.

use crate::domain::Platform;

pub(super) const RECORD: &str =
    "INSERT INTO audit (at, platform, actor, tenant, destination_id, action, before, after) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

pub(super) const STATEMENTS: &[&str] = &[RECORD];

/// Who changes what; from and to are added by the change itself.
#[derive(Clone, Debug)]
pub struct AuditEntry {
    /// On which platform.
    pub platform: Platform,
    /// Who, as the platform numbers them.
    pub actor: String,
    /// In which server or group.
    pub tenant: Option<String>,
    /// What, such as `channel subscribe`.
    pub action: &'static str,
}

/// Writes the row: `record!(tx, entry, destination, before, after, now)`; `before` and `after` are `Option<String>` of JSON.
macro_rules! record {
    ($tx:ident, $entry:expr, $destination:expr, $before:expr, $after:expr, $now:expr) => {
        if let Some(entry) = $entry {
            let (before, after): (Option<String>, Option<String>) = ($before, $after);
            sqlx::query($crate::store::audit::RECORD)
                .bind($now.as_millis())
                .bind(entry.platform.as_str())
                .bind(&entry.actor)
                .bind(&entry.tenant)
                .bind($destination)
                .bind(entry.action)
                .bind(before)
                .bind(after)
                .execute(&mut *$tx)
                .await?;
        }
    };
}
pub(super) use record;
