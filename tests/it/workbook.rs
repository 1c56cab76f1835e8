//! Workbooks of the old and of the open kind, written as other programs write them, or as none would.

use std::io::{Cursor, Write};

use cfb::{CompoundFile, Version};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// A record of an Excel workbook of before 2007.
pub fn record(kind: u16, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).expect("a record has 65,535 bytes at most");
    [&kind.to_le_bytes()[..], &length.to_le_bytes(), data].concat()
}

/// A record about one cell: its row, its column, the number of its format, and what else.
pub fn cell(kind: u16, (row, column): (u16, u16), format: u16, rest: &[u8]) -> Vec<u8> {
    let place = [row, column, format].map(u16::to_le_bytes).concat();
    record(kind, &[place, rest.to_vec()].concat())
}

/// A cell with one of the texts that cells share.
pub fn shared(at: (u16, u16), number: u32) -> Vec<u8> {
    cell(0x00fd, at, 0, &number.to_le_bytes())
}

/// A text in Unicode behind its length in two bytes; where each character fits into one byte, it has one.
pub fn text(text: &str) -> Vec<u8> {
    let units: Vec<u16> = text.encode_utf16().collect();
    let length = u16::try_from(units.len()).expect("a text has 65,535 characters at most").to_le_bytes();
    match units.iter().map(|unit| u8::try_from(*unit)).collect::<Result<Vec<u8>, _>>() {
        Ok(narrow) => [&length[..], &[0], &narrow].concat(),
        Err(_) => [length.to_vec(), vec![1], units.into_iter().flat_map(u16::to_le_bytes).collect()].concat(),
    }
}

/// The record of the texts that cells share, with what goes on in others behind it.
pub fn shared_texts(texts: &[&str]) -> Vec<u8> {
    let count = u32::try_from(texts.len()).expect("some").to_le_bytes();
    let mut records = Vec::new();
    let mut data = [count, count].concat();
    for one in texts.iter().map(|one| text(one)) {
        if data.len() + one.len() > 8_224 {
            records.extend(record(if records.is_empty() { 0x00fc } else { 0x003c }, &data));
            data.clear();
        }
        data.extend(one);
    }
    records.extend(record(if records.is_empty() { 0x00fc } else { 0x003c }, &data));
    records
}

/// The stream of a workbook: what it says of all its sheets, and each sheet's name, kind and records.
pub fn stream(version: u16, globals: &[u8], sheets: &[(&str, u8, Vec<u8>)]) -> Vec<u8> {
    let begin = |of: u16| record(0x0809, &[version, of, 0, 0].map(u16::to_le_bytes).concat());
    let end = record(0x000a, &[]);
    let named = |(name, kind, _): &(&str, u8, Vec<u8>), at: u32| {
        let name = text(name);
        let name = match version {
            0x0500 => [&[name[0]], &name[3..]].concat(),
            _ => [&[name[0]], &name[2..]].concat(),
        };
        record(0x0085, &[&at.to_le_bytes()[..], &[0, *kind], &name].concat())
    };
    let names: usize = sheets.iter().map(|sheet| named(sheet, 0).len()).sum();
    let mut begins = begin(5).len() + globals.len() + names + end.len();
    let (mut head, mut body) = ([begin(5), globals.to_vec()].concat(), Vec::new());
    for sheet in sheets {
        head.extend(named(sheet, u32::try_from(begins).expect("a workbook is small")));
        let whole = [begin(0x10), sheet.2.clone(), end.clone()].concat();
        begins += whole.len();
        body.extend(whole);
    }
    [head, end, body].concat()
}

/// A compound file with one stream.
pub fn compound(name: &str, stream: &[u8]) -> Vec<u8> {
    let mut file =
        CompoundFile::create_with_version(Version::V3, Cursor::new(Vec::new())).expect("memory takes it");
    file.create_stream(name).and_then(|mut open| open.write_all(stream)).expect("memory takes it");
    file.flush().expect("memory takes it");
    file.into_inner().into_inner()
}

/// An .xls with these sheets.
pub fn xls(globals: &[u8], sheets: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let sheets: Vec<(&str, u8, Vec<u8>)> =
        sheets.iter().map(|(name, records)| (*name, 0, records.clone())).collect();
    compound("Workbook", &stream(0x0600, globals, &sheets))
}

/// An archive with these entries, of which the first is stored as it is.
pub fn packed(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (number, (name, content)) in entries.iter().enumerate() {
        let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        let options = if number == 0 { stored } else { SimpleFileOptions::default() };
        archive.start_file(*name, options).expect("memory takes it");
        archive.write_all(content.as_bytes()).expect("memory takes it");
    }
    archive.finish().expect("memory takes it").into_inner()
}

/// An .ods with these tables, in XML.
pub fn ods(tables: &str) -> Vec<u8> {
    let content = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><office:document-content><office:body><office:spreadsheet>\
         {tables}</office:spreadsheet></office:body></office:document-content>"
    );
    let entry = "<manifest:file-entry manifest:full-path=\"content.xml\"/>";
    packed(&[
        ("mimetype", "application/vnd.oasis.opendocument.spreadsheet"),
        ("META-INF/manifest.xml", &format!("<manifest:manifest>{entry}</manifest:manifest>")),
        ("content.xml", &content),
    ])
}
