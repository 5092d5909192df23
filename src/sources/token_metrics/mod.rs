//! The Token Metrics data API.
