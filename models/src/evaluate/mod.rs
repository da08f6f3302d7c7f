//! Evaluation: published protocols and the product's own task, with the packed file and the serving code.
//!
//! Every figure ranks the whole catalogue, never sampled negatives. A model is trained on the training part,
//! packed to bytes, opened as the service opens it, and asked through [`endcap_core::recommend::Engine`].

mod baseline;
mod blend;
mod error;
mod held_out;
mod linear;
mod metrics;
#[cfg(feature = "page")]
mod page;
mod parallel;
pub mod protocol;
mod ranker;
mod report;
mod run;
mod segment;
mod sequence;
mod tune;

pub use blend::{TunedBlend, tune_blend};
pub use error::EvaluateError;
pub(crate) use held_out::{ASKED_FROM, questions};
pub use held_out::{HeldOut, LEAST_CASES};
pub use linear::EASE_LAMBDA;
#[cfg(feature = "encoder")]
pub(crate) use metrics::ndcg;
pub use metrics::{CUTOFFS, Calibration, Figures, LONGEST, Metrics};
#[cfg(feature = "page")]
pub use page::{PageError, page};
pub(crate) use parallel::on_all_cores;
pub use protocol::{Case, Protocol, Split, Task};
pub use ranker::Method;
pub use report::{PassFigures, Report, SplitReport};
pub use run::{Baselines, Row, evaluate};
pub use segment::Segment;
pub(crate) use sequence::Sequence;
pub use tune::{Tuned, tune_knn};
