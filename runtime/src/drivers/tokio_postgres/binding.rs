//! The binding of a sign-in to its TLS channel: `tls-server-end-point` of RFC 5929.

use sha2::{Digest as _, Sha256, Sha384, Sha512};

/// Returns the hash of a certificate, by the hash function of its signature. Returns `None` for a
/// signature without a hash function of its own, such as Ed25519 and RSA-PSS.
pub(super) fn of(certificate: &[u8]) -> Option<Vec<u8>> {
    Some(match signature_algorithm(certificate)? {
        // sha1WithRSAEncryption and ecdsa-with-SHA1 count as SHA-256, and so does MD5.
        RSA_MD5 | RSA_SHA1 | ECDSA_SHA1 | RSA_SHA256 | ECDSA_SHA256 => {
            Sha256::digest(certificate).to_vec()
        }
        RSA_SHA384 | ECDSA_SHA384 => Sha384::digest(certificate).to_vec(),
        RSA_SHA512 | ECDSA_SHA512 => Sha512::digest(certificate).to_vec(),
        _ => return None,
    })
}

// The identifiers of RFC 8017 and RFC 5758, in DER.
const RSA_MD5: &[u8] = &[42, 134, 72, 134, 247, 13, 1, 1, 4];
const RSA_SHA1: &[u8] = &[42, 134, 72, 134, 247, 13, 1, 1, 5];
const RSA_SHA256: &[u8] = &[42, 134, 72, 134, 247, 13, 1, 1, 11];
const RSA_SHA384: &[u8] = &[42, 134, 72, 134, 247, 13, 1, 1, 12];
const RSA_SHA512: &[u8] = &[42, 134, 72, 134, 247, 13, 1, 1, 13];
const ECDSA_SHA1: &[u8] = &[42, 134, 72, 206, 61, 4, 1];
const ECDSA_SHA256: &[u8] = &[42, 134, 72, 206, 61, 4, 3, 2];
const ECDSA_SHA384: &[u8] = &[42, 134, 72, 206, 61, 4, 3, 3];
const ECDSA_SHA512: &[u8] = &[42, 134, 72, 206, 61, 4, 3, 4];

/// Returns the identifier of the algorithm that signed a certificate.
fn signature_algorithm(certificate: &[u8]) -> Option<&[u8]> {
    const SEQUENCE: u8 = 0x30;
    const IDENTIFIER: u8 = 0x06;
    let (certificate, _) = element(SEQUENCE, certificate)?;
    let (_signed, rest) = element(SEQUENCE, certificate)?;
    let (algorithm, _) = element(SEQUENCE, rest)?;
    let (identifier, _) = element(IDENTIFIER, algorithm)?;
    Some(identifier)
}

/// Returns the content of an element in DER, and the bytes after it.
fn element(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[found, first], rest) = bytes.split_first_chunk()?;
    if found != tag {
        return None;
    }
    let (length, rest) = match first {
        0..0x80 => (usize::from(first), rest),
        _ => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length = length.iter().try_fold(0_usize, |length, byte| {
                Some(length.checked_mul(256)? + usize::from(*byte))
            })?;
            (length, rest)
        }
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence(content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).expect("a length");
        [&[0x30, 0x82][..], &length.to_be_bytes(), content].concat()
    }

    #[test]
    fn the_hash_is_that_of_the_signature() {
        for (algorithm, length) in [
            (RSA_SHA1, Some(32)),
            (RSA_SHA256, Some(32)),
            (ECDSA_SHA384, Some(48)),
            (RSA_SHA512, Some(64)),
            // Ed25519.
            (&[43, 101, 112], None),
        ] {
            let identifier = [&[0x06, algorithm.len() as u8], algorithm].concat();
            let parts = [sequence(&[7; 300]), sequence(&identifier), vec![3, 1, 0]];
            let certificate = sequence(&parts.concat());
            assert_eq!(
                of(&certificate).map(|hash| hash.len()),
                length,
                "{algorithm:?}"
            );
        }
        for cut in [
            &[][..],
            &[0x30],
            &[0x30, 0x85, 1],
            &[0x30, 0x88, 255, 255, 255, 255, 255, 255, 255, 255],
        ] {
            assert_eq!(of(cut), None);
        }
    }
}
