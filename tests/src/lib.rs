//! What the integration tests share: stores of both kinds, servers, clients, packs.

pub mod expressions;
pub mod hosts;
pub mod packs;
pub mod server;

/// Each of these functions, which take a [`hosts`] of a store, as a test on both stores. `Sqlite` and `Postgres` must be
/// in scope.
#[macro_export]
macro_rules! on_both_stores {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")] async fn $name() { super::$name(&super::Sqlite::default()).await; })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")] async fn $name() { super::$name(&super::Postgres::default()).await; })*
        }
    };
}
