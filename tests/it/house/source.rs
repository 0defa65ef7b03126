//! The source files of the workspace.

use std::{fs, path::Path};

/// A source file, its path from the root of the workspace.
pub struct File {
    pub path: String,
    pub text: String,
}

impl File {
    /// Returns the text before the tests, which stand last.
    pub fn production(&self) -> &str {
        self.text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default()
    }
}

/// Reads the source of all packages, without their integration tests and without files that are only tests.
pub fn workspace() -> Vec<File> {
    let mut files = Vec::new();
    for folder in ["src", "db/src", "failpoints/src", "heap/src", "mcp_server/src"] {
        collect(folder, &mut files);
    }
    assert!(files.len() > 100, "the source was found");
    files
}

/// Reads the source of the service.
pub fn service() -> Vec<File> {
    workspace().into_iter().filter(|file| file.path.starts_with("src/")).collect()
}

fn collect(folder: &str, files: &mut Vec<File>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for entry in fs::read_dir(root.join(folder)).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        if path.ends_with("/tests") {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            collect(&path, files);
        } else if path.ends_with(".rs") && !path.ends_with("/tests.rs") {
            files.push(File { text: fs::read_to_string(entry.path()).unwrap(), path });
        }
    }
}
