//! What an entry was before: by its key, by a key it says it had, or, where a rename is taken back, by the key it got.
//! The plan and the store ask the same here, so that what is announced is what happens.

use crate::Key;
use crate::pack::Pack;
use crate::pack::form::{ChoiceOption, Field, Form};

/// The options of a choice.
pub(super) type Options = indexmap::IndexMap<Key, ChoiceOption>;

/// The deployed form that a wanted one is.
pub fn former_form<'a>(deployed: &'a Pack, wanted: &Pack, form: &Form) -> Option<&'a Form> {
    let before: Vec<&Form> = deployed.forms().values().map(|form| &**form).collect();
    let forms: Vec<&Form> = wanted.forms().values().map(|form| &**form).collect();
    let place = forms.iter().position(|other| other.key == form.key)?;
    let named = |forms: &[&'a Form]| forms.iter().map(|form| Name::new(&form.key, &form.was)).collect::<Vec<_>>();
    let wanted: Vec<Name<'_>> = forms.iter().map(|form| Name::new(&form.key, &form.was)).collect();
    formers(&named(&before), &wanted)[place].map(|at| before[at])
}

/// For each wanted field the position of the deployed one that it is.
pub fn former_fields(before: &[Field], wanted: &[Field]) -> Vec<Option<usize>> {
    formers(&of_fields(before), &of_fields(wanted))
}

/// The renamed options: (old key, new key).
pub fn renamed_options<'a>(before: &'a Options, wanted: &'a Options) -> Vec<(&'a Key, &'a Key)> {
    let old: Vec<Name<'_>> = before.iter().map(|(key, option)| Name::new(key, &option.was)).collect();
    let new: Vec<Name<'_>> = wanted.iter().map(|(key, option)| Name::new(key, &option.was)).collect();
    let pairs = formers(&old, &new).into_iter().zip(&new);
    let pairs = pairs.filter_map(|(at, new)| Some((old[at?].key, new.key)));
    pairs.filter(|(old, new)| old != new).collect()
}

/// A key, and those it had before.
#[derive(Clone, Copy)]
struct Name<'a> {
    key: &'a Key,
    was: &'a [Key],
}

impl<'a> Name<'a> {
    fn new(key: &'a Key, was: &'a [Key]) -> Self {
        Self { key, was }
    }
}

fn of_fields(fields: &[Field]) -> Vec<Name<'_>> {
    fields.iter().map(|field| Name::new(&field.key, &field.was)).collect()
}

/// An old key that is still in use names what is there, not what left; and nothing has two successors.
fn formers(before: &[Name<'_>], wanted: &[Name<'_>]) -> Vec<Option<usize>> {
    let find = |key: &Key| before.iter().position(|old| old.key == key);
    let mut found: Vec<Option<usize>> = wanted.iter().map(|name| find(name.key)).collect();
    for (place, name) in wanted.iter().enumerate() {
        if found[place].is_some() {
            continue;
        }
        let undone = before.iter().enumerate().filter(|(_, old)| old.was.contains(name.key)).map(|(at, _)| at);
        let mut candidates = name.was.iter().filter_map(find).chain(undone);
        found[place] = candidates.find(|at| !found.contains(&Some(*at)));
    }
    found
}
