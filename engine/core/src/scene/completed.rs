//! Where completed records are kept while a stimulus is decided or a question answered.

use std::cell::{Cell, OnceCell};
use std::sync::Arc;

use uuid::Uuid;

use formwork_model::Key;
use formwork_model::expr::ir::FieldRef;

use crate::record::Record;

/// Records completed so far: a list that only grows, so that what is in it may be borrowed.
#[derive(Default)]
pub(crate) struct Completed {
    first: OnceCell<Box<Entry>>,
    /// How deep derived values of one record ask for those of another.
    pub(super) depth: Cell<u8>,
    /// The same records as the viewer may see them.
    shown: OnceCell<Box<Completed>>,
}

struct Entry {
    of: EntryOf,
    next: OnceCell<Box<Entry>>,
}

enum EntryOf {
    Record(Key, Record),
    Rows(FieldRef, Uuid, Vec<Arc<Record>>),
}

impl Completed {
    /// Where records are kept as the viewer may see them: values that come from rows they do not read are null there.
    pub(super) fn shown(&self) -> &Completed {
        self.shown.get_or_init(Box::default)
    }

    fn entries(&self) -> impl Iterator<Item = &EntryOf> {
        let mut at = self.first.get();
        std::iter::from_fn(move || {
            let entry = at?;
            at = entry.next.get();
            Some(&entry.of)
        })
    }

    pub(super) fn find(&self, form: &Key, id: Uuid) -> Option<&Record> {
        self.entries().find_map(|entry| match entry {
            EntryOf::Record(key, record) if record.id == id && key == form => Some(record),
            _ => None,
        })
    }

    pub(super) fn find_rows(&self, link: &FieldRef, to: Uuid) -> Option<&[Arc<Record>]> {
        self.entries().find_map(|entry| match entry {
            EntryOf::Rows(of, id, rows) if *id == to && of == link => Some(rows.as_slice()),
            _ => None,
        })
    }

    pub(super) fn keep(&self, form: &Key, record: Record) -> &Record {
        match self.push(EntryOf::Record(form.clone(), record)) {
            EntryOf::Record(_, record) => record,
            EntryOf::Rows(..) => unreachable!("what was pushed is a record"),
        }
    }

    pub(super) fn keep_rows(&self, link: &FieldRef, to: Uuid, rows: Vec<Arc<Record>>) -> &[Arc<Record>] {
        match self.push(EntryOf::Rows(link.clone(), to, rows)) {
            EntryOf::Rows(_, _, rows) => rows,
            EntryOf::Record(..) => unreachable!("what was pushed are rows"),
        }
    }

    fn push(&self, of: EntryOf) -> &EntryOf {
        let mut last = &self.first;
        while let Some(entry) = last.get() {
            last = &entry.next;
        }
        &last.get_or_init(|| Box::new(Entry { of, next: OnceCell::new() })).of
    }
}
