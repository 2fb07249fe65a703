//! `pack.json`.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::common::Keyed;
use crate::text::Text;

/// What a pack is, and what all its files share.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pack {
    /// Semantic version.
    #[schemars(regex(pattern = r"^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z.-]+)?$"))]
    pub version: String,
    /// Shown to people.
    pub title: Text,
    /// What it needs.
    #[serde(default)]
    pub requires: Requires,
    /// BCP 47 tags; the first is the fallback.
    #[schemars(length(min = 1), inner(regex(pattern = "^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")))]
    pub languages: Vec<String>,
    /// IANA zone of dates, buckets and schedules.
    pub timezone: String,
    /// ISO 4217 code of money.
    #[serde(default = "currency_default")]
    #[schemars(regex(pattern = "^[A-Z]{3}$"))]
    pub currency: String,
    /// Roles.
    #[serde(default)]
    pub roles: Keyed<Role>,
    /// Queues.
    #[serde(default)]
    pub queues: Keyed<Queue>,
    /// `settings.x`.
    #[serde(default)]
    pub settings: Keyed<SettingEntry>,
    /// Channels of messages.
    #[serde(default)]
    pub channels: Keyed<Channel>,
    /// Events from outside that workflows wait for, by name: `customer.replied`.
    #[serde(default)]
    #[schemars(extend("propertyNames" = {"pattern": MESSAGE_PATTERN}))]
    pub messages: IndexMap<String, Message>,
    /// Groups of the side bar.
    #[serde(default)]
    pub nav: Keyed<NavEntry>,
    /// Where a role lands; `*` is everybody.
    #[serde(default)]
    pub home: IndexMap<String, String>,
}

fn currency_default() -> String {
    "CNY".to_owned()
}

/// What a pack needs.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Requires {
    /// Version of Formwork: `>=0.1`.
    #[schemars(regex(pattern = r"^>=[0-9]+\.[0-9]+(\.[0-9]+)?$"))]
    pub formwork: Option<String>,
}

/// A role.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// Shown to people.
    pub title: Text,
    /// Roles whose rights it has too.
    #[serde(default)]
    pub includes: Vec<String>,
}

/// A queue.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// Shown to people.
    pub title: Text,
    /// The role that leads it.
    pub lead: Option<String>,
}

/// A setting.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SettingEntry {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: SettingType,
    /// Its value.
    pub default: serde_json::Value,
}

/// Types of settings.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum SettingType {
    /// A whole number.
    Integer,
    /// An exact decimal.
    Decimal,
    /// Text.
    Text,
    /// True or false.
    Boolean,
}

/// A channel.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Channel {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: ChannelType,
    /// The addresses it takes; absent: any.
    pub takes: Option<AddressKind>,
}

/// Kinds of addresses.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum AddressKind {
    /// A phone number.
    Phone,
    /// An e-mail address.
    Email,
}

/// What names of messages look like: keys with dots between.
const MESSAGE_PATTERN: &str = r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$";

/// An event from outside.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// Roles that may send it.
    #[schemars(length(min = 1))]
    pub from: Vec<String>,
    /// What it carries, by name: `event.x` where it arrives. The type is one of `text integer decimal money boolean date
    /// datetime duration`.
    #[serde(default)]
    pub data: Keyed<String>,
}

/// Types of channels.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum ChannelType {
    /// A signed POST.
    Webhook,
    /// A line in the outbox file.
    File,
}

/// A group of the side bar.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NavEntry {
    /// Shown to people.
    pub label: Text,
    /// `board:key`, `form:key`, `view:form.view`, `report:key`, `inbox`.
    #[serde(default)]
    pub items: Vec<String>,
}
