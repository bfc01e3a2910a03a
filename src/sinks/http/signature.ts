import { createHmac } from 'node:crypto';
import { PenstockError } from '../../base/errors.ts';

/** Signs one attempt: the headers of a body that is sent as `bytes` at a time in milliseconds. */
export type Sign = (id: string, bytes: Uint8Array, nowMs: number) => Readonly<Record<string, string>>;

/**
 * Standard Webhooks 1.0.0, HMAC-SHA256 over `id.timestamp.body` of the bytes as sent. Every secret signs, so that a receiver can move
 * from one to the next. Throws PEN_CONFIG_INVALID for a secret that is not base64 of 24 to 64 bytes.
 *
 * Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
export function standardWebhooks(secrets: readonly string[]): Sign {
  const keys = secrets.map(keyOf);
  return (id, bytes, nowMs) => {
    // A dot would let two different messages sign the same text.
    const name = id.replaceAll('.', '-');
    const timestamp = String(Math.floor(nowMs / 1000));
    const signatures = keys.map((key) =>
      createHmac('sha256', key).update(`${name}.${timestamp}.`).update(bytes).digest('base64'),
    );
    return {
      'webhook-id': name,
      'webhook-timestamp': timestamp,
      'webhook-signature': signatures.map((signature) => `v1,${signature}`).join(' '),
    };
  };
}

function keyOf(secret: string): Buffer {
  const encoded = secret.replace(/^whsec_/, '');
  const key = Buffer.from(encoded, 'base64');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(encoded) || key.length < 24 || key.length > 64)
    throw new PenstockError('PEN_CONFIG_INVALID', 'a secret of signature.standard_webhooks is not base64 of 24 to 64 bytes', {
      fix: 'copy the secret with its prefix "whsec_" from the receiver',
    });
  return key;
}
