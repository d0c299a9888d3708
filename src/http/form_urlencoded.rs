//! `application/x-www-form-urlencoded`, read strictly: what two readers could take for two things is refused.

use std::collections::BTreeMap;

use crate::http::api_gateway::Header;

/// The media type of a form.
pub const FORM: &str = "application/x-www-form-urlencoded";
/// The media type of JSON.
pub const JSON: &str = "application/json";

/// The fields of a form, each name once.
#[derive(Debug, PartialEq, Eq)]
pub struct Form(BTreeMap<String, String>);

/// Why bytes are no form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// A `%` without two hexadecimal digits after it.
    #[error("a percent sign without two hexadecimal digits")]
    Percent,
    /// A name or value that is not UTF-8 once decoded.
    #[error("not UTF-8")]
    Utf8,
    /// The same name twice. Readers differ on whether the first or the last counts.
    #[error("a repeated field")]
    Repeated,
}

impl Form {
    /// Reads a body. A name without `=` has an empty value.
    ///
    /// # Errors
    /// Where the body could be read in more than one way, or in none.
    pub fn parse(body: &[u8]) -> Result<Self, FormError> {
        let mut fields = BTreeMap::new();
        for field in body.split(|b| *b == b'&').filter(|field| !field.is_empty()) {
            let mut halves = field.splitn(2, |b| *b == b'=');
            let name = decode(halves.next().unwrap_or_default())?;
            let value = decode(halves.next().unwrap_or_default())?;
            if fields.insert(name, value).is_some() {
                return Err(FormError::Repeated);
            }
        }
        Ok(Self(fields))
    }

    /// The value of a field, if it was sent.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The names that were sent.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

fn decode(text: &[u8]) -> Result<String, FormError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(&byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|b| char::from(*b).to_digit(16));
                let (Some(high), Some(low)) = (digit(), digit()) else { return Err(FormError::Percent) };
                u8::try_from(high << 4 | low).map_err(|_| FormError::Percent)?
            }
            plain => plain,
        });
    }
    String::from_utf8(bytes).map_err(|_| FormError::Utf8)
}

/// Whether a `Content-Type` header names this media type, in UTF-8 if it names a character set.
#[must_use]
pub fn is_media_type(header: Header<'_>, media_type: &str) -> bool {
    let Header::One(value) = header else { return false };
    let mut parts = value.split(';').map(str::trim);
    parts.next().is_some_and(|named| named.eq_ignore_ascii_case(media_type))
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, set)) if name.eq_ignore_ascii_case("charset") => {
                set.trim_matches('"').eq_ignore_ascii_case("utf-8")
            }
            Some(_) => true,
            None => parameter.is_empty(),
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // T1.7
    #[test]
    fn ambiguous_form_is_rejected() {
        let read = |pairs: &[(&str, &str)]| {
            Ok(Form(pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()))
        };
        let cases: &[(&[u8], Result<Form, FormError>)] = &[
            (b"", read(&[])),
            (b"a=1&b=2", read(&[("a", "1"), ("b", "2")])),
            (b"a=b+c%20d%2Be%2be", read(&[("a", "b c d+e+e")])),
            (b"a=1=2", read(&[("a", "1=2")])),
            (b"a", read(&[("a", "")])),
            (b"a=&=b", read(&[("a", ""), ("", "b")])),
            (b"&a=1&&b=2&", read(&[("a", "1"), ("b", "2")])),
            (b"a=%F0%9F%94%91", read(&[("a", "\u{1f511}")])),
            (b"a=%00", read(&[("a", "\0")])),
            (b"a+b%3D=1", read(&[("a b=", "1")])),
            (b"a=%", Err(FormError::Percent)),
            (b"a=%4", Err(FormError::Percent)),
            (b"a=%4g", Err(FormError::Percent)),
            (b"a=%+1", Err(FormError::Percent)),
            (b"%zz=1", Err(FormError::Percent)),
            (b"a=%FF", Err(FormError::Utf8)),
            (b"a=\xff", Err(FormError::Utf8)),
            (b"a=%C0%AF", Err(FormError::Utf8)),
            (b"a=%ED%A0%80", Err(FormError::Utf8)),
            (b"a=%F0%9F&b=%94%91", Err(FormError::Utf8)),
            (b"a=1&a=1", Err(FormError::Repeated)),
            (b"user_id=U1&user%5Fid=U2", Err(FormError::Repeated)),
            (b"a&a=", Err(FormError::Repeated)),
        ];
        for (body, expected) in cases {
            assert_eq!(&Form::parse(body), expected, "{}", body.escape_ascii());
        }
    }

    #[test]
    fn media_type_ignores_parameters_and_case() {
        let cases = [
            (Header::One("application/x-www-form-urlencoded"), true),
            (Header::One("application/x-www-form-urlencoded; charset=utf-8"), true),
            (Header::One("Application/X-WWW-Form-URLencoded;charset=\"UTF-8\""), true),
            (Header::One("application/x-www-form-urlencoded; "), true),
            (Header::One("application/x-www-form-urlencoded; charset=iso-8859-1"), false),
            (Header::One("application/x-www-form-urlencoded, text/plain"), false),
            (Header::One("application/x-www-form-urlencoded; charset=utf-8,text/plain"), false),
            (Header::One("application/x-www-form-urlencoded2"), false),
            (Header::One("application/json"), false),
            (Header::One("multipart/form-data; boundary=x"), false),
            (Header::One(""), false),
            (Header::Absent, false),
            (Header::Several, false),
        ];
        for (header, expected) in cases {
            assert_eq!(is_media_type(header, FORM), expected, "{header:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(body: Vec<u8>) {
            let _ = Form::parse(&body);
        }

        #[test]
        fn every_encoding_reads_back(fields in prop::collection::btree_map(".*", ".*", 0..5)) {
            let encode = |text: &String| text.bytes().map(|b| format!("%{b:02X}")).collect::<String>();
            let body: Vec<String> =
                fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
            let form = Form::parse(body.join("&").as_bytes());
            prop_assert_eq!(form, Ok(Form(fields)));
        }
    }
}
