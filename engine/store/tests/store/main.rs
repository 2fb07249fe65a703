//! The same scenarios on both engines. PostgreSQL is started by the tests themselves.

#[allow(unreachable_pub, dead_code, reason = "the module of the tests crate, included by path")]
#[path = "../../../../tests/src/expressions/mod.rs"]
mod expressions;

mod concurrency;
mod crash;
mod forms;
mod lookups;
mod lowering;
mod migration;
mod paging;
mod records;
mod work;
mod world;
