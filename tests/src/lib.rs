//! What the integration tests share: stores of both kinds, servers, clients, packs.

pub mod expressions;
pub mod hosts;
pub mod packs;
pub mod server;
