// What is wrong with certificates and keys in PEM form, told where they are read: OpenSSL passes over a damaged authority without a word, and over
// all that follow it, and what is seen of that is a server that cannot be trusted.
import { createPrivateKey, X509Certificate } from 'node:crypto';

interface Pem {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

interface PemFault {
  readonly part: keyof Pem;
  /** Follows the name of the file: `holds no certificate in PEM form`. */
  readonly what: string;
  readonly fix: string;
}

const again = 'write the whole file again, as its issuer gave it';

/** The first fault of what the three files of `tls` hold; undefined where they can be used together. */
export function pemFault({ ca, cert, key }: Pem): PemFault | undefined {
  const ofAuthorities = ca === undefined ? undefined : certificatesFault(ca);
  if (ofAuthorities !== undefined) return { part: 'ca', ...ofAuthorities };
  const ofCertificate = cert === undefined ? undefined : certificatesFault(cert);
  if (ofCertificate !== undefined) return { part: 'cert', ...ofCertificate };
  const ofKey = key === undefined ? undefined : keyFault(key, cert);
  return ofKey === undefined ? undefined : { part: 'key', ...ofKey };
}

function certificatesIn(text: string): string[] {
  return text.split(/(?=-----BEGIN )/).filter((block) => /^-----BEGIN (?:[A-Z0-9]+ )?CERTIFICATE-----/.test(block));
}

/** From when until when each certificate of a PEM file is valid, milliseconds; without those that cannot be read. */
export function validityOf(text: string): { readonly from: number; readonly to: number }[] {
  return certificatesIn(text).flatMap((block) => {
    if (!isSound(() => new X509Certificate(block))) return [];
    const { validFromDate, validToDate } = new X509Certificate(block);
    return [{ from: validFromDate.getTime(), to: validToDate.getTime() }];
  });
}

function certificatesFault(text: string): Omit<PemFault, 'part'> | undefined {
  const blocks = certificatesIn(text);
  if (blocks.length === 0)
    return { what: 'holds no certificate in PEM form', fix: 'convert it to PEM: openssl x509 -inform der -in FILE' };
  const at = blocks.findIndex((block) => !isSound(() => new X509Certificate(block)));
  return at === -1 ? undefined : { what: `is cut off or damaged: certificate ${at + 1} of ${blocks.length}`, fix: again };
}

function keyFault(text: string, cert: string | undefined): Omit<PemFault, 'part'> | undefined {
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text))
    return { what: 'holds no private key in PEM form', fix: 'convert it to PEM: openssl pkey -in FILE' };
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(text))
    return { what: 'holds a key with a passphrase', fix: 'take it out: openssl pkey -in FILE' };
  if (!isSound(() => createPrivateKey(text))) return { what: 'is cut off or damaged', fix: again };
  const [own] = cert === undefined ? [] : certificatesIn(cert);
  if (own === undefined || new X509Certificate(own).checkPrivateKey(createPrivateKey(text))) return undefined;
  return { what: 'holds the key of another certificate', fix: 'write both files of the same pair' };
}

function isSound(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch {
    // Whatever OpenSSL says of it.
    return false;
  }
}
