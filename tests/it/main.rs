//! The one integration binary: everything that crosses rooms is tested here, through the front door.

mod store_schema;
mod support;
