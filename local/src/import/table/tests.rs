use proptest::prelude::*;
use serde_json::json;

use super::*;

fn rows(input: &[u8], columns: &[&'static str]) -> Result<Vec<Record>, TableError> {
    let mut rows = Vec::new();
    read_from(input, columns, |record| {
        rows.push(record);
        true
    })?;
    Ok(rows)
}

fn record(place: u64, fields: impl Into<Fields>) -> Record {
    Record { place, fields: Ok(fields.into()) }
}

#[test]
fn csv_json_and_json_lines_are_the_same_table() {
    let expected = [
        record(1, [("id", "1"), ("from_me", "true"), ("body", "a, \"b\"\nc")]),
        record(2, [("id", "2"), ("from_me", "false")]),
    ];
    let csv = "\u{feff}id,fromMe,body\r\n1,true,\"a, \"\"b\"\"\nc\"\r\n2,false,\r\n";
    let places = |rows: Vec<Record>| rows.iter().map(|row| row.place).collect::<Vec<_>>();
    let read = rows(csv.as_bytes(), &["id", "from_me"]).unwrap();
    // The first row has two lines.
    assert_eq!(
        read.iter().map(|row| &row.fields).collect::<Vec<_>>(),
        expected.iter().map(|row| &row.fields).collect::<Vec<_>>()
    );
    assert_eq!(places(read), [2, 4]);
    let [first, second] =
        [json!({"id": 1, "from_me": true, "body": "a, \"b\"\nc"}), json!({"id": "2", "fromMe": false, "body": null})];
    let array = format!("\u{feff} \n[{first},\n{second}]\n");
    assert_eq!(rows(array.as_bytes(), &[]).unwrap(), expected);
    let lines = format!("{first}\n{second}\n");
    assert_eq!(rows(lines.as_bytes(), &[]).unwrap(), expected);
    assert_eq!(rows(b"[]", &[]).unwrap(), []);
}

#[test]
fn row_that_cannot_be_read_is_reported_and_the_others_are_read() {
    let csv = b"id,body\r\n1,a\r\n2\r\n3,\xff\r\n\r\n4,d\r\n";
    let reasons: Vec<(u64, Option<String>)> =
        rows(csv, &["id"]).unwrap().into_iter().map(|row| (row.place, row.fields.err())).collect();
    assert_eq!(
        reasons,
        [
            (2, None),
            (3, Some("has 1 fields, but the first line has 2".to_owned())),
            (4, Some("body is not UTF-8".to_owned())),
            (6, None),
        ]
    );
    let read = rows(br#"[1, {"id": "2"}]"#, &[]).unwrap();
    assert_eq!(read, [Record { place: 1, fields: Err("is not an object".to_owned()) }, record(2, [("id", "2")])]);
}

#[test]
fn file_of_another_format_is_an_error() {
    for (input, expected) in [
        (&b""[..], "there is no column id"),
        (b"name,body\n1,2\n", "there is no column id: the first line must name the columns, and it has name, body"),
        (b"[{\"id\": 1}", "EOF"),
        (b"[{\"id\": 1}] x", "trailing characters"),
        (b"{\"id\": 1} {", "EOF"),
    ] {
        let error = rows(input, &["id"]).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn reading_stops_early() {
    for input in [&b"id\n1\n2\n3\n"[..], br#"[{"id":1},{"id":2},{"id":3}]"#, b"{\"id\":1}\n{\"id\":2}\n{\"id\":3}"] {
        let mut count = 0;
        read_from(input, &["id"], |_| {
            count += 1;
            count < 2
        })
        .unwrap();
        assert_eq!(count, 2);
    }
}

proptest! {
    #[test]
    fn any_text_survives_csv_and_json(texts in prop::collection::vec(any::<(String, String)>(), 1..8)) {
        let mut csv = csv::Writer::from_writer(Vec::new());
        csv.write_record(["id", "body", "end"]).unwrap();
        for (id, body) in &texts {
            csv.write_record([id, body, "."]).unwrap();
        }
        let csv = csv.into_inner().unwrap();
        let json = json!(texts.iter().map(|(id, body)| json!({"id": id, "body": body, "end": "."})).collect::<Vec<_>>());
        let expected: Vec<Result<Fields, String>> =
            texts.iter().map(|(id, body)| Ok(Fields::from([("id", id.as_str()), ("body", body), ("end", ".")]))).collect();
        for input in [csv, json.to_string().into_bytes()] {
            let read: Vec<_> = rows(&input, &["id"]).unwrap().into_iter().map(|row| row.fields).collect();
            prop_assert_eq!(&read, &expected);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = rows(&bytes, &[]);
    }
}
