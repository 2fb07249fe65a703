//! One binary for all integration tests: each links the whole engine, so few binaries keep the suite fast.

mod archives;
mod boards;
mod bodies;
mod cases;
mod clocks;
mod crash;
mod demo;
mod deploy;
mod dispatcher;
mod http;
mod import_crash;
mod import_jobs;
mod imports;
mod instances;
mod lists;
mod live;
mod locks;
mod messages;
mod nodes;
mod operations;
mod pages;
mod people;
mod rights;
mod strangers;
mod tidy;
mod webhook;
