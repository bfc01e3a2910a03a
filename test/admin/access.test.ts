import { expect, it } from 'vitest';
import { refusalOf } from '../../src/admin/access.ts';

const token = 'a'.repeat(64);
const keys = { token, metrics: 'open' } as const;
const headers = { host: 'penstock.internal:8690', authorization: `Bearer ${token}` };

it.each([
  { path: '/healthz', isEncrypted: false, status: undefined },
  { path: '/readyz', isEncrypted: false, status: undefined },
  { path: '/status', isEncrypted: false, status: 403 },
  { path: '/', isEncrypted: false, status: 403 },
  { path: '/status', isEncrypted: true, status: undefined },
  { path: '/', isEncrypted: true, status: undefined },
])('gives another machine with the token $status for $path, encrypted: $isEncrypted', ({ path, isEncrypted, status }) => {
  expect(refusalOf({ headers, path, isLocal: false, isEncrypted }, keys)?.status).toBe(status);
});

it('refuses a request without Host', () => {
  expect(refusalOf({ headers: {}, path: '/healthz', isLocal: true, isEncrypted: false }, keys)).toEqual({
    status: 403,
    error: 'the Host header is missing',
  });
});

it.each([
  { metrics: 'open', isLocal: true, authorization: undefined, status: undefined },
  { metrics: 'open', isLocal: false, authorization: undefined, status: undefined },
  { metrics: 'token', isLocal: true, authorization: undefined, status: 401 },
  { metrics: 'token', isLocal: true, authorization: `Bearer ${token}`, status: undefined },
  { metrics: 'token', isLocal: false, authorization: `Bearer ${token}`, status: 403 },
] as const)(
  'with metrics: $metrics gives whoever sends $authorization, on this machine: $isLocal, $status for /metrics',
  ({ metrics, isLocal, authorization, status }) => {
    const approach = { headers: { host: 'localhost', authorization }, path: '/metrics', isLocal, isEncrypted: false };

    expect(refusalOf(approach, { token, metrics })?.status).toBe(status);
  },
);

it.each([token.slice(0, 1), token.slice(0, -1), `${token}a`, token.toUpperCase(), 'b'.repeat(64)])(
  'refuses %s in the place of the token',
  (given) => {
    const approach = {
      headers: { ...headers, authorization: `Bearer ${given}` },
      path: '/status',
      isLocal: true,
      isEncrypted: false,
    };

    expect(refusalOf({ ...approach, headers: { ...approach.headers, host: '127.0.0.1:8690' } }, keys)?.status).toBe(401);
  },
);
