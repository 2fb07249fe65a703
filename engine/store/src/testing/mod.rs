//! For tests: a PostgreSQL cluster of one's own, and a disk that can lose power.

mod cluster;
pub mod crash;

pub use cluster::Cluster;
