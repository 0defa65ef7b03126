//! What the pages consist of: the folder `web/`, as it is.

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{ObjectBuilder, Schema, Type},
    },
};

/// A file of a page.
#[derive(Debug)]
pub(super) struct File {
    name: &'static str,
    /// What it is.
    pub(super) content_type: &'static str,
    /// What is in it.
    pub(super) bytes: &'static [u8],
}

/// Embeds a file of `web/`.
macro_rules! file {
    ($name:literal, $content_type:expr) => {
        File {
            name: $name,
            content_type: $content_type,
            bytes: include_bytes!(concat!("../../../web/", $name)),
        }
    };
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The page at `/`.
pub(super) const INDEX: File = file!("index.html", HTML);

/// The page with the hosted component.
pub(super) const CHATKIT_DEMO: File = file!("chatkit-demo.html", HTML);

/// What the pages load.
const FILES: [File; 24] = [
    file!("api.js", SCRIPT),
    file!("ask.js", SCRIPT),
    file!("chat.css", CSS),
    file!("chatkit-demo.css", CSS),
    file!("chatkit-demo.js", SCRIPT),
    file!("composer.js", SCRIPT),
    file!("dom.js", SCRIPT),
    file!("early.js", SCRIPT),
    file!("frame.js", SCRIPT),
    file!("icon.svg", "image/svg+xml"),
    file!("identity.js", SCRIPT),
    file!("inline.js", SCRIPT),
    file!("main.js", SCRIPT),
    file!("markdown-view.js", SCRIPT),
    file!("markdown.js", SCRIPT),
    file!("messages-view.js", SCRIPT),
    file!("native.js", SCRIPT),
    file!("sse.js", SCRIPT),
    file!("style.css", CSS),
    file!("tasks-view.js", SCRIPT),
    file!("thread.js", SCRIPT),
    file!("threads-view.js", SCRIPT),
    file!("turn.js", SCRIPT),
    file!("widget-view.js", SCRIPT),
];

/// The name of a file, for the description.
pub(super) struct Name;

impl PartialSchema for Name {
    fn schema() -> RefOr<Schema> {
        let names = FILES.iter().map(|file| file.name);
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)).into()
    }
}

impl ToSchema for Name {}

/// Finds a file by its name.
pub(super) fn find(name: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.name == name)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs};

    use super::*;

    #[test]
    fn all_that_lies_in_the_folder_is_served() {
        let folder = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/web")).unwrap();
        let there: BTreeSet<String> =
            folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        let served = FILES.iter().chain([&INDEX, &CHATKIT_DEMO]).map(|file| file.name.to_owned()).collect();
        assert_eq!(there, served);
    }
}
