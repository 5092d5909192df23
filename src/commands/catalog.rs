//! The shape of the table of commands: what an adapter registers with its platform.

/// One command or subcommand, as people see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandSpec {
    /// Its name, without the slash.
    pub name: &'static str,
    /// What it does, at most 100 characters.
    pub description: &'static str,
    /// Its options, required ones first.
    pub options: &'static [OptionSpec],
    /// Its subcommands; where there are any it has no options of its own.
    pub subcommands: &'static [CommandSpec],
    /// Who sees it where.
    pub scope: Scope,
}

/// Who sees a command where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everyone, in servers and in private chats.
    Everywhere,
    /// Those who manage a server, in that server.
    ServerAdmins,
}

/// One option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionSpec {
    /// Its name.
    pub name: &'static str,
    /// What it means, at most 100 characters.
    pub description: &'static str,
    /// What it takes.
    pub kind: OptionKind,
    /// Whether it must be given.
    pub required: bool,
    /// Whether suggestions are asked for while it is typed.
    pub autocomplete: bool,
}

/// What an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionKind {
    /// Words.
    Text,
    /// A whole number.
    Integer {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A channel.
    Channel,
    /// A role.
    Role,
}
