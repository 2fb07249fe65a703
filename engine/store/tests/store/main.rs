//! The same scenarios on both engines. PostgreSQL is started by the tests themselves.

mod forms;
mod records;
mod world;
