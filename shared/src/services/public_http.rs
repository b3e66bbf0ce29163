//! Protection against server-side request forgery for URLs that come from configuration: they may lead to public addresses
//! only, not into a private network, to this machine, or to a cloud's metadata service. A name can resolve to another
//! address at each connection, so it is checked when connecting.

use std::{
    future::Future,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use crate::domain::public_address::is_public;

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
        ("https", Host::Ipv4(address)) => is_public(address.into()),
        ("https", Host::Ipv6(address)) => is_public(address.into()),
        ("https", Host::Domain(_)) => true,
        _ => false,
    };
    is_fetchable.then_some(url)
}

/// A DNS resolver that fails for a name with any address that isn't public.
#[derive(Clone)]
pub(crate) struct PublicNames<L> {
    lookup: L,
}

impl<L> PublicNames<L> {
    /// Creates a resolver. `lookup` returns all addresses of a name.
    pub(crate) fn new(lookup: L) -> Self {
        Self { lookup }
    }
}

impl<L, F> Resolve for PublicNames<L>
where
    L: Fn(String) -> F + Send + Sync,
    F: Future<Output = io::Result<Vec<IpAddr>>> + Send + 'static,
{
    fn resolve(&self, name: Name) -> Resolving {
        let found = (self.lookup)(name.as_str().to_owned());
        Box::pin(async move {
            let addresses = found.await?;
            if !addresses.iter().copied().all(is_public) {
                return Err(NotPublic.into());
            }
            // With port 0, reqwest uses the URL's port.
            Ok(Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}

/// Resolves a name with the system's resolver.
pub(crate) async fn lookup(name: String) -> io::Result<Vec<IpAddr>> {
    Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
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
            let addresses: Vec<IpAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
            let names = PublicNames::new(move |_| std::future::ready(Ok(addresses.clone())));
            names.resolve("id.example".parse().unwrap()).await.map(Iterator::collect::<Vec<_>>).ok()
        };
        let public = ["8.8.8.8:0".parse().unwrap(), "[2606:4700::1111]:0".parse().unwrap()];
        assert_eq!(resolved(&["8.8.8.8", "2606:4700::1111"]).await, Some(public.to_vec()));
        for other in [["127.0.0.1", "8.8.8.8"], ["8.8.8.8", "169.254.169.254"], ["2606:4700::1111", "fd00:ec2::254"]] {
            assert_eq!(resolved(&other).await, None, "{other:?}");
        }
    }
}
