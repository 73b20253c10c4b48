//! The page, the charts and the CSV files of a run.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{Length, machine};

/// The page of a run. The quick form writes below `target`, the long form into the documents.
pub(crate) struct Output {
    length: Length,
    docs: PathBuf,
    servers: Vec<String>,
    parts: String,
}

impl Output {
    pub(crate) fn new(length: Length) -> Self {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let docs = match length {
            Length::Quick => package.join("../../target/figures"),
            Length::Long => package.join("../../runtime/docs"),
        };
        fs::create_dir_all(docs.join("figures")).expect("a folder");
        Self {
            length,
            docs,
            servers: Vec::new(),
            parts: String::new(),
        }
    }

    /// Adds a server to the list of those that were measured.
    pub(crate) fn server(&mut self, version: &str) {
        if !self.servers.iter().any(|known| known == version) {
            self.servers.push(version.to_owned());
        }
    }

    pub(crate) fn heading(&mut self, text: &str) {
        self.text(&format!("## {text}"));
    }

    /// Adds a paragraph or a table.
    pub(crate) fn text(&mut self, text: &str) {
        let is_prose = !["|", "#", "```"]
            .iter()
            .any(|start| text.starts_with(start));
        let text = if is_prose {
            wrapped(text)
        } else {
            text.to_owned()
        };
        println!("\n{text}");
        self.parts += &format!("\n{text}\n");
    }

    /// Returns the path of a chart, and shows it on the page.
    pub(crate) fn chart(&mut self, name: &str) -> PathBuf {
        self.parts += &format!("\n![{name}](figures/{name})\n");
        self.docs.join("figures").join(name)
    }

    /// Writes a file with all figures of a part.
    pub(crate) fn file(&mut self, name: &str, content: &str) {
        let path = self.docs.join("figures").join(name);
        fs::write(path, content).expect("a file");
        self.text(&format!("All figures: [`{name}`](figures/{name})."));
    }

    /// Writes the page.
    pub(crate) fn finish(self, command: &str) {
        let machine = format!("Machine: {}.", machine::description());
        let servers = format!("Servers: {}.", self.servers.join(", "));
        let page = format!(
            "# Figures\n\nMade by `{command}`, interleaved in one run.\n\n{}\n\n{}\n{}",
            wrapped(&machine),
            wrapped(&servers),
            self.parts
        );
        let path = self.docs.join("figures.md");
        fs::write(&path, page).expect("a page");
        if self.length == Length::Quick {
            println!("\nwritten to {}", path.display());
        }
    }
}

/// Breaks a paragraph into lines of at most 100 characters.
fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("a line");
        if line.is_empty() {
            *line = word.to_owned();
        } else if line.chars().count() + word.chars().count() < 100 {
            *line += " ";
            *line += word;
        } else {
            lines.push(word.to_owned());
        }
    }
    lines.join("\n")
}
