//! The same scenarios on both engines. PostgreSQL is started by the tests themselves.

mod concurrency;
mod crash;
mod forms;
mod lowering;
mod migration;
mod paging;
mod records;
mod work;
mod world;
