import { expect, it } from 'vitest';
import { isLoopback, refusalOf } from '../../src/admin/access.ts';

const token = 'a'.repeat(64);
const headers = { host: 'penstock.internal:8690', authorization: `Bearer ${token}` };

it.each(['127.0.0.1', '127.8.9.1', '::1', '[::1]', 'localhost', '::ffff:127.0.0.1'])('takes %s for this machine', (host) => {
  expect(isLoopback(host)).toBe(true);
});

it.each(['0.0.0.0', '::', '10.0.0.1', '127.0.0.1.evil.example', 'localhost.evil.example', ''])(
  'takes %j for another machine',
  (host) => {
    expect(isLoopback(host)).toBe(false);
  },
);

it.each([
  { path: '/healthz', isEncrypted: false, status: undefined },
  { path: '/readyz', isEncrypted: false, status: undefined },
  { path: '/status', isEncrypted: false, status: 403 },
  { path: '/', isEncrypted: false, status: 403 },
  { path: '/status', isEncrypted: true, status: undefined },
  { path: '/', isEncrypted: true, status: undefined },
])('gives another machine with the token $status for $path, encrypted: $isEncrypted', ({ path, isEncrypted, status }) => {
  expect(refusalOf({ headers, path, isLocal: false, isEncrypted }, token)?.status).toBe(status);
});

it('refuses a request without Host', () => {
  expect(refusalOf({ headers: {}, path: '/healthz', isLocal: true, isEncrypted: false }, token)).toEqual({
    status: 403,
    error: 'the Host header is missing',
  });
});
