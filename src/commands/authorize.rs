//! Who may do what where: one pure table (`rules.md` 5.11), asked by every command each time.

use super::{Actor, Standing, Venue};
use crate::domain::{Platform, wording::RefusalPhrase};

/// What someone wants to do, as far as rights go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// See what everybody may see: calls, status, help.
    Look,
    /// See or change the subscriptions and settings of the place that one's own commands are about: oneself, or on Telegram the group.
    ManageOwn,
    /// See or change the subscriptions and settings of a channel.
    ManageChannels,
    /// See or remove what is stored about oneself, where nobody else reads the answer.
    OwnData,
}

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// On Discord channels belong to servers.
    OnlyInServer,
    /// On Telegram a channel is set up from a private chat (5.9).
    OnlyInPrivate,
    /// Others would read it.
    NotInPublic,
    /// The bot itself is not there: its invitation is shown (5.6).
    BotNotInServer,
    /// Manage Server or Administrator is needed.
    NeedsManageServer,
    /// Only the channel's creator and administrators.
    NeedsChannelAdmin,
    /// Only the group's admins.
    NeedsGroupAdmin,
    /// The platform did not say who they are.
    StandingUnknown,
}

/// Whether the actor may do this here.
///
/// # Errors
/// Why not.
pub fn authorize(actor: &Actor, venue: &Venue, action: Action) -> Result<(), Refusal> {
    match (action, venue) {
        (Action::Look, _) => Ok(()),
        (Action::OwnData, Venue::Private { .. } | Venue::Server { .. } | Venue::Elsewhere { .. }) => Ok(()),
        (Action::OwnData, Venue::Group { .. }) => Err(Refusal::NotInPublic),
        (Action::ManageOwn, Venue::Private { .. } | Venue::Server { .. } | Venue::Elsewhere { .. }) => Ok(()),
        (Action::ManageOwn, Venue::Group { .. }) => needs_admin(actor, Refusal::NeedsGroupAdmin),
        (Action::ManageChannels, Venue::Server { bot_present: false, .. }) => Err(Refusal::BotNotInServer),
        (Action::ManageChannels, Venue::Server { bot_present: true, .. }) => needs_admin(actor, Refusal::NeedsManageServer),
        (Action::ManageChannels, Venue::Private { address }) if address.platform == Platform::Telegram => {
            needs_admin(actor, Refusal::NeedsChannelAdmin)
        }
        (Action::ManageChannels, Venue::Group { .. }) => Err(Refusal::OnlyInPrivate),
        (Action::ManageChannels, Venue::Private { .. } | Venue::Elsewhere { .. }) => Err(Refusal::OnlyInServer),
    }
}

fn needs_admin(actor: &Actor, refusal: Refusal) -> Result<(), Refusal> {
    match actor.standing {
        Standing::Admin => Ok(()),
        Standing::Member => Err(refusal),
        Standing::Unknown => Err(Refusal::StandingUnknown),
    }
}

impl Refusal {
    /// The sentence that says so.
    pub(super) const fn phrase(self) -> RefusalPhrase {
        match self {
            Self::OnlyInServer => RefusalPhrase::OnlyInServer,
            Self::OnlyInPrivate => RefusalPhrase::OnlyInPrivate,
            Self::NeedsChannelAdmin => RefusalPhrase::NeedsChannelAdmin,
            Self::NotInPublic => RefusalPhrase::NotInPublic,
            Self::BotNotInServer => RefusalPhrase::BotNotInServer,
            Self::NeedsManageServer => RefusalPhrase::NeedsManageServer,
            Self::NeedsGroupAdmin => RefusalPhrase::NeedsGroupAdmin,
            Self::StandingUnknown => RefusalPhrase::StandingUnknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Address, UserId};

    #[test]
    fn the_whole_table() {
        use Action::{Look, ManageChannels, ManageOwn, OwnData};
        use Standing::{Admin, Member, Unknown};
        let direct = Address::discord_user(&UserId("7".to_owned()));
        let server = |bot_present| Venue::Server { tenant: "1".to_owned(), channel: "2".to_owned(), bot_present, direct: direct.clone() };
        let private = Venue::Private { address: direct.clone() };
        let on_telegram = Venue::Private { address: Address::new(Platform::Telegram, "7") };
        let elsewhere = Venue::Elsewhere { direct: direct.clone() };
        let group = Venue::Group { address: Address::new(Platform::Telegram, "-5"), label: "G".to_owned() };
        let cases = [
            (&private, ManageOwn, [Ok(()); 3]),
            (&elsewhere, ManageOwn, [Ok(()); 3]),
            (&server(false), ManageOwn, [Ok(()); 3]),
            (&group, ManageOwn, [Err(Refusal::NeedsGroupAdmin), Ok(()), Err(Refusal::StandingUnknown)]),
            (&private, ManageChannels, [Err(Refusal::OnlyInServer); 3]),
            (&elsewhere, ManageChannels, [Err(Refusal::OnlyInServer); 3]),
            (&group, ManageChannels, [Err(Refusal::OnlyInPrivate); 3]),
            (&on_telegram, ManageOwn, [Ok(()); 3]),
            (&on_telegram, ManageChannels, [Err(Refusal::NeedsChannelAdmin), Ok(()), Err(Refusal::StandingUnknown)]),
            (&server(true), ManageChannels, [Err(Refusal::NeedsManageServer), Ok(()), Err(Refusal::StandingUnknown)]),
            (&server(false), ManageChannels, [Err(Refusal::BotNotInServer); 3]),
            (&private, OwnData, [Ok(()); 3]),
            (&server(false), OwnData, [Ok(()); 3]),
            (&elsewhere, OwnData, [Ok(()); 3]),
            (&group, OwnData, [Err(Refusal::NotInPublic); 3]),
            (&group, Look, [Ok(()); 3]),
            (&server(false), Look, [Ok(()); 3]),
        ];
        for (venue, action, expected) in cases {
            for (standing, expected) in [Member, Admin, Unknown].into_iter().zip(expected) {
                let actor = Actor { user: UserId("7".to_owned()), standing };
                assert_eq!(authorize(&actor, venue, action), expected, "{venue:?} {action:?} {standing:?}");
            }
        }
    }
}
