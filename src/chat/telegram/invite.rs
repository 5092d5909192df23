//! Deep links that open the bot, or add it where somebody has the right to
//! ([Telegram, bot links](https://core.telegram.org/api/links#bot-links)).

use super::register::Me;

impl Me {
    /// Opens the private chat.
    pub fn chat_link(&self) -> String {
        format!("https://t.me/{}", self.username)
    }

    /// Asks for a group and adds the bot as an ordinary member: it needs no right there.
    pub fn group_link(&self) -> String {
        format!("{}?startgroup=true", self.chat_link())
    }

    /// Asks for a channel and adds the bot as an administrator, as which alone it can post; with that right and no other.
    pub fn channel_link(&self) -> String {
        format!("{}?startchannel&admin=post_messages", self.chat_link())
    }
}
