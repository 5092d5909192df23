//! What is made or asked for once for all who ask, and kept for a while: pictures, scorecards, what the source says of tokens. Nothing here
//! is the only copy of anything: all of it can be made again from what is stored, or asked for again.

mod charts;
mod insights;
mod pictures;
mod recent;
mod scorecards;
mod uploads;

pub use charts::{AlertChart, ChartSubject, Charts, Known, Look, Past};
pub use insights::{Answer, Insights};
pub use scorecards::Scorecards;
pub use uploads::{Upload, UploadTurn};
