//! Watches the bundled scripts, so that the binary never embeds stale ones, and says so when there are none.

fn main() {
    println!("cargo:rerun-if-changed=web/dist");
    println!("cargo:rerun-if-changed=web/css");
    println!("cargo:rerun-if-changed=templates");
    println!("cargo:rerun-if-changed=locales");
    if !std::path::Path::new("web/dist/main.js").is_file() {
        println!("cargo:warning=no scripts are bundled (run `make web`): pages work as plain forms");
    }
}
