import { expect, it } from 'vitest';
import { isLoopback } from '../../src/base/loopback.ts';

it.each(['127.0.0.1', '127.8.9.1', '::1', '[::1]', 'localhost', '::ffff:127.0.0.1', 'LocalHost', 'penstock.localhost'])(
  'takes %s for this machine',
  (host) => {
    expect(isLoopback(host)).toBe(true);
  },
);

it.each(['0.0.0.0', '::', '10.0.0.1', '127.0.0.1.evil.example', 'localhost.evil.example', '127.0.0.1:80', '127.0.0.256', ''])(
  'takes %j for another machine',
  (host) => {
    expect(isLoopback(host)).toBe(false);
  },
);
