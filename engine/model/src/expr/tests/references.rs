use super::super::walk::forms_hopped;
use super::super::{check, references};
use super::{order, shapes};

#[test]
fn references_name_every_field_read_and_the_frame_they_start_in() {
    let shapes = shapes();
    for (source, expected) in [
        ("amount > 1 and amount < 5", vec!["0 amount"]),
        ("buyer.boss.tier == 'gold'", vec!["0 buyer", "0 buyer.boss", "0 buyer.boss.tier"]),
        ("old.state", vec!["old state"]),
        ("sum(lines, price * outer.rate)", vec!["0 lines", "row price", "0 rate"]),
        ("count(shipments, weight > 1)", vec!["row order", "row weight"]),
        ("when(has_role('lead'), created_at, now)", vec!["0 created_at"]),
    ] {
        let expr = check(source, &order(&shapes), None).unwrap();
        let found: Vec<String> = references(&expr.ir)
            .iter()
            .map(|reference| {
                let root = match (reference.frame, reference.old) {
                    (Some(frame), _) => frame.to_string(),
                    (None, true) => "old".to_owned(),
                    (None, false) => "row".to_owned(),
                };
                let path: Vec<&str> =
                    reference.hops.iter().chain([&reference.field]).map(|field| &*field.key).collect();
                format!("{root} {}", path.join("."))
            })
            .collect();
        assert_eq!(found, expected, "{source}");
    }
}

#[test]
fn forms_hopped_are_those_whose_records_are_needed() {
    let shapes = shapes();
    for (source, expected) in [
        ("buyer == null", vec![]),
        ("buyer.boss.tier == 'gold'", vec!["person"]),
        ("any(shipments, order.buyer.name == 'a')", vec!["shipment", "order", "person"]),
    ] {
        let expr = check(source, &order(&shapes), None).unwrap();
        let found: Vec<String> = forms_hopped(&expr.ir).iter().map(|form| form.to_string()).collect();
        assert_eq!(found, expected, "{source}");
    }
}
