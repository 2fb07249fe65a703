fn main() {
    for a in std::env::args().skip(1) {
        let t = std::fs::read_to_string(&a).unwrap();
        let f = formwork_model::fmt::format(&t).unwrap();
        if f != t {
            std::fs::write("/tmp/fmt.out", &f).unwrap();
            println!("{a}");
            std::process::Command::new("diff").args([&a, "/tmp/fmt.out"]).status().unwrap();
        }
    }
}
