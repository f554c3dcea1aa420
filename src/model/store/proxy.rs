//! Which proxy leads to a host, as the environment says.

use ureq::Proxy;
use ureq::http::Uri;

/// The proxy for `place`, as curl and Python choose it: by scheme, unless `NO_PROXY` has the host.
///
/// # Errors
/// A sentence without the proxy's address, which can hold a password.
pub fn proxy_for(
    place: &Uri,
    variable: &dyn Fn(&str) -> Option<String>,
) -> std::result::Result<Option<Proxy>, String> {
    let either = |name: &str| {
        variable(&name.to_ascii_lowercase())
            .or_else(|| variable(&name.to_ascii_uppercase()))
            .filter(|value| !value.trim().is_empty())
    };
    let name = match place.scheme_str() {
        Some("https") => "HTTPS_PROXY",
        _ => "HTTP_PROXY",
    };
    let Some(proxy) = either(name).or_else(|| either("ALL_PROXY")) else {
        return Ok(None);
    };
    if either("NO_PROXY").is_some_and(|list| list.split(',').any(|entry| excludes(entry, place))) {
        return Ok(None);
    }
    Proxy::new(proxy.trim()).map(Some).map_err(|_| {
        format!(
            "Expected a proxy address like http://host:port for {name} or ALL_PROXY, but it is something else"
        )
    })
}

/// Whether an entry of `NO_PROXY` has the host of `place`: the host itself, or a domain above it.
fn excludes(entry: &str, place: &Uri) -> bool {
    let host = place
        .host()
        .unwrap_or_default()
        .trim_matches(['[', ']'])
        .to_ascii_lowercase();
    let entry = entry.trim().to_ascii_lowercase();
    let (name, port) = match entry.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') => (name, port.parse::<u16>().ok()),
        _ => (entry.as_str(), None),
    };
    if port.is_some() && port != place.port_u16() {
        return false;
    }
    let name = name
        .trim_matches(['[', ']'])
        .trim_start_matches('*')
        .trim_start_matches('.');
    if name.is_empty() {
        return entry.starts_with('*');
    }
    host == name || host.strip_suffix(name).is_some_and(|above| above.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri {
        text.parse().unwrap()
    }

    #[test]
    fn a_proxy_is_chosen_by_scheme_and_left_out_for_excluded_hosts() {
        let variable = |name: &str| match name {
            "https_proxy" => Some("http://secure:1".to_owned()),
            "HTTP_PROXY" => Some("http://user:pass@plain:2".to_owned()),
            "NO_PROXY" => Some("localhost, .internal.test,hub.test:81,[::1]".to_owned()),
            _ => None,
        };
        let chosen = |place: &str| {
            let proxy = proxy_for(&uri(place), &variable).unwrap();
            proxy.map(|proxy| format!("{}:{}", proxy.host(), proxy.port()))
        };
        assert_eq!(chosen("https://huggingface.co/x").as_deref(), Some("secure:1"));
        assert_eq!(chosen("http://huggingface.co/x").as_deref(), Some("plain:2"));
        for excluded in [
            "http://localhost:5/x",
            "https://a.internal.test",
            "https://internal.test",
            "http://hub.test:81",
            "http://[::1]:9/",
        ] {
            assert_eq!(chosen(excluded), None, "{excluded}");
        }
        assert!(chosen("https://notinternal.test").is_some());
        assert!(chosen("http://hub.test:82").is_some());

        let star = |name: &str| match name {
            "ALL_PROXY" => Some("http://any:3".to_owned()),
            "no_proxy" => Some("*".to_owned()),
            _ => None,
        };
        assert!(proxy_for(&uri("https://hub.test"), &star).unwrap().is_none());
        let bad = |name: &str| (name == "ALL_PROXY").then(|| "ftp://user:secret@x".to_owned());
        let refused = proxy_for(&uri("https://hub.test"), &bad).unwrap_err();
        assert!(!refused.contains("secret"), "{refused}");
    }
}
