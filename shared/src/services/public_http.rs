//! Protection against server-side request forgery for URLs that come from configuration: they may lead to public addresses
//! only, not into a private network, to this machine, or to a cloud's metadata service. A name can resolve to another
//! address at each connection, so it is checked when connecting.

use std::net::Ipv4Addr;

use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns, ResolveDnsError};
use url::{Host, Url};

use crate::domain::public_address::{is_public, is_public_host};

/// A name resolves to an address that isn't public.
#[derive(Debug, thiserror::Error)]
#[error("the name has an address that is not public")]
pub(crate) struct NotPublic;

/// Parses a URL that may be fetched: `https` with a name or a public address, or `http` with 127.0.0.1, for a local run.
/// An IP address in a URL isn't resolved by [`PublicNames`], so it is checked here.
pub(crate) fn fetchable(url: &str) -> Option<Url> {
    let url = Url::parse(url).ok()?;
    let is_fetchable = match (url.scheme(), url.host()?) {
        ("http", Host::Ipv4(address)) => address == Ipv4Addr::LOCALHOST,
        ("https", host) => is_public_host(&host),
        _ => false,
    };
    is_fetchable.then_some(url)
}

/// A DNS resolver that fails for a name with any address that isn't public.
#[derive(Clone, Debug)]
pub(crate) struct PublicNames<R>(pub(crate) R);

impl<R: ResolveDns> ResolveDns for PublicNames<R> {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        DnsFuture::new(async {
            let addresses = self.0.resolve_dns(name).await?;
            let all_public = addresses.iter().copied().all(is_public);
            all_public.then_some(addresses).ok_or(ResolveDnsError::new(NotPublic))
        })
    }
}

/// The system's DNS resolver.
#[derive(Clone, Debug)]
pub(crate) struct SystemResolver;

impl ResolveDns for SystemResolver {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        DnsFuture::new(async move {
            let addresses = tokio::net::lookup_host((name, 0)).await.map_err(ResolveDnsError::new)?;
            Ok(addresses.map(|address| address.ip()).collect())
        })
    }
}

/// A DNS resolver that finds the same addresses for every name.
#[cfg(test)]
#[derive(Clone, Debug)]
pub(crate) struct FixedResolver(pub(crate) Vec<std::net::IpAddr>);

#[cfg(test)]
impl ResolveDns for FixedResolver {
    fn resolve_dns<'a>(&'a self, _name: &'a str) -> DnsFuture<'a> {
        DnsFuture::ready(Ok(self.0.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_https_and_local_http_may_be_fetched() {
        for url in [
            "https://id.example/.well-known/jwks.json",
            "https://id.example:8443/keys",
            "https://8.8.8.8/keys",
            "https://[2606:4700::1111]/keys",
            "http://127.0.0.1:8080/keys",
        ] {
            assert!(fetchable(url).is_some(), "{url}");
        }
        for url in [
            "",
            "/keys",
            "file:///etc/passwd",
            "http://id.example/keys",
            "http://127.0.0.1:80@id.example/keys",
            "http://127.0.0.2:8080/keys",
            "http://[::1]:8080/keys",
            "http://localhost:8080/keys",
            "http://8.8.8.8/keys",
            "https://127.0.0.1/keys",
            "https://2130706433/keys",
            "https://10.0.0.1/keys",
            "https://169.254.169.254/latest/meta-data",
            "https://[::1]/keys",
            "https://[fd00:ec2::254]/latest/meta-data",
            "https://[::ffff:169.254.169.254]/keys",
        ] {
            assert!(fetchable(url).is_none(), "{url}");
        }
    }

    #[tokio::test]
    async fn a_name_with_an_address_that_is_not_public_is_refused() {
        let resolved = async |addresses: &[&str]| {
            let names = PublicNames(FixedResolver(addresses.iter().map(|address| address.parse().unwrap()).collect()));
            names.resolve_dns("id.example").await.ok()
        };
        let public = ["8.8.8.8".parse().unwrap(), "2606:4700::1111".parse().unwrap()];
        assert_eq!(resolved(&["8.8.8.8", "2606:4700::1111"]).await, Some(public.to_vec()));
        for other in [["127.0.0.1", "8.8.8.8"], ["8.8.8.8", "169.254.169.254"], ["2606:4700::1111", "fd00:ec2::254"]] {
            assert_eq!(resolved(&other).await, None, "{other:?}");
        }
    }
}
