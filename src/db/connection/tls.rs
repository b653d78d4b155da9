//! Judges a server's certificate as node does, on top of rustls.
//!
//! Three customs of OpenSSL and node are added to rustls' stricter rules, because certificates that people make for
//! their own databases depend on them (each seen with node 20.20 and pg 8.16.3): a certificate that is itself listed
//! as a root is trusted, a certificate without alternative names is known by its common name, and behind an IP
//! address the name `localhost` is expected.

use std::iter;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use crate::db::connection::address::{Address, Host};
use crate::db::connection::trust::{Check, Pem, Trust};
use crate::files::{self, ReadError};

/// Why no TLS connection could be prepared: a file could not be read, or holds no certificate or key.
pub(in crate::db) struct Unprepared(pub(in crate::db) String);

/// Makes the TLS settings for one connection.
pub(in crate::db) fn client_config(address: &Address, trust: &Trust) -> Result<ClientConfig, Unprepared> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Verifier::new(address, trust, &provider)?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring supports TLS 1.2 and 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let Some((certificate, key)) = &trust.identity else {
        return Ok(config.with_no_client_auth());
    };
    let bytes = read(key)?;
    let key = PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| Unprepared(format!("{key:?}: {error}")))?;
    let chain = certificates(certificate)?;
    config.with_client_auth_cert(chain, key).map_err(|error| Unprepared(format!("{certificate:?}: {error}")))
}

/// Returns the name that goes into the handshake. An IP address sends none, as in node.
pub(in crate::db) fn handshake_name(address: &Address, trust: &Trust) -> String {
    match (&trust.server_name, &address.host) {
        (Some(name), _) | (None, Host::Tcp(name)) => name.clone(),
        (None, Host::Socket(_)) => "localhost".to_owned(),
    }
}

#[derive(Debug)]
struct Verifier {
    check: Check,
    roots: RootCertStore,
    /// The roots that the user listed, for the custom that a listed certificate is trusted for itself.
    listed: Vec<CertificateDer<'static>>,
    name: String,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    fn new(address: &Address, trust: &Trust, provider: &CryptoProvider) -> Result<Verifier, Unprepared> {
        // connection.js hands a server name over unless the host is an IP address, and node's tls.connect falls back
        // to "localhost" then.
        let is_ip = |name: &str| name.parse::<std::net::IpAddr>().is_ok();
        let name = Some(handshake_name(address, trust)).filter(|name| !is_ip(name));

        let mut listed = Vec::new();
        for pem in &trust.roots {
            listed.extend(certificates(pem)?);
        }
        let mut roots = RootCertStore::empty();
        if trust.check != Check::Nothing {
            if trust.roots.is_empty() {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                // In an image that has none, node goes by those that it brings along, which are Mozilla's.
                if roots.is_empty() {
                    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
                }
                // node warns about a file that it cannot read and goes on without.
                let extra = trust
                    .extra_roots
                    .as_deref()
                    .and_then(|file| files::read(file, files::CODE).ok())
                    .unwrap_or_default();
                roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&extra).filter_map(Result::ok));
            } else {
                roots.add_parsable_certificates(listed.iter().cloned());
            }
        }
        Ok(Verifier {
            check: trust.check,
            roots,
            listed,
            name: name.unwrap_or_else(|| "localhost".to_owned()),
            algorithms: provider.signature_verification_algorithms,
        })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.check == Check::Nothing {
            return Ok(ServerCertVerified::assertion());
        }
        let parsed = ParsedCertificate::try_from(certificate)?;
        if !self.listed.contains(certificate) {
            let algorithms = self.algorithms.all;
            verify_server_cert_signed_by_trust_anchor(&parsed, &self.roots, intermediates, now, algorithms)?;
        }
        if self.check == Check::Full {
            let name = ServerName::try_from(&*self.name).map_err(|_| CertificateError::NotValidForName)?;
            match verify_server_name(&parsed, &name) {
                Err(Error::InvalidCertificate(CertificateError::NotValidForNameContext { presented, .. }))
                    if presented.is_empty() && common_name(certificate).is_some_and(|own| fits(own, &self.name)) => {}
                verdict => verdict?,
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self.check {
            // A signature by a certificate that anybody may have made proves nothing, and may be of an old kind.
            Check::Nothing => Ok(HandshakeSignatureValid::assertion()),
            Check::Full | Check::Authority => verify_tls12_signature(message, certificate, signed, &self.algorithms),
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self.check {
            Check::Nothing => Ok(HandshakeSignatureValid::assertion()),
            Check::Full | Check::Authority => verify_tls13_signature(message, certificate, signed, &self.algorithms),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn read(pem: &Pem) -> Result<Vec<u8>, Unprepared> {
    let failed = |file: &Path, error: ReadError| Unprepared(format!("{}: {error}", file.display()));
    match pem {
        Pem::File(file) => files::read(file, files::CODE).map_err(|error| failed(file, error)),
        Pem::Text(text) => Ok(text.clone().into_bytes()),
    }
}

fn certificates(pem: &Pem) -> Result<Vec<CertificateDer<'static>>, Unprepared> {
    let bytes = read(pem)?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&bytes).filter_map(Result::ok).collect();
    if certificates.is_empty() {
        return Err(Unprepared(format!("{pem:?} contains no certificate")));
    }
    Ok(certificates)
}

/// Says whether a common name, perhaps with `*` for its first label, covers a host name.
fn fits(common_name: &str, name: &str) -> bool {
    match (common_name.strip_prefix("*."), name.split_once('.')) {
        (Some(domain), Some((_, own))) => domain.eq_ignore_ascii_case(own),
        (Some(_), None) => false,
        (None, _) => common_name.eq_ignore_ascii_case(name),
    }
}

/// Reads the last common name of a certificate's subject (RFC 5280, section 4.1), which node compares.
///
/// rustls offers no way to it. Anything unexpected is no name.
fn common_name<'a>(certificate: &'a CertificateDer<'_>) -> Option<&'a str> {
    const VERSION: u8 = 0xa0;
    const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

    let (_, certificate, _) = element(certificate)?;
    let (_, to_be_signed, _) = element(certificate)?;
    let mut fields = elements(to_be_signed).skip_while(|(tag, _)| *tag == VERSION);
    let (_, subject) = fields.nth(4)?; // after serial number, algorithm, issuer and validity
    let pairs = elements(subject).flat_map(|(_, set)| elements(set));
    let names = pairs.filter_map(|(_, pair)| {
        let (_, kind, rest) = element(pair)?;
        let (_, value, _) = element(rest)?;
        (kind == COMMON_NAME).then_some(value)
    });
    str::from_utf8(names.last()?).ok()
}

fn elements(bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = bytes;
    iter::from_fn(move || {
        let (tag, content, tail) = element(rest)?;
        rest = tail;
        Some((tag, content))
    })
}

/// Splits one DER element off: its tag, its content, and what follows.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], rest) = bytes.split_first_chunk()?;
    let (len, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 => (usize::from(*rest.first()?), rest.get(1..)?),
        0x82 => {
            let (len, rest) = rest.split_first_chunk()?;
            (usize::from(u16::from_be_bytes(*len)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(len)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        let len = u8::try_from(content.len()).expect("a test's element is short");
        let head = if len < 0x80 { vec![tag, len] } else { vec![tag, 0x81, len] };
        [head, content].concat()
    }

    /// A name of a subject: an attribute of the kind 2.5.4.`kind`.
    fn pair(kind: u8, value: &str) -> Vec<u8> {
        der(0x31, &[&der(0x30, &[&der(0x06, &[&[0x55, 0x04, kind]]), &der(0x0c, &[value.as_bytes()])])])
    }

    fn certificate(version: &[u8], subject: &[&[u8]]) -> CertificateDer<'static> {
        let (serial, algorithm, validity) = (der(0x02, &[&[1]]), der(0x30, &[]), der(0x30, &[]));
        let issuer = der(0x30, &[&pair(3, "the issuer")]);
        let subject = der(0x30, subject);
        let body = der(0x30, &[version, &serial, &algorithm, &issuer, &validity, &subject, &der(0x30, &[])]);
        der(0x30, &[&body]).into()
    }

    #[test]
    fn the_common_name_is_the_last_of_the_subject() {
        let version = der(0xa0, &[&der(0x02, &[&[2]])]);
        let subject: [&[u8]; 3] = [&pair(10, "an organisation"), &pair(3, "first"), &pair(3, "db.example")];
        assert_eq!(common_name(&certificate(&version, &subject)), Some("db.example"));
        assert_eq!(common_name(&certificate(&[], &subject)), Some("db.example"));
        assert_eq!(common_name(&certificate(&version, &[&pair(10, "an organisation")])), None);
    }

    #[test]
    fn a_broken_certificate_has_no_common_name() {
        let whole = certificate(&[], &[&pair(3, "db.example")]);
        for len in 0..whole.len() {
            assert_eq!(common_name(&whole[..len].into()), None, "{len}");
        }
    }

    #[test]
    fn a_star_covers_one_label() {
        for (common_name, name, expected) in [
            ("localhost", "LOCALHOST", true),
            ("localhost", "localhost.example", false),
            ("*.example.com", "db.example.com", true),
            ("*.example.com", "a.db.example.com", false),
            ("*.example.com", "example.com", false),
            ("*.com", "com", false),
        ] {
            assert_eq!(fits(common_name, name), expected, "{common_name} {name}");
        }
    }
}
