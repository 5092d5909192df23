//! What someone may do in a channel, computed as Discord computes it
//! ([Discord, permission overwrites](https://discord.com/developers/docs/topics/permissions#permission-overwrites)). Pure.

use serde::Deserialize;

/// A set of permission bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Permissions(u64);

pub(super) const ADMINISTRATOR: u64 = 1 << 3;
pub(super) const MANAGE_GUILD: u64 = 1 << 5;
pub(super) const VIEW_CHANNEL: u64 = 1 << 10;
pub(super) const SEND_MESSAGES: u64 = 1 << 11;
pub(super) const EMBED_LINKS: u64 = 1 << 14;
pub(super) const ATTACH_FILES: u64 = 1 << 15;
pub(super) const MENTION_EVERYONE: u64 = 1 << 17;
pub(super) const SEND_MESSAGES_IN_THREADS: u64 = 1 << 38;

/// A role with what it grants.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Role {
    pub(super) id: String,
    pub(super) permissions: String,
}

/// What a channel grants and denies to a role (type 0) or a member (type 1).
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Overwrite {
    pub(super) id: String,
    #[serde(rename = "type")]
    pub(super) kind: u8,
    pub(super) allow: String,
    pub(super) deny: String,
}

impl Permissions {
    /// Reads the decimal number that Discord writes as text.
    pub(super) fn parse(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }

    /// Whether this is granted; an administrator has everything.
    pub(super) fn has(self, bit: u64) -> bool {
        self.0 & (bit | ADMINISTRATOR) != 0
    }

    /// What a member with `roles` may do in a channel of `guild`: the roles' sum, then the overwrites for everyone, for the roles
    /// together, for the member.
    pub(super) fn in_channel(guild: &str, member: &str, roles: &[String], known: &[Role], overwrites: &[Overwrite]) -> Self {
        let bits = |text: &str| Self::parse(text).unwrap_or_default().0;
        let holds = |id: &str| roles.iter().any(|role| role == id);
        let granted = known.iter().filter(|role| role.id == guild || holds(&role.id)).fold(0, |sum, role| sum | bits(&role.permissions));
        if granted & ADMINISTRATOR != 0 {
            return Self(granted);
        }
        let apply = |granted: u64, chosen: &dyn Fn(&Overwrite) -> bool| {
            let (allow, deny) = overwrites
                .iter()
                .filter(|overwrite| chosen(overwrite))
                .fold((0, 0), |(allow, deny), overwrite| (allow | bits(&overwrite.allow), deny | bits(&overwrite.deny)));
            (granted & !deny) | allow
        };
        let granted = apply(granted, &|overwrite| overwrite.kind == 0 && overwrite.id == guild);
        let granted = apply(granted, &|overwrite| overwrite.kind == 0 && overwrite.id != guild && holds(&overwrite.id));
        Self(apply(granted, &|overwrite| overwrite.kind == 1 && overwrite.id == member))
    }

    /// The permissions that an alert needs and that are missing, by the names that Discord shows.
    pub(super) fn missing(self, is_thread: bool) -> Vec<&'static str> {
        let send = if is_thread { (SEND_MESSAGES_IN_THREADS, "Send Messages in Threads") } else { (SEND_MESSAGES, "Send Messages") };
        let needed = [(VIEW_CHANNEL, "View Channel"), send, (EMBED_LINKS, "Embed Links")];
        needed.into_iter().filter(|(bit, _)| !self.has(*bit)).map(|(_, name)| name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(id: &str, permissions: u64) -> Role {
        Role { id: id.into(), permissions: permissions.to_string() }
    }
    fn overwrite(id: &str, kind: u8, allow: u64, deny: u64) -> Overwrite {
        Overwrite { id: id.into(), kind, allow: allow.to_string(), deny: deny.to_string() }
    }
    const ALL: u64 = VIEW_CHANNEL | SEND_MESSAGES | EMBED_LINKS;

    #[test]
    fn overwrites_are_applied_in_discords_order() {
        let known = [role("g", ALL), role("r", 0), role("s", 0), role("admin", ADMINISTRATOR)];
        let of = |roles: &[&str], overwrites: &[Overwrite]| {
            let roles: Vec<String> = roles.iter().map(|role| (*role).to_owned()).collect();
            Permissions::in_channel("g", "m", &roles, &known, overwrites).missing(false)
        };
        assert!(of(&[], &[]).is_empty());
        let private = overwrite("g", 0, 0, VIEW_CHANNEL);
        assert_eq!(of(&[], std::slice::from_ref(&private)), ["View Channel"]);
        assert!(of(&["r"], &[private.clone(), overwrite("r", 0, VIEW_CHANNEL, 0)]).is_empty());
        assert_eq!(of(&["s"], &[private.clone(), overwrite("r", 0, VIEW_CHANNEL, 0)]), ["View Channel"], "a role that it does not have");
        let silenced = [overwrite("r", 0, SEND_MESSAGES, 0), overwrite("s", 0, 0, SEND_MESSAGES)];
        assert!(of(&["r", "s"], &silenced).is_empty(), "of two roles the one that allows wins");
        assert_eq!(of(&["r"], &[overwrite("r", 0, ALL, 0), overwrite("m", 1, 0, EMBED_LINKS)]), ["Embed Links"]);
        assert!(of(&["admin"], &[private]).is_empty());
    }

    #[test]
    fn a_thread_needs_its_own_permission() {
        assert_eq!(Permissions(ALL).missing(true), ["Send Messages in Threads"]);
        assert!(Permissions(ADMINISTRATOR).missing(true).is_empty());
        assert_eq!(Permissions::parse("x"), None);
        assert_eq!(Permissions::default().missing(false).len(), 3);
    }
}
