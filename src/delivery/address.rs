//! Decides which IP addresses a destination may have.
//!
//! Sources: <https://www.iana.org/assignments/iana-ipv4-special-registry>,
//! <https://www.iana.org/assignments/iana-ipv6-special-registry>.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::config::DestinationAddresses;

/// The network that an address belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// Into the public internet.
    Public,
    /// This machine or a private network.
    Private,
    /// Never a valid destination: metadata services, multicast, and reserved ranges.
    Never,
}

/// Whether a destination may have this address.
pub(super) fn is_allowed(address: IpAddr, allowed: DestinationAddresses) -> bool {
    let reach = match address {
        IpAddr::V4(address) => reach_of_v4(address),
        IpAddr::V6(address) => reach_of_v6(address),
    };
    match reach {
        Reach::Public => true,
        Reach::Private => allowed == DestinationAddresses::PublicAndPrivate,
        Reach::Never => false,
    }
}

fn reach_of_v4(address: Ipv4Addr) -> Reach {
    match address.octets() {
        // Link-local contains the metadata service of AWS and of most other clouds. 168.63.129.16 is Azure's,
        // 100.100.100.200 is Alibaba's, 100.96.0.96 is Volcano Engine's. Oracle's 192.0.0.192 is among the protocol assignments.
        [169, 254, ..] | [168, 63, 129, 16] | [100, 100, 100, 200] | [100, 96, 0, 96]
        // Protocol assignments, documentation, deprecated 6to4 relays, benchmarks.
        | [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 18..=19, ..] | [198, 51, 100, _] | [203, 0, 113, _]
        // "This network", multicast, and reserved.
        | [0 | 224..=255, ..] => Reach::Never,
        [10 | 127, ..] | [100, 64..=127, ..] | [172, 16..=31, ..] | [192, 168, ..] => Reach::Private,
        _ => Reach::Public,
    }
}

fn reach_of_v6(address: Ipv6Addr) -> Reach {
    match address.segments() {
        // NAT64 (RFC 6052): the last four bytes are the IPv4 address.
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => {
            let [.., a, b, c, d] = address.octets();
            reach_of_v4(Ipv4Addr::new(a, b, c, d))
        }
        // The metadata services of AWS, Google, Oracle, Scaleway and Akamai. Other clouds use link-local addresses.
        [0xfd00, 0x0ec2 | 0x00c1 | 0x0042 | 0xa9fe, ..] | [0xfd20, 0x00ce, ..]
        // Protocol assignments, including Teredo; documentation; 6to4.
        | [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x2002, ..] | [0x3fff, 0..=0xfff, ..] => Reach::Never,
        [0, 0, 0, 0, 0, 0, 0, 1] | [0xfc00..=0xfdff, ..] => Reach::Private,
        [0x2000..=0x3fff, ..] => Reach::Public,
        // No other range is assigned: IPv4-mapped, link-local, multicast.
        _ => Reach::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLIC: &str = "1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 \
        169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 192.0.1.0 192.167.255.255 192.169.0.0 198.17.255.255 \
        198.20.0.0 223.255.255.255 2606:4700:4700::1111 2001:200::1 2a00:1450::1 2600:1f00::1 64:ff9b::808:808";
    const PRIVATE: &str = "10.0.0.0 10.255.255.255 127.0.0.1 127.255.255.255 100.64.0.0 100.100.100.199 100.100.100.201 \
        100.127.255.255 172.16.0.0 172.31.255.255 192.168.0.0 192.168.255.255 ::1 fc00::1 fdff:ffff::1 64:ff9b::7f00:1 \
        64:ff9b::a00:1";
    const METADATA: &str = "169.254.169.254 169.254.170.2 168.63.129.16 100.100.100.200 100.96.0.96 64:ff9b::6464:64c8 \
        192.0.0.192 64:ff9b::a9fe:a9fe fd00:ec2::254 fd20:ce::254 fd00:c1::a9fe:a9fe fd00:42::42 fd00:a9fe:a9fe::1 \
        fe80::a9fe:a9fe";
    const RESERVED: &str = "0.0.0.0 0.255.255.255 169.254.0.0 192.0.2.1 192.88.99.1 198.18.0.1 198.19.255.255 198.51.100.7 \
        203.0.113.9 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 :: ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::127.0.0.1 \
        64:ff9b:1::1 100::1 fe80::1 febf::1 fec0::1 ff02::1 2001::1 2001:db8::1 2002:7f00:1:: 3fff::1 5f00::1 4000::1";

    #[test]
    fn an_address_is_allowed_by_the_network_that_it_belongs_to() {
        for (addresses, expected) in
            [(PUBLIC, (true, true)), (PRIVATE, (false, true)), (METADATA, (false, false)), (RESERVED, (false, false))]
        {
            for text in addresses.split(' ') {
                let address = text.parse().expect(text);
                let by = |rule| is_allowed(address, rule);
                let allowed = (by(DestinationAddresses::Public), by(DestinationAddresses::PublicAndPrivate));
                assert_eq!(allowed, expected, "{text}");
            }
        }
    }
}
