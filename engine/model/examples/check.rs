use std::path::Path;
fn add(root: &Path, dir: &Path, map: &mut formwork_model::SourceMap) {
    for e in std::fs::read_dir(dir).unwrap() {
        let p = e.unwrap().path();
        if p.is_dir() {
            add(root, &p, map)
        } else if let Ok(t) = std::fs::read_to_string(&p) {
            map.insert(p.strip_prefix(root).unwrap().to_str().unwrap().to_string(), t);
        }
    }
}
fn main() {
    let a = std::env::args().nth(1).unwrap();
    let root = Path::new(&a);
    let mut map = formwork_model::SourceMap::new();
    add(root, root, &mut map);
    let t = std::time::Instant::now();
    let (pack, d) = formwork_model::compile("x", &map);
    eprintln!("{:?}", t.elapsed());
    print!("{}", formwork_model::diagnostic::render(&d, &map));
    println!("pack: {}", pack.is_some());
}
