//! The limits of scripts: one that does not end, grows or reaches outside is stopped.

use formwork_model::script::engine;

#[test]
fn a_script_that_oversteps_is_stopped() {
    let oversteps = [
        ("let n = 0; while n < 2000000 { n += 1; } n", "Too many operations"),
        ("let t = \"x\"; while t.len() < 1000000 { t += t; } t", "Length of string too large"),
        ("let a = [1]; while a.len() < 100000 { a += a; } a", "Size of array"),
        ("let m = #{}; let n = 0; while n < 20000 { m.set(`k${n}`, n); n += 1; } m", "Size of object map"),
        (
            "let t = \"x\"; while t.len() < 30000 { t += t; } let m = #{}; let n = 0; while n < 2000 { m[`${n}`] = t + n; n += 1; } n",
            "Total of variables",
        ),
        ("fn f(n) { if n == 0 { 0 } else { f(n - 1) } } f(40)", "Stack overflow"),
        ("eval(\"1\")", "eval"),
    ];
    let told = oversteps
        .map(|(script, _)| engine().eval::<rhai::Dynamic>(script).map(|_| "ends").map_err(|error| error.to_string()));
    let wrong: Vec<_> = oversteps
        .iter()
        .zip(told)
        .filter(|((_, expected), told)| !told.as_ref().is_err_and(|told| told.contains(expected)))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
