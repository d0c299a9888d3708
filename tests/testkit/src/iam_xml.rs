//! IAM's answers in XML.

use crate::form;
use crate::net::Reply;

pub const XMLNS: &str = "https://iam.amazonaws.com/doc/2010-05-08/";

pub fn no_such_user(name: &str) -> Reply {
    Reply::xml_error(404, "NoSuchEntity", &format!("The user with name {name} cannot be found."))
}

pub fn result(operation: &str, content: &str) -> Reply {
    Reply::xml(
        200,
        format!(
            "<{operation}Response xmlns=\"{XMLNS}\"><{operation}Result>{content}</{operation}Result>\
             </{operation}Response>"
        ),
    )
}

/// IAM returns policy documents percent-encoded (RFC 3986), winterbaume as they are.
pub fn encode_documents(mut reply: Reply) -> Reply {
    for tag in ["PolicyDocument", "Document"] {
        let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
        let mut from = 0;
        while let Some(at) = reply.body[from..].find(&open) {
            let start = from + at + open.len();
            let end = start + reply.body[start..].find(&close).unwrap();
            let text = reply.body[start..end]
                .replace("&quot;", "\"")
                .replace("&lt;", "<")
                .replace("&gt;", ">")
                .replace("&apos;", "'")
                .replace("&amp;", "&");
            let encoded = form::percent(&text);
            reply.body.replace_range(start..end, &encoded);
            from = start + encoded.len();
        }
    }
    reply
}

/// Where the outermost `<member>` elements of a list stand, and each of them.
pub fn members(xml: &str) -> (usize, usize, Vec<String>) {
    const OPEN: &str = "<member>";
    const CLOSE: &str = "</member>";
    let Some(start) = xml.find(OPEN) else { return (0, 0, Vec::new()) };
    let (mut all, mut depth, mut at, mut from, mut end) = (Vec::new(), 0, start, start, start);
    while let Some(next) = xml[at..].find("member>") {
        let here = at + next;
        at = here + "member>".len();
        if xml[..here].ends_with("</") {
            depth -= 1;
            if depth == 0 {
                all.push(xml[from..at].to_owned());
                end = at;
            }
        } else if xml[..here].ends_with('<') {
            if depth == 0 {
                from = here - 1;
            }
            depth += 1;
        }
    }
    debug_assert!(xml[..end].ends_with(CLOSE));
    (start, end, all)
}
