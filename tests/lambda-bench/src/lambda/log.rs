use std::sync::{Arc, Mutex};

/// What a function's processes wrote to stdout and stderr, in one text, over all cold starts.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<String>>);

impl Log {
    pub(super) fn write(&self, bytes: &[u8]) {
        let mut text = self.0.lock().expect("nobody panics while writing");
        text.push_str(&String::from_utf8_lossy(bytes));
    }

    /// A remark of the emulator among the function's lines.
    pub(super) fn note(&self, remark: &str) {
        self.write(format!("[emulator] {remark}\n").as_bytes());
    }

    pub(super) fn text(&self) -> String {
        self.0.lock().expect("nobody panics while writing").clone()
    }
}
