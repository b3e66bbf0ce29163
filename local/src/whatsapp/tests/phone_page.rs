//! The phone page over HTTP, and what other web pages can't do.

use super::*;

#[tokio::test]
async fn the_phone_page_is_served_with_its_files() {
    let simulator = Simulator::start("http://127.0.0.1:9/");
    let get = async |path: &str| simulator.client.get(simulator.url(path)).send().await.unwrap();
    let page = get("/phone").await;
    assert_eq!(
        (page.status(), &page.headers()["content-type"]),
        (StatusCode::OK, &"text/html; charset=utf-8".parse().unwrap())
    );
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    let page = page.text().await.unwrap();
    let (_, rest) = page.split_once("<script type=\"importmap\">").unwrap();
    let (import_map, _) = rest.split_once("</script>").unwrap();
    let hash = ring::digest::digest(&ring::digest::SHA256, import_map.as_bytes());
    let hash = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, hash);
    assert!(policy.starts_with(&format!("default-src 'none'; script-src 'self' 'sha256-{hash}'; ")), "{policy}");
    assert_eq!(get("/phone/").await.text().await.unwrap(), page);

    // Every file that the page or another file names is there.
    let mut names = vec!["app.js".to_owned()];
    let mut seen = 0;
    names.extend(page.split('"').filter_map(|text| text.strip_prefix("/phone/")).map(str::to_owned));
    while let Some(name) = names.get(seen).cloned() {
        seen += 1;
        let file = get(&format!("/phone/{name}")).await;
        assert_eq!(file.status(), 200, "{name}");
        assert_eq!(file.headers()["content-security-policy"], policy);
        assert_eq!(file.headers()["cache-control"], "no-cache");
        assert_eq!(file.headers()["x-content-type-options"], "nosniff");
        assert_eq!(file.headers()["referrer-policy"], "no-referrer");
        let expected = match name.rsplit_once('.').unwrap().1 {
            "css" => "text/css; charset=utf-8",
            "svg" => "image/svg+xml",
            _ => "text/javascript; charset=utf-8",
        };
        assert_eq!(file.headers()["content-type"], expected, "{name}");
        let content = file.text().await.unwrap();
        let imported = content.lines().filter(|line| line.starts_with("import ")).filter_map(|line| {
            let (_, path) = line.split_once("from \"./")?;
            path.strip_suffix("\";").map(str::to_owned)
        });
        names.extend(imported.filter(|name| !names.contains(name)).collect::<Vec<_>>());
    }
    assert!(names.len() > 15, "{names:?}");
    for path in ["/phone/other.js", "/phone/vendor/", "/phone/types.d.ts"] {
        assert_eq!(get(path).await.status(), 404, "{path}");
    }
    let posted = simulator.client.post(simulator.url("/phone")).send().await.unwrap();
    assert_eq!(
        (posted.status(), &posted.headers()["allow"]),
        (StatusCode::METHOD_NOT_ALLOWED, &"GET,HEAD".parse().unwrap())
    );
}

#[tokio::test]
async fn other_web_pages_cannot_use_the_control_api() {
    let simulator = Simulator::start("http://127.0.0.1:9/");
    let own = format!("http://{}", simulator.address);
    let port = simulator.address.port();
    let name = |name: &str| format!("{name}:{port}");
    for (host, origin, expected) in [
        (None, None, 200),
        (None, Some(own.as_str()), 200),
        (None, Some("http://127.0.0.1:8787"), 403),
        (None, Some("https://example.com"), 403),
        (None, Some("null"), 403),
        (Some(name("localhost")), Some(format!("http://localhost:{port}").as_str()), 200),
        (Some(name("simulator")), None, 200),
        (Some(name("[::1]")), None, 200),
        (Some(name("host.docker.internal")), None, 200),
        (Some(name("rebound.example.com")), None, 403),
        (Some(name("rebound.example.com")), Some(format!("http://rebound.example.com:{port}").as_str()), 403),
        (Some(name("127.0.0.1.example.com")), None, 403),
    ] {
        for path in ["/simulator/faults", "/phone"] {
            let mut request = simulator.client.get(simulator.url(path));
            for (header, value) in [("host", host.as_deref()), ("origin", origin)] {
                if let Some(value) = value {
                    request = request.header(header, value);
                }
            }
            assert_eq!(request.send().await.unwrap().status(), expected, "{path} {host:?} {origin:?}");
        }
    }
    // A form of another page needs no preflight.
    let response = simulator
        .client
        .post(simulator.url("/simulator/faults"))
        .header("origin", "https://example.com")
        .header("content-type", "text/plain")
        .body(r#"{"webhooks": {"hold": true}}"#)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 403);
    assert!(response.json::<Value>().await.unwrap()["error"].as_str().unwrap().contains("Origin"));
    assert_eq!(simulator.get("/simulator/faults").await["webhooks"]["hold"], false);
}
