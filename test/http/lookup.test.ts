import { createServer, type IncomingMessage } from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { expect, it, vi } from 'vitest';
import { type Names, patientLookup } from '../../src/http/lookup.ts';

const v4 = { address: '127.0.0.1', family: 4 };
const v6 = { address: '::1', family: 6 };

/** Answers after so many milliseconds, or never. */
function names(all: number | undefined, ofFamily: { readonly 4?: number; readonly 6?: number }): Names {
  return {
    all(_, found) {
      if (all !== undefined) setTimeout(() => found(null, [v6, v4]), all);
    },
    ofFamily(_, family, found) {
      const ms = ofFamily[family];
      if (ms !== undefined) setTimeout(() => found(null, [family === 4 ? v4 : v6]), ms);
    },
  };
}

function found(who: Names, options: object = { all: true }): Promise<unknown> {
  return new Promise((resolve, reject) => {
    patientLookup(who)('siem.example.com', options, (error, addresses, family) =>
      error === null ? resolve(family === undefined ? addresses : [addresses, family]) : reject(error),
    );
  });
}

it.each([
  ['both kinds come in time', names(1900, { 4: 0, 6: 0 }), [v6, v4]],
  ['the question for IPv6 is never answered', names(undefined, { 4: 10 }), [v4]],
  ['the question for IPv4 is never answered', names(undefined, { 6: 10 }), [v6]],
  ['a name server is slow for both', names(2500, { 4: 9000, 6: 9000 }), [v6, v4]],
])('gives what there is when %s', async (_, who, addresses) => {
  vi.useFakeTimers();
  const answer = found(who);
  await vi.advanceTimersByTimeAsync(10_000);
  vi.useRealTimers();

  expect(await answer).toEqual(addresses);
});

it('gives one address where one is asked for, of the family that is asked for', async () => {
  expect([await found(names(0, {}), {}), await found(names(0, {}), { family: 4 })]).toEqual([
    ['::1', 6],
    ['127.0.0.1', 4],
  ]);
});

it('says why a name has no address', async () => {
  const who: Names = { ...names(undefined, {}), all: (_, say) => say(new Error('getaddrinfo ENOTFOUND'), []) };

  await expect(found(who)).rejects.toThrow('getaddrinfo ENOTFOUND');
});

it('gives other addresses of a name with many at each call, so that some that hang do not hide the rest', async () => {
  const many = Array.from({ length: 10 }, (_, at) => ({ address: `192.0.2.${at}`, family: 4 }));
  const lookup = patientLookup({ ...names(undefined, {}), all: (_, say) => say(null, many) });
  const call = (): Promise<readonly { readonly address: string }[]> =>
    new Promise((resolve) => {
      lookup('siem.example.com', { all: true }, (_, addresses) => resolve(addresses as { address: string }[]));
    });

  const seen = new Set<string>();
  for (let turn = 0; turn < 3; turn += 1) for (const { address } of await call()) seen.add(address);

  expect(seen.size).toBe(10);
});

it('lets a connection come about while half of the name service hangs', async () => {
  const server = createServer((_: IncomingMessage, response) => response.end('ok')).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const socket = net.connect({ host: 'localhost', port, lookup: patientLookup(names(undefined, { 4: 10 })) });
  const connected = new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  await vi.advanceTimersByTimeAsync(2100);
  vi.useRealTimers();

  await connected;

  expect(socket.remoteAddress).toBe('127.0.0.1');
  socket.destroy();
  server.close();
});
