//! Rebuilds when a query file is added or removed: `include_dir` alone only notices changed ones.

fn main() {
    println!("cargo:rerun-if-changed=queries");
}
