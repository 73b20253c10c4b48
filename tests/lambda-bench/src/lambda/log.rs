use std::sync::{Arc, Mutex};

/// The output of a sandbox's processes to stdout and stderr, over all cold starts.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<String>>);

impl Log {
    pub(super) fn write(&self, bytes: &[u8]) {
        let mut text = self
            .0
            .lock()
            .expect("no thread panics while it holds the log");
        text.push_str(&String::from_utf8_lossy(bytes));
    }

    /// Adds a line of the emulator to the output of the function.
    pub(super) fn note(&self, remark: &str) {
        self.write(format!("[emulator] {remark}\n").as_bytes());
    }

    pub(super) fn text(&self) -> String {
        self.0
            .lock()
            .expect("no thread panics while it holds the log")
            .clone()
    }
}
