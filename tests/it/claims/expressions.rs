//! DynamoDB's expressions, as far as the product uses them: AND, OR, comparisons, `attribute_exists`,
//! `attribute_not_exists`, `size`, SET with `+`, `-` and `list_append`, REMOVE. What AWS would refuse stops the test.

use std::borrow::Cow;
use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use keyvend::aws::item::{Attribute, Item};

/// What must hold.
#[derive(Debug, PartialEq, Eq)]
pub enum Condition {
    Any(Vec<Condition>),
    All(Vec<Condition>),
    Exists(String),
    Missing(String),
    Compare(Operand, Sign, Operand),
}

/// What is compared or set.
#[derive(Debug, PartialEq, Eq)]
pub enum Operand {
    Path(String),
    Value(String),
    Size(String),
}

/// How two operands are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    Equal,
    Unequal,
    Less,
    Greater,
    AtMost,
    AtLeast,
}

/// One change of an update.
#[derive(Debug)]
enum Change {
    Set(String, Term),
    Remove(String),
}

#[derive(Debug)]
enum Term {
    Just(Operand),
    Sum(Operand, Operand),
    Difference(Operand, Operand),
    Append(Operand, Operand),
}

#[derive(Debug)]
struct Parsed<T> {
    tree: T,
    values: BTreeSet<String>,
}

/// Each text is parsed once: the product's are literals, which are found again by where they lie.
type Cache<T> = RefCell<HashMap<Place, Rc<Parsed<T>>>>;
type Place = (usize, usize);

thread_local! {
    static CONDITIONS: Cache<Condition> = RefCell::default();
    static UPDATES: Cache<Vec<Change>> = RefCell::default();
    static CHECKED: RefCell<HashSet<(Option<Place>, Place, usize)>> = RefCell::default();
}

fn cached<T>(cache: &Cache<T>, text: &'static str, parse: impl FnOnce(&mut Tokens) -> T) -> Rc<Parsed<T>> {
    let place = (text.as_ptr().addr(), text.len());
    if let Some(parsed) = cache.borrow().get(&place) {
        return Rc::clone(parsed);
    }
    let mut tokens = Tokens::of(text);
    let values = tokens.words.iter().filter(|word| word.starts_with(':')).cloned().collect();
    let parsed = Rc::new(Parsed { tree: parse(&mut tokens), values });
    assert_eq!(tokens.peek(), "", "{text:?} goes on where it should end");
    cache.borrow_mut().insert(place, Rc::clone(&parsed));
    parsed
}

/// Whether the condition holds for the item; one that is not there is empty.
pub fn holds(condition: &'static str, values: &Item, item: &Item) -> bool {
    let parsed = CONDITIONS.with(|cache| cached(cache, condition, Tokens::any));
    judge(&parsed.tree, values, item)
}

/// The item after the update, and what it set.
pub fn updated(update: &'static str, values: &Item, item: &Item) -> (Item, Item) {
    let parsed = UPDATES.with(|cache| cached(cache, update, Tokens::changes));
    let (mut next, mut set) = (item.clone(), Item::new());
    for change in &parsed.tree {
        match change {
            Change::Set(path, term) => {
                let value = evaluate(term, values, item);
                next.insert(path.clone(), value.clone());
                set.insert(path.clone(), value);
            }
            Change::Remove(path) => drop(next.remove(path)),
        }
    }
    (next, set)
}

/// AWS refuses values that no expression names, and names without a value. The product's texts always come with the same
/// names, so that a pair of them is looked at once for so many values.
pub fn check_values(update: Option<&'static str>, condition: &'static str, values: &Item) {
    let place = |text: &'static str| (text.as_ptr().addr(), text.len());
    let pair = (update.map(place), place(condition), values.len());
    if CHECKED.with(|checked| checked.borrow().contains(&pair)) {
        return;
    }
    let mut named = CONDITIONS.with(|cache| cached(cache, condition, Tokens::any)).values.clone();
    if let Some(update) = update {
        named.extend(UPDATES.with(|cache| cached(cache, update, Tokens::changes)).values.iter().cloned());
    }
    assert!(named.iter().eq(values.keys()), "{update:?} if {condition:?} names {named:?}, given {values:?}");
    CHECKED.with(|checked| checked.borrow_mut().insert(pair));
}

fn judge(condition: &Condition, values: &Item, item: &Item) -> bool {
    match condition {
        Condition::Any(parts) => parts.iter().any(|part| judge(part, values, item)),
        Condition::All(parts) => parts.iter().all(|part| judge(part, values, item)),
        Condition::Exists(path) => item.contains_key(path),
        Condition::Missing(path) => !item.contains_key(path),
        Condition::Compare(left, sign, right) => {
            let order = match (operand(left, values, item), operand(right, values, item)) {
                (Some(left), Some(right)) => order(&left, &right),
                _ => None,
            };
            match sign {
                Sign::Equal => order == Some(Ordering::Equal),
                Sign::Unequal => order != Some(Ordering::Equal),
                Sign::Less => order == Some(Ordering::Less),
                Sign::Greater => order == Some(Ordering::Greater),
                Sign::AtMost => matches!(order, Some(Ordering::Less | Ordering::Equal)),
                Sign::AtLeast => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
            }
        }
    }
}

/// Values of different types, and lists and maps, are never equal here: nothing of the product compares those.
fn order(left: &Attribute, right: &Attribute) -> Option<Ordering> {
    match (left, right) {
        (Attribute::Text(left), Attribute::Text(right)) => Some(left.cmp(right)),
        (Attribute::Number(left), Attribute::Number(right)) => Some(left.cmp(right)),
        (Attribute::Bytes(left), Attribute::Bytes(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

fn operand<'a>(operand: &Operand, values: &'a Item, item: &'a Item) -> Option<Cow<'a, Attribute>> {
    match operand {
        Operand::Path(path) => item.get(path).map(Cow::Borrowed),
        Operand::Value(name) => {
            Some(Cow::Borrowed(values.get(name).unwrap_or_else(|| panic!("{name} has no value"))))
        }
        Operand::Size(path) => {
            let size = match item.get(path)? {
                Attribute::Text(text) => text.len(),
                Attribute::Bytes(bytes) => bytes.len(),
                Attribute::List(list) => list.len(),
                Attribute::Map(map) => map.len(),
                Attribute::Number(_) => panic!("a number has no size"),
            };
            Some(Cow::Owned(Attribute::Number(i64::try_from(size).unwrap())))
        }
    }
}

fn evaluate(term: &Term, values: &Item, item: &Item) -> Attribute {
    let found = |of: &Operand| {
        let found = operand(of, values, item);
        found.unwrap_or_else(|| panic!("{of:?} does not exist in the item {item:?}")).into_owned()
    };
    match term {
        Term::Just(of) => found(of),
        Term::Sum(left, right) | Term::Difference(left, right) => match (found(left), found(right)) {
            (Attribute::Number(left), Attribute::Number(right)) => {
                Attribute::Number(if matches!(term, Term::Sum(..)) { left + right } else { left - right })
            }
            other => panic!("no numbers: {other:?}"),
        },
        Term::Append(left, right) => match (found(left), found(right)) {
            (Attribute::List(mut left), Attribute::List(right)) => {
                left.extend(right);
                Attribute::List(left)
            }
            other => panic!("no lists: {other:?}"),
        },
    }
}

struct Tokens {
    words: Vec<String>,
    at: usize,
}

impl Tokens {
    fn of(text: &str) -> Self {
        let mut words: Vec<String> = Vec::new();
        let kind = |c: char| if c.is_ascii_alphanumeric() || "_#:".contains(c) { 'w' } else { c };
        let mut before = ' ';
        for c in text.chars() {
            let joins = kind(c) == 'w' && kind(before) == 'w' || "<>".contains(before) && "=>".contains(c);
            match words.last_mut() {
                Some(word) if joins => word.push(c),
                _ if c.is_whitespace() => {}
                _ => words.push(c.to_string()),
            }
            before = c;
        }
        Self { words, at: 0 }
    }

    fn peek(&self) -> &str {
        self.words.get(self.at).map_or("", String::as_str)
    }

    fn next(&mut self) -> String {
        let word = self.peek().to_owned();
        self.at += 1;
        word
    }

    fn takes(&mut self, word: &str) -> bool {
        let found = self.peek() == word;
        self.at += usize::from(found);
        found
    }

    fn must(&mut self, word: &str) {
        let found = self.next();
        assert_eq!(found, word, "in {:?}", self.words);
    }

    fn any(&mut self) -> Condition {
        let mut parts = vec![self.all()];
        while self.takes("OR") {
            parts.push(self.all());
        }
        if parts.len() == 1 { parts.remove(0) } else { Condition::Any(parts) }
    }

    fn all(&mut self) -> Condition {
        let mut parts = vec![self.one()];
        while self.takes("AND") {
            parts.push(self.one());
        }
        if parts.len() == 1 { parts.remove(0) } else { Condition::All(parts) }
    }

    fn one(&mut self) -> Condition {
        if self.takes("(") {
            let inner = self.any();
            self.must(")");
            return inner;
        }
        for (function, made) in [
            ("attribute_exists", Condition::Exists as fn(String) -> Condition),
            ("attribute_not_exists", Condition::Missing),
        ] {
            if self.takes(function) {
                return made(self.argument());
            }
        }
        let left = self.operand();
        let sign = match self.next().as_str() {
            "=" => Sign::Equal,
            "<>" => Sign::Unequal,
            "<" => Sign::Less,
            ">" => Sign::Greater,
            "<=" => Sign::AtMost,
            ">=" => Sign::AtLeast,
            other => panic!("no comparison: {other} in {:?}", self.words),
        };
        Condition::Compare(left, sign, self.operand())
    }

    fn argument(&mut self) -> String {
        self.must("(");
        let path = self.path();
        self.must(")");
        path
    }

    fn path(&mut self) -> String {
        let word = self.next();
        let plain = word.starts_with(|c: char| c.is_ascii_alphabetic());
        match word.as_str() {
            "#state" => "state".to_owned(),
            "state" => panic!("`state` is a reserved word"),
            _ if plain => word,
            _ => panic!("no path: {word:?} in {:?}", self.words),
        }
    }

    fn operand(&mut self) -> Operand {
        if self.peek().starts_with(':') {
            Operand::Value(self.next())
        } else if self.takes("size") {
            Operand::Size(self.argument())
        } else {
            Operand::Path(self.path())
        }
    }

    fn changes(&mut self) -> Vec<Change> {
        let (mut changes, mut changed) = (Vec::new(), BTreeSet::new());
        while !self.peek().is_empty() {
            let clause = self.next();
            loop {
                let path = self.path();
                assert!(changed.insert(path.clone()), "{path} is changed twice in {:?}", self.words);
                changes.push(match clause.as_str() {
                    "SET" => {
                        self.must("=");
                        Change::Set(path, self.term())
                    }
                    "REMOVE" => Change::Remove(path),
                    other => panic!("no clause: {other}"),
                });
                if !self.takes(",") {
                    break;
                }
            }
        }
        changes
    }

    fn term(&mut self) -> Term {
        if self.takes("list_append") {
            self.must("(");
            let left = self.operand();
            self.must(",");
            let right = self.operand();
            self.must(")");
            return Term::Append(left, right);
        }
        let left = self.operand();
        if self.takes("+") {
            Term::Sum(left, self.operand())
        } else if self.takes("-") {
            Term::Difference(left, self.operand())
        } else {
            Term::Just(left)
        }
    }
}

mod tests {
    use super::*;
    use keyvend::aws::item::values;

    /// The interpreter itself: what it takes for true is what the tests of the protocol rest on.
    #[test]
    fn conditions_mean_what_dynamodb_says() {
        let item = values([
            ("n", 5.into()),
            ("t", "b".into()),
            ("l", Attribute::List(vec![1.into(), 2.into()])),
            ("state", "PENDING".into()),
        ]);
        let given =
            values([(":n", 5.into()), (":t", "b".into()), (":two", 2.into()), (":p", "PENDING".into())]);
        for (condition, expected) in [
            ("n = :n", true),
            ("n = :t", false),
            ("n < :n", false),
            ("n <= :n", true),
            ("n > :two", true),
            ("n >= :n", true),
            ("n <> :n", false),
            ("missing = :n", false),
            ("missing < :n", false),
            ("missing <> :n", true),
            ("attribute_exists(n)", true),
            ("attribute_not_exists(n)", false),
            ("attribute_not_exists(missing)", true),
            ("size(l) = :two", true),
            ("size(missing) = :two", false),
            ("#state = :p AND n = :n", true),
            ("#state = :p AND n = :two", false),
            ("n = :two OR t = :t", true),
            ("t = :t OR n = :two AND #state = :n", true),
            ("(t = :t OR n = :two) AND #state = :n", false),
        ] {
            assert_eq!(holds(condition, &given, &item), expected, "{condition}");
        }
    }

    #[test]
    fn updates_read_the_item_as_it_was() {
        let item = values([("n", 5.into()), ("l", Attribute::List(vec![1.into()])), ("gone", "x".into())]);
        let given = values([(":one", 1.into()), (":more", Attribute::List(vec![2.into()]))]);
        let update = "SET n = n + :one, m = n, less = n - :one, l = list_append(l, :more) REMOVE gone, never";
        let (next, set) = updated(update, &given, &item);
        let list = Attribute::List(vec![1.into(), 2.into()]);
        let expected = values([("n", 6.into()), ("m", 5.into()), ("less", 4.into()), ("l", list)]);
        assert_eq!(next, expected);
        assert_eq!(set, expected);
    }
}
