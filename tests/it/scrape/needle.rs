//! Looking for a secret in every form in which it could lie about.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// What is looked for: its bytes, in each way they are known.
pub struct Needle {
    name: &'static str,
    ways: Vec<Vec<u8>>,
}

impl Needle {
    /// A secret that is a text.
    pub fn text_of(name: &'static str, text: &str) -> Self {
        assert!(text.len() >= 6, "{name} is too short to be looked for");
        Self { name, ways: vec![text.as_bytes().to_vec()] }
    }

    /// A secret of bytes that goes about as base64url.
    pub fn base64url(name: &'static str, text: &str) -> Self {
        Self { name, ways: vec![text.as_bytes().to_vec(), URL_SAFE_NO_PAD.decode(text).unwrap()] }
    }

    /// As a text.
    pub fn text(&self) -> String {
        String::from_utf8(self.ways[0].clone()).unwrap()
    }

    /// As it would read in the open, escaped, in hexadecimal, and within base64 wherever it begins there.
    pub fn forms(&self) -> BTreeSet<String> {
        let mut forms = BTreeSet::new();
        for bytes in &self.ways {
            if let Ok(text) = std::str::from_utf8(bytes) {
                forms.insert(text.to_owned());
                forms.insert(testkit::form::percent(text));
            }
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            forms.insert(hex.to_uppercase());
            forms.insert(hex);
            for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
                for before in 0..3 {
                    let shifted = engine.encode([vec![0; before], bytes.clone()].concat());
                    // What depends on the bytes before and after is cut off.
                    let (from, to) = ([0, 2, 3][before], (before + bytes.len()) * 8 / 6);
                    forms.insert(shifted[from..to].to_owned());
                }
            }
        }
        assert!(forms.iter().all(|form| form.len() >= 6), "{} has too short a form", self.name);
        forms
    }
}

/// The places, by name, whose text holds the needle in any form.
pub fn found(needle: &Needle, haystacks: &[(String, String)]) -> BTreeSet<String> {
    let forms = needle.forms();
    let holding = haystacks.iter().filter(|(_, text)| forms.iter().any(|form| text.contains(form.as_str())));
    holding.map(|(place, _)| place.clone()).collect()
}
