//! Where someone who manages a server installs the bot.

use super::permissions::{EMBED_LINKS, SEND_MESSAGES, SEND_MESSAGES_IN_THREADS, VIEW_CHANNEL};

/// What an alert needs, and no more. Mentioning a role that is not mentionable, and posting in a private channel, is granted by hand.
const PERMISSIONS: u64 = VIEW_CHANNEL | SEND_MESSAGES | SEND_MESSAGES_IN_THREADS | EMBED_LINKS;

/// The address at which Discord asks for a server and installs the bot and its commands there, with the fewest permissions that work
/// ([Discord, bot authorization flow](https://discord.com/developers/docs/topics/oauth2#bot-authorization-flow)).
pub fn invite_link(application_id: u64) -> String {
    format!("https://discord.com/oauth2/authorize?client_id={application_id}&scope=bot+applications.commands&permissions={PERMISSIONS}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::discord::permissions::Permissions;

    #[test]
    fn whoever_follows_it_grants_what_an_alert_needs_and_nothing_else() {
        let link = invite_link(42);
        let granted = link.split("permissions=").nth(1).unwrap();
        let permissions = Permissions::parse(granted).unwrap();
        for is_thread in [false, true] {
            assert!(permissions.missing(is_thread).is_empty(), "{link}");
        }
        assert_eq!(granted.parse::<u64>().unwrap().count_ones(), 4, "{link}");
        assert!(link.contains("client_id=42&scope=bot+applications.commands&"), "{link}");
    }
}
