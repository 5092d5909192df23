//! The one integration binary: everything that crosses rooms is tested here, through the front door.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]
#![expect(clippy::disallowed_methods, reason = "tests may ask the system what the product may not")]

mod discord_door;
mod discord_register;
mod discord_send;
mod store_schema;
mod support;
