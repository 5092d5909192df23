//! What is made once for all who ask and kept for a while: pictures and scorecards. Nothing here is the only copy of anything: all of it
//! can be made again from what is stored.

mod charts;
mod pictures;
mod recent;
mod scorecards;
mod uploads;

pub use charts::{AlertChart, ChartSubject, Charts, Known, Look};
pub use scorecards::Scorecards;
pub use uploads::{Upload, UploadTurn};
