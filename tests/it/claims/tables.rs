//! Both tables in memory, changed by the product's own writes and by nothing else. The request's JSON is skipped: it
//! is kept beside its item as the value that it would be read back as.

use std::collections::BTreeMap;
use std::rc::Rc;

use keyvend::aws::item::{Item, Table, Update, Write, number, text, values};
use keyvend::domain::request::KeyRequest;

use crate::claims::expressions::{check_values, holds, updated};
use crate::claims::fixtures::{REPLACE, Replace};

/// A condition did not hold; nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost;

/// A request as it was read: what the product's `Stored` is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub request: Rc<KeyRequest>,
    pub version: i64,
}

impl Row {
    /// The write that replaces it, with the product's condition and without the JSON.
    pub fn replace(&self) -> Write {
        let Replace { condition, key, named } = &*REPLACE;
        let item = values([("pk", key.as_str().into()), ("version", (self.version + 1).into())]);
        let values = named.iter().map(|name| (name.clone(), self.version.into())).collect();
        Write::Put { table: Table::Requests, item, condition, values }
    }
}

/// The tables.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    requests: BTreeMap<String, Rc<Item>>,
    tickets: BTreeMap<String, Rc<Item>>,
    request: Option<Rc<KeyRequest>>,
}

impl Tables {
    fn table(&self, table: Table) -> &BTreeMap<String, Rc<Item>> {
        match table {
            Table::Requests => &self.requests,
            Table::Tickets => &self.tickets,
        }
    }

    /// The item, as a consistent read finds it.
    pub fn get(&self, table: Table, key: &str) -> Option<&Rc<Item>> {
        self.table(table).get(key)
    }

    /// The request, as a consistent read finds it.
    pub fn request(&self) -> Row {
        let version = number(self.get(Table::Requests, &REPLACE.key).unwrap(), "version").unwrap();
        Row { request: Rc::clone(self.request.as_ref().unwrap()), version }
    }

    /// Every item but the request's, by table and key.
    pub fn items(&self) -> impl Iterator<Item = (Table, &String, &Rc<Item>)> {
        let of = |table| self.table(table).iter().map(move |(key, item)| (table, key, item));
        of(Table::Requests).filter(|(_, key, _)| **key != REPLACE.key).chain(of(Table::Tickets))
    }

    /// Puts an item there, as it was before anything began.
    pub fn seed(&mut self, table: Table, item: Item) {
        let key = text(&item, table.key_name()).unwrap().to_owned();
        match table {
            Table::Requests => self.requests.insert(key, Rc::new(item)),
            Table::Tickets => self.tickets.insert(key, Rc::new(item)),
        };
    }

    /// Puts the request there.
    pub fn seed_request(&mut self, request: &KeyRequest) {
        self.request = Some(Rc::new(request.clone()));
        let item = values([("pk", REPLACE.key.as_str().into()), ("version", 1.into())]);
        self.seed(Table::Requests, item);
    }

    /// One conditional update; returns what it set.
    pub fn update(&mut self, table: Table, key: &str, update: &Update) -> Result<Item, Lost> {
        self.judge(table, key, (Some(update.update), update.condition, &update.values))?;
        Ok(self.change(table, key, update))
    }

    /// All of these writes or none; among them that of the request, where it becomes another.
    pub fn write(&mut self, writes: &[Write], next: Option<&Rc<KeyRequest>>) -> Result<(), Lost> {
        for (index, write) in writes.iter().enumerate() {
            let (table, key) = place(write);
            let twice = writes[..index].iter().any(|other| place(other) == (table, key));
            assert!(!twice, "{key} is written twice in {writes:?}");
            let expressions = match write {
                Write::Update { update, .. } => (Some(update.update), update.condition, &update.values),
                Write::Check { condition, values, .. } | Write::Put { condition, values, .. } => {
                    (None, *condition, values)
                }
            };
            self.judge(table, key, expressions)?;
        }
        for write in writes {
            match write {
                Write::Update { table, key, update } => drop(self.change(*table, key, update)),
                Write::Put { table, item, .. } => self.seed(*table, item.clone()),
                Write::Check { .. } => {}
            }
        }
        if let Some(next) = next {
            self.request = Some(Rc::clone(next));
        }
        Ok(())
    }

    fn judge(
        &self,
        table: Table,
        key: &str,
        (update, condition, values): (Option<&'static str>, &'static str, &Item),
    ) -> Result<(), Lost> {
        check_values(update, condition, values);
        let held = match self.get(table, key) {
            Some(item) => holds(condition, values, item),
            None => holds(condition, values, &Item::new()),
        };
        if held { Ok(()) } else { Err(Lost) }
    }

    /// An update of what is not there makes it.
    fn change(&mut self, table: Table, key: &str, update: &Update) -> Item {
        let (next, set) = match self.get(table, key) {
            Some(item) => updated(update.update, &update.values, item),
            None => updated(update.update, &update.values, &values([(table.key_name(), key.into())])),
        };
        self.seed(table, next);
        set
    }
}

fn place(write: &Write) -> (Table, &str) {
    match write {
        Write::Update { table, key, .. } | Write::Check { table, key, .. } => (*table, key),
        Write::Put { table, item, .. } => (*table, text(item, table.key_name()).unwrap()),
    }
}
