import { expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import { createSecrets } from '../../src/base/secrets.ts';
import type { CursorReader, PageState, WindowReader } from '../../src/connectors/connector.ts';
import { tellingErrors } from '../../src/runtime/telling-errors.ts';

const signal = new AbortController().signal;
const secret = 'hec-token-of-a-sink-7f3a91';

/** What is stored of a page token, and with which one a vendor is asked for the next page. */
async function throughReader(kind: 'http_window' | 'http_cursor', token: string, isRestarted = false) {
  const asked: (PageState | null)[] = [];
  const secrets = createSecrets();
  secrets.add(secret);
  const vendor = {
    kind,
    page: ({ state }: { state: PageState | null }) => {
      asked.push(state);
      return Promise.resolve({ records: [], next: { kind: 'token', token } });
    },
  };
  const open = (seed: number) =>
    tellingErrors(vendor as unknown as WindowReader, secrets, seededRandom(seed)) as WindowReader | CursorReader;
  const first = open(1);
  const { next } = await first.page({ from: 0, to: 1, state: null }, signal);
  const again = isRestarted ? open(2) : first;
  await again.page({ from: 0, to: 1, state: next }, signal);
  const stored = next?.kind === 'token' ? next.token : '';
  return { stored, asked: asked[1] };
}

const writings: Readonly<Record<string, (text: string) => string>> = {
  plain: (text) => text,
  base64: (text) => Buffer.from(text).toString('base64'),
  hex: (text) => Buffer.from(text).toString('hex'),
  'base64 of base64': (text) => Buffer.from(Buffer.from(text).toString('base64')).toString('base64'),
  percent: (text) => text.replace(/[^]/g, (letter) => `%${letter.charCodeAt(0).toString(16)}`),
};

it.each(
  (['http_window', 'http_cursor'] as const).flatMap((kind) =>
    Object.entries(writings).map(([name, write]) => [kind, name, write] as const),
  ),
)('of %s stores no page token that is a secret of somebody, in %s, and sends it as it came', async (kind, _name, write) => {
  const { stored, asked } = await throughReader(kind, write(secret));

  expect(stored).toMatch(/^hidden-[0-9a-f-]{36}$/);
  expect(asked).toEqual({ kind: 'token', token: write(secret) });
});

it('sends the name of such a token, which the vendor refuses, once the process has ended', async () => {
  const { stored, asked } = await throughReader('http_window', secret, true);

  expect(asked).toEqual({ kind: 'token', token: stored });
});

it.each([
  Buffer.from('another value 0001').toString('base64'),
  Buffer.from(JSON.stringify({ customer: secret, after: 17 })).toString('base64'),
  `17:${secret}`,
  '[REDACTED] or so',
])('leaves a token alone that looks like a secret or names one among others: %s', async (token) => {
  const { stored, asked } = await throughReader('http_window', token);

  expect([stored, asked]).toEqual([token, { kind: 'token', token }]);
});
