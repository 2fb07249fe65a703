//! The binary `formwork`: the server and the commands of pack authors and operators.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    formwork::cli::run().await
}
