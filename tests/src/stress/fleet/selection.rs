use super::Part;
use super::way::Way;

/// The parts, the server and the way that a run is limited to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Selection<'a> {
    part: &'a str,
    server: Option<&'a str>,
    way: Option<&'a str>,
}

impl<'a> Selection<'a> {
    /// Reads `PART[:SERVER[:WAY]]`. The part `fleet` is all parts.
    pub(super) fn parse(text: &'a str) -> Self {
        let mut words = text.split(':');
        Self {
            part: words.next().unwrap_or("fleet"),
            server: words.next(),
            way: words.next(),
        }
    }

    pub(super) fn has(self, part: Part) -> bool {
        self.part == "fleet" || self.part == part.name()
    }

    pub(super) fn has_server(self, name: &str) -> bool {
        self.server
            .is_none_or(|server| server.eq_ignore_ascii_case(name))
    }

    /// Returns the selected ones of `ways`.
    pub(super) fn of(self, ways: &[Way]) -> Vec<Way> {
        let is_selected = |way: &Way| self.way.is_none_or(|name| name == way.path());
        ways.iter().copied().filter(is_selected).collect()
    }
}
