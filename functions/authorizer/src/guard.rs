//! What the authorizer may connect to: the operator says where an identity provider's keys are, and a name says at every
//! connection anew where that is. So it is looked at when connecting, and a name that leads inside of a network, to this
//! machine or to a cloud's metadata service leads nowhere.

use std::{
    future::Future,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use shared::domain::public_address::is_public;
use url::{Host, Url};

/// A name leads to an address that is not on the internet.
#[derive(Debug, thiserror::Error)]
#[error("the name has an address that is not public")]
pub(crate) struct NotPublic;

/// The URL, when it may be fetched: by `https` from the internet, or by `http` from 127.0.0.1, where a local run has its
/// provider. An address that is written out never comes to [`PublicNames`], so it is judged here.
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

/// Resolves names that have public addresses only. One that has another one beside them is refused altogether: no provider
/// has that, and whoever wants to lead us astray does.
#[derive(Clone)]
pub(crate) struct PublicNames<L> {
    lookup: L,
}

impl<L> PublicNames<L> {
    /// `lookup` gives all addresses of a name.
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
            // Port 0 stands for the URL's own.
            Ok(Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}

/// The machine's own way to look up a name.
pub(crate) async fn lookup(name: String) -> io::Result<Vec<IpAddr>> {
    Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_fetched() {
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
    async fn a_name_has_public_addresses_only_or_none() {
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
