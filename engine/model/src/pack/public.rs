//! What people who are not logged in may do with a form.

use crate::Text;

/// Pages for people who are not logged in.
#[derive(Debug, Clone)]
pub struct Public {
    /// Whether it is filled in there.
    pub form: bool,
    /// Said once it is sent.
    pub thanks: Option<Text>,
    /// How many an address may send.
    pub limit: Option<Rate>,
    /// How whoever sent it follows it.
    pub track: Option<Track>,
}

/// How a record is followed by somebody who is not logged in.
#[derive(Debug, Clone)]
pub struct Track {
    /// What one must know; the first finds the record.
    pub by: Vec<Proof>,
    /// Positions of the fields shown.
    pub show: Vec<usize>,
    /// Wrong tries on one reference before it is closed.
    pub lock: Option<Rate>,
}

/// Something one must know of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    /// Position of the field.
    pub field: usize,
    /// Only so many of its last code points; all of it where absent.
    pub last: Option<u32>,
}

/// So many in a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    /// How many.
    pub count: u32,
    /// In so many seconds.
    pub seconds: u32,
}
