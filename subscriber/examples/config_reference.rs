//! Writes the files that are made from the tables of handlers, formatters and filters:
//! `schemas/config.schema.json` and `docs/handlers.md`.

use std::path::Path;

use anyhow::Context;
use logbus_subscriber::config::schema;

fn main() -> anyhow::Result<()> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = manifest
        .parent()
        .context("the crate lies in the repository")?;
    let text = serde_json::to_string_pretty(&schema::schema())? + "\n";
    std::fs::write(root.join("schemas/config.schema.json"), text)?;
    std::fs::write(root.join("docs/handlers.md"), schema::reference())?;
    Ok(())
}
