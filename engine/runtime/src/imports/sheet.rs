//! A file as a sheet: unpacked, its encoding and delimiter told from its bytes, cut into rows. Nothing is replaced: what
//! cannot be read is refused by line.

use std::borrow::Cow;
use std::collections::HashSet;
use std::io::Read;

use csv::{ByteRecord, ReaderBuilder};
use encoding_rs::{DecoderResult, GB18030};
use flate2::read::GzDecoder;

use formwork_model::pack::material::Encoding;

use super::ImportError;

/// Most bytes of a file once unpacked.
pub(super) const BYTES_MAX: u64 = 512 << 20;
/// Most columns.
const COLUMNS_MAX: usize = 1_000;
/// Characters that part columns, the likeliest first.
pub const DELIMITERS: [u8; 4] = [b',', b'\t', b';', b'|'];
/// Rows looked at to tell the delimiter.
const ROWS_LOOKED_AT: usize = 50;
/// Bytes looked at to tell the delimiter.
const BYTES_LOOKED_AT: usize = 256 << 10;
/// Stands in decoded text for bytes that are of no character: no UTF-8 holds it.
const BROKEN: u8 = 0xFF;
const BOM: &[u8] = b"\xEF\xBB\xBF";

/// How a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Its encoding.
    pub encoding: Encoding,
    /// Between its columns.
    pub delimiter: u8,
}

impl Reading {
    /// How these bytes are most likely to be read, as far as it is not said.
    pub fn of(bytes: &[u8], encoding: Option<Encoding>, delimiter: Option<u8>) -> Self {
        let encoding = encoding.unwrap_or_else(|| encoding_of(bytes));
        let delimiter = delimiter.unwrap_or_else(|| {
            let start = &bytes[..bytes.len().min(BYTES_LOOKED_AT)];
            delimiter_of(&decoded(start, encoding))
        });
        Self { encoding, delimiter }
    }
}

/// The name an encoding is written with.
pub fn encoding_name(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Utf8 => "utf-8",
        Encoding::Gb18030 => "gb18030",
    }
}

/// The encoding of that name.
pub fn encoding_named(name: &str) -> Option<Encoding> {
    match name.to_ascii_lowercase().as_str() {
        "utf-8" | "utf8" => Some(Encoding::Utf8),
        "gb18030" | "gbk" | "gb2312" => Some(Encoding::Gb18030),
        _ => None,
    }
}

/// A gzipped file is unpacked.
pub fn unpacked(file: &[u8]) -> Result<Cow<'_, [u8]>, ImportError> {
    if !file.starts_with(&[0x1F, 0x8B]) {
        return Ok(file.into());
    }
    let mut bytes = Vec::new();
    let read = GzDecoder::new(file).take(BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|error| ImportError::Unreadable(error.to_string()))?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(ImportError::TooLarge(BYTES_MAX >> 20));
    }
    Ok(bytes.into())
}

/// A file that can be cut into rows.
pub struct Sheet<'f> {
    text: Cow<'f, [u8]>,
    reading: Reading,
    /// The names of its columns, each once; one without a name is called by its number.
    pub header: Vec<String>,
}

/// A row of a sheet.
pub(super) struct SheetRow {
    /// Counted from 0.
    pub(super) number: u64,
    /// The line it starts in, counted from 1.
    pub(super) line: u64,
    /// Its cells by column.
    pub(super) cells: Result<Vec<(String, String)>, Unreadable>,
}

/// Why a row cannot be read.
pub(super) struct Unreadable {
    pub(super) code: &'static str,
    pub(super) column: String,
    pub(super) limit: String,
}

impl<'f> Sheet<'f> {
    /// Reads the header.
    pub fn new(bytes: &'f [u8], reading: Reading) -> Result<Self, ImportError> {
        if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"\xD0\xCF\x11\xE0") {
            return Err(ImportError::NoText);
        }
        let is_wide = bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF");
        if is_wide || bytes[..bytes.len().min(BYTES_LOOKED_AT)].contains(&0) {
            return Err(ImportError::NoText);
        }
        let mut sheet = Self { text: decoded(bytes, reading.encoding), reading, header: Vec::new() };
        let mut record = ByteRecord::new();
        let read = sheet.reader().read_byte_record(&mut record);
        if !read.map_err(|error| ImportError::Unreadable(error.to_string()))? {
            return Err(ImportError::Empty);
        }
        if record.len() > COLUMNS_MAX {
            return Err(ImportError::Unreadable(format!("more than {COLUMNS_MAX} columns")));
        }
        let names = record.iter().map(|name| std::str::from_utf8(name).map(str::trim));
        let names: Result<Vec<&str>, _> = names.collect();
        let names = names.map_err(|_| ImportError::BadHeader(encoding_name(reading.encoding)))?;
        let mut taken = HashSet::new();
        for (place, name) in names.into_iter().enumerate() {
            let base = if name.is_empty() { format!("#{}", place + 1) } else { name.to_owned() };
            let again = (2..).map(|count| format!("{base} ({count})"));
            let free = std::iter::once(base.clone()).chain(again).find(|name| taken.insert(name.clone()));
            sheet.header.extend(free);
        }
        Ok(sheet)
    }

    /// How it is read.
    pub fn reading(&self) -> Reading {
        self.reading
    }

    /// How many rows it has.
    pub fn count(&self) -> u64 {
        self.rows().count() as u64
    }

    /// The first rows that can be read, by column.
    pub fn sample(&self, rows: usize) -> Vec<Vec<String>> {
        let readable = self.rows().filter_map(|row| row.cells.ok());
        readable.take(rows).map(|cells| cells.into_iter().map(|(_, cell)| cell).collect()).collect()
    }

    /// The rows below the header, read lazily.
    pub(super) fn rows(&self) -> impl Iterator<Item = SheetRow> + '_ {
        let records = self.reader().into_byte_records().skip(1).enumerate();
        records.map(move |(number, record)| match record {
            Ok(record) => {
                let line = record.position().map_or(0, |position| self.line(position));
                SheetRow { number: number as u64, line, cells: self.cells(&record) }
            }
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                let unreadable = Unreadable { code: "unreadable", column: String::new(), limit: error.to_string() };
                SheetRow { number: number as u64, line, cells: Err(unreadable) }
            }
        })
    }

    fn reader(&self) -> csv::Reader<&[u8]> {
        let mut builder = ReaderBuilder::new();
        builder.has_headers(false).delimiter(self.reading.delimiter).flexible(true).from_reader(self.unmarked())
    }

    fn unmarked(&self) -> &[u8] {
        self.text.strip_prefix(BOM).unwrap_or(&self.text)
    }

    /// The line a row starts in. The reader stands before what is left of the last line's end, and before empty lines.
    fn line(&self, position: &csv::Position) -> u64 {
        let start = usize::try_from(position.byte()).unwrap_or(usize::MAX);
        let before = self.unmarked().get(start..).unwrap_or_default();
        let ends = before.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).filter(|byte| **byte == b'\n');
        position.line() + ends.count() as u64
    }

    fn cells(&self, record: &ByteRecord) -> Result<Vec<(String, String)>, Unreadable> {
        if record.len() != self.header.len() {
            let limit = format!("{} / {}", record.len(), self.header.len());
            return Err(Unreadable { code: "ragged", column: String::new(), limit });
        }
        let cells = self.header.iter().zip(record.iter()).map(|(column, cell)| match std::str::from_utf8(cell) {
            Ok(text) => Ok((column.clone(), text.to_owned())),
            Err(_) => {
                let limit = encoding_name(self.reading.encoding).to_uppercase();
                Err(Unreadable { code: "encoding", column: column.clone(), limit })
            }
        });
        cells.collect()
    }
}

/// A byte order mark decides; else, of the lines that are not plain ASCII, the encoding that makes characters of more of
/// them. Text of the one is next to never valid in the other, so that a few broken lines do not sway it.
fn encoding_of(bytes: &[u8]) -> Encoding {
    if bytes.starts_with(BOM) {
        return Encoding::Utf8;
    }
    let (mut lines, mut utf8, mut gb18030) = (0, 0, 0);
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_ascii()) {
        lines += 1;
        utf8 += usize::from(std::str::from_utf8(line).is_ok());
        gb18030 += usize::from(GB18030.decode_without_bom_handling_and_without_replacement(line).is_some());
    }
    match utf8 * 2 < lines && gb18030 > utf8 {
        true => Encoding::Gb18030,
        false => Encoding::Utf8,
    }
}

/// As UTF-8, with [`BROKEN`] where bytes are of no character.
fn decoded(bytes: &[u8], encoding: Encoding) -> Cow<'_, [u8]> {
    if encoding == Encoding::Utf8 {
        return bytes.into();
    }
    let mut decoder = GB18030.new_decoder_without_bom_handling();
    let mut text = Vec::with_capacity(bytes.len() + bytes.len() / 2);
    let mut buffer = [0; 8 << 10];
    let mut rest = bytes;
    loop {
        let (result, read, written) = decoder.decode_to_utf8_without_replacement(rest, &mut buffer, true);
        text.extend_from_slice(&buffer[..written]);
        rest = &rest[read..];
        match result {
            DecoderResult::InputEmpty => return text.into(),
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(..) => text.push(BROKEN),
        }
    }
}

/// The character that cuts most of the first rows into as many columns as the header has, and into more than one.
fn delimiter_of(text: &[u8]) -> u8 {
    let columns_cut = |delimiter: u8| {
        let mut reader = ReaderBuilder::new().has_headers(false).delimiter(delimiter).flexible(true).from_reader(text);
        let widths: Vec<usize> =
            reader.byte_records().take(ROWS_LOOKED_AT).filter_map(|record| Some(record.ok()?.len())).collect();
        let width = widths.first().copied().unwrap_or_default();
        let alike = widths.iter().filter(|other| **other == width).count();
        if width < 2 { (0, 0) } else { (alike * 100 / widths.len(), width) }
    };
    let best = DELIMITERS.into_iter().rev().max_by_key(|delimiter| columns_cut(*delimiter));
    best.filter(|delimiter| columns_cut(*delimiter) > (0, 0)).unwrap_or(b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gb18030(text: &str) -> Vec<u8> {
        GB18030.encode(text).0.into_owned()
    }

    fn read(bytes: &[u8]) -> (Reading, Vec<(u64, Result<String, &'static str>)>) {
        let reading = Reading::of(bytes, None, None);
        let sheet = Sheet::new(bytes, reading).unwrap_or_else(|error| panic!("{error}"));
        let last = |cells: Vec<(String, String)>| cells.last().map(|(_, cell)| cell.clone()).unwrap_or_default();
        let rows = sheet.rows().map(|row| (row.line, row.cells.map(last).map_err(|bad| bad.code)));
        (reading, rows.collect())
    }

    #[test]
    fn rows_are_told_by_the_line_they_start_in() {
        let (_, rows) = read(b"\xEF\xBB\xBFid,text\n1,\"two\nlines\"\n2\n3,\xFF\n4,last\n");
        let expected =
            [(2, Ok("two\nlines".to_owned())), (4, Err("ragged")), (5, Err("encoding")), (6, Ok("last".to_owned()))];
        assert_eq!(rows, expected);
    }

    #[test]
    fn lines_are_counted_whatever_ends_them() {
        for end in ["\n", "\r\n"] {
            let text = ["id,text", "1,a", "", "2,\"two", "lines\"", "3,b", ""].join(end);
            let lines: Vec<u64> = read(text.as_bytes()).1.into_iter().map(|(line, _)| line).collect();
            assert_eq!(lines, [2, 4, 6], "{end:?}");
        }
    }

    #[test]
    fn the_encoding_is_told_from_the_bytes() {
        let text = "name;city\n王芳;广州\n李强;深圳市\nplain;ascii\n";
        for bytes in [text.as_bytes().to_vec(), gb18030(text), [BOM, text.as_bytes()].concat()] {
            let (reading, rows) = read(&bytes);
            assert_eq!(reading.delimiter, b';');
            assert_eq!(rows[1], (3, Ok("深圳市".to_owned())));
        }
        assert_eq!(encoding_of(&gb18030(text)), Encoding::Gb18030);
        assert_eq!(encoding_of(text.as_bytes()), Encoding::Utf8);
        // One broken line among many of UTF-8 makes no other encoding of it.
        let broken = [text.as_bytes(), b"x;\xE5\xB9\n", text.as_bytes()].concat();
        assert_eq!(encoding_of(&broken), Encoding::Utf8);
        let (_, rows) = read(&broken);
        assert_eq!(rows[3], (5, Err("encoding")));
    }

    #[test]
    fn broken_bytes_of_another_encoding_are_told_and_never_replaced() {
        let mut bytes = gb18030("id,名称\n1,广州\n2,");
        bytes.extend_from_slice(b"\xFF\xFF\n");
        bytes.extend_from_slice(&gb18030("3,深圳\n"));
        let (_, rows) = read(&bytes);
        assert_eq!(rows, [(2, Ok("广州".to_owned())), (3, Err("encoding")), (4, Ok("深圳".to_owned()))]);
    }

    #[test]
    fn the_delimiter_is_told_from_the_rows() {
        let of = |text: &str| delimiter_of(text.as_bytes());
        assert_eq!(of("a,b\n1,2\n"), b',');
        assert_eq!(of("a;b\n\"x, y\";2\n1,5;3\n"), b';');
        assert_eq!(of("a\tb\n1, 2\t3\n"), b'\t');
        assert_eq!(of("a|b|c\n1|2|3\n"), b'|');
        assert_eq!(of("alone\n1\n"), b',');
    }

    #[test]
    fn every_column_has_a_name_of_its_own() {
        let bytes = b"Variant,,Variant\n1,2,3\n";
        let sheet = Sheet::new(bytes, Reading::of(bytes, None, None)).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(sheet.header, ["Variant", "#2", "Variant (2)"]);
    }

    #[test]
    fn what_is_no_text_is_refused_whole() {
        for bytes in [&b"PK\x03\x04xlsx"[..], b"\xFF\xFEa\0", b"a\0b", b""] {
            let reading = Reading { encoding: Encoding::Utf8, delimiter: b',' };
            assert!(Sheet::new(bytes, reading).is_err(), "{bytes:?}");
        }
    }
}
