import { expect, it } from 'vitest';
import { openHttp } from '../../src/sinks/http/index.ts';
import type { HttpOptions } from '../../src/sinks/http/options.ts';
import { batchOf, openContext, outgoing } from './batches.ts';
import { openReceiver } from './http-receiver.ts';

const { signal } = new AbortController();
const options = (url: string, over: Partial<HttpOptions> = {}): HttpOptions => ({
  url,
  method: 'POST',
  body: 'ndjson',
  compression: 'none',
  ...over,
});

it.each([
  { body: 'ndjson', type: 'application/x-ndjson', sent: (a: string, b: string) => `${a}\n${b}\n` },
  { body: 'json_array', type: 'application/json', sent: (a: string, b: string) => `[${a},${b}]` },
] as const)('sends $body', async ({ body, type, sent }) => {
  await using receiver = await openReceiver(() => ({ status: 204 }));
  await using context = await openContext();
  await using sink = openHttp(
    options(`${receiver.url}/v1/audit`, { body, compression: 'gzip', auth: { bearer: 'tok-123456' } }),
    context,
  );
  const [a, b] = [outgoing('e0'), outgoing('e1')];

  const result = await sink.send(batchOf(sink, [a, b], { id: 'batch-7' }), signal);

  expect(result).toEqual({ all: { kind: 'accept' } });
  expect(receiver.seen[0]).toMatchObject({
    method: 'POST',
    path: '/v1/audit',
    text: sent(a.body, b.body),
    headers: {
      'content-type': type,
      authorization: 'Bearer tok-123456',
      'idempotency-key': 'batch-7',
      'content-encoding': 'gzip',
    },
  });
});
