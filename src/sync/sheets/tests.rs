use calamine::{Data, Ods, Xls};
use rust_xlsxwriter::{ExcelDateTime, Format, Workbook};

use super::*;

#[path = "../../../tests/it/workbook.rs"]
mod workbook;

use workbook::{cell, compound, ods, packed, record, shared, shared_texts, stream, text, xls};

fn text_of(bytes: &[u8]) -> String {
    let written = written(bytes).unwrap();
    assert_eq!(written.lacks, None);
    written.text
}

fn why_not(bytes: &[u8]) -> String {
    let why = written(bytes).unwrap_err();
    why.strip_prefix("the workbook cannot be read: ").expect("it says of what").to_owned()
}

/// What calamine, which holds whole tables, makes of a workbook.
fn by_calamine<'b, R: Reader<Cursor<&'b [u8]>>>(mut book: R) -> String {
    let mut text = Text::default();
    for (name, range) in book.worksheets() {
        let (row, column) = range.start().unwrap_or_default();
        let mut cells = range.used_cells().map(|(down, right, data)| {
            let data = match data.clone() {
                Data::Int(number) => DataRef::Int(number),
                Data::Float(number) => DataRef::Float(number),
                Data::String(text) => DataRef::String(text),
                Data::Bool(yes) => DataRef::Bool(yes),
                Data::DateTime(at) => DataRef::DateTime(at),
                Data::DateTimeIso(at) => DataRef::DateTimeIso(at),
                Data::DurationIso(time) => DataRef::DurationIso(time),
                Data::Error(error) => DataRef::Error(error),
                _ => DataRef::Empty,
            };
            Cell::new((row + u32::try_from(down).unwrap(), column + u32::try_from(right).unwrap()), data)
        });
        text.cells(&name, || Ok::<_, String>(cells.next())).unwrap();
    }
    text.text
}

#[test]
fn each_sheet_is_a_table_under_its_name() {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet().set_name("Rates").unwrap();
    sheet.write(0, 0, "Party").unwrap().write(0, 1, "Rate, net").unwrap();
    sheet.write(4, 0, "Acme \"North\"").unwrap().write(4, 2, 12.5).unwrap();
    let date = Format::new().set_num_format("yyyy-mm-dd");
    let day = ExcelDateTime::from_ymd(2026, 11, 27).unwrap();
    sheet.write_with_format(5, 0, &day, &date).unwrap();
    for (column, (code, days)) in
        [("hh:mm", 0.75), ("[h]:mm", 1.5), ("yyyy-mm-dd hh:mm", 2.25)].iter().enumerate()
    {
        let format = Format::new().set_num_format(*code);
        sheet.write_with_format(6, u16::try_from(column).unwrap(), *days, &format).unwrap();
    }
    book.add_worksheet().set_name("Empty").unwrap();
    book.add_worksheet().set_name("Terms").unwrap().write(0, 0, true).unwrap();
    let expected = "## Rates\n\nParty,\"Rate, net\"\n\"Acme \"\"North\"\"\",,12.5\n2026-11-27\n\
                    18:00:00,36:00:00,1900-01-02 06:00:00\n\n## Terms\n\ntrue";
    assert_eq!(text_of(&book.save_to_buffer().unwrap()), expected);
}

#[test]
fn what_would_become_much_more_than_it_is_comes_to_nothing() {
    let mut packed = zip::ZipWriter::new(Cursor::new(Vec::new()));
    packed.start_file("xl/sharedStrings.xml", zip::write::SimpleFileOptions::default()).unwrap();
    io::copy(&mut io::repeat(b' ').take(MOST_OF_THE_REST + 1), &mut packed).unwrap();
    let bytes = packed.finish().unwrap().into_inner();
    assert!(bytes.len() < 100_000);
    assert_eq!(why_not(&bytes), "what is in it is too large");
    let mut packed = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for part in 0..=MOST_PARTS {
        packed.start_file(part.to_string(), zip::write::SimpleFileOptions::default()).unwrap();
    }
    assert_eq!(why_not(&packed.finish().unwrap().into_inner()), "what is in it is too large");
    assert!(written(b"no workbook").is_err());
}

/// Number formats: none, one of Excel's own for days, and two of the workbook's.
fn formats() -> Vec<u8> {
    let own = |number: u16, code: &str| record(0x041e, &[number.to_le_bytes().to_vec(), text(code)].concat());
    let format_of_cells = |number: u16| record(0x00e0, &[[0, 0], number.to_le_bytes()].concat());
    [
        own(164, "[Red]\"due \"dd\\-mm\\-yyyy;@"),
        own(165, "[hh]:mm"),
        own(166, "#,##0 \"USD per day\""),
        [0, 14, 164, 165, 166].map(format_of_cells).concat(),
    ]
    .concat()
}

const NUMBER: u16 = 0x0203;
const FORMULA: u16 = 0x0006;

#[test]
fn an_old_workbook_is_read_cell_by_cell() {
    let texts = shared_texts(&["Party", "Rate, net", "Müller & Söhne", "价格"]);
    let globals = [record(0x0042, &1200_u16.to_le_bytes()), formats(), texts].concat();
    let number = |at, format, number: f64| cell(NUMBER, at, format, &number.to_le_bytes());
    let formula = |at, result: [u8; 8]| cell(FORMULA, at, 0, &[&result[..], &[0; 8]].concat());
    let rates = [
        [shared((0, 0), 0), shared((0, 1), 1), shared((1, 0), 2), shared((1, 1), 3)].concat(),
        [number((2, 0), 0, 12.5), number((2, 1), 1, 46353.0), number((2, 2), 2, 46353.5)].concat(),
        [number((3, 0), 3, 1.5), number((3, 1), 4, 7.0)].concat(),
        // An integer, a hundredth, and the upper half of a float.
        cell(0x00bd, (4, 1), 0, &[&[42 << 2 | 2, 0, 0, 0, 0, 0][..], &[0xd3, 0x0f, 0, 0, 2, 0]].concat()),
        cell(0x027e, (5, 0), 0, &[0, 0, 0xf0, 0x3f]),
        cell(0x0204, (6, 0), 0, &text("a label")),
        cell(0x0205, (6, 1), 0, &[1, 0]),
        cell(0x0205, (6, 2), 0, &[0x07, 1]),
        formula((7, 0), 3.25_f64.to_le_bytes()),
        formula((7, 1), [1, 0, 1, 0, 0, 0, 0xff, 0xff]),
        formula((7, 2), [2, 0, 0x2a, 0, 0, 0, 0xff, 0xff]),
        formula((7, 3), [0, 0, 0, 0, 0, 0, 0xff, 0xff]),
        // The formula that others share stands between one of them and its text.
        record(0x04bc, &[0; 8]),
        record(0x0207, &text("by formula")),
        // A chart on the sheet has numbers of its own.
        record(0x0809, &[0, 6, 0x20, 0]),
        number((0, 0), 0, 999.0),
        record(0x000a, &[]),
        number((9, 0), 0, -0.5),
    ]
    .concat();
    let bytes = xls(&globals, &[("Rates", rates), ("Empty", Vec::new()), ("Ünicode 价", shared((0, 0), 3))]);
    let expected = "## Rates\n\nParty,\"Rate, net\"\nMüller & Söhne,价格\n12.5,2026-11-27,2026-11-27 12:00:00\n\
                    36:00:00,7\n,42,10.12\n1\na label,true,#DIV/0!\n3.25,true,#N/A,by formula\n-0.5\n\n\
                    ## Ünicode 价\n\n价格";
    assert_eq!(text_of(&bytes), expected);
    assert_eq!(by_calamine(Xls::new(Cursor::new(bytes.as_slice())).unwrap()), expected);
}

#[test]
fn a_workbook_of_before_unicode_is_read_in_its_code_page() {
    let name = [5, 0, b'M', 0xfc, b'l', b'l', b'e'];
    let sheet = [cell(0x0204, (0, 0), 0, &name), cell(0x0204, (0, 1), 0, &[2, 0, 0xc4, 0xe4])].concat();
    for (page, expected) in [(1252_u16, "Mülle,Ää"), (1251, "Mьlle,Дд"), (437, "Mülle,Ää")] {
        let globals = record(0x0042, &page.to_le_bytes());
        let stream = stream(0x0500, &globals, &[("S", 0, sheet.clone()), ("Chart", 2, sheet.clone())]);
        assert_eq!(text_of(&compound("Book", &stream)), format!("## S\n\n{expected}"));
    }
    let before = stream(0x0400, &[], &[]);
    assert_eq!(why_not(&compound("Book", &before)), "it is of a version before Excel 5");
}

/// A text may go on in the record behind its own, in characters of another width; so do its fonts and how it is pronounced.
#[test]
fn shared_texts_go_on_in_records_behind_theirs() {
    let first = [&[3, 0, 0, 0, 3, 0, 0, 0][..], &[4, 0, 0x0c, 1, 0, 6, 0, 0, 0], b"ab"].concat();
    let second = [&[1, 0xe4, 0, 0x16, 0x4e][..], &[9, 9]].concat();
    let third = [&[9, 9][..], &[7; 6], &[1, 0, 0], b"x", &[2, 0, 0]].concat();
    let fourth = [&[0][..], b"yz"].concat();
    let texts =
        [record(0x00fc, &first), record(0x003c, &second), record(0x003c, &third), record(0x003c, &fourth)]
            .concat();
    let sheet = [shared((0, 0), 0), shared((0, 1), 1), shared((0, 2), 2)].concat();
    let bytes = xls(&texts, &[("S", sheet)]);
    assert_eq!(text_of(&bytes), "## S\n\nabä世,x,yz");
    assert_eq!(by_calamine(Xls::new(Cursor::new(bytes.as_slice())).unwrap()), text_of(&bytes));
    assert_eq!(why_not(&xls(&texts, &[("S", shared((0, 0), 3))])), "it is damaged");
}

#[test]
fn what_cannot_be_read_is_said_in_words() {
    let encrypted = record(0x002f, &[1, 0, 1, 0]);
    assert_eq!(why_not(&xls(&encrypted, &[("S", Vec::new())])), "it is encrypted with a password");
    // A workbook of today with a password, whatever its name says.
    assert_eq!(why_not(&compound("EncryptedPackage", b"\0")), "it is encrypted with a password");
    assert_eq!(why_not(&compound("WordDocument", b"\0")), "there is no workbook in it");
    let manifest = "<manifest:file-entry><manifest:encryption-data/></manifest:file-entry>";
    let sealed = packed(&[("META-INF/manifest.xml", manifest), ("encrypted-package", "\u{1}")]);
    assert_eq!(why_not(&sealed), "it is encrypted with a password");
    assert_eq!(
        why_not(b"<html>"),
        "what is in it is neither a workbook of Excel nor an OpenDocument spreadsheet"
    );
    let whole = xls(&[], &[("S", shared_texts(&["a"]))]);
    assert_eq!(why_not(&whole[..600]), "its container is damaged: failed to fill whole buffer");
    assert!(why_not(&[xls::MARK, &[0; 600]].concat()).contains("damaged"));
}

const ROWS: &str = r#"
<table:tracked-changes><table:cell-content-change><text:p>was</text:p></table:cell-content-change></table:tracked-changes>
<table:table table:name="Rates &amp; more"><table:table-column table:number-columns-repeated="16384"/>
<table:table-header-rows><table:table-row>
 <table:table-cell office:value-type="string"><text:p>Party</text:p></table:table-cell>
 <table:table-cell office:value-type="string"><text:p>Rate,<text:s text:c="2"/>net</text:p><text:p>in <text:span>EUR</text:span></text:p>
  <office:annotation><text:p>not this</text:p></office:annotation></table:table-cell>
</table:table-row></table:table-header-rows>
<table:table-row table:number-rows-repeated="3"><table:table-cell table:number-columns-repeated="1024"/></table:table-row>
<table:table-row table:number-rows-repeated="2">
 <table:table-cell table:number-columns-repeated="2" office:value-type="float" office:value="12.5"><text:p>12,5</text:p></table:table-cell>
 <table:table-cell/>
 <table:table-cell office:value-type="percentage" office:value="0.19"><text:p>19%</text:p></table:table-cell>
 <table:table-cell table:number-columns-repeated="16380"/>
</table:table-row>
<table:table-row>
 <table:table-cell office:value-type="date" office:date-value="2026-11-27T10:30:00"><text:p>27.11.</text:p></table:table-cell>
 <table:covered-table-cell/>
 <table:table-cell office:value-type="time" office:time-value="PT10H30M00S"><text:p>10:30</text:p></table:table-cell>
 <table:table-cell office:value-type="boolean" office:boolean-value="true"><text:p>WAHR</text:p></table:table-cell>
 <table:table-cell office:value-type="string" office:string-value="" calcext:value-type="error"><text:p>#DIV/0!</text:p></table:table-cell>
 <table:table-cell office:value-type="string"><text:p>M&#xfc;ller &amp; S&ouml;hne<draw:frame><text:p>a drawing</text:p></draw:frame></text:p></table:table-cell>
</table:table-row>
<table:table-row table:number-rows-repeated="1048568"><table:table-cell table:number-columns-repeated="16384"/></table:table-row>
</table:table>
<table:table table:name="Empty"/>
<table:table table:name="'file:///home/somebody/other.ods'#$Sheet1"><table:table-row>
 <table:table-cell office:value-type="float" office:value="1"/></table:table-row></table:table>
<table:table table:name="Terms"><table:table-row>
 <table:table-cell office:value-type="string" office:string-value="said"><text:p>shown</text:p></table:table-cell>
</table:table-row></table:table>"#;

#[test]
fn an_open_workbook_is_read_cell_by_cell() {
    let expected = "## Rates & more\n\nParty,\"Rate,  net\nin EUR\"\n12.5,12.5,,0.19\n12.5,12.5,,0.19\n\
                    2026-11-27 10:30:00,,10:30,true,#DIV/0!,Müller & Shne\n\n## Terms\n\nsaid";
    assert_eq!(text_of(&ods(ROWS)), expected);
}

#[test]
fn an_open_workbook_is_read_as_calamine_reads_it() {
    let row = r#"<table:table-row><table:table-cell office:value-type="string"><text:p>A &lt; B</text:p></table:table-cell>
      <table:table-cell table:number-columns-repeated="2"/><table:table-cell table:number-columns-repeated="3"
      office:value-type="float" office:value="7"><text:p>7</text:p></table:table-cell></table:table-row>"#
        .replace("\n      ", " ")
        .replace("> <", "><");
    let many = row.replacen("<table:table-row>", "<table:table-row table:number-rows-repeated=\"4\">", 1);
    let bytes = ods(&format!("<table:table table:name=\"S\">{row}{many}{row}</table:table>"));
    assert_eq!(text_of(&bytes), by_calamine(Ods::new(Cursor::new(bytes.as_slice())).unwrap()));
}

/// What one cell of a small file is said to be, so often that no memory would hold it.
#[test]
fn what_is_said_to_repeat_is_written_as_long_as_there_is_room() {
    let most = usize::try_from(WHOLE_AT_MOST).unwrap();
    let cut = |bytes: &[u8]| {
        let Written { text, lacks } = written(bytes).unwrap();
        assert!(text.len() < most);
        (text, lacks.is_some())
    };
    let one = |row: &str, cell: &str, content: &str| {
        ods(&format!(
            "<table:table table:name=\"S\"><table:table-row {row}><table:table-cell {cell} \
             office:value-type=\"string\"><text:p>{content}</text:p></table:table-cell></table:table-row></table:table>"
        ))
    };
    let rows = "table:number-rows-repeated=\"4294967295\"";
    let columns = "table:number-columns-repeated=\"4294967295\"";
    for (row, cell, begin) in
        [(rows, "", "## S\n\nx\nx\n"), ("", columns, "## S\n\nx,x,"), (rows, columns, "## S\n\nx,x,")]
    {
        let (text, is_cut) = cut(&one(row, cell, "x"));
        assert!(is_cut && text.len() > most - 3 && text.starts_with(begin));
    }
    assert_eq!(cut(&one(rows, columns, "")), (String::new(), false));
    assert_eq!(cut(&one("", "", "<text:s text:c=\"4294967295\"/>x")), (String::new(), true));
    // A text of 8,000 characters in each of many cells, and one cell far from the others.
    let long = "x".repeat(8_000);
    let sheet: Vec<u8> = (0..5_000).flat_map(|row| shared((row, 0), 0)).collect();
    let (text, is_cut) = cut(&xls(&shared_texts(&[&long]), &[("S", sheet)]));
    assert!(is_cut && text.len() > most - 10_000);
    let far = [shared((0, 0), 0), shared((65_535, 255), 0)].concat();
    assert_eq!(text_of(&xls(&shared_texts(&["x"]), &[("S", far)])).len(), "## S\n\nx\n".len() + 256);
}

#[test]
fn what_a_record_says_of_itself_is_believed_as_far_as_there_are_bytes() {
    // Counts and lengths of four thousand million, rows and columns that Excel has not, and an area of all that is.
    let far = [&[0xff; 8][..], &text("x")].concat();
    let area = record(0x0200, &[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0xff, 0xff, 0, 0]);
    let sheet = [area, shared((65_535, 65_535), 0)].concat();
    let text = text_of(&xls(&record(0x00fc, &far), &[("S", sheet)]));
    assert_eq!(text.len(), "## S\n\nx".len() + 65_535);
    let endless = [&[1, 0, 0, 0, 1, 0, 0, 0][..], &[1, 0, 4, 0xff, 0xff, 0xff, 0xff, b'x']].concat();
    assert_eq!(why_not(&xls(&record(0x00fc, &endless), &[])), "it is damaged");
    let cut = &stream(0x0600, &[], &[("S", 0, Vec::new())])[..40];
    assert_eq!(why_not(&compound("Workbook", cut)), "it ends too early");
    let nowhere = record(0x0085, &[0xff, 0xff, 0xff, 0x7f, 0, 0, 1, 0, b'S']);
    assert_eq!(why_not(&xls(&nowhere, &[])), "it is damaged");
    for short in [0x0203, 0x027e, 0x00bd, 0x00fd, 0x0204, 0x0205, 0x0006] {
        for length in 1..8 {
            let _ = written(&xls(&[], &[("S", record(short, &vec![0; length]))]));
        }
    }
}

/// Many sheets that claim one part of the workbook would each read it again.
#[test]
fn no_part_of_a_workbook_is_read_for_many_sheets() {
    let count = 10_000;
    let head = record(0x0809, &[0, 6, 5, 0, 0, 0, 0, 0]);
    let named = record(0x0085, &[0; 9]).len();
    let at = u32::try_from(head.len() + count * named + 4).unwrap().to_le_bytes();
    let names = record(0x0085, &[&at[..], &[0, 0, 1, 0, b'S']].concat()).repeat(count);
    let sheet =
        [record(0x0809, &[0, 6, 16, 0, 0, 0, 0, 0]), record(0x0201, &[0; 6]).repeat(100_000)].concat();
    let stream = [head, names, record(0x000a, &[]), sheet, record(0x000a, &[])].concat();
    assert_eq!(why_not(&compound("Workbook", &stream)), "it is damaged");
}

#[test]
fn a_list_of_sectors_that_is_longer_than_the_file_needs_is_not_read() {
    let whole = xls(&[], &[("S", cell(NUMBER, (0, 0), 0, &1.0_f64.to_le_bytes()))]);
    assert_eq!(text_of(&whole), "## S\n\n1");
    let sectors = u32::try_from(whole.len() / 512 - 1).unwrap();
    let list = |next: u32| [vec![0; 508], next.to_le_bytes().to_vec()].concat();
    let mut long = [whole, list(sectors + 1), list(0xffff_fffe)].concat();
    long[68..72].copy_from_slice(&sectors.to_le_bytes());
    assert_eq!(why_not(&long), "it is damaged");
}

#[test]
fn an_open_workbook_that_is_no_whole_tree_is_refused() {
    let table = "<table:table table:name=\"S\"><table:table-row>";
    let deep = |depth| "<text:span>".repeat(depth);
    for (inner, why) in [
        (format!("{table}{}", deep(100)), "its elements are in one another too deep"),
        (format!("{table}</table:table>"), "its content is no XML"),
        (format!("{table}<table:table-cell a='&nobody;' office:value-type"), "its content is no XML"),
        (format!("<!--{}-->", " ".repeat(2_000_000)), "what is in it is too large"),
        (" ".repeat(1_500_000), "what is in it is too large"),
    ] {
        assert_eq!(why_not(&ods(&inner)), why);
    }
    let cut = packed(&[("mimetype", ""), ("content.xml", "<office:spreadsheet><office:annotation>")]);
    assert_eq!(why_not(&cut), "it ends too early");
}

/// No program writes cells that are not in order; what is written keeps them apart.
#[test]
fn cells_that_are_not_in_order_have_lines_of_their_own() {
    let number = |column, number: f64| cell(NUMBER, (0, column), 0, &number.to_le_bytes());
    let sheet = [number(2, 1.0), number(2, 2.0), number(0, 3.0), number(1, 4.0)].concat();
    assert_eq!(text_of(&xls(&[], &[("S", sheet)])), "## S\n\n,,1\n,,2\n3,4");
}
