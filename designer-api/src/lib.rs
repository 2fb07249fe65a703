//! The server: the JSON API, the pages, and the command line around them.

pub mod api;
pub mod assets;
pub mod cli;
pub mod i18n;
pub mod meters;
pub mod pages;
pub mod server;
pub mod session;
pub mod strangers;
pub mod view;
