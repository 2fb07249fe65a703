//! Checked workflows: the graph the executor knows, lowered from the author's steps.

use indexmap::IndexMap;

use super::Setting;
use super::form::Level;
use super::sla::Sla;
use crate::expr::{Expr, Type};
use crate::value::{Duration, Value};
use crate::{Key, Text};

/// A checked workflow.
#[derive(Debug, Clone)]
pub struct Workflow {
    /// Its key.
    pub key: Key,
    /// Shown to people.
    pub label: Text,
    /// The form its instances work on; none for a job without a record.
    pub form: Option<Key>,
    /// The few words of a public status page, in order.
    pub stages: IndexMap<Key, Text>,
    /// Instance variables with type and first value.
    pub vars: IndexMap<Key, Var>,
    /// The ways to begin.
    pub starts: IndexMap<Key, Start>,
    /// Whether whoever started it may take it back.
    pub withdraw: Option<Withdraw>,
    /// Its clocks.
    pub sla: IndexMap<Key, Sla>,
    /// The nodes.
    pub graph: Graph,
}

/// An instance variable.
#[derive(Debug, Clone)]
pub struct Var {
    /// Its type.
    pub ty: Type,
    /// Its first value.
    pub default: Value,
}

/// How whoever started an instance may take it back.
#[derive(Debug, Clone)]
pub struct Withdraw {
    /// Up to when.
    pub until: WithdrawUntil,
    /// Assigned then.
    pub set: Vec<Assignment>,
}

/// Up to when an instance may be taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WithdrawUntil {
    /// As long as nobody has completed a task of it.
    FirstDecision,
    /// As long as it runs.
    End,
    /// As long as this step was not reached.
    Before(Key),
}

/// A way to begin.
#[derive(Debug, Clone)]
pub struct Start {
    /// When.
    pub on: StartOn,
    /// The start key: one key starts at most one instance, ever. The default of its kind where absent.
    pub key: Option<Expr>,
    /// The first node.
    pub next: Target,
}

/// When a workflow starts.
#[derive(Debug, Clone)]
pub enum StartOn {
    /// A record is created and the condition holds. Default key: the record's id.
    Created {
        /// Over the record.
        when: Option<Expr>,
    },
    /// At times of a cron line in the pack's zone. Default key: the instant, and the row's id.
    Schedule {
        /// Five fields.
        cron: String,
        /// Once for each record, instead of once.
        each: Option<Each>,
    },
    /// A person asks for it. Default key: the request's idempotency key.
    Manual {
        /// Who may.
        roles: Vec<Key>,
    },
}

/// The records a schedule runs over.
#[derive(Debug, Clone)]
pub struct Each {
    /// Their form.
    pub form: Key,
    /// Which of them: frame 0 is the row (`it`).
    pub filter: Option<Expr>,
}

/// The graph: nodes by step key. Edges are the nodes' targets.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    /// The nodes in the order of the file.
    pub nodes: IndexMap<Key, Node>,
}

/// Where an edge leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// To a node of the same block.
    Node(Key),
    /// This token ends.
    End,
    /// This token reaches the end of its block.
    Join,
    /// The block is cancelled, with those around it up to the one that owns this node; the token goes on there.
    Leave(Key),
}

/// A node.
#[derive(Debug, Clone)]
pub struct Node {
    /// The step's key.
    pub key: Key,
    /// Shown to people; the key where the author gave none.
    pub label: Text,
    /// The stage the instance is in from when it is entered.
    pub stage: Option<Key>,
    /// What entering it does and what it waits for.
    pub action: Action,
    /// Applied when the step is left.
    pub set: Vec<Assignment>,
    /// The innermost block that owns it, by the key of its fork; none where no block does.
    pub block: Option<Key>,
    /// What may happen while a token rests here, beside what the step itself waits for.
    pub boundary: IndexMap<Key, Event>,
}

impl Node {
    /// An event the node listens for: of a wait, or at its boundary.
    pub fn event(&self, key: &Key) -> Option<&Event> {
        self.waits_for().and_then(|events| events.get(key)).or_else(|| self.boundary.get(key))
    }

    /// Whether a token may rest here for a person or an event.
    pub fn waits(&self) -> bool {
        matches!(self.action, Action::User { .. } | Action::Approval { .. } | Action::Wait { .. })
    }

    /// The form of the task or tasks a token rests at here.
    pub fn task_form(&self) -> Option<&TaskForm> {
        match &self.action {
            Action::User { form, .. } | Action::Approval { form, .. } => Some(form),
            _ => None,
        }
    }

    /// The events of a wait.
    pub fn waits_for(&self) -> Option<&IndexMap<Key, Event>> {
        match &self.action {
            Action::Wait { events } => Some(events),
            _ => None,
        }
    }
}

/// What a node does.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Action {
    /// A task for a person; waits.
    User {
        /// Who may do it.
        assign: AssignRule,
        /// What they see and may do.
        form: Box<TaskForm>,
    },
    /// A task for each signer; waits until the signatures decide. The outcomes are `approved` and `rejected`.
    Approval {
        /// The signers.
        who: IndexMap<Key, AssignRule>,
        /// How many are needed.
        mode: Mode,
        /// Whether the first rejection decides.
        veto: bool,
        /// What each sees and may do.
        form: Box<TaskForm>,
    },
    /// The first true branch.
    Choice {
        /// In file order.
        branches: IndexMap<Key, (Expr, Target)>,
        /// Where none is true.
        otherwise: Target,
    },
    /// Evaluates a decision; its outputs are `step.<id>.<output>`.
    Decision {
        /// The decision's key.
        decision: Key,
        /// Where no rule hits; an incident where absent.
        none: Option<Target>,
        /// Where one hits.
        next: Target,
    },
    /// Assigns.
    Set {
        /// Then.
        next: Target,
    },
    /// Leaves a message in the outbox; does not wait.
    Notify(Box<NotifyStep>),
    /// Arms its events; the first that fires wins.
    Wait {
        /// The events.
        events: IndexMap<Key, Event>,
    },
    /// A token for each branch, in a block of their own; waits until they have joined.
    Fork {
        /// The first node of each branch.
        branches: IndexMap<Key, Key>,
        /// When they have joined.
        join: Join,
        /// Then.
        next: Target,
    },
    /// Runs a pure script; its outputs are `step.<id>.<output>`.
    Script {
        /// Key of the script in the pack.
        script: Key,
        /// Inputs by variable.
        inputs: IndexMap<Key, Setting>,
        /// Outputs and their types.
        outputs: IndexMap<Key, Type>,
        /// Then.
        next: Target,
    },
    /// Ends this token.
    End {
        /// How the instance ended, for its history.
        outcome: Option<Key>,
    },
}

impl Action {
    /// The word of the definition language: `user`, `choice` …
    pub fn name(&self) -> &'static str {
        match self {
            Action::User { .. } => "user",
            Action::Approval { .. } => "approval",
            Action::Choice { .. } => "choice",
            Action::Decision { .. } => "decision",
            Action::Set { .. } => "set",
            Action::Notify(_) => "notify",
            Action::Wait { .. } => "wait",
            Action::Fork { .. } => "parallel",
            Action::Script { .. } => "script",
            Action::End { .. } => "end",
        }
    }
}

/// What the people of a task see and may do.
#[derive(Debug, Clone)]
pub struct TaskForm {
    /// Levels inside the task, by position of the form's field; a key that is absent keeps the role's own level.
    pub levels: IndexMap<usize, Level>,
    /// The highest level of fields not named, where the author wrote `*`.
    pub others: Option<Level>,
    /// The ways out.
    pub outcomes: IndexMap<Key, Outcome>,
    /// How long it may take.
    pub due: Option<Due>,
    /// Said to the person.
    pub instructions: Option<Text>,
    /// Four eyes: these people may not do it.
    pub not: Vec<Setting>,
    /// Whether it may be given to another person or queue for good.
    pub transfer: bool,
    /// Whether another person may be asked to work on it.
    pub delegate: bool,
    /// The steps it may be returned to.
    pub return_to: Vec<Key>,
    /// How it may go on from there, the default first.
    pub resume: Vec<Resume>,
    /// Whether people may be given a copy of it.
    pub copy: bool,
}

/// How a returned task goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resume {
    /// All between runs again; earlier signatures are void.
    Rerun,
    /// After the step it was returned to, straight back; signatures given stay.
    BackToMe,
}

impl Resume {
    /// The word of the definition language.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rerun => "rerun",
            Self::BackToMe => "back_to_me",
        }
    }
}

/// Who may do a task, and what if that is nobody.
#[derive(Debug, Clone)]
pub struct AssignRule {
    /// Who.
    pub who: Assign,
    /// What if that is nobody.
    pub if_empty: IfEmpty,
}

/// How long a task may take.
#[derive(Debug, Clone)]
pub struct Due {
    /// So long after it came up.
    pub after: Duration,
    /// Counted by a calendar.
    pub business: Option<Business>,
}

/// Time counted by a calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Business {
    /// The calendar.
    pub calendar: Key,
    /// Whole days after that of the start, up to the end of the last.
    pub day_end: bool,
}

/// What happens where a task would be nobody's.
#[derive(Debug, Clone)]
pub enum IfEmpty {
    /// An administrator looks at it.
    Incident,
    /// Of an approval: it counts as approved.
    Skip,
    /// Somebody else may do it.
    Assign(Box<AssignRule>),
}

/// How many signatures an approval needs (workflow.md §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// All approve (会签).
    All,
    /// One approves (或签).
    Any,
}

/// The outcome of an approval that was granted.
pub const APPROVED: &str = "approved";
/// The outcome of an approval that was not.
pub const REJECTED: &str = "rejected";

/// Who may do a task.
#[derive(Debug, Clone)]
pub enum Assign {
    /// Whoever serves the queue.
    Queue(Setting),
    /// Whoever has the role.
    Role(Key),
    /// Whoever is a member of the team.
    Team(Setting),
    /// This user.
    User(Setting),
}

/// A way out of a task.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// On the button.
    pub label: Text,
    /// Fields that must hold a value.
    pub required: Vec<usize>,
    /// Applied on the way out.
    pub set: Vec<Assignment>,
    /// Asked before.
    pub confirm: Option<Text>,
    /// Then.
    pub next: Target,
}

/// A message.
#[derive(Debug, Clone)]
pub struct NotifyStep {
    /// The address; nothing is sent where it is null.
    pub to: Setting,
    /// The first channel that takes the address is used.
    pub channels: Vec<Key>,
    /// The template.
    pub template: Key,
    /// The recipient's language.
    pub language: Option<Setting>,
    /// Values for the template, as `data.x`: all it reads.
    pub data: IndexMap<Key, Setting>,
    /// Then.
    pub next: Target,
}

/// When the branches of a fork have joined. In any case they have once no token is left in the block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Join {
    /// When the last token is gone.
    All,
    /// When so many have reached the end of the block; the rest is cancelled.
    Need(u32),
}

/// An event a step waits for, or that may happen while it waits.
#[derive(Debug, Clone)]
pub struct Event {
    /// What makes it fire.
    pub trigger: Trigger,
    /// Whether the step ends by it; if not, a second token goes on from `next`. Always true for a wait.
    pub interrupt: bool,
    /// Applied when it fires.
    pub set: Vec<Assignment>,
    /// Then.
    pub next: Target,
}

/// What makes an event fire.
#[derive(Debug, Clone)]
pub enum Trigger {
    /// A point in time.
    Timer(Timer),
    /// A message from outside.
    Message {
        /// Its name.
        name: Key,
        /// What tells the one waited for from others.
        key: Expr,
        /// Whether what it carries is what is waited for.
        filter: Option<Expr>,
    },
}

/// Who comments on a record for the public to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommentBy {
    /// People who are logged in.
    Staff,
    /// Whoever follows the record without logging in.
    Public,
}

impl CommentBy {
    /// The name of the message that such a comment is to whoever waits for one; its key is the record's id, and it
    /// carries `text`. No message of a pack has such a name.
    pub fn message(self) -> Key {
        match self {
            Self::Staff => "comment by staff".into(),
            Self::Public => "comment by public".into(),
        }
    }
}

/// When a timer fires.
#[derive(Debug, Clone)]
pub enum Timer {
    /// That long after the step was entered, counted by a calendar where there is one.
    After(Setting, Option<Business>),
    /// At that instant; a past one fires at once.
    Until(Expr),
}

/// `set`: a record field or a variable gets a value.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// What.
    pub to: AssignTo,
    /// The value.
    pub value: Setting,
}

/// What an assignment writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AssignTo {
    /// A field of the record, by position.
    Field(usize),
    /// A variable.
    Var(Key),
}
