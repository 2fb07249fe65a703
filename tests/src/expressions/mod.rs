//! Random well-typed expressions over random records, and a naive evaluator that knows what they mean.
//!
//! ```text
//! fixture (forms, records) ─► generate (texts) ─┬─► check ─► Ir ─► the back end under test ─┐
//!                                               └─► parse ─► naive (walks the tree) ────────┴─► equal
//! ```
//! The back ends are evaluation in `core`, SQL in `store` and polars in `columnar`; each is compared with the naive
//! evaluator, never with another. This module uses `formwork-model` and `formwork-core` only, so that their own tests
//! can include it by path.

pub mod civil;
pub mod fixture;
pub mod generate;
pub mod matrix;
pub mod naive;
pub mod ratio;
