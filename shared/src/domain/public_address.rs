//! Classification of IP addresses as public or not, to prevent requests into private networks and cloud metadata
//! services.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::Host;

/// Returns whether `address` is a unicast address that is reachable over the internet. The addresses of cloud metadata
/// services are not: they are link-local (169.254.169.254) or unique local (fd00:ec2::254).
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// Returns whether the host of a URL is a name or a public address. The addresses of a name are checked when connecting.
pub fn is_public_host(host: &Host<&str>) -> bool {
    match *host {
        Host::Ipv4(address) => is_public(address.into()),
        Host::Ipv6(address) => is_public(address.into()),
        Host::Domain(_) => true,
    }
}

/// IANA, *IPv4 Special-Purpose Address Registry*.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_shared = a == 100 && (64..128).contains(&b);
    let is_protocol = (a, b, c) == (192, 0, 0);
    let is_relay = (a, b, c) == (192, 88, 99);
    let is_benchmark = a == 198 && (18..20).contains(&b);
    let is_multicast_or_reserved = a >= 224;
    !(a == 0
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || is_shared
        || is_protocol
        || is_relay
        || is_benchmark
        || is_multicast_or_reserved)
}

/// IANA, *IPv6 Special-Purpose Address Registry*. Only 2000::/3 is allocated as global unicast. 6to4 addresses
/// (2002::/16) contain an IPv4 address, as do IPv4-mapped and NAT64 addresses outside 2000::/3. Teredo addresses do
/// too, but are part of the protocol assignments (2001::/23), which are not public.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, y, z] = address.segments();
    let is_protocol = a == 0x2001 && b < 0x200;
    let is_documentation = (a, b) == (0x2001, 0xdb8) || (a == 0x3fff && b < 0x1000);
    match (a, b) {
        (0x2002, _) => is_public_v4(v4(b, c)),
        (0x64, 0xff9b) if [c, d, e, f] == [0; 4] => is_public_v4(v4(y, z)),
        _ if address.to_ipv4_mapped().is_some() => is_public_v4(v4(y, z)),
        _ => a & 0xe000 == 0x2000 && !is_protocol && !is_documentation,
    }
}

fn v4(high: u16, low: u16) -> Ipv4Addr {
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    Ipv4Addr::new(a, b, c, d)
}

#[cfg(test)]
mod tests;
