//! The limits of scripts: one that does not end, grows or reaches outside is stopped.

use formwork_model::script::engine;

#[test]
fn a_script_that_oversteps_is_stopped() {
    for (script, told) in [
        ("let n = 0; loop { n += 1; }", "Too many operations"),
        ("let t = \"x\"; while t.len() < 100000000 { t += t; } t", "Length of string too large"),
        ("let a = [1]; while a.len() < 100000000 { a += a; } a", "Size of array"),
        ("let m = #{}; let n = 0; while n < 20000 { m[`k${n}`] = n; n += 1; } m", "Size of object map"),
        ("fn f(n) { f(n + 1) } f(0)", "Stack overflow"),
        ("eval(\"1\")", "eval"),
    ] {
        let Err(stopped) = engine().eval::<rhai::Dynamic>(script).map_err(|error| error.to_string()) else {
            panic!("`{script}` ends, and says nothing");
        };
        assert!(stopped.contains(told), "`{script}`: {stopped}");
    }
}
