//! Which destination a command is about, and what applies to it.

use super::{ChannelFacts, ChannelProblem, Request, Venue, desk::Stop};
use crate::{
    domain::{
        Place as PlaceKind, Platform, clean_name,
        wording::{RefusalPhrase, SubscribingPhrase},
    },
    store::{AuditEntry, NewDestination},
};

/// A destination that a command is about.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) destination: NewDestination,
    /// The most subscriptions.
    pub(super) limit: u32,
    /// What people call it; nothing for oneself.
    pub(super) label: Option<String>,
    /// Where alerts go, as the answer says it.
    pub(super) told: SubscribingPhrase,
    /// Changes of channels and groups are recorded (`rules.md` 5.12).
    pub(super) audit: Option<AuditEntry>,
}

/// Whether a channel in which the bot lacks a permission will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Permissions {
    /// It must be able to post there: something is to be posted.
    Needed,
    /// Nothing will be posted because of this command.
    NotNeeded,
}

/// The destination of one's own commands: oneself, or on Telegram the group.
pub(super) fn own(request: &Request, action: &'static str) -> Place {
    let address = request.own_address().clone();
    let creator = Some(request.person());
    match &request.venue {
        Venue::Group { label, .. } => {
            let label = clean_name(label);
            let tenant = Some(address.chat.clone());
            let audit = AuditEntry { platform: address.platform, actor: request.actor.user.0.clone(), tenant: tenant.clone(), action };
            Place {
                destination: NewDestination { address, place: PlaceKind::Group, tenant, label: Some(label.clone()), creator },
                limit: PlaceKind::Group.most_subscriptions(),
                label: Some(label),
                told: SubscribingPhrase::ToldHere,
                audit: Some(audit),
            }
        }
        venue => Place {
            destination: NewDestination { address, place: PlaceKind::Person, tenant: None, label: None, creator },
            limit: PlaceKind::Person.most_subscriptions(),
            label: None,
            told: match venue {
                Venue::Private { .. } => SubscribingPhrase::ToldHere,
                _ => SubscribingPhrase::ToldByDirectMessage,
            },
            audit: None,
        },
    }
}

/// On Telegram who manages a channel is seen only by its administrators: where the bot is none, that is what is wrong.
pub(super) fn seen(request: &Request) -> Result<(), Stop> {
    match &request.channel {
        Some(ChannelFacts { problem: Some(problem), label, address }) if address.platform == Platform::Telegram => match problem {
            ChannelProblem::Missing(_) => Ok(()),
            problem => Err(problem_phrase(problem, label, address.platform).into()),
        },
        _ => Ok(()),
    }
}

/// The channel that `/channel` is about. What is wrong with it is said before anything is saved (`rules.md` 5.6, 5.9).
pub(super) fn channel(request: &Request, permissions: Permissions, action: &'static str) -> Result<Place, Stop> {
    let facts = request.channel.as_ref().ok_or(RefusalPhrase::ChannelUnknown)?;
    let tenant = match &request.venue {
        Venue::Server { tenant, .. } => tenant,
        // On Telegram a channel belongs to nothing but itself.
        Venue::Private { .. } => &facts.address.chat,
        Venue::Group { .. } | Venue::Elsewhere { .. } => return Err(RefusalPhrase::OnlyInServer.into()),
    };
    let label = clean_name(&facts.label);
    match &facts.problem {
        None => {}
        Some(ChannelProblem::Missing(_) | ChannelProblem::Unknown) if permissions == Permissions::NotNeeded => {}
        Some(problem) => return Err(problem_phrase(problem, &label, facts.address.platform).into()),
    }
    let audit = AuditEntry { platform: facts.address.platform, actor: request.actor.user.0.clone(), tenant: Some(tenant.clone()), action };
    Ok(Place {
        destination: NewDestination {
            address: facts.address.clone(),
            place: PlaceKind::Channel,
            tenant: Some(tenant.clone()),
            label: Some(label.clone()),
            creator: Some(request.person()),
        },
        limit: PlaceKind::Channel.most_subscriptions(),
        told: SubscribingPhrase::ToldIn { label: label.clone() },
        label: Some(label),
        audit: Some(audit),
    })
}

fn problem_phrase(problem: &ChannelProblem, label: &str, platform: Platform) -> RefusalPhrase {
    let (label, on_telegram) = (label.to_owned(), platform == Platform::Telegram);
    match problem {
        ChannelProblem::NotHere if on_telegram => RefusalPhrase::ChannelNotFound { label },
        ChannelProblem::WrongKind if on_telegram => RefusalPhrase::NotAChannel { label },
        ChannelProblem::Unknown if on_telegram => RefusalPhrase::TelegramSilent,
        ChannelProblem::BotAbsent => RefusalPhrase::NotAdministrator { label },
        ChannelProblem::NotHere => RefusalPhrase::ChannelNotHere,
        ChannelProblem::NotVisible => RefusalPhrase::ChannelNotVisible { label },
        ChannelProblem::WrongKind => RefusalPhrase::ChannelWrongKind { label },
        ChannelProblem::Missing(permissions) => {
            RefusalPhrase::ChannelMissing { label, permissions: permissions.iter().map(|name| (*name).to_owned()).collect() }
        }
        ChannelProblem::Unknown => RefusalPhrase::ChannelUnknown,
    }
}
