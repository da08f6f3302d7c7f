//! What the benchmarks share: corpora, traffic, latencies, and facts about the machine.

pub mod corpus;
pub mod latency;
pub mod machine;
pub mod traffic;
pub mod turns;
