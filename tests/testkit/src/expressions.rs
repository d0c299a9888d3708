//! DynamoDB's expressions where winterbaume strays from the documentation: what a condition means (winterbaume
//! cannot compare binaries, sets, lists or maps, and takes `<>` on a missing attribute for false), and what AWS
//! refuses before it looks at any item (reserved words, names and values that are undefined or unused, paths
//! that overlap, keys that would change). The parser is winterbaume's.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, LazyLock, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize as _;
use serde_json::Value;
use winterbaume_dynamodb::expr::{CompOp, Expr, Operand, parse_expression};
use winterbaume_dynamodb::types::{AttributeValue, PathSegment};

/// An item in DynamoDB's JSON.
pub type Item = HashMap<String, AttributeValue>;

pub fn item_of(value: &Value) -> Item {
    if value.is_null() { Item::new() } else { Item::deserialize(value).unwrap() }
}

/// Whether the condition holds for the item; an item that is not there is empty.
pub fn condition_holds(text: &str, input: &Value, item: &Item) -> Result<bool, String> {
    Ok(holds(&parsed(text, input)?, item))
}

fn parsed(text: &str, input: &Value) -> Result<Expr, String> {
    let names = HashMap::deserialize(&input["ExpressionAttributeNames"]).unwrap_or_default();
    parse_expression(text, &names, &item_of(&input["ExpressionAttributeValues"]))
}

/// Whether a key condition says what this attribute is equal to.
pub fn fixes(text: &str, input: &Value, name: &str) -> Result<bool, String> {
    fn fixed(condition: &Expr, name: &str) -> bool {
        match condition {
            Expr::And(left, right) => fixed(left, name) || fixed(right, name),
            Expr::Comparison(Operand::Path(path), CompOp::Eq, Operand::Value(_)) => {
                matches!(path.as_slice(), [PathSegment::Attr(attribute)] if attribute == name)
            }
            _ => false,
        }
    }
    Ok(fixed(&parsed(text, input)?, name))
}

fn holds(expression: &Expr, item: &Item) -> bool {
    let operand = |operand: &Operand| value_of(operand, item);
    match expression {
        Expr::And(left, right) => holds(left, item) && holds(right, item),
        Expr::Or(left, right) => holds(left, item) || holds(right, item),
        Expr::Not(inner) => !holds(inner, item),
        Expr::Comparison(left, op, right) => compare(operand(left), *op, operand(right)),
        Expr::Between(value, low, high) => {
            compare(operand(value), CompOp::Ge, operand(low))
                && compare(operand(value), CompOp::Le, operand(high))
        }
        Expr::In(value, list) => list.iter().any(|other| compare(operand(value), CompOp::Eq, operand(other))),
        Expr::AttributeExists(path) => at(item, path).is_some(),
        Expr::AttributeNotExists(path) => at(item, path).is_none(),
        Expr::AttributeType(path, kind) => match (at(item, path), operand(kind)) {
            (Some(value), Some(AttributeValue::S(kind))) => type_of(value) == kind,
            _ => false,
        },
        Expr::Contains(path, part) => match (at(item, path), operand(part)) {
            (Some(AttributeValue::S(text)), Some(AttributeValue::S(part))) => text.contains(&part),
            (Some(AttributeValue::SS(set)), Some(AttributeValue::S(part))) => set.contains(&part),
            (Some(AttributeValue::NS(set)), Some(AttributeValue::N(part))) => set.contains(&part),
            (Some(AttributeValue::BS(set)), Some(AttributeValue::B(part))) => set.contains(&part),
            (Some(AttributeValue::L(list)), Some(part)) => list.iter().any(|element| equal(element, &part)),
            _ => false,
        },
        Expr::BeginsWith(path, prefix) => match (at(item, path), operand(prefix)) {
            (Some(AttributeValue::S(text)), Some(AttributeValue::S(prefix))) => text.starts_with(&prefix),
            (Some(AttributeValue::B(bytes)), Some(AttributeValue::B(prefix))) => {
                binary(bytes).starts_with(&binary(&prefix))
            }
            _ => false,
        },
    }
}

fn at<'a>(item: &'a Item, path: &[PathSegment]) -> Option<&'a AttributeValue> {
    let (first, rest) = path.split_first()?;
    let PathSegment::Attr(name) = first else { return None };
    rest.iter().try_fold(item.get(name)?, |value, segment| match (value, segment) {
        (AttributeValue::M(map), PathSegment::Attr(name)) => map.get(name),
        (AttributeValue::L(list), PathSegment::Index(index)) => list.get(*index),
        _ => None,
    })
}

fn value_of(operand: &Operand, item: &Item) -> Option<AttributeValue> {
    match operand {
        Operand::Path(path) => at(item, path).cloned(),
        Operand::Value(value) => Some(value.clone()),
        Operand::Size(path) => {
            let size = match at(item, path)? {
                AttributeValue::S(text) => text.len(),
                AttributeValue::B(bytes) => binary(bytes).len(),
                AttributeValue::SS(set) | AttributeValue::NS(set) | AttributeValue::BS(set) => set.len(),
                AttributeValue::L(list) => list.len(),
                AttributeValue::M(map) => map.len(),
                AttributeValue::N(_) | AttributeValue::Bool(_) | AttributeValue::Null(_) => return None,
            };
            Some(AttributeValue::N(size.to_string()))
        }
    }
}

/// With an operand missing only `<>` is true.
fn compare(left: Option<AttributeValue>, op: CompOp, right: Option<AttributeValue>) -> bool {
    let (Some(left), Some(right)) = (left, right) else { return matches!(op, CompOp::Ne) };
    let order = order(&left, &right);
    match op {
        CompOp::Eq => equal(&left, &right),
        CompOp::Ne => !equal(&left, &right),
        CompOp::Lt => order == Some(Ordering::Less),
        CompOp::Le => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        CompOp::Gt => order == Some(Ordering::Greater),
        CompOp::Ge => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
    }
}

/// The order of two values of one of the types that have an order.
pub fn order(left: &AttributeValue, right: &AttributeValue) -> Option<Ordering> {
    match (left, right) {
        (AttributeValue::S(left), AttributeValue::S(right)) => Some(left.as_bytes().cmp(right.as_bytes())),
        (AttributeValue::B(left), AttributeValue::B(right)) => Some(binary(left).cmp(&binary(right))),
        (AttributeValue::N(left), AttributeValue::N(right)) => {
            match (left.parse::<i128>(), right.parse::<i128>()) {
                (Ok(left), Ok(right)) => Some(left.cmp(&right)),
                _ => left.parse::<f64>().ok()?.partial_cmp(&right.parse().ok()?),
            }
        }
        _ => None,
    }
}

fn equal(left: &AttributeValue, right: &AttributeValue) -> bool {
    let same =
        |left: &[String], right: &[String]| left.iter().collect::<BTreeSet<_>>() == right.iter().collect();
    match (left, right) {
        (AttributeValue::SS(left), AttributeValue::SS(right))
        | (AttributeValue::NS(left), AttributeValue::NS(right))
        | (AttributeValue::BS(left), AttributeValue::BS(right)) => same(left, right),
        _ => order(left, right).map_or(left == right, Ordering::is_eq),
    }
}

fn type_of(value: &AttributeValue) -> &'static str {
    match value {
        AttributeValue::S(_) => "S",
        AttributeValue::N(_) => "N",
        AttributeValue::B(_) => "B",
        AttributeValue::Bool(_) => "BOOL",
        AttributeValue::Null(_) => "NULL",
        AttributeValue::SS(_) => "SS",
        AttributeValue::NS(_) => "NS",
        AttributeValue::BS(_) => "BS",
        AttributeValue::L(_) => "L",
        AttributeValue::M(_) => "M",
    }
}

fn binary(base64: &str) -> Vec<u8> {
    STANDARD.decode(base64).unwrap()
}

const EXPRESSIONS: [&str; 5] = [
    "ConditionExpression",
    "UpdateExpression",
    "ProjectionExpression",
    "FilterExpression",
    "KeyConditionExpression",
];

/// What an expression's text names, or why AWS refuses it.
type Named = Result<(BTreeSet<String>, BTreeSet<String>), String>;

/// The placeholders of an expression, `#name` and `:value`. Each text is looked at once.
fn named(kind: &'static str, text: &str) -> Arc<Named> {
    static SEEN: LazyLock<Mutex<HashMap<String, Arc<Named>>>> = LazyLock::new(Mutex::default);
    let mut seen = SEEN.lock().unwrap();
    if let Some(named) = seen.get(text) {
        return Arc::clone(named);
    }
    let named = Arc::new(read(kind, text));
    seen.insert(text.to_owned(), Arc::clone(&named));
    named
}

fn read(kind: &str, text: &str) -> Named {
    if text.trim().is_empty() {
        return Err(format!("Invalid {kind}: The expression can not be empty;"));
    }
    let (mut names, mut values) = (BTreeSet::new(), BTreeSet::new());
    for word in words(text) {
        if word.starts_with('#') {
            names.insert(word);
        } else if word.starts_with(':') {
            values.insert(word);
        } else if !KEYWORDS.contains(&word.as_str()) && reserved(&word) {
            return Err(format!(
                "Invalid {kind}: Attribute name is a reserved keyword; reserved keyword: {word}"
            ));
        }
    }
    Ok((names, values))
}

/// What AWS refuses by the text of the expressions alone.
pub fn check(input: &Value) -> Result<(), String> {
    let found: Vec<Arc<Named>> =
        EXPRESSIONS.iter().filter_map(|kind| input[*kind].as_str().map(|text| named(kind, text))).collect();
    let (mut names, mut values) = (BTreeSet::new(), BTreeSet::new());
    for named in &found {
        let (of_names, of_values) = (**named).as_ref().map_err(Clone::clone)?;
        names.extend(of_names.iter().map(String::as_str));
        values.extend(of_values.iter().map(String::as_str));
    }
    for (field, used) in [("ExpressionAttributeNames", names), ("ExpressionAttributeValues", values)] {
        let given: BTreeSet<&str> = match input[field].as_object() {
            Some(map) if map.is_empty() => return Err(format!("{field} must not be empty")),
            Some(map) => map.keys().map(String::as_str).collect(),
            None => BTreeSet::new(),
        };
        if let Some(unused) = given.difference(&used).next() {
            return Err(format!("Value provided in {field} unused in expressions: keys: {{{unused}}}"));
        }
        if let Some(undefined) = used.difference(&given).next() {
            return Err(format!(
                "An expression attribute used in expression is not defined: {undefined} ({field})"
            ));
        }
    }
    Ok(())
}

const KEYWORDS: [&str; 17] = [
    "AND",
    "OR",
    "NOT",
    "BETWEEN",
    "IN",
    "SET",
    "REMOVE",
    "ADD",
    "DELETE",
    "attribute_exists",
    "attribute_not_exists",
    "attribute_type",
    "begins_with",
    "contains",
    "size",
    "if_not_exists",
    "list_append",
];

/// Names, placeholders and keywords of an expression, in their order.
fn words(text: &str) -> Vec<String> {
    let letter = |c: char| c.is_ascii_alphanumeric() || "_#:-".contains(c);
    text.split(|c: char| !letter(c))
        .filter(|word| word.starts_with(|c: char| c.is_ascii_alphabetic() || "_#:".contains(c)))
        .map(str::to_owned)
        .collect()
}

/// The top-level attributes that a filter or a projection names.
pub fn top_level(text: &str, input: &Value) -> Vec<String> {
    let letter = |c: char| c.is_ascii_alphanumeric() || "_#:-.[]".contains(c);
    text.split(|c: char| !letter(c))
        .filter(|word| !word.is_empty() && !word.starts_with(':') && !KEYWORDS.contains(word))
        .map(|path| head(path, input))
        .collect()
}

fn head(path: &str, input: &Value) -> String {
    let first = path.split(['.', '[']).next().unwrap();
    input["ExpressionAttributeNames"][first].as_str().unwrap_or(first).to_owned()
}

/// The document paths that an update expression writes, placeholders resolved.
pub fn written(update: &str, input: &Value) -> Vec<String> {
    let mut paths = Vec::new();
    let mut clause = String::new();
    for part in split_actions(update) {
        let mut part = part.trim();
        if let Some((word, rest)) = part.split_once(char::is_whitespace)
            && ["SET", "REMOVE", "ADD", "DELETE"].contains(&word.to_uppercase().as_str())
        {
            clause = word.to_uppercase();
            part = rest.trim();
        }
        let path = match clause.as_str() {
            "SET" => part.split('=').next().unwrap(),
            _ => part.split_whitespace().next().unwrap_or_default(),
        };
        let segments: Vec<String> = path.trim().split('.').map(|segment| resolve(segment, input)).collect();
        paths.push(segments.join("."));
    }
    paths
}

fn resolve(segment: &str, input: &Value) -> String {
    let (name, index) = segment.split_at(segment.find('[').unwrap_or(segment.len()));
    format!("{}{index}", input["ExpressionAttributeNames"][name].as_str().unwrap_or(name))
}

/// The actions of an update expression: split at commas outside parentheses and before each clause's keyword.
fn split_actions(update: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0;
    for word in update.split_inclusive([' ', '\n', '\t', ',', '(', ')']) {
        let keyword = ["SET", "REMOVE", "ADD", "DELETE"].contains(&word.trim().to_uppercase().as_str());
        if keyword && depth == 0 && !parts.last().unwrap().trim().is_empty() {
            parts.push(String::new());
        }
        depth += word.matches('(').count();
        depth -= word.matches(')').count();
        match word.strip_suffix(',') {
            Some(last) if depth == 0 => {
                parts.last_mut().unwrap().push_str(last);
                parts.push(String::new());
            }
            _ => parts.last_mut().unwrap().push_str(word),
        }
    }
    // A comma before the next clause would be a syntax error, which the parser reports.
    parts.retain(|part| !part.trim().is_empty());
    parts
}

fn reserved(word: &str) -> bool {
    static WORDS: LazyLock<HashSet<&str>> = LazyLock::new(|| RESERVED.split_whitespace().collect());
    WORDS.contains(word.to_ascii_uppercase().as_str())
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ReservedWords.html>
const RESERVED: &str = "\
    ABORT ABSOLUTE ACTION ADD AFTER AGENT AGGREGATE ALL ALLOCATE ALTER ANALYZE AND ANY ARCHIVE ARE ARRAY \
    AS ASC ASCII ASENSITIVE ASSERTION ASYMMETRIC AT ATOMIC ATTACH ATTRIBUTE AUTH AUTHORIZATION AUTHORIZE \
    AUTO AVG BACK BACKUP BASE BATCH BEFORE BEGIN BETWEEN BIGINT BINARY BIT BLOB BLOCK BOOLEAN BOTH \
    BREADTH BUCKET BULK BY BYTE CALL CALLED CALLING CAPACITY CASCADE CASCADED CASE CAST CATALOG CHAR \
    CHARACTER CHECK CLASS CLOB CLOSE CLUSTER CLUSTERED CLUSTERING CLUSTERS COALESCE COLLATE COLLATION \
    COLLECTION COLUMN COLUMNS COMBINE COMMENT COMMIT COMPACT COMPILE COMPRESS CONDITION CONFLICT CONNECT \
    CONNECTION CONSISTENCY CONSISTENT CONSTRAINT CONSTRAINTS CONSTRUCTOR CONSUMED CONTINUE CONVERT COPY \
    CORRESPONDING COUNT COUNTER CREATE CROSS CUBE CURRENT CURSOR CYCLE DATA DATABASE DATE DATETIME DAY \
    DEALLOCATE DEC DECIMAL DECLARE DEFAULT DEFERRABLE DEFERRED DEFINE DEFINED DEFINITION DELETE \
    DELIMITED DEPTH DEREF DESC DESCRIBE DESCRIPTOR DETACH DETERMINISTIC DIAGNOSTICS DIRECTORIES DISABLE \
    DISCONNECT DISTINCT DISTRIBUTE DO DOMAIN DOUBLE DROP DUMP DURATION DYNAMIC EACH ELEMENT ELSE ELSEIF \
    EMPTY ENABLE END EQUAL EQUALS ERROR ESCAPE ESCAPED EVAL EVALUATE EXCEEDED EXCEPT EXCEPTION \
    EXCEPTIONS EXCLUSIVE EXEC EXECUTE EXISTS EXIT EXPLAIN EXPLODE EXPORT EXPRESSION EXTENDED EXTERNAL \
    EXTRACT FAIL FALSE FAMILY FETCH FIELDS FILE FILTER FILTERING FINAL FINISH FIRST FIXED FLATTERN FLOAT \
    FOR FORCE FOREIGN FORMAT FORWARD FOUND FREE FROM FULL FUNCTION FUNCTIONS GENERAL GENERATE GET GLOB \
    GLOBAL GO GOTO GRANT GREATER GROUP GROUPING HANDLER HASH HAVE HAVING HEAP HIDDEN HOLD HOUR \
    IDENTIFIED IDENTITY IF IGNORE IMMEDIATE IMPORT IN INCLUDING INCLUSIVE INCREMENT INCREMENTAL INDEX \
    INDEXED INDEXES INDICATOR INFINITE INITIALLY INLINE INNER INNTER INOUT INPUT INSENSITIVE INSERT \
    INSTEAD INT INTEGER INTERSECT INTERVAL INTO INVALIDATE IS ISOLATION ITEM ITEMS ITERATE JOIN KEY KEYS \
    LAG LANGUAGE LARGE LAST LATERAL LEAD LEADING LEAVE LEFT LENGTH LESS LEVEL LIKE LIMIT LIMITED LINES \
    LIST LOAD LOCAL LOCALTIME LOCALTIMESTAMP LOCATION LOCATOR LOCK LOCKS LOG LOGED LONG LOOP LOWER MAP \
    MATCH MATERIALIZED MAX MAXLEN MEMBER MERGE METHOD METRICS MIN MINUS MINUTE MISSING MOD MODE MODIFIES \
    MODIFY MODULE MONTH MULTI MULTISET NAME NAMES NATIONAL NATURAL NCHAR NCLOB NEW NEXT NO NONE NOT NULL \
    NULLIF NUMBER NUMERIC OBJECT OF OFFLINE OFFSET OLD ON ONLINE ONLY OPAQUE OPEN OPERATOR OPTION OR \
    ORDER ORDINALITY OTHER OTHERS OUT OUTER OUTPUT OVER OVERLAPS OVERRIDE OWNER PAD PARALLEL PARAMETER \
    PARAMETERS PARTIAL PARTITION PARTITIONED PARTITIONS PATH PERCENT PERCENTILE PERMISSION PERMISSIONS \
    PIPE PIPELINED PLAN POOL POSITION PRECISION PREPARE PRESERVE PRIMARY PRIOR PRIVATE PRIVILEGES \
    PROCEDURE PROCESSED PROJECT PROJECTION PROPERTY PROVISIONING PUBLIC PUT QUERY QUIT QUORUM RAISE \
    RANDOM RANGE RANK RAW READ READS REAL REBUILD RECORD RECURSIVE REDUCE REF REFERENCE REFERENCES \
    REFERENCING REGEXP REGION REINDEX RELATIVE RELEASE REMAINDER RENAME REPEAT REPLACE REQUEST RESET \
    RESIGNAL RESOURCE RESPONSE RESTORE RESTRICT RESULT RETURN RETURNING RETURNS REVERSE REVOKE RIGHT \
    ROLE ROLES ROLLBACK ROLLUP ROUTINE ROW ROWS RULE RULES SAMPLE SATISFIES SAVE SAVEPOINT SCAN SCHEMA \
    SCOPE SCROLL SEARCH SECOND SECTION SEGMENT SEGMENTS SELECT SELF SEMI SENSITIVE SEPARATE SEQUENCE \
    SERIALIZABLE SESSION SET SETS SHARD SHARE SHARED SHORT SHOW SIGNAL SIMILAR SIZE SKEWED SMALLINT \
    SNAPSHOT SOME SOURCE SPACE SPACES SPARSE SPECIFIC SPECIFICTYPE SPLIT SQL SQLCODE SQLERROR \
    SQLEXCEPTION SQLSTATE SQLWARNING START STATE STATIC STATUS STORAGE STORE STORED STREAM STRING STRUCT \
    STYLE SUB SUBMULTISET SUBPARTITION SUBSTRING SUBTYPE SUM SUPER SYMMETRIC SYNONYM SYSTEM TABLE \
    TABLESAMPLE TEMP TEMPORARY TERMINATED TEXT THAN THEN THROUGHPUT TIME TIMESTAMP TIMEZONE TINYINT TO \
    TOKEN TOTAL TOUCH TRAILING TRANSACTION TRANSFORM TRANSLATE TRANSLATION TREAT TRIGGER TRIM TRUE \
    TRUNCATE TTL TUPLE TYPE UNDER UNDO UNION UNIQUE UNIT UNKNOWN UNLOGGED UNNEST UNPROCESSED UNSIGNED \
    UNTIL UPDATE UPPER URL USAGE USE USER USERS USING UUID VACUUM VALUE VALUED VALUES VARCHAR VARIABLE \
    VARIANCE VARINT VARYING VIEW VIEWS VIRTUAL VOID WAIT WHEN WHENEVER WHERE WHILE WINDOW WITH WITHIN \
    WITHOUT WORK WRAPPED WRITE YEAR ZONE \
    ";
