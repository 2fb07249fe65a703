//! Fields: the keys all types share, and the registry of types.

use schemars::JsonSchema;
use serde::Deserialize;

use super::common::{Entry, Formula, Given, expression, registry, value_expression};
use crate::expr::Position;
use crate::text::Text as Words;

registry! {
    /// The keys a field type has of its own.
    FieldOptions, "Field", {
        /// One line of text.
        "text" => text::Text,
        /// Several lines.
        "long_text" => long_text::LongText,
        /// A whole number.
        "integer" => integer::Integer,
        /// An exact decimal.
        "decimal" => decimal::Decimal,
        /// An amount.
        "money" => money::Money,
        /// True or false.
        "boolean" => boolean::Boolean,
        /// A civil date.
        "date" => date::Date,
        /// An instant.
        "datetime" => datetime::Datetime,
        /// One of the options.
        "choice" => choice::Choice,
        /// A record of another form.
        "link" => link::Link,
        /// A field of the linked record.
        "lookup" => lookup::Lookup,
        /// Child rows.
        "table" => table::Table,
        /// Records that link here.
        "backlink" => backlink::Backlink,
        /// An e-mail address.
        "email" => email::Email,
        /// A phone number.
        "phone" => phone::Phone,
        /// A running number.
        "series" => series::Series,
        /// A queue.
        "queue" => queue::Queue,
        /// A user.
        "user" => user::User,
    }
}

pub use choice::ChoiceOption;
pub use link::OnDelete;
pub use lookup::Snapshot;
pub use phone::Region;
pub use series::Reset;

/// A field.
pub type Field = Entry<FieldCommon, FieldOptions>;

/// Keys of every field type.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct FieldCommon {
    /// Shown to people; the key where absent.
    pub label: Option<Words>,
    /// A sentence of help.
    pub help: Option<Words>,
    /// Must hold a value whenever it is visible.
    #[serde(default)]
    pub required: bool,
    /// Must hold a value whenever it is visible and this is true.
    #[schemars(extend("x-formwork-expression" = expression("boolean", Position::Condition)))]
    pub required_if: Option<Formula>,
    /// Hidden unless this is true.
    #[schemars(extend("x-formwork-expression" = expression("boolean", Position::Condition)))]
    pub visible_if: Option<Formula>,
    /// Never written by people.
    #[serde(default)]
    pub read_only: bool,
    /// Not written by people while this is true.
    #[schemars(extend("x-formwork-expression" = expression("boolean", Position::Condition)))]
    pub read_only_if: Option<Formula>,
    /// What happens to the value while the field is hidden.
    pub when_hidden: Option<WhenHidden>,
    /// The value of a new record.
    #[schemars(extend("x-formwork-expression" = value_expression("the field's type", Position::Default)))]
    pub default: Option<Given>,
    /// The value follows from others.
    #[schemars(extend("x-formwork-expression" = expression("the field's type", Position::Computed)))]
    pub compute: Option<Formula>,
    /// Computed on save and stored; otherwise on reading.
    pub stored: Option<bool>,
    /// Names `access` may use as `#tag`.
    #[serde(default)]
    pub tags: Vec<String>,
    /// How the value is shown at level `mask`.
    pub mask: Option<MaskShape>,
    /// Keys this field had before.
    #[serde(default)]
    pub was: Vec<String>,
}

/// How a masked value is shown: everything else becomes `*`.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
#[schemars(inline)]
pub struct MaskShape {
    /// Code points kept at the start.
    pub keep_first: u8,
    /// Code points kept at the end.
    pub keep_last: u8,
}

/// What happens to a hidden field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum WhenHidden {
    /// It becomes empty.
    Clear,
    /// It stays.
    Keep,
}
