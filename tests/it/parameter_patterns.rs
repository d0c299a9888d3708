//! The patterns of the template's parameters, against values that are right and values as a shell or a tool leaves them.

const TEMPLATE: &str = include_str!("../../template.yaml");

/// A part of a regular expression, as far as the template's patterns go.
enum Node {
    /// One character of these ranges.
    Class(Vec<(char, char)>),
    /// One of these sequences.
    Group(Vec<Vec<Node>>),
    Repeat(Box<Node>, usize, usize),
}

fn alternatives(pattern: &mut &str) -> Vec<Vec<Node>> {
    let mut all = vec![Vec::new()];
    while let Some(next) = pattern.chars().next().filter(|next| *next != ')') {
        *pattern = &pattern[next.len_utf8()..];
        let node = match next {
            '|' => {
                all.push(Vec::new());
                continue;
            }
            '(' => {
                let group = Node::Group(alternatives(pattern));
                *pattern = pattern.strip_prefix(')').unwrap();
                group
            }
            '[' => {
                let (class, rest) = pattern.split_once(']').unwrap();
                *pattern = rest;
                Node::Class(ranges(class))
            }
            // Any but a line's end, near enough.
            '.' => Node::Class(vec![(' ', char::MAX)]),
            plain => Node::Class(vec![(plain, plain)]),
        };
        let node = repeated(node, pattern);
        all.last_mut().unwrap().push(node);
    }
    all
}

fn ranges(class: &str) -> Vec<(char, char)> {
    let chars: Vec<char> = class.chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let is_range = chars.get(at + 1) == Some(&'-') && at + 2 < chars.len();
        let end = if is_range { at + 2 } else { at };
        found.push((chars[at], chars[end]));
        at = end + 1;
    }
    found
}

fn repeated(node: Node, pattern: &mut &str) -> Node {
    let (least, most, rest) = if let Some(rest) = pattern.strip_prefix('?') {
        (0, 1, rest)
    } else if let Some(rest) = pattern.strip_prefix('*') {
        (0, usize::MAX, rest)
    } else if let Some(rest) = pattern.strip_prefix('+') {
        (1, usize::MAX, rest)
    } else if let Some((count, rest)) = pattern.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
        let (least, most) = count.split_once(',').unwrap_or((count, count));
        (least.parse().unwrap(), most.parse().unwrap(), rest)
    } else {
        return node;
    };
    *pattern = rest;
    Node::Repeat(Box::new(node), least, most)
}

fn sequence(nodes: &[Node], text: &str, rest: &mut dyn FnMut(&str) -> bool) -> bool {
    match nodes.split_first() {
        None => rest(text),
        Some((first, more)) => one(first, text, &mut |text| sequence(more, text, rest)),
    }
}

fn one(node: &Node, text: &str, rest: &mut dyn FnMut(&str) -> bool) -> bool {
    match node {
        Node::Class(ranges) => text.chars().next().is_some_and(|next| {
            ranges.iter().any(|(from, to)| (*from..=*to).contains(&next)) && rest(&text[next.len_utf8()..])
        }),
        Node::Group(alternatives) => alternatives.iter().any(|nodes| sequence(nodes, text, rest)),
        Node::Repeat(node, least, most) => repeat(node, *least, *most, text, rest),
    }
}

fn repeat(node: &Node, least: usize, most: usize, text: &str, rest: &mut dyn FnMut(&str) -> bool) -> bool {
    let again = most > 0
        && one(node, text, &mut |left| {
            left.len() < text.len() && repeat(node, least.saturating_sub(1), most - 1, left, rest)
        });
    again || (least == 0 && rest(text))
}

/// Whether a parameter takes a value; CloudFormation matches the whole of it.
fn takes(parameter: &str, value: &str) -> bool {
    let (_, text) = TEMPLATE.split_once(&format!("\n  {parameter}:\n")).unwrap();
    let line = text.lines().find_map(|line| line.trim().strip_prefix("AllowedPattern: ")).unwrap();
    let mut pattern = line.strip_prefix(['\'', '"']).and_then(|line| line.strip_suffix(['\'', '"'])).unwrap();
    let nodes = alternatives(&mut pattern);
    assert_eq!(pattern, "", "{line}");
    nodes.iter().any(|nodes| sequence(nodes, value, &mut str::is_empty))
}

#[test]
fn accounts_that_lost_their_quotes_are_rejected() {
    let hundred: Vec<String> = (0..100).map(|n| format!("team-{n}-production:{n:012}")).collect();
    for value in [
        "",
        "prod:123456789012",
        "prod:123456789012,dev:210987654321",
        &hundred.join(","),
        "accounts.json",
        r#"{"prod":"123456789012"}"#,
        r#"{"prod": "123456789012", "dev": "210987654321"}"#,
    ] {
        assert!(takes("Accounts", value), "{value}");
    }
    for value in [
        // What a shell or --parameter-overrides leaves of JSON.
        "{prod:123456789012}",
        r#"{"prod":"#,
        r#"{\"prod\":\"123456789012\"}"#,
        "'prod:123456789012'",
        "{}",
        r#"{"prod":123456789012}"#,
        r#"{"prod":"12345678901"}"#,
        r#"{"Prod":"123456789012"}"#,
        "123456789012",
        "prod=123456789012",
        "prod:123456789012,",
        "prod:123456789012 dev:210987654321",
        "prod:1234567890123",
        "prod prod:123456789012",
        "other.json",
        "accounts_json",
    ] {
        assert!(!takes("Accounts", value), "{value}");
    }
}

#[test]
fn slash_command_begins_with_its_slash() {
    for value in ["/access-key", "/k", "/aws_keys-2"] {
        assert!(takes("SlashCommand", value), "{value}");
    }
    for value in ["", "/", "access-key", "/Access", "/a b", "/a`b", &format!("/{}", "x".repeat(33))] {
        assert!(!takes("SlashCommand", value), "{value}");
    }
}
