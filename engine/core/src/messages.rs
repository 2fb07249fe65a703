//! What people are told when something is refused, in Chinese and in English.
//!
//! A sentence has places `{label}` and `{limit}`: the field's label, and the limit or word it ran into. Codes are stable
//! and the same in every language; rules of a pack bring their own sentences.

/// The sentence for a code in the viewer's language; English for every language but Chinese. An unknown code is shown
/// as it is: a defect of ours that still tells something.
pub fn message(language: &str, code: &str, label: &str, limit: &str) -> String {
    let text = sentence(code).map(|(chinese, english)| if language.starts_with("zh") { chinese } else { english });
    text.unwrap_or(code).replace("{label}", label).replace("{limit}", limit)
}

fn sentence(code: &str) -> Option<(&'static str, &'static str)> {
    Some(match code {
        "required" => ("请填写{label}", "{label} is required"),
        "unknown_field" => ("没有名为“{label}”的字段", "there is no field `{label}`"),
        "not_writable" => ("{label}不可修改", "{label} cannot be changed"),
        "masked" => ("{label}已脱敏显示，不能写回", "{label} is shown masked and cannot be written back"),
        "computed" => ("{label}由系统生成，不可提交", "{label} is filled in by the system"),
        "read_only" => ("{label}当前为只读", "{label} is read-only"),
        "wrong_type" => ("{label}的值应为{limit}", "{label} must be {limit}"),
        "too_long" => ("{label}不能超过 {limit} 个字符", "{label} may have at most {limit} characters"),
        "too_small" => ("{label}不能小于 {limit}", "{label} must be at least {limit}"),
        "too_large" => ("{label}不能大于 {limit}", "{label} must be at most {limit}"),
        "too_precise" => ("{label}最多 {limit} 位小数", "{label} may have at most {limit} decimal places"),
        "too_many_rows" => ("{label}最多 {limit} 行", "{label} may have at most {limit} rows"),
        "pattern" => ("{label}的格式不正确", "{label} does not have the right format"),
        "email" => ("请填写有效的电子邮箱", "this is not an e-mail address"),
        "phone" => ("请填写有效的电话号码", "this is not a phone number"),
        "unknown_option" => ("{label}中没有选项“{limit}”", "{label} has no option `{limit}`"),
        "transition" => ("{label}不能改为“{limit}”", "{label} cannot become “{limit}” from what it is now"),
        "unknown_row" => ("{label}中没有这一行", "{label} has no such row"),
        "not_found" => ("{label}所选的记录不存在", "the record chosen for {label} does not exist"),
        "not_allowed" => ("{label}不能选择这条记录", "this record cannot be chosen for {label}"),
        "unique" => ("已有相同的{label}", "this {label} exists already"),
        "hidden" => ("您无权查看的内容未通过校验", "something you may not see does not hold"),
        "null_character" => ("{label}含有不允许的字符", "{label} holds a character that is not allowed"),
        "overflow" => ("{label}的计算结果超出范围", "the value computed for {label} is out of range"),
        "lookup_ambiguous" => (
            "“{label}”中有多条记录符合条件，只应有一条",
            "more than one record of {label} matches, and there should be one",
        ),
        "lookup_too_many" => ("“{label}”中符合条件的记录超过 {limit} 条", "more than {limit} records of {label} match"),
        "ragged" => {
            ("这一行的列数与表头不同（{limit}）", "the row has another number of columns than the header ({limit})")
        }
        "encoding" => ("列“{label}”含有不符合 {limit} 编码的字节", "column `{label}` holds bytes that are not {limit}"),
        "not_restorable" => ("原来的值无法恢复，请手工修改", "the former values cannot be restored; change it by hand"),
        "unreadable" => ("这一行无法读取（{limit}）", "the row cannot be read ({limit})"),
        "repeated" => (
            "与第 {limit} 行的编号相同，以先出现的一行为准",
            "the same key stands in line {limit}; the first row counts",
        ),
        "invalid" => ("记录未通过校验", "the record is not valid"),
        "malformed" => ("请求无法识别", "the request cannot be understood"),
        "record_not_found" => ("找不到该记录", "there is no such record"),
        "message_not_found" => ("找不到该消息", "there is no such message"),
        "form_not_found" => ("找不到该表单", "there is no such form"),
        "forbidden" => ("您没有执行此操作的权限", "you may not do this"),
        "append_only" => {
            ("此处的记录只能新增，不能修改或删除", "these entries are only added, never changed or deleted")
        }
        "conflict" => ("记录已被他人修改", "the record has been changed by somebody else"),
        "moved_on" => ("此后又有改动，不能撤销", "it has been changed since: this cannot be undone"),
        "not_undoable" => ("这项改动不能撤销", "this change cannot be undone"),
        "linked" => ("仍有记录引用它，不能删除", "other records still refer to it"),
        "link_broken" => {
            ("仍有记录引用它，或所选记录已不存在", "another record refers to it, or a linked record is gone")
        }
        "task_not_found" => ("找不到该任务", "there is no such task"),
        "task_closed" => ("任务已关闭", "the task is closed"),
        "not_your_task" => ("这不是您的任务", "this is not your task"),
        "already_claimed" => ("任务已被领取", "the task is claimed already"),
        "not_candidate" => ("您不在该任务的候选人之列", "you are no candidate for this task"),
        "not_claimed" => ("任务尚未被领取", "nobody has claimed the task"),
        "direct_task" => ("指派给个人的任务不能放回", "a task given to a person cannot be put back"),
        "unknown_outcome" => ("没有这个办理结果", "the task has no such outcome"),
        "required_missing" => ("还有必填字段未填写", "fields that this outcome needs are empty"),
        "field_not_writable" => ("此任务中不能修改这些字段", "these fields cannot be changed in this task"),
        "instance_suspended" => {
            ("流程已停止，等待管理员处理", "the process stands still and waits for an administrator")
        }
        "to_self" => ("不能转交给自己", "it cannot be given to yourself"),
        "same_target" => ("任务已经在那里", "it is there already"),
        "not_eligible" => ("对方不能办理此任务", "they may not do this task"),
        "target_absent" => ("对方已停用或不存在", "there is no such person or queue, or they are not active"),
        "four_eyes" => ("按四眼原则，您不能办理此任务", "four eyes: somebody else has to do this"),
        "verb_not_allowed" => ("此任务不允许这样操作", "this task does not allow that"),
        "delegated_out" => ("任务已委派他人，办结后再办理", "somebody works on it for you; wait until it comes back"),
        "already_delegated" => ("任务已经委派", "it is delegated already"),
        "not_delegated" => ("任务没有委派给您", "it is not delegated to you"),
        "reason_required" => ("请填写原因", "say why"),
        "return_target_invalid" => ("不能退回到该步骤", "it cannot be returned there"),
        "resume_not_allowed" => ("退回后不能这样继续", "it cannot go on like that after the return"),
        "cc_not_allowed" => ("您不能抄送此任务", "you cannot give others a copy of this task"),
        "cc_limit" => ("抄送人数过多（最多 {limit} 人）", "too many people have a copy (at most {limit})"),
        "remind_too_soon" => {
            ("一小时内已催办过，请 {limit} 分钟后再试", "you reminded them within the hour; try again in {limit} min")
        }
        "nobody_to_remind" => ("任务在您手上，无人可催办", "the task is with you: there is nobody to remind"),
        "not_starter" => ("只有发起人可以撤回", "only whoever started it can take it back"),
        "withdraw_off" => ("该流程不允许撤回", "this process cannot be taken back"),
        "withdraw_too_late" => ("已有人办理，不能撤回", "somebody has decided already; it cannot be taken back"),
        "instance_not_found" => ("找不到该流程实例", "there is no such instance"),
        "instance_runs" => ("该流程实例没有停止", "the instance does not stand still"),
        "jump_target_invalid" => ("不能跳转到该步骤", "it cannot go on at that step"),
        "comment_empty" => ("评论不能为空", "the comment is empty"),
        "comment_not_public" => (
            "此表单的记录没有公开查询页，评论不能公开",
            "nobody follows these records without logging in: a comment is internal",
        ),
        "comment_too_long" => ("评论过长", "the comment is too long"),
        "suggestion_judged" => ("该建议已被采纳或忽略", "somebody has accepted or dismissed this suggestion already"),
        "suggestion_not_found" => ("没有这条建议", "nothing like that is suggested"),
        "workflow_not_found" => ("找不到该流程", "there is no such workflow"),
        "unauthenticated" => ("请先登录", "log in first"),
        _ => return None,
    })
}

/// What a field of that kind wants, for `wrong_type`.
pub(crate) fn wanted(language: &str, kind: &str) -> &'static str {
    let chinese = language.starts_with("zh");
    let pair = match kind {
        "integer" => ("整数", "a whole number"),
        "decimal" | "money" => ("数字", "a number"),
        "boolean" => ("是或否", "true or false"),
        "date" => ("日期，如 2026-01-31", "a date such as 2026-01-31"),
        "datetime" => ("时间，如 2026-01-31T09:00:00+08:00", "an instant such as 2026-01-31T09:00:00+08:00"),
        "link" | "user" => ("一条记录的编号", "the id of a record"),
        "table" => ("行的列表", "a list of rows"),
        _ => ("文本", "text"),
    };
    if chinese { pair.0 } else { pair.1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speaks_both_languages_and_fills_the_places() {
        assert_eq!(message("zh-CN", "too_long", "主题", "140"), "主题不能超过 140 个字符");
        assert_eq!(message("en", "too_long", "Subject", "140"), "Subject may have at most 140 characters");
        assert_eq!(message("de", "required", "Betreff", ""), "Betreff is required");
    }
}
