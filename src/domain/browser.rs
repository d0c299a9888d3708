//! Which browser claimed a link: one of a fixed list, for the function that writes it and for the one that reads it. Nothing
//! of the header's own text is kept, and nothing that is stored is shown unless it is on the list.

use std::fmt;

/// A browser and the system it runs on, as far as they are known: enough for a person to know whether it was theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Browser {
    name: Option<&'static str>,
    system: Option<&'static str>,
}

/// What a `User-Agent` holds, and the browser that it names. Order matters: everybody says Safari, and Edge and Opera say
/// Chrome.
const NAMES: [(&str, &str); 7] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("FxiOS", "Firefox"),
    ("Chrome/", "Chrome"),
    ("CriOS", "Chrome"),
    ("Safari/", "Safari"),
];

/// The same for systems.
const SYSTEMS: [(&str, &str); 7] = [
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
];

impl Browser {
    /// One that is not on the list.
    pub const UNKNOWN: Self = Self { name: None, system: None };

    /// The browser that a `User-Agent` names.
    #[must_use]
    pub fn of_user_agent(text: &str) -> Self {
        let first = |known: &[(&str, &'static str)]| {
            known.iter().find(|(mark, _)| text.contains(mark)).map(|(_, name)| *name)
        };
        Self { name: first(&NAMES), system: first(&SYSTEMS) }
    }

    /// The browser that reads like this; a text that none on the list does is an unknown one.
    #[must_use]
    pub fn from_stored(text: &str) -> Self {
        let with_none = |known: &[(&str, &'static str)]| {
            known.iter().map(|(_, name)| Some(*name)).chain([None]).collect::<Vec<_>>()
        };
        let systems = with_none(&SYSTEMS);
        with_none(&NAMES)
            .into_iter()
            .flat_map(|name| systems.iter().map(move |system| Self { name, system: *system }))
            .find(|known| known.to_string() == text)
            .unwrap_or(Self::UNKNOWN)
    }
}

impl fmt::Display for Browser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name.unwrap_or("an unknown browser"))?;
        self.system.map_or(Ok(()), |system| write!(f, " on {system}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browser_names_come_from_fixed_list() {
        let cases = [
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
                "Firefox on Windows",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.0 Safari/605.1.15",
                "Safari on macOS",
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36",
                "Chrome on Linux",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140 Safari/537.36 Edg/140",
                "Edge on Windows",
            ),
            ("Lynx (Windows)", "an unknown browser on Windows"),
            ("Opera OPR/1", "Opera"),
            ("curl/8.0 <script>", "an unknown browser"),
        ];
        for (text, expected) in cases {
            let browser = Browser::of_user_agent(text);
            assert_eq!(browser.to_string(), expected, "{text}");
            assert_eq!(Browser::from_stored(expected), browser, "{text}");
        }
    }

    // T7.7
    #[test]
    fn unlisted_browser_is_parsed_as_unknown() {
        for text in [
            "",
            "firefox on windows",
            "Firefox on Windows ",
            "Firefox on Solaris",
            "Firefox on Windows. <https://evil.example|Sign in again>",
            "<!channel>",
        ] {
            assert_eq!(Browser::from_stored(text), Browser::UNKNOWN, "{text}");
        }
    }
}
