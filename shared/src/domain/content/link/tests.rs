use super::*;

#[test]
fn public_urls_are_accepted() {
    for link in [
        "https://example.org/a.png",
        "HTTPS://example.org",
        "https://example.org:8443/a?b=c#d",
        "https://bücher.example/ü.pdf",
        "https://8.8.8.8/a",
        "https://100.63.255.255/",
        "https://100.128.0.1/",
        "https://172.32.0.1/",
        "https://[2606:4700::1111]/a",
        "https://[::ffff:8.8.8.8]/",
        "https://internal.example.org/",
    ] {
        assert!(check_public(link).is_ok(), "{link}");
    }
}

#[test]
fn private_or_malformed_urls_are_rejected() {
    for link in [
        "",
        "example.org/a.png",
        "/a.png",
        "https://",
        "https:///a.png",
        "https:example.org",
        "https:\\\\example.org",
        "https://example.org\\@10.0.0.1/",
        " https://example.org",
        "https://exa\nmple.org",
        "https://example.org/a b",
        "http://example.org/a.png",
        "ftp://example.org/a.png",
        "file:///etc/passwd",
        "data:text/plain,hi",
        "https://user@example.org/",
        "https://user:secret@example.org/",
        "https://:secret@example.org/",
        "https://localhost/",
        "https://LOCALHOST./",
        "https://a.localhost/",
        "https://printer/",
        "https://printer.local/",
        "https://metadata.google.internal/",
        "https://0.0.0.0/",
        "https://10.1.2.3/",
        "https://100.64.0.1/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://169.254.169.254/latest/meta-data",
        "https://172.16.0.1/",
        "https://192.168.1.1/",
        "https://192.0.0.1/",
        "https://192.0.2.1/",
        "https://198.18.0.1/",
        "https://224.0.0.1/",
        "https://255.255.255.255/",
        "https://[::]/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::a00:1]/",
        "https://[2002:7f00:1::]/",
        "https://[2001:db8::1]/",
        "https://[fc00::1]/",
        "https://[fd00:ec2::254]/",
        "https://[fe80::1]/",
        "https://[ff02::1]/",
    ] {
        assert!(check_public(link).is_err(), "{link}");
    }
}

#[test]
fn browser_urls_allow_http_and_private_hosts() {
    for link in ["https://example.org", "http://example.org/a?b", "http://192.168.1.1/"] {
        assert!(check_web(link).is_ok(), "{link}");
    }
    for link in
        ["", "example.org", "https://", "http:///a", "tel:+1", "javascript:alert(1)", "https://a b.org", "intent://x"]
    {
        assert!(check_web(link).is_err(), "{link}");
    }
}

#[test]
fn errors_name_the_problem() {
    for (link, expected) in [
        ("https://example.org/a b", "a URL without spaces: write a space as %20"),
        (" https://example.org", "a URL without spaces: write a space as %20"),
        ("https://example.org/a\n", "a URL without line breaks and tabs"),
        ("https://example.org/a\tb", "a URL without line breaks and tabs"),
        ("https://example.org/a\\b", "a URL without the character \\: write it as %5C"),
        ("<https://example.org/a>", "a URL without the character <: write it as %3C"),
        ("https://example.org/\"a\"", "a URL without the character \": write it as %22"),
        ("https://example.org/\u{200b}a", "a URL without the invisible character U+200B"),
        ("\u{feff}https://example.org/", "a URL without the invisible character U+FEFF"),
        ("https://example.org/\u{a0}", "a URL without the invisible character U+00A0"),
        ("https://example.org/\0", "a URL without the invisible character U+0000"),
        ("example.org/a.png", "a URL that starts with https://"),
        ("http://example.org/a.png", "a URL that starts with https://"),
        ("https:///a.png", "a URL that starts with https://"),
        ("https://", "a valid URL, such as https://example.com/a.png"),
        ("https://exa%mple.org/", "a valid URL, such as https://example.com/a.png"),
        ("https://example.org:99999/", "a valid URL, such as https://example.com/a.png"),
        ("https://user@example.org/", "a URL without a user name and password"),
        ("https://localhost/", "a URL with a public host: WhatsApp can't reach hosts in private networks"),
        ("https://10.0.0.1/", "a URL with a public host: WhatsApp can't reach hosts in private networks"),
    ] {
        assert_eq!(check_public(link).unwrap_err(), expected, "{link:?}");
    }
    assert_eq!(check_web("ftp://example.org").unwrap_err(), "a URL that starts with https:// or http://");
}
