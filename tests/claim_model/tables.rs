//! Both tables in memory, changed by the product's own writes and by nothing else.

use std::collections::BTreeMap;

use keyvend::item::{Item, Table, Update, Write, text};

use crate::expressions::{check_values, holds, updated};

/// A condition did not hold; nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost;

/// The tables.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    requests: BTreeMap<String, Item>,
    tickets: BTreeMap<String, Item>,
}

impl Tables {
    fn table(&mut self, table: Table) -> &mut BTreeMap<String, Item> {
        match table {
            Table::Requests => &mut self.requests,
            Table::Tickets => &mut self.tickets,
        }
    }

    /// The item, as a consistent read finds it.
    pub fn get(&self, table: Table, key: &str) -> Option<&Item> {
        match table {
            Table::Requests => self.requests.get(key),
            Table::Tickets => self.tickets.get(key),
        }
    }

    /// Puts an item there, as it was before anything began.
    pub fn seed(&mut self, table: Table, item: Item) {
        let key = text(&item, table.key_name()).unwrap().to_owned();
        self.table(table).insert(key, item);
    }

    /// One conditional update; returns what it set.
    pub fn update(&mut self, table: Table, key: &str, update: &Update) -> Result<Item, Lost> {
        check_values(Some(update.update), update.condition, &update.values);
        let none = Item::new();
        let item = self.get(table, key).unwrap_or(&none);
        if !holds(update.condition, &update.values, item) {
            return Err(Lost);
        }
        let (next, set) = updated(update.update, &update.values, item);
        self.table(table).insert(key.to_owned(), next);
        Ok(set)
    }

    /// All of these writes or none.
    pub fn write(&mut self, writes: &[Write]) -> Result<(), Lost> {
        let mut next = self.clone();
        for write in writes {
            match write {
                Write::Update { table, key, update } => drop(next.update(*table, key, update)?),
                Write::Check { table, key, condition, values } => {
                    check_values(None, condition, values);
                    if !holds(condition, values, self.get(*table, key).unwrap_or(&Item::new())) {
                        return Err(Lost);
                    }
                }
                Write::Put { table, item, condition, values } => {
                    check_values(None, condition, values);
                    let key = text(item, table.key_name()).unwrap();
                    if !holds(condition, values, self.get(*table, key).unwrap_or(&Item::new())) {
                        return Err(Lost);
                    }
                    next.seed(*table, item.clone());
                }
            }
        }
        *self = next;
        Ok(())
    }
}
