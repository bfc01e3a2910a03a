import { createPrivateKey, type KeyObject } from 'node:crypto';
import { SignJWT } from 'jose';
import { PenstockError } from '../base/errors.ts';

/** What signs our assertions. */
interface SigningKey {
  readonly key: KeyObject;
  readonly algorithm: string;
  readonly keyId?: string | undefined;
}

const usual: Readonly<Record<string, string>> = { rsa: 'RS256', 'rsa-pss': 'PS256', ed25519: 'EdDSA' };
const curves: Readonly<Record<string, string>> = { prime256v1: 'ES256', secp384r1: 'ES384', secp521r1: 'ES512' };

/** Reads a private key in PEM (PKCS#8, PKCS#1 or SEC 1); throws PEN_CONFIG_INVALID, without a word of it, when it is none. */
export function readSigningKey(pem: string, algorithm?: string, keyId?: string): SigningKey {
  let key: KeyObject;
  try {
    // Keys that went through an environment variable have their line feeds as two characters.
    key = createPrivateKey(pem.replaceAll('\\n', '\n'));
  } catch {
    // What OpenSSL says may quote the key.
    throw new PenstockError('PEN_CONFIG_INVALID', 'the private key is not one in PEM', {
      fix: 'give the whole file, from -----BEGIN to the last line; a key with a passphrase has to be stored without it',
    });
  }
  const { asymmetricKeyType = '', asymmetricKeyDetails } = key;
  const fitting = usual[asymmetricKeyType] ?? curves[asymmetricKeyDetails?.namedCurve ?? ''] ?? 'RS256';
  return { key, algorithm: algorithm ?? fitting, keyId };
}

/** A signed JWT with these claims; `nowMs` becomes its time of issue. Source: https://www.rfc-editor.org/rfc/rfc7523#section-3 */
export async function signJwt(
  { key, algorithm, keyId }: SigningKey,
  claims: Readonly<Record<string, string>>,
  nowMs: number,
  lifetimeSeconds: number,
): Promise<string> {
  const issued = Math.floor(nowMs / 1000);
  try {
    return await new SignJWT({ ...claims, iat: issued, exp: issued + lifetimeSeconds })
      .setProtectedHeader({ alg: algorithm, typ: 'JWT', ...(keyId === undefined ? {} : { kid: keyId }) })
      .sign(key);
  } catch {
    throw new PenstockError('PEN_CONFIG_INVALID', `the private key cannot sign by ${algorithm}`, {
      fix: 'set algorithm to one that fits the key, or leave it out',
    });
  }
}
