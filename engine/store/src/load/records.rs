//! Records with their child rows: first the records, then the rows of each child table.

use std::collections::HashMap;
use std::sync::Arc;

use uuid::Uuid;

use formwork_core::eval::Find;
use formwork_core::facts::LoadedPage;
use formwork_core::read::Query;
use formwork_core::{Facts, Record};
use formwork_model::expr::Type;
use formwork_model::value::Row as ChildRow;
use formwork_model::{Key, Value};

use super::{BACKLINKS_MAX, Context, Load, Lock};
use crate::Fault;
use crate::codec::Reader;
use crate::dialect::{ColumnKind, Dialect, bind_id};
use crate::layout::FormLayout;
use crate::names::quote;
use crate::statement::{Row, Select, equals_each};

/// What the records are loaded for.
pub(crate) enum Target {
    ById(Vec<Uuid>),
    Backlinks {
        link: Key,
        to: Uuid,
    },
    Page {
        query: Arc<Query>,
        count: Option<Select>,
    },
    Found(Find),
    /// The caller takes them.
    Plain,
}

/// Records on their way.
pub(crate) struct RecordLoad {
    dialect: Dialect,
    layout: Arc<FormLayout>,
    /// A row that is locked before the records are read.
    gate: Option<Select>,
    main: Option<Select>,
    target: Target,
    records: Vec<Record>,
    places: HashMap<Uuid, usize>,
    more: bool,
    total: Option<(u64, bool)>,
    stage: Stage,
    /// Whether all records are loaded, and all child rows with one query.
    whole: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Gate,
    Main,
    /// The child table of that number.
    Children(usize),
    Count,
    Done,
}

impl RecordLoad {
    /// These records.
    pub(super) fn by_id(
        context: &Context,
        form: &Key,
        mut ids: Vec<Uuid>,
        (lock, waits): (Lock, bool),
    ) -> Result<Load, Fault> {
        ids.sort_unstable();
        let layout = context.layout.form(form)?.clone();
        let condition = format!("\"id\" {}", equals_each(context.dialect, 1));
        let (table, lock) = (quote(&layout.table), lock.clause(waits));
        let sql = format!("SELECT {} FROM {table} WHERE {condition} ORDER BY \"id\"{lock}", layout.selection);
        let select = Select::new(sql, Vec::new(), layout.kinds.clone()).each(ids.clone());
        Ok(Self::of(context.dialect, layout, select, Target::ById(ids)))
    }

    /// Records whose link leads to that record; `waits` says whether to wait for the record itself.
    pub(super) fn backlinks(context: &Context, form: &Key, link: &Key, to: Uuid, waits: bool) -> Result<Load, Fault> {
        let layout = context.layout.form(form)?.clone();
        let position = context.pack.form(form).field(link).map(|(position, _)| position);
        let column = position.and_then(|position| layout.column(position));
        let column = column.ok_or_else(|| Fault::new(format!("`{form}.{link}` is no stored link")))?;
        let sql = format!(
            "SELECT {} FROM {} WHERE {} = $1 ORDER BY \"id\" LIMIT {}{}",
            layout.selection,
            quote(&layout.table),
            quote(&column.name),
            BACKLINKS_MAX + 1,
            context.locking.at_least(Lock::Shared).clause(false)
        );
        let select = Select::new(sql, vec![bind_id(context.dialect, to)], layout.kinds.clone());
        let mut load = Self::of(context.dialect, layout, select, Target::Backlinks { link: link.clone(), to });
        if let (Load::Records(load), Some(gate)) = (&mut load, gate(context, form, link, to, waits)?) {
            (load.gate, load.stage) = (Some(gate), Stage::Gate);
        }
        Ok(load)
    }

    /// The records a query selects; its columns are the layout's selection.
    pub(crate) fn of(dialect: Dialect, layout: Arc<FormLayout>, main: Select, target: Target) -> Load {
        Load::Records(Box::new(Self {
            dialect,
            layout,
            gate: None,
            main: Some(main),
            target,
            records: Vec::new(),
            places: HashMap::new(),
            more: false,
            total: None,
            stage: Stage::Main,
            whole: false,
        }))
    }

    /// These records, not locked.
    pub(crate) fn read(context: &Context, form: &Key, ids: Vec<Uuid>) -> Result<Load, Fault> {
        Self::by_id(context, form, ids, (Lock::None, true))
    }

    /// Every record of the form, in id order.
    pub(crate) fn all(context: &Context, form: &str) -> Result<Load, Fault> {
        let layout = context.layout.form(form)?.clone();
        let sql = format!("SELECT {} FROM {} ORDER BY \"id\"", layout.selection, quote(&layout.table));
        let main = Select::new(sql, Vec::new(), layout.kinds.clone());
        let mut load = Self::of(context.dialect, layout, main, Target::Plain);
        if let Load::Records(load) = &mut load {
            load.whole = true;
        }
        Ok(load)
    }

    pub(super) fn next(&mut self) -> Result<Option<Select>, Fault> {
        Ok(match self.stage {
            Stage::Gate => self.gate.take(),
            Stage::Main => self.main.take(),
            Stage::Children(number) => Some(self.child_select(number)),
            Stage::Count => match &mut self.target {
                Target::Page { count, .. } => count.take(),
                _ => None,
            },
            Stage::Done => None,
        })
    }

    pub(super) fn take(&mut self, rows: Vec<Row>) -> Result<(), Fault> {
        match self.stage {
            Stage::Main => self.take_records(rows)?,
            Stage::Children(number) => self.take_children(number, rows)?,
            Stage::Count => self.take_count(rows)?,
            Stage::Gate | Stage::Done => {}
        }
        self.stage = self.after();
        Ok(())
    }

    pub(super) fn finish(self, facts: &mut Facts) {
        let form = self.layout.form.clone();
        match self.target {
            Target::ById(ids) => {
                let mut found: HashMap<Uuid, Record> =
                    self.records.into_iter().map(|record| (record.id, record)).collect();
                for id in ids {
                    facts.add_record(form.clone(), id, found.remove(&id));
                }
            }
            Target::Backlinks { link, to } => {
                let records = self.records.into_iter().map(Arc::new).collect();
                facts.backlinks.insert((form, link, to), records);
            }
            Target::Page { query, .. } => {
                let records = self.records.into_iter().map(Arc::new).collect();
                facts.pages.push((query, LoadedPage { records, more: self.more, total: self.total }));
            }
            Target::Found(find) => facts.add_found(find, self.records),
            Target::Plain => {}
        }
    }

    /// The records of a load without facts.
    pub(crate) fn into_records(self) -> Vec<Record> {
        self.records
    }

    fn after(&self) -> Stage {
        let next = match self.stage {
            Stage::Gate => return Stage::Main,
            Stage::Main => 0,
            Stage::Children(number) => number + 1,
            Stage::Count | Stage::Done => return Stage::Done,
        };
        let counted = matches!(&self.target, Target::Page { count: Some(_), .. });
        match next {
            number if number < self.layout.children.len() && !self.records.is_empty() => Stage::Children(number),
            _ if counted => Stage::Count,
            _ => Stage::Done,
        }
    }

    fn take_records(&mut self, mut rows: Vec<Row>) -> Result<(), Fault> {
        match &self.target {
            Target::Page { query, .. } => {
                let limit = usize::try_from(query.limit()).unwrap_or(usize::MAX);
                self.more = rows.len() > limit;
                rows.truncate(limit);
            }
            Target::Backlinks { link, .. } if rows.len() > BACKLINKS_MAX as usize => {
                return Err(Fault::new(format!("more than {BACKLINKS_MAX} records of `{}.{link}`", self.layout.form)));
            }
            _ => {}
        }
        self.records = rows.into_iter().map(|row| record(&self.layout, row)).collect::<Result<_, _>>()?;
        self.places = self.records.iter().enumerate().map(|(place, record)| (record.id, place)).collect();
        for child in &self.layout.children {
            for record in &mut self.records {
                record.values[child.position] = Value::Rows(Vec::new());
            }
        }
        Ok(())
    }

    fn child_select(&self, number: usize) -> Select {
        let child = &self.layout.children[number];
        if self.whole {
            let table = quote(&child.table);
            let sql = format!("SELECT {} FROM {table} ORDER BY \"record\", \"position\"", child.selection);
            return Select::new(sql, Vec::new(), child.kinds.clone());
        }
        let sql = format!(
            "SELECT {} FROM {} WHERE \"record\" {} ORDER BY \"record\", \"position\"",
            child.selection,
            quote(&child.table),
            equals_each(self.dialect, 1)
        );
        let ids = self.records.iter().map(|record| record.id).collect();
        Select::new(sql, Vec::new(), child.kinds.clone()).each(ids)
    }

    fn take_children(&mut self, number: usize, rows: Vec<Row>) -> Result<(), Fault> {
        let child = &self.layout.children[number];
        for row in rows {
            let mut reader = Reader::new(row);
            let (record, id) = (reader.id()?, reader.id()?);
            let mut values = vec![Value::Null; child.width];
            for (column, value) in child.columns.iter().zip(reader.rest()) {
                values[column.position] = value;
            }
            if let Some(Value::Rows(rows)) =
                self.places.get(&record).map(|&place| &mut self.records[place].values[child.position])
            {
                rows.push(ChildRow { id, values });
            }
        }
        Ok(())
    }

    fn take_count(&mut self, rows: Vec<Row>) -> Result<(), Fault> {
        let first = rows.into_iter().next().unwrap_or_else(|| vec![Value::Integer(0)]);
        let found = u64::try_from(Reader::new(first).integer()?).unwrap_or_default();
        let most = super::page::COUNT_MAX;
        self.total = Some((found.min(most), found <= most));
        Ok(())
    }
}

/// Locks the record that the backlink leads from: every link made to it checks the foreign key and waits there, so that
/// no record joins the ones that are read.
fn gate(context: &Context, form: &Key, link: &Key, to: Uuid, waits: bool) -> Result<Option<Select>, Fault> {
    let lock = context.locking.at_least(Lock::Gate);
    let field = context.pack.form(form).field(link).map(|(_, field)| field.ty());
    let (Some(Type::Link(target)), Lock::Gate) = (field, lock) else { return Ok(None) };
    let table = quote(&context.layout.form(target)?.table);
    let sql = format!("SELECT \"version\" FROM {table} WHERE \"id\" = $1{}", lock.clause(waits));
    Ok(Some(Select::new(sql, vec![bind_id(context.dialect, to)], [ColumnKind::Integer])))
}

fn record(layout: &FormLayout, row: Row) -> Result<Record, Fault> {
    let mut reader = Reader::new(row);
    let (id, version) = (reader.id()?, reader.integer()?);
    let (created_at, created_by) = (reader.time()?, reader.maybe_id()?);
    let (updated_at, updated_by) = (reader.time()?, reader.maybe_id()?);
    let mut values = vec![Value::Null; layout.width];
    for (column, value) in layout.columns.iter().zip(reader.rest()) {
        values[column.position] = value;
    }
    Ok(Record { id, version, created_at, created_by, updated_at, updated_by, values })
}

/// The selection of a count.
pub(super) const COUNT: [ColumnKind; 1] = [ColumnKind::Integer];
