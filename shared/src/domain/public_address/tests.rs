use proptest::prelude::*;

use super::*;

/// The first and last address of each range.
const NOT_PUBLIC_V4: [(&str, &str); 15] = [
    ("0.0.0.0", "0.255.255.255"),
    ("10.0.0.0", "10.255.255.255"),
    ("100.64.0.0", "100.127.255.255"),
    ("127.0.0.0", "127.255.255.255"),
    ("169.254.0.0", "169.254.255.255"),
    ("172.16.0.0", "172.31.255.255"),
    ("192.0.0.0", "192.0.0.255"),
    ("192.0.2.0", "192.0.2.255"),
    ("192.88.99.0", "192.88.99.255"),
    ("192.168.0.0", "192.168.255.255"),
    ("198.18.0.0", "198.19.255.255"),
    ("198.51.100.0", "198.51.100.255"),
    ("203.0.113.0", "203.0.113.255"),
    ("224.0.0.0", "239.255.255.255"),
    ("240.0.0.0", "255.255.255.255"),
];

fn is_special_purpose(address: Ipv4Addr) -> bool {
    let ranges = NOT_PUBLIC_V4.iter().map(|(first, last)| (first.parse().unwrap(), last.parse().unwrap()));
    ranges.into_iter().any(|(first, last): (Ipv4Addr, Ipv4Addr)| (first..=last).contains(&address))
}

fn read(address: &str) -> bool {
    is_public(address.parse().unwrap())
}

#[test]
fn ipv4_range_boundaries_are_exact() {
    for (first, last) in NOT_PUBLIC_V4 {
        let (first, last) = (u32::from(first.parse::<Ipv4Addr>().unwrap()), last.parse::<Ipv4Addr>().unwrap());
        for inside in [first.into(), last] {
            assert!(!is_public_v4(inside), "{inside}");
        }
        for outside in [first.checked_sub(1), u32::from(last).checked_add(1)].into_iter().flatten() {
            let outside = outside.into();
            assert_eq!(is_public_v4(outside), !is_special_purpose(outside), "{outside}");
        }
    }
}

#[test]
fn ipv6_addresses_are_classified() {
    for public in ["2606:4700::1111", "2001:200::1", "2a05:d018::1", "3ffe:ffff::1", "64:ff9b::8.8.8.8"] {
        assert!(read(public), "{public}");
    }
    for other in [
        "::",
        "::1",
        "::8.8.8.8",
        "::ffff:0:8.8.8.8",
        "64:ff9b::169.254.169.254",
        "64:ff9b:1::8.8.8.8",
        "64:ff9b::1:0:808:808",
        "100::1",
        "2001::1",
        "2001:1ff::1",
        "2001:db8::1",
        "3fff::1",
        "3fff:fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ] {
        assert!(!read(other), "{other}");
    }
}

proptest! {
    #[test]
    fn embedded_ipv4_address_decides(bits in any::<u32>(), network in any::<u16>(), host in any::<u64>()) {
        let address = Ipv4Addr::from(bits);
        let public = !is_special_purpose(address);
        prop_assert_eq!(is_public(address.into()), public);
        prop_assert_eq!(is_public(address.to_ipv6_mapped().into()), public);
        let [high, low] = [(bits >> 16) as u16, bits as u16];
        prop_assert_eq!(is_public(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low).into()), public);
        let [a, b, c, d] = [48, 32, 16, 0].map(|shift| (host >> shift) as u16);
        prop_assert_eq!(is_public(Ipv6Addr::new(0x2002, high, low, network, a, b, c, d).into()), public);
    }

    #[test]
    fn only_global_unicast_is_public(bits in any::<u128>()) {
        let address = Ipv6Addr::from(bits);
        let [first, second, ..] = address.segments();
        let embeds_ipv4 = (first, second) == (0x64, 0xff9b) || address.to_ipv4_mapped().is_some();
        prop_assert!(!is_public(address.into()) || embeds_ipv4 || (0x2000..0x4000).contains(&first));
    }
}
